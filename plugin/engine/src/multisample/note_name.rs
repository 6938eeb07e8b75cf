//! Names of notes: `C4`, `f#3`, `Bb-1`, and numbers, as mappings and file names have them.
//!
//! Pure text. Octaves are those of General MIDI's most common reading, C4 for MIDI note 60, which packs of Betwixt and SFZ use; others call
//! that note C3, and whoever reads names that may mean either has to listen.

/// Names of the keys of an octave.
pub(crate) const KEY_NAMES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

/// A key's name, with C4 for MIDI note 60.
pub(crate) fn key_name(key: u8) -> String {
    format!("{}{}", KEY_NAMES[usize::from(key % 12)], i16::from(key / 12) - 1)
}

/// The MIDI note number of a name, C4 for 60: a letter of either case, `#`, `s`, `b` or their signs at most, and an octave of -2 to 9.
/// None for all else, and for what lies below 0 or above 127.
pub(crate) fn note_of_name(name: &str) -> Option<u8> {
    let mut letters = name.chars();
    let natural = match letters.next()?.to_ascii_uppercase() {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    };
    let rest = letters.as_str();
    let mut after = rest.chars();
    let (shift, octave) = match after.next()? {
        '#' | '\u{266f}' | 's' | 'S' => (1, after.as_str()),
        'b' | '\u{266d}' => (-1, after.as_str()),
        _ => (0, rest),
    };
    let (sign, digits) = octave
        .strip_prefix('-')
        .map_or((1, octave), |digits| (-1, digits));
    let mut digits = digits.chars();
    let (digit, None) = (digits.next()?.to_digit(10)?, digits.next()) else {
        return None;
    };
    let octave = sign * digit as i32;
    if octave < -2 {
        return None;
    }
    u8::try_from(12 * (octave + 1) + natural + shift)
        .ok()
        .filter(|note| *note <= 127)
}

/// The MIDI note number that a mapping means: a number of 0 to 127, whole but for a written `.0`, or a note's name.
pub(crate) fn note_of_value(value: &str) -> Option<u8> {
    let whole = value.strip_suffix(".0").unwrap_or(value);
    let number = whole.parse::<u8>().ok().filter(|note| *note <= 127);
    number.or_else(|| note_of_name(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notes_are_read_however_they_are_written() {
        for (name, note) in [
            ("C4", 60),
            ("c4", 60),
            ("A#3", 58),
            ("Bb3", 58),
            ("b3", 59),
            ("bb3", 58),
            ("Db5", 73),
            ("cs4", 61),
            ("F\u{266f}2", 42),
            ("C-1", 0),
            ("g9", 127),
            ("Cb4", 59),
            ("B#3", 60),
        ] {
            assert_eq!(note_of_name(name), Some(note), "{name}");
        }
        for name in [
            "",
            "C",
            "H4",
            "C44",
            "C4x",
            "G#9",
            "C-2",
            "4C",
            "C#",
            "C--1",
            "Cx4",
            "\u{266f}4",
        ] {
            assert_eq!(note_of_name(name), None, "{name}");
        }
        assert_eq!(
            (note_of_value("60"), note_of_value("60.0"), note_of_value("c4")),
            (Some(60), Some(60), Some(60))
        );
        assert_eq!(
            (note_of_value("128"), note_of_value("-1"), note_of_value("6.5")),
            (None, None, None)
        );
    }

    proptest! {
        #[test]
        fn every_key_is_read_from_its_name(key in 0_u8..128) {
            prop_assert_eq!(note_of_name(&key_name(key)), Some(key));
            prop_assert_eq!(note_of_value(&key.to_string()), Some(key));
        }

        #[test]
        fn any_text_is_a_note_or_none(text in ".{0,6}") {
            let _ = note_of_value(&text);
        }
    }
}
