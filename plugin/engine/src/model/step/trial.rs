//! The trial of a `step` decoder's batches: in which sizes do notes get the same bits?
//!
//! Background threads only.

use crate::decoder::DecodeError;
use crate::decoder::step::graphs::StepGraphs;
use crate::decoder::step::rings::Activation;
use crate::decoder::step::sampler::Sampler;
use crate::decoder::step::{LONGEST_BLOCK, StepNote, mu_law};

/// Sizes of batches that are tried, in rows. The last is what notes are compared in: what gives other bits is not used.
pub(super) const BATCHES: [usize; 6] = [1, 4, 8, 16, 24, 32];
/// Steps of the trial: the first of a block, and one within it.
const TRIAL_STEPS: usize = 2;

/// The sizes of [`BATCHES`] in which notes get the bits that they get in the largest, at either end of it.
pub(super) fn exact_batches<A: Activation>(graphs: &mut StepGraphs<A>) -> Result<Vec<usize>, DecodeError> {
    let largest = graphs.largest_batch();
    let wanted = trial(graphs, 0, largest)?;
    let mut exact = Vec::new();
    for batch in BATCHES {
        let first = trial(graphs, 0, batch)?;
        let last = trial(graphs, largest - batch, batch)?;
        if first == wanted[..batch] && last == wanted[largest - batch..] {
            exact.push(batch);
        }
    }
    Ok(exact)
}

/// What came of a note in a trial: the bits of its logits, and what its layers heard.
type Found<A> = (Vec<u32>, Vec<A>);

/// Some notes of an endless list of different ones, in the middle of their lives.
fn trial<A: Activation>(
    graphs: &mut StepGraphs<A>,
    first: usize,
    count: usize,
) -> Result<Vec<Found<A>>, DecodeError> {
    let mut notes: Vec<StepNote<A>> = (first..first + count)
        .map(|number| trial_note(graphs, number))
        .collect();
    let dims = graphs.dims();
    let embedding: Vec<f32> = (first * dims..(first + count) * dims)
        .map(|i| 0.7 * (i as f32 * 0.37).sin())
        .collect();
    let mut found = vec![(Vec::new(), Vec::new()); count];
    let mut taps = vec![A::SILENCE; 2 * graphs.width()];
    for step in 0..TRIAL_STEPS {
        let mut borrowed: Vec<&mut StepNote<A>> = notes.iter_mut().collect();
        let logits = graphs.step(step, &mut borrowed, count, &embedding)?;
        for ((bits, _), logits) in found.iter_mut().zip(logits.chunks_exact(mu_law::LEVELS)) {
            bits.extend(logits.iter().map(|logit| logit.to_bits()));
        }
        for (index, (note, (_, heard))) in notes.iter_mut().zip(&mut found).enumerate() {
            for (layer, dilation) in graphs.dilations().iter().enumerate() {
                // What it hears now is the newer tap of a dilation later.
                note.rings.read_taps(layer, note.step + dilation, &mut taps);
                heard.extend_from_slice(&taps[graphs.width()..]);
            }
            note.go_on(17 * (first + index + step) % mu_law::LEVELS);
        }
    }
    Ok(found)
}

/// A note that has heard something at every tap of its next block of steps.
fn trial_note<A: Activation>(graphs: &StepGraphs<A>, number: usize) -> StepNote<A> {
    let (dilations, width) = (graphs.dilations(), graphs.width());
    let mut note = StepNote::new(&dilations, width, Sampler::new(number as u64, 1.0));
    note.step = 2 * LONGEST_BLOCK * dilations.iter().max().unwrap_or(&1);
    let mut heard = vec![A::SILENCE; width];
    for (layer, dilation) in dilations.iter().enumerate() {
        for back in [2 * dilation, *dilation] {
            for step in note.step - back..note.step - back + LONGEST_BLOCK.min(*dilation) {
                for (channel, value) in heard.iter_mut().enumerate() {
                    let phase = (channel * 7 + step * 3 + layer + 31 * number) as f32;
                    *value = A::of(0.9 * (phase * 0.61).sin());
                }
                note.rings.keep(layer, step, &heard);
            }
        }
    }
    note.go_on(31 * number % mu_law::LEVELS);
    note.step -= 1;
    note
}
