//! The envelope as a curve with handles, and its four values as text. Window thread.
//!
//! Times are drawn in parts of their parameters' ranges, so that a millisecond and ten seconds can both be taken hold of.

use egui::{Align2, Color32, CursorIcon, Mesh, Pos2, Rect, Sense, Shape, Stroke, Ui, Vec2, pos2, vec2};

use betwixt_engine::parameter::Parameter;

use crate::choice_field;
use crate::command::{Command, Commands};
use crate::parameter_drag;
use crate::snapshot::Snapshot;
use crate::theme;
use crate::value_field;

/// The part of the width that each time may take at most; what they leave is the sustain.
const TIME_WIDTH: f32 = 0.28;
/// Width of the switch by which a released key goes on to the sound's own ending.
const OWN_ENDING_WIDTH: f32 = 94.0;
const HANDLE_RADIUS: f32 = 4.0;
/// How near to a handle the pointer takes hold of it, in points.
const GRIP: f32 = 11.0;

/// The five points of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    /// Where the key goes down.
    pub start: Pos2,
    /// End of the attack.
    pub peak: Pos2,
    /// End of the decay.
    pub sustain: Pos2,
    /// Where the key goes up.
    pub let_go: Pos2,
    /// End of the release.
    pub end: Pos2,
}

/// The curve of an envelope, in parts of its parameters' ranges, within a rectangle.
pub fn curve(rect: Rect, attack: f32, decay: f32, sustain: f32, release: f32) -> Curve {
    let time = rect.width() * TIME_WIDTH;
    let level = rect.bottom() - rect.height() * sustain;
    let peak = rect.left() + time * attack;
    Curve {
        start: rect.left_bottom(),
        peak: pos2(peak, rect.top()),
        sustain: pos2(peak + time * decay, level),
        let_go: pos2(rect.right() - time * release, level),
        end: rect.right_bottom(),
    }
}

/// What a handle moves: the time by its way to the right, and the level by its way upwards.
#[derive(Debug, Clone, Copy)]
struct Handle {
    time: Parameter,
    /// Whether the time grows to the right (1) or to the left (-1).
    direction: f32,
    has_level: bool,
}

const HANDLES: [Handle; 3] = [
    Handle {
        time: Parameter::AttackMs,
        direction: 1.0,
        has_level: false,
    },
    Handle {
        time: Parameter::DecayMs,
        direction: 1.0,
        has_level: true,
    },
    Handle {
        time: Parameter::ReleaseMs,
        direction: -1.0,
        has_level: true,
    },
];

/// A movement of the pointer, in parts of the ranges of a time and of the sustain.
fn movement(rect: Rect, handle: Handle, delta: Vec2) -> (f32, f32) {
    let time = delta.x * handle.direction / (rect.width() * TIME_WIDTH);
    let level = if handle.has_level {
        -delta.y / rect.height()
    } else {
        0.0
    };
    (time, level)
}

/// Shows the panel.
pub fn show(ui: &mut Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    theme::panel(ui.painter(), panel, "Envelope");
    let switch = Rect::from_min_size(
        pos2(panel.right() - 14.0 - OWN_ENDING_WIDTH, panel.top() + 6.0),
        vec2(OWN_ENDING_WIDTH, choice_field::HEIGHT),
    );
    let own_ending = Parameter::OwnEnding;
    choice_field::show(
        ui,
        switch,
        "Own ending",
        own_ending,
        theme::ACCENT,
        snapshot,
        commands,
    );
    let graph = Rect::from_min_max(panel.min + vec2(16.0, 42.0), panel.max - vec2(16.0, 42.0));
    let value = |parameter| snapshot.parameter(parameter).normalized;
    let sustain = value(Parameter::Sustain);
    let curve = curve(
        graph,
        value(Parameter::AttackMs),
        value(Parameter::DecayMs),
        sustain,
        value(Parameter::ReleaseMs),
    );
    paint_curve(ui, graph, &curve);

    for (handle, place) in HANDLES.into_iter().zip([curve.peak, curve.sustain, curve.let_go]) {
        let id = ui.scope_id().with(("envelope", handle.time as usize));
        let grip = Rect::from_center_size(place, Vec2::splat(2.0 * GRIP));
        let response = ui.interact(grip, id, Sense::click_and_drag());
        let (time, level) = movement(graph, handle, response.drag_delta());
        parameter_drag::drag(ui, &response, handle.time, value(handle.time), time, commands);
        if handle.has_level {
            parameter_drag::drag(ui, &response, Parameter::Sustain, sustain, level, commands);
        }
        if response.double_clicked() {
            commands.push(Command::Reset(handle.time));
            if handle.has_level {
                commands.push(Command::Reset(Parameter::Sustain));
            }
        }
        let is_lit = response.hovered() || response.dragged();
        let (radius, fill) = if is_lit {
            (HANDLE_RADIUS + 1.0, theme::ACCENT)
        } else {
            (HANDLE_RADIUS, theme::GROUND)
        };
        ui.painter()
            .circle(place, radius, fill, Stroke::new(2.0, theme::ACCENT));
        response.on_hover_cursor(if handle.has_level {
            CursorIcon::Move
        } else {
            CursorIcon::ResizeHorizontal
        });
    }

    let labels = [
        ("A", Parameter::AttackMs),
        ("D", Parameter::DecayMs),
        ("S", Parameter::Sustain),
        ("R", Parameter::ReleaseMs),
    ];
    let row = Rect::from_min_max(
        pos2(panel.left() + 14.0, panel.bottom() - 28.0),
        pos2(panel.right() - 14.0, panel.bottom() - 10.0),
    );
    let width = row.width() / labels.len() as f32;
    for (index, (label, parameter)) in labels.into_iter().enumerate() {
        let left = row.left() + width * index as f32;
        let field = Rect::from_min_max(pos2(left, row.top()), pos2(left + width - 6.0, row.bottom()));
        value_field::show_labelled(ui, field, label, parameter, snapshot, commands);
    }
}

fn paint_curve(ui: &Ui, graph: Rect, curve: &Curve) {
    let points = [curve.start, curve.peak, curve.sustain, curve.let_go, curve.end];
    let mut fill = Mesh::default();
    let bottom = graph.bottom();
    for point in points {
        // The fill is densest at the curve's highest point and fades to nothing at the bottom.
        let strength = 0.20 * (bottom - point.y) / graph.height();
        fill.colored_vertex(point, theme::ACCENT.gamma_multiply(strength));
        fill.colored_vertex(pos2(point.x, bottom), Color32::TRANSPARENT);
    }
    for step in 0..points.len() as u32 - 1 {
        fill.add_triangle(2 * step, 2 * step + 1, 2 * step + 2);
        fill.add_triangle(2 * step + 1, 2 * step + 3, 2 * step + 2);
    }
    let painter = ui.painter();
    painter.add(Shape::mesh(fill));
    painter.line(points.to_vec(), Stroke::new(2.2, theme::ACCENT));
    let middle = (curve.sustain.x + curve.let_go.x) / 2.0;
    if curve.let_go.x - curve.sustain.x > 46.0 && bottom - curve.sustain.y > 18.0 {
        painter.text(
            pos2(middle, bottom - 7.0),
            Align2::CENTER_CENTER,
            "held",
            theme::regular(10.0),
            theme::TEXT_MUTED,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECT: Rect = Rect {
        min: pos2(480.0, 452.0),
        max: pos2(652.0, 520.0),
    };

    #[test]
    fn the_points_of_the_curve_never_pass_each_other() {
        let steps = [0.0, 0.3, 1.0];
        for attack in steps {
            for decay in steps {
                for sustain in steps {
                    for release in steps {
                        let curve = curve(RECT, attack, decay, sustain, release);
                        let xs = [
                            curve.start.x,
                            curve.peak.x,
                            curve.sustain.x,
                            curve.let_go.x,
                            curve.end.x,
                        ];
                        assert!(xs.is_sorted(), "{xs:?}");
                        assert!(RECT.contains(curve.sustain) && RECT.contains(curve.let_go));
                    }
                }
            }
        }
    }

    #[test]
    fn a_handle_follows_the_pointer() {
        let before = curve(RECT, 0.2, 0.4, 0.5, 0.3);
        let delta = vec2(9.0, -6.0);
        let (decay, sustain) = movement(RECT, HANDLES[1], delta);
        let after = curve(RECT, 0.2, 0.4 + decay, 0.5 + sustain, 0.3);
        assert!((after.sustain - before.sustain - delta).length() < 1e-3);
        let (release, sustain) = movement(RECT, HANDLES[2], delta);
        let after = curve(RECT, 0.2, 0.4, 0.5 + sustain, 0.3 + release);
        assert!((after.let_go - before.let_go - delta).length() < 1e-3);
    }

    #[test]
    fn the_attack_handle_leaves_the_sustain_alone() {
        assert_eq!(movement(RECT, HANDLES[0], vec2(0.0, 40.0)), (0.0, 0.0));
    }
}
