//! The graphs of a `step` decoder, and one step of a batch through them.
//!
//! Under a model's lock, on whichever render worker has its turn. Which graphs there are, and what goes in and out:
//! `models/training/betwixt_training/wavenet/step_graph.py`.

use std::sync::Arc;

use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, TensorRef};

use super::rings::Activation;
use super::{HEARD_SAMPLES, LONGEST_BLOCK, StepNote};
use crate::decoder::DecodeError;

/// The graph of the past taps of some layers.
#[derive(Debug)]
pub(crate) struct PastGraph {
    /// File name.
    pub graph: String,
    /// Steps that it computes at once.
    pub block_steps: usize,
    /// The layers that it computes, from 0.
    pub layers: Vec<usize>,
    /// Ready to run.
    pub session: Session,
}

/// All graphs of a model, and what lies between two runs of them.
#[derive(Debug)]
pub struct StepGraphs<A> {
    graph: String,
    session: Session,
    past: Vec<PastGraph>,
    dilations: Arc<[usize]>,
    width: usize,
    dims: usize,
    /// Batches that may be computed, in rows, small ones first.
    batches: Vec<usize>,
    /// Of each layer, its names in the graphs: what its taps hear, what they add up to, what it hears.
    names: Vec<[String; 3]>,
    /// Of each layer, `[block, rows, 2 * width]`.
    taps: Vec<Vec<A>>,
    /// Of each layer, `[block, rows, 2 * width]`: of the block that the last step was in.
    sums: Vec<Option<DynValue>>,
    /// `[rows, HEARD_SAMPLES]`.
    heard: Vec<f32>,
    /// `[rows, 256]`.
    logits: Vec<f32>,
}

/// What the graphs are made of.
pub(crate) struct StepGraphsParts {
    pub graph: String,
    pub session: Session,
    pub past: Vec<PastGraph>,
    pub dilations: Vec<usize>,
    /// Values that flow into a layer.
    pub width: usize,
    pub dims: usize,
}

impl<A: Activation> StepGraphs<A> {
    /// Checked sessions; batches may have any of these sizes, in rows.
    pub(crate) fn new(parts: StepGraphsParts, batches: &[usize]) -> Self {
        let layers = parts.dilations.len();
        let mut graphs = Self {
            graph: parts.graph,
            session: parts.session,
            past: parts.past,
            dilations: parts.dilations.into(),
            width: parts.width,
            dims: parts.dims,
            batches: Vec::new(),
            names: (0..layers)
                .map(|layer| ["taps", "past", "x"].map(|name| format!("{name}.{layer}")))
                .collect(),
            taps: vec![Vec::new(); layers],
            sums: (0..layers).map(|_| None).collect(),
            heard: Vec::new(),
            logits: Vec::new(),
        };
        graphs.allow_batches(batches);
        graphs
    }

    /// From now on, batches have one of these sizes, in rows.
    pub(crate) fn allow_batches(&mut self, batches: &[usize]) {
        self.batches = batches.to_vec();
        self.batches.sort_unstable();
    }

    /// The layers' dilations.
    pub fn dilations(&self) -> Arc<[usize]> {
        Arc::clone(&self.dilations)
    }

    /// Values that flow into a layer.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Values of an embedding.
    pub(crate) fn dims(&self) -> usize {
        self.dims
    }

    /// Notes that go at once, at most.
    pub fn largest_batch(&self) -> usize {
        self.batches.last().copied().unwrap_or(1)
    }

    /// Rows of the batch that so many notes are computed in.
    pub fn batch_for(&self, notes: usize) -> usize {
        let fitting = self.batches.iter().find(|rows| **rows >= notes);
        fitting.copied().unwrap_or(notes)
    }

    /// One step of some notes: gives their logits, `[notes, 256]`, and keeps what their layers heard.
    ///
    /// `sample` counts from a multiple of [`LONGEST_BLOCK`] on, one by one, and the notes and `embedding` (`[rows, dims]`) are those of
    /// the step before unless it is such a multiple. All notes' steps are multiples of it then.
    ///
    /// # Errors
    /// If a graph fails, or gives what is no number.
    pub(crate) fn step(
        &mut self,
        sample: usize,
        notes: &mut [&mut StepNote<A>],
        rows: usize,
        embedding: &[f32],
    ) -> Result<&[f32], DecodeError> {
        for index in 0..self.past.len() {
            if sample.is_multiple_of(self.past[index].block_steps) {
                self.look_back(index, notes, rows, embedding)?;
            }
        }
        self.heard.clear();
        for note in notes.iter() {
            self.heard.extend(note.heard);
        }
        self.heard.resize(rows * HEARD_SAMPLES, 0.0);

        let graph = &self.graph;
        let failed = |source| failed(graph, source);
        let columns = 2 * self.width;
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(2 + self.sums.len());
        let heard = TensorRef::from_array_view(([rows, HEARD_SAMPLES], self.heard.as_slice()));
        inputs.push(("samples", heard.map_err(failed)?.into()));
        let embedding = TensorRef::from_array_view(([rows, self.dims], embedding));
        inputs.push(("embedding", embedding.map_err(failed)?.into()));
        for (layer, sums) in self.sums.iter().enumerate() {
            let Some(sums) = sums else { continue };
            let (_, sums) = sums.try_extract_tensor::<A::Sum>().map_err(failed)?;
            let at = sample % self.dilations[layer].min(LONGEST_BLOCK) * rows * columns;
            let now = TensorRef::from_array_view(([rows, columns], &sums[at..at + rows * columns]));
            inputs.push((&self.names[layer][1], now.map_err(failed)?.into()));
        }
        let outputs = self.session.run(inputs).map_err(failed)?;
        for (layer, [.., name]) in self.names.iter().enumerate() {
            let (_, heard) = outputs[name.as_str()].try_extract_tensor::<A>().map_err(failed)?;
            for (note, heard) in notes.iter_mut().zip(heard.chunks_exact(self.width)) {
                note.rings.keep(layer, note.step, heard);
            }
        }
        let (_, logits) = outputs["logits"].try_extract_tensor::<f32>().map_err(failed)?;
        let logits = &logits[..notes.len() * (logits.len() / rows)];
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err(DecodeError::NotFinite {
                graph: graph.clone(),
                output: "logits",
            });
        }
        self.logits.clear();
        self.logits.extend_from_slice(logits);
        Ok(&self.logits)
    }

    /// Adds up what the layers of one graph heard, for the block of steps that begins.
    fn look_back(
        &mut self,
        index: usize,
        notes: &[&mut StepNote<A>],
        rows: usize,
        embedding: &[f32],
    ) -> Result<(), DecodeError> {
        let past = &mut self.past[index];
        let failed = |source| failed(&past.graph, source);
        let (block, columns) = (past.block_steps, 2 * self.width);
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(1 + past.layers.len());
        let embedding = TensorRef::from_array_view(([rows, self.dims], embedding));
        inputs.push(("embedding", embedding.map_err(failed)?.into()));
        for layer in &past.layers {
            let taps = &mut self.taps[*layer];
            taps.resize(block * rows * columns, A::SILENCE);
            for (ahead, taps) in taps.chunks_exact_mut(rows * columns).enumerate() {
                for (note, taps) in notes.iter().zip(taps.chunks_exact_mut(columns)) {
                    note.rings.read_taps(*layer, note.step + ahead, taps);
                }
            }
        }
        for layer in &past.layers {
            let taps = TensorRef::from_array_view(([block, rows, columns], self.taps[*layer].as_slice()));
            inputs.push((&self.names[*layer][0], taps.map_err(failed)?.into()));
        }
        let mut outputs = past.session.run(inputs).map_err(failed)?;
        for layer in &past.layers {
            self.sums[*layer] = outputs.remove(&self.names[*layer][1]);
        }
        Ok(())
    }
}

fn failed(graph: &str, source: ort::Error) -> DecodeError {
    DecodeError::Graph {
        graph: graph.into(),
        frames: 1,
        source,
    }
}
