//! What a corner's label opens: the list of sounds, files to open, and the pitch of what is there. Window thread.

use egui::{Align2, Key, Rect, Sense, TextEdit, Ui, pos2, vec2};

use crate::command::{Command, Commands};
use crate::file_dialog::Purpose;
use crate::list_query::{Like, ListQuery};
use crate::pick_list::PickList;
use crate::pitch_text;
use crate::snapshot::{CornerView, Snapshot};
use crate::tabs::{self, Tab};
use crate::{browser, theme};

/// Width of the list, in points.
pub const WIDTH: f32 = 320.0;
/// Height of the list's rows, in points.
const ROWS_HEIGHT: f32 = 234.0;
const LINE_HEIGHT: f32 = 26.0;

/// The letters that the corners go by.
pub const CORNER_NAMES: [&str; 4] = ["A", "B", "C", "D"];

/// Shows the list for the corner 0..4; true when the popup has done its work.
pub fn show(ui: &mut Ui, corner: usize, snapshot: &Snapshot, commands: &mut Commands) -> bool {
    let present = snapshot.corners[corner].as_ref();
    let list = PickList {
        id: ui.scope_id().with(("sounds", corner)),
        hint: &format!("Search a sound for corner {}", CORNER_NAMES[corner]),
        query: ListQuery::sounds(),
        found: &snapshot.sounds,
        selected: present.map(|sound| sound.name.as_str()),
        height: ROWS_HEIGHT,
        stays: false,
        menu: None,
    };
    if let Some(row) = list.show(ui, commands) {
        commands.push(Command::PickSound(corner, Some(row.id)));
        return true;
    }
    ui.add_space(2.0);
    let top = ui.cursor().top();
    ui.painter()
        .hline(ui.max_rect().x_range(), top, (1.0, theme::LINE));
    if let Some(sound) = present {
        show_pitch(ui, corner, sound, commands);
    }
    let mut is_done = false;
    if line(
        ui,
        "Open a recording…",
        "WAV, AIFF, FLAC, MP3, OGG, or an SFZ, multisample or DecentSampler instrument",
    ) {
        commands.push(Command::Choose(Purpose::Sounds(corner)));
        is_done = true;
    }
    if line(
        ui,
        "Open a folder…",
        "A folder of recordings: notes of one instrument become one sound, others one each",
    ) {
        commands.push(Command::Choose(Purpose::FolderOfSounds(corner)));
        is_done = true;
    }
    if let Some(sound) = present {
        if line(
            ui,
            "More like this",
            "The sounds of the library that are nearest to this one",
        ) {
            browser::show_like(ui, corner, Like::Corner(corner), &sound.name);
            tabs::select(ui.ctx(), Tab::Sounds);
            is_done = true;
        }
        if line(ui, "Clear this corner", "It can be undone") {
            commands.push(Command::PickSound(corner, None));
            is_done = true;
        }
    }
    is_done
}

/// One thing to do, as a line of a menu; true if it was clicked.
pub fn line(ui: &mut Ui, text: &str, hint: &str) -> bool {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE_HEIGHT), Sense::click());
    let colour = if response.hovered() {
        theme::TEXT
    } else {
        theme::TEXT_MUTED
    };
    if response.hovered() {
        ui.painter().rect_filled(rect, 5.0, theme::HOVER);
    }
    let place = rect.left_center() + vec2(16.0, 0.0);
    ui.painter()
        .text(place, Align2::LEFT_CENTER, text, theme::regular(12.0), colour);
    response.on_hover_text(hint).clicked()
}

/// The pitch of the sound, how sure it is, and where its recording is known a field to correct it in.
fn show_pitch(ui: &mut Ui, corner: usize, sound: &CornerView, commands: &mut Commands) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), LINE_HEIGHT), Sense::hover());
    let label = "Recorded at";
    ui.painter().text(
        rect.left_center() + vec2(16.0, 0.0),
        Align2::LEFT_CENTER,
        label,
        theme::regular(12.0),
        theme::TEXT_MUTED,
    );
    let field = Rect::from_min_max(
        pos2(rect.left() + 96.0, rect.top() + 2.0),
        pos2(rect.left() + 186.0, rect.bottom() - 2.0),
    );
    let text = if sound.is_unpitched {
        "no pitch".to_owned()
    } else {
        pitch_text::text(sound.pitch)
    };
    if sound.is_correctable {
        edit_pitch(ui, field, corner, sound, &text, commands);
    } else {
        ui.painter().text(
            field.left_center() + vec2(6.0, 0.0),
            Align2::LEFT_CENTER,
            &text,
            theme::regular(12.0),
            theme::TEXT,
        );
    }
    let beside = match (sound.confidence, sound.layers) {
        (Some(confidence), _) => format!("{:.0} % sure", confidence * 100.0),
        (None, layers) if layers > 1 => format!("{layers} layers"),
        _ => String::new(),
    };
    ui.painter().text(
        rect.right_center() - vec2(8.0, 0.0),
        Align2::RIGHT_CENTER,
        beside,
        theme::regular(11.0),
        theme::TEXT_MUTED,
    );
}

fn edit_pitch(
    ui: &mut Ui,
    field: Rect,
    corner: usize,
    sound: &CornerView,
    text: &str,
    commands: &mut Commands,
) {
    let id = ui.scope_id().with(("pitch", corner));
    let kept = ui.data(|data| data.get_temp::<String>(id));
    let mut typed = kept.unwrap_or_else(|| text.to_owned());
    let response = ui.put(
        field,
        TextEdit::singleline(&mut typed)
            .id(id.with("field"))
            .font(theme::regular(12.0))
            .text_color(theme::TEXT)
            .char_limit(20),
    );
    if response.has_focus() {
        ui.data_mut(|data| data.insert_temp(id, typed));
    } else if response.lost_focus() {
        ui.data_mut(|data| data.remove::<String>(id));
        if ui.input(|input| input.key_pressed(Key::Enter)) {
            commands.extend(correction(corner, sound, &typed));
        }
    }
    response.on_hover_text(
        "A key with cents, as A4 -7 ct, or a MIDI note number, or no pitch; Enter encodes the recording again",
    );
}

/// What a typed pitch asks for; nothing if it is none, or the one that is there.
fn correction(corner: usize, sound: &CornerView, typed: &str) -> Option<Command> {
    if typed.trim().eq_ignore_ascii_case("no pitch") {
        return (!sound.is_unpitched).then_some(Command::CorrectPitch(corner, None));
    }
    let midi = pitch_text::parse(typed)?;
    let is_same = !sound.is_unpitched && (midi - sound.pitch).abs() < 0.005;
    (!is_same).then_some(Command::CorrectPitch(corner, Some(midi)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pitch_that_is_typed_is_asked_for_unless_it_is_there_already() {
        let sound = CornerView {
            pitch: 60.0,
            ..Default::default()
        };
        let ask = |typed: &str| correction(2, &sound, typed);
        assert_eq!(ask("A4"), Some(Command::CorrectPitch(2, Some(69.0))));
        assert_eq!(ask("no pitch"), Some(Command::CorrectPitch(2, None)));
        assert_eq!(ask("C4"), None);
        assert_eq!(ask("loud"), None);
        let drum = CornerView {
            is_unpitched: true,
            ..sound.clone()
        };
        assert_eq!(correction(0, &drum, "No pitch"), None);
        assert_eq!(
            correction(0, &drum, "C4"),
            Some(Command::CorrectPitch(0, Some(60.0)))
        );
    }
}
