//! A parameter under a dragging pointer: what knobs, value fields and envelope handles share. Window thread.
//!
//! Between begin and end the value is kept here, not read back, so that a step or a slow host does not hold the hand up.

use egui::{Response, Ui};

use betwixt_engine::parameter::Parameter;

use crate::command::{Command, Commands};
use crate::pad::FINE_DRAG;

/// Moves `parameter` while `response` is dragged. `delta` is this frame's movement, in parts of the parameter's range.
pub fn drag(
    ui: &Ui,
    response: &Response,
    parameter: Parameter,
    current: f32,
    delta: f32,
    commands: &mut Commands,
) {
    let id = response.id.with(("drag", parameter as usize));
    if response.drag_started() {
        ui.data_mut(|data| data.insert_temp(id, current));
        commands.push(Command::Begin(parameter));
    }
    if let Some(value) = ui.data(|data| data.get_temp::<f32>(id)) {
        if response.dragged() && delta != 0.0 {
            let is_fine = ui.input(|input| input.modifiers.shift);
            let value = value + delta * if is_fine { FINE_DRAG } else { 1.0 };
            // Past an end the hand may go on for a while, but coming back answers at once.
            let value = value.clamp(0.0, 1.0);
            ui.data_mut(|data| data.insert_temp(id, value));
            commands.push(Command::Set(parameter, value));
        }
        if response.drag_stopped() || !response.dragged() {
            ui.data_mut(|data| data.remove::<f32>(id));
            commands.push(Command::End(parameter));
        }
    }
}
