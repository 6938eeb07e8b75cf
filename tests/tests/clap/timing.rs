//! On time: a bounced note starts on its sample, whatever the blocks, and ends when its release is over.

use betwixt_tests::own_process::in_own_process;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::Score;
use betwixt_tests::spectrum::{first_sound, rms};
use clack_extensions::render::RenderMode;

use crate::stage::{RATE_HZ, bounce, plugin, stretch};

/// Quieter than this is silence: -120 dBFS.
const SILENCE: f32 = 1.0e-6;

#[test]
fn a_note_starts_on_its_sample() {
    in_own_process(|| {
        let plugin = plugin();
        let play = |at_sample: usize| {
            let mut score = Score::new(RATE_HZ, 1.0);
            score.note_on(at_sample, 60, 0.8);
            bounce(&plugin, &score)
        };
        let reference = play(0);
        assert!(rms(&reference.left) > 1.0e-3, "the note is heard");
        for at_sample in [1, 31, 63, 64, 255, 256, 257, 1000, 9_999] {
            let late = play(at_sample);
            assert!(
                late.left[..at_sample].iter().all(|&sample| sample == 0.0),
                "sound before the note at {at_sample}"
            );
            let shifted = &reference.left[..reference.left.len() - at_sample];
            let differs = late.left[at_sample..]
                .iter()
                .zip(shifted)
                .position(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(
                differs, None,
                "a note at sample {at_sample} is not the note at 0, moved"
            );
        }
    });
}

#[test]
fn a_bounced_note_sounds_at_once_at_every_rate() {
    in_own_process(|| {
        let plugin = plugin();
        for rate_hz in [44_100.0, 48_000.0, 96_000.0, 192_000.0] {
            let mut score = Score::new(rate_hz, 1.0);
            let at_sample = score.sample_at(0.1);
            score.note_on(at_sample, 72, 1.0);
            let first = first_sound(&bounce(&plugin, &score).left, SILENCE).expect("the note is heard");
            let wait_ms = (first as f64 - at_sample as f64) / rate_hz * 1000.0;
            println!("{rate_hz} Hz: first sound {wait_ms:.2} ms after its key");
            assert!(
                (0.0..2.0).contains(&wait_ms),
                "{rate_hz} Hz: first sound {wait_ms:.2} ms after its key"
            );
        }
    });
}

#[test]
fn a_released_note_falls_silent_when_its_release_is_over() {
    in_own_process(|| {
        let plugin = plugin();
        let mut instance = plugin.instance().unwrap();
        // The lowest value of the release: a few milliseconds.
        let lowest = instance.parameter("Release").unwrap().min;
        instance.set_values(&[("Release", lowest)]).unwrap();
        instance.set_render_mode(RenderMode::Offline).unwrap();
        instance.activate(RATE_HZ, 256).unwrap();
        let mut score = Score::new(RATE_HZ, 1.0);
        score.note(60, 0.8, 0.0, 0.5);
        let recording = Recording::of(&mut instance, &score, 256, Pace::Unlimited).unwrap();
        assert!(
            rms(stretch(&recording.left, RATE_HZ, 0.3, 0.5)) > 1.0e-3,
            "the note is heard while it is held"
        );
        let after = stretch(&recording.left, RATE_HZ, 0.55, 1.0);
        assert_eq!(
            first_sound(after, SILENCE),
            None,
            "the note sounds on after its release"
        );
        let [(ended, _)] = recording.note_ends[..] else {
            panic!("one note end: {:?}", recording.note_ends)
        };
        assert!(
            (score.sample_at(0.5)..score.sample_at(0.55)).contains(&ended),
            "the note's end is told at {ended}"
        );
    });
}
