//! What the tests play with: the shipped model, factory sounds, short scores.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use betwixt_audio::event::{EventKind, NoteAddress};
use betwixt_audio::settings::Settings;
use betwixt_engine::bounce::{Bounce, BounceReport, Score};
use betwixt_engine::encode::{Hints, Label, encode_file};
use betwixt_engine::engine::{DEFAULT_MODEL, Engine, EngineOptions};
use betwixt_engine::library::Library;
use betwixt_engine::midi_file::{MidiFile, TimedEvent};
use betwixt_engine::model::Model;
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::{PresetCorners, SoundRef};
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;

/// A patch of factory sounds.
pub fn patch(corners: [Option<&str>; 4]) -> Patch {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let [a, b, c, d] = corners.map(|file| file.map(|file| SoundRef::Factory(file.into())));
    let library = Library::in_folders(&folder, Path::new("/nowhere"));
    library
        .patch(&PresetCorners { a, b, c, d })
        .expect("the factory sounds are in `presets/sounds`")
}

/// A patch of recordings at 48 kHz, encoded now; all of one pitch.
pub fn patch_of_recordings(recordings: &[Vec<f32>; 4], pitch: f32) -> Patch {
    let folder = Resources::find()
        .and_then(|found| found.model(DEFAULT_MODEL))
        .unwrap();
    let model = Model::load(&folder, DeviceChoice::Cpu).unwrap();
    let mut encoder = model.encoder().unwrap();
    let file = tempfile::NamedTempFile::with_suffix(".wav").unwrap();
    let mut patch = Patch::default();
    for (corner, samples) in recordings.iter().enumerate() {
        let format = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut wav = hound::WavWriter::create(file.path(), format).unwrap();
        samples
            .iter()
            .for_each(|sample| wav.write_sample(*sample).unwrap());
        wav.finalize().unwrap();
        let encoded = encode_file(
            &mut encoder,
            &model.tag(),
            file.path(),
            Hints::of_pitch(Some(pitch)),
            Label::default(),
            &mut |_| {},
            &AtomicBool::new(false),
        );
        patch = patch.with_corner(corner, Some(Arc::new(encoded.unwrap().sound)));
    }
    patch
}

/// An engine of its own.
pub fn engine(options: EngineOptions) -> Arc<Engine> {
    Engine::new(options)
}

/// A key that goes down and up.
pub fn note(key: u8, from: f64, until: f64) -> [TimedEvent; 2] {
    let address = NoteAddress::midi(0, key);
    [
        TimedEvent {
            seconds: from,
            kind: EventKind::NoteOn {
                address,
                velocity: 0.8,
            },
        },
        TimedEvent {
            seconds: until,
            kind: EventKind::NoteOff { address },
        },
    ]
}

/// Keys, each from one second to another.
pub fn score(notes: &[(u8, f64, f64)], length_seconds: f64) -> Score {
    let mut events: Vec<TimedEvent> = notes
        .iter()
        .flat_map(|&(key, from, until)| note(key, from, until))
        .collect();
    events.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let midi = MidiFile {
        events,
        length_seconds,
    };
    Score {
        midi,
        settings: Settings::default(),
        automation: Vec::new(),
    }
}

/// A bounce that has begun.
pub fn start(engine: &Arc<Engine>, patch: Patch, score: Score, rate_hz: u32, block: usize) -> Bounce {
    Bounce::new(engine, patch, score, rate_hz, block).unwrap_or_else(|error| {
        panic!("{error}; `cargo xtask setup` puts ONNX Runtime and the model in place")
    })
}

/// A whole bounce: left and right in turn, and what came of it.
pub fn play(
    engine: &Arc<Engine>,
    patch: Patch,
    score: Score,
    rate_hz: u32,
    block: usize,
) -> (Vec<f32>, BounceReport) {
    let mut bounce = start(engine, patch, score, rate_hz, block);
    let mut samples = Vec::new();
    while let Some((left, right)) = bounce.next_block() {
        samples.extend(left.iter().zip(right).flat_map(|(left, right)| [*left, *right]));
    }
    (samples, bounce.report())
}

/// The left side of what [`play`] gives.
pub fn left(samples: &[f32]) -> Vec<f32> {
    samples.iter().copied().step_by(2).collect()
}

/// Root mean square.
pub fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
}
