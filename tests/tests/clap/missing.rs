//! A part is missing or broken: the plugin loads, keeps its state, plays nothing new, does not hold up the host,
//! and says why.

use std::fs;
use std::time::{Duration, Instant};

use betwixt_tests::bundle::Bundle;
use betwixt_tests::own_process::in_own_process;
use betwixt_tests::plugin::Plugin;
use betwixt_tests::score::Score;

use crate::stage::{RATE_HZ, bounce_with, offline, plugin};

/// What a host may be held up by, for two seconds of a bounce.
const LIMIT: Duration = Duration::from_secs(5);

/// Opens a project with a bundle that `spoil` took something from, and bounces: silence, told within a moment.
/// `why` is what the plugin's own account of itself has to name.
fn play_without(spoil: impl FnOnce(&Bundle), why: &str) {
    let mut whole = offline(&plugin(), RATE_HZ);
    let state = whole.save_state().unwrap();
    drop(whole);

    let folder = tempfile::tempdir().unwrap();
    let bundle = Bundle::built().unwrap().copy_to(folder.path()).unwrap();
    spoil(&bundle);
    let plugin = Plugin::load(&bundle.clap()).expect("the plugin loads without it");
    let mut instance = plugin.instance().expect("and makes an instance");
    instance.load_state(&state).expect("and takes a state");
    assert_eq!(instance.save_state().unwrap(), state, "and gives it back");
    drop(instance);

    let mut instance = offline(&plugin, RATE_HZ);
    instance.load_state(&state).unwrap();
    let mut score = Score::new(RATE_HZ, 2.0);
    for key in [48, 60, 64] {
        score.note(key, 0.8, 0.0, 1.0);
    }
    let started = Instant::now();
    let recording = bounce_with(&mut instance, &score);
    let took = started.elapsed();
    println!("a silent bounce took {took:?}");
    assert!(
        recording
            .left
            .iter()
            .chain(&recording.right)
            .all(|&sample| sample == 0.0),
        "it plays something"
    );
    assert!(took < LIMIT, "it held up the host for {took:?}");
    assert_eq!(recording.note_ends.len(), 3, "ends of notes that could not sound");
    assert_eq!(
        recording.may_sleep.last(),
        Some(&true),
        "it stays awake for notes that will never sound"
    );
    assert_eq!(instance.save_state().unwrap(), state, "it lost its state");
    let status = plugin.status().expect("the plugin's account of itself");
    assert_eq!(status["model_state"], "failed", "{status}");
    let told = status["why"].as_str().unwrap_or_default();
    println!("it says: {told}");
    assert!(told.contains(why), "{why:?} is not named in {told:?}");
}

#[test]
fn without_onnx_runtime_it_is_silent_and_says_so() {
    in_own_process(|| {
        play_without(
            |bundle| fs::remove_file(bundle.onnx_runtime()).expect("the copy has the library"),
            "onnxruntime",
        );
    });
}

#[test]
fn with_a_library_that_is_none_it_is_silent_and_says_so() {
    in_own_process(|| {
        play_without(
            |bundle| fs::write(bundle.onnx_runtime(), b"not a library").expect("the copy has the library"),
            "onnxruntime",
        );
    });
}

#[test]
fn without_models_it_is_silent_and_says_so() {
    in_own_process(|| {
        play_without(
            |bundle| fs::remove_dir_all(bundle.models()).expect("the copy has models"),
            "model",
        );
    });
}

#[test]
fn with_half_a_decoder_it_is_silent_and_says_so() {
    in_own_process(|| {
        play_without(
            |bundle| {
                let decoder = bundle.models().join("spectral").join("decoder.onnx");
                let graph = fs::read(&decoder).expect("the copy has a decoder");
                fs::write(&decoder, &graph[..graph.len() / 2]).expect("the copy can be written");
            },
            "decoder",
        );
    });
}
