//! A switch or a choice as a line: its name on the left, what it stands at on the right. Window thread.
//!
//! A switch is turned by a click; a choice opens the list of what there is; a double click resets either.

use egui::{
    Align2, Color32, CursorIcon, Popup, Rect, RectAlign, RichText, Sense, Stroke, StrokeKind, Ui, Vec2, pos2,
    vec2,
};

use betwixt_engine::parameter::{Parameter, ParameterKind};

use crate::command::{Command, Commands};
use crate::snapshot::Snapshot;
use crate::theme;

/// Height of a line, in points.
pub const HEIGHT: f32 = 20.0;
const TOGGLE_SIZE: Vec2 = vec2(24.0, 13.0);

/// Shows the line. `colour` is that of what is on or chosen.
pub fn show(
    ui: &mut Ui,
    line: Rect,
    label: &str,
    parameter: Parameter,
    colour: Color32,
    snapshot: &Snapshot,
    commands: &mut Commands,
) {
    let id = ui.scope_id().with(("choice", parameter as usize));
    let response = ui.interact(line, id, Sense::click());
    if response.hovered() {
        ui.painter()
            .rect_filled(line.expand2(vec2(5.0, 0.0)), 4.0, theme::HOVER);
    }
    let name = ui.painter().text(
        line.left_center(),
        Align2::LEFT_CENTER,
        label,
        theme::regular(11.0),
        theme::TEXT_MUTED,
    );
    let view = snapshot.parameter(parameter);
    if parameter.kind() == ParameterKind::Switch {
        let is_on = view.normalized > 0.5;
        let place = pos2(
            line.right() - TOGGLE_SIZE.x,
            line.center().y - TOGGLE_SIZE.y / 2.0,
        );
        paint_toggle(ui, Rect::from_min_size(place, TOGGLE_SIZE), is_on, colour);
        if response.clicked() && !response.double_clicked() {
            choose(parameter, if is_on { 0.0 } else { 1.0 }, commands);
        }
    } else {
        let is_set = view.normalized > 0.0;
        paint_choice(
            ui,
            line,
            name.right(),
            &view.text,
            colour.gamma_multiply(f32::from(is_set)),
        );
        Popup::menu(&response)
            .align(RectAlign::BOTTOM_END)
            .gap(4.0)
            .width(120.0)
            .show(|ui| {
                let last = view.choices.len().saturating_sub(1).max(1) as f32;
                for (index, choice) in view.choices.iter().enumerate() {
                    let text = RichText::new(choice).color(theme::TEXT);
                    if ui.radio(*choice == view.text, text).clicked() {
                        choose(parameter, index as f32 / last, commands);
                        ui.close();
                    }
                }
            });
    }
    if response.double_clicked() {
        commands.push(Command::Reset(parameter));
    }
    response.on_hover_cursor(CursorIcon::PointingHand);
}

/// A gesture of one value.
fn choose(parameter: Parameter, normalized: f32, commands: &mut Commands) {
    commands.extend([
        Command::Begin(parameter),
        Command::Set(parameter, normalized),
        Command::End(parameter),
    ]);
}

fn paint_toggle(ui: &Ui, rect: Rect, is_on: bool, colour: Color32) {
    let painter = ui.painter();
    let radius = rect.height() / 2.0;
    let (fill, line, knob) = if is_on {
        (theme::compose(theme::PANEL, colour, 0.45), colour, Color32::WHITE)
    } else {
        (theme::GROUND, theme::LINE, theme::TEXT_MUTED)
    };
    painter.rect(rect, radius, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let x = if is_on {
        rect.right() - radius
    } else {
        rect.left() + radius
    };
    painter.circle_filled(pos2(x, rect.center().y), radius - 3.0, knob);
}

/// What is chosen, and a dot of `colour` before it where there is room behind the name, which ends at `name_end`.
fn paint_choice(ui: &Ui, line: Rect, name_end: f32, text: &str, colour: Color32) {
    let painter = ui.painter();
    let arrow = line.right_center() - vec2(4.0, 0.0);
    let stroke = Stroke::new(1.2, theme::TEXT_MUTED);
    painter.line_segment([arrow + vec2(-3.5, -1.5), arrow + vec2(0.0, 2.0)], stroke);
    painter.line_segment([arrow + vec2(0.0, 2.0), arrow + vec2(3.5, -1.5)], stroke);
    let text = painter.text(
        arrow - vec2(9.0, 0.0),
        Align2::RIGHT_CENTER,
        text,
        theme::regular(11.0),
        theme::TEXT,
    );
    if text.left() - name_end > 16.0 {
        painter.circle_filled(text.left_center() - vec2(7.0, 0.0), 2.0, colour);
    }
}
