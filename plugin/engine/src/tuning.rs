//! Putting a new sound in tune: what its decoding is off by is taken out of its embedding.
//!
//! Background threads, once an import. A model may carry the deviation from the pitch in a dimension of its own
//! (`pitch_dim` in `model.toml`); its networks leave plucked and trembling notes some cents off, which a chord
//! of them would show. The sound is decoded at its own pitch, and heard as a recording would be.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use realfft::num_complex::Complex;

use crate::decoder::{DecodeError, Decoder};
use crate::note_render::{BlendedNote, NoteRender};
use crate::sound::Sound;

/// What is heard of the decoded note: after its attack, which glides, and as long as most notes last: players drift.
const HEARD_SECONDS: std::ops::Range<f64> = 0.15..1.3;
/// The harmonics that are listened to: those of stiff strings stray from the fourth on.
const HARMONICS: usize = 4;
/// A harmonic is followed in frames of so many periods: short enough for it to tremble in, long enough to tell it from the next.
const FRAME_PERIODS: f64 = 12.0;
/// Samples between frames.
const HOP_SAMPLES: usize = 512;
/// A harmonic that is further off than this was not meant to be there: bells.
const LARGEST_SEMITONES: f32 = 0.15;
/// Share of the level in the harmonics that must be where they are meant to be.
const CLEAR: f64 = 0.5;
/// A decoder follows its embedding by half of the way, or more.
const ROUNDS: usize = 4;

/// What puts the sounds of a model in tune.
#[derive(Debug)]
pub struct Tuner {
    decoder: Box<dyn Decoder>,
    pitch_dim: usize,
    frames_per_embedding_frame: usize,
}

impl Tuner {
    pub(crate) fn new(
        decoder: Box<dyn Decoder>,
        pitch_dim: usize,
        frames_per_embedding_frame: usize,
    ) -> Self {
        Self {
            decoder,
            pitch_dim,
            frames_per_embedding_frame,
        }
    }

    /// Shifts the pitch of the sound's embedding so that its decoding has the sound's pitch; returns by how many semitones,
    /// 0 where the decoding has no clear pitch.
    ///
    /// # Errors
    /// The decoder's.
    pub fn tune(&mut self, sound: &mut Sound, cancel: &AtomicBool) -> Result<f32, DecodeError> {
        let mut shift = 0.0;
        for _ in 0..ROUNDS {
            let heard = self.decoded(sound, cancel)?;
            let Some(sharp) = sharp_by(&heard, self.decoder.format().sample_rate_hz, sound.pitch) else {
                break;
            };
            let left = -sharp;
            sound.embedding.shift(self.pitch_dim, left);
            shift += left;
        }
        Ok(shift)
    }

    fn decoded(&mut self, sound: &Sound, cancel: &AtomicBool) -> Result<Vec<f32>, DecodeError> {
        let format = self.decoder.format();
        let corners = [Some(Arc::new(sound.clone())), None, None, None];
        let weights = [1.0, 0.0, 0.0, 0.0];
        let blend = BlendedNote::new(
            &corners,
            weights,
            sound.pitch,
            format.dims,
            self.frames_per_embedding_frame,
        );
        let mut heard = Vec::new();
        let Some(mut note) = blend.map(|blend| NoteRender::new(blend, 0, format)) else {
            return Ok(heard);
        };
        while !note.is_done() && (heard.len() as f64) < HEARD_SECONDS.end * f64::from(format.sample_rate_hz) {
            heard.extend(note.next_run(self.decoder.as_mut(), cancel)?);
        }
        Ok(heard)
    }
}

/// How many semitones a note is above `pitch`, by the phases of its low harmonics; none if they are not there.
fn sharp_by(samples: &[f32], sample_rate_hz: u32, pitch: f32) -> Option<f32> {
    let rate = f64::from(sample_rate_hz);
    let f0_hz = 440.0 * 2_f64.powf((f64::from(pitch) - 69.0) / 12.0);
    let heard = samples.get((HEARD_SECONDS.start * rate) as usize..)?;
    let frame_samples = (FRAME_PERIODS * rate / f0_hz) as usize;
    let (mut sum, mut there, mut all) = (0.0, 0.0, 0.0);
    for harmonic in 1..=HARMONICS {
        let hz = harmonic as f64 * f0_hz;
        if hz > rate / 3.0 {
            break;
        }
        let phasors = demodulated(heard, hz / rate, frame_samples);
        let turn: Complex<f64> = phasors.windows(2).map(|pair| pair[1] * pair[0].conj()).sum();
        let off_hz = turn.arg() * rate / (std::f64::consts::TAU * HOP_SAMPLES as f64);
        let semitones = 12.0 * (1.0 + off_hz / hz).max(0.5).log2();
        let level = turn.norm().sqrt();
        all += level;
        if semitones.abs() <= f64::from(LARGEST_SEMITONES) {
            there += level;
            sum += level * semitones;
        }
    }
    (there > CLEAR * all).then(|| (sum / there) as f32)
}

/// Amplitude and phase of one frequency (in cycles a sample) in Hann-windowed frames.
fn demodulated(samples: &[f32], frequency: f64, frame_samples: usize) -> Vec<Complex<f64>> {
    let turns = |n: usize| std::f64::consts::TAU * (frequency * n as f64).fract();
    let kernel: Vec<Complex<f64>> = (0..frame_samples)
        .map(|n| {
            let hann = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / frame_samples as f64).cos();
            Complex::from_polar(hann, -turns(n))
        })
        .collect();
    samples
        .windows(frame_samples)
        .step_by(HOP_SAMPLES)
        .enumerate()
        .map(|(frame, window)| {
            let sum: Complex<f64> = window.iter().zip(&kernel).map(|(x, k)| k * f64::from(*x)).sum();
            sum * Complex::from_polar(1.0, -turns(frame * HOP_SAMPLES))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::Credits;
    use crate::model;

    #[test]
    fn the_pitch_of_a_trembling_note_is_heard_to_half_a_cent() {
        for (pitch, cents) in [(36.0_f32, -12.0), (60.0, 3.7), (84.0, 9.0)] {
            let (mut phase, mut samples) = (0.0_f64, Vec::new());
            for n in 0..120_000 {
                let trembling = 10.0 * (std::f64::consts::TAU * 5.0 * f64::from(n) / 48_000.0).sin();
                let semitones = f64::from(pitch) - 69.0 + (cents + trembling) / 100.0;
                phase += std::f64::consts::TAU * 440.0 * 2_f64.powf(semitones / 12.0) / 48_000.0;
                samples.push((0.1 * phase.sin() + 0.05 * (2.0 * phase).sin()) as f32);
            }
            let found = 100.0 * f64::from(sharp_by(&samples, 48_000, pitch).unwrap());
            assert!((found - cents).abs() < 0.5, "{pitch}: {found} for {cents}");
        }
    }

    #[test]
    fn noise_and_silence_have_no_tuning() {
        assert_eq!(sharp_by(&[0.0; 100], 48_000, 60.0), None);
        assert_eq!(sharp_by(&[0.0; 60_000], 48_000, 60.0), None);
    }

    #[test]
    fn a_sound_whose_decoding_is_sharp_is_put_in_tune() {
        let model = model::shipped();
        let mut encoder = model.encoder().unwrap();
        let cancel = AtomicBool::new(false);
        let time = |i: usize| i as f32 / 48_000.0;
        let audio: Vec<f32> = (0..96_000)
            .map(|i| {
                (1..6)
                    .map(|k| (std::f32::consts::TAU * 220.0 * k as f32 * time(i)).sin() / k as f32)
                    .sum::<f32>()
                    * 0.1
            })
            .collect();
        let embedding = encoder.encode(&audio, 57.0).unwrap();
        let mut sound = Sound {
            name: "test".into(),
            family: String::new(),
            tags: Vec::new(),
            licence: String::new(),
            source: String::new(),
            model: model.tag(),
            pitch: 57.0,
            gain_db: 0.0,
            velocity: crate::sound::DEFAULT_VELOCITY,
            further: Vec::new(),
            loop_region: None,
            embedding: embedding.clone(),
            credits: Credits::default(),
        };
        sound.embedding.shift(1, 0.08);
        encoder.tune(&mut sound, &cancel).unwrap();
        let tuned = sound.embedding.clone();
        let again = encoder.tune(&mut sound, &cancel).unwrap();
        assert!(again.abs() < 0.01, "{again}");
        sound.embedding = embedding.clone();
        encoder.tune(&mut sound, &cancel).unwrap();
        let apart = tuned.values()[1] - sound.embedding.values()[1];
        assert!(apart.abs() < 0.06, "{apart}");
        // What is far off is no matter of tuning.
        sound.embedding = embedding;
        sound.pitch = 58.0;
        sound.embedding.shift(1, 0.5);
        let before = sound.embedding.clone();
        assert_eq!(encoder.tune(&mut sound, &cancel).unwrap(), 0.0);
        assert_eq!(sound.embedding, before);
    }
}
