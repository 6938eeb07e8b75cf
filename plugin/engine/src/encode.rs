//! From a recording to a sound.
//!
//! Background threads only. The recording is read to mono at the model's rate, silence before the note is cut,
//! its pitch is found unless it is given, its level is brought to the model's, the model's encoder does the rest, and what the
//! sound's decoding is out of tune by is taken out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use betwixt_audio::grid::grid_pitches;

use crate::audio_file::{self, AudioFileError, ChannelUse};
use crate::credits::Credits;
use crate::decoder::DecodeError;
use crate::embedding::Embedding;
use crate::encoder::{Encoder, EncoderError};
use crate::pitch_detect::{self, DetectedPitch, MIN_CONFIDENCE};
use crate::quality;
use crate::sound::{PitchedEmbedding, Sound};
use crate::sustain_loop;

/// The level that encoders are trained at: the loudest short-time rms, in dB of full scale.
pub const LEVEL_DBFS: f64 = -20.0;
/// Window of the short-time rms, in samples at the model's rate.
const LEVEL_WINDOW: usize = 2048;
/// Step of the short-time rms.
const LEVEL_HOP: usize = 1024;
/// The note begins where the level first comes this close to the loudest.
const ONSET_DB: f64 = -50.0;
/// Blocks in which the beginning is looked for, in samples: 1 ms at 48 kHz.
const ONSET_BLOCK: usize = 48;
/// After the note there is nothing louder than this under the loudest.
const END_DB: f64 = -70.0;
/// A recording quieter than this holds only silence.
const SILENCE_DBFS: f64 = -90.0;
/// Longer notes are cut: nothing in them changes any more.
pub const MAX_NOTE_SECONDS: f64 = 20.0;

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
    /// The pitch that was found, if it was not given.
    pub detected: Option<DetectedPitch>,
    /// What became of the file's channels.
    pub channel: ChannelUse,
    /// Silence cut before the note.
    pub trimmed_seconds: f64,
    /// Length of the note.
    pub seconds: f64,
    /// Whether the note's end was cut.
    pub shortened: bool,
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
    /// No pitch was found.
    #[error("{}: no clear pitch was found{}; give it as a MIDI note number", .file.display(), best_guess(.guess))]
    NoPitch {
        /// The file.
        file: PathBuf,
        /// The best guess.
        guess: Option<DetectedPitch>,
    },
    /// The pitch that was given is none.
    #[error("a pitch of {found} was given; expected a MIDI note number from 0 to 127")]
    Pitch {
        /// What was given.
        found: f32,
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

fn best_guess(guess: &Option<DetectedPitch>) -> String {
    guess.map_or_else(String::new, |pitch| {
        format!(
            " (the best guess is {:.1}, {:.0} % sure)",
            pitch.midi,
            100.0 * pitch.confidence
        )
    })
}

/// Encodes the recording in `file`; `model` is the model's name and version, `pitch` a MIDI note number if it is known.
///
/// What is heard in it ([`quality::measure`]) is added to the label's tags. `stage` is told what is being done; `cancel` stops before the next stage.
///
/// # Errors
/// If the file cannot be read, holds no note, or has no clear pitch and none was given.
pub fn encode_file(
    encoder: &mut Encoder,
    model: &str,
    file: &Path,
    pitch: Option<f32>,
    label: Label,
    stage: &mut dyn FnMut(Stage),
    cancel: &AtomicBool,
) -> Result<Encoded, EncodeError> {
    if let Some(found) = pitch.filter(|pitch| !(0.0..=127.0).contains(pitch)) {
        return Err(EncodeError::Pitch { found });
    }
    let mut enter = |next| {
        stage(next);
        if cancel.load(Ordering::Relaxed) {
            Err(EncodeError::Cancelled)
        } else {
            Ok(())
        }
    };
    enter(Stage::Reading)?;
    let rate_hz = encoder.sample_rate_hz();
    let recording = audio_file::read(file, rate_hz)?;
    let note = trim(&recording.samples).ok_or_else(|| EncodeError::Silent { file: file.into() })?;
    let trimmed_seconds = note.start as f64 / f64::from(rate_hz);
    let longest = (MAX_NOTE_SECONDS * f64::from(rate_hz)) as usize;
    let shortened = note.len() > longest;
    let end = note.end.min(note.start + longest);
    let mut samples = recording.samples[note.start..end].to_vec();

    enter(Stage::Pitch)?;
    let detected = if pitch.is_none() {
        pitch_detect::detect(&samples, rate_hz)
    } else {
        None
    };
    let pitch = match (pitch, detected) {
        (Some(given), _) => given,
        (None, Some(found)) if found.confidence >= MIN_CONFIDENCE => found.midi.clamp(0.0, 127.0),
        (None, guess) => {
            return Err(EncodeError::NoPitch {
                file: file.into(),
                guess,
            });
        }
    };

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
        further: Vec::new(),
        credits: Credits::default(),
    };
    if !encoder.takes_pitch() {
        sound.further = at_further_pitches(encoder, &samples, &sound, cancel)?;
    }
    quality::add_tags(
        &mut sound.tags,
        quality::of_recording(&samples, rate_hz, pitch, loop_region, seconds_per_frame),
    );
    enter(Stage::Tuning)?;
    encoder.tune(&mut sound, cancel)?;
    let seconds = samples.len() as f64 / f64::from(rate_hz);
    Ok(Encoded {
        sound,
        detected,
        channel: recording.channel,
        trimmed_seconds,
        seconds,
        shortened,
    })
}

/// The sound at the pitches that a model's notes are rendered at, from one recording: played faster and slower, encoded, and
/// brought back to its own time, frame for frame.
fn at_further_pitches(
    encoder: &mut Encoder,
    samples: &[f32],
    sound: &Sound,
    cancel: &AtomicBool,
) -> Result<Vec<PitchedEmbedding>, EncodeError> {
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
        further.push(PitchedEmbedding {
            pitch: pitch as f32,
            embedding,
        });
    }
    Ok(further)
}

/// Where the note is: from its beginning to where it has died away.
fn trim(samples: &[f32]) -> Option<std::ops::Range<usize>> {
    let levels: Vec<f64> = samples.chunks(ONSET_BLOCK).map(rms_db).collect();
    let loudest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if loudest < SILENCE_DBFS {
        return None;
    }
    let first = levels.iter().position(|level| *level > loudest + ONSET_DB)?;
    let last = levels.iter().rposition(|level| *level > loudest + END_DB)?;
    Some(first * ONSET_BLOCK..samples.len().min((last + 1) * ONSET_BLOCK))
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
        .fold(SILENCE_DBFS, f64::max)
}

fn rms_db(samples: &[f32]) -> f64 {
    let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * (power + 1e-20).log10()
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
            pitch,
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

    #[test]
    fn silence_noise_and_pitches_out_of_range_are_refused_in_a_sentence() {
        assert!(matches!(
            encoded(&[0.0; 9600], None),
            Err(EncodeError::Silent { .. })
        ));
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..48_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        let message = encoded(&noise, None).unwrap_err().to_string();
        assert!(
            message.contains("no clear pitch") && !message.contains('\n'),
            "{message}"
        );
        assert!(matches!(
            encoded(&noise, Some(300.0)),
            Err(EncodeError::Pitch { .. })
        ));
    }
}
