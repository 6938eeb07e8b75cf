//! The driver `step`: a network that makes one sample a step, each drawn by chance from 256 levels and then heard by the next.
//!
//! On one render worker. Many notes go in lockstep as one batch: a step of one note is little else than the reading of the
//! weights. A note that ends leaves its place to one that waits, at the next frame. Three sums make a layer: what it hears now,
//! and what it heard d and 2d steps ago. Those two are known ahead, and computed for a block of steps at once ([`graphs`]).
//!
//! A model's graphs exist once, with threads of their own for all of the processor's cores; the decoders of its workers
//! take turns. A note's samples depend on its seed and what it is told alone: batches have one of a few sizes (spare rows are
//! silent), of which it was tried when the model was loaded that a note gets the same bits in each.

pub mod graphs;
pub mod mu_law;
pub mod rings;
pub mod sampler;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::{Conditioning, DecodeError, Decoder, DecoderFormat, NoteStart, Run, Snapshot};
use graphs::StepGraphs;
use rings::{Activation, Rings};
use sampler::Sampler;

/// Steps whose past is computed at once, at most.
pub const LONGEST_BLOCK: usize = 16;
/// Samples that the network hears at a step.
pub const HEARD_SAMPLES: usize = 3;
/// How often a decoder that waits for its turn looks whether it was called off.
const TURN: Duration = Duration::from_millis(20);

/// A note between two runs.
#[derive(Debug, Clone)]
pub struct StepNote<A> {
    /// Samples made so far, and so the step that comes next.
    pub(crate) step: usize,
    /// The last samples as the network hears them, newest last.
    pub(crate) heard: [f32; HEARD_SAMPLES],
    /// What its layers heard.
    pub(crate) rings: Rings<A>,
    sampler: Sampler,
}

impl<A: Activation> StepNote<A> {
    /// Before its first step.
    pub(crate) fn new(dilations: &[usize], width: usize, sampler: Sampler) -> Self {
        Self {
            step: 0,
            heard: [0.0; HEARD_SAMPLES],
            rings: Rings::new(dilations, width),
            sampler,
        }
    }

    /// Draws the next sample from its logits, and goes on to the step that hears it.
    fn draw(&mut self, logits: &[f32], weights: &mut [f32]) -> f32 {
        let class = self.sampler.draw(logits, weights);
        self.go_on(class);
        mu_law::audio(class)
    }

    /// Goes on as if this class had been drawn.
    pub(crate) fn go_on(&mut self, class: usize) {
        self.heard.rotate_left(1);
        self.heard[HEARD_SAMPLES - 1] = mu_law::heard(class);
        self.step += 1;
    }
}

/// A run while it is in the batch, or waits.
struct Lane<'a, A> {
    note: &'a mut StepNote<A>,
    conditioning: &'a dyn Conditioning,
    /// Where its next samples go.
    samples: &'a mut [f32],
}

/// The decoder of one worker.
#[derive(Debug)]
pub struct StepDecoder<A: Activation> {
    graphs: Arc<Mutex<StepGraphs<A>>>,
    format: DecoderFormat,
    dilations: Arc<[usize]>,
    width: usize,
    batch_capacity: usize,
}

impl<A: Activation> StepDecoder<A> {
    /// A decoder over a model's checked graphs.
    pub(crate) fn new(graphs: Arc<Mutex<StepGraphs<A>>>, format: DecoderFormat) -> Self {
        let checked = graphs.lock();
        let (dilations, width) = (checked.dilations(), checked.width());
        let batch_capacity = checked.largest_batch();
        drop(checked);
        Self {
            graphs,
            format,
            dilations,
            width,
            batch_capacity,
        }
    }

    fn lane<'a>(&self, run: &'a mut Run<'_>) -> Result<Lane<'a, A>, DecodeError> {
        let chunk_samples = self.format.chunk_samples;
        if !run.samples.len().is_multiple_of(chunk_samples) {
            return Err(DecodeError::RunLength {
                found: run.samples.len(),
                chunk_samples,
            });
        }
        let note: &mut StepNote<A> = run.note.downcast_mut().ok_or(DecodeError::ForeignSnapshot)?;
        if !note.rings.fit(&self.dilations, self.width) {
            return Err(DecodeError::ForeignSnapshot);
        }
        Ok(Lane {
            note,
            conditioning: run.conditioning,
            samples: run.samples,
        })
    }

    /// The graphs, once no other worker has them.
    fn turn(&self, cancel: &AtomicBool) -> Result<MutexGuard<'_, StepGraphs<A>>, DecodeError> {
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(DecodeError::Cancelled);
            }
            if let Some(graphs) = self.graphs.try_lock_for(TURN) {
                return Ok(graphs);
            }
        }
    }

    /// Makes one frame of each lane.
    fn frame(
        &self,
        graphs: &mut StepGraphs<A>,
        lanes: &mut [Lane<'_, A>],
        cancel: &AtomicBool,
    ) -> Result<(), DecodeError> {
        let DecoderFormat {
            hop_samples, dims, ..
        } = self.format;
        let rows = graphs.batch_for(lanes.len());
        let mut embedding = vec![0.0; rows * dims];
        for (lane, vector) in lanes.iter().zip(embedding.chunks_exact_mut(dims)) {
            lane.conditioning
                .read(lane.note.step / hop_samples, vector, &mut [0.0]);
        }
        let mut weights = [0.0; mu_law::LEVELS];
        for sample in 0..hop_samples {
            if sample % LONGEST_BLOCK == 0 && cancel.load(Ordering::Relaxed) {
                return Err(DecodeError::Cancelled);
            }
            let mut notes: Vec<&mut StepNote<A>> = lanes.iter_mut().map(|lane| &mut *lane.note).collect();
            let logits = graphs.step(sample, &mut notes, rows, &embedding)?;
            for (lane, logits) in lanes.iter_mut().zip(logits.chunks_exact(mu_law::LEVELS)) {
                lane.samples[sample] = lane.note.draw(logits, &mut weights);
            }
        }
        for lane in lanes {
            let samples = std::mem::take(&mut lane.samples);
            lane.samples = &mut samples[hop_samples..];
        }
        Ok(())
    }
}

impl<A: Activation> Decoder for StepDecoder<A> {
    fn format(&self) -> DecoderFormat {
        self.format
    }

    fn batch_capacity(&self) -> usize {
        self.batch_capacity
    }

    fn begin(&self, start: NoteStart) -> Snapshot {
        let sampler = Sampler::new(start.seed, start.temperature);
        let note = StepNote::<A>::new(&self.dilations, self.width, sampler);
        let bytes = size_of_val(&note) + note.rings.bytes();
        Snapshot::new(note, bytes)
    }

    fn render(&mut self, runs: &mut [Run<'_>], cancel: &AtomicBool) -> Result<(), DecodeError> {
        let lanes = runs.iter_mut().map(|run| self.lane(run));
        let mut waiting: VecDeque<Lane<'_, A>> = lanes.collect::<Result<_, _>>()?;
        let mut graphs = self.turn(cancel)?;
        let mut lanes = Vec::new();
        loop {
            lanes.retain(|lane: &Lane<'_, A>| !lane.samples.is_empty());
            while lanes.len() < self.batch_capacity
                && let Some(lane) = waiting.pop_front()
            {
                if !lane.samples.is_empty() {
                    lanes.push(lane);
                }
            }
            if lanes.is_empty() {
                return Ok(());
            }
            self.frame(&mut graphs, &mut lanes, cancel)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::rehearsal::{Wandering, render};
    use crate::model::Model;
    use crate::runtime::provider::DeviceChoice;
    use std::path::Path;
    use std::sync::LazyLock;

    static MODELS: LazyLock<[Arc<Model>; 2]> = LazyLock::new(|| {
        ["float", "eight_bit"].map(|name| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/fixtures/step")
                .join(name);
            Model::load(&folder, DeviceChoice::Cpu).unwrap_or_else(|error| panic!("{error}"))
        })
    });

    fn decoders() -> [Box<dyn Decoder>; 2] {
        MODELS.each_ref().map(|model| model.decoder().unwrap())
    }

    fn begin(decoder: &dyn Decoder, seed: u64) -> Snapshot {
        decoder.begin(NoteStart {
            seed,
            pitch: 60.0,
            temperature: 1.0,
        })
    }

    /// `chunks` of a new note, by itself.
    fn alone(decoder: &mut dyn Decoder, seed: u64, chunks: usize) -> Vec<f32> {
        let mut note = begin(decoder, seed);
        render(decoder, &mut note, &[chunks])
    }

    #[test]
    fn a_note_sounds_the_same_each_time_and_otherwise_with_another_seed() {
        for mut decoder in decoders() {
            let first = alone(&mut *decoder, 1, 3);
            assert!(first.iter().any(|sample| sample.abs() > 0.1));
            assert!(first.iter().all(|sample| sample.abs() <= 1.0));
            assert_eq!(alone(&mut *decoder, 1, 3), first);
            assert_ne!(alone(&mut *decoder, 2, 3), first);
        }
    }

    #[test]
    fn a_cold_note_takes_the_likeliest_whatever_its_seed() {
        for mut decoder in decoders() {
            let mut cold = |seed| {
                let mut note = decoder.begin(NoteStart {
                    seed,
                    pitch: 60.0,
                    temperature: 0.0,
                });
                render(&mut *decoder, &mut note, &[2])
            };
            assert_eq!(cold(1), cold(2));
        }
    }

    #[test]
    fn the_cutting_into_runs_changes_nothing() {
        for mut decoder in decoders() {
            let whole = alone(&mut *decoder, 7, 6);
            for runs in [vec![1; 6], vec![1, 1, 4], vec![3, 3]] {
                let mut note = begin(&*decoder, 7);
                assert_eq!(render(&mut *decoder, &mut note, &runs), whole, "{runs:?}");
            }
        }
    }

    #[test]
    fn rendering_goes_on_from_a_snapshot_and_in_another_decoder() {
        for (mut decoder, mut other) in decoders().into_iter().zip(decoders()) {
            let mut note = begin(&*decoder, 3);
            render(&mut *decoder, &mut note, &[2]);
            let mut snapshot = note.clone();
            let went_on = render(&mut *decoder, &mut note, &[3]);
            assert_eq!(render(&mut *other, &mut snapshot, &[3]), went_on);
        }
    }

    #[test]
    fn a_note_sounds_as_it_does_alone_whoever_comes_and_goes_beside_it() {
        for mut decoder in decoders() {
            // More than fit, of different lengths, so that some wait and take places that others leave.
            let count = decoder.batch_capacity() + 5;
            let chunk = decoder.format().chunk_samples;
            let chunks = |note: usize| note % 4;
            let mut notes: Vec<Snapshot> = (0..count).map(|seed| begin(&*decoder, seed as u64)).collect();
            let mut samples: Vec<Vec<f32>> = (0..count).map(|note| vec![0.0; chunks(note) * chunk]).collect();
            let mut runs: Vec<Run<'_>> = notes
                .iter_mut()
                .zip(&mut samples)
                .map(|(note, samples)| Run {
                    note,
                    conditioning: &Wandering,
                    samples,
                })
                .collect();
            decoder.render(&mut runs, &AtomicBool::new(false)).unwrap();
            for (note, samples) in samples.iter().enumerate() {
                let own = alone(&mut *decoder, note as u64, chunks(note));
                assert!(*samples == own, "note {note}");
            }
        }
    }

    #[test]
    fn two_threads_take_turns_and_change_nothing() {
        for (index, mut decoder) in decoders().into_iter().enumerate() {
            let wanted = alone(&mut *decoder, 11, 4);
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..2)
                    .map(|_| {
                        let mut own = MODELS[index].decoder().unwrap();
                        scope.spawn(move || alone(&mut *own, 11, 4))
                    })
                    .collect();
                for thread in threads {
                    assert_eq!(thread.join().unwrap(), wanted);
                }
            });
        }
    }

    #[test]
    fn a_snapshot_says_what_it_takes() {
        let [float, eight_bit] = decoders().map(|decoder| begin(&*decoder, 0).bytes());
        // 2 * (1 + 2 + 4 + 8 + 16 + 32) vectors of 8.
        assert!((4 * 1008..4 * 1008 + 400).contains(&float), "{float}");
        assert!((1008..1008 + 400).contains(&eight_bit), "{eight_bit}");
    }

    fn refused(
        decoder: &mut dyn Decoder,
        mut note: Snapshot,
        samples: usize,
        cancelled: bool,
    ) -> DecodeError {
        let run = Run {
            note: &mut note,
            conditioning: &Wandering,
            samples: &mut vec![0.0; samples],
        };
        decoder
            .render(&mut [run], &AtomicBool::new(cancelled))
            .unwrap_err()
    }

    #[test]
    fn part_of_a_chunk_a_foreign_note_and_a_cancelled_run_are_refused() {
        let [mut float, eight_bit] = decoders();
        let note = begin(&*float, 0);
        let error = refused(&mut *float, note, 500, false);
        assert!(error.to_string().contains("500"), "{error}");
        let foreign = begin(&*eight_bit, 0);
        let error = refused(&mut *float, foreign, 512, false);
        assert!(matches!(error, DecodeError::ForeignSnapshot), "{error}");
        let note = begin(&*float, 0);
        let error = refused(&mut *float, note, 512, true);
        assert!(matches!(error, DecodeError::Cancelled), "{error}");
    }

    #[test]
    fn a_note_of_another_width_is_refused() {
        let [mut float, _] = decoders();
        let note = StepNote::<f32>::new(&[1, 2, 4, 8, 16, 32], 4, Sampler::new(0, 1.0));
        let error = refused(&mut *float, Snapshot::new(note, 0), 512, false);
        assert!(matches!(error, DecodeError::ForeignSnapshot), "{error}");
    }
}
