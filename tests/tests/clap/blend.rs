//! The blend is heard: corners differ, what lies between sounds between, automation takes hold on its sample.

use betwixt_tests::own_process::in_own_process;
use betwixt_tests::recording::Recording;
use betwixt_tests::score::{Score, ScoreEvent};
use betwixt_tests::spectrum::Timbre;

use crate::stage::{RATE_HZ, bounce_with, id, offline, plugin, stretch};

/// Two takes of one instrument lie closer than this.
const AUDIBLE_DB: f64 = 3.0;

/// One note of a new instance, with the blend set before it.
fn note_at(x: f64, y: f64) -> Recording {
    let mut instance = offline(&plugin(), RATE_HZ);
    let mut score = Score::new(RATE_HZ, 1.5);
    score.add(
        0,
        ScoreEvent::Parameter {
            id: id(&instance, "Blend X"),
            value: x,
        },
    );
    score.add(
        0,
        ScoreEvent::Parameter {
            id: id(&instance, "Blend Y"),
            value: y,
        },
    );
    score.note_on(0, 57, 0.8);
    bounce_with(&mut instance, &score)
}

fn timbre(recording: &Recording, from_s: f64, to_s: f64) -> Timbre {
    Timbre::of(stretch(&recording.left, RATE_HZ, from_s, to_s), RATE_HZ)
}

#[test]
fn the_four_corners_sound_unlike_each_other() {
    in_own_process(|| {
        let corners = [("A", 0.0, 1.0), ("B", 1.0, 1.0), ("C", 0.0, 0.0), ("D", 1.0, 0.0)];
        let timbres = corners.map(|(name, x, y)| (name, timbre(&note_at(x, y), 0.1, 1.4)));
        for (index, (name, here)) in timbres.iter().enumerate() {
            for (other, there) in &timbres[index + 1..] {
                let distance = here.distance_db(there);
                println!("{name} to {other}: {distance:.1} dB");
                assert!(
                    distance > AUDIBLE_DB,
                    "{name} and {other} are {distance:.1} dB apart"
                );
            }
        }
    });
}

#[test]
fn the_middle_of_two_corners_lies_between_them() {
    in_own_process(|| {
        let [left, middle, right] = [0.0, 0.5, 1.0].map(|x| timbre(&note_at(x, 1.0), 0.1, 1.4));
        let (whole, to_left, to_right) = (
            left.distance_db(&right),
            middle.distance_db(&left),
            middle.distance_db(&right),
        );
        println!("corner to corner {whole:.1} dB, middle to left {to_left:.1}, to right {to_right:.1}");
        assert!(
            to_left > 0.5 && to_right > 0.5,
            "the middle is one of the corners"
        );
        assert!(
            to_left.max(to_right) < whole,
            "the middle lies further out than the corners"
        );
    });
}

#[test]
fn automating_the_blend_is_heard_from_note_to_note() {
    in_own_process(|| {
        let mut instance = offline(&plugin(), RATE_HZ);
        let mut score = Score::new(RATE_HZ, 6.0);
        score.add(
            0,
            ScoreEvent::Parameter {
                id: id(&instance, "Blend Y"),
                value: 1.0,
            },
        );
        score.ramp(id(&instance, "Blend X"), (0.0, 0.0), (5.0, 1.0), 0.01);
        for step in 0..6 {
            score.note(57, 0.8, f64::from(step), 0.8);
        }
        let recording = bounce_with(&mut instance, &score);
        let timbres: Vec<_> = (0..6)
            .map(|step| timbre(&recording, f64::from(step) + 0.1, f64::from(step) + 0.8))
            .collect();
        let from_start: Vec<_> = timbres
            .iter()
            .map(|timbre| timbre.distance_db(&timbres[0]))
            .collect();
        let to_end: Vec<_> = timbres
            .iter()
            .map(|timbre| timbre.distance_db(&timbres[5]))
            .collect();
        println!("from the first note: {from_start:.1?} dB; to the last: {to_end:.1?} dB");
        assert!(
            from_start[5] > AUDIBLE_DB,
            "the ramp is not heard: {from_start:.1?}"
        );
        // On its way the blend comes nearer to its end, and leaves its start, by and large.
        assert!(
            to_end[1] > to_end[4] && from_start[1] < from_start[4],
            "{from_start:.1?} {to_end:.1?}"
        );
    });
}

#[test]
fn a_note_takes_the_blend_of_its_own_sample() {
    in_own_process(|| {
        let plugin = plugin();
        let (change_at, x) = (1_000, 0.75);
        // The change comes before, with or after the note on, by single samples.
        let play = |note_at: usize, change_at: Option<usize>, first_x: f64| {
            let mut instance = offline(&plugin, RATE_HZ);
            let blend_x = id(&instance, "Blend X");
            let mut score = Score::new(RATE_HZ, 0.5);
            score.add(
                0,
                ScoreEvent::Parameter {
                    id: blend_x,
                    value: first_x,
                },
            );
            if let Some(change_at) = change_at {
                score.add(
                    change_at,
                    ScoreEvent::Parameter {
                        id: blend_x,
                        value: x,
                    },
                );
            }
            score.note_on(note_at, 64, 0.8);
            bounce_with(&mut instance, &score)
        };
        let (old, new) = (play(change_at, None, 0.25), play(change_at, None, x));
        assert!(!old.is_identical_to(&new), "the two blends sound alike");
        let same_sample = play(change_at, Some(change_at), 0.25);
        assert!(
            same_sample.is_identical_to(&new),
            "a change on the note's own sample is not heard"
        );
        let one_earlier = play(change_at, Some(change_at - 1), 0.25);
        assert!(
            one_earlier.is_identical_to(&new),
            "a change one sample before the note is not heard"
        );
    });
}
