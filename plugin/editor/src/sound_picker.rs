//! The list from which a corner gets its sound. Window thread; shown inside a corner's popup.

use egui::{Align2, Sense, Ui, vec2};

use crate::command::{Command, Commands};
use crate::pick_list;
use crate::snapshot::Snapshot;
use crate::theme;

/// Width of the list, in points.
pub const WIDTH: f32 = 300.0;

/// The letters that the corners go by.
pub const CORNER_NAMES: [&str; 4] = ["A", "B", "C", "D"];

/// Shows the list for the corner 0..4; true when the popup has done its work.
pub fn show(ui: &mut Ui, corner: usize, snapshot: &Snapshot, commands: &mut Commands) -> bool {
    let present = snapshot.corners[corner].as_ref();
    let selected = present.and_then(|sound| snapshot.sounds.iter().position(|row| row.name == sound.name));
    let id = ui.scope_id().with(("sounds", corner));
    let hint = format!("Search a sound for corner {}", CORNER_NAMES[corner]);
    if let Some(index) = pick_list::show(ui, id, &hint, &snapshot.sounds, selected) {
        commands.push(Command::PickSound(corner, Some(index)));
        return true;
    }
    if present.is_none() {
        return false;
    }
    ui.add_space(2.0);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 26.0), Sense::click());
    ui.painter().hline(rect.x_range(), rect.top(), (1.0, theme::LINE));
    let colour = if response.hovered() {
        theme::ACCENT
    } else {
        theme::TEXT_MUTED
    };
    let place = rect.left_center() + vec2(16.0, 1.0);
    ui.painter().text(
        place,
        Align2::LEFT_CENTER,
        "Clear this corner",
        theme::regular(12.0),
        colour,
    );
    if response.clicked() {
        commands.push(Command::PickSound(corner, None));
    }
    response.clicked()
}
