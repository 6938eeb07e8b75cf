//! A list to pick from, with search as one types: the body of the browser, of the corners' lists and of the preset list.
//! Window thread.
//!
//! Arrows move, Enter picks, Escape leaves; a star marks a favourite. Only the rows that are seen are drawn, however many there
//! are. The search is the librarian's: rows come a moment after the letters, and Enter waits for those of its own letters.

use egui::{Align2, Frame, Id, Key, Margin, Rect, ScrollArea, Sense, TextEdit, Ui, pos2, vec2};

use crate::command::{Command, Commands};
use crate::list_query::{Found, ListQuery, ListRow, MOST_ROWS};
use crate::theme;

const ROW_HEIGHT: f32 = 26.0;
/// Rows that a page key moves by.
const PAGE_ROWS: usize = 10;
/// Width of the place of a star, in points.
const STAR_WIDTH: f32 = 26.0;

/// What a row's right click offers.
pub(crate) type RowMenu<'a> = &'a dyn Fn(&mut Ui, &ListRow, &mut Commands);

/// A list to be shown.
pub(crate) struct PickList<'a> {
    /// Names the list among others.
    pub id: Id,
    /// What the empty field says.
    pub hint: &'a str,
    /// What is asked for besides the text.
    pub query: ListQuery,
    /// What the librarian found last.
    pub found: &'a Found,
    /// The name of the row that is in use.
    pub selected: Option<&'a str>,
    /// Height of the rows, in points.
    pub height: f32,
    /// Whether the list is always there and keeps its text, or opens anew and takes the keyboard.
    pub stays: bool,
    /// What a right click on a row offers.
    pub menu: Option<RowMenu<'a>>,
}

/// What is kept from frame to frame.
#[derive(Debug, Clone, Default)]
struct Kept {
    text: String,
    cursor: Option<usize>,
    /// Enter was pressed before the rows of its text were there.
    enters: bool,
    last_frame: u64,
}

impl PickList<'_> {
    /// Shows the field and the rows; tells which row was picked. Asks for other rows where these are not what is wanted.
    pub fn show(self, ui: &mut Ui, commands: &mut Commands) -> Option<ListRow> {
        let mut kept = ui.data(|data| data.get_temp::<Kept>(self.id)).unwrap_or_default();
        let frame = ui.ctx().cumulative_frame_nr();
        // A list that opens anew has forgotten what was typed.
        let is_opened = frame > kept.last_frame + 1 && !self.stays;
        if is_opened {
            kept = Kept::default();
        }
        kept.last_frame = frame;
        let field_id = self.id.with("field");
        let field = self.field(ui, field_id, &mut kept.text);
        if is_opened {
            field.request_focus();
        }
        if field.changed() {
            kept.cursor = None;
        }
        let wanted = ListQuery {
            text: kept.text.clone(),
            ..self.query.clone()
        };
        let is_current = self.found.query == wanted;
        let asked_id = self.id.with("asked");
        let asked = ui.data(|data| data.get_temp::<ListQuery>(asked_id));
        // What lies over a list that stays may be a list of the same kind: one of them asks at a time.
        let is_covered = self.stays && egui::Popup::is_any_open(ui.ctx());
        if !is_covered && !is_current && asked.as_ref() != Some(&wanted) {
            commands.push(Command::Search(wanted.clone()));
        }
        // Once it was answered it may be asked again: another list may have asked for something else in between.
        ui.data_mut(|data| {
            if is_current {
                data.remove::<ListQuery>(asked_id);
            } else {
                data.insert_temp(asked_id, wanted);
            }
        });

        let rows = &self.found.rows;
        let has_keys = field.has_focus() || field.lost_focus();
        let has_moved = has_keys && move_cursor(ui, &mut kept.cursor, rows.len());
        if has_keys && ui.input(|input| input.key_pressed(Key::Enter)) {
            kept.enters = true;
        }
        let mut picked = None;
        if kept.enters && is_current {
            kept.enters = false;
            picked = rows.get(kept.cursor.unwrap_or(0)).cloned();
        }
        ui.add_space(4.0);
        if let Some(index) = self.rows(ui, &kept, has_moved, is_opened, is_current, commands) {
            kept.cursor = Some(index);
            picked = rows.get(index).cloned();
        }
        if self.stays && picked.is_some() {
            // One hears one after another.
            field.request_focus();
        }
        ui.data_mut(|data| data.insert_temp(self.id, kept));
        picked
    }

    fn field(&self, ui: &mut Ui, id: Id, text: &mut String) -> egui::Response {
        TextEdit::singleline(text)
            .id(id)
            .hint_text(self.hint)
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
            .response
            .response
    }

    /// Shows the rows that are seen; tells which was clicked.
    fn rows(
        &self,
        ui: &mut Ui,
        kept: &Kept,
        has_moved: bool,
        is_opened: bool,
        is_current: bool,
        commands: &mut Commands,
    ) -> Option<usize> {
        let rows = &self.found.rows;
        if rows.is_empty() {
            let text = if is_current { "nothing found" } else { "searching" };
            ui.allocate_ui(vec2(ui.available_width(), self.height), |ui| {
                let waits = self.stays || !is_current;
                ui.set_min_height(if waits { self.height } else { ROW_HEIGHT });
                ui.add_space(6.0);
                ui.colored_label(theme::TEXT_MUTED, text);
            });
            return None;
        }
        let mut area = ScrollArea::vertical()
            .id_salt(self.id)
            .max_height(self.height)
            // A popup has the height that it opened with, before the rows were there.
            .min_scrolled_height(self.height)
            .auto_shrink([false, !self.stays]);
        let selected = self
            .selected
            .and_then(|name| rows.iter().position(|row| row.name == name));
        let seen = (self.height / ROW_HEIGHT) as usize;
        if is_opened {
            let first = selected.map_or(0, |row| row.saturating_sub(seen / 2));
            area = area.vertical_scroll_offset(first as f32 * ROW_HEIGHT);
        } else if let Some(cursor) = kept.cursor.filter(|_| has_moved) {
            area = area.vertical_scroll_offset(offset_for(ui, self.id, cursor, self.height));
        }
        let mut clicked = None;
        ui.spacing_mut().item_spacing.y = 0.0;
        let output = area.show_rows(ui, ROW_HEIGHT, rows.len(), |ui, range| {
            for index in range {
                let (rect, response) =
                    ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::click());
                let row = &rows[index];
                let is_lit = kept.cursor == Some(index) || response.hovered();
                paint_row(ui, rect, row, selected == Some(index), is_lit);
                let is_starred = show_star(ui, rect, self.id.with(index), row, is_lit, commands);
                if response.clicked() && !is_starred {
                    clicked = Some(index);
                }
                if let Some(menu) = self.menu {
                    response.context_menu(|ui| menu(ui, row, commands));
                }
                if !row.about.is_empty() {
                    response.on_hover_text(&row.about);
                }
            }
        });
        let offset = output.state.clamped_offset().y;
        ui.data_mut(|data| data.insert_temp(self.id.with("offset"), offset));
        if rows.len() >= MOST_ROWS {
            let text = format!("the first {MOST_ROWS}; a word more finds the others");
            ui.colored_label(theme::TEXT_MUTED, text);
        }
        clicked
    }
}

/// The least scrolling that shows the row of the cursor.
fn offset_for(ui: &Ui, id: Id, cursor: usize, height: f32) -> f32 {
    let now = ui
        .data(|data| data.get_temp::<f32>(id.with("offset")))
        .unwrap_or(0.0);
    let top = cursor as f32 * ROW_HEIGHT;
    now.min(top).max(top + ROW_HEIGHT - height)
}

/// Moves the cursor by the arrow and page keys; true if one was pressed.
fn move_cursor(ui: &Ui, cursor: &mut Option<usize>, rows: usize) -> bool {
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    let steps = [
        (Key::ArrowDown, 1),
        (Key::ArrowUp, -1),
        (Key::PageDown, PAGE_ROWS as isize),
        (Key::PageUp, -(PAGE_ROWS as isize)),
    ];
    let last = rows.saturating_sub(1);
    let mut has_moved = false;
    for (key, step) in steps {
        if pressed(key) {
            *cursor = Some(match *cursor {
                None => 0,
                Some(row) => row.saturating_add_signed(step).min(last),
            });
            has_moved = true;
        }
    }
    *cursor = cursor.map(|row| row.min(last));
    has_moved
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
        rect.right_center() - vec2(STAR_WIDTH + 2.0, 0.0),
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

/// The star of a row, seen where it is set or the row is lit; true if it was clicked.
fn show_star(ui: &Ui, rect: Rect, id: Id, row: &ListRow, is_lit: bool, commands: &mut Commands) -> bool {
    let place = Rect::from_min_max(pos2(rect.right() - STAR_WIDTH, rect.top()), rect.max);
    let response = ui.interact(place, id.with("star"), Sense::click());
    if row.is_favourite || is_lit || response.hovered() {
        let colour = match (row.is_favourite, response.hovered()) {
            (true, _) => theme::WAITING,
            (false, true) => theme::TEXT,
            (false, false) => theme::TEXT_MUTED,
        };
        theme::star(ui.painter(), place.center(), 5.5, row.is_favourite, colour);
    }
    let is_clicked = response.clicked();
    if is_clicked {
        commands.push(Command::SetFavourite(row.id.clone(), !row.is_favourite));
    }
    let hint = if row.is_favourite {
        "No longer a favourite"
    } else {
        "A favourite"
    };
    response.on_hover_text(hint);
    is_clicked
}
