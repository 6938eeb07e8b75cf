//! Offline, the same project gives the same bytes: by one instance or two, cold or warm, in blocks of any size.

use std::path::Path;
use std::process::Command;

use betwixt_tests::bundle::Bundle;
use betwixt_tests::instance::Instance;
use betwixt_tests::own_process::in_own_process;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::Score;

use crate::stage::{RATE_HZ, bounce_with, id, offline, plugin};

/// Chords, a tune, releases that overlap, a moving blend, more notes than voices at one place.
fn busy_score(instance: &Instance) -> Score {
    let mut score = Score::new(RATE_HZ, 4.0);
    score.ramp(id(instance, "Blend X"), (0.0, 0.1), (4.0, 0.9), 0.05);
    for (index, root) in [48_u16, 53, 55, 48].into_iter().enumerate() {
        for step in [0, 4, 7, 11] {
            score.note(root + step, 0.6, index as f64, 0.95);
        }
    }
    for step in 0..24_u16 {
        score.note(
            60 + (step * 5) % 24,
            0.5 + 0.02 * f64::from(step),
            0.15 * f64::from(step),
            0.2,
        );
    }
    for key in 30..100 {
        score.note(key, 0.3, 3.6, 0.1);
    }
    score
}

#[test]
fn two_bounces_are_the_same_to_the_last_bit() {
    in_own_process(|| {
        let plugin = plugin();
        let mut instance = offline(&plugin, RATE_HZ);
        let score = busy_score(&instance);
        let cold = bounce_with(&mut instance, &score);
        instance.deactivate();
        instance.activate(RATE_HZ, 4096).unwrap();
        let again = bounce_with(&mut instance, &score);
        assert_eq!(
            cold.first_difference(&again),
            None,
            "the same instance, activated again"
        );
        instance.reset().unwrap();
        let reset = bounce_with(&mut instance, &score);
        assert_eq!(cold.first_difference(&reset), None, "the same instance, reset");
        let other = bounce_with(&mut offline(&plugin, RATE_HZ), &score);
        assert_eq!(cold.first_difference(&other), None, "another instance");
    });
}

#[test]
fn block_sizes_do_not_change_a_bounce() {
    in_own_process(|| {
        let plugin = plugin();
        let score = busy_score(&plugin.instance().unwrap());
        let play = |block: usize| {
            Recording::of(&mut offline(&plugin, RATE_HZ), &score, block, Pace::Unlimited).unwrap()
        };
        let reference = play(256);
        for block in [1024, 333, 64, 32, 17, 4096] {
            assert_eq!(
                reference.first_difference(&play(block)),
                None,
                "blocks of {block} against 256"
            );
        }
    });
}

#[test]
fn two_processes_bounce_the_same() {
    in_own_process(|| {
        let clap = Bundle::built().unwrap().clap();
        let folder = tempfile::tempdir().unwrap();
        let play = |name: &str| {
            let wav = folder.path().join(name);
            let mut demo = Command::new(env!("CARGO_BIN_EXE_play-demo"));
            demo.arg("--clap")
                .arg(&clap)
                .arg("--out")
                .arg(&wav)
                .arg("--report")
                .arg(folder.path().join("report"));
            let status = demo.args(["--only", "offline"]).status().expect("play-demo runs");
            assert!(status.success(), "play-demo: {status}");
            read(&wav)
        };
        assert!(
            play("first.wav") == play("second.wav"),
            "two processes bounced different bytes"
        );
    });
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the bounced file")
}
