//! How parameter values are written and typed. Main thread only.
//!
//! Each pair turns a value into text and back; text that went through both is unchanged, so a host's
//! generic editor and a screen reader show what the window shows.

use std::sync::Arc;

/// The text of a plain value, without a unit unless the unit depends on the value.
pub(crate) type ToText = Arc<dyn Fn(f32) -> String + Send + Sync>;

/// The plain value that was typed, with or without its unit.
pub(crate) type FromText = Arc<dyn Fn(&str) -> Option<f32> + Send + Sync>;

/// The level in dB at and under which a gain is silence and reads `-inf`.
pub(crate) const SILENCE_DB: f32 = -60.0;

/// A time in milliseconds with three figures: `0.50 ms`, `12.3 ms`, `450 ms`, `1.50 s`.
pub(crate) fn time_to_text() -> ToText {
    Arc::new(|ms| {
        // The number of decimals follows the rounded value: 9.996 reads `10.0`, and reads so again.
        for (limit, decimals) in [(10.0, 2), (100.0, 1), (1000.0, 0)] {
            if round(ms, decimals) < limit {
                return format!("{ms:.decimals$} ms");
            }
        }
        let seconds = ms / 1000.0;
        let decimals = if round(seconds, 2) < 10.0 { 2 } else { 1 };
        format!("{seconds:.decimals$} s")
    })
}

/// A time in milliseconds; `s` after the number makes it seconds.
pub(crate) fn time_from_text() -> FromText {
    Arc::new(|text| {
        let text = text.trim().to_ascii_lowercase();
        let (number, factor) = if let Some(number) = text.strip_suffix("ms") {
            (number, 1.0)
        } else if let Some(number) = text.strip_suffix('s') {
            (number, 1000.0)
        } else {
            (text.as_str(), 1.0)
        };
        finite(number).map(|value| value * factor)
    })
}

/// A part of one as a percentage with one decimal.
pub(crate) fn percent_to_text() -> ToText {
    Arc::new(|part| format!("{:.1} %", without_minus_zero(round(part * 100.0, 1))))
}

/// A percentage, with or without its sign.
pub(crate) fn percent_from_text() -> FromText {
    Arc::new(|text| finite(text.trim().trim_end_matches('%')).map(|percent| percent / 100.0))
}

/// A level in dB with one decimal; `-inf dB` at the bottom.
pub(crate) fn decibels_to_text() -> ToText {
    Arc::new(|db| {
        let rounded = without_minus_zero(round(db, 1));
        if rounded <= SILENCE_DB {
            "-inf dB".to_owned()
        } else {
            format!("{rounded:.1} dB")
        }
    })
}

/// A level in dB, with or without its unit; `-inf` is the bottom.
pub(crate) fn decibels_from_text() -> FromText {
    Arc::new(|text| {
        let text = text.trim().to_ascii_lowercase();
        let number = text.trim_end_matches("db").trim();
        if number == "-inf" {
            Some(SILENCE_DB)
        } else {
            finite(number)
        }
    })
}

/// Cents with one decimal and a sign.
pub(crate) fn cents_to_text() -> ToText {
    Arc::new(|cents| {
        let rounded = without_minus_zero(round(cents, 1));
        if rounded == 0.0 {
            "0.0 ct".to_owned()
        } else {
            format!("{rounded:+.1} ct")
        }
    })
}

/// Cents, with or without a unit.
pub(crate) fn cents_from_text() -> FromText {
    Arc::new(|text| {
        let text = text.trim().to_ascii_lowercase();
        let number = text.trim_end_matches("cents").trim_end_matches("ct");
        finite(number)
    })
}

/// A number that can be a value; text such as `nan` or `1e999` is none.
fn finite(number: &str) -> Option<f32> {
    let value: f32 = number.trim().parse().ok()?;
    value.is_finite().then_some(value)
}

fn round(value: f32, decimals: usize) -> f32 {
    // Through the formatter, so that the decision and the text cannot disagree.
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

fn without_minus_zero(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stays(to: &ToText, from: &FromText, value: f32) {
        let text = to(value);
        let typed = from(&text).unwrap_or_else(|| panic!("{text} is not understood"));
        assert_eq!(to(typed), text, "from {value} by way of {typed}");
    }

    proptest! {
        #[test]
        fn text_of_a_value_reads_the_same_after_being_typed(part in 0.0f32..=1.0) {
            stays(&time_to_text(), &time_from_text(), part * 20_000.0);
            stays(&time_to_text(), &time_from_text(), part * 20.0);
            stays(&percent_to_text(), &percent_from_text(), part);
            stays(&decibels_to_text(), &decibels_from_text(), SILENCE_DB + part * 72.0);
            stays(&cents_to_text(), &cents_from_text(), part * 200.0 - 100.0);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            for from in [time_from_text(), percent_from_text(), decibels_from_text(), cents_from_text()] {
                if let Some(value) = from(&text) {
                    prop_assert!(value.is_finite());
                }
            }
        }
    }

    #[test]
    fn units_are_optional_when_typing() {
        assert_eq!(time_from_text()("1.5 s"), Some(1500.0));
        assert_eq!(time_from_text()("20ms"), Some(20.0));
        assert_eq!(time_from_text()("20"), Some(20.0));
        assert_eq!(percent_from_text()("50 %"), Some(0.5));
        assert_eq!(decibels_from_text()("-inf dB"), Some(SILENCE_DB));
        assert_eq!(decibels_from_text()("+3"), Some(3.0));
        assert_eq!(cents_from_text()("-12.5 ct"), Some(-12.5));
    }

    #[test]
    fn values_near_a_change_of_decimals_keep_their_text() {
        for value in [9.994, 9.995, 9.996, 99.94, 99.96, 999.4, 999.6, 9994.0, 9996.0] {
            stays(&time_to_text(), &time_from_text(), value);
        }
        assert_eq!(time_to_text()(9.996), "10.0 ms");
        assert_eq!(percent_to_text()(-0.0001), "0.0 %");
    }
}
