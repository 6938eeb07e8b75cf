//! A model's encoder: audio and pitch in, embedding out.
//!
//! Background threads only: a four-second note takes tens of milliseconds. All analysis is in the graph.

use std::sync::atomic::AtomicBool;

use betwixt_audio::denormals::FlushDenormals;
use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use crate::decoder::DecodeError;
use crate::embedding::{Embedding, EmbeddingError};
use crate::model::manifest::{Manifest, PitchInput};
use crate::sound::Sound;
use crate::tuning::Tuner;

/// An encoder of one thread.
#[derive(Debug)]
pub struct Encoder {
    session: Session,
    graph: String,
    sample_rate_hz: u32,
    embedding_hop_samples: usize,
    dims: usize,
    takes_pitch: bool,
    tuner: Option<Tuner>,
}

/// Why audio could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// The graph failed.
    #[error("{graph}: the encoder failed: {source}")]
    Graph {
        /// File name of the graph.
        graph: String,
        /// What ONNX Runtime said.
        source: ort::Error,
    },
    /// The graph gave something that is no embedding.
    #[error("{graph}: output `embedding`: {source}")]
    Embedding {
        /// File name of the graph.
        graph: String,
        /// What is wrong with it.
        source: EmbeddingError,
    },
}

impl Encoder {
    /// `tuner` where the model carries the pitch in a dimension of its own.
    pub(crate) fn new(session: Session, graph: &str, manifest: &Manifest, tuner: Option<Tuner>) -> Self {
        Self {
            session,
            graph: graph.into(),
            sample_rate_hz: manifest.sample_rate_hz,
            embedding_hop_samples: manifest.embedding_hop_samples,
            dims: manifest.dims,
            takes_pitch: manifest.pitch == PitchInput::Conditioned,
            tuner,
        }
    }

    /// The rate of the audio that it takes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Whether it is told the pitch; otherwise the embedding holds it.
    pub fn takes_pitch(&self) -> bool {
        self.takes_pitch
    }

    /// What is wrong with an embedding that was made of its own.
    pub(crate) fn no_embedding(&self, source: EmbeddingError) -> EncoderError {
        EncoderError::Embedding {
            graph: self.graph.clone(),
            source,
        }
    }

    /// Samples between embedding frames.
    pub fn embedding_hop_samples(&self) -> usize {
        self.embedding_hop_samples
    }

    /// Puts a sound of this model in tune; returns by how many semitones, 0 if the model cannot.
    ///
    /// # Errors
    /// The decoder's, which the sound is heard through.
    pub fn tune(&mut self, sound: &mut Sound, cancel: &AtomicBool) -> Result<f32, DecodeError> {
        self.tuner
            .as_mut()
            .map_or(Ok(0.0), |tuner| tuner.tune(sound, cancel))
    }

    /// Encodes mono audio that was brought to the model's level; `pitch` is a MIDI note number, fractional.
    ///
    /// # Errors
    /// If the graph fails.
    pub fn encode(&mut self, audio: &[f32], pitch: f32) -> Result<Embedding, EncoderError> {
        let failed = |source| EncoderError::Graph {
            graph: self.graph.clone(),
            source,
        };
        let _flush = FlushDenormals::enter();
        let pitch = [pitch];
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(2);
        inputs.push((
            "audio",
            TensorRef::from_array_view(([1, audio.len()], audio))
                .map_err(failed)?
                .into(),
        ));
        if self.takes_pitch {
            inputs.push((
                "pitch",
                TensorRef::from_array_view(([1_usize], pitch.as_slice()))
                    .map_err(failed)?
                    .into(),
            ));
        }
        let outputs = self.session.run(inputs).map_err(failed)?;
        let (_, values) = outputs["embedding"].try_extract_tensor::<f32>().map_err(failed)?;
        let embedding = Embedding::new(self.dims, values.to_vec());
        drop(outputs);
        embedding.map_err(|source| self.no_embedding(source))
    }
}
