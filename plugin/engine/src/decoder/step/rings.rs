//! What the layers of one note heard, as far back as their taps reach.
//!
//! Part of a note's snapshot; plain memory, moved on by the decoder.

use std::fmt::Debug;

use ort::value::PrimitiveTensorElementType;

/// What flows into a layer, as it is kept: `f32`, or in 8 bits.
pub trait Activation: PrimitiveTensorElementType + Debug + Copy + PartialEq + Send + Sync + 'static {
    /// What the products of past taps add up to.
    type Sum: PrimitiveTensorElementType + Debug + Copy + Send + Sync + 'static;
    /// What stands for 0: all that was heard before a note.
    const SILENCE: Self;
    /// What stands for a value of -1 .. 1, in a network that uses its whole range for that.
    fn of(value: f32) -> Self;
}

impl Activation for f32 {
    type Sum = Self;
    const SILENCE: Self = 0.0;

    fn of(value: f32) -> Self {
        value
    }
}

impl Activation for u8 {
    type Sum = i32;
    const SILENCE: Self = 128;

    fn of(value: f32) -> Self {
        (f32::from(Self::SILENCE) + 127.0 * value) as Self
    }
}

/// The rings of one note, one a layer: the last `2 * dilation` vectors that it heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Rings<A> {
    width: usize,
    /// Of each layer, `[2 * dilation, width]`; what it heard at step t lies at t modulo the length.
    layers: Vec<Vec<A>>,
}

impl<A: Activation> Rings<A> {
    /// Before a note's first step.
    pub fn new(dilations: &[usize], width: usize) -> Self {
        Self {
            width,
            layers: dilations
                .iter()
                .map(|dilation| vec![A::SILENCE; 2 * dilation * width])
                .collect(),
        }
    }

    /// Whether they are of such a decoder.
    pub fn fit(&self, dilations: &[usize], width: usize) -> bool {
        let lengths = dilations.iter().map(|dilation| 2 * dilation * width);
        self.width == width && self.layers.iter().map(Vec::len).eq(lengths)
    }

    /// Memory that they take.
    pub fn bytes(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| size_of_val(layer.as_slice()))
            .sum()
    }

    /// Copies what a layer heard 2 dilations and 1 before `step` into `taps`, `[2 * width]`. It is there until that step is kept.
    pub fn read_taps(&self, layer: usize, step: usize, taps: &mut [A]) {
        let ring = &self.layers[layer];
        let steps = ring.len() / self.width;
        for (tap, back) in taps.chunks_exact_mut(self.width).zip([steps, steps / 2]) {
            let at = (step + steps - back) % steps * self.width;
            tap.copy_from_slice(&ring[at..at + self.width]);
        }
    }

    /// Keeps what a layer heard at `step`, `[width]`; what it heard 2 dilations before is gone.
    pub fn keep(&mut self, layer: usize, step: usize, heard: &[A]) {
        let ring = &mut self.layers[layer];
        let at = step % (ring.len() / self.width) * self.width;
        ring[at..at + self.width].copy_from_slice(heard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_taps_look_one_and_two_dilations_back() {
        let mut rings = Rings::<f32>::new(&[1, 4], 2);
        for step in 0..30 {
            for (layer, dilation) in [(0, 1), (1, 4)] {
                let mut taps = [f32::NAN; 4];
                rings.read_taps(layer, step, &mut taps);
                let heard = |back: usize| step.checked_sub(back).map_or(0.0, |at| at as f32 + 1.0);
                let (older, newer) = (heard(2 * dilation), heard(dilation));
                assert_eq!(taps, [older, -older, newer, -newer], "step {step}, layer {layer}");
                let now = step as f32 + 1.0;
                rings.keep(layer, step, &[now, -now]);
            }
        }
    }

    #[test]
    fn a_whole_block_can_be_read_before_its_first_step() {
        let mut rings = Rings::<u8>::new(&[8], 1);
        for step in 0..40 {
            rings.keep(0, step, &[step as u8]);
        }
        for ahead in 0..8_u8 {
            let mut taps = [0; 2];
            rings.read_taps(0, 40 + usize::from(ahead), &mut taps);
            assert_eq!(taps, [24 + ahead, 32 + ahead]);
        }
    }

    #[test]
    fn silence_in_eight_bits_is_the_middle() {
        let rings = Rings::<u8>::new(&[2], 3);
        let mut taps = [0; 6];
        rings.read_taps(0, 0, &mut taps);
        assert_eq!(taps, [128; 6]);
        assert_eq!(rings.bytes(), 12);
    }
}
