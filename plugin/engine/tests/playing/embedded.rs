//! A model that makes one sample a step and is told no pitch: a tiny one, with random weights.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use betwixt_audio::settings::Settings;
use betwixt_engine::bounce::Bounce;
use betwixt_engine::encode::{Hints, Label, encode_file};
use betwixt_engine::engine::EngineOptions;
use betwixt_engine::instance::Instance;
use betwixt_engine::model::Model;
use betwixt_engine::note_store::NoteShelf;
use betwixt_engine::patch::Patch;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::Sound;
use betwixt_engine::status::ModelStatus;

use crate::stage::{engine, patch, play, rms, score};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/step/float")
}

/// A second of a tone at middle C, encoded by the model.
fn sound() -> Arc<Sound> {
    let model = Model::load(&folder(), DeviceChoice::Cpu).unwrap();
    let file = tempfile::NamedTempFile::with_suffix(".wav").unwrap();
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut wav = hound::WavWriter::create(file.path(), format).unwrap();
    for i in 0..16_000 {
        let turn = std::f32::consts::TAU * 261.63 * i as f32 / 16_000.0;
        wav.write_sample(0.2 * turn.sin()).unwrap();
    }
    wav.finalize().unwrap();
    let encoded = encode_file(
        &mut model.encoder().unwrap(),
        &model.tag(),
        file.path(),
        Hints::of_pitch(Some(60.0)),
        Label::default(),
        &mut |_| {},
        &AtomicBool::new(false),
    );
    Arc::new(encoded.unwrap().sound)
}

#[test]
fn one_recording_becomes_a_sound_at_the_pitches_of_two_octaves_around_it() {
    let sound = sound();
    let pitches: Vec<f32> = sound.further.iter().map(|further| further.pitch).collect();
    assert_eq!(pitches.first(), Some(&36.0));
    assert_eq!((pitches.last(), pitches.len()), (Some(&84.0), 13));
    let frames = sound.embedding.frames();
    assert!(
        sound
            .further
            .iter()
            .all(|further| further.embedding.frames() == frames)
    );
    // At its own pitch it is what it is without being played faster.
    let own = sound
        .further
        .iter()
        .find(|further| further.pitch == 60.0)
        .unwrap();
    let apart = own.embedding.values().iter().zip(sound.embedding.values());
    assert!(apart.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-5);
    let back = Sound::from_bytes(&sound.to_bytes()).unwrap();
    assert_eq!(back, *sound);
}

#[test]
fn its_notes_are_played_from_the_grid_and_come_from_the_disk_the_second_time() {
    let kept = tempfile::tempdir().unwrap();
    let options = || EngineOptions {
        model: Some(folder()),
        shelf: Some(NoteShelf {
            folder: kept.path().to_path_buf(),
            limit_bytes: 1 << 30,
        }),
        ..EngineOptions::default()
    };
    let sounds = Patch::default().with_corner(0, Some(sound()));
    let score = score(&[(48, 0.0, 0.9), (62, 0.1, 0.8), (100, 0.2, 0.6)], 1.0);
    let first = engine(options());
    let (samples, report) = play(&first, sounds.clone(), score.clone(), 48_000, 256);
    let why = first.status().last_failure;
    assert_eq!((report.notes_refused, report.underruns), (0, 0), "{why:?}");
    assert!(rms(&samples) > 1e-4);
    assert!(matches!(
        first.status().model,
        ModelStatus::Ready {
            slowness: Some(_),
            ..
        }
    ));
    drop(first);
    let second = engine(options());
    let (again, _) = play(&second, sounds, score, 48_000, 1000);
    assert!(samples == again);
    assert_eq!(second.status().rendered_samples, 0);
}

#[test]
fn a_sound_of_another_model_is_refused_in_a_sentence() {
    let engine = engine(EngineOptions {
        model: Some(folder()),
        ..EngineOptions::default()
    });
    let flute = patch([Some("flute.sound"), None, None, None]);
    let score = score(&[(60, 0.0, 0.1)], 0.2);
    let message = Bounce::new(&engine, flute, score, 48_000, 256)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("corner A: the sound ") && message.contains("step_float"),
        "{message}"
    );
}

/// Marks the process whose user's folder holds the model.
const CHILD_VARIABLE: &str = "BETWIXT_TEST_USER_MODEL";

/// What that process does; nothing unless it is that process.
#[test]
fn a_process_whose_user_has_the_model() {
    if std::env::var_os(CHILD_VARIABLE).is_none() {
        return;
    }
    let engine = engine(EngineOptions::default());
    let (instance, _end) = Instance::new(&engine);
    let loaded = |name: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !matches!(engine.status().model, ModelStatus::Ready { tag, .. } if tag.starts_with(name)) {
            assert!(Instant::now() < deadline, "{:?}", engine.status());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    instance.set_patch(Patch::default().with_corner(0, Some(sound())));
    instance.activate();
    loaded("step_float ");
    let settings = Settings::default();
    let strike = settings.strike(settings.timbre());
    let deadline = Instant::now() + Duration::from_secs(60);
    while instance.readiness(strike).grid.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pitches = instance
        .readiness(strike)
        .grid
        .unwrap()
        .pitches()
        .collect::<Vec<_>>();
    assert_eq!(
        (pitches[0], pitches[pitches.len() - 1]),
        (36, 84),
        "those of the sound"
    );
    // Other sounds, another model.
    instance.set_patch(patch([Some("flute.sound"), None, None, None]));
    loaded("spectral ");
}

#[test]
fn the_sounds_decide_which_model_is_loaded() {
    let user = tempfile::tempdir().unwrap();
    let model = user.path().join("models/mine");
    std::fs::create_dir_all(&model).unwrap();
    for entry in std::fs::read_dir(folder()).unwrap().flatten() {
        std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::a_process_whose_user_has_the_model"])
        .env("BETWIXT_USER", user.path())
        .env("BETWIXT_CACHE", user.path().join("cache"))
        .env(CHILD_VARIABLE, "1")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
}
