//! The preset's name with the one before, the one after, the list, and what can be done with presets. Window thread.
//!
//! A dot before the name says that the instrument is other than the preset.

use egui::{
    Align2, Key, Popup, PopupCloseBehavior, Rect, RectAlign, RichText, Sense, Stroke, StrokeKind, TextEdit,
    Ui, pos2, vec2,
};

use betwixt_engine::library::entry::Filter;
use betwixt_engine::library::entry::Origin;

use crate::command::{Command, Commands};
use crate::list_query::ListQuery;
use crate::pick_list::PickList;
use crate::snapshot::{PresetView, Snapshot};
use crate::theme;

/// Width of the list at least, in points.
const LEAST_LIST_WIDTH: f32 = 330.0;
/// Height of the list's rows, in points.
const ROWS_HEIGHT: f32 = 286.0;
/// Width of the places of the arrows, in points.
const ARROW_WIDTH: f32 = 36.0;

/// A name that is being typed.
#[derive(Debug, Clone, Default)]
struct Naming {
    text: String,
    /// For the present preset; otherwise for a new one.
    is_rename: bool,
    /// It was entered, and the answer is awaited.
    is_sent: bool,
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
    let size = vec2(ARROW_WIDTH, rect.height());
    let before = Rect::from_min_size(rect.min, size);
    let after = Rect::from_min_size(pos2(rect.right() - size.x, rect.top()), size);
    for (sign, is_back, arrow, hint) in [
        ("‹", true, before, "The preset before"),
        ("›", false, after, "The preset after"),
    ] {
        let response = ui.interact(arrow, ui.scope_id().with(("preset", is_back)), Sense::click());
        let colour = lit(&response);
        let place = arrow.center() - vec2(0.0, 1.0);
        ui.painter()
            .text(place, Align2::CENTER_CENTER, sign, theme::regular(18.0), colour);
        if response.clicked() {
            commands.push(Command::StepPreset { is_back });
        }
        response.on_hover_text(hint);
    }
    let preset = &snapshot.preset;
    let star = Rect::from_min_size(pos2(after.left() - 24.0, rect.top()), vec2(24.0, rect.height()));
    show_star(ui, star, preset, commands);
    let middle = Rect::from_min_max(before.right_top(), star.left_bottom());
    show_name(ui, middle, rect.width(), snapshot, commands);
}

fn lit(response: &egui::Response) -> egui::Color32 {
    if response.hovered() {
        theme::TEXT
    } else {
        theme::TEXT_MUTED
    }
}

fn show_star(ui: &Ui, place: Rect, preset: &PresetView, commands: &mut Commands) {
    let Some(id) = &preset.id else { return };
    let response = ui.interact(place, ui.scope_id().with("preset_star"), Sense::click());
    let colour = if preset.is_favourite {
        theme::WAITING
    } else {
        lit(&response)
    };
    theme::star(ui.painter(), place.center(), 6.0, preset.is_favourite, colour);
    if response.clicked() {
        commands.push(Command::SetFavourite(id.clone(), !preset.is_favourite));
    }
    let hint = if preset.is_favourite {
        "No longer a favourite"
    } else {
        "A favourite"
    };
    response.on_hover_text(hint);
}

fn show_name(ui: &mut Ui, middle: Rect, width: f32, snapshot: &Snapshot, commands: &mut Commands) {
    let preset = &snapshot.preset;
    let response = ui.interact(middle, ui.scope_id().with("preset_name"), Sense::click());
    let (name, colour) = if preset.name.is_empty() {
        ("Choose a preset", theme::TEXT_MUTED)
    } else {
        (&*preset.name, theme::TEXT)
    };
    let painter = ui.painter().with_clip_rect(middle);
    let text = painter.text(
        middle.center(),
        Align2::CENTER_CENTER,
        name,
        theme::medium(13.0),
        colour,
    );
    if preset.is_changed {
        let dot = pos2(text.left().max(middle.left() + 12.0) - 9.0, middle.center().y);
        painter.circle_filled(dot, 3.0, theme::ACCENT);
    }
    let is_open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
    Popup::from_toggle_button_response(&response)
        .align(RectAlign::BOTTOM)
        .gap(6.0)
        .width(width.max(LEAST_LIST_WIDTH))
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            if show_popup(ui, snapshot, commands) {
                ui.close();
            }
        });
    if !is_open {
        let hint = if preset.is_changed {
            "Changed since it was loaded; click for the presets, to save and to make new ones"
        } else {
            "Click for the presets, to save and to make new ones"
        };
        response
            .on_hover_text(hint)
            .on_hover_cursor(egui::CursorIcon::PointingHand);
    }
}

/// Shows the list and what can be done; true when the popup has done its work.
fn show_popup(ui: &mut Ui, snapshot: &Snapshot, commands: &mut Commands) -> bool {
    let naming_id = ui.scope_id().with("naming");
    let mut is_done = false;
    if let Some(naming) = ui.data(|data| data.get_temp::<Naming>(naming_id)) {
        let goes_on = show_naming(ui, naming, &snapshot.preset, commands);
        is_done = goes_on.is_none();
        ui.data_mut(|data| match goes_on {
            Some(naming) => {
                data.insert_temp(naming_id, naming);
            }
            None => data.remove::<Naming>(naming_id),
        });
        return is_done;
    }
    let filter_id = ui.scope_id().with("filter");
    let (mut favourites, mut used, mut own) = ui
        .data(|data| data.get_temp::<(bool, bool, bool)>(filter_id))
        .unwrap_or_default();
    ui.horizontal_wrapped(|ui| is_done |= show_actions(ui, naming_id, &snapshot.preset, commands));
    ui.horizontal(|ui| {
        for (text, hint, is_on) in [
            ("favourites", "Those with a star alone", &mut favourites),
            ("recent", "What was used of late, the last first", &mut used),
            ("yours", "Your own alone", &mut own),
        ] {
            if theme::chip(ui, text, *is_on).on_hover_text(hint).clicked() {
                *is_on = !*is_on;
            }
        }
    });
    ui.data_mut(|data| data.insert_temp(filter_id, (favourites, used, own)));
    let list = PickList {
        id: ui.scope_id().with("presets"),
        hint: "Search a preset",
        query: ListQuery {
            filter: Filter {
                is_favourite: favourites,
                is_used: used,
                origin: own.then_some(Origin::User),
                ..Filter::presets()
            },
            ..ListQuery::presets()
        },
        found: &snapshot.presets,
        selected: Some(&*snapshot.preset.name),
        height: ROWS_HEIGHT,
        stays: false,
        menu: None,
    };
    if let Some(row) = list.show(ui, commands) {
        commands.push(Command::LoadPreset(row.id));
        is_done = true;
    }
    is_done
}

/// The buttons over the list; true when the popup has done its work.
fn show_actions(ui: &mut Ui, naming_id: egui::Id, preset: &PresetView, commands: &mut Commands) -> bool {
    let mut act = |ui: &mut Ui, text: &str, is_enabled: bool, hint: &str, command: Command| {
        let is_clicked = theme::button(ui, text, is_enabled).on_hover_text(hint).clicked();
        if is_clicked {
            commands.push(command);
        }
        is_clicked
    };
    let save = Command::SavePreset {
        name: preset.name.to_string(),
        replace: true,
    };
    let mut is_done = act(
        ui,
        "Save",
        preset.is_user && preset.is_changed,
        "Over your preset of this name",
        save,
    );
    let begin = |ui: &mut Ui, text: &str, is_enabled: bool, hint: &str, is_rename: bool| {
        if theme::button(ui, text, is_enabled).on_hover_text(hint).clicked() {
            let naming = Naming {
                text: preset.name.to_string(),
                is_rename,
                is_sent: false,
            };
            ui.data_mut(|data| data.insert_temp(naming_id, naming));
        }
    };
    begin(ui, "Save as…", true, "A new preset of your own", false);
    begin(ui, "Rename…", preset.is_user, "Presets of your own", true);
    is_done |= act(
        ui,
        "Delete",
        preset.is_user,
        "It can be undone",
        Command::DeletePreset,
    );
    is_done |= act(
        ui,
        "Init",
        true,
        "The preset that new instances have",
        Command::InitPreset,
    );
    let hint = "A preset that nobody made; what you have can be brought back";
    is_done |= act(ui, "Random", true, hint, Command::RandomPreset);
    if let Some(name) = &preset.deleted {
        let text = format!("Bring back {name}");
        is_done |= act(ui, &text, true, "It was deleted", Command::RestorePreset);
    }
    is_done
}

/// Shows the field for a name; none once there is nothing more to type.
fn show_naming(
    ui: &mut Ui,
    mut naming: Naming,
    preset: &PresetView,
    commands: &mut Commands,
) -> Option<Naming> {
    let title = if naming.is_rename {
        "Another name for the preset"
    } else {
        "Save as a preset of your own"
    };
    ui.label(RichText::new(title).size(12.0).color(theme::TEXT_MUTED));
    let id = ui.scope_id().with("name");
    let field = ui.add(
        TextEdit::singleline(&mut naming.text)
            .id(id)
            .font(theme::regular(13.0))
            .desired_width(f32::INFINITY)
            .char_limit(64),
    );
    if !field.has_focus() && !field.lost_focus() {
        field.request_focus();
    }
    if field.changed() {
        naming.is_sent = false;
    }
    let name = naming.text.trim().to_owned();
    if naming.is_sent && *preset.name == *name && (naming.is_rename || !preset.is_changed) {
        return None;
    }
    let taken = preset
        .taken_name
        .as_ref()
        .filter(|taken| **taken == name && naming.is_sent);
    if taken.is_some() {
        let text = format!("There is a preset of yours named {name}.");
        ui.label(RichText::new(text).size(12.0).color(theme::TEXT));
    }
    let mut is_cancelled = ui.input(|input| input.key_pressed(Key::Escape));
    ui.horizontal(|ui| {
        let verb = match (taken.is_some(), naming.is_rename) {
            (true, _) => "Replace it",
            (false, true) => "Rename",
            (false, false) => "Save",
        };
        let is_enabled = !name.is_empty();
        let has_entered =
            taken.is_none() && field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let is_clicked = theme::button(ui, verb, is_enabled).clicked();
        if is_enabled && (is_clicked || has_entered) {
            naming.is_sent = true;
            commands.push(if naming.is_rename {
                Command::RenamePreset(name.clone())
            } else {
                Command::SavePreset {
                    name: name.clone(),
                    replace: taken.is_some(),
                }
            });
        }
        is_cancelled |= theme::button(ui, "Cancel", true).clicked();
    });
    (!is_cancelled).then_some(naming)
}
