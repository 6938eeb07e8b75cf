//! The device that models run on: its name and speed, the choice among devices, and why others were refused. Window thread.

use egui::{
    Align2, Popup, PopupCloseBehavior, Rect, RectAlign, RichText, Sense, Stroke, StrokeKind, Ui, vec2,
};

use betwixt_audio::grid::GRID_SIDES;
use betwixt_engine::runtime::provider::DeviceChoice;

use crate::command::{Command, Commands};
use crate::snapshot::{DeviceCondition, DeviceView, Snapshot};
use crate::theme;

/// The choices in the order of the menu, with what each is called.
const CHOICES: [(DeviceChoice, &str); 5] = [
    (DeviceChoice::Auto, "Automatic"),
    (DeviceChoice::Cpu, "CPU"),
    (DeviceChoice::Cuda, "CUDA"),
    (DeviceChoice::CoreMl, "CoreML"),
    (DeviceChoice::DirectMl, "DirectML"),
];

/// Why a device was refused, if it was.
fn refusal<'a>(device: &'a DeviceView, name: &str) -> Option<&'a str> {
    let is_named = |refused: &str| refused.eq_ignore_ascii_case(name);
    device
        .refusals
        .iter()
        .find(|(refused, _)| is_named(refused))
        .map(|(_, why)| why.as_str())
}

/// Shows the pill that opens the menu.
pub fn show(ui: &mut Ui, rect: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    let device = &snapshot.device;
    let response = ui.interact(rect, ui.scope_id().with("device"), Sense::click());
    let fill = if response.hovered() {
        theme::HOVER
    } else {
        theme::GROUND
    };
    let radius = rect.height() / 2.0;
    ui.painter().rect(
        rect,
        radius,
        fill,
        Stroke::new(1.0, theme::LINE),
        StrokeKind::Inside,
    );
    let colour = match device.condition {
        DeviceCondition::Waiting => theme::WAITING,
        DeviceCondition::Ready => theme::GOOD,
        DeviceCondition::Failed => theme::ACCENT,
    };
    ui.painter()
        .circle_filled(rect.left_center() + vec2(16.0, 0.0), 4.0, colour);
    ui.painter().with_clip_rect(rect.shrink(4.0)).text(
        rect.left_center() + vec2(28.0, 0.0),
        Align2::LEFT_CENTER,
        &device.label,
        theme::regular(11.0),
        theme::TEXT,
    );
    let is_open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
    Popup::from_toggle_button_response(&response)
        .align(RectAlign::BOTTOM_END)
        .gap(6.0)
        .width(330.0)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| menu(ui, snapshot, commands));
    if !is_open {
        response
            .on_hover_ui(|ui| facts(ui, device))
            .on_hover_cursor(egui::CursorIcon::PointingHand);
    }
}

fn facts(ui: &mut Ui, device: &DeviceView) {
    ui.label(&device.label);
    for fact in &device.facts {
        ui.label(RichText::new(fact).color(theme::TEXT_MUTED));
    }
    for (name, why) in &device.refusals {
        ui.label(RichText::new(format!("{name} is not used: {why}")).color(theme::TEXT_MUTED));
    }
}

fn menu(ui: &mut Ui, snapshot: &Snapshot, commands: &mut Commands) {
    let device = &snapshot.device;
    ui.label(RichText::new("Models run on").color(theme::TEXT_MUTED));
    for (choice, name) in CHOICES {
        if ui
            .radio(device.choice == choice, RichText::new(name).color(theme::TEXT))
            .clicked()
        {
            commands.push(Command::SetDevice(choice));
            ui.close();
        }
        if let Some(why) = refusal(device, name) {
            ui.indent(name, |ui| {
                ui.label(RichText::new(why).size(10.0).color(theme::TEXT_MUTED))
            });
        }
    }
    ui.separator();
    ui.label(RichText::new("Slow models render ahead on a grid of").color(theme::TEXT_MUTED));
    ui.horizontal(|ui| {
        for side in (GRID_SIDES.0..=GRID_SIDES.1).step_by(2) {
            let text = RichText::new(format!("{side}×{side}")).color(theme::TEXT);
            if ui.radio(snapshot.chosen_grid_side == side, text).clicked() {
                commands.push(Command::SetGrid(side));
            }
        }
    });
    if !device.facts.is_empty() {
        ui.separator();
        for fact in &device.facts {
            ui.label(RichText::new(fact).size(11.0).color(theme::TEXT_MUTED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_by_the_devices_name() {
        let refusals = vec![("CUDA".to_owned(), "no driver".to_owned())];
        let device = DeviceView {
            refusals,
            ..Default::default()
        };
        assert_eq!(refusal(&device, "cuda"), Some("no driver"));
        assert_eq!(refusal(&device, "CoreML"), None);
    }
}
