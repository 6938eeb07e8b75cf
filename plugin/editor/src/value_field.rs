//! A parameter's value as text: dragged up and down, typed after a click, reset by a double click. Window thread.
//!
//! The keyboard is taken by a click and given back by Enter, Escape or a click elsewhere.

use egui::{Align2, CursorIcon, Frame, Key, Rect, Sense, TextEdit, Ui, pos2};

use betwixt_engine::parameter::Parameter;

use crate::command::{Command, Commands};
use crate::parameter_drag;
use crate::snapshot::Snapshot;
use crate::theme;

/// Parts of the range that a point of dragging is worth.
const RANGE_PER_POINT: f32 = 1.0 / 200.0;

/// Shows the value in `rect`, centred.
pub fn show(ui: &mut Ui, rect: Rect, parameter: Parameter, snapshot: &Snapshot, commands: &mut Commands) {
    let id = ui.scope_id().with(("value", parameter as usize));
    if let Some(text) = ui.data(|data| data.get_temp::<String>(id)) {
        edit(ui, rect, id, text, parameter, commands);
        return;
    }
    let view = snapshot.parameter(parameter);
    let response = ui.interact(rect, id.with("drag"), Sense::click_and_drag());
    let delta = -response.drag_delta().y * RANGE_PER_POINT;
    parameter_drag::drag(ui, &response, parameter, view.normalized, delta, commands);
    if response.double_clicked() {
        commands.push(Command::Reset(parameter));
    } else if response.clicked() {
        ui.data_mut(|data| data.insert_temp(id, view.text.clone()));
    }
    if response.hovered() || response.dragged() {
        ui.painter().rect_filled(rect, 4.0, theme::HOVER);
    }
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        &view.text,
        theme::regular(11.0),
        theme::TEXT,
    );
    response.on_hover_cursor(CursorIcon::ResizeVertical);
}

fn edit(
    ui: &mut Ui,
    rect: Rect,
    id: egui::Id,
    mut text: String,
    parameter: Parameter,
    commands: &mut Commands,
) {
    ui.painter().rect_filled(rect, 4.0, theme::GROUND);
    let field = TextEdit::singleline(&mut text)
        .id(id.with("text"))
        .frame(Frame::NONE)
        .margin(egui::Margin::ZERO)
        .font(theme::regular(11.0))
        .text_color(theme::TEXT)
        .align(Align2::CENTER_CENTER)
        .desired_width(rect.width())
        .char_limit(32);
    let is_new = id.with("is_new");
    let first_frame = ui.data(|data| data.get_temp::<bool>(is_new).is_none());
    let mut output = ui
        .scope_builder(egui::UiBuilder::new().max_rect(rect), |ui| field.show(ui))
        .inner;
    if first_frame {
        let all = egui::text::CCursorRange::select_all(&output.galley);
        output.state.cursor.set_char_range(Some(all));
        output.state.store(ui.ctx(), output.response.id);
        output.response.request_focus();
        ui.data_mut(|data| data.insert_temp(is_new, false));
    }
    let response = &output.response;
    let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    let is_done = response.double_clicked() || enter || escape || response.lost_focus();
    if !is_done {
        ui.data_mut(|data| data.insert_temp(id, text));
        return;
    }
    if response.double_clicked() {
        commands.push(Command::Reset(parameter));
    } else if !escape {
        commands.push(Command::Type(parameter, text));
    }
    response.surrender_focus();
    ui.data_mut(|data| {
        data.remove::<String>(id);
        data.remove::<bool>(is_new);
    });
}

/// A value with its label on the left, as in the envelope's row.
pub fn show_labelled(
    ui: &mut Ui,
    rect: Rect,
    label: &str,
    parameter: Parameter,
    snapshot: &Snapshot,
    commands: &mut Commands,
) {
    let painter = ui.painter();
    let label_rect = painter.text(
        rect.left_center(),
        Align2::LEFT_CENTER,
        label,
        theme::regular(11.0),
        theme::TEXT_MUTED,
    );
    let left = label_rect.right() + 2.0;
    show(
        ui,
        Rect::from_min_max(pos2(left, rect.top()), rect.max),
        parameter,
        snapshot,
        commands,
    );
}
