//! Gain, velocity, tuning, and the level of what comes out. Window thread.

use egui::{Rect, Ui, pos2, vec2};

use betwixt_engine::parameter::Parameter;

use crate::command::Commands;
use crate::knob::{self, Knob};
use crate::snapshot::Snapshot;
use crate::theme;

/// The lowest level that the meter shows, in dB.
const METER_FLOOR_DB: f32 = -60.0;
/// The highest level that the meter shows, in dB.
const METER_TOP_DB: f32 = 6.0;

/// How far the meter is filled by a sample value, 0..1.
fn meter_part(peak: f32) -> f32 {
    let decibels = 20.0 * peak.max(1e-6).log10();
    ((decibels - METER_FLOOR_DB) / (METER_TOP_DB - METER_FLOOR_DB)).clamp(0.0, 1.0)
}

/// Shows the panel.
pub fn show(ui: &mut Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    theme::panel(ui.painter(), panel, "Level");
    let meter = Rect::from_min_max(
        pos2(panel.right() - 30.0, panel.top() + 20.0),
        pos2(panel.right() - 16.0, panel.bottom() - 20.0),
    );
    let knobs = [
        Knob {
            parameter: Parameter::GainDb,
            label: "Gain",
            colour: theme::CORNERS[1],
            origin: 0.0,
        },
        Knob {
            parameter: Parameter::VelocitySensitivity,
            label: "Velocity",
            colour: theme::CORNERS[3],
            origin: 0.0,
        },
        Knob {
            parameter: Parameter::TuningCents,
            label: "Tune",
            colour: theme::CORNERS[2],
            origin: 0.5,
        },
    ];
    let room = meter.left() - 8.0 - panel.left();
    let top = panel.top() + 20.0 + (panel.height() - 20.0 - knob::HEIGHT) / 2.0;
    for (index, knob) in knobs.into_iter().enumerate() {
        let x = panel.left() + room * (index as f32 + 0.5) / knobs.len() as f32;
        knob.show(ui, pos2(x, top), snapshot, commands);
    }
    for (side, &peak) in snapshot.peaks.iter().enumerate() {
        let bar = Rect::from_min_size(
            meter.min + vec2(8.0 * side as f32, 0.0),
            vec2(6.0, meter.height()),
        );
        paint_bar(ui, bar, meter_part(peak));
    }
}

fn paint_bar(ui: &Ui, bar: Rect, part: f32) {
    let painter = ui.painter();
    painter.rect_filled(bar, 3.0, theme::GROUND);
    let colour = match part {
        part if part > meter_part(1.0) => theme::ACCENT,
        part if part > meter_part(0.5) => theme::WAITING,
        _ => theme::GOOD,
    };
    let filled = Rect::from_min_max(pos2(bar.left(), bar.bottom() - bar.height() * part), bar.max);
    painter.rect_filled(filled, 3.0, colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_leaves_the_meter_empty_and_full_scale_nearly_fills_it() {
        assert_eq!(meter_part(0.0), 0.0);
        assert_eq!(meter_part(10.0), 1.0);
        assert!((meter_part(1.0) - 60.0 / 66.0).abs() < 1e-4);
    }
}
