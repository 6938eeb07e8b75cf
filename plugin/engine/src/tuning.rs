//! Putting a new sound in tune: what its decoding is off by is taken out of its embedding.
//!
//! Background threads, once an import. A model may carry the deviation from the pitch in a dimension of its own
//! (`pitch_dim` in `model.toml`); its networks leave plucked and trembling notes some cents off, which a chord
//! of them would show. The sound is decoded at its own pitch, and heard as a recording would be.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::decoder::{DecodeError, Decoder};
use crate::note_render::{BlendedNote, NoteRender};
use crate::pitch_detect;
use crate::sound::Sound;

/// What is decoded of the note.
const HEARD_SECONDS: f64 = 2.5;
/// A decoding whose pitch is less clear than this is left as it is: bells and drums.
const CLEAR: f32 = 0.9;
/// The detector hears the stretched partials of a stiff string as so much pitch: less is left alone.
const INDIFFERENT_SEMITONES: f32 = 0.015;
/// A decoder follows its embedding by half of the way, or more.
const ROUNDS: usize = 4;
/// A decoding that is further off than this was not meant to have the pitch.
const LARGEST_SEMITONES: f32 = 0.15;

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
            let left = pitch_detect::detect(&heard, self.decoder.format().sample_rate_hz)
                .filter(|found| found.confidence >= CLEAR)
                .map(|found| sound.pitch - found.midi)
                .filter(|left| left.abs() <= LARGEST_SEMITONES);
            let Some(left) = left else { break };
            let left = left.signum() * (left.abs() - INDIFFERENT_SEMITONES).max(0.0);
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
        while !note.is_done() && (heard.len() as f64) < HEARD_SECONDS * f64::from(format.sample_rate_hz) {
            heard.extend(note.next_run(self.decoder.as_mut(), cancel)?);
        }
        Ok(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

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
            loop_region: None,
            embedding: embedding.clone(),
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
