//! Packs that Betwixt renders, imported again: real recordings of factory sounds, in every form that is read, encoded, and played.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use betwixt_audio::event::{EventKind, NoteAddress};
use betwixt_audio::settings::Settings;
use betwixt_engine::automation_curve::AutomationCurve;
use betwixt_engine::bounce::{Bounce, Score};
use betwixt_engine::encode::Label;
use betwixt_engine::encoder::Encoder;
use betwixt_engine::engine::{DEFAULT_MODEL, Engine, EngineOptions};
use betwixt_engine::library::Library;
use betwixt_engine::midi_file::{MidiFile, TimedEvent};
use betwixt_engine::model::Model;
use betwixt_engine::multisample::{self, EncodedInstrument, Kind, MultisampleError};
use betwixt_engine::pack::options::{BlendsAs, PackFormat, PackOptions, Shard};
use betwixt_engine::pack::{PackJob, PackOrder};
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use betwixt_engine::pitch_detect;
use betwixt_engine::preset::SoundRef;
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::{DEFAULT_VELOCITY, Sound};

const RATE_HZ: u32 = 48_000;
/// All of it is held, and it has a clear pitch.
const HELD_PRESET: &str = "string_machine";
/// Woodwind, voices, a plucked and a bowed string: corners that differ.
const MIXED_PRESET: &str = "far_valley";

/// A pack of a factory preset.
fn pack(preset: &str, options: PackOptions, output: &Path) -> PathBuf {
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let library = Library::in_folders(&presets, Path::new("/nowhere"));
    let preset = library.preset(preset).unwrap();
    let order = PackOrder {
        patch: library.patch(&preset.corners).unwrap(),
        preset,
        options,
        shard: Shard::WHOLE,
        output: output.into(),
        model: None,
        threads: 1,
    };
    PackJob::start(order).unwrap().join().unwrap().folder
}

struct Studio {
    encoder: Encoder,
    model: String,
    engine: Arc<Engine>,
}

impl Studio {
    fn new() -> Self {
        let folder = Resources::find().and_then(|found| found.model(DEFAULT_MODEL));
        let folder = folder.unwrap_or_else(|error| panic!("{error}; `cargo xtask setup` puts it in place"));
        let model = Model::load(&folder, DeviceChoice::Cpu).unwrap();
        Self {
            encoder: model.encoder().unwrap(),
            model: model.tag(),
            engine: Engine::new(EngineOptions::default()),
        }
    }

    /// The one instrument of a path.
    fn import(&mut self, path: &Path, kind: Kind) -> EncodedInstrument {
        let collection = multisample::open(path).unwrap();
        assert_eq!(
            (collection.kind, collection.instruments.len()),
            (kind, 1),
            "{}",
            path.display()
        );
        assert_eq!(collection.skipped, []);
        let never = AtomicBool::new(false);
        let label = Label::default();
        let instrument = &collection.instruments[0];
        let encoded = instrument.encode(&mut self.encoder, &self.model, &label, &mut |_, _| {}, &never);
        encoded.unwrap()
    }

    /// A second of a sound's note.
    fn play(&self, sound: &Sound, key: u8, velocity: u8) -> Vec<f32> {
        let patch = Patch::default().with_corner(0, Some(Arc::new(sound.clone())));
        self.bounce(patch, score(key, velocity), 512)
    }

    fn bounce(&self, patch: Patch, score: Score, block: usize) -> Vec<f32> {
        let mut bounce = Bounce::new(&self.engine, patch, score, RATE_HZ, block).unwrap();
        let mut samples = Vec::new();
        while let Some((left, _)) = bounce.next_block() {
            samples.extend_from_slice(left);
        }
        samples
    }
}

/// A note that is held for a second.
fn score(key: u8, velocity: u8) -> Score {
    let address = NoteAddress::midi(0, key);
    let velocity = f32::from(velocity) / 127.0;
    Score {
        midi: MidiFile {
            events: vec![
                TimedEvent {
                    seconds: 0.0,
                    kind: EventKind::NoteOn { address, velocity },
                },
                TimedEvent {
                    seconds: 0.95,
                    kind: EventKind::NoteOff { address },
                },
            ],
            length_seconds: 1.0,
        },
        settings: Settings::default(),
        automation: Vec::new(),
    }
}

/// Levels of the first harmonics of a note in dB, about their mean: its timbre, however loud.
fn harmonics_db(samples: &[f32], key: u8) -> Vec<f64> {
    let f0_hz = 440.0 * ((f64::from(key) - 69.0) / 12.0).exp2();
    let heard = &samples[12_000..36_000];
    let level = |harmonic: usize| {
        let turn = std::f64::consts::TAU * f0_hz * harmonic as f64 / f64::from(RATE_HZ);
        let (mut re, mut im) = (0.0, 0.0);
        for (index, sample) in heard.iter().enumerate() {
            let window = 0.5 - 0.5 * (std::f64::consts::TAU * index as f64 / heard.len() as f64).cos();
            let (sin, cos) = (turn * index as f64).sin_cos();
            re += window * f64::from(*sample) * cos;
            im += window * f64::from(*sample) * sin;
        }
        10.0 * (re * re + im * im + 1e-9).log10()
    };
    let levels: Vec<f64> = (1..=10).map(level).collect();
    let mean = levels.iter().sum::<f64>() / levels.len() as f64;
    levels.into_iter().map(|level| level - mean).collect()
}

/// How far two notes' timbres are apart, in dB.
fn apart_db(a: &[f32], b: &[f32], key: u8) -> f64 {
    let (a, b) = (harmonics_db(a, key), harmonics_db(b, key));
    let sum: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
    (sum / a.len() as f64).sqrt()
}

#[test]
fn a_pack_of_every_form_comes_back_as_one_sound_in_tune_at_each_of_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut studio = Studio::new();
    let keys = [43_u8, 55, 67, 79];
    for (format, kind) in [
        (PackFormat::Sfz, Kind::Sfz),
        (PackFormat::DecentSampler, Kind::DecentSampler),
        (PackFormat::Multisample, Kind::Multisample),
        (PackFormat::Nsynth, Kind::Nsynth),
        (PackFormat::Wav, Kind::NamedFiles),
    ] {
        let usual = PackOptions::of(format);
        let options = PackOptions {
            keys: "43:79:12".parse().unwrap(),
            seconds: if format == PackFormat::Nsynth {
                usual.seconds
            } else {
                2.0
            },
            ..usual
        };
        let made = pack(HELD_PRESET, options, &folder.path().join(kind.to_string()));
        let path = if kind == Kind::NamedFiles {
            made.join("samples")
        } else {
            made
        };
        assert_eq!(multisample::recognise(&path), Some(kind));
        let encoded = studio.import(&path, kind);
        assert_eq!((encoded.recordings, encoded.skipped), (4, vec![]), "{kind}");
        let sound = encoded.sound;
        let mut pitches: Vec<f32> = sound.further.iter().map(|layer| layer.pitch).collect();
        pitches.push(sound.pitch);
        pitches.sort_by(f32::total_cmp);
        assert_eq!(pitches, keys.map(f32::from), "{kind}");
        assert!(!sound.has_velocities() && Sound::from_bytes(&sound.to_bytes()).as_ref() == Ok(&sound));
        // At its keys, and between two of them.
        for key in keys.into_iter().chain([61]) {
            let played = studio.play(&sound, key, 100);
            let found = pitch_detect::detect(&played, RATE_HZ).unwrap();
            let cents = 100.0 * (found.midi - f32::from(key));
            println!("{kind} key {key}: {cents:+.1} cents");
            assert!(cents.abs() <= 20.0, "{kind} key {key}: {cents} cents");
        }
    }
}

/// A sound of two pitches with three velocities each, which are three places on the pad of a preset.
fn three_velocities() -> Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    let import = || {
        let folder = tempfile::tempdir().unwrap();
        let options = PackOptions {
            keys: "57:69:12".parse().unwrap(),
            seconds: 2.0,
            blends: "path:3".parse().unwrap(),
            blends_as: BlendsAs::Velocities,
            ..PackOptions::of(PackFormat::Sfz)
        };
        let made = pack(MIXED_PRESET, options, &folder.path().join("pack"));
        Studio::new().import(&made, Kind::Sfz).sound
    };
    SOUND.get_or_init(import).clone()
}

#[test]
fn three_velocities_are_three_timbres_and_what_lies_between_is_between() {
    let studio = Studio::new();
    let sound = three_velocities();
    assert_eq!(sound.further.len(), 5);
    let key = 57;
    let [soft, medium, hard] = [22, 64, 106].map(|velocity| studio.play(&sound, key, velocity));
    let ways = [
        apart_db(&soft, &medium, key),
        apart_db(&medium, &hard, key),
        apart_db(&soft, &hard, key),
    ];
    println!("soft to medium, medium to hard, soft to hard: {ways:.1?} dB");
    assert!(ways.iter().all(|way| *way > 2.0), "{ways:?}");
    // Half way between two layers it is about as far from either, and from both less than they are from one another.
    let between = studio.play(&sound, key, 43);
    let halves = [apart_db(&soft, &between, key), apart_db(&between, &medium, key)];
    println!("between soft and medium: {halves:.1?} dB");
    assert!(
        halves.iter().all(|half| *half < ways[0]),
        "{halves:?} of {}",
        ways[0]
    );
    // The sound of one layer is that, however hard it is struck.
    let plain = Sound {
        velocity: DEFAULT_VELOCITY,
        further: Vec::new(),
        ..sound
    };
    let [soft, hard] = [22, 106].map(|velocity| studio.play(&plain, key, velocity));
    let apart = apart_db(&soft, &hard, key);
    println!("without layers: {apart:.3} dB");
    assert!(apart < 0.1, "{apart}");
}

#[test]
fn a_sound_with_layers_is_the_same_in_blocks_of_any_size_while_its_blend_moves() {
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let library = Library::in_folders(&presets, Path::new("/nowhere"));
    let flute = library.sound(&SoundRef::Factory("flute.sound".into())).unwrap();
    let patch = Patch::default()
        .with_corner(0, Some(Arc::new(three_velocities())))
        .with_corner(1, Some(flute));
    let curve = AutomationCurve::from_bytes(b"0,0\n0.8,1").unwrap();
    let played = |block: usize| {
        let score = Score {
            automation: vec![(Parameter::BlendX, curve.clone())],
            ..score(62, 45)
        };
        // An engine of its own: nothing is there from before.
        Studio::new().bounce(patch.clone(), score, block)
    };
    let bits = |samples: Vec<f32>| samples.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert!(bits(played(64)) == bits(played(1000)));
}

/// The samples of a pack of three keys an octave apart.
fn octaves(folder: &Path) -> PathBuf {
    let options = PackOptions {
        keys: "48:72:12".parse().unwrap(),
        seconds: 1.0,
        ..PackOptions::of(PackFormat::Wav)
    };
    pack(HELD_PRESET, options, &folder.join("pack")).join("samples")
}

#[test]
fn bad_recordings_are_told_and_left_out_and_cancelling_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut studio = Studio::new();
    let made = octaves(folder.path());
    let mut files: Vec<PathBuf> = std::fs::read_dir(&made)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    std::fs::write(&files[0], "no recording").unwrap();
    let whole = std::fs::read(&files[2]).unwrap();
    std::fs::write(&files[2], &whole[..whole.len() / 2]).unwrap();
    let encoded = studio.import(&made, Kind::NamedFiles);
    assert_eq!((encoded.recordings, encoded.sound.further.len()), (1, 0));
    assert_eq!(encoded.skipped.len(), 2, "{:?}", encoded.skipped);
    assert!(
        encoded.skipped[0].reason.contains("is no audio file"),
        "{}",
        encoded.skipped[0]
    );

    let collection = multisample::open(&made).unwrap();
    let (cancel, label) = (AtomicBool::new(false), Label::default());
    let mut done = Vec::new();
    let mut progress = |finished, of| {
        done.push((finished, of));
        cancel.store(finished == 1, Ordering::Relaxed);
    };
    let instrument = &collection.instruments[0];
    let ended = instrument.encode(&mut studio.encoder, &studio.model, &label, &mut progress, &cancel);
    assert!(matches!(ended, Err(MultisampleError::Cancelled)));
    assert_eq!(done, [(0, 3), (1, 3)]);

    std::fs::write(&files[1], "").unwrap();
    std::fs::write(&files[2], "").unwrap();
    let never = AtomicBool::new(false);
    let ended = instrument.encode(&mut studio.encoder, &studio.model, &label, &mut |_, _| {}, &never);
    let message = ended.unwrap_err().to_string();
    assert!(
        message.contains("none of 3 recordings can be encoded; of the first is told: "),
        "{message}"
    );
}

#[test]
fn names_of_the_other_octave_are_heard_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut studio = Studio::new();
    let made = octaves(folder.path());
    let named = folder.path().join("Strings");
    std::fs::create_dir(&named).unwrap();
    // As those name them who call middle C C3.
    for (key, name) in [(48, "C2"), (60, "C3"), (72, "C4")] {
        let files = std::fs::read_dir(&made)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let of_key = files
            .into_iter()
            .find(|file| file.to_string_lossy().contains(&format!("_{key:03}-")));
        std::fs::copy(of_key.unwrap(), named.join(format!("Strings {name}.wav"))).unwrap();
    }
    let sound = studio.import(&named, Kind::NamedFiles).sound;
    assert_eq!(sound.name, "Strings");
    let mut pitches: Vec<f32> = sound.further.iter().map(|layer| layer.pitch).collect();
    pitches.push(sound.pitch);
    pitches.sort_by(f32::total_cmp);
    assert_eq!(pitches, [48.0, 60.0, 72.0]);
}
