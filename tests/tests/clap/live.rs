//! Live, the audio thread never waits: a note that is not rendered yet is silent, keeps the plugin awake, and
//! sounds as soon as its first samples are there.

use std::time::Duration;

use betwixt_tests::own_process::in_own_process;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::Score;
use betwixt_tests::spectrum::{first_sound, tuning_cents};

use crate::stage::{RATE_HZ, plugin, stretch};

#[test]
fn a_note_played_live_is_heard_and_in_tune() {
    in_own_process(|| {
        let mut instance = plugin().instance().unwrap();
        instance.activate(RATE_HZ, 128).unwrap();
        let mut score = Score::new(RATE_HZ, 3.0);
        // The model loads in the background when the first instance is activated.
        score.note(69, 0.8, 1.0, 1.8);
        let recording = Recording::of(&mut instance, &score, 128, Pace::SoundCard).unwrap();
        recording.assert_sound_numbers();
        let first = first_sound(&recording.left, 1.0e-6).expect("the note is heard") as f64 / RATE_HZ;
        println!("first sound {:.1} ms after its key", 1000.0 * (first - 1.0));
        assert!(
            (1.0..1.5).contains(&first),
            "a key at 1 s is heard at {first:.3} s"
        );
        let error =
            tuning_cents(stretch(&recording.left, RATE_HZ, 1.7, 2.7), RATE_HZ, 69.0).expect("a pitch");
        assert!(error.abs() <= 2.0, "{error:+.2} cents");
        let asleep = stretch_of(&recording.may_sleep, 1.0, 2.8, 3.0)
            .iter()
            .position(|&may_sleep| may_sleep);
        assert_eq!(
            asleep, None,
            "the plugin would sleep while a note waits or sounds"
        );
    });
}

#[test]
fn live_blocks_do_not_wait_for_rendering() {
    in_own_process(|| {
        let mut instance = plugin().instance().unwrap();
        instance.activate(RATE_HZ, 128).unwrap();
        let mut score = Score::new(RATE_HZ, 1.0);
        for key in 30..94 {
            score.note(key, 0.5, 0.0, 1.0);
        }
        let recording = Recording::of(&mut instance, &score, 128, Pace::Unlimited).unwrap();
        let total: Duration = recording.block_times.iter().sum();
        println!("a second of 64 notes, none rendered: {total:?}");
        assert!(
            total < Duration::from_millis(500),
            "the audio thread waited: {total:?} for one second of sound"
        );
    });
}

/// The part of a list that stands for `from_s..to_s` of `whole_s`.
fn stretch_of<T>(list: &[T], from_s: f64, to_s: f64, whole_s: f64) -> &[T] {
    let index = |seconds: f64| (seconds / whole_s * list.len() as f64) as usize;
    &list[index(from_s)..index(to_s)]
}
