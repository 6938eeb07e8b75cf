//! An embedding, and the reading of it: interpolated to decoder frames, and looped while a key is held.
//!
//! Pure numbers, any thread. Embedding frame j stands at the centre of the decoder frames that it covers.

use std::fmt;

/// `[frames, dims]`, row-major: one vector for each embedding hop of the model.
#[derive(Clone, PartialEq)]
pub struct Embedding {
    dims: usize,
    values: Vec<f32>,
}

/// What is wrong with the values of an embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingError {
    /// No whole number of frames.
    #[error("{values} values make no whole number of frames of {dims}")]
    Shape {
        /// Values given.
        values: usize,
        /// Values in one frame.
        dims: usize,
    },
    /// A value that is no number, or far outside what any encoder gives.
    #[error("value {index} is not a number between -1000 and 1000")]
    Value {
        /// Its place.
        index: usize,
    },
}

/// The frames that a held note swings between, there and back: both ends are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoopRegion {
    /// First embedding frame.
    pub start_frame: u32,
    /// Last embedding frame, after the first.
    pub end_frame: u32,
}

impl Embedding {
    /// An embedding of at least one frame.
    ///
    /// # Errors
    /// If `values` is no whole number of frames, or holds what no encoder gives.
    pub fn new(dims: usize, values: Vec<f32>) -> Result<Self, EmbeddingError> {
        if dims == 0 || values.is_empty() || !values.len().is_multiple_of(dims) {
            return Err(EmbeddingError::Shape {
                values: values.len(),
                dims,
            });
        }
        match values
            .iter()
            .position(|value| !value.is_finite() || value.abs() > 1000.0)
        {
            Some(index) => Err(EmbeddingError::Value { index }),
            None => Ok(Self { dims, values }),
        }
    }

    /// Values in one frame.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Number of frames, at least 1.
    pub fn frames(&self) -> usize {
        self.values.len() / self.dims
    }

    /// One frame.
    pub fn frame(&self, index: usize) -> &[f32] {
        &self.values[index * self.dims..][..self.dims]
    }

    /// All frames, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Adds `shift` to one dimension of every frame, which stays in -1 .. 1.
    pub fn shift(&mut self, dim: usize, shift: f32) {
        for value in self.values.iter_mut().skip(dim).step_by(self.dims) {
            *value = (*value + shift).clamp(-1.0, 1.0);
        }
    }

    /// Adds `weight` times the vector at a fractional frame to `sum`; held before the first and after the last.
    pub fn add_at(&self, position: f64, weight: f32, sum: &mut [f32]) {
        let last = self.frames() - 1;
        let position = position.clamp(0.0, last as f64);
        let below = position as usize;
        let fraction = (position - below as f64) as f32;
        let (a, b) = (self.frame(below), self.frame((below + 1).min(last)));
        for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
            *sum += weight * (a + fraction * (b - a));
        }
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedding[{}, {}]", self.frames(), self.dims)
    }
}

impl LoopRegion {
    /// Where in the embedding a held note is, `position` embedding frames after its start.
    pub fn fold(self, position: f64) -> f64 {
        let (start, end) = (f64::from(self.start_frame), f64::from(self.end_frame));
        let length = end - start;
        if position <= end || length <= 0.0 {
            return position;
        }
        let beyond = (position - end).rem_euclid(2.0 * length);
        if beyond <= length {
            end - beyond
        } else {
            start + (beyond - length)
        }
    }
}

/// The embedding frame that stands for a decoder frame, `ratio` decoder frames to one embedding frame.
pub fn position_of(decoder_frame: usize, ratio: usize) -> f64 {
    (decoder_frame as f64 - (ratio as f64 - 1.0) / 2.0) / ratio as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(frames: usize) -> Embedding {
        Embedding::new(2, (0..frames).flat_map(|i| [i as f32, -(i as f32)]).collect()).unwrap()
    }

    fn at(embedding: &Embedding, position: f64) -> [f32; 2] {
        let mut sum = [0.0; 2];
        embedding.add_at(position, 1.0, &mut sum);
        sum
    }

    #[test]
    fn an_embedding_frame_stands_in_the_middle_of_its_decoder_frames() {
        assert_eq!(position_of(1, 3), 0.0);
        assert_eq!(position_of(4, 3), 1.0);
        assert!((position_of(5, 3) - 4.0 / 3.0).abs() < 1e-12);
        assert_eq!(position_of(7, 1), 7.0);
    }

    #[test]
    fn reading_is_linear_between_frames_and_held_at_the_edges() {
        let embedding = ramp(4);
        assert_eq!(at(&embedding, 1.25), [1.25, -1.25]);
        assert_eq!(at(&embedding, -3.0), [0.0, 0.0]);
        assert_eq!(at(&embedding, 99.0), [3.0, -3.0]);
    }

    #[test]
    fn an_embedding_without_whole_frames_or_numbers_is_refused() {
        assert!(matches!(
            Embedding::new(3, vec![0.0; 4]),
            Err(EmbeddingError::Shape { .. })
        ));
        assert!(matches!(
            Embedding::new(3, vec![]),
            Err(EmbeddingError::Shape { .. })
        ));
        assert_eq!(
            Embedding::new(1, vec![0.0, f32::NAN]),
            Err(EmbeddingError::Value { index: 1 })
        );
    }

    proptest! {
        #[test]
        fn a_looped_read_never_jumps_and_stays_in_the_loop(
            start in 0_u32..50, length in 1_u32..50, step in 0.01_f64..1.0, from in 0_usize..2000,
        ) {
            let region = LoopRegion { start_frame: start, end_frame: start + length };
            let at = |i: usize| region.fold(i as f64 * step);
            let (here, next) = (at(from), at(from + 1));
            prop_assert!((next - here).abs() <= step + 1e-9, "{here} {next}");
            if from as f64 * step > f64::from(start + length) {
                prop_assert!((f64::from(start) - 1e-9..=f64::from(start + length) + 1e-9).contains(&here));
            }
        }

        #[test]
        fn before_the_loop_ends_nothing_is_folded(start in 0_u32..50, length in 1_u32..50, part in 0.0_f64..1.0) {
            let region = LoopRegion { start_frame: start, end_frame: start + length };
            let position = part * f64::from(start + length);
            prop_assert_eq!(region.fold(position), position);
        }
    }
}
