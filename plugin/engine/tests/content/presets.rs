//! Every factory preset.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use betwixt_audio::event::{EventKind, NoteAddress};
use betwixt_audio::settings::VoiceMode;
use betwixt_engine::bounce::{Bounce, Score};
use betwixt_engine::engine::{Engine, EngineOptions};
use betwixt_engine::library::{Library, PresetEntry};
use betwixt_engine::midi_file::{MidiFile, TimedEvent};
use betwixt_engine::parameter::Parameter;

use crate::hearing::{cents_off, db, mel_db, mel_distance, rms_db};
use crate::render::{RATE_HZ, complaints, factory, model, note};

const LEAST_PRESETS: usize = 40;
/// What presets are for; each has one of these tags, but the first of all.
const USES: [&str; 10] = [
    "pad",
    "lead",
    "bass",
    "keys",
    "pluck",
    "bells",
    "strings",
    "choir",
    "texture",
    "percussion",
];
const FIRST: &str = "Init";
/// Each is used by a preset at least.
const FEATURES: [Parameter; 17] = [
    Parameter::BlendX,
    Parameter::BlendY,
    Parameter::AttackMs,
    Parameter::ReleaseMs,
    Parameter::StartMs,
    Parameter::Stretch,
    Parameter::Freeze,
    Parameter::Heat,
    Parameter::Push,
    Parameter::AttackFrom,
    Parameter::Width,
    Parameter::Brightness,
    Parameter::OwnEnding,
    Parameter::VoiceMode,
    Parameter::GlideMs,
    Parameter::Mpe,
    Parameter::PressureTo,
];
/// The loudest third of a second of a held chord is as loud as this, and stays under full scale.
const LEVEL_DB: std::ops::RangeInclusive<f64> = -27.0..=-15.0;
const MOST_CENTS: f64 = 8.0;
/// Corners that are less unlike are one sound twice.
const LEAST_DISTANCE_DB: f64 = 3.0;
/// When the phrase is let go.
const RELEASED_SECONDS: f64 = 2.0;
/// How long it may sound on: the longest release, and a sound's own ending at its slowest.
const LONGEST_TAIL_SECONDS: f64 = 11.0;

fn library() -> Library {
    Library::in_folders(&factory(), Path::new("/nowhere"))
}

fn presets() -> Vec<PresetEntry> {
    library().presets()
}

#[test]
fn there_are_presets_for_every_use_each_described_and_an_idea_of_its_own() {
    let presets = presets();
    let files = std::fs::read_dir(factory()).unwrap();
    let files = files.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|end| end == "toml")
    });
    assert_eq!(presets.len(), files.count(), "one cannot be read");
    assert!(presets.len() >= LEAST_PRESETS, "{}", presets.len());
    let distinct =
        |of: &dyn Fn(&PresetEntry) -> String| presets.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(&|entry| entry.preset.name.to_lowercase()), presets.len());
    assert_eq!(
        distinct(&|entry| format!("{:?}", entry.preset.corners)),
        presets.len()
    );
    let mut uses = BTreeSet::new();
    for entry in &presets {
        let (preset, name) = (&entry.preset, &entry.preset.name);
        assert!(
            preset.description.ends_with('.') && preset.description.len() > 20,
            "{name}"
        );
        assert!(!preset.author.is_empty() && !preset.licence.is_empty(), "{name}");
        let tags: Vec<&str> = preset.tags.iter().map(String::as_str).collect();
        uses.extend(
            tags.iter()
                .copied()
                .filter(|tag| USES.contains(tag))
                .map(str::to_owned),
        );
        assert!(
            tags.iter().any(|tag| USES.contains(tag)) || name == FIRST,
            "{name}: {tags:?}"
        );
        assert_eq!(preset.corners.as_array().iter().flatten().count(), 4, "{name}");
    }
    assert_eq!(uses, USES.map(String::from).into());
    for parameter in FEATURES {
        let is_used = presets
            .iter()
            .any(|entry| (entry.preset.parameter(parameter) - parameter.default()).abs() > 1e-3);
        assert!(is_used, "no preset has a {} of its own", parameter.name());
    }
}

#[test]
fn the_corners_of_every_preset_are_unlike() {
    let (presets, model) = (presets(), model());
    let complaints = complaints(&model, &presets, |entry, decoder| {
        let patch = library().patch(&entry.preset.corners).unwrap();
        let sounds: Vec<_> = patch.corners().iter().flatten().collect();
        let mean = sounds.iter().map(|sound| sound.pitch).sum::<f32>() / sounds.len() as f32;
        let mels: Vec<_> = sounds
            .iter()
            .map(|sound| mel_db(&note(&model, decoder, sound, mean.round(), 1.0), RATE_HZ))
            .collect();
        let mut complaints = Vec::new();
        for (a, first) in mels.iter().enumerate() {
            for (b, second) in mels.iter().enumerate().skip(a + 1) {
                let distance = mel_distance(first, second).max(mel_distance(second, first));
                if distance < LEAST_DISTANCE_DB {
                    complaints.push(format!(
                        "{}: {} and {} are {distance:.1} dB apart",
                        entry.preset.name, sounds[a].name, sounds[b].name
                    ));
                }
            }
        }
        complaints
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_preset_plays_in_level_in_tune_and_ends() {
    let engine = Engine::new(EngineOptions::default());
    let mut complaints = Vec::new();
    for entry in presets() {
        complaints.extend(played(&engine, &entry));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The key that a preset is tried at: where its sounds were recorded, about.
fn middle_key(engine_patch: &betwixt_engine::patch::Patch) -> u8 {
    let sounds = || engine_patch.corners().iter().flatten();
    let mean = sounds().map(|sound| sound.pitch).sum::<f32>() / sounds().count().max(1) as f32;
    mean.round() as u8
}

/// Plays keys together, and lets them go after two seconds: the left side, and the peak of both.
fn bounce(engine: &Arc<Engine>, entry: &PresetEntry, keys: &[u8]) -> (Vec<f32>, f32) {
    let mut events = Vec::new();
    for (channel, key) in keys.iter().enumerate() {
        // With MPE each note has a channel, and the first is the zone's.
        let is_mpe = entry.preset.settings().is_mpe;
        let address = NoteAddress::midi(if is_mpe { 1 + channel as u8 } else { 0 }, *key);
        let velocity = 0.8;
        events.push(TimedEvent {
            seconds: 0.0,
            kind: EventKind::NoteOn { address, velocity },
        });
        events.push(TimedEvent {
            seconds: RELEASED_SECONDS,
            kind: EventKind::NoteOff { address },
        });
    }
    events.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let score = Score {
        midi: MidiFile {
            events,
            length_seconds: RELEASED_SECONDS,
        },
        settings: entry.preset.settings(),
        automation: Vec::new(),
    };
    let patch = library().patch(&entry.preset.corners).unwrap();
    let mut bounce = Bounce::new(engine, patch, score, RATE_HZ, 1024).unwrap();
    let mut samples = Vec::new();
    while let Some((left, _)) = bounce.next_block() {
        samples.extend_from_slice(left);
    }
    (samples, bounce.report().peak)
}

/// What there is to complain of.
fn played(engine: &Arc<Engine>, entry: &PresetEntry) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut unless = |is_well: bool, complaint: String| {
        if !is_well {
            complaints.push(format!("{}: {complaint}", entry.preset.name));
        }
    };
    let key = middle_key(&library().patch(&entry.preset.corners).unwrap());
    let is_poly = entry.preset.settings().voice_mode == VoiceMode::Poly;
    let chord = [key, key + 4, key + 7, key + 12];
    let keys = if is_poly { &chord[..] } else { &chord[..1] };
    let (samples, peak) = bounce(engine, entry, keys);
    let second = RATE_HZ as usize;
    let held = &samples[..samples
        .len()
        .min((RELEASED_SECONDS * f64::from(RATE_HZ)) as usize)];
    let level = held
        .chunks(second / 3)
        .map(rms_db)
        .fold(f64::NEG_INFINITY, f64::max);
    println!(
        "{}: {level:.1} dB, peak {:.1} dB",
        entry.preset.name,
        db(f64::from(peak))
    );
    unless(
        samples.iter().all(|sample| sample.is_finite()),
        "is no audio".into(),
    );
    unless(
        LEVEL_DB.contains(&level),
        format!("a chord has {level:.1} dB rms"),
    );
    unless(
        peak < 1.0,
        format!("a chord peaks at {:.1} dBFS", db(f64::from(peak))),
    );
    let tail = samples.len() as f64 / second as f64 - RELEASED_SECONDS;
    unless(
        tail < LONGEST_TAIL_SECONDS,
        format!("sounds {tail:.1} s after the release"),
    );
    let last = &samples[samples.len().saturating_sub(480)..];
    unless(rms_db(last) < -60.0, format!("stops at {:.1} dB", rms_db(last)));

    let (samples, _) = bounce(engine, entry, &[key]);
    let cents = cents_off(&samples, RATE_HZ, f64::from(key));
    let is_tuned = cents.is_some_and(|cents| cents.abs() < MOST_CENTS);
    unless(is_tuned, format!("key {key} is {cents:.1?} cents off"));
    complaints
}
