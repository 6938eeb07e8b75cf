//! The driver `partials`: one graph run for many frames, then the synthesis kernel of the audio crate.
//!
//! On one render worker. Frame t is centred on sample `t * hop`, so half of frame 0 lies before the note and its
//! first run decodes one frame more than its chunks hold. Runs are computed one by one: ONNX Runtime's CPU
//! kernels gain nothing from a batch of the sizes that occur, and a note's bytes must not depend on its neighbours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use betwixt_audio::denormals::FlushDenormals;
use betwixt_audio::partials::{PartialsFrames, PartialsScratch, PartialsState, PartialsSynth};
use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use super::{DecodeError, Decoder, DecoderFormat, NoteStart, Run, Snapshot};

/// A state that the graph takes and gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePort {
    /// Name of the input.
    pub input: String,
    /// Name of the output that is the next run's input.
    pub output: String,
    /// Its shape without the batch.
    pub shape: Vec<usize>,
}

impl StatePort {
    /// Values in the state of one note.
    #[allow(clippy::len_without_is_empty, reason = "a state is never empty")]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A note between two runs.
#[derive(Debug, Clone)]
struct PartialsNote {
    next_frame: usize,
    states: Vec<Vec<f32>>,
    synth: PartialsState,
}

/// The decoder of one worker.
#[derive(Debug)]
pub struct PartialsDecoder {
    session: Session,
    graph: String,
    synth: Arc<PartialsSynth>,
    scratch: PartialsScratch,
    format: DecoderFormat,
    takes_pitch: bool,
    states: Vec<StatePort>,
    embedding: Vec<f32>,
    pitch: Vec<f32>,
}

impl PartialsDecoder {
    /// A decoder over a checked session.
    pub(crate) fn new(
        session: Session,
        graph: &str,
        synth: Arc<PartialsSynth>,
        format: DecoderFormat,
        takes_pitch: bool,
        states: Vec<StatePort>,
    ) -> Self {
        let scratch = synth.scratch();
        Self {
            session,
            graph: graph.into(),
            synth,
            scratch,
            format,
            takes_pitch,
            states,
            embedding: Vec::new(),
            pitch: Vec::new(),
        }
    }

    fn render_one(&mut self, run: &mut Run<'_>) -> Result<(), DecodeError> {
        let DecoderFormat {
            hop_samples,
            chunk_samples,
            dims,
            ..
        } = self.format;
        if !run.samples.len().is_multiple_of(chunk_samples) {
            return Err(DecodeError::RunLength {
                found: run.samples.len(),
                chunk_samples,
            });
        }
        if run.samples.is_empty() {
            return Ok(());
        }
        let note: &mut PartialsNote = run.note.downcast_mut().ok_or(DecodeError::ForeignSnapshot)?;
        if !note
            .states
            .iter()
            .map(Vec::len)
            .eq(self.states.iter().map(StatePort::len))
        {
            return Err(DecodeError::ForeignSnapshot);
        }
        let frames = run.samples.len() / hop_samples + usize::from(note.next_frame == 0);
        self.embedding.resize(frames * dims, 0.0);
        self.pitch.resize(frames, 0.0);
        run.conditioning
            .read(note.next_frame, &mut self.embedding, &mut self.pitch);

        let failed = |source| DecodeError::Graph {
            graph: self.graph.clone(),
            frames,
            source,
        };
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(2 + self.states.len());
        let embedding =
            TensorRef::from_array_view(([1, frames, dims], self.embedding.as_slice())).map_err(failed)?;
        inputs.push(("embedding", embedding.into()));
        if self.takes_pitch {
            let pitch = TensorRef::from_array_view(([1, frames], self.pitch.as_slice())).map_err(failed)?;
            inputs.push(("pitch", pitch.into()));
        }
        for (port, values) in self.states.iter().zip(&note.states) {
            let shape: Vec<usize> = std::iter::once(1).chain(port.shape.iter().copied()).collect();
            let state = TensorRef::from_array_view((shape, values.as_slice())).map_err(failed)?;
            inputs.push((&port.input, state.into()));
        }
        let outputs = self.session.run(inputs).map_err(failed)?;
        let output = |name: &'static str| {
            let value = outputs
                .get(name)
                .ok_or_else(|| failed(ort::Error::new(format!("it gave no `{name}`"))))?;
            let (_, values) = value.try_extract_tensor::<f32>().map_err(failed)?;
            if !values.iter().all(|value| value.is_finite()) {
                return Err(DecodeError::NotFinite {
                    graph: self.graph.clone(),
                    output: name,
                });
            }
            Ok(values)
        };
        let partials = PartialsFrames {
            amplitude_db: output("amplitude_db")?,
            deviation: output("deviation")?,
            cents: output("cents")?,
            noise_db: output("noise_db")?,
        };
        self.synth
            .render(
                &mut note.synth,
                &mut self.scratch,
                &partials,
                &self.pitch,
                run.samples,
            )
            .map_err(|error| failed(ort::Error::new(error.to_string())))?;
        for (port, values) in self.states.iter().zip(&mut note.states) {
            let (_, next) = outputs[port.output.as_str()]
                .try_extract_tensor::<f32>()
                .map_err(failed)?;
            values.clear();
            values.extend_from_slice(next);
        }
        note.next_frame += frames;
        Ok(())
    }
}

impl Decoder for PartialsDecoder {
    fn format(&self) -> DecoderFormat {
        self.format
    }

    fn batch_capacity(&self) -> usize {
        1
    }

    fn begin(&self, start: NoteStart) -> Snapshot {
        Snapshot::new(PartialsNote {
            next_frame: 0,
            states: self.states.iter().map(|port| vec![0.0; port.len()]).collect(),
            synth: self.synth.begin(start.seed),
        })
    }

    fn render(&mut self, runs: &mut [Run<'_>], cancel: &AtomicBool) -> Result<(), DecodeError> {
        // On whichever thread: the same bits, and no slow numbers in a note that dies away.
        let _flush = FlushDenormals::enter();
        for run in runs {
            if cancel.load(Ordering::Relaxed) {
                return Err(DecodeError::Cancelled);
            }
            self.render_one(run)?;
        }
        Ok(())
    }
}
