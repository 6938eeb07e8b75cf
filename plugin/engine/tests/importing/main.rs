//! Importing, as a whole: real files of every format, the shipped model, and folders as they are.

mod chance;
mod container;
mod mixed_file;
mod recordings;
mod tone;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use betwixt_engine::audio_file::{self, Part};
use betwixt_engine::import::{ImportJob, ImportOrder, ImportReport};
use betwixt_engine::model::Model;
use betwixt_engine::note_render::{BlendedNote, NoteRender};
use betwixt_engine::pitch_detect;
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::Sound;
use chance::Chance;
use container::{Audio, Depth, aiff, flac, wav};
use mixed_file::{MixedFile, Truth};
use proptest::prelude::*;
use recordings::RECORDINGS;
use tone::{Timbre, note};

/// A pitch is right within this.
const RIGHT_SEMITONES: f64 = 0.2;

fn read(bytes: Vec<u8>, name: &str) -> Result<audio_file::Recording, audio_file::AudioFileError> {
    let source = Box::new(std::io::Cursor::new(bytes));
    audio_file::read_from(source, Path::new(name), 48_000, Part::default())
}

fn sine(rate_hz: u32, channels: usize) -> Audio {
    let channel = |gain: f64| {
        (0..rate_hz / 2)
            .map(|n| gain * 0.5 * (std::f64::consts::TAU * 440.0 * f64::from(n) / f64::from(rate_hz)).sin())
            .collect()
    };
    Audio {
        rate_hz,
        channels: (0..channels).map(|_| channel(1.0)).collect(),
    }
}

#[test]
fn every_format_rate_depth_and_number_of_channels_gives_the_same_tone() {
    let wanted: Vec<f32> = sine(48_000, 1).channels[0]
        .iter()
        .map(|sample| *sample as f32)
        .collect();
    let depths = [
        Depth::Int(1),
        Depth::Int(2),
        Depth::Int(3),
        Depth::Int(4),
        Depth::F32,
        Depth::F64,
    ];
    for rate_hz in [11_025, 44_100, 48_000, 192_000] {
        for channels in [1, 2, 8] {
            let audio = sine(rate_hz, channels);
            for depth in depths {
                let mut files = vec![
                    ("wav", wav(&audio, depth, false)),
                    ("wav", wav(&audio, depth, true)),
                    ("aif", aiff(&audio, depth, false)),
                ];
                match depth {
                    Depth::Int(2) => {
                        files.push(("aifc", aiff(&audio, depth, true)));
                        files.push(("flac", flac(&audio, 2)));
                    }
                    Depth::Int(3) => files.push(("flac", flac(&audio, 3))),
                    _ => {}
                }
                for (extension, bytes) in files {
                    let what = format!("{extension} {rate_hz} Hz {channels} channels {depth:?}");
                    let recording = read(bytes, "in").unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(
                        (recording.file_rate_hz, recording.file_channels),
                        (rate_hz, channels)
                    );
                    assert!(recording.samples.len().abs_diff(24_000) <= 8, "{what}");
                    let worst = recording.samples[4800..19_200]
                        .iter()
                        .zip(&wanted[4800..])
                        .map(|(a, b)| (a - b).abs())
                        .fold(0.0, f32::max);
                    let tolerance = if depth == Depth::Int(1) { 0.02 } else { 1e-3 };
                    assert!(worst < tolerance, "{what}: {worst}");
                }
            }
        }
    }
}

#[test]
fn what_other_programs_packed_is_read_in_tune_and_in_time() {
    for recording in RECORDINGS {
        let what = format!("{} {}", recording.extension, recording.midi);
        let read = read(recording.bytes.to_vec(), "in").unwrap_or_else(|error| panic!("{what}: {error}"));
        let seconds = read.samples.len() as f64 / 48_000.0;
        assert!((0.97..1.1).contains(&seconds), "{what}: {seconds}");
        let pitch = pitch_detect::detect(&read.samples, 48_000).unwrap();
        assert!(
            (f64::from(pitch.midi) - recording.midi).abs() < 0.05,
            "{what}: {pitch:?}"
        );
    }
}

/// A file of each format that says how long it is.
fn files_with_a_length() -> Vec<(&'static str, Vec<u8>)> {
    let audio = sine(44_100, 2);
    let mut files = vec![
        ("in.wav", wav(&audio, Depth::Int(3), true)),
        ("in.aif", aiff(&audio, Depth::Int(2), false)),
        ("in.aifc", aiff(&audio, Depth::F32, false)),
        ("in.flac", flac(&audio, 2)),
    ];
    for recording in RECORDINGS.iter().filter(|recording| recording.extension != "mp3") {
        files.push(("in", recording.bytes.to_vec()));
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_file_that_was_cut_is_refused(which in 0_usize..100, cut in 0.0_f64..0.98) {
        let files = files_with_a_length();
        let (name, bytes) = &files[which % files.len()];
        let kept = (cut * bytes.len() as f64) as usize;
        let message = read(bytes[..kept].to_vec(), name).unwrap_err().to_string();
        prop_assert!(message.starts_with("in") && !message.contains('\n'), "{}", message);
    }

    #[test]
    fn changed_bytes_give_numbers_or_a_reason(
        which in 0_usize..100,
        changes in prop::collection::vec((0.0_f64..1.0, any::<u8>(), any::<bool>()), 1..6),
    ) {
        let mut files = files_with_a_length();
        files.extend(RECORDINGS.iter().map(|recording| ("in", recording.bytes.to_vec())));
        let which = which % files.len();
        let (name, mut bytes) = files.swap_remove(which);
        for (place, byte, is_in_header) in changes {
            let among = if is_in_header { bytes.len().min(100) } else { bytes.len() };
            bytes[(place * among as f64) as usize] = byte;
        }
        match read(bytes, name) {
            Ok(recording) => prop_assert!(recording.samples.iter().all(|sample| sample.is_finite())),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}

/// How a sound plays: an octave of seconds of it, rendered at its own pitch, and what is heard.
fn heard(model: &Model, sound: Sound) -> Option<f64> {
    let pitch = sound.pitch;
    let mut decoder = model.decoder().unwrap();
    let corners = [Some(Arc::new(sound)), None, None, None];
    let weights = [1.0, 0.0, 0.0, 0.0];
    let format = decoder.format();
    let note = BlendedNote::new(
        &corners,
        weights,
        pitch,
        format.dims,
        model.frames_per_embedding_frame(),
    )?;
    let mut note = NoteRender::new(note, 1, format);
    let mut samples = Vec::new();
    while !note.is_done() && samples.len() < format.sample_rate_hz as usize / 2 {
        samples.extend(note.next_run(decoder.as_mut(), &AtomicBool::new(false)).unwrap());
    }
    pitch_detect::detect(&samples, format.sample_rate_hz).map(|found| f64::from(found.midi))
}

fn import(folder: &Path) -> ImportReport {
    let order = ImportOrder {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        ..ImportOrder::of(vec![folder.join("in")], folder.join("out"))
    };
    ImportJob::start(order).unwrap().join().unwrap()
}

/// `BETWIXT_IMPORT_FILES` of them, 100 if it is not set: the same ones each time, and of 1000 the first 100 are these.
#[test]
fn a_folder_of_mixed_files_is_imported_and_each_bad_one_told_of() {
    let count = std::env::var("BETWIXT_IMPORT_FILES").map_or(100, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut chance = Chance(6);
    let mut files: Vec<(PathBuf, MixedFile)> = Vec::new();
    for number in 0..count {
        let file = MixedFile::new(number, &mut chance);
        let place = folder.join(format!("in/{}", number % 7));
        std::fs::create_dir_all(&place).unwrap();
        let path = place.join(&file.name);
        std::fs::write(&path, &file.bytes).unwrap();
        files.push((
            path,
            MixedFile {
                bytes: Vec::new(),
                ..file
            },
        ));
    }
    let report = import(folder);
    assert_eq!(report.sounds.len() + report.failures.len(), count);

    let model = Resources::find().and_then(|found| found.model("spectral"));
    let model = Model::load(&model.unwrap(), DeviceChoice::Cpu).unwrap();
    let (mut pitched, mut right, mut rendered, mut in_tune) = (0, 0, 0, 0);
    let (mut noises, mut known, mut bad, mut strange) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    for (path, file) in &files {
        let sound = report.sounds.iter().find(|sound| sound.source == *path);
        let failure = report.failures.iter().find(|failure| failure.source == *path);
        if let Some(failure) = failure {
            let named = failure.reason.starts_with(&path.display().to_string());
            assert!(
                named && !failure.reason.contains('\n'),
                "{}: {}",
                file.what,
                failure.reason
            );
        }
        let written = sound.map(|sound| Sound::read(&sound.file).unwrap());
        let told = failure.map(|failure| &failure.reason);
        match file.truth {
            Truth::Pitch(midi) => {
                let imported = sound.unwrap_or_else(|| panic!("{}: {told:?}", file.what));
                pitched += 1;
                if !imported.is_unpitched && (f64::from(imported.pitch) - midi).abs() <= RIGHT_SEMITONES {
                    right += 1;
                } else {
                    wrong.push(format!("{midi:.2} {imported:?} {}", file.what));
                }
                if pitched % 8 == 0 && !imported.is_unpitched {
                    rendered += 1;
                    let heard = written.and_then(|sound| heard(&model, sound));
                    if heard.is_some_and(|heard| (heard - midi).abs() <= RIGHT_SEMITONES) {
                        in_tune += 1;
                    } else {
                        wrong.push(format!("{midi:.2} is heard as {heard:?} {}", file.what));
                    }
                }
            }
            Truth::NoPitch => {
                noises += 1;
                known += usize::from(sound.is_some_and(|sound| sound.is_unpitched));
            }
            Truth::Bad => {
                bad += 1;
                assert!(failure.is_some(), "{} became a sound", file.what);
            }
            Truth::Either => strange += 1,
        }
    }
    println!(
        "{count} files in {:.1} s: {right} of {pitched} pitched ones right, {in_tune} of {rendered} heard in tune, {known} of {noises} \
         noises known, {bad} bad ones told of, {strange} strange ones\n{}",
        report.wall_seconds,
        wrong.join("\n")
    );
    assert!(right * 20 >= pitched * 19, "{right} of {pitched}: {wrong:#?}");
    assert!(
        in_tune * 20 >= rendered * 19,
        "{in_tune} of {rendered}: {wrong:#?}"
    );
    assert!(known * 10 >= noises * 9, "{known} of {noises}");
}

/// Writes the tones that [`recordings`] were made of into the folder that `BETWIXT_TONES` names.
#[test]
#[ignore = "the recordings are there"]
fn write_tones() {
    let folder = PathBuf::from(std::env::var_os("BETWIXT_TONES").unwrap());
    for (name, timbre, midi) in [
        ("saw_41.30", Timbre::Saw, 41.3),
        ("organ_57.90", Timbre::Organ, 57.9),
        ("plucked_64.20", Timbre::Plucked, 64.2),
        ("hollow_88.70", Timbre::Hollow, 88.7),
    ] {
        let channel = note(timbre, midi, 1.0, 44_100.0, &mut Chance(9));
        let audio = Audio {
            rate_hz: 44_100,
            channels: vec![channel],
        };
        std::fs::write(
            folder.join(format!("{name}.wav")),
            wav(&audio, Depth::Int(2), false),
        )
        .unwrap();
    }
}
