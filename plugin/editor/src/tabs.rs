//! The tabs over the right half of the window: play, sounds, pack. Window thread.

use egui::{Align2, Context, Id, Rect, Sense, Ui, pos2, vec2};

use crate::theme;

/// What the right half shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Embedding, movement, envelope, level.
    #[default]
    Play,
    /// The library of sounds.
    Sounds,
    /// Packs.
    Pack,
}

const TABS: [(Tab, &str, &str); 3] = [
    (Tab::Play, "Play", "How the blend sounds"),
    (Tab::Sounds, "Sounds", "All sounds, to search and to pick from"),
    (Tab::Pack, "Pack", "The blend as samples for other instruments"),
];

fn id() -> Id {
    Id::unique("tab")
}

/// The tab that is shown.
pub fn selected(context: &Context) -> Tab {
    context.data(|data| data.get_temp(id())).unwrap_or_default()
}

/// Shows another tab from the next frame on.
pub fn select(context: &Context, tab: Tab) {
    context.data_mut(|data| data.insert_temp(id(), tab));
}

/// Shows the tabs; tells which is selected.
pub fn show(ui: &mut Ui, rect: Rect) -> Tab {
    let mut left = rect.left() + 8.0;
    for (tab, name, hint) in TABS {
        let is_selected = selected(ui.ctx()) == tab;
        let colour = if is_selected {
            theme::TEXT
        } else {
            theme::TEXT_MUTED
        };
        let font = if is_selected {
            theme::semi_bold(14.0)
        } else {
            theme::regular(14.0)
        };
        let galley = ui.painter().layout_no_wrap(name.to_owned(), font, colour);
        let width = galley.size().x;
        let place = Rect::from_min_max(
            pos2(left - 8.0, rect.top()),
            pos2(left + width + 20.0, rect.bottom()),
        );
        let response = ui.interact(place, ui.scope_id().with(("tab", name)), Sense::click());
        let text = pos2(left, rect.center().y - 0.5 * galley.size().y - 4.0);
        let lit = if response.hovered() { theme::TEXT } else { colour };
        ui.painter().galley_with_override_text_color(text, galley, lit);
        if is_selected {
            let line = Rect::from_min_size(pos2(left, rect.bottom() - 12.0), vec2(width.max(30.0), 3.0));
            ui.painter().rect_filled(line, 1.5, theme::ACCENT);
        }
        if response.clicked() {
            select(ui.ctx(), tab);
        }
        response
            .on_hover_text(hint)
            .on_hover_cursor(egui::CursorIcon::PointingHand);
        left += width.max(48.0) + 36.0;
    }
    selected(ui.ctx())
}

/// Paints a note at the right end of the tabs.
pub fn note(ui: &Ui, rect: Rect, text: &str) {
    ui.painter().with_clip_rect(rect).text(
        pos2(rect.right(), rect.center().y - 4.0),
        Align2::RIGHT_CENTER,
        text,
        theme::regular(11.0),
        theme::TEXT_MUTED,
    );
}
