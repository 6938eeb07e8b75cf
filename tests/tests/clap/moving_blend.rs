//! A chord that is held while the blend moves: it follows, without a click, and bounces exactly.

use betwixt_tests::instance::Instance;
use betwixt_tests::own_process::in_own_process;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::{Score, ScoreEvent};
use betwixt_tests::spectrum::Timbre;

use crate::stage::{RATE_HZ, bounce, id, offline, plugin, stretch};

const SECONDS: f64 = 3.0;
/// The blend's way begins and ends here.
const WAY_S: (f64, f64) = (0.5, 2.5);
/// The two ends of the way are further apart than this.
const AUDIBLE_DB: f64 = 2.0;

/// A held chord, and the blend from the left to the right along the upper edge if it is to move.
fn held_chord(instance: &Instance, moves: bool) -> Score {
    let mut score = Score::new(RATE_HZ, SECONDS);
    let upper_edge = ScoreEvent::Parameter {
        id: id(instance, "Blend Y"),
        value: 1.0,
    };
    let left = ScoreEvent::Parameter {
        id: id(instance, "Blend X"),
        value: 0.0,
    };
    score.add(0, upper_edge).add(0, left);
    for key in [45, 57, 64] {
        score.note(key, 0.6, 0.0, 2.9);
    }
    if moves {
        score.ramp(id(instance, "Blend X"), (WAY_S.0, 0.0), (WAY_S.1, 1.0), 0.01);
    }
    score
}

#[test]
fn a_held_chord_follows_the_blend() {
    in_own_process(|| {
        let plugin = plugin();
        let instance = plugin.instance().unwrap();
        let [moved, still] = [true, false].map(|moves| bounce(&plugin, &held_chord(&instance, moves)));
        let timbre = |recording: &Recording, from_s: f64, to_s: f64| {
            Timbre::of(stretch(&recording.left, RATE_HZ, from_s, to_s), RATE_HZ)
        };
        let first = moved.first_difference(&still).expect("the chord follows") as f64 / RATE_HZ;
        println!(
            "the way begins at {} s and is heard from {first:.3} s on",
            WAY_S.0
        );
        assert!((WAY_S.0..WAY_S.0 + 0.06).contains(&first), "{first:.3} s");
        let distance = timbre(&moved, 2.5, 2.9).distance_db(&timbre(&still, 2.5, 2.9));
        println!("{distance:.1} dB from the chord whose blend rests");
        assert!(distance > AUDIBLE_DB, "{distance:.1} dB");
    });
}

#[test]
fn a_bounce_of_a_moving_blend_is_the_same_twice_and_in_blocks_of_any_size() {
    in_own_process(|| {
        let plugin = plugin();
        let score = held_chord(&plugin.instance().unwrap(), true);
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
