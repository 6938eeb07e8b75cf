//! From a recording to a sound.
//!
//! Background threads only. The recording is read to mono at the model's rate, the first note in it is taken, its pitch is found
//! unless it is given, its level is brought to the model's, the model's encoder does the rest, and what the sound's decoding is out
//! of tune by is taken out. What has no pitch is encoded at several keys, faster and slower: it is played by transposition.

mod hints;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use betwixt_audio::grid::grid_pitches;

use crate::audio_file::{self, AudioFileError, ChannelUse, Part};
use crate::credits::Credits;
use crate::decoder::DecodeError;
use crate::embedding::Embedding;
pub use crate::encode::hints::{Hints, PitchHint};
use crate::encoder::{Encoder, EncoderError};
use crate::pitch_detect::{self, DetectedPitch, MIN_CONFIDENCE};
use crate::quality;
pub use crate::recorded_note::{MAX_NOTE_SECONDS, NoteEnd};
use crate::recorded_note::{RecordedNote, rms_db};
use crate::sound::{DEFAULT_VELOCITY, Layer, Sound};
use crate::sustain_loop;

/// The level that encoders are trained at: the loudest short-time rms, in dB of full scale.
pub const LEVEL_DBFS: f64 = -20.0;
/// Window of the short-time rms, in samples at the model's rate.
const LEVEL_WINDOW: usize = 2048;
/// Step of the short-time rms.
const LEVEL_HOP: usize = 1024;
/// Quieter windows than this are as quiet as this.
const QUIETEST_DBFS: f64 = -90.0;
/// What is added to a recording that does not swing about zero is taken out, if it is more than this share of the rms…
const OFFSET_SHARE: f64 = 0.05;
/// …by a filter with this corner.
const OFFSET_HZ: f64 = 8.0;
/// A note that was cut while it sounded fades in this time.
const CUT_SECONDS: f64 = 0.01;

/// The key that a sound without pitch plays unchanged at.
pub const UNPITCHED_KEY: f32 = 60.0;
/// The tag of a sound without pitch.
pub const UNPITCHED_TAG: &str = "unpitched";

/// A recording is not played faster or slower than by two octaves: what is left of it then is another instrument.
const FARTHEST_SEMITONES: f32 = 24.0;

/// What the user says about a recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Label {
    /// The sound's name.
    pub name: String,
    /// Family of instruments.
    pub family: String,
    /// Words to search by.
    pub tags: Vec<String>,
    /// Licence of the recording.
    pub licence: String,
    /// Where it came from.
    pub source: String,
}

/// What encoding is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading and resampling the file.
    Reading,
    /// Finding the pitch.
    Pitch,
    /// Running the encoder.
    Encoding,
    /// Putting the sound in tune.
    Tuning,
}

/// A sound, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The sound.
    pub sound: Sound,
    /// The pitch that was found, if it was not given; a guess if the sound has none.
    pub detected: Option<DetectedPitch>,
    /// Whether it has no pitch: it is played by transposition about [`UNPITCHED_KEY`].
    pub is_unpitched: bool,
    /// What became of the file's channels.
    pub channel: ChannelUse,
    /// What the file holds before the note.
    pub trimmed_seconds: f64,
    /// Length of the note.
    pub seconds: f64,
    /// Why it ends there.
    pub end: NoteEnd,
}

/// Why a recording could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] AudioFileError),
    /// There is nothing in it.
    #[error("{}: holds only silence; expected a note", .file.display())]
    Silent {
        /// The file.
        file: PathBuf,
    },
    /// The pitch that was given is none.
    #[error("a pitch of {found} was given; expected a MIDI note number from 0 to 127")]
    Pitch {
        /// What was given.
        found: f32,
    },
    /// A time that was given is none.
    #[error("a {field} of {found} seconds was given; expected {expected}")]
    Seconds {
        /// "start" or "length".
        field: &'static str,
        /// What was given.
        found: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The decoder failed.
    #[error(transparent)]
    Decoder(#[from] DecodeError),
    /// Encoding was called off.
    #[error("encoding was cancelled")]
    Cancelled,
}

/// Encodes the recording in `file`; `model` is the model's name and version.
///
/// What is heard in it ([`quality::measure`]) is added to the label's tags. `stage` is told what is being done; `cancel` stops before the next stage.
///
/// # Errors
/// If a hint makes no sense, or the file cannot be read or holds no note.
pub fn encode_file(
    encoder: &mut Encoder,
    model: &str,
    file: &Path,
    hints: Hints,
    label: Label,
    stage: &mut dyn FnMut(Stage),
    cancel: &AtomicBool,
) -> Result<Encoded, EncodeError> {
    hints.check()?;
    enter(Stage::Reading, stage, cancel)?;
    let part = Part {
        start_seconds: hints.start_seconds.unwrap_or(0.0),
        length_seconds: hints.length_seconds,
    };
    let recording = audio_file::read_part(file, encoder.sample_rate_hz(), part)?;
    let of_part = Hints {
        start_seconds: None,
        ..hints
    };
    let samples = &recording.samples;
    let encoded = encode_samples(encoder, model, samples, file, of_part, label, stage, cancel)?;
    Ok(Encoded {
        channel: recording.channel,
        trimmed_seconds: part.start_seconds + encoded.trimmed_seconds,
        ..encoded
    })
}

/// The same from samples that were read already: mono, at the encoder's rate, of any level; `file` is what messages call them.
///
/// # Errors
/// As [`encode_file`]'s, but for reading.
#[expect(
    clippy::too_many_arguments,
    reason = "each is another thing, and all are needed"
)]
pub fn encode_samples(
    encoder: &mut Encoder,
    model: &str,
    samples: &[f32],
    file: &Path,
    hints: Hints,
    mut label: Label,
    stage: &mut dyn FnMut(Stage),
    cancel: &AtomicBool,
) -> Result<Encoded, EncodeError> {
    hints.check()?;
    let mut enter = |next| enter(next, stage, cancel);
    let rate_hz = encoder.sample_rate_hz();
    let place = |seconds: f64| ((seconds * f64::from(rate_hz)).round() as usize).min(samples.len());
    let start = place(hints.start_seconds.unwrap_or(0.0));
    let end = hints
        .length_seconds
        .map_or(samples.len(), |length| samples.len().min(start + place(length)));
    let part = without_offset(samples[start..end].to_vec(), rate_hz);
    let note = RecordedNote::find(&part, rate_hz, hints.length_seconds.is_some())
        .ok_or_else(|| EncodeError::Silent { file: file.into() })?;
    let trimmed_seconds = (start + note.samples.start) as f64 / f64::from(rate_hz);
    let mut samples = part[note.samples.clone()].to_vec();
    if note.end != NoteEnd::Silence {
        fade_out(&mut samples, (CUT_SECONDS * f64::from(rate_hz)) as usize);
    }

    enter(Stage::Pitch)?;
    let detected = match hints.pitch {
        PitchHint::Find => pitch_detect::detect(&samples, rate_hz),
        PitchHint::Midi(_) | PitchHint::Unpitched => None,
    };
    let known = match (hints.pitch, detected) {
        (PitchHint::Midi(given), _) => Some(given),
        (PitchHint::Find, Some(found)) if found.confidence >= MIN_CONFIDENCE => {
            Some(found.midi.clamp(0.0, 127.0))
        }
        _ => None,
    };
    let is_unpitched = known.is_none();
    let pitch = known.unwrap_or(UNPITCHED_KEY);
    if is_unpitched && !label.tags.iter().any(|tag| tag == UNPITCHED_TAG) {
        label.tags.push(UNPITCHED_TAG.into());
    }

    enter(Stage::Encoding)?;
    let gain_db = LEVEL_DBFS - loudest_db(&samples);
    let gain = 10_f64.powf(gain_db / 20.0) as f32;
    samples.iter_mut().for_each(|sample| *sample *= gain);
    let embedding = encoder.encode(&samples, pitch)?;
    let hop = encoder.embedding_hop_samples();
    let levels = sustain_loop::levels_db(&samples, hop);
    let seconds_per_frame = hop as f64 / f64::from(rate_hz);
    let loop_region = sustain_loop::find(&levels, seconds_per_frame)
        .filter(|region| (region.end_frame as usize) < embedding.frames())
        .map(|region| sustain_loop::at_rest(region, &embedding, seconds_per_frame));
    let mut sound = Sound {
        name: label.name,
        family: label.family,
        tags: label.tags,
        licence: label.licence,
        source: label.source,
        model: model.into(),
        pitch,
        gain_db: gain_db as f32,
        loop_region,
        embedding,
        velocity: DEFAULT_VELOCITY,
        further: Vec::new(),
        credits: Credits::default(),
    };
    if is_unpitched || !encoder.takes_pitch() {
        sound.further = at_further_pitches(encoder, &samples, &sound, cancel)?;
    }
    quality::add_tags(
        &mut sound.tags,
        quality::of_recording(&samples, rate_hz, pitch, loop_region, seconds_per_frame),
    );
    if !is_unpitched {
        enter(Stage::Tuning)?;
        encoder.tune(&mut sound, cancel).map_err(|error| match error {
            DecodeError::Cancelled => EncodeError::Cancelled,
            error => error.into(),
        })?;
    }
    let seconds = samples.len() as f64 / f64::from(rate_hz);
    Ok(Encoded {
        sound,
        detected,
        is_unpitched,
        channel: ChannelUse::Only,
        trimmed_seconds,
        seconds,
        end: note.end,
    })
}

/// Tells what is done next, unless it is called off.
fn enter(next: Stage, stage: &mut dyn FnMut(Stage), cancel: &AtomicBool) -> Result<(), EncodeError> {
    stage(next);
    if cancel.load(Ordering::Relaxed) {
        Err(EncodeError::Cancelled)
    } else {
        Ok(())
    }
}

/// Takes out what was added to all samples, if it is worth it: a converter's offset would be loud where the note is silent.
fn without_offset(mut samples: Vec<f32>, sample_rate_hz: u32) -> Vec<f32> {
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().map(|s| f64::from(*s)).sum::<f64>() / count;
    let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / count;
    if mean.abs() <= OFFSET_SHARE * power.sqrt() {
        return samples;
    }
    let kept = (-std::f64::consts::TAU * OFFSET_HZ / f64::from(sample_rate_hz)).exp();
    let mut offset = mean;
    for sample in &mut samples {
        offset = f64::from(*sample) + kept * (offset - f64::from(*sample));
        *sample = (f64::from(*sample) - offset) as f32;
    }
    samples
}

/// A raised cosine over the last samples.
fn fade_out(samples: &mut [f32], length: usize) {
    let length = length.min(samples.len());
    let end = samples.len();
    for (index, sample) in samples[end - length..].iter_mut().enumerate() {
        *sample *= 0.5 + 0.5 * (std::f32::consts::PI * (index as f32 + 1.0) / length as f32).cos();
    }
}

/// The sound at the pitches that a model's notes are rendered at, from one recording: played faster and slower, encoded, and
/// brought back to its own time, frame for frame.
fn at_further_pitches(
    encoder: &mut Encoder,
    samples: &[f32],
    sound: &Sound,
    cancel: &AtomicBool,
) -> Result<Vec<Layer>, EncodeError> {
    let near = |pitch: &i32| (*pitch as f32 - sound.pitch).abs() <= FARTHEST_SEMITONES;
    let mut further = Vec::new();
    for pitch in grid_pitches().filter(near) {
        if cancel.load(Ordering::Relaxed) {
            return Err(EncodeError::Cancelled);
        }
        let faster = ((f64::from(pitch) - f64::from(sound.pitch)) / 12.0).exp2();
        let played = audio_file::sped_up(samples, encoder.sample_rate_hz(), faster);
        let encoded = encoder.encode(&played, pitch as f32)?;
        let mut values = vec![0.0; sound.embedding.values().len()];
        for (frame, vector) in values.chunks_exact_mut(encoded.dims()).enumerate() {
            encoded.add_at((frame as f64 + 0.5) / faster - 0.5, 1.0, vector);
        }
        let embedding =
            Embedding::new(encoded.dims(), values).map_err(|source| encoder.no_embedding(source))?;
        further.push(Layer {
            pitch: pitch as f32,
            velocity: sound.velocity,
            loop_region: sound.loop_region,
            embedding,
        });
    }
    Ok(further)
}

/// The loudest short-time rms, in dB of full scale.
fn loudest_db(samples: &[f32]) -> f64 {
    (0..samples.len())
        .step_by(LEVEL_HOP)
        .map(|start| {
            // The window's whole length counts, as in training: a click is not loud.
            let window = &samples[start..samples.len().min(start + LEVEL_WINDOW)];
            rms_db(window) + 10.0 * (window.len() as f64 / LEVEL_WINDOW as f64).log10()
        })
        .fold(QUIETEST_DBFS, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    fn note(hz: f64, seconds: f64, silence: f64) -> Vec<f32> {
        let rate = 48_000.0;
        let mut samples = vec![0.0; (silence * rate) as usize];
        samples.extend((0..(seconds * rate) as usize).map(|i| {
            let t = i as f64 / rate;
            let swell = (t / 0.05).min(1.0) * ((seconds - t) / 0.1).clamp(0.0, 1.0);
            let partials: f64 = (1..6)
                .map(|k| (std::f64::consts::TAU * hz * f64::from(k) * t).sin() / f64::from(k))
                .sum();
            (0.2 * swell * partials) as f32
        }));
        samples
    }

    fn encoded(samples: &[f32], pitch: Option<f32>) -> Result<Encoded, EncodeError> {
        encoded_with(samples, Hints::of_pitch(pitch))
    }

    fn encoded_with(samples: &[f32], hints: Hints) -> Result<Encoded, EncodeError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("note.wav");
        crate::wav::write_mono(&file, 48_000, samples).unwrap();
        let model = model::shipped();
        let mut encoder = model.encoder().unwrap();
        let label = Label {
            name: "note".into(),
            ..Label::default()
        };
        encode_file(
            &mut encoder,
            &model.tag(),
            &file,
            hints,
            label,
            &mut |_| {},
            &AtomicBool::new(false),
        )
    }

    #[test]
    fn a_note_becomes_a_sound_with_its_pitch_level_and_loop() {
        let encoded = encoded(&note(220.0, 3.0, 0.5), None).unwrap();
        let sound = &encoded.sound;
        assert!((sound.pitch - 57.0).abs() < 0.1, "{}", sound.pitch);
        assert!(
            (encoded.trimmed_seconds - 0.5).abs() < 0.01,
            "{}",
            encoded.trimmed_seconds
        );
        assert!(sound.loop_region.is_some());
        assert_eq!(sound.embedding.dims(), 16);
        assert!(
            sound.embedding.frames().abs_diff(94) <= 1,
            "{:?}",
            sound.embedding
        );
    }

    #[test]
    fn silence_before_a_note_and_its_level_do_not_change_the_embedding() {
        let plain = note(330.0, 1.0, 0.0);
        let late: Vec<f32> = [vec![0.0; 48 * 100], plain.iter().map(|s| 0.25 * s).collect()].concat();
        let (a, b) = (
            encoded(&plain, Some(64.0)).unwrap().sound,
            encoded(&late, Some(64.0)).unwrap().sound,
        );
        let farthest = a
            .embedding
            .values()
            .iter()
            .zip(b.embedding.values())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(farthest < 1e-3, "{farthest}");
        assert!(
            (b.gain_db - a.gain_db - 12.04).abs() < 0.01,
            "{} {}",
            a.gain_db,
            b.gain_db
        );
    }

    #[test]
    fn the_loudest_window_comes_to_the_models_level() {
        let samples = note(440.0, 1.0, 0.0);
        let gain = 10_f64.powf((LEVEL_DBFS - loudest_db(&samples)) / 20.0) as f32;
        let levelled: Vec<f32> = samples.iter().map(|s| s * gain).collect();
        assert!((loudest_db(&levelled) - LEVEL_DBFS).abs() < 1e-3);
    }

    fn noise(seconds: f64) -> Vec<f32> {
        let mut state = 1_u32;
        (0..(seconds * 48_000.0) as usize)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                0.5 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
            })
            .collect()
    }

    #[test]
    fn silence_and_pitches_out_of_range_are_refused_in_a_sentence() {
        let message = encoded(&[0.0; 9600], None).unwrap_err().to_string();
        assert!(
            message.contains("holds only silence") && !message.contains('\n'),
            "{message}"
        );
        assert!(matches!(
            encoded(&noise(0.2), Some(300.0)),
            Err(EncodeError::Pitch { .. })
        ));
    }

    /// Noise about 1 kHz, which dies away.
    fn knock() -> Vec<f32> {
        let (mut low, mut band) = (0.0_f32, 0.0_f32);
        let filtered = noise(0.6).into_iter().enumerate().map(|(n, x)| {
            let high = x - low - 0.5 * band;
            band += 0.13 * high;
            low += 0.13 * band;
            band * (-8.0 * n as f32 / 48_000.0).exp()
        });
        filtered.collect()
    }

    /// Zero crossings a second: where most of a noise lies.
    fn crossings(samples: &[f32]) -> f64 {
        let count = samples
            .windows(2)
            .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
            .count();
        count as f64 * 48_000.0 / samples.len() as f64
    }

    #[test]
    fn what_has_no_pitch_is_played_by_transposition() {
        let encoded = encoded(&knock(), None).unwrap();
        assert!(encoded.is_unpitched, "{:?}", encoded.detected);
        assert!(encoded.sound.tags.iter().any(|tag| tag == UNPITCHED_TAG));
        let sound = std::sync::Arc::new(encoded.sound);
        assert_eq!((sound.pitch, sound.pitch_range()), (60.0, (36.0, 84.0)));
        let model = model::shipped();
        let heard = |pitch: f32| {
            let mut decoder = model.decoder().unwrap();
            let corners = [Some(std::sync::Arc::clone(&sound)), None, None, None];
            let weights = [1.0, 0.0, 0.0, 0.0];
            let note = crate::note_render::BlendedNote::new(&corners, weights, pitch, 16, 3).unwrap();
            let mut note = crate::note_render::NoteRender::new(note, 1, decoder.format());
            let mut samples = Vec::new();
            while samples.len() < 12_000 {
                samples.extend(note.next_run(decoder.as_mut(), &AtomicBool::new(false)).unwrap());
            }
            crossings(&samples)
        };
        let (low, middle, high) = (heard(48.0), heard(60.0), heard(72.0));
        assert!(middle / low > 1.5 && high / middle > 1.5, "{low} {middle} {high}");
    }

    #[test]
    fn a_pitch_that_the_user_denies_is_not_looked_for() {
        let hints = Hints {
            pitch: PitchHint::Unpitched,
            ..Hints::default()
        };
        let encoded = encoded_with(&note(220.0, 0.5, 0.0), hints).unwrap();
        assert!(encoded.is_unpitched && encoded.detected.is_none());
        assert_eq!(encoded.sound.pitch, UNPITCHED_KEY);
    }

    #[test]
    fn of_a_long_recording_the_first_note_is_taken_or_the_one_that_is_asked_for() {
        let notes = [
            note(220.0, 1.0, 0.3),
            note(330.0, 1.0, 0.5),
            note(440.0, 1.0, 0.5),
        ]
        .concat();
        let first = encoded(&notes, None).unwrap();
        assert!((first.sound.pitch - 57.0).abs() < 0.1, "{}", first.sound.pitch);
        assert!((first.seconds - 1.0).abs() < 0.05, "{}", first.seconds);
        let hints = Hints {
            start_seconds: Some(1.5),
            ..Hints::default()
        };
        let second = encoded_with(&notes, hints).unwrap();
        assert!((second.sound.pitch - 64.02).abs() < 0.1, "{}", second.sound.pitch);
        assert!(
            (second.trimmed_seconds - 1.8).abs() < 0.02,
            "{}",
            second.trimmed_seconds
        );
        let hints = Hints {
            start_seconds: Some(3.5),
            length_seconds: Some(0.5),
            ..Hints::default()
        };
        let third = encoded_with(&notes, hints).unwrap();
        assert!((third.sound.pitch - 69.0).abs() < 0.1, "{}", third.sound.pitch);
        assert!((third.seconds - 0.5).abs() < 0.01 && third.end == NoteEnd::Given);
    }

    #[test]
    fn an_offset_is_taken_out_and_a_note_without_one_is_left_alone() {
        let plain = note(220.0, 0.5, 0.2);
        assert_eq!(without_offset(plain.clone(), 48_000), plain);
        let offset: Vec<f32> = plain.iter().map(|sample| sample + 0.3).collect();
        let cleaned = without_offset(offset, 48_000);
        let rest = cleaned[4800..9000]
            .iter()
            .map(|sample| sample.abs())
            .fold(0.0, f32::max);
        assert!(rest < 0.01, "{rest}");
        let encoded = encoded(&plain.iter().map(|sample| sample + 0.3).collect::<Vec<_>>(), None).unwrap();
        assert!(
            (encoded.sound.pitch - 57.0).abs() < 0.1,
            "{}",
            encoded.sound.pitch
        );
    }
}
