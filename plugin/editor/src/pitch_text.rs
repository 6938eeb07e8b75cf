//! A pitch as a musician writes it: `C♯4 +12 ct`. Pure.

const NAMES: [&str; 12] = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

/// The name of the nearest key, with C4 as middle C.
pub fn key_name(midi: f32) -> String {
    let key = midi.round() as i32;
    format!("{}{}", NAMES[key.rem_euclid(12) as usize], key.div_euclid(12) - 1)
}

/// The nearest key and what is over it, in cents; nothing more where that is less than one.
pub fn text(midi: f32) -> String {
    let cents = ((midi - midi.round()) * 100.0).round();
    if cents == 0.0 {
        key_name(midi)
    } else {
        format!("{} {cents:+.0} ct", key_name(midi))
    }
}

/// The MIDI note number of a text: `C#4`, `eb3 -20 ct`, `A4+7`, `60`, `60.25`. None if it is no pitch of 0 to 127.
pub fn parse(text: &str) -> Option<f32> {
    let text = text.trim().to_lowercase().replace('♯', "#").replace('♭', "b");
    let text = text.trim_end_matches("cents").trim_end_matches("ct").trim();
    let midi = match text.parse::<f32>() {
        Ok(midi) => midi,
        Err(_) => named(text)?,
    };
    (0.0..=127.0).contains(&midi).then_some(midi)
}

/// A letter, a sharp or a flat, an octave, and cents with their sign.
fn named(text: &str) -> Option<f32> {
    let mut rest = text.chars();
    let semitone = match rest.next()? {
        'c' => 0,
        'd' => 2,
        'e' => 4,
        'f' => 5,
        'g' => 7,
        'a' => 9,
        'b' => 11,
        _ => return None,
    };
    let rest = rest.as_str();
    let (accidental, rest) = match rest.chars().next()? {
        '#' => (1, &rest[1..]),
        'b' => (-1, &rest[1..]),
        _ => (0, rest),
    };
    // A sign after the first letter of the rest begins the cents; one before it is the octave's.
    let cents_at = rest
        .char_indices()
        .skip(1)
        .find(|(_, letter)| matches!(letter, '+' | '-' | '−' | ' '))
        .map_or(rest.len(), |(at, _)| at);
    let (octave, cents) = rest.split_at(cents_at);
    let octave: i32 = octave.parse().ok().filter(|octave| (-1..=9).contains(octave))?;
    let cents = cents.replace('−', "-").replace(' ', "");
    let cents: f32 = if cents.is_empty() {
        0.0
    } else {
        cents.parse().ok()?
    };
    let is_near = (-100.0..=100.0).contains(&cents);
    is_near.then_some(((octave + 1) * 12 + semitone + accidental) as f32 + cents / 100.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn middle_c_is_c4() {
        assert_eq!(key_name(60.0), "C4");
        assert_eq!(key_name(69.2), "A4");
        assert_eq!(key_name(21.0), "A0");
        assert_eq!(key_name(-1.0), "B-2");
    }

    #[test]
    fn cents_stand_behind_the_key_where_there_are_any() {
        assert_eq!(text(60.0), "C4");
        assert_eq!(text(61.12), "C♯4 +12 ct");
        assert_eq!(text(68.93), "A4 -7 ct");
    }

    #[test]
    fn a_pitch_is_written_as_a_key_with_cents_or_as_a_number() {
        for (written, midi) in [
            ("C4", 60.0),
            ("c#4", 61.0),
            ("Eb3 -20 ct", 50.8),
            ("A4+7", 69.07),
            ("b3", 59.0),
            ("bb3", 58.0),
            ("C-1", 0.0),
            ("60.25", 60.25),
            (" 69 ", 69.0),
            ("C♯4 +12 ct", 61.12),
        ] {
            let parsed = parse(written).unwrap_or(f32::NAN);
            assert!((parsed - midi).abs() < 1e-3, "{written}: {parsed}");
        }
        for none in ["", "h4", "c", "c44", "128", "-1", "nan", "c4 + x", "c4 +200"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_typed(cents in 0..=12_700_u32) {
            let midi = cents as f32 / 100.0;
            prop_assert!((parse(&text(midi)).unwrap() - midi).abs() < 0.0051);
        }

        #[test]
        fn anything_may_be_typed(written in ".{0,12}") {
            let _ = parse(&written);
        }
    }
}
