//! The whole window: what a snapshot looks like, and what the user asks for. Window thread; no side effects but egui's own.

use egui::Ui;

use crate::command::Commands;
use crate::layout::Layout;
use crate::snapshot::Snapshot;
use crate::{corner, embedding_view, envelope_view, error_strip, keyboard, level_panel, pad, theme, top_bar};

/// Shows the window; pushes what the user did.
pub fn show(ui: &mut Ui, snapshot: &Snapshot, commands: &mut Commands) {
    let window = ui.ctx().content_rect();
    let layout = Layout::new(window, !snapshot.problems.is_empty());
    ui.painter().rect_filled(window, 0.0, theme::GROUND);

    pad::show(ui, layout.pad, snapshot, commands);
    for (index, rect) in layout.corners.into_iter().enumerate() {
        corner::show(ui, rect, index, snapshot, commands);
    }
    embedding_view::show(ui, layout.embedding, snapshot);
    envelope_view::show(ui, layout.envelope, snapshot, commands);
    level_panel::show(ui, layout.level, snapshot, commands);
    ui.painter().rect_filled(layout.divider, 0.0, theme::LINE);
    keyboard::show(ui, layout.keyboard, snapshot, commands);
    keyboard::show_footer(ui, layout.footer, snapshot);
    top_bar::show(ui, layout.top_bar, snapshot, commands);
    error_strip::show(ui, layout.error_strip, &snapshot.problems);
}
