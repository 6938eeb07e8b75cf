//! The driver `partials`: one graph run for many frames, then the synthesis kernel of the audio crate.
//!
//! On one render worker. Frame t is centred on sample `t * hop`, so half of frame 0 lies before the note and its
//! first run decodes one frame more than its chunks hold. Runs of equal length share a graph run, which reads the
//! weights once for all of them; a short run alone is little else than that reading. A note's bytes must not depend on
//! its neighbours: whether the graph keeps that promise was tried when the model was loaded.

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
    batch_capacity: usize,
    states: Vec<StatePort>,
    /// Memory that a note takes between two runs.
    note_bytes: usize,
    /// `[batch, frames, dims]`.
    embedding: Vec<f32>,
    /// `[batch, frames]`.
    pitch: Vec<f32>,
    /// Of each state, `[batch, …]`.
    state_inputs: Vec<Vec<f32>>,
}

/// What a decoder is made of.
pub(crate) struct PartialsDecoderParts {
    pub session: Session,
    pub graph: String,
    pub synth: Arc<PartialsSynth>,
    pub format: DecoderFormat,
    pub takes_pitch: bool,
    pub batch_capacity: usize,
    pub states: Vec<StatePort>,
    /// Partials that the synthesis keeps the phases of.
    pub partials: usize,
}

impl PartialsDecoder {
    /// A decoder over a checked session.
    pub(crate) fn new(parts: PartialsDecoderParts) -> Self {
        // A phase and a frequency of each partial, half a frame, the graph's states.
        let note_bytes = size_of::<PartialsNote>()
            + parts.partials * 2 * size_of::<f64>()
            + parts.format.hop_samples * size_of::<f32>()
            + parts
                .states
                .iter()
                .map(|port| port.len() * size_of::<f32>())
                .sum::<usize>();
        Self {
            note_bytes,
            session: parts.session,
            graph: parts.graph,
            scratch: parts.synth.scratch(),
            synth: parts.synth,
            format: parts.format,
            takes_pitch: parts.takes_pitch,
            batch_capacity: parts.batch_capacity,
            embedding: Vec::new(),
            pitch: Vec::new(),
            state_inputs: vec![Vec::new(); parts.states.len()],
            states: parts.states,
        }
    }

    /// The frames that a run decodes.
    fn frames(&self, run: &mut Run<'_>) -> Result<usize, DecodeError> {
        let DecoderFormat {
            hop_samples,
            chunk_samples,
            ..
        } = self.format;
        if !run.samples.len().is_multiple_of(chunk_samples) {
            return Err(DecodeError::RunLength {
                found: run.samples.len(),
                chunk_samples,
            });
        }
        let note = self.note(run.note)?;
        if run.samples.is_empty() {
            return Ok(0);
        }
        Ok(run.samples.len() / hop_samples + usize::from(note.next_frame == 0))
    }

    fn note<'a>(&self, snapshot: &'a mut Snapshot) -> Result<&'a mut PartialsNote, DecodeError> {
        let note: &mut PartialsNote = snapshot.downcast_mut().ok_or(DecodeError::ForeignSnapshot)?;
        let lengths = self.states.iter().map(StatePort::len);
        if !note.states.iter().map(Vec::len).eq(lengths) {
            return Err(DecodeError::ForeignSnapshot);
        }
        Ok(note)
    }

    /// One graph run for notes that decode the same number of frames.
    fn render_together(
        &mut self,
        runs: &mut [&mut Run<'_>],
        frames: usize,
        cancel: &AtomicBool,
    ) -> Result<(), DecodeError> {
        if cancel.load(Ordering::Relaxed) {
            return Err(DecodeError::Cancelled);
        }
        let (batch, dims) = (runs.len(), self.format.dims);
        self.embedding.resize(batch * frames * dims, 0.0);
        self.pitch.resize(batch * frames, 0.0);
        self.state_inputs.iter_mut().for_each(Vec::clear);
        for (index, run) in runs.iter_mut().enumerate() {
            let note: &mut PartialsNote = run.note.downcast_mut().ok_or(DecodeError::ForeignSnapshot)?;
            run.conditioning.read(
                note.next_frame,
                &mut self.embedding[index * frames * dims..][..frames * dims],
                &mut self.pitch[index * frames..][..frames],
            );
            for (input, values) in self.state_inputs.iter_mut().zip(&note.states) {
                input.extend_from_slice(values);
            }
        }

        let failed = |source| DecodeError::Graph {
            graph: self.graph.clone(),
            frames,
            source,
        };
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(2 + self.states.len());
        let embedding = TensorRef::from_array_view(([batch, frames, dims], self.embedding.as_slice()));
        inputs.push(("embedding", embedding.map_err(failed)?.into()));
        if self.takes_pitch {
            let pitch =
                TensorRef::from_array_view(([batch, frames], self.pitch.as_slice())).map_err(failed)?;
            inputs.push(("pitch", pitch.into()));
        }
        for (port, values) in self.states.iter().zip(&self.state_inputs) {
            let shape: Vec<usize> = std::iter::once(batch).chain(port.shape.iter().copied()).collect();
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
        let (amplitude_db, deviation) = (output("amplitude_db")?, output("deviation")?);
        let (cents, noise_db) = (output("cents")?, output("noise_db")?);
        let next_states = self
            .states
            .iter()
            .map(|port| {
                let (_, values) = outputs[port.output.as_str()].try_extract_tensor::<f32>()?;
                Ok(values)
            })
            .collect::<Result<Vec<&[f32]>, ort::Error>>()
            .map_err(failed)?;

        for (index, run) in runs.iter_mut().enumerate() {
            if cancel.load(Ordering::Relaxed) {
                return Err(DecodeError::Cancelled);
            }
            let note: &mut PartialsNote = run.note.downcast_mut().ok_or(DecodeError::ForeignSnapshot)?;
            let own = |values: &'_ [f32]| {
                let count = values.len() / batch;
                index * count..(index + 1) * count
            };
            let partials = PartialsFrames {
                amplitude_db: &amplitude_db[own(amplitude_db)],
                deviation: &deviation[own(deviation)],
                cents: &cents[own(cents)],
                noise_db: &noise_db[own(noise_db)],
            };
            let pitch = &self.pitch[index * frames..][..frames];
            self.synth
                .render(&mut note.synth, &mut self.scratch, &partials, pitch, run.samples)
                .map_err(|error| failed(ort::Error::new(error.to_string())))?;
            for (values, next) in note.states.iter_mut().zip(&next_states) {
                values.copy_from_slice(&next[own(next)]);
            }
            note.next_frame += frames;
        }
        Ok(())
    }
}

impl Decoder for PartialsDecoder {
    fn format(&self) -> DecoderFormat {
        self.format
    }

    fn batch_capacity(&self) -> usize {
        self.batch_capacity
    }

    fn begin(&self, start: NoteStart) -> Snapshot {
        let note = PartialsNote {
            next_frame: 0,
            states: self.states.iter().map(|port| vec![0.0; port.len()]).collect(),
            synth: self.synth.begin(start.seed),
        };
        Snapshot::new(note, self.note_bytes)
    }

    fn render(&mut self, runs: &mut [Run<'_>], cancel: &AtomicBool) -> Result<(), DecodeError> {
        // On whichever thread: the same bits, and no slow numbers in a note that dies away.
        let _flush = FlushDenormals::enter();
        let mut waiting = runs
            .iter_mut()
            .map(|run| Ok((self.frames(run)?, run)))
            .collect::<Result<Vec<_>, DecodeError>>()?;
        waiting.retain(|(frames, _)| *frames > 0);
        waiting.sort_by_key(|(frames, _)| *frames);
        for alike in waiting.chunk_by_mut(|a, b| a.0 == b.0) {
            for part in alike.chunks_mut(self.batch_capacity) {
                let frames = part[0].0;
                let mut together: Vec<&mut Run<'_>> = part.iter_mut().map(|(_, run)| &mut **run).collect();
                self.render_together(&mut together, frames, cancel)?;
            }
        }
        Ok(())
    }
}
