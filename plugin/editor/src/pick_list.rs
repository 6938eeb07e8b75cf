//! A list to pick from, with search as one types: the body of the sound picker and of the preset list. Window thread.
//!
//! Arrows move, Enter picks, Escape leaves; the search field has the keyboard while the list is open.

use egui::{Align2, Frame, Id, Key, Margin, Rect, ScrollArea, Sense, TextEdit, Ui, pos2, vec2};

use crate::snapshot::ListRow;
use crate::theme;

const ROW_HEIGHT: f32 = 26.0;
const MAX_HEIGHT: f32 = 312.0;

/// The rows that have every word of the query, in their order.
pub fn search(rows: &[ListRow], query: &str) -> Vec<usize> {
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let has_all = |row: &ListRow| words.iter().all(|word| row.search.contains(word));
    rows.iter()
        .enumerate()
        .filter(|(_, row)| has_all(row))
        .map(|(index, _)| index)
        .collect()
}

/// Shows the field and the rows; tells which row was picked. `selected` is marked.
pub fn show(ui: &mut Ui, id: Id, hint: &str, rows: &[ListRow], selected: Option<usize>) -> Option<usize> {
    let (query_id, cursor_id) = (id.with("query"), id.with("cursor"));
    // What was typed is forgotten when the list was closed in between.
    let frame = ui.ctx().cumulative_frame_nr();
    let last_shown = ui.data(|data| data.get_temp::<u64>(id)).unwrap_or(0);
    let is_opened = frame > last_shown + 1;
    ui.data_mut(|data| data.insert_temp(id, frame));

    let (mut query, mut cursor) = if is_opened {
        (String::new(), None)
    } else {
        ui.data(|data| {
            (
                data.get_temp::<String>(query_id).unwrap_or_default(),
                data.get_temp::<Option<usize>>(cursor_id).flatten(),
            )
        })
    };
    let field = TextEdit::singleline(&mut query)
        .id(id.with("field"))
        .hint_text(hint)
        .frame(
            Frame::NONE
                .fill(theme::GROUND)
                .corner_radius(6)
                .stroke(egui::Stroke::new(1.0, theme::LINE))
                .inner_margin(Margin::symmetric(10, 6)),
        )
        .font(theme::regular(12.0))
        .desired_width(ui.available_width())
        .char_limit(64)
        .show(ui)
        .response;
    if is_opened {
        field.request_focus();
    }
    if field.changed() {
        cursor = None;
    }

    let found = search(rows, &query);
    let (down, up, enter) = ui.input(|input| {
        (
            input.key_pressed(Key::ArrowDown),
            input.key_pressed(Key::ArrowUp),
            input.key_pressed(Key::Enter),
        )
    });
    let last = found.len().saturating_sub(1);
    let has_moved = down || up;
    cursor = match (cursor, down, up) {
        (None, true, _) => Some(0),
        (Some(row), true, _) => Some((row + 1).min(last)),
        (Some(row), _, true) => Some(row.saturating_sub(1)),
        (cursor, ..) => cursor.map(|row| row.min(last)),
    };
    let mut picked = None;
    if enter {
        picked = found.get(cursor.unwrap_or(0)).copied();
    }

    ui.add_space(4.0);
    ScrollArea::vertical()
        .id_salt(id)
        .max_height(MAX_HEIGHT)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            if found.is_empty() {
                let text = if rows.is_empty() {
                    "nothing to pick from"
                } else {
                    "nothing found"
                };
                ui.add_space(6.0);
                ui.colored_label(theme::TEXT_MUTED, text);
            }
            for (place, &index) in found.iter().enumerate() {
                let (rect, response) =
                    ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::click());
                let is_cursor = cursor == Some(place);
                if is_cursor && has_moved {
                    ui.scroll_to_rect(rect, None);
                }
                if is_opened && selected == Some(index) {
                    ui.scroll_to_rect(rect, Some(egui::Align::Center));
                }
                paint_row(
                    ui,
                    rect,
                    &rows[index],
                    selected == Some(index),
                    is_cursor || response.hovered(),
                );
                if response.clicked() {
                    picked = Some(index);
                }
            }
        });
    ui.data_mut(|data| {
        data.insert_temp(query_id, query);
        data.insert_temp(cursor_id, cursor);
    });
    picked
}

fn paint_row(ui: &Ui, rect: Rect, row: &ListRow, is_selected: bool, is_lit: bool) {
    let painter = ui.painter();
    if is_lit {
        painter.rect_filled(rect, 5.0, theme::HOVER);
    }
    if is_selected {
        painter.circle_filled(rect.left_center() + vec2(7.0, 0.0), 2.5, theme::GOOD);
    }
    let detail = painter.text(
        rect.right_center() - vec2(8.0, 0.0),
        Align2::RIGHT_CENTER,
        &row.detail,
        theme::regular(11.0),
        theme::TEXT_MUTED,
    );
    let clip = Rect::from_min_max(rect.min, pos2(detail.left() - 6.0, rect.bottom()));
    painter.with_clip_rect(clip.intersect(ui.clip_rect())).text(
        rect.left_center() + vec2(16.0, 0.0),
        Align2::LEFT_CENTER,
        &row.name,
        theme::medium(12.0),
        theme::TEXT,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<ListRow> {
        [
            ("Upright Bass", "acoustic"),
            ("Flute", "wind"),
            ("Bass Flute", "wind"),
            ("Glockenspiel", "mallet"),
        ]
        .map(|(name, detail)| ListRow {
            name: name.into(),
            detail: detail.into(),
            search: format!("{name} {detail}").to_lowercase(),
        })
        .into()
    }

    #[test]
    fn an_empty_query_finds_all_in_order() {
        assert_eq!(search(&rows(), "  "), [0, 1, 2, 3]);
    }

    #[test]
    fn every_word_must_be_found_in_any_order_and_case() {
        assert_eq!(search(&rows(), "bass"), [0, 2]);
        assert_eq!(search(&rows(), "FLUTE ba"), [2]);
        assert_eq!(search(&rows(), "wind"), [1, 2]);
        assert!(search(&rows(), "tuba").is_empty());
    }
}
