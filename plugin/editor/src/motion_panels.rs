//! What moves a note: its time, its colour, and how keys and controllers play it. Three panels in a row. Window thread.

use egui::{Color32, Rect, Ui, pos2, vec2};

use betwixt_engine::parameter::Parameter;

use crate::choice_field;
use crate::command::Commands;
use crate::knob::Knob;
use crate::snapshot::Snapshot;
use crate::theme;

/// From a panel's top to its knobs.
const KNOBS_TOP: f32 = 27.0;
/// From a panel's edges to what stands in it, left and right.
const SIDE: f32 = 14.0;
/// From the bottom of a panel to the middle of its lowest line.
const LAST_LINE: f32 = 17.0;

const TIME_COLOUR: Color32 = theme::CORNERS[1];
const COLOUR_COLOUR: Color32 = theme::CORNERS[3];
const PLAY_COLOUR: Color32 = theme::CORNERS[2];

/// Shows the three panels, from left to right.
pub fn show(ui: &mut Ui, panels: [Rect; 3], snapshot: &Snapshot, commands: &mut Commands) {
    let [time, colour, play] = panels;
    show_time(ui, time, snapshot, commands);
    show_colour(ui, colour, snapshot, commands);
    show_play(ui, play, snapshot, commands);
}

fn show_time(ui: &mut Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    theme::panel(ui.painter(), panel, "Time");
    let knob = |parameter, label, origin| Knob {
        parameter,
        label,
        colour: TIME_COLOUR,
        origin,
    };
    let knobs = [
        knob(Parameter::StartMs, "Start", 0.0),
        // The recorded speed is in the middle of the way.
        knob(Parameter::Stretch, "Stretch", 0.5),
        knob(Parameter::GlideMs, "Glide", 0.0),
    ];
    show_knobs(ui, panel, &knobs, snapshot, commands);
    let (line, parameter) = (last_line(panel), Parameter::Freeze);
    choice_field::show(ui, line, "Freeze", parameter, TIME_COLOUR, snapshot, commands);
}

fn show_colour(ui: &mut Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    theme::panel(ui.painter(), panel, "Colour");
    let knob = |parameter, label, origin| Knob {
        parameter,
        label,
        colour: COLOUR_COLOUR,
        origin,
    };
    let knobs = [
        knob(Parameter::Heat, "Heat", 0.0),
        knob(Parameter::Push, "Push", 0.5),
        knob(Parameter::Width, "Width", 0.0),
        knob(Parameter::Brightness, "Bright", 0.5),
    ];
    show_knobs(ui, panel, &knobs, snapshot, commands);
    let (line, parameter) = (last_line(panel), Parameter::AttackFrom);
    choice_field::show(
        ui,
        line,
        "Attack from",
        parameter,
        COLOUR_COLOUR,
        snapshot,
        commands,
    );
}

fn show_play(ui: &mut Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    theme::panel(ui.painter(), panel, "Play");
    let lines = [
        ("Voices", Parameter::VoiceMode),
        ("MPE", Parameter::Mpe),
        ("Pressure", Parameter::PressureTo),
        ("Slide", Parameter::SlideTo),
    ];
    let last = last_line(panel);
    let first = panel.top() + KNOBS_TOP + 8.0;
    let step = (last.top() - first) / (lines.len() - 1) as f32;
    for (index, (label, parameter)) in lines.into_iter().enumerate() {
        let top = (first + step * index as f32).round();
        let line = Rect::from_min_size(pos2(last.left(), top), last.size());
        choice_field::show(ui, line, label, parameter, PLAY_COLOUR, snapshot, commands);
    }
}

fn show_knobs(ui: &mut Ui, panel: Rect, knobs: &[Knob<'_>], snapshot: &Snapshot, commands: &mut Commands) {
    let room = panel.shrink2(vec2(6.0, 0.0));
    for (index, knob) in knobs.iter().enumerate() {
        let x = room.left() + room.width() * (index as f32 + 0.5) / knobs.len() as f32;
        knob.show(ui, pos2(x, panel.top() + KNOBS_TOP), snapshot, commands);
    }
}

/// The line along the bottom of a panel.
fn last_line(panel: Rect) -> Rect {
    let middle = panel.bottom() - LAST_LINE;
    Rect::from_x_y_ranges(
        panel.left() + SIDE..=panel.right() - SIDE,
        middle - choice_field::HEIGHT / 2.0..=middle + choice_field::HEIGHT / 2.0,
    )
}
