//! In tune: every key, every corner, every sample rate.

use betwixt_tests::own_process::in_own_process;
use betwixt_tests::score::{Score, ScoreEvent};
use betwixt_tests::spectrum::{cents, note_hz, partial_hz, tuning_cents};

use crate::stage::{RATE_HZ, bounce, bounce_with, id, offline, plugin, stretch};

/// What a listener may be off by.
const TOLERANCE_CENTS: f64 = 2.0;

/// Measures the notes of a score that plays `keys` one after the other, a second and a half apart.
fn tunings(keys: &[u16], rate_hz: f64, prepare: impl FnOnce(&mut Score)) -> Vec<f64> {
    let mut score = Score::new(rate_hz, 1.5 * keys.len() as f64);
    for (index, &key) in keys.iter().enumerate() {
        score.note(key, 0.8, 1.5 * index as f64 + 0.05, 1.25);
    }
    prepare(&mut score);
    let recording = bounce(&plugin(), &score);
    let measure = |(index, &key): (usize, &u16)| {
        let start_s = 1.5 * index as f64;
        let note = stretch(&recording.left, rate_hz, start_s + 0.25, start_s + 1.25);
        tuning_cents(note, rate_hz, f64::from(key)).unwrap_or_else(|| panic!("key {key} has no fundamental"))
    };
    keys.iter().enumerate().map(measure).collect()
}

/// Prints all, then fails with the worst.
fn assert_in_tune(what: &str, found: &[(String, f64)]) {
    for (name, error) in found {
        println!("{what} {name}: {error:+.2} cents");
    }
    let worst = found
        .iter()
        .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
        .expect("something was measured");
    assert!(
        worst.1.abs() <= TOLERANCE_CENTS,
        "{what} {} is off by {:+.2} cents",
        worst.0,
        worst.1
    );
}

#[test]
fn keys_over_five_octaves_are_in_tune() {
    in_own_process(|| {
        let keys: Vec<u16> = (36..=96).step_by(5).collect();
        let found: Vec<_> = keys
            .iter()
            .map(u16::to_string)
            .zip(tunings(&keys, RATE_HZ, |_| {}))
            .collect();
        assert_in_tune("key", &found);
    });
}

#[test]
fn every_corner_of_the_pad_is_in_tune() {
    in_own_process(|| {
        let plugin = plugin();
        let mut found = Vec::new();
        for (corner, x, y) in [("A", 0.0, 1.0), ("B", 1.0, 1.0), ("C", 0.0, 0.0), ("D", 1.0, 0.0)] {
            let mut instance = offline(&plugin, RATE_HZ);
            let mut score = Score::new(RATE_HZ, 3.0);
            for (name, value) in [("Blend X", x), ("Blend Y", y)] {
                score.add(
                    0,
                    ScoreEvent::Parameter {
                        id: id(&instance, name),
                        value,
                    },
                );
            }
            for (key, start_s) in [(57_u16, 0.05), (72, 1.55)] {
                score.note(key, 0.8, start_s, 1.25);
            }
            let recording = bounce_with(&mut instance, &score);
            for (key, start_s) in [(57, 0.25), (72, 1.75)] {
                let note = stretch(&recording.left, RATE_HZ, start_s, start_s + 1.0);
                let error = tuning_cents(note, RATE_HZ, f64::from(key));
                found.push((
                    format!("{corner} key {key}"),
                    error.expect("the note has a fundamental"),
                ));
            }
        }
        assert_in_tune("corner", &found);
    });
}

#[test]
fn a_chord_holds_its_pitches() {
    in_own_process(|| {
        let chord = [48_u16, 55, 64, 71];
        let mut score = Score::new(RATE_HZ, 2.0);
        for key in chord {
            score.note(key, 0.8, 0.05, 1.9);
        }
        let recording = bounce(&plugin(), &score);
        let note = stretch(&recording.left, RATE_HZ, 0.3, 1.9);
        let found: Vec<_> = chord
            .iter()
            .map(|&key| {
                let error = tuning_cents(note, RATE_HZ, f64::from(key));
                (
                    key.to_string(),
                    error.unwrap_or_else(|| panic!("key {key} is not in the chord")),
                )
            })
            .collect();
        assert_in_tune("chord key", &found);
    });
}

#[test]
fn every_sample_rate_plays_the_same_pitch() {
    in_own_process(|| {
        let keys = [45, 69, 81];
        let reference = tunings(&keys, 48_000.0, |_| {});
        for rate_hz in [44_100.0, 88_200.0, 96_000.0, 176_400.0, 192_000.0] {
            for ((key, here), there) in keys.iter().zip(tunings(&keys, rate_hz, |_| {})).zip(&reference) {
                println!("{rate_hz} Hz, key {key}: {here:+.2} cents, {there:+.2} at 48 kHz");
                assert!(
                    (here - there).abs() <= 1.0,
                    "key {key} moves by {:+.2} cents at {rate_hz} Hz",
                    here - there
                );
                assert!(
                    here.abs() <= TOLERANCE_CENTS,
                    "key {key} is off by {here:+.2} cents at {rate_hz} Hz"
                );
            }
        }
    });
}

#[test]
fn a_full_bend_goes_two_semitones() {
    in_own_process(|| {
        let plugin = plugin();
        let mut score = Score::new(RATE_HZ, 4.5);
        let bends = [
            ("up", [0xe0, 127, 127], 2.0),
            ("none", [0xe0, 0, 64], 0.0),
            ("down", [0xe0, 0, 0], -2.0),
        ];
        for (index, (_, message, _)) in bends.iter().enumerate() {
            let start_s = 1.5 * index as f64;
            score.add(score.sample_at(start_s), ScoreEvent::Midi(*message));
            score.note(69, 0.8, start_s + 0.05, 1.25);
        }
        let recording = bounce(&plugin, &score);
        for (index, (name, _, semitones)) in bends.iter().enumerate() {
            let start_s = 1.5 * index as f64;
            let note = stretch(&recording.left, RATE_HZ, start_s + 0.25, start_s + 1.25);
            let expected = note_hz(69.0 + semitones);
            let error = cents(partial_hz(note, RATE_HZ, expected).expect("a pitch"), expected);
            println!("bend {name}: {error:+.2} cents");
            assert!(
                error.abs() <= TOLERANCE_CENTS,
                "bend {name} is off by {error:+.2} cents"
            );
        }
    });
}
