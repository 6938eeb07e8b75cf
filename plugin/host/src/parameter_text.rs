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

/// The text of a switch.
pub(crate) type SwitchToText = Arc<dyn Fn(bool) -> String + Send + Sync>;

/// The switch that was typed.
pub(crate) type SwitchFromText = Arc<dyn Fn(&str) -> Option<bool> + Send + Sync>;

/// The text of a choice.
pub(crate) type ChoiceToText = Arc<dyn Fn(i32) -> String + Send + Sync>;

/// The choice that was typed.
pub(crate) type ChoiceFromText = Arc<dyn Fn(&str) -> Option<i32> + Send + Sync>;

/// Where a note's beginning is from, in the engine's order.
pub(crate) const ATTACK_FROM: &[&str] = &["Off", "Corner A", "Corner B", "Corner C", "Corner D"];

/// How many notes sound at once, in the engine's order.
pub(crate) const VOICE_MODES: &[&str] = &["Poly", "Mono", "Legato"];

/// What pressure and slide move, in the engine's order.
pub(crate) const TARGETS: &[&str] = &["Off", "Blend X", "Blend Y", "Heat", "Brightness"];

/// A time in milliseconds with three figures: `0 ms`, `0.50 ms`, `12.3 ms`, `450 ms`, `1.50 s`. When typed, `s` after the
/// number makes it seconds.
pub(crate) fn time() -> (ToText, FromText) {
    let to_text = |ms| {
        if round(ms, 2) == 0.0 {
            return "0 ms".to_owned();
        }
        // The number of decimals follows the rounded value: 9.996 reads `10.0`, and reads so again.
        for (limit, decimals) in [(10.0, 2), (100.0, 1), (1000.0, 0)] {
            if round(ms, decimals) < limit {
                return format!("{ms:.decimals$} ms");
            }
        }
        let seconds = ms / 1000.0;
        let decimals = if round(seconds, 2) < 10.0 { 2 } else { 1 };
        format!("{seconds:.decimals$} s")
    };
    let from_text = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let (number, factor) = if let Some(number) = text.strip_suffix("ms") {
            (number, 1.0)
        } else if let Some(number) = text.strip_suffix('s') {
            (number, 1000.0)
        } else {
            (text.as_str(), 1.0)
        };
        finite(number).map(|value| value * factor)
    };
    (Arc::new(to_text), Arc::new(from_text))
}

/// A part of one as a percentage with one decimal: `62.5 %`.
pub(crate) fn percent() -> (ToText, FromText) {
    let to_text = |part: f32| format!("{:.1} %", without_minus_zero(round(part * 100.0, 1)));
    (Arc::new(to_text), Arc::new(percent_from_text))
}

/// A part of one with its sign: `+12.5 %`.
pub(crate) fn signed_percent() -> (ToText, FromText) {
    let to_text = |part: f32| signed(part * 100.0, " %");
    (Arc::new(to_text), Arc::new(percent_from_text))
}

fn percent_from_text(text: &str) -> Option<f32> {
    finite(text.trim().trim_end_matches('%')).map(|percent| percent / 100.0)
}

/// How many times as much, with three figures: `0.50x`, `10.0x`.
pub(crate) fn times() -> (ToText, FromText) {
    let to_text = |factor| {
        let decimals = if round(factor, 2) < 10.0 { 2 } else { 1 };
        format!("{factor:.decimals$}x")
    };
    let from_text = |text: &str| finite(text.trim().trim_end_matches(['x', 'X', '×']));
    (Arc::new(to_text), Arc::new(from_text))
}

/// A level in dB with one decimal; `-inf dB` at the bottom.
pub(crate) fn decibels() -> (ToText, FromText) {
    let to_text = |db| {
        let rounded = without_minus_zero(round(db, 1));
        if rounded <= SILENCE_DB {
            "-inf dB".to_owned()
        } else {
            format!("{rounded:.1} dB")
        }
    };
    let from_text = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let number = text.trim_end_matches("db").trim();
        if number == "-inf" {
            Some(SILENCE_DB)
        } else {
            finite(number)
        }
    };
    (Arc::new(to_text), Arc::new(from_text))
}

/// Cents with one decimal and a sign: `+12.5 ct`.
pub(crate) fn cents() -> (ToText, FromText) {
    let from_text = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        finite(text.trim_end_matches("cents").trim_end_matches("ct"))
    };
    (Arc::new(|cents| signed(cents, " ct")), Arc::new(from_text))
}

/// `On` or `Off`; typed, also `yes` or `no`, or a number.
pub(crate) fn switch() -> (SwitchToText, SwitchFromText) {
    let from_text = |text: &str| match text.trim().to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" => Some(true),
        "off" | "no" | "false" => Some(false),
        number => finite(number).map(|value| value > 0.5),
    };
    let to_text = |is_on| if is_on { "On" } else { "Off" }.to_owned();
    (Arc::new(to_text), Arc::new(from_text))
}

/// One of some labels; typed, case does not matter and the last word is enough: `b` is `Corner B`.
pub(crate) fn choice(labels: &'static [&'static str]) -> (ChoiceToText, ChoiceFromText) {
    let to_text = |index: i32| {
        let last = labels.len() as i32 - 1;
        labels[index.clamp(0, last) as usize].to_owned()
    };
    let from_text = |text: &str| {
        let text = text.trim();
        let is_label = |label: &&str| label.eq_ignore_ascii_case(text);
        let ends_so = |label: &&str| {
            label
                .rsplit(' ')
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case(text))
        };
        let index = labels
            .iter()
            .position(is_label)
            .or_else(|| labels.iter().position(ends_so))?;
        i32::try_from(index).ok()
    };
    (Arc::new(to_text), Arc::new(from_text))
}

fn signed(value: f32, unit: &str) -> String {
    let rounded = without_minus_zero(round(value, 1));
    if rounded == 0.0 {
        format!("0.0{unit}")
    } else {
        format!("{rounded:+.1}{unit}")
    }
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

    fn stays((to, from): &(ToText, FromText), value: f32) {
        let text = to(value);
        let typed = from(&text).unwrap_or_else(|| panic!("{text} is not understood"));
        assert_eq!(to(typed), text, "from {value} by way of {typed}");
    }

    proptest! {
        #[test]
        fn text_of_a_value_reads_the_same_after_being_typed(part in 0.0f32..=1.0) {
            stays(&time(), part * 20_000.0);
            stays(&time(), part * 20.0);
            stays(&percent(), part);
            stays(&signed_percent(), 2.0 * part - 1.0);
            stays(&times(), part * 20.0);
            stays(&decibels(), SILENCE_DB + part * 72.0);
            stays(&cents(), part * 200.0 - 100.0);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            for (_, from) in [time(), percent(), signed_percent(), times(), decibels(), cents()] {
                if let Some(value) = from(&text) {
                    prop_assert!(value.is_finite());
                }
            }
            switch().1(&text);
            choice(TARGETS).1(&text);
        }
    }

    #[test]
    fn units_are_optional_when_typing() {
        assert_eq!(time().1("1.5 s"), Some(1500.0));
        assert_eq!(time().1("20ms"), Some(20.0));
        assert_eq!(time().1("20"), Some(20.0));
        assert_eq!(percent().1("50 %"), Some(0.5));
        assert_eq!(times().1("2"), Some(2.0));
        assert_eq!(times().1("0.5×"), Some(0.5));
        assert_eq!(decibels().1("-inf dB"), Some(SILENCE_DB));
        assert_eq!(decibels().1("+3"), Some(3.0));
        assert_eq!(cents().1("-12.5 ct"), Some(-12.5));
    }

    #[test]
    fn a_choice_is_typed_by_its_label_or_the_end_of_it() {
        for (index, label) in TARGETS.iter().enumerate() {
            assert_eq!(choice(TARGETS).1(&label.to_lowercase()), Some(index as i32));
        }
        assert_eq!(choice(ATTACK_FROM).1("c"), Some(3));
        assert_eq!(choice(ATTACK_FROM).1("E"), None);
        assert_eq!(choice(VOICE_MODES).0(7), "Legato");
        assert_eq!(switch().1(" ON "), Some(true));
        assert_eq!(switch().1("0"), Some(false));
        assert_eq!(switch().1("perhaps"), None);
    }

    #[test]
    fn values_near_a_change_of_decimals_keep_their_text() {
        for value in [
            0.004, 0.005, 9.994, 9.995, 9.996, 99.94, 99.96, 999.4, 999.6, 9994.0, 9996.0,
        ] {
            stays(&time(), value);
            stays(&times(), value);
        }
        assert_eq!(time().0(9.996), "10.0 ms");
        assert_eq!(time().0(0.0), "0 ms");
        assert_eq!(percent().0(-0.0001), "0.0 %");
    }
}
