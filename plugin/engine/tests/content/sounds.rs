//! Every factory sound.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use betwixt_engine::decoder::Decoder;
use betwixt_engine::model::Model;
use betwixt_engine::sound::Sound;

use crate::hearing::{cents_off, loudest_db, peak, rms_db};
use crate::render::{RATE_HZ, complaints, factory, model, note};

/// NSynth's families of instruments.
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
const LEAST_SOUNDS: usize = 64;
const MOST_BYTES: usize = 50_000;
/// A note is as loud as this, at its own pitch and an octave up and down; the encoder's level is -20.
const LEVEL_DB: std::ops::RangeInclusive<f64> = -30.0..=-12.0;
const MOST_CENTS: f64 = 5.0;
/// Bells and stiff bars have no pitch to that.
const INHARMONIC: &str = "inharmonic";
const SUSTAINED: &str = "sustained";
/// A held sound is as loud after four seconds as after one and a half, by this.
const STEADY_DB: f64 = 6.0;
/// A sound that ends by itself has come so far down.
const ENDED_DB: f64 = -35.0;

/// All of them, by file.
fn sounds() -> BTreeMap<PathBuf, Sound> {
    let files = std::fs::read_dir(factory().join("sounds")).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .map(|file| (file.clone(), Sound::read(&file).unwrap()))
        .collect()
}

#[test]
fn there_are_sounds_of_all_families_each_with_tags_author_licence_and_source() {
    let (sounds, model) = (sounds(), model());
    assert!(sounds.len() >= LEAST_SOUNDS, "{}", sounds.len());
    let families: BTreeSet<&str> = sounds.values().map(|sound| sound.family.as_str()).collect();
    assert_eq!(families, FAMILIES.into());
    let names: BTreeSet<&str> = sounds.values().map(|sound| sound.name.as_str()).collect();
    assert_eq!(names.len(), sounds.len(), "no two share a name");
    for (file, sound) in &sounds {
        let bytes = std::fs::metadata(file).unwrap().len() as usize;
        assert!(bytes <= MOST_BYTES, "{}: {bytes} bytes", file.display());
        assert_eq!(sound.model, model.tag(), "{}", file.display());
        let texts = [&sound.name, &sound.licence, &sound.source, &sound.credits.author];
        assert!(texts.iter().all(|text| !text.is_empty()), "{}", file.display());
        assert!(sound.tags.len() >= 2, "{}: {:?}", file.display(), sound.tags);
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(stem, sound.name.to_lowercase().replace(' ', "_"));
    }
}

#[test]
fn every_sound_is_in_tune_in_level_and_ends_or_goes_on() {
    let (sounds, model) = (sounds(), model());
    let sounds: Vec<Sound> = sounds.into_values().collect();
    let complaints = complaints(&model, &sounds, |sound, decoder| heard(&model, sound, decoder));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What there is to complain of.
fn heard(model: &Model, sound: &Sound, decoder: &mut dyn Decoder) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut unless = |is_well: bool, complaint: String| {
        if !is_well {
            complaints.push(format!("{}: {complaint}", sound.name));
        }
    };
    for octave in [0.0, -12.0, 12.0] {
        let pitch = sound.pitch + octave;
        let samples = note(model, decoder, sound, pitch, 1.4);
        unless(
            samples.iter().all(|sample| sample.is_finite()),
            format!("at {pitch}: is no audio"),
        );
        unless(
            peak(&samples) < 1.0,
            format!("at {pitch}: clips at {:.2}", peak(&samples)),
        );
        let level = loudest_db(&samples);
        unless(LEVEL_DB.contains(&level), format!("at {pitch}: {level:.1} dB"));
        if !sound.tags.iter().any(|tag| tag == INHARMONIC) {
            let cents = cents_off(&samples, RATE_HZ, f64::from(pitch));
            let is_tuned = cents.is_some_and(|cents| cents.abs() < MOST_CENTS);
            unless(is_tuned, format!("at {pitch}: {cents:.1?} cents off"));
        }
    }
    let is_sustained = sound.tags.iter().any(|tag| tag == SUSTAINED);
    unless(
        !is_sustained || sound.loop_region.is_some(),
        "is called sustained and has no loop".into(),
    );
    if sound.loop_region.is_some() {
        let samples = note(model, decoder, sound, sound.pitch, 4.5);
        let second = RATE_HZ as usize;
        let level = |from: usize| rms_db(&samples[from..from + second / 2]);
        let change = level(4 * second) - level(3 * second / 2);
        unless(
            change.abs() < STEADY_DB,
            format!("is held, and changes by {change:.1} dB"),
        );
    } else {
        let samples = note(model, decoder, sound, sound.pitch, 25.0);
        let last = &samples[samples.len() - 2048..];
        let end = rms_db(last) - loudest_db(&samples);
        unless(samples.len() < 22 * RATE_HZ as usize, "does not end".into());
        unless(end < ENDED_DB, format!("ends at {end:.1} dB under its loudest"));
    }
    complaints
}
