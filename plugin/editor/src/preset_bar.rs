//! The preset's name with the one before, the one after, and the list. Window thread.

use egui::{Align2, Popup, PopupCloseBehavior, Rect, RectAlign, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

use crate::command::{Command, Commands};
use crate::pick_list;
use crate::snapshot::Snapshot;
use crate::theme;

/// The preset that a step leads to, round the end; from a preset that is in no list, the first or the last.
pub fn neighbour(count: usize, present: Option<usize>, is_forward: bool) -> Option<usize> {
    let last = count.checked_sub(1)?;
    Some(match (present, is_forward) {
        (None, true) => 0,
        (None, false) => last,
        (Some(index), true) => {
            if index >= last {
                0
            } else {
                index + 1
            }
        }
        (Some(index), false) => index.checked_sub(1).unwrap_or(last).min(last),
    })
}

/// Shows the bar.
pub fn show(ui: &mut Ui, rect: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    ui.painter().rect(
        rect,
        rect.height() / 2.0,
        theme::GROUND,
        Stroke::new(1.0, theme::LINE),
        StrokeKind::Inside,
    );
    let present = snapshot
        .presets
        .iter()
        .position(|row| *row.name == *snapshot.preset);
    let side = 44.0;
    let arrows = [
        (
            "‹",
            false,
            Rect::from_min_size(rect.min, vec2(side, rect.height())),
        ),
        (
            "›",
            true,
            Rect::from_min_max(pos2(rect.right() - side, rect.top()), rect.max),
        ),
    ];
    for (sign, is_forward, arrow) in arrows {
        let response = ui.interact(arrow, ui.scope_id().with(("preset", is_forward)), Sense::click());
        let to = neighbour(snapshot.presets.len(), present, is_forward);
        let colour = if response.hovered() && to.is_some() {
            theme::TEXT
        } else {
            theme::TEXT_MUTED
        };
        let place = arrow.center() - vec2(0.0, 1.0);
        ui.painter()
            .text(place, Align2::CENTER_CENTER, sign, theme::regular(18.0), colour);
        if response.clicked()
            && let Some(index) = to
        {
            commands.push(Command::LoadPreset(index));
        }
    }

    let middle = Rect::from_min_max(arrows[0].2.right_top(), arrows[1].2.left_bottom());
    let response = ui.interact(middle, ui.scope_id().with("preset_name"), Sense::click());
    let name = if snapshot.preset.is_empty() {
        "Choose a preset"
    } else {
        &*snapshot.preset
    };
    let colour = if snapshot.preset.is_empty() {
        theme::TEXT_MUTED
    } else {
        theme::TEXT
    };
    ui.painter().with_clip_rect(middle).text(
        middle.center(),
        Align2::CENTER_CENTER,
        name,
        theme::medium(13.0),
        colour,
    );
    Popup::from_toggle_button_response(&response)
        .align(RectAlign::BOTTOM)
        .gap(6.0)
        .width(rect.width())
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            let id = ui.scope_id().with("presets");
            if let Some(index) = pick_list::show(ui, id, "Search a preset", &snapshot.presets, present) {
                commands.push(Command::LoadPreset(index));
                ui.close();
            }
        });
    response.on_hover_cursor(egui::CursorIcon::PointingHand);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_round_the_end() {
        assert_eq!(neighbour(3, Some(2), true), Some(0));
        assert_eq!(neighbour(3, Some(0), false), Some(2));
        assert_eq!(neighbour(3, Some(1), true), Some(2));
        assert_eq!(neighbour(3, Some(1), false), Some(0));
    }

    #[test]
    fn a_preset_outside_the_list_leads_to_its_ends() {
        assert_eq!(neighbour(3, None, true), Some(0));
        assert_eq!(neighbour(3, None, false), Some(2));
        assert_eq!(neighbour(0, None, true), None);
        assert_eq!(neighbour(0, Some(4), false), None);
    }
}
