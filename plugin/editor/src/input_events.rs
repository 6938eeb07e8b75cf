//! baseview's events in egui's words. Pure.

use baseview::{MouseButton, MouseCursor, ScrollDelta};
use egui::{CursorIcon, Event, Key, Modifiers, MouseWheelUnit, PointerButton, Vec2, vec2};
use keyboard_types::{Code, KeyState, KeyboardEvent, NamedKey};

/// The keys that are held beside others. What macOS calls command is control elsewhere.
pub(crate) fn modifiers(held: keyboard_types::Modifiers) -> Modifiers {
    let is_mac = cfg!(target_os = "macos");
    Modifiers {
        alt: held.alt(),
        ctrl: held.ctrl(),
        shift: held.shift(),
        mac_cmd: is_mac && held.meta(),
        command: if is_mac { held.meta() } else { held.ctrl() },
    }
}

/// The button, if egui knows it.
pub(crate) fn button(button: MouseButton) -> Option<PointerButton> {
    match button {
        MouseButton::Left => Some(PointerButton::Primary),
        MouseButton::Right => Some(PointerButton::Secondary),
        MouseButton::Middle => Some(PointerButton::Middle),
        _ => None,
    }
}

/// How far the wheel was turned.
pub(crate) fn wheel(delta: ScrollDelta) -> (MouseWheelUnit, Vec2) {
    let (unit, delta) = match delta {
        ScrollDelta::Lines { x, y } => (MouseWheelUnit::Line, vec2(x, y)),
        ScrollDelta::Pixels { x, y } => (MouseWheelUnit::Point, vec2(x, y)),
    };
    // baseview has macOS's own direction, which is the other one sideways.
    let sideways = if cfg!(target_os = "macos") { -1.0 } else { 1.0 };
    (unit, delta * vec2(sideways, 1.0))
}

/// What a key does: itself, the text it writes, and the clipboard's shortcuts. `paste` reads the clipboard.
pub(crate) fn key(
    event: &KeyboardEvent,
    modifiers: Modifiers,
    paste: &mut dyn FnMut() -> Option<String>,
) -> Vec<Event> {
    let pressed = event.state == KeyState::Down;
    let mut events = Vec::new();
    // With control held, a letter's key writes a control character on some systems.
    let by_place = || Some(event.code).filter(|_| modifiers.command).and_then(letter);
    if let Some(key) = named(&event.key).or_else(by_place) {
        events.push(Event::Key {
            key,
            physical_key: None,
            pressed,
            repeat: event.repeat,
            modifiers,
        });
    }
    if !pressed {
        return events;
    }
    match (modifiers.command, event.code) {
        (true, Code::KeyX) => events.push(Event::Cut),
        (true, Code::KeyC) => events.push(Event::Copy),
        (true, Code::KeyV) => events.extend(paste().map(Event::Paste)),
        (false, _) => {
            if let keyboard_types::Key::Character(text) = &event.key
                && !modifiers.ctrl
            {
                events.push(Event::Text(text.clone()));
            }
        }
        _ => {}
    }
    events
}

fn named(key: &keyboard_types::Key) -> Option<Key> {
    match key {
        keyboard_types::Key::Character(text) if text == " " => Some(Key::Space),
        keyboard_types::Key::Character(text) => Key::from_name(&text.to_ascii_uppercase()),
        keyboard_types::Key::Named(NamedKey::Unidentified) => None,
        keyboard_types::Key::Named(name) => Key::from_name(&name.to_string()),
    }
}

/// The letter at a place of the keyboard.
fn letter(code: Code) -> Option<Key> {
    Key::from_name(code.to_string().strip_prefix("Key")?)
}

/// The pointer's picture.
pub(crate) fn cursor(icon: CursorIcon) -> MouseCursor {
    match icon {
        CursorIcon::None => MouseCursor::Hidden,
        CursorIcon::ContextMenu | CursorIcon::PointingHand | CursorIcon::Grab => MouseCursor::Hand,
        CursorIcon::Grabbing => MouseCursor::HandGrabbing,
        CursorIcon::Help => MouseCursor::Help,
        CursorIcon::Progress => MouseCursor::PtrWorking,
        CursorIcon::Wait => MouseCursor::Working,
        CursorIcon::Cell => MouseCursor::Cell,
        CursorIcon::Crosshair => MouseCursor::Crosshair,
        CursorIcon::Text => MouseCursor::Text,
        CursorIcon::VerticalText => MouseCursor::VerticalText,
        CursorIcon::Alias => MouseCursor::Alias,
        CursorIcon::Copy => MouseCursor::Copy,
        CursorIcon::Move => MouseCursor::Move,
        CursorIcon::NoDrop | CursorIcon::NotAllowed => MouseCursor::NotAllowed,
        CursorIcon::AllScroll => MouseCursor::AllScroll,
        CursorIcon::ResizeHorizontal => MouseCursor::EwResize,
        CursorIcon::ResizeVertical => MouseCursor::NsResize,
        CursorIcon::ResizeNeSw => MouseCursor::NeswResize,
        CursorIcon::ResizeNwSe => MouseCursor::NwseResize,
        CursorIcon::ResizeColumn => MouseCursor::ColResize,
        CursorIcon::ResizeRow => MouseCursor::RowResize,
        // The window has no edges to be resized by, and nothing that is magnified by the pointer.
        _ => MouseCursor::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(key: impl Into<keyboard_types::Key>, code: Code) -> KeyboardEvent {
        KeyboardEvent::key_down(key, code)
    }

    fn keys(event: &KeyboardEvent, held: Modifiers) -> Vec<Event> {
        key(event, held, &mut || Some("pasted".into()))
    }

    fn pressed(events: &[Event]) -> Option<Key> {
        match events.first() {
            Some(Event::Key {
                key, pressed: true, ..
            }) => Some(*key),
            _ => None,
        }
    }

    #[test]
    fn the_keys_that_move_in_a_list_and_close_it_are_known() {
        for (name, key) in [
            (NamedKey::ArrowDown, Key::ArrowDown),
            (NamedKey::ArrowUp, Key::ArrowUp),
            (NamedKey::ArrowLeft, Key::ArrowLeft),
            (NamedKey::ArrowRight, Key::ArrowRight),
            (NamedKey::Enter, Key::Enter),
            (NamedKey::Escape, Key::Escape),
            (NamedKey::Tab, Key::Tab),
            (NamedKey::Backspace, Key::Backspace),
            (NamedKey::Delete, Key::Delete),
            (NamedKey::Home, Key::Home),
            (NamedKey::End, Key::End),
            (NamedKey::PageUp, Key::PageUp),
            (NamedKey::PageDown, Key::PageDown),
        ] {
            let events = keys(
                &down(keyboard_types::Key::Named(name), Code::Unidentified),
                Modifiers::NONE,
            );
            assert_eq!(pressed(&events), Some(key), "{name:?}");
            assert_eq!(events.len(), 1, "{name:?} writes nothing");
        }
    }

    #[test]
    fn letters_are_keys_and_text_in_either_case() {
        for text in ["a", "A"] {
            let event = down(keyboard_types::Key::Character(text.into()), Code::KeyA);
            let events = keys(&event, Modifiers::NONE);
            assert_eq!(pressed(&events), Some(Key::A));
            assert_eq!(events[1], Event::Text(text.into()));
        }
        let space = keys(
            &down(keyboard_types::Key::Character(" ".into()), Code::Space),
            Modifiers::NONE,
        );
        assert_eq!(pressed(&space), Some(Key::Space));
        let foreign = keys(
            &down(keyboard_types::Key::Character("é".into()), Code::Digit2),
            Modifiers::NONE,
        );
        assert_eq!(foreign, [Event::Text("é".into())]);
    }

    #[test]
    fn shortcuts_copy_and_paste_and_write_nothing() {
        let held = Modifiers {
            ctrl: true,
            command: true,
            ..Default::default()
        };
        let event = |text: &str, code| keys(&down(keyboard_types::Key::Character(text.into()), code), held);
        assert_eq!(event("c", Code::KeyC)[1..], [Event::Copy]);
        assert_eq!(event("x", Code::KeyX)[1..], [Event::Cut]);
        assert_eq!(event("v", Code::KeyV)[1..], [Event::Paste("pasted".into())]);
        assert_eq!(event("s", Code::KeyS).len(), 1);
        assert_eq!(pressed(&event("\u{1}", Code::KeyA)), Some(Key::A));
    }

    #[test]
    fn a_key_that_goes_up_writes_nothing() {
        let mut event = down(keyboard_types::Key::Character("a".into()), Code::KeyA);
        event.state = KeyState::Up;
        assert!(matches!(
            keys(&event, Modifiers::NONE)[..],
            [Event::Key { pressed: false, .. }]
        ));
    }
}
