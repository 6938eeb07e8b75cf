//! One note is moved and the others are not: polyphonic modulation, note expressions, MPE.

use betwixt_tests::instance::Instance;
use betwixt_tests::own_process::in_own_process;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::{Score, ScoreEvent};
use betwixt_tests::spectrum::Timbre;
use clack_host::events::event_types::NoteExpressionType;

use crate::stage::{RATE_HZ, bounce, bounce_with, id, offline, plugin, stretch};

/// A blend that moved is further from where it was than this.
const AUDIBLE_DB: f64 = 1.0;
/// Two notes played together and one by one differ by rounding alone.
const ROUNDING: f32 = 1.0e-5;

const MOVED_KEY: u16 = 50;
const OTHER_KEY: u16 = 69;
const SECONDS: f64 = 2.0;
/// When the one note is moved.
const MOVED_AT_S: f64 = 0.5;

/// A score with the blend on the upper edge, and parameters as they are to be.
fn score(instance: &Instance, values: &[(&str, f64)]) -> Score {
    let mut score = Score::new(RATE_HZ, SECONDS);
    for &(name, value) in [("Blend X", 0.2), ("Blend Y", 1.0)].iter().chain(values) {
        let id = id(instance, name);
        score.add(0, ScoreEvent::Parameter { id, value });
    }
    score
}

fn timbre_after(recording: &Recording) -> Timbre {
    Timbre::of(stretch(&recording.left, RATE_HZ, 1.0, SECONDS), RATE_HZ)
}

/// Plays the notes that are asked for; `change` moves the first by its number. Gives what is heard.
fn play(values: &[(&str, f64)], keys: &[u16], change: impl Fn(&mut Score, &Instance, u32)) -> Recording {
    let mut instance = offline(&plugin(), RATE_HZ);
    let mut score = score(&instance, values);
    let notes: Vec<u32> = keys.iter().map(|key| score.note_on(0, *key, 0.8)).collect();
    change(&mut score, &instance, notes[0]);
    bounce_with(&mut instance, &score)
}

fn unmoved(_: &mut Score, _: &Instance, _: u32) {}

/// The one note's change is heard, and what is left when it is taken away is the other note, as it sounds alone.
fn moves_one_alone(values: &[(&str, f64)], change: impl Fn(&mut Score, &Instance, u32)) {
    let moved = play(values, &[MOVED_KEY], &change);
    let still = play(values, &[MOVED_KEY], unmoved);
    let distance = timbre_after(&moved).distance_db(&timbre_after(&still));
    println!("the moved note: {distance:.1} dB from the unmoved one");
    assert!(distance > AUDIBLE_DB, "{distance:.1} dB");
    let before = (MOVED_AT_S * RATE_HZ) as usize;
    assert!(
        moved
            .first_difference(&still)
            .is_some_and(|sample| sample >= before),
        "moved before its time"
    );

    let both = play(values, &[MOVED_KEY, OTHER_KEY], &change);
    let other = play(values, &[OTHER_KEY], unmoved);
    let worst = both
        .left
        .iter()
        .zip(&moved.left)
        .zip(&other.left)
        .map(|((both, moved), other)| (both - moved - other).abs())
        .fold(0.0_f32, f32::max);
    println!("the other note is moved by {worst:e} at most");
    assert!(worst < ROUNDING, "{worst:e}");
}

#[test]
fn modulating_one_note_moves_that_one_alone() {
    in_own_process(|| {
        moves_one_alone(&[], |score, instance, note_id| {
            let (id, at_sample) = (id(instance, "Blend X"), score.sample_at(MOVED_AT_S));
            let modulation = ScoreEvent::Modulation {
                id,
                note_id: Some(note_id),
                amount: 0.7,
            };
            score.add(at_sample, modulation);
        });
    });
}

#[test]
fn a_notes_own_modulation_comes_in_place_of_that_of_all_notes() {
    in_own_process(|| {
        let modulate = |of_one: bool| {
            move |score: &mut Score, instance: &Instance, note_id: u32| {
                let (id, at_sample) = (id(instance, "Blend X"), score.sample_at(MOVED_AT_S));
                for note_id in [None, Some(note_id)].into_iter().take(1 + usize::from(of_one)) {
                    let modulation = ScoreEvent::Modulation {
                        id,
                        note_id,
                        amount: 0.25,
                    };
                    score.add(at_sample, modulation);
                }
            }
        };
        let of_all = play(&[], &[MOVED_KEY], modulate(false));
        let of_both = play(&[], &[MOVED_KEY], modulate(true));
        assert_eq!(of_all.first_difference(&of_both), None);
        let still = play(&[], &[MOVED_KEY], unmoved);
        assert!(!of_all.is_identical_to(&still), "the modulation is not heard");
    });
}

#[test]
fn pressure_and_slide_of_one_note_move_what_they_are_set_to() {
    in_own_process(|| {
        for (kind, to) in [
            (NoteExpressionType::Pressure, "Pressure To"),
            (NoteExpressionType::Brightness, "Slide To"),
        ] {
            // The first target is Blend X.
            moves_one_alone(&[(to, 1.0)], |score, _, note_id| {
                let expression = ScoreEvent::Expression {
                    note_id,
                    key: MOVED_KEY,
                    kind,
                    value: 1.0,
                };
                score.add(score.sample_at(MOVED_AT_S), expression);
            });
        }
    });
}

/// A note on the second MIDI channel and one on the third, and a slide of the second.
fn slid(is_mpe: bool, with_slide: bool) -> Recording {
    let mut instance = offline(&plugin(), RATE_HZ);
    let mut score = score(
        &instance,
        &[("MPE", f64::from(u8::from(is_mpe))), ("Slide To", 1.0)],
    );
    score.add(0, ScoreEvent::Midi([0x91, MOVED_KEY as u8, 100]));
    if with_slide {
        score.add(score.sample_at(MOVED_AT_S), ScoreEvent::Midi([0xb1, 74, 127]));
        score.add(score.sample_at(MOVED_AT_S), ScoreEvent::Midi([0xd1, 127, 0]));
    }
    bounce_with(&mut instance, &score)
}

#[test]
fn a_channels_slide_and_pressure_mean_nothing_without_mpe() {
    in_own_process(|| {
        assert_eq!(slid(false, true).first_difference(&slid(false, false)), None);
        let (moved, still) = (slid(true, true), slid(true, false));
        let distance = timbre_after(&moved).distance_db(&timbre_after(&still));
        println!("MPE's slide: {distance:.1} dB");
        assert!(distance > AUDIBLE_DB, "{distance:.1} dB");
    });
}

/// Chords whose notes are each moved their own way, in small steps.
fn modulated_score(instance: &Instance) -> Score {
    let mut score = score(instance, &[]);
    let blend = ["Blend X", "Blend Y"].map(|name| id(instance, name));
    for (index, key) in [45_u16, 52, 57, 64].into_iter().enumerate() {
        let note_id = score.note(key, 0.6, 0.2 * index as f64, 1.2);
        for step in 0..60_usize {
            let seconds = 0.2 * index as f64 + 0.013 * step as f64;
            let amount = 0.6 * (0.1 * step as f64 + index as f64).sin();
            let modulation = ScoreEvent::Modulation {
                id: blend[index % 2],
                note_id: Some(note_id),
                amount,
            };
            score.add(score.sample_at(seconds), modulation);
        }
    }
    score
}

#[test]
fn a_bounce_with_modulated_notes_is_the_same_twice_and_in_blocks_of_any_size() {
    in_own_process(|| {
        let plugin = plugin();
        let score = modulated_score(&plugin.instance().unwrap());
        let reference = bounce(&plugin, &score);
        assert_eq!(
            reference.first_difference(&bounce(&plugin, &score)),
            None,
            "twice"
        );
        for block in [32, 333, 2048] {
            let again =
                Recording::of(&mut offline(&plugin, RATE_HZ), &score, block, Pace::Unlimited).unwrap();
            assert_eq!(reference.first_difference(&again), None, "blocks of {block}");
        }
    });
}
