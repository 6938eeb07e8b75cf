//! Smooth, seeded movement: what heat adds to an embedding, and what keeps a held note from sounding frozen.
//!
//! Pure numbers on the worker threads. A movement is a function of its seed, the dimension and the time since the note's
//! start alone: whoever asks, in whatever order, gets the same value.

/// How often a movement finds a new direction.
const LATTICE_HZ: f64 = 4.0;

/// Movements of many dimensions, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Movement {
    seed: u64,
}

impl Movement {
    /// The movements of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Where a dimension is at a time after the note's start: about -1 to 1, its slope without jumps.
    pub(crate) fn at(self, dim: usize, seconds: f64) -> f32 {
        let place = seconds.max(0.0) * LATTICE_HZ;
        let cell = place.floor();
        let t = (place - cell) as f32;
        let cell = cell as u64;
        // Catmull and Rom's cubic through the four points about it.
        let [a, b, c, d] = std::array::from_fn(|i| self.point(dim, cell + i as u64));
        let (slope_b, slope_c) = (0.5 * (c - a), 0.5 * (d - b));
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * b
            + (t3 - 2.0 * t2 + t) * slope_b
            + (3.0 * t2 - 2.0 * t3) * c
            + (t3 - t2) * slope_c
    }

    /// One point of the lattice, -1 to 1.
    fn point(self, dim: usize, index: u64) -> f32 {
        let bits = mix(mix(self.seed ^ (dim as u64) << 48) ^ index);
        (bits >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_moves_all_the_time_and_every_dimension_and_seed_its_own_way() {
        let way = |seed, dim| -> Vec<f32> {
            (0..500)
                .map(|i| Movement::new(seed).at(dim, f64::from(i) * 0.02))
                .collect()
        };
        let first = way(1, 0);
        let mean = first.iter().sum::<f32>() / 500.0;
        let rms = (first.iter().map(|x| x * x).sum::<f32>() / 500.0).sqrt();
        assert!(mean.abs() < 0.3 && (0.3..0.8).contains(&rms), "{mean} {rms}");
        assert!(first != way(2, 0) && first != way(1, 1));
        assert_eq!(first, way(1, 0));
    }

    proptest! {
        #[test]
        fn it_is_smooth_and_stays_in_its_bounds(seed: u64, dim in 0_usize..64, seconds in 0.0_f64..1e5) {
            let movement = Movement::new(seed);
            let (here, next) = (movement.at(dim, seconds), movement.at(dim, seconds + 1e-3));
            prop_assert!(here.abs() <= 1.3, "{here}");
            prop_assert!((next - here).abs() < 0.02, "{here} {next}");
        }
    }
}
