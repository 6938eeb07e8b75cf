//! The keyboard: 88 keys that show what is held and rendered, and are played by mouse. Window thread.

use egui::{Align2, Color32, CornerRadius, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

use crate::command::{Command, Commands};
use crate::pitch_text::key_name;
use crate::snapshot::Snapshot;
use crate::theme;

/// The lowest key, A0.
pub const FIRST_KEY: u8 = 21;
/// The highest key, C8.
pub const LAST_KEY: u8 = 108;
const WHITE_KEYS: usize = 52;
/// Width of a black key in white keys.
const BLACK_WIDTH: f32 = 0.62;
/// Height of a black key in white keys.
const BLACK_HEIGHT: f32 = 0.6;
/// Velocity of a key that is struck at its upper end.
const SOFTEST: f32 = 0.3;

/// Whether a key is a black one.
fn is_black(key: u8) -> bool {
    matches!(key % 12, 1 | 3 | 6 | 8 | 10)
}

/// White keys from the left end to the left edge of a white key, or to the middle of a black one.
fn white_keys_before(key: u8) -> usize {
    (FIRST_KEY..key).filter(|&key| !is_black(key)).count()
}

/// Where a key stands.
pub fn key_rect(keyboard: Rect, key: u8) -> Rect {
    let pitch = keyboard.width() / WHITE_KEYS as f32;
    let left = keyboard.left() + pitch * white_keys_before(key) as f32;
    if is_black(key) {
        let width = pitch * BLACK_WIDTH;
        Rect::from_min_size(
            pos2(left - width / 2.0, keyboard.top()),
            vec2(width, keyboard.height() * BLACK_HEIGHT),
        )
    } else {
        Rect::from_min_size(pos2(left, keyboard.top()), vec2(pitch - 1.0, keyboard.height()))
    }
}

/// The key at a place; black keys lie over white ones.
pub fn key_at(keyboard: Rect, place: Pos2) -> Option<u8> {
    if !keyboard.contains(place) {
        return None;
    }
    let black = (FIRST_KEY..=LAST_KEY).find(|&key| is_black(key) && key_rect(keyboard, key).contains(place));
    black.or_else(|| {
        let pitch = keyboard.width() / WHITE_KEYS as f32;
        let white = ((place.x - keyboard.left()) / pitch) as usize;
        let mut whites = (FIRST_KEY..=LAST_KEY).filter(|&key| !is_black(key));
        whites.nth(white.min(WHITE_KEYS - 1))
    })
}

/// How hard a key is struck: the nearer to its lower end, the harder.
pub fn velocity_at(key: Rect, place: Pos2) -> f32 {
    let part = ((place.y - key.top()) / key.height()).clamp(0.0, 1.0);
    SOFTEST + (1.0 - SOFTEST) * part
}

/// How many of the keyboard's keys are in a set of MIDI notes.
pub fn count(keys: u128) -> u32 {
    let all = (1_u128 << (LAST_KEY + 1)) - (1_u128 << FIRST_KEY);
    (keys & all).count_ones()
}

/// Shows the keys and plays those under the mouse; sliding from key to key is a glissando.
pub fn show(ui: &mut Ui, keyboard: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    let response = ui.interact(keyboard, ui.scope_id().with("keyboard"), Sense::click_and_drag());
    let played = response.id.with("played");
    let before = ui.data(|data| data.get_temp::<Option<u8>>(played)).flatten();
    let is_down = response.is_pointer_button_down_on() && ui.input(|input| input.pointer.primary_down());
    let place = ui.input(|input| input.pointer.latest_pos()).filter(|_| is_down);
    let now = place.and_then(|place| key_at(keyboard, place));
    if now != before {
        if let Some(key) = before {
            commands.push(Command::Release(key));
        }
        if let (Some(key), Some(place)) = (now, place) {
            commands.push(Command::Press(key, velocity_at(key_rect(keyboard, key), place)));
        }
        ui.data_mut(|data| data.insert_temp(played, now));
    } else if now.is_none()
        && response.clicked()
        && let Some(place) = response.interact_pointer_pos()
        && let Some(key) = key_at(keyboard, place)
    {
        // Pressed and released between two frames.
        let velocity = velocity_at(key_rect(keyboard, key), place);
        commands.extend([Command::Press(key, velocity), Command::Release(key)]);
    }
    paint(ui, keyboard, snapshot, now);
}

fn paint(ui: &Ui, keyboard: Rect, snapshot: &Snapshot, played: Option<u8>) {
    let painter = ui.painter();
    let is_in = |keys: u128, key: u8| keys & (1 << key) != 0;
    let (white, black): (Vec<u8>, Vec<u8>) = (FIRST_KEY..=LAST_KEY).partition(|&key| !is_black(key));
    for key in white.into_iter().chain(black) {
        let rect = key_rect(keyboard, key);
        let is_held = is_in(snapshot.held_keys, key) || played == Some(key);
        let is_ready = is_in(snapshot.ready_keys, key);
        let fill = match (is_held, is_black(key), is_ready) {
            (true, ..) => theme::ACCENT,
            (_, false, true) => theme::KEY_READY,
            (_, false, false) => theme::KEY_WAITING,
            (_, true, true) => theme::BLACK_KEY_READY,
            (_, true, false) => theme::BLACK_KEY_WAITING,
        };
        let corners = CornerRadius {
            nw: 0,
            ne: 0,
            sw: 2,
            se: 2,
        };
        painter.rect_filled(rect, corners, fill);
        if is_black(key) {
            painter.rect_stroke(rect, corners, Stroke::new(1.0, theme::GROUND), StrokeKind::Inside);
        } else if key % 12 == 0 && rect.width() > 15.0 {
            let ink = if is_held {
                theme::GROUND
            } else {
                Color32::from_black_alpha(110)
            };
            let place = rect.center_bottom() - vec2(0.0, 9.0);
            let name = key_name(f32::from(key));
            painter.text(place, Align2::CENTER_CENTER, name, theme::regular(9.0), ink);
        }
    }
}

/// How long it takes until a slow model's keys are all ready, if any is missing.
fn time_to_go(snapshot: &Snapshot) -> Option<String> {
    let grid = snapshot.grid.filter(|grid| grid.pitches_missing > 0)?;
    let seconds = grid.seconds_to_go?.max(1.0).round() as u64;
    Some(match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{:.1} h", seconds as f32 / 3600.0),
    })
}

/// The note under the keys.
pub fn show_footer(ui: &Ui, footer: Rect, snapshot: &Snapshot) {
    let keys = u32::from(LAST_KEY - FIRST_KEY + 1);
    let mut text = format!(
        "bright keys are rendered for this blend · {} of {keys} ready",
        count(snapshot.ready_keys)
    );
    if let Some(seconds) = time_to_go(snapshot) {
        text.push_str(&format!(" · {seconds} to go"));
    }
    match snapshot.rendering {
        0 => {}
        1 => text.push_str(" · rendering 1 note"),
        notes => text.push_str(&format!(" · rendering {notes} notes")),
    }
    ui.painter().text(
        footer.left_center(),
        Align2::LEFT_CENTER,
        text,
        theme::regular(10.0),
        theme::TEXT_MUTED,
    );
    if snapshot.is_degraded {
        ui.painter().text(
            footer.right_center(),
            Align2::RIGHT_CENTER,
            "this machine cannot keep up: the blend is followed coarsely",
            theme::regular(10.0),
            theme::WAITING,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYBOARD: Rect = Rect {
        min: pos2(20.0, 598.0),
        max: pos2(1100.0, 718.0),
    };

    #[test]
    fn the_middle_of_each_key_is_that_key() {
        for key in FIRST_KEY..=LAST_KEY {
            let rect = key_rect(KEYBOARD, key);
            let place = if is_black(key) {
                rect.center()
            } else {
                rect.center_bottom() - vec2(0.0, 4.0)
            };
            assert_eq!(key_at(KEYBOARD, place), Some(key));
        }
    }

    #[test]
    fn black_keys_lie_over_white_ones() {
        let black = key_rect(KEYBOARD, 61);
        assert_eq!(key_at(KEYBOARD, black.left_center() + vec2(1.0, 0.0)), Some(61));
        assert_eq!(
            key_at(KEYBOARD, pos2(black.left() + 1.0, KEYBOARD.bottom() - 2.0)),
            Some(60)
        );
    }

    #[test]
    fn every_place_on_the_keyboard_is_a_key_and_none_outside() {
        for x in 0..=1080 {
            for y in [0.0, 40.0, 119.0] {
                assert!(key_at(KEYBOARD, KEYBOARD.min + vec2(x as f32, y)).is_some());
            }
        }
        assert_eq!(key_at(KEYBOARD, KEYBOARD.min - vec2(1.0, 0.0)), None);
        assert_eq!(key_at(KEYBOARD, KEYBOARD.max + vec2(0.0, 1.0)), None);
    }

    #[test]
    fn the_lower_end_of_a_key_is_the_loudest() {
        let key = key_rect(KEYBOARD, 60);
        assert_eq!(velocity_at(key, key.center_top()), SOFTEST);
        assert_eq!(velocity_at(key, key.center_bottom()), 1.0);
        assert!(velocity_at(key, key.center()) > velocity_at(key, key.center_top()));
    }

    #[test]
    fn the_time_to_go_is_told_while_a_slow_model_lacks_keys() {
        let mut snapshot = Snapshot::default();
        assert_eq!(time_to_go(&snapshot), None);
        for (pitches_missing, seconds, text) in [
            (3, 0.2, Some("1 s")),
            (3, 75.0, Some("75 s")),
            (3, 600.0, Some("10 min")),
            (3, 9000.0, Some("2.5 h")),
            (0, 0.0, None),
        ] {
            snapshot.grid = Some(crate::snapshot::GridView {
                side: 5,
                ready_cells: 0,
                pitches_missing,
                seconds_to_go: Some(seconds),
            });
            assert_eq!(time_to_go(&snapshot).as_deref(), text);
        }
    }

    #[test]
    fn only_keys_of_the_keyboard_are_counted() {
        assert_eq!(count(u128::MAX), 88);
        assert_eq!(count(1 << 60 | 1 << 3 | 1 << 120), 1);
    }
}
