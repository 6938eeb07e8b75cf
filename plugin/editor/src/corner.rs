//! A corner's label: its sound, family, pitch and part of the blend; a click opens the sound picker. Window thread.

use egui::{Align2, Popup, PopupCloseBehavior, Rect, RectAlign, Sense, Ui, vec2};

use crate::command::Commands;
use crate::snapshot::{Snapshot, pitch_name};
use crate::sound_picker;
use crate::theme;

/// Shows the label of the corner 0..4 (A, B on the top, C, D at the bottom).
pub fn show(ui: &mut Ui, rect: Rect, corner: usize, snapshot: &Snapshot, commands: &mut Commands) {
    let is_right = corner % 2 == 1;
    let response = ui.interact(rect, ui.scope_id().with(("corner", corner)), Sense::click());
    let is_open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
    if response.hovered() || is_open {
        ui.painter().rect_filled(rect, 6.0, theme::PANEL);
    }
    paint(ui, rect, corner, is_right, snapshot);

    let align = match corner {
        0 => RectAlign::BOTTOM_START,
        1 => RectAlign::BOTTOM_END,
        2 => RectAlign::TOP_START,
        _ => RectAlign::TOP_END,
    };
    Popup::from_toggle_button_response(&response)
        .align(align)
        .gap(4.0)
        .width(sound_picker::WIDTH)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            if sound_picker::show(ui, corner, snapshot, commands) {
                ui.close();
            }
        });
    let hint = "Click to choose the sound of this corner";
    if !is_open {
        response
            .on_hover_text(hint)
            .on_hover_cursor(egui::CursorIcon::PointingHand);
    }
}

fn paint(ui: &Ui, rect: Rect, corner: usize, is_right: bool, snapshot: &Snapshot) {
    let painter = ui.painter().with_clip_rect(rect);
    let (edge, inwards, align) = if is_right {
        (rect.right_top(), -1.0, Align2::RIGHT_CENTER)
    } else {
        (rect.left_top(), 1.0, Align2::LEFT_CENTER)
    };
    let colour = theme::CORNERS[corner];
    let dot = edge + vec2(6.0 * inwards, 15.0);
    let name_place = edge + vec2(18.0 * inwards, 15.0);
    let detail_place = edge + vec2(18.0 * inwards, 32.0);
    let percent = (snapshot.weights[corner] * 100.0).round();
    if let Some(sound) = &snapshot.corners[corner] {
        painter.circle_filled(dot, 5.0, colour);
        painter.text(
            name_place,
            align,
            &sound.name,
            theme::semi_bold(14.0),
            theme::TEXT,
        );
        let mut parts = vec![pitch_name(sound.pitch), format!("{percent} %")];
        if !sound.family.is_empty() {
            parts.insert(0, sound.family.clone());
        }
        painter.text(
            detail_place,
            align,
            parts.join(" · "),
            theme::regular(11.0),
            theme::TEXT_MUTED,
        );
    } else {
        painter.circle_stroke(dot, 4.5, (1.5, colour));
        painter.text(
            name_place,
            align,
            "Empty",
            theme::semi_bold(14.0),
            theme::TEXT_MUTED,
        );
        painter.text(
            detail_place,
            align,
            "choose a sound",
            theme::regular(11.0),
            theme::TEXT_MUTED,
        );
    }
}
