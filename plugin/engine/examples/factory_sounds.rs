//! Encodes a folder of recordings into the factory sounds of `presets/sounds`, and leaves out those that the model plays badly.
//!
//! ```text
//! cargo run --release -p betwixt-engine --example factory_sounds -- RECORDINGS presets/sounds [MODEL]
//! ```
//!
//! `RECORDINGS/recordings.json` lists the recordings with what is known of them: `file`, `name`, `family`, `tags`,
//! `pitch`, `author`, `licence`, `source`. `MODEL` is a model's folder, the shipped model's unless given. The same recordings and
//! model give the same bytes. To be run again whenever the model's encoder changes: an embedding means
//! nothing to another.
//!
//! Then a few are made of those by arithmetic. Each sound is played back at its own pitch and an octave up and down, and heard by
//! proxies: the limits are the constants below.

#[path = "../tests/content/hearing.rs"]
#[allow(dead_code, reason = "the tests have the rest of it")]
mod hearing;
#[path = "../tests/content/render.rs"]
#[allow(dead_code, reason = "the tests have the rest of it")]
mod render;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use betwixt_engine::arithmetic::{self, Expression, Names};
use betwixt_engine::audio_file::{self, AudioFileError};
use betwixt_engine::decoder::Decoder;
use betwixt_engine::encode::{Encoded, Hints, Label, encode_file};
use betwixt_engine::engine::DEFAULT_MODEL;
use betwixt_engine::library::Library;
use betwixt_engine::model::Model;
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::{SOUND_EXTENSION, Sound, SoundError};
use serde::Deserialize;

use hearing::{cents_off, loudest_db, mel_db, mel_distance, peak};
use render::RATE_HZ;

/// A sound that is further out of tune than this, at one of its three pitches, is left out, unless it is tagged `inharmonic`.
const MOST_CENTS: f64 = 5.0;
/// The loudest short-time rms at each of its pitches; the encoder's level is -20.
const LEVEL_DB: std::ops::RangeInclusive<f64> = -30.0..=-12.0;
/// Mean difference of the mel spectra of the recording and of what is played at its pitch.
const MOST_DISTANCE_DB: f64 = 5.0;
/// How much of a note is heard.
const HEARD_SECONDS: f64 = 2.5;

/// Sounds that are made of the others: name, family, tags, expression.
const RECIPES: [(&str, &str, &str, &str); 6] = [
    (
        "Struck Choir",
        "vocal",
        "struck sustained vocal synthetic",
        "attack(marimba, body=choir, at_ms=60, crossfade_ms=90)",
    ),
    (
        "Rising Bowl",
        "mallet",
        "rising metallic synthetic",
        "reverse(singing_bowl)",
    ),
    (
        "Bowed Flute",
        "flute",
        "sustained bowed airy synthetic",
        "flute + 0.6*(violin - oboe)",
    ),
    (
        "Brazen Clarinet",
        "reed",
        "sustained bright hollow synthetic",
        "clarinet + trumpet - french_horn",
    ),
    (
        "Plucked Pipes",
        "organ",
        "plucked sustained synthetic",
        "attack(harp, body=mean(stopped_pipe, church_organ), at_ms=80, crossfade_ms=120)",
    ),
    (
        "Hollow Strings",
        "string",
        "sustained hollow wide synthetic",
        "mean(string_ensemble, viola) + 0.5*(square_lead - saw_lead)",
    ),
];

/// What is known of a recording.
#[derive(Debug, Deserialize)]
struct Recording {
    file: String,
    name: String,
    family: String,
    tags: Vec<String>,
    pitch: f32,
    author: String,
    licence: String,
    source: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (recordings, sounds, model) = match arguments.as_slice() {
        [recordings, sounds] => (recordings, sounds, Resources::find()?.model(DEFAULT_MODEL)?),
        [recordings, sounds, model] => (recordings, sounds, model.clone()),
        _ => return Err("expected: RECORDINGS SOUNDS [MODEL]".into()),
    };
    let list: Vec<Recording> = serde_json::from_slice(&std::fs::read(recordings.join("recordings.json"))?)?;
    let model = Model::load(&model, DeviceChoice::Cpu)?;
    let (mut encoder, mut decoder) = (model.encoder()?, model.decoder()?);
    std::fs::create_dir_all(sounds)?;
    println!(
        "cents and level at its pitch, its distance to the recording; an octave down; an octave up; how it goes on"
    );
    let mut left_out = Vec::new();
    for recording in list {
        let file = recordings.join(&recording.file);
        let label = Label {
            name: recording.name,
            family: recording.family,
            tags: recording.tags,
            licence: recording.licence,
            source: recording.source,
        };
        let cancel = AtomicBool::new(false);
        let mut encoded = encode_file(
            &mut encoder,
            &model.tag(),
            &file,
            Hints::of_pitch(Some(recording.pitch)),
            label,
            &mut |_| {},
            &cancel,
        )?;
        encoded.sound.credits.author = recording.author;
        let recorded = levelled(&encoded, &file)?;
        left_out.extend(keep(
            &model,
            decoder.as_mut(),
            &encoded.sound,
            Some(&recorded),
            sounds,
        )?);
    }
    // Every name is bound: what lies in another folder is not meant.
    let library = Library::in_folders(sounds, sounds);
    for (name, family, tags, expression) in RECIPES {
        let expression = Expression::parse(expression)?;
        let mut names = Names::of(&library);
        for ingredient in expression.names() {
            names = names.with_file(
                ingredient,
                &sounds.join(format!("{ingredient}.{SOUND_EXTENSION}")),
            );
        }
        let mut sound = arithmetic::blend(&model, &names.find(&expression)?, name, &AtomicBool::new(false))?;
        sound.family = family.into();
        sound.tags = tags.split(' ').map(String::from).collect();
        sound.credits.author = "Betwixt".into();
        left_out.extend(keep(&model, decoder.as_mut(), &sound, None, sounds)?);
    }
    for left_out in left_out {
        println!("left out: {left_out}");
    }
    Ok(())
}

/// The recording as the encoder heard it.
fn levelled(encoded: &Encoded, file: &Path) -> Result<Vec<f32>, AudioFileError> {
    let recorded = audio_file::read(file, RATE_HZ)?;
    let begin = (encoded.trimmed_seconds * f64::from(RATE_HZ)).round() as usize;
    let gain = 10_f32.powf(encoded.sound.gain_db / 20.0);
    Ok(recorded.samples[begin..]
        .iter()
        .map(|sample| sample * gain)
        .collect())
}

/// Writes a sound if it is well played, and tells what is heard of it; gives the reason why it is left out.
fn keep(
    model: &Model,
    decoder: &mut dyn Decoder,
    sound: &Sound,
    recorded: Option<&[f32]>,
    folder: &Path,
) -> Result<Option<String>, SoundError> {
    let is_pitched = !sound.tags.iter().any(|tag| tag == "inharmonic");
    let (mut told, mut complaints) = (format!("{:20}", sound.name), Vec::new());
    for octave in [0.0, -12.0, 12.0] {
        let pitch = sound.pitch + octave;
        let samples = render::note(model, decoder, sound, pitch, HEARD_SECONDS);
        let cents = cents_off(&samples, RATE_HZ, f64::from(pitch));
        let level = loudest_db(&samples);
        told += &format!(
            "{:>7} {level:5.1}",
            cents.map_or("-".into(), |cents| format!("{cents:.1}"))
        );
        if is_pitched && !cents.is_some_and(|cents| cents.abs() < MOST_CENTS) {
            complaints.push(format!("{cents:.1?} cents off at {pitch}"));
        }
        if !LEVEL_DB.contains(&level) || peak(&samples) >= 1.0 {
            complaints.push(format!("{level:.1} dB at {pitch}"));
        }
        if let Some(recorded) = recorded.filter(|_| octave == 0.0) {
            let distance = mel_distance(&mel_db(recorded, RATE_HZ), &mel_db(&samples, RATE_HZ));
            told += &format!("{distance:5.1} dB");
            if distance > MOST_DISTANCE_DB {
                complaints.push(format!("{distance:.1} dB from its recording"));
            }
        }
    }
    let ending = if sound.loop_region.is_some() {
        "looped"
    } else {
        "ends by itself"
    };
    println!("{told}  {ending}");
    if complaints.is_empty() {
        let file = sound.name.to_lowercase().replace(' ', "_");
        sound.write(&folder.join(format!("{file}.{SOUND_EXTENSION}")))?;
        return Ok(None);
    }
    Ok(Some(format!("{}: {}", sound.name, complaints.join(", "))))
}
