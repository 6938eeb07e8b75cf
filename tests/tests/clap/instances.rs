//! Many instances, one engine: the model is in memory once, a rendered note is every instance's, and instances
//! that go while notes render leave nothing behind.

use std::thread;

use betwixt_tests::own_process::in_own_process;
use betwixt_tests::process;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::Score;

use crate::stage::{BLOCK, RATE_HZ, bounce, bounce_with, offline, plugin};

/// What a further instance may add to memory: voices, rings, its sounds; no model, no runtime.
const INSTANCE_BYTES: u64 = 8 << 20;

fn notes(keys: std::ops::Range<u16>) -> Score {
    let mut score = Score::new(RATE_HZ, 4.0);
    for key in keys {
        score.note(key, 0.5, 0.0, 3.9);
    }
    score
}

#[test]
fn a_second_instance_shares_the_model_and_the_rendered_notes() {
    in_own_process(|| {
        let plugin = plugin();
        let score = notes(48..78);
        let mut first = offline(&plugin, RATE_HZ);
        let before = process::cpu_seconds().unwrap();
        let sound = bounce_with(&mut first, &score);
        let first_s = process::cpu_seconds().unwrap() - before;

        let (memory, threads) = (process::resident_bytes().unwrap(), process::threads().unwrap());
        let before = process::cpu_seconds().unwrap();
        let mut second = offline(&plugin, RATE_HZ);
        let again = bounce_with(&mut second, &score);
        let second_s = process::cpu_seconds().unwrap() - before;
        // The recording itself is the host's.
        let recording = 2 * 4 * again.left.len() as u64;
        let grown = process::resident_bytes()
            .unwrap()
            .saturating_sub(memory + recording);

        println!(
            "first {first_s:.2} s of processor time, second {second_s:.2} s; second instance {:.1} MB",
            grown as f64 / 1.0e6
        );
        assert_eq!(sound.first_difference(&again), None);
        assert!(grown < INSTANCE_BYTES, "a second instance takes {grown} bytes");
        assert!(
            second_s < 0.5 * first_s,
            "the second instance renders the notes again: {second_s:.2} of {first_s:.2} s"
        );
        assert_eq!(
            process::threads().unwrap(),
            threads,
            "the second instance has threads of its own"
        );
    });
}

#[test]
fn fifty_instances_come_and_go_while_notes_render() {
    in_own_process(|| {
        let plugin = plugin();
        let reference = bounce(&plugin, &notes(60..64));
        let held = plugin.instance().unwrap();
        let (mut memory, threads) = (0, process::threads().unwrap());
        let mut alive = Vec::new();
        for round in 0..50_u16 {
            let mut instance = plugin.instance().unwrap();
            instance.activate(RATE_HZ, BLOCK).unwrap();
            let mut score = Score::new(RATE_HZ, 0.02);
            for step in 0..6 {
                score.note_on(0, 30 + (round * 7 + step * 11) % 70, 0.5);
            }
            Recording::of(&mut instance, &score, BLOCK, Pace::Unlimited).unwrap();
            alive.push(instance);
            // Some go at once, some live on for a while; all go with notes under way.
            if round % 3 != 0 {
                alive.remove(usize::from(round) % alive.len());
            }
            if round == 24 {
                memory = process::resident_bytes().unwrap();
            }
        }
        drop(alive);
        let grown = process::resident_bytes().unwrap().saturating_sub(memory);
        println!("the last 25 instances left {:.1} MB", grown as f64 / 1.0e6);
        assert!(
            grown < 25 * INSTANCE_BYTES,
            "25 instances that are gone left {grown} bytes"
        );
        drop(held);
        let again = bounce(&plugin, &notes(60..64));
        assert_eq!(
            reference.first_difference(&again),
            None,
            "what came and went changed the sound"
        );
        assert!(process::threads().unwrap() <= threads, "threads were left behind");
    });
}

#[test]
fn instances_on_several_threads_play_the_same() {
    in_own_process(|| {
        let plugin = plugin();
        let players: Vec<_> = (0..4)
            .map(|_| {
                let plugin = plugin.clone();
                thread::spawn(move || bounce(&plugin, &notes(50..58)))
            })
            .collect();
        let recordings: Vec<_> = players
            .into_iter()
            .map(|player| player.join().expect("a player"))
            .collect();
        for recording in &recordings[1..] {
            assert_eq!(recordings[0].first_difference(recording), None);
        }
    });
}
