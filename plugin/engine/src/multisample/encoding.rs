//! From an instrument's recordings to one sound: the chosen ones encoded, each a layer.
//!
//! Background threads. A recording is told the pitch that is heard in it, where that is clear and near what the mapping says, so that
//! all layers come out in tune; the mapping says which key it is for. One bad recording is told and left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::audio_file::Recording;
use crate::encode::{EncodeError, Encoded, Hints, Label, MAX_NOTE_SECONDS, PitchHint, encode_samples};
use crate::encoder::Encoder;
use crate::multisample::MultisampleError;
use crate::multisample::choice::choose;
use crate::multisample::sample_name;
use crate::multisample::store::{SampleReader, Store, Unreadable};
use crate::multisample::zone::{Mapping, Skipped, Zone};
use crate::pitch_detect::{self, DetectedPitch};
use crate::sound::{DEFAULT_VELOCITY, Layer, Sound};

/// The key about which a sound's own layer lies.
const MIDDLE_KEY: f32 = 60.0;
/// A pitch is heard clearly from here on.
const CLEAR_CONFIDENCE: f32 = 0.8;
/// What is heard this near to what a mapping says, in semitones, is that.
const NEAR_SEMITONES: f32 = 0.5;
/// Harmonics and their parts that are taken for the pitch by mistake, in semitones.
const HARMONIC_SEMITONES: [f32; 6] = [12.0, 19.02, 24.0, 27.86, 31.02, 36.0];
/// Recordings that are listened to where names may mean either of two octaves.
const HEARD_FOR_OCTAVE: usize = 5;

/// Many recordings that become one sound.
#[derive(Debug, Clone)]
pub struct Instrument {
    /// What it is called.
    pub name: String,
    /// Family of instruments, empty if not known.
    pub family: String,
    /// Words to search by.
    pub tags: Vec<String>,
    /// Where it came from, empty if not known.
    pub source: String,
    has_qualities: bool,
    zones: Vec<Zone>,
    store: Store,
    octave_is_open: bool,
}

/// What an instrument became.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedInstrument {
    /// The sound.
    pub sound: Sound,
    /// Recordings that are layers of it.
    pub recordings: usize,
    /// Those that could not be read or encoded, and why; and what was heard to be otherwise than it is mapped.
    pub skipped: Vec<Skipped>,
}

impl Instrument {
    pub(super) fn new(mapping: Mapping, store: Store, octave_is_open: bool) -> Self {
        Self {
            name: mapping.name,
            family: mapping.family,
            tags: mapping.tags,
            has_qualities: mapping.has_qualities,
            source: mapping.source,
            zones: mapping.zones,
            store,
            octave_is_open,
        }
    }

    /// Recordings that will be encoded.
    pub fn recordings(&self) -> usize {
        choose(&self.zones).len()
    }

    /// All that its mapping says, encoded or not.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// The files of all its recordings, as far as they are there; none of an archive's.
    pub fn files(&self) -> Vec<PathBuf> {
        match &self.store {
            Store::Folder(base) => {
                let found = self
                    .zones
                    .iter()
                    .map(|zone| sample_name::find(base, &zone.sample));
                found.filter_map(Result::ok).collect()
            }
            Store::Archive { .. } => Vec::new(),
        }
    }

    /// Encodes it to one sound; `model` is the model's name and version. What `label` says goes before what the mapping does.
    /// `progress` is told how many recordings are done of how many; `cancel` stops before the next.
    ///
    /// # Errors
    /// If it is called off, or not one recording can be encoded.
    pub fn encode(
        &self,
        encoder: &mut Encoder,
        model: &str,
        label: &Label,
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<EncodedInstrument, MultisampleError> {
        let nothing = |recordings: usize, first: String| MultisampleError::Nothing {
            name: self.name.clone(),
            recordings,
            first,
        };
        let mut reader = SampleReader::open(&self.store).map_err(|Unreadable(reason)| nothing(0, reason))?;
        let chosen = self.chosen(encoder);
        let rate_hz = encoder.sample_rate_hz();
        let octave = if self.octave_is_open {
            self.octave(&chosen, &mut reader, rate_hz, cancel)?
        } else {
            0
        };
        let (mut sounds, mut skipped) = (Vec::new(), Vec::new());
        for (done, zone) in chosen.iter().enumerate() {
            progress(done, chosen.len());
            if cancel.load(Ordering::Relaxed) {
                return Err(MultisampleError::Cancelled);
            }
            let skip = |reason: String| Skipped {
                place: zone.place.clone(),
                reason,
            };
            let key = f32::from(zone.root) + 12.0 * octave as f32;
            let (samples, file) = match reader.read(&zone.sample, rate_hz) {
                Ok((recording, file)) => (cut(recording, zone), file),
                Err(Unreadable(reason)) => {
                    skipped.push(skip(reason));
                    continue;
                }
            };
            let (pitch, remark) = told_pitch(key, zone.tuning, pitch_detect::detect(&samples, rate_hz));
            skipped.extend(remark.map(skip));
            match encoded(encoder, model, &samples, &file, pitch, cancel) {
                Ok(encoded) => sounds.push((key, zone.struck_velocity(), encoded.sound)),
                Err(EncodeError::Cancelled) => return Err(MultisampleError::Cancelled),
                Err(error) => skipped.push(skip(error.to_string())),
            }
        }
        progress(chosen.len(), chosen.len());
        let recordings = sounds.len();
        let sound = if encoder.takes_pitch() {
            layered(sounds)
        } else {
            pitched(sounds)
        };
        let first = || {
            skipped
                .first()
                .map_or("it has none".to_owned(), Skipped::to_string)
        };
        let mut sound = sound.ok_or_else(|| nothing(chosen.len(), first()))?;
        self.describe(&mut sound, label);
        Ok(EncodedInstrument {
            sound,
            recordings,
            skipped,
        })
    }

    /// The zones to encode. A model that is told no pitch has its embeddings at pitches of its own, and at one velocity.
    fn chosen(&self, encoder: &Encoder) -> Vec<&Zone> {
        let chosen: Vec<&Zone> = choose(&self.zones)
            .into_iter()
            .map(|index| &self.zones[index])
            .collect();
        if encoder.takes_pitch() {
            return chosen;
        }
        let far = |zone: &Zone| zone.struck_velocity().abs_diff(DEFAULT_VELOCITY);
        let mut of_root: BTreeMap<u8, &Zone> = BTreeMap::new();
        for zone in chosen {
            let kept = of_root.entry(zone.root).or_insert(zone);
            if far(zone) < far(kept) {
                *kept = zone;
            }
        }
        of_root.into_values().collect()
    }

    /// By how many octaves the names' octaves are lower than they are read, by what is heard.
    fn octave(
        &self,
        chosen: &[&Zone],
        reader: &mut SampleReader<'_>,
        rate_hz: u32,
        cancel: &AtomicBool,
    ) -> Result<i32, MultisampleError> {
        let step = chosen.len().div_ceil(HEARD_FOR_OCTAVE).max(1);
        let mut votes: BTreeMap<i32, usize> = BTreeMap::new();
        for zone in chosen.iter().step_by(step) {
            if cancel.load(Ordering::Relaxed) {
                return Err(MultisampleError::Cancelled);
            }
            let Ok((recording, _)) = reader.read(&zone.sample, rate_hz) else {
                continue;
            };
            let heard = pitch_detect::detect(&cut(recording, zone), rate_hz);
            if let Some(heard) = heard.filter(|heard| heard.confidence >= CLEAR_CONFIDENCE) {
                let off = heard.midi - f32::from(zone.root);
                let octaves = (off / 12.0).round();
                if (off - 12.0 * octaves).abs() <= NEAR_SEMITONES && octaves.abs() <= 2.0 {
                    *votes.entry(octaves as i32).or_default() += 1;
                }
            }
        }
        // Names are right unless more of the recordings say otherwise than agree.
        let agree = votes.get(&0).copied().unwrap_or(0);
        let most = votes
            .into_iter()
            .max_by_key(|(octaves, count)| (*count, -octaves.abs()));
        Ok(most
            .filter(|(_, count)| *count > agree)
            .map_or(0, |(octaves, _)| octaves))
    }

    fn describe(&self, sound: &mut Sound, label: &Label) {
        let or = |said: &String, own: &String| {
            if said.is_empty() {
                own.clone()
            } else {
                said.clone()
            }
        };
        sound.name = or(&label.name, &self.name);
        sound.family = or(&label.family, &self.family);
        sound.source = or(&label.source, &self.source);
        sound.licence.clone_from(&label.licence);
        if self.has_qualities {
            sound.tags.clear();
        }
        for tag in label.tags.iter().chain(&self.tags) {
            if !sound.tags.contains(tag) {
                sound.tags.push(tag.clone());
            }
        }
    }
}

/// Encodes one recording, whose pitch is known.
fn encoded(
    encoder: &mut Encoder,
    model: &str,
    samples: &[f32],
    file: &Path,
    pitch: f32,
    cancel: &AtomicBool,
) -> Result<Encoded, EncodeError> {
    // All of it is one note, however long: no next one is looked for.
    let hints = Hints {
        pitch: PitchHint::Midi(pitch),
        length_seconds: Some(MAX_NOTE_SECONDS),
        ..Hints::default()
    };
    encode_samples(
        encoder,
        model,
        samples,
        file,
        hints,
        Label::default(),
        &mut |_| {},
        cancel,
    )
}

/// What of a recording is a zone's.
fn cut(recording: Recording, zone: &Zone) -> Vec<f32> {
    let ratio = f64::from(recording.sample_rate_hz) / f64::from(recording.file_rate_hz.max(1));
    let place = |frame: u64| ((frame as f64 * ratio).round() as usize).min(recording.samples.len());
    let (start, end) = (
        place(zone.frames.0),
        zone.frames.1.map_or(recording.samples.len(), place),
    );
    // A part that is none is a mapping's mistake: the recording is there.
    if start >= end {
        return recording.samples;
    }
    recording.samples[start..end].to_vec()
}

/// The pitch to encode a recording by, for a key that a mapping plays it as it is at, raised then by `tuning`; and what is to be said of
/// it.
fn told_pitch(key: f32, tuning: f32, heard: Option<DetectedPitch>) -> (f32, Option<String>) {
    // The recording is off by what it is raised by, unless that is the instrument's own tuning.
    let mapped = [key - tuning, key].map(|pitch| pitch.clamp(0.0, 127.0));
    let Some(heard) = heard.filter(|heard| heard.confidence >= CLEAR_CONFIDENCE) else {
        return (mapped[0], None);
    };
    let pitch = heard.midi.clamp(0.0, 127.0);
    if mapped
        .iter()
        .any(|mapped| (pitch - mapped).abs() <= NEAR_SEMITONES)
    {
        return (pitch, None);
    }
    let off = (pitch - mapped[0]).abs();
    if HARMONIC_SEMITONES
        .iter()
        .any(|harmonic| (off - harmonic).abs() <= NEAR_SEMITONES)
    {
        return (mapped[0], None);
    }
    let remark = format!(
        "sounds at {pitch:.1} and is mapped as {:.1}: the pitch that is heard is taken",
        mapped[0]
    );
    (pitch, Some(remark))
}

/// One sound of recordings at some keys and velocities; its own layer is the one nearest to the middle.
fn layered(sounds: Vec<(f32, u8, Sound)>) -> Option<Sound> {
    let far = |(key, velocity, _): &(f32, u8, Sound)| {
        (
            ((key - MIDDLE_KEY).abs() * 100.0) as u32,
            velocity.abs_diff(DEFAULT_VELOCITY),
        )
    };
    let own = (0..sounds.len()).min_by_key(|index| far(&sounds[*index]))?;
    let mut sounds = sounds;
    let (pitch, velocity, mut sound) = sounds.remove(own);
    (sound.pitch, sound.velocity) = (pitch, velocity);
    sound.further = sounds
        .into_iter()
        .map(|(pitch, velocity, sound)| Layer {
            pitch,
            velocity,
            loop_region: sound.loop_region,
            embedding: sound.embedding,
        })
        .collect();
    Some(sound)
}

/// One sound of recordings whose embeddings hold their pitch, each at several: of each pitch the one that is nearest to its recording.
fn pitched(sounds: Vec<(f32, u8, Sound)>) -> Option<Sound> {
    let far = |key: &f32| ((key - MIDDLE_KEY).abs() * 100.0) as u32;
    let own = (0..sounds.len()).min_by_key(|index| far(&sounds[*index].0))?;
    let mut nearest: BTreeMap<u32, (f32, Layer)> = BTreeMap::new();
    for (_, _, sound) in &sounds {
        for layer in &sound.further {
            let apart = (layer.pitch - sound.pitch).abs();
            let of_pitch = nearest.entry(layer.pitch.to_bits());
            let kept = of_pitch.or_insert_with(|| (apart, layer.clone()));
            if apart < kept.0 {
                *kept = (apart, layer.clone());
            }
        }
    }
    let mut sound = sounds.into_iter().nth(own)?.2;
    // Positive numbers are in the order of their bits.
    sound.further = nearest.into_values().map(|(_, layer)| layer).collect();
    Some(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(midi: f32, confidence: f32) -> Option<DetectedPitch> {
        Some(DetectedPitch { midi, confidence })
    }

    #[test]
    fn what_is_heard_near_what_is_mapped_is_taken_and_octaves_are_not() {
        assert_eq!(told_pitch(60.0, 0.0, heard(60.2, 0.95)), (60.2, None));
        assert_eq!(told_pitch(60.0, 0.0, heard(60.2, 0.4)), (60.0, None), "unsure");
        assert_eq!(
            told_pitch(60.0, 0.0, heard(48.1, 0.95)),
            (60.0, None),
            "an octave"
        );
        assert_eq!(
            told_pitch(60.0, 0.0, heard(79.0, 0.95)),
            (60.0, None),
            "the third harmonic"
        );
        assert_eq!(
            told_pitch(60.0, 0.25, heard(59.7, 0.95)),
            (59.7, None),
            "tuned in the mapping"
        );
        assert_eq!(
            told_pitch(60.0, 2.0, heard(60.0, 0.95)),
            (60.0, None),
            "an instrument that is tuned up"
        );
        assert_eq!(told_pitch(60.0, 0.25, None), (59.75, None));
        let (pitch, remark) = told_pitch(60.0, 0.0, heard(63.1, 0.95));
        assert_eq!(pitch, 63.1);
        assert_eq!(
            remark.unwrap(),
            "sounds at 63.1 and is mapped as 60.0: the pitch that is heard is taken"
        );
    }

    #[test]
    fn the_layer_in_the_middle_is_the_sounds_own() {
        let sounds = [(48.0, 100), (61.0, 30), (61.0, 110), (72.0, 100)];
        let sounds = sounds.map(|(key, velocity)| (key, velocity, crate::sound::tests::layered()));
        let sound = layered(sounds.to_vec()).unwrap();
        assert_eq!((sound.pitch, sound.velocity), (61.0, 110));
        let further: Vec<(f32, u8)> = sound
            .further
            .iter()
            .map(|layer| (layer.pitch, layer.velocity))
            .collect();
        assert_eq!(further, [(48.0, 100), (61.0, 30), (72.0, 100)]);
        assert_eq!(layered(Vec::new()), None);
    }

    #[test]
    fn embeddings_that_hold_their_pitch_are_taken_from_the_nearest_recording() {
        let of = |pitch: f32, mark: f32| {
            let base = crate::sound::tests::layered();
            let at = |grid: f32| Layer {
                pitch: grid,
                embedding: crate::embedding::Embedding::new(16, vec![mark; 16]).unwrap(),
                ..base.further[0].clone()
            };
            let further = [40.0, 52.0, 64.0].map(at).into();
            (
                pitch,
                100,
                Sound {
                    pitch,
                    further,
                    ..base
                },
            )
        };
        let sound = pitched(vec![of(41.0, 0.1), of(65.0, 0.2)]).unwrap();
        assert_eq!(sound.pitch, 65.0);
        let marks: Vec<(f32, f32)> = sound
            .further
            .iter()
            .map(|layer| (layer.pitch, layer.embedding.values()[0]))
            .collect();
        assert_eq!(marks, [(40.0, 0.1), (52.0, 0.1), (64.0, 0.2)]);
    }

    #[test]
    fn a_zone_is_cut_out_of_its_recording_at_the_files_rate() {
        let recording = || Recording {
            samples: (0..480).map(|n| n as f32).collect(),
            sample_rate_hz: 48_000,
            file_rate_hz: 24_000,
            file_channels: 1,
            channel: crate::audio_file::ChannelUse::Only,
        };
        let zone = |frames| Zone {
            frames,
            ..crate::multisample::zone::tests::zone(60, (1, 127))
        };
        let part = cut(recording(), &zone((10, Some(20))));
        assert_eq!((part.len(), part[0]), (20, 20.0));
        assert_eq!(cut(recording(), &zone((0, None))).len(), 480);
        assert_eq!(cut(recording(), &zone((9000, Some(3)))).len(), 480);
    }
}
