//! What a sound is like as a few numbers of fixed count, and which sounds are near each other by them.
//!
//! Pure numbers on background threads. A descriptor is, for each dimension of the embedding, its mean over time, its standard
//! deviation over time, and how far its beginning lies from the mean: timbre, movement, attack. Distances are Euclidean, each
//! number divided by its standard deviation over the sounds that are compared, so that none counts for more because of its scale.
//! Embeddings of different models mean nothing to each other, and are never compared.

use crate::sound::Sound;

/// The beginning, in embedding frames: 128 ms of the shipped model's, and of NSynth's.
const ATTACK_FRAMES: usize = 4;
/// What comes later does not count: most of it is silence. 4 s.
const MOST_FRAMES: usize = 125;
/// A number that is the same for all sounds tells nothing.
const LEAST_DEVIATION: f32 = 1e-6;

/// The descriptor of a sound: `3 * dims` numbers, means, deviations and attacks.
pub fn describe(sound: &Sound) -> Vec<f32> {
    let embedding = &sound.embedding;
    let frames = embedding.frames().min(MOST_FRAMES);
    let mean_of = |frames: usize, of: &dyn Fn(usize) -> f32| {
        (0..frames).map(|frame| f64::from(of(frame))).sum::<f64>() / frames as f64
    };
    let dims = embedding.dims();
    let mut vector = vec![0.0; 3 * dims];
    for dim in 0..dims {
        let at = |frame: usize| embedding.frame(frame)[dim];
        let mean = mean_of(frames, &at);
        let spread = mean_of(frames, &|frame| (at(frame) - mean as f32).powi(2));
        let attack = mean_of(frames.min(ATTACK_FRAMES), &at);
        vector[dim] = mean as f32;
        vector[dims + dim] = spread.sqrt() as f32;
        vector[2 * dims + dim] = (attack - mean) as f32;
    }
    vector
}

/// The bytes of a descriptor.
pub(crate) fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// One of the sounds that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    /// Its row in the index.
    pub row: i64,
    /// 0 is the same; two sounds of the library are 1 apart on average (in squares).
    pub distance: f32,
}

/// Descriptors of one model's sounds, ready to be compared: `[rows, width]`.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    rows: Vec<Row>,
    width: usize,
    /// What each number is multiplied by.
    scale: Vec<f32>,
    values: Vec<f32>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    row: i64,
    content: i64,
}

impl Descriptors {
    /// Takes `(row, content, bytes of the descriptor)` of the sounds of one model; those of another width than the first are left out.
    pub(crate) fn new(sounds: impl Iterator<Item = (i64, i64, Vec<u8>)>) -> Self {
        let mut descriptors = Self::default();
        for (row, content, bytes) in sounds {
            let width = bytes.len() / 4;
            if descriptors.rows.is_empty() {
                descriptors.width = width;
            }
            if width != descriptors.width || width == 0 {
                continue;
            }
            descriptors.rows.push(Row { row, content });
            let values = bytes.as_chunks().0.iter();
            descriptors
                .values
                .extend(values.map(|bytes| f32::from_le_bytes(*bytes)));
        }
        descriptors.scale();
        descriptors
    }

    /// Divides each number by its deviation, and by the root of twice their count: two sounds' mean squared distance is 1 then.
    fn scale(&mut self) {
        let (count, width) = (self.rows.len().max(1) as f64, self.width);
        let mut sums = vec![(0.0_f64, 0.0_f64); width];
        for values in self.values.chunks_exact(width.max(1)) {
            for ((sum, squares), value) in sums.iter_mut().zip(values) {
                *sum += f64::from(*value);
                *squares += f64::from(*value).powi(2);
            }
        }
        self.scale = sums
            .iter()
            .map(|(sum, squares)| {
                let deviation = (squares / count - (sum / count).powi(2)).max(0.0).sqrt() as f32;
                if deviation < LEAST_DEVIATION {
                    0.0
                } else {
                    1.0 / (deviation * (2.0 * width as f32).sqrt())
                }
            })
            .collect();
        for values in self.values.chunks_exact_mut(width.max(1)) {
            for (value, scale) in values.iter_mut().zip(&self.scale) {
                *value *= scale;
            }
        }
    }

    /// The nearest `limit` of the rows that are `admitted`, nearest first, then by row; what has the same `content` is left out.
    pub(crate) fn nearest(
        &self,
        vector: &[f32],
        content: i64,
        limit: usize,
        admitted: impl Fn(i64) -> bool,
    ) -> Vec<Near> {
        if vector.len() != self.width || limit == 0 {
            return Vec::new();
        }
        let scaled: Vec<f32> = vector.iter().zip(&self.scale).map(|(a, b)| a * b).collect();
        let mut near: Vec<Near> = self
            .rows
            .iter()
            .zip(self.values.chunks_exact(self.width.max(1)))
            .filter(|(row, _)| row.content != content && admitted(row.row))
            .map(|(row, values)| Near {
                row: row.row,
                distance: squared_distance(values, &scaled),
            })
            .collect();
        let by_distance = |a: &Near, b: &Near| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row));
        if near.len() > limit {
            near.select_nth_unstable_by(limit - 1, by_distance);
            near.truncate(limit);
        }
        near.sort_by(by_distance);
        for one in &mut near {
            one.distance = one.distance.sqrt();
        }
        near
    }
}

/// In eight sums at once, which the compiler makes a vector of.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    let rest = rest_a.iter().zip(rest_b).map(|(a, b)| (a - b).powi(2));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::Embedding;
    use crate::library::tests::sound_of;

    fn with(values: Vec<f32>) -> Sound {
        Sound {
            embedding: Embedding::new(2, values).unwrap(),
            ..sound_of("x", "")
        }
    }

    #[test]
    fn a_descriptor_tells_mean_movement_and_attack() {
        // First dimension still; second from 1 in the attack to 0.
        let mut values = [0.5, 1.0].repeat(4);
        values.extend([0.5, 0.0].repeat(4));
        let vector = describe(&with(values));
        assert_eq!(vector, [0.5, 0.5, 0.0, 0.5, 0.0, 0.5]);
    }

    #[test]
    fn the_nearest_come_first_and_the_same_sound_is_left_out() {
        let rows = [[0.0, 9.0], [1.0, 7.0], [4.0, 8.0], [0.0, 9.0]];
        let descriptors = Descriptors::new(
            rows.iter()
                .enumerate()
                .map(|(row, values)| (row as i64, row as i64 + 10, to_bytes(values))),
        );
        let rows = |near: Vec<Near>| near.iter().map(|near| near.row).collect::<Vec<_>>();
        assert_eq!(rows(descriptors.nearest(&[0.0, 9.0], 10, 9, |_| true)), [3, 1, 2]);
        assert_eq!(rows(descriptors.nearest(&[0.0, 9.0], 10, 1, |row| row < 3)), [1]);
        assert_eq!(descriptors.nearest(&[0.0, 9.0], 10, 1, |_| true)[0].distance, 0.0);
        assert!(descriptors.nearest(&[0.0], 10, 1, |_| true).is_empty());
    }

    #[test]
    fn two_sounds_are_one_apart_on_average_whatever_their_scale() {
        let mut state = 7_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u32 << 24) as f32
        };
        let vectors: Vec<Vec<f32>> = (0..300)
            .map(|_| (0..48).map(|dim| 10_f32.powi(dim % 7 - 3) * random()).collect())
            .collect();
        let descriptors = Descriptors::new(
            vectors
                .iter()
                .enumerate()
                .map(|(row, vector)| (row as i64, row as i64, to_bytes(vector))),
        );
        let near = descriptors.nearest(&vectors[0], 0, 300, |_| true);
        assert_eq!(near.len(), 299);
        let mean = near.iter().map(|near| near.distance.powi(2)).sum::<f32>() / 299.0;
        assert!((mean - 1.0).abs() < 0.2, "{mean}");
        assert!(near.windows(2).all(|pair| pair[0].distance <= pair[1].distance));
    }

    #[test]
    fn nothing_to_compare_is_nothing_near() {
        assert!(Descriptors::default().nearest(&[1.0], 0, 5, |_| true).is_empty());
        let one = Descriptors::new(std::iter::once((1, 1, to_bytes(&[0.5, 0.5]))));
        assert_eq!(one.nearest(&[0.25, 0.5], 0, 5, |_| true)[0].distance, 0.0);
    }
}
