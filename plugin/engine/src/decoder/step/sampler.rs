//! A note's chance: one class drawn from the network's logits each step, as Magenta's fastgen draws it.
//!
//! Pure numbers. A note's draws depend on its seed and its logits alone, so that neighbours in a batch change nothing.

/// Temperatures below this always take the likeliest class.
const COLDEST: f32 = 1e-3;

/// The generator of one note: SplitMix64 (Steele, Lea, Flood 2014). Its state is the note's place in its chances.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampler {
    state: u64,
    temperature: f32,
}

impl Sampler {
    /// A note's chances from its beginning. `temperature` divides the logits: 1 is the network's own distribution, 0 its
    /// likeliest class.
    pub fn new(seed: u64, temperature: f32) -> Self {
        Self {
            state: seed,
            temperature,
        }
    }

    /// Draws a class from `logits`; `weights`, as long as they are, is overwritten. One number is drawn, whatever comes of it.
    pub fn draw(&mut self, logits: &[f32], weights: &mut [f32]) -> usize {
        let chance = self.uniform();
        let (likeliest, peak) =
            logits
                .iter()
                .enumerate()
                .fold((0, f32::NEG_INFINITY), |best, (class, logit)| {
                    if *logit > best.1 { (class, *logit) } else { best }
                });
        if self.temperature.is_nan() || self.temperature < COLDEST {
            return likeliest;
        }
        let coldness = 1.0 / self.temperature;
        for (weight, logit) in weights.iter_mut().zip(logits) {
            *weight = ((logit - peak) * coldness).exp();
        }
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut left = chance * total;
        for (class, weight) in weights.iter().enumerate() {
            left -= f64::from(*weight);
            if left < 0.0 {
                return class;
            }
        }
        // Rounding alone comes here.
        likeliest
    }

    /// 0 to 1, without 1.
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(temperature: f32) -> [f64; 4] {
        let mut sampler = Sampler::new(9, temperature);
        let mut counts = [0; 4];
        for _ in 0..40_000 {
            // Logarithms of 1 : 2 : 3 : 4, and a constant that changes nothing.
            let logits = [0.0, 2_f32.ln(), 3_f32.ln(), 4_f32.ln()].map(|logit| logit + 300.0);
            counts[sampler.draw(&logits, &mut [0.0; 4])] += 1;
        }
        counts.map(|count| f64::from(count) / 40_000.0)
    }

    fn near(found: [f64; 4], expected: [f64; 4]) {
        let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        assert!(far.fold(0.0, f64::max) < 0.01, "{found:?}, not {expected:?}");
    }

    #[test]
    fn classes_come_as_often_as_the_logits_say() {
        near(shares(1.0), [0.1, 0.2, 0.3, 0.4]);
    }

    #[test]
    fn heat_evens_them_out_and_cold_leaves_the_likeliest() {
        // The square roots of 1 : 2 : 3 : 4.
        let roots = [1.0, 2_f64, 3.0, 4.0].map(f64::sqrt);
        let total: f64 = roots.iter().sum();
        near(shares(2.0), roots.map(|root| root / total));
        assert_eq!(shares(0.0), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(shares(f32::NAN), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_copy_draws_what_the_original_draws() {
        let mut one = Sampler::new(3, 1.0);
        let logits = [0.5_f32; 256];
        one.draw(&logits, &mut [0.0; 256]);
        let mut two = one.clone();
        for _ in 0..100 {
            assert_eq!(
                one.draw(&logits, &mut [0.0; 256]),
                two.draw(&logits, &mut [0.0; 256])
            );
        }
    }
}
