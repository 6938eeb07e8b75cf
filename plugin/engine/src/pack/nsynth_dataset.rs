//! The form of the NSynth dataset (Engel et al. 2017): `examples.json` and `audio/NAME.wav`, 4 s of 16-bit mono at 16 kHz, held
//! for 3 s.
//!
//! A pure function of recipe, plan and files. An instrument of the dataset is a blend, and each take of it: the dataset has one
//! note for each pitch and velocity. Its source is `synthetic`, its family that of the sound with most weight. Of the ten
//! qualities four are measured, as [`qualities`] says; the others are 0.

use std::path::Path;

use betwixt_audio::blend::Blend;
use serde::Serialize;

use crate::pack::error::PackError;
use crate::pack::options::{HELD_SHARE, NSYNTH_RATE_HZ, NSYNTH_SECONDS};
use crate::pack::plan::Plan;
use crate::pack::recipe::Recipe;

/// In the order of their numbers.
const FAMILIES: [&str; 11] = [
    "bass",
    "brass",
    "flute",
    "guitar",
    "keyboard",
    "mallet",
    "organ",
    "reed",
    "string",
    "synth_lead",
    "vocal",
];
const QUALITIES: [&str; 10] = [
    "bright",
    "dark",
    "distortion",
    "fast_decay",
    "long_release",
    "multiphonic",
    "nonlinear_env",
    "percussive",
    "reverb",
    "tempo-synced",
];
/// `synthetic`, of acoustic, electronic, synthetic.
const SOURCE: (usize, &str) = (2, "synthetic");

/// A note whose harmonics' mean frequency is this many times its pitch is bright, if it is high too;
const BRIGHT_HARMONIC: f64 = 4.0;
const BRIGHT_HZ: f64 = 1500.0;
/// and one whose is this, dark.
const DARK_HARMONIC: f64 = 1.5;
/// A note that has lost this much when it is let go decays fast;
const FAST_DECAY_DB: f64 = 12.0;
/// one that has lost less than this in the half second after has a long release.
const LONG_RELEASE_DB: f64 = 20.0;

/// Nothing is heard of what is quieter when it is let go.
const INAUDIBLE_DB: f64 = -90.0;

/// A note as `examples.json` has it.
#[derive(Debug, Serialize)]
struct Example<'a> {
    note: usize,
    note_str: &'a str,
    instrument: usize,
    instrument_str: String,
    pitch: u8,
    velocity: u8,
    sample_rate: u32,
    qualities: [u8; 10],
    qualities_str: Vec<&'static str>,
    instrument_family: usize,
    instrument_family_str: &'static str,
    instrument_source: usize,
    instrument_source_str: &'static str,
}

/// A note's name: `flute_synthetic_003-060-100`.
pub(crate) fn note_name(recipe: &Recipe, blend: Blend, instrument: usize, pitch: u8, velocity: u8) -> String {
    format!(
        "{}-{pitch:03}-{velocity:03}",
        instrument_name(recipe, blend, instrument)
    )
}

fn instrument_name(recipe: &Recipe, blend: Blend, instrument: usize) -> String {
    format!("{}_{}_{instrument:03}", FAMILIES[family(recipe, blend)], SOURCE.1)
}

/// The number of the family of a blend.
fn family(recipe: &Recipe, blend: Blend) -> usize {
    let (family, name) = recipe.loudest_at(blend).map_or(("", String::new()), |sound| {
        (sound.family.as_str(), sound.name.to_lowercase())
    });
    let named = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let family = match family {
        "keys" | "piano" => "keyboard",
        "mallets" => "mallet",
        "strings" => "string",
        "voice" => "vocal",
        "synth" => "synth_lead",
        "woodwind" | "world"
            if named(&["flute", "shakuhachi", "recorder", "whistle", "ocarina", "piccolo"]) =>
        {
            "flute"
        }
        "woodwind" => "reed",
        "world" if named(&["kalimba"]) => "mallet",
        "world" => "string",
        own => own,
    };
    // What is of none of them.
    const OTHER: usize = 9;
    FAMILIES.iter().position(|one| *one == family).unwrap_or(OTHER)
}

/// The text of `examples.json`; `audio` says where a note of the plan lies.
///
/// # Errors
/// If a note cannot be read.
pub(crate) fn listing(
    recipe: &Recipe,
    plan: &Plan,
    audio: impl Fn(&str) -> std::path::PathBuf,
) -> Result<String, PackError> {
    let mut examples = serde_json::Map::new();
    for (note, sample) in plan.samples.iter().enumerate() {
        let instrument = sample.instrument * plan.robins + sample.robin;
        let flags = qualities(&read(&audio(&sample.name))?, sample.key);
        let family = family(recipe, sample.blend);
        let example = Example {
            note,
            note_str: &sample.name,
            instrument,
            instrument_str: instrument_name(recipe, sample.blend, instrument),
            pitch: sample.key,
            velocity: sample.velocity,
            sample_rate: NSYNTH_RATE_HZ,
            qualities: flags.map(u8::from),
            qualities_str: QUALITIES
                .into_iter()
                .zip(flags)
                .filter_map(|(name, flag)| flag.then_some(name))
                .collect(),
            instrument_family: family,
            instrument_family_str: FAMILIES[family],
            instrument_source: SOURCE.0,
            instrument_source_str: SOURCE.1,
        };
        let value = serde_json::to_value(example).expect("numbers and texts are JSON");
        examples.insert(sample.name.clone(), value);
    }
    let text = serde_json::to_string_pretty(&examples).expect("numbers and texts are JSON");
    Ok(format!("{text}\n"))
}

/// A note's samples, of -1 to 1.
fn read(file: &Path) -> Result<Vec<f64>, PackError> {
    let failed = |error: hound::Error| PackError::Content {
        file: file.into(),
        reason: error.to_string(),
    };
    let reader = hound::WavReader::open(file).map_err(failed)?;
    let samples = reader.into_samples::<i16>();
    samples
        .map(|sample| Ok(f64::from(sample.map_err(failed)?) / 32_768.0))
        .collect()
}

/// Which of the dataset's qualities a note has. Bright and dark by the power-weighted mean frequency of its harmonics, over
/// the pitch; a fast decay by the level before it is let go against its highest, a long release by that half a second later.
fn qualities(samples: &[f64], pitch: u8) -> [bool; 10] {
    let rate = f64::from(NSYNTH_RATE_HZ);
    let f0_hz = 440.0 * 2_f64.powf((f64::from(pitch) - 69.0) / 12.0);
    let power = |samples: &[f64]| samples.iter().map(|x| x * x).sum::<f64>();
    let slope: f64 = samples.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
    let all = power(samples).max(1e-12);
    // A sine of frequency w has differences of power 2 (1 - cos w).
    let mean_hz = (1.0 - slope / (2.0 * all)).clamp(-1.0, 1.0).acos() * rate / std::f64::consts::TAU;
    let window = (0.1 * rate) as usize;
    let level_db = |at: f64| {
        let begin = (at * rate) as usize;
        let heard = samples.get(begin..begin + window).unwrap_or_default();
        10.0 * (power(heard) / window as f64 + 1e-12).log10()
    };
    let held = HELD_SHARE * NSYNTH_SECONDS;
    let highest = (0..(10.0 * held) as usize)
        .map(|tenth| level_db(0.1 * tenth as f64))
        .fold(f64::NEG_INFINITY, f64::max);
    let before = level_db(held - 0.1);
    let harmonic = mean_hz / f0_hz;
    let mut flags = [false; 10];
    flags[0] = harmonic >= BRIGHT_HARMONIC && mean_hz >= BRIGHT_HZ;
    flags[1] = harmonic <= DARK_HARMONIC;
    flags[3] = highest - before >= FAST_DECAY_DB;
    flags[4] = before > INAUDIBLE_DB
        && before > highest - FAST_DECAY_DB
        && before - level_db(held + 0.5) < LONG_RELEASE_DB;
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{PackFormat, PackOptions};
    use crate::pack::recipe::tests::recipe;

    fn note(harmonics: &[f64], decay: f64, release: f64) -> Vec<f64> {
        let level = |t: f64| {
            (-decay * t).exp()
                * if t > 3.0 {
                    (-release * (t - 3.0)).exp()
                } else {
                    1.0
                }
        };
        (0..64_000)
            .map(|n| {
                let t = f64::from(n) / 16_000.0;
                let sum: f64 = harmonics
                    .iter()
                    .map(|k| (std::f64::consts::TAU * 440.0 * k * t).sin())
                    .sum();
                0.1 * level(t) * sum
            })
            .collect()
    }

    #[test]
    fn qualities_are_those_that_are_heard() {
        let names = |samples: &[f64]| -> Vec<&str> {
            let flags = qualities(samples, 69);
            QUALITIES
                .into_iter()
                .zip(flags)
                .filter_map(|(name, flag)| flag.then_some(name))
                .collect()
        };
        assert_eq!(names(&note(&[1.0], 0.0, 20.0)), ["dark"]);
        assert_eq!(names(&note(&[1.0, 6.0, 7.0, 8.0], 0.0, 20.0)), ["bright"]);
        assert_eq!(names(&note(&[1.0, 3.0], 1.0, 20.0)), ["fast_decay"]);
        assert_eq!(names(&note(&[1.0, 3.0], 0.0, 1.0)), ["long_release"]);
        assert_eq!(names(&[]), ["dark"], "silence has nothing high");
    }

    #[test]
    fn a_blend_is_of_the_family_of_its_loudest_sound() {
        let recipe = recipe(PackOptions::of(PackFormat::Nsynth));
        let name = |x, y| note_name(&recipe, Blend { x, y }, 7, 60, 100);
        assert_eq!(name(0.0, 1.0), "reed_synthetic_007-060-100");
        assert_eq!(name(1.0, 1.0), "mallet_synthetic_007-060-100");
        assert_eq!(name(1.0, 0.1), "vocal_synthetic_007-060-100");
    }
}
