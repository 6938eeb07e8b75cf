//! A host hears of each note's end exactly once, however it ends; and may let the plugin sleep only then.

use std::collections::BTreeMap;

use betwixt_tests::own_process::in_own_process;
use betwixt_tests::recording::Recording;
use betwixt_tests::score::{Score, ScoreEvent};

use crate::stage::{RATE_HZ, bounce, plugin};

/// Longer than the default release.
const TAIL_S: f64 = 8.0;

fn assert_one_end_each(score: &Score, recording: &Recording) {
    let mut ends = BTreeMap::<Option<u32>, usize>::new();
    for (_, end) in &recording.note_ends {
        *ends.entry(end.note_id).or_default() += 1;
    }
    for note_id in 0..score.notes() {
        assert_eq!(
            ends.remove(&Some(note_id)),
            Some(1),
            "ends told of note {note_id}"
        );
    }
    assert!(ends.is_empty(), "ends of notes that never were: {ends:?}");
    assert_eq!(
        recording.may_sleep.last(),
        Some(&true),
        "the plugin stays awake though nothing sounds"
    );
}

fn play(prepare: impl FnOnce(&mut Score)) -> Recording {
    let mut score = Score::new(RATE_HZ, TAIL_S);
    prepare(&mut score);
    let recording = bounce(&plugin(), &score);
    assert_one_end_each(&score, &recording);
    recording
}

#[test]
fn released_notes_end_once() {
    in_own_process(|| {
        play(|score| {
            for (index, key) in [60, 64, 67, 60].into_iter().enumerate() {
                score.note(key, 0.8, 0.1 * index as f64, 0.25);
            }
            // Down and up on one sample.
            score.note(72, 0.8, 0.5, 0.0);
        });
    });
}

#[test]
fn stolen_notes_end_once() {
    in_own_process(|| {
        let recording = play(|score| {
            for key in 12..112 {
                score.note(key, 0.3, 0.0, 1.0);
            }
        });
        let stolen = recording
            .note_ends
            .iter()
            .filter(|(at, _)| (*at as f64) < 0.5 * RATE_HZ)
            .count();
        assert!(stolen >= 100 - 64, "100 notes, 64 voices: {stolen} were stolen");
    });
}

#[test]
fn a_choked_note_ends_at_once() {
    in_own_process(|| {
        let recording = play(|score| {
            let note_id = score.note_on(0, 60, 0.8);
            let at_sample = score.sample_at(0.5);
            score.add(at_sample, ScoreEvent::Choke { note_id, key: 60 });
        });
        let ended_s = recording.note_ends[0].0 as f64 / RATE_HZ;
        assert!(
            (0.5..0.6).contains(&ended_s),
            "a note choked at 0.5 s ends at {ended_s:.3} s"
        );
    });
}

#[test]
fn all_notes_off_and_all_sound_off_end_each_note() {
    in_own_process(|| {
        for controller in [123, 120] {
            play(|score| {
                for key in [48, 60, 64] {
                    score.note_on(0, key, 0.8);
                }
                let at_sample = score.sample_at(0.5);
                score.add(at_sample, ScoreEvent::Midi([0xb0, controller, 0]));
            });
        }
    });
}

#[test]
fn the_pedal_holds_notes_until_it_is_let_go() {
    in_own_process(|| {
        let recording = play(|score| {
            score.add(0, ScoreEvent::Midi([0xb0, 64, 127]));
            score.note(60, 0.8, 0.0, 0.25);
            let at_sample = score.sample_at(1.5);
            score.add(at_sample, ScoreEvent::Midi([0xb0, 64, 0]));
        });
        let ended_s = recording.note_ends[0].0 as f64 / RATE_HZ;
        assert!(
            ended_s >= 1.5,
            "the pedal is let go at 1.5 s, the note ends at {ended_s:.3} s"
        );
    });
}

#[test]
fn the_plugin_stays_awake_while_a_note_sounds() {
    in_own_process(|| {
        let recording = play(|score| {
            score.note(60, 0.8, 0.0, 1.0);
        });
        let ended = recording.note_ends[0].0;
        let block = recording.left.len() / recording.may_sleep.len() + 1;
        let asleep = recording.may_sleep[..ended / block]
            .iter()
            .position(|&may_sleep| may_sleep);
        assert_eq!(
            asleep, None,
            "the plugin would sleep before its note ended at sample {ended}"
        );
    });
}
