//! The form of the NSynth dataset (Engel et al. 2017): `examples.json` and `audio/NAME.wav`, 4 s of 16-bit mono at 16 kHz, held
//! for 3 s.
//!
//! A pure function of recipe, plan and files. An instrument of the dataset is a blend, and each take of it: the dataset has one
//! note for each pitch and velocity. Its source is `synthetic`, its family that of the sound with most weight. Of the ten
//! qualities seven are measured, as [`quality::measure`] says; the others are 0.

use std::path::Path;

use betwixt_audio::blend::Blend;
use serde::Serialize;

use crate::pack::error::PackError;
use crate::pack::options::{HELD_SHARE, NSYNTH_RATE_HZ, NSYNTH_SECONDS};
use crate::pack::plan::Plan;
use crate::pack::recipe::Recipe;
use crate::quality::{self, FAMILIES, Quality, SourceKind};

/// What is rendered by Betwixt comes from a synthesiser.
const SOURCE: SourceKind = SourceKind::Synthetic;

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
    format!(
        "{}_{}_{instrument:03}",
        FAMILIES[family(recipe, blend)],
        SOURCE.name()
    )
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
        let samples = read(&audio(&sample.name))?;
        let qualities = quality::measure(
            &samples,
            f64::from(NSYNTH_RATE_HZ),
            f32::from(sample.key),
            HELD_SHARE * NSYNTH_SECONDS,
        );
        let family = family(recipe, sample.blend);
        let example = Example {
            note,
            note_str: &sample.name,
            instrument,
            instrument_str: instrument_name(recipe, sample.blend, instrument),
            pitch: sample.key,
            velocity: sample.velocity,
            sample_rate: NSYNTH_RATE_HZ,
            qualities: Quality::ALL.map(|one| u8::from(qualities.contains(one))),
            qualities_str: qualities.iter().map(Quality::name).collect(),
            instrument_family: family,
            instrument_family_str: FAMILIES[family],
            instrument_source: SOURCE as usize,
            instrument_source_str: SOURCE.name(),
        };
        let value = serde_json::to_value(example).expect("numbers and texts are JSON");
        examples.insert(sample.name.clone(), value);
    }
    let text = serde_json::to_string_pretty(&examples).expect("numbers and texts are JSON");
    Ok(format!("{text}\n"))
}

/// A note's samples, of -1 to 1.
fn read(file: &Path) -> Result<Vec<f32>, PackError> {
    let failed = |error: hound::Error| PackError::Content {
        file: file.into(),
        reason: error.to_string(),
    };
    let reader = hound::WavReader::open(file).map_err(failed)?;
    let samples = reader.into_samples::<i16>();
    samples
        .map(|sample| Ok(f32::from(sample.map_err(failed)?) / 32_768.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{PackFormat, PackOptions};
    use crate::pack::recipe::tests::recipe;

    #[test]
    fn a_blend_is_of_the_family_of_its_loudest_sound() {
        let recipe = recipe(PackOptions::of(PackFormat::Nsynth));
        let name = |x, y| note_name(&recipe, Blend { x, y }, 7, 60, 100);
        assert_eq!(name(0.0, 1.0), "reed_synthetic_007-060-100");
        assert_eq!(name(1.0, 1.0), "mallet_synthetic_007-060-100");
        assert_eq!(name(1.0, 0.1), "vocal_synthetic_007-060-100");
    }
}
