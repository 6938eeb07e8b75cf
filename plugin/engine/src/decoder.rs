//! What every decoder promises, whatever its graph looks like.
//!
//! A decoder turns conditioning (one embedding vector and one pitch for each decoder frame) into audio,
//! chunk by chunk. It lives on one render worker (`&mut self`, never the audio thread); a worker holds one of
//! its own for each model, and all of a model's decoders share the weights. What a note has come to is a
//! [`Snapshot`], kept outside the decoder, so that any decoder of the same model can go on with any note.
//!
//! Drivers: [`partials`] (one graph run for many frames, then the synthesis kernel) and [`step`] (a network that makes one
//! sample a step). Nothing else in the engine asks which driver it has.

pub mod partials;
#[cfg(test)]
pub(crate) mod rehearsal;
pub mod step;

use std::any::Any;
use std::fmt;
use std::sync::atomic::AtomicBool;

/// One vector and one pitch for each decoder frame: the blended, looped, stretched embedding of a note.
///
/// A decoder reads the frames it needs and no others; frame 0 is the note's start. The frames of a note that
/// were read already stay what they were: a timbre that moves is a new `Conditioning` at the next run.
pub trait Conditioning: Send + Sync {
    /// Writes the frames from `first_frame` on: `pitch.len()` of them.
    ///
    /// `embedding` is `[frames, dims]`, row-major; `pitch` is in MIDI note numbers, fractional.
    fn read(&self, first_frame: usize, embedding: &mut [f32], pitch: &mut [f32]);
}

/// How a note begins: all that a decoder's chance and tables may depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoteStart {
    /// Seeds every random choice of the note (phases, noise, sampling). Same seed, same samples.
    pub seed: u64,
    /// The pitch that the note is written at, in MIDI note numbers; the conditioning's pitch moves about it.
    pub pitch: f32,
    /// Scales the randomness of a decoder that samples (1.0 is the model's own); others ignore it.
    pub temperature: f32,
}

/// A decoder's state between two chunks of one note. `Clone` is the snapshot: rendering can go on from the
/// copy with other conditioning, on another worker.
pub struct Snapshot {
    state: Box<dyn NoteState>,
    bytes: usize,
}

/// What a driver keeps of a note. Implemented for every `Clone + Send + 'static`.
trait NoteState: Any + Send + Sync {
    fn duplicate(&self) -> Box<dyn NoteState>;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Any + Send + Sync + Clone> NoteState for T {
    fn duplicate(&self) -> Box<dyn NoteState> {
        Box::new(self.clone())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Snapshot {
    /// Wraps a driver's own state, which takes so much memory.
    pub fn new<T: Any + Send + Sync + Clone>(state: T, bytes: usize) -> Self {
        Self {
            state: Box::new(state),
            bytes,
        }
    }

    /// Memory that it takes, as its driver says.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The driver's own state again, if this snapshot is one of that driver.
    pub fn downcast_mut<T: Any>(&mut self) -> Option<&mut T> {
        (*self.state).as_any_mut().downcast_mut()
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Self {
        Self {
            state: (*self.state).duplicate(),
            bytes: self.bytes,
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// The next chunks of one note.
pub struct Run<'a> {
    /// The note, moved on past the rendered chunks.
    pub note: &'a mut Snapshot,
    /// What the note is to sound like from here on.
    pub conditioning: &'a dyn Conditioning,
    /// Where the samples go: as many chunks as its length holds, a multiple of [`DecoderFormat::chunk_samples`].
    pub samples: &'a mut [f32],
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("samples", &self.samples.len())
            .finish_non_exhaustive()
    }
}

/// The sizes that a decoder works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderFormat {
    /// Rate of the samples that come out.
    pub sample_rate_hz: u32,
    /// Samples of one decoder frame.
    pub hop_samples: usize,
    /// Samples of one chunk, a multiple of `hop_samples`.
    pub chunk_samples: usize,
    /// Values in one embedding vector.
    pub dims: usize,
}

/// A model's decoder on one worker thread.
pub trait Decoder: Send + fmt::Debug {
    /// The sizes that it works in.
    fn format(&self) -> DecoderFormat;

    /// How many runs it computes at once; more may be handed over. 1 where a batch gains nothing, or would change samples.
    fn batch_capacity(&self) -> usize;

    /// A note before its first chunk.
    fn begin(&self, start: NoteStart) -> Snapshot;

    /// Renders the next chunks of each run's note. Runs may differ in length and in how far their notes are.
    ///
    /// The samples of a run depend on its note, its conditioning and its length, and never on its neighbours in
    /// the batch. `cancel` may be set by any thread: a decoder that takes long looks at it and stops.
    ///
    /// # Errors
    /// The notes of a failed or cancelled call are not to be gone on with.
    fn render(&mut self, runs: &mut [Run<'_>], cancel: &AtomicBool) -> Result<(), DecodeError>;
}

/// Why a decoder could not render.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A run's length is no whole number of chunks.
    #[error("a run of {found} samples was asked for; a decoder renders multiples of {chunk_samples}")]
    RunLength {
        /// Samples asked for.
        found: usize,
        /// Samples of one chunk.
        chunk_samples: usize,
    },
    /// A snapshot came from another kind of decoder.
    #[error("a note of another model was handed to this decoder")]
    ForeignSnapshot,
    /// The graph failed.
    #[error("{graph}: the decoder failed at a run of {frames} frames: {source}")]
    Graph {
        /// File name of the graph.
        graph: String,
        /// Decoder frames of the run.
        frames: usize,
        /// What ONNX Runtime said.
        source: ort::Error,
    },
    /// The graph gave something that is no audio.
    #[error("{graph}: output `{output}` holds a value that is not finite")]
    NotFinite {
        /// File name of the graph.
        graph: String,
        /// The output that held it.
        output: &'static str,
    },
    /// Rendering was called off.
    #[error("rendering was cancelled")]
    Cancelled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_goes_on_apart_from_its_copy() {
        let mut note = Snapshot::new(vec![1, 2, 3], 12);
        let mut copy = note.clone();
        note.downcast_mut::<Vec<i32>>().unwrap().push(4);
        assert_eq!(copy.downcast_mut::<Vec<i32>>().unwrap(), &[1, 2, 3]);
        assert_eq!(note.downcast_mut::<Vec<i32>>().unwrap(), &[1, 2, 3, 4]);
    }

    #[test]
    fn a_snapshot_of_another_driver_is_told_apart() {
        assert!(Snapshot::new(1_u8, 1).downcast_mut::<u16>().is_none());
    }
}
