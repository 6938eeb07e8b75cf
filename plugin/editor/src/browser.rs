//! The library of sounds: search as you type, filters, favourites, what is like a sound, the user's folders. Window thread.
//!
//! A click or Enter puts a sound into the corner that is chosen above the list; the list stays, so that one hears one after
//! another. What is shown is kept while the window is open.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Id, PopupCloseBehavior, Rect, RichText, Ui, UiBuilder, vec2};

use betwixt_engine::library::entry::Filter;
use betwixt_engine::library::entry::Origin;
use betwixt_engine::quality::{Qualities, Quality};

use crate::command::{Command, Commands};
use crate::file_dialog::Purpose;
use crate::list_query::{Like, ListQuery, ListRow};
use crate::pick_list::PickList;
use crate::snapshot::Snapshot;
use crate::sound_picker::CORNER_NAMES;
use crate::theme;

/// Room that the rows leave for what stands over and under them, in points.
const ROOM_AROUND_ROWS: f32 = 150.0;

/// What the browser shows, from frame to frame.
#[derive(Debug, Clone, Default)]
struct Shown {
    corner: usize,
    family: Option<String>,
    qualities: Vec<Quality>,
    favourites: bool,
    used: bool,
    own: bool,
    like: Option<(Like, String)>,
}

impl Shown {
    fn query(&self) -> ListQuery {
        ListQuery {
            filter: Filter {
                family: self.family.clone(),
                qualities: self.qualities.iter().copied().collect::<Qualities>(),
                is_favourite: self.favourites,
                is_used: self.used,
                origin: self.own.then_some(Origin::User),
                ..Filter::sounds()
            },
            like: self.like.clone(),
            ..ListQuery::sounds()
        }
    }
}

fn id() -> Id {
    Id::unique("browser")
}

/// Shows what is like a sound, for a corner, from the next frame on.
pub fn show_like(ui: &Ui, corner: usize, like: Like, name: &str) {
    ui.data_mut(|data| {
        let shown = data.get_temp_mut_or_default::<Shown>(id());
        *shown = Shown {
            corner,
            like: Some((like, name.to_owned())),
            ..Shown::default()
        };
    });
}

/// Shows the browser.
pub fn show(ui: &mut Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    ui.painter().rect_filled(panel, theme::PANEL_RADIUS, theme::PANEL);
    let mut shown: Shown = ui.data(|data| data.get_temp(id())).unwrap_or_default();
    let inner = panel.shrink2(vec2(14.0, 12.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        ui.set_clip_rect(panel);
        ui.horizontal(|ui| show_corners(ui, &mut shown, snapshot));
        ui.add_space(2.0);
        ui.horizontal(|ui| show_filters(ui, &mut shown, snapshot));
        // Kept before the list, whose rows may ask for something else to be shown.
        ui.data_mut(|data| data.insert_temp(id(), shown.clone()));
        ui.add_space(4.0);
        show_list(ui, panel, &shown, snapshot, commands);
        ui.add_space(4.0);
        ui.horizontal(|ui| show_folders(ui, &shown, snapshot, commands));
    });
}

fn show_corners(ui: &mut Ui, shown: &mut Shown, snapshot: &Snapshot) {
    ui.label(RichText::new("Into corner").size(12.0).color(theme::TEXT_MUTED));
    for (corner, name) in CORNER_NAMES.into_iter().enumerate() {
        let is_chosen = shown.corner == corner;
        let colour = theme::CORNERS[corner];
        let text = RichText::new(name)
            .size(12.0)
            .color(if is_chosen { theme::GROUND } else { colour });
        let fill = if is_chosen { colour } else { theme::GROUND };
        let button = egui::Button::new(text)
            .fill(fill)
            .stroke((1.0, colour))
            .corner_radius(10)
            .min_size(vec2(28.0, 20.0));
        let present = snapshot.corners[corner].as_ref();
        let hint = present.map_or("empty", |sound| sound.name.as_str());
        if ui.add(button).on_hover_text(hint).clicked() {
            shown.corner = corner;
        }
    }
    if let Some(sound) = &snapshot.corners[shown.corner] {
        ui.label(RichText::new(&sound.name).size(12.0).color(theme::TEXT));
        let hint = "The sounds of the library that are nearest to this one";
        if theme::chip(ui, "more like this", false)
            .on_hover_text(hint)
            .clicked()
        {
            shown.like = Some((Like::Corner(shown.corner), sound.name.clone()));
        }
    }
}

fn show_filters(ui: &mut Ui, shown: &mut Shown, snapshot: &Snapshot) {
    if let Some((_, name)) = &shown.like {
        let text = format!("like {name}  ×");
        if theme::chip(ui, &text, true)
            .on_hover_text("All sounds again")
            .clicked()
        {
            shown.like = None;
        }
    }
    for (text, hint, is_on) in [
        ("favourites", "Those with a star alone", &mut shown.favourites),
        ("recent", "What was used of late, the last first", &mut shown.used),
        ("yours", "Your own alone", &mut shown.own),
    ] {
        if theme::chip(ui, text, *is_on).on_hover_text(hint).clicked() {
            *is_on = !*is_on;
        }
    }
    let family = shown.family.clone().unwrap_or_else(|| "all families".into());
    ui.menu_button(RichText::new(family).size(11.0), |ui| {
        if ui.radio(shown.family.is_none(), "all families").clicked() {
            shown.family = None;
        }
        for (name, count) in snapshot.library.families.iter() {
            let is_chosen = shown.family.as_ref() == Some(name);
            let label = if name.is_empty() { "no family" } else { name };
            if ui.radio(is_chosen, format!("{label}  {count}")).clicked() {
                shown.family = Some(name.clone());
            }
        }
    });
    let qualities = match &shown.qualities[..] {
        [] => "all qualities".to_owned(),
        [one] => one.label().to_owned(),
        [one, others @ ..] => format!("{} +{}", one.label(), others.len()),
    };
    // Several are chosen in a row.
    let stays = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let menu = MenuButton::new(RichText::new(qualities).size(11.0)).config(stays);
    menu.ui(ui, |ui| {
        for quality in Quality::ALL {
            let mut is_on = shown.qualities.contains(&quality);
            if ui.checkbox(&mut is_on, quality.label()).changed() {
                shown.qualities.retain(|chosen| *chosen != quality);
                if is_on {
                    shown.qualities.push(quality);
                }
            }
        }
    });
}

fn show_list(ui: &mut Ui, panel: Rect, shown: &Shown, snapshot: &Snapshot, commands: &mut Commands) {
    let present = snapshot.corners[shown.corner].as_ref();
    let list = PickList {
        id: id().with("list"),
        hint: "Search by name, family, tag or author",
        query: shown.query(),
        found: &snapshot.sounds,
        selected: present.map(|sound| sound.name.as_str()),
        height: (panel.height() - ROOM_AROUND_ROWS).max(52.0),
        stays: true,
        menu: Some(&row_menu),
    };
    if let Some(row) = list.show(ui, commands) {
        commands.push(Command::PickSound(shown.corner, Some(row.id)));
    }
}

/// What a right click on a sound offers.
fn row_menu(ui: &mut Ui, row: &ListRow, commands: &mut Commands) {
    for (corner, name) in CORNER_NAMES.into_iter().enumerate() {
        if ui.button(format!("Into corner {name}")).clicked() {
            commands.push(Command::PickSound(corner, Some(row.id.clone())));
            ui.close();
        }
    }
    ui.separator();
    if ui.button("More like this").clicked() {
        let corner = ui
            .data(|data| data.get_temp::<Shown>(id()))
            .unwrap_or_default()
            .corner;
        show_like(ui, corner, Like::Entry(row.id.clone()), &row.name);
        ui.close();
    }
    if ui.button("Show the file").clicked() {
        commands.push(Command::Reveal(row.file.clone()));
        ui.close();
    }
}

fn show_folders(ui: &mut Ui, shown: &Shown, snapshot: &Snapshot, commands: &mut Commands) {
    let library = &snapshot.library;
    if theme::button(ui, "Open a recording…", true)
        .on_hover_text("Recordings and instruments become sounds of your own")
        .clicked()
    {
        commands.push(Command::Choose(Purpose::Sounds(shown.corner)));
    }
    ui.menu_button(RichText::new("Folders").size(12.0), |ui| {
        ui.set_min_width(240.0);
        if library.folders.is_empty() {
            ui.colored_label(theme::TEXT_MUTED, "The factory's and your own alone");
        }
        for folder in library.folders.iter() {
            ui.horizontal(|ui| {
                if theme::chip(ui, "×", false)
                    .on_hover_text("Leave it out of the list; its files stay")
                    .clicked()
                {
                    commands.push(Command::RemoveFolder(folder.clone()));
                }
                ui.label(folder.display().to_string());
            });
        }
        ui.separator();
        if ui.button("Add a folder of sounds and presets…").clicked() {
            commands.push(Command::Choose(Purpose::Library));
            ui.close();
        }
        if ui.button("Look for what is new").clicked() {
            commands.push(Command::Rescan);
            ui.close();
        }
    });
    let text = match library.scan {
        Some((_, 0)) => "looking through the folders".to_owned(),
        Some((done, total)) => format!("looking through the folders · {done} of {total}"),
        None if snapshot.sounds.rows.len() == 1 => "1 sound".to_owned(),
        None => format!("{} sounds", snapshot.sounds.rows.len()),
    };
    let label = ui.label(RichText::new(text).size(11.0).color(theme::TEXT_MUTED));
    if let Some(note) = &library.note {
        label.on_hover_text(note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_hold_together() {
        let shown = Shown {
            family: Some("flute".into()),
            favourites: true,
            own: true,
            ..Shown::default()
        };
        let query = shown.query();
        assert_eq!(query.filter.family.as_deref(), Some("flute"));
        assert_eq!(query.filter.origin, Some(Origin::User));
        assert!(query.filter.is_favourite && !query.filter.is_used);
        assert_eq!(query.filter.kind, Filter::sounds().kind);
        assert_eq!(Shown::default().query(), ListQuery::sounds());
    }
}
