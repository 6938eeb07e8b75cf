//! Loudness of a note by ITU-R BS.1770: the loudest 400 ms, K-weighted, in LUFS.
//!
//! Pure numbers, background threads. A pack's samples are brought to one loudness by it, each by itself: so it is the same
//! over the keys, whatever part of the pack is rendered where.

/// Length of BS.1770's momentary window, and the distance of two.
const WINDOW_SECONDS: f64 = 0.4;
const HOP_SECONDS: f64 = 0.1;

/// A second-order filter with its state, in transposed direct form II.
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    /// The shelf that stands for the head, and the high pass. Prototypes from which the standard's coefficients for 48 kHz
    /// follow (Mansbridge, Finn, Reiss 2012, after libebur128), so that they are right at other rates too.
    fn k_weighting(rate_hz: f64) -> [Self; 2] {
        let k = (std::f64::consts::PI * 1_681.974_450_955_533 / rate_hz).tan();
        let q = 0.707_175_236_955_419_6;
        let high = 10_f64.powf(3.999_843_853_973_347 / 20.0);
        let middle = high.powf(0.499_666_774_154_541_6);
        let a0 = 1.0 + k / q + k * k;
        let shelf = Self {
            b: [
                (high + middle * k / q + k * k) / a0,
                2.0 * (k * k - high) / a0,
                (high - middle * k / q + k * k) / a0,
            ],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
            state: [0.0; 2],
        };
        let k = (std::f64::consts::PI * 38.135_470_876_024_44 / rate_hz).tan();
        let q = 0.500_327_037_323_877_3;
        let a0 = 1.0 + k / q + k * k;
        let high_pass = Self {
            b: [1.0, -2.0, 1.0],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
            state: [0.0; 2],
        };
        [shelf, high_pass]
    }

    fn run(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }
}

/// The loudest 400 ms of a mono note in LUFS, or all of it if it is shorter; none for silence.
pub(crate) fn loudest_lufs(samples: &[f32], rate_hz: u32) -> Option<f64> {
    let rate = f64::from(rate_hz);
    let mut filters = Biquad::k_weighting(rate);
    let mut sum = 0.0;
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(samples.iter().map(|sample| {
            let weighted = filters
                .iter_mut()
                .fold(f64::from(*sample), |x, filter| filter.run(x));
            sum += weighted * weighted;
            sum
        }))
        .collect();
    let window = ((WINDOW_SECONDS * rate) as usize).min(samples.len());
    let hop = ((HOP_SECONDS * rate) as usize).max(1);
    let loudest = (0..=samples.len() - window)
        .step_by(hop)
        .map(|begin| (sums[begin + window] - sums[begin]) / window.max(1) as f64)
        .fold(0.0, f64::max);
    (loudest > 1e-12).then(|| -0.691 + 10.0 * loudest.log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, rate_hz: u32, seconds: f64) -> Vec<f32> {
        (0..(seconds * f64::from(rate_hz)) as usize)
            .map(|n| (std::f64::consts::TAU * hz * n as f64 / f64::from(rate_hz)).sin() as f32)
            .collect()
    }

    #[test]
    fn a_full_sine_of_1_khz_has_the_loudness_that_the_standard_gives_it() {
        for rate_hz in [16_000, 44_100, 48_000, 96_000] {
            let lufs = loudest_lufs(&sine(997.0, rate_hz, 1.0), rate_hz).unwrap();
            assert!((lufs + 3.01).abs() < 0.05, "{rate_hz}: {lufs}");
        }
    }

    #[test]
    fn the_loudest_part_counts() {
        let mut note = sine(997.0, 48_000, 1.0);
        let lufs = loudest_lufs(&note, 48_000).unwrap();
        note.extend(std::iter::repeat_n(0.0, 200_000));
        assert!((loudest_lufs(&note, 48_000).unwrap() - lufs).abs() < 1e-9);
        assert_eq!(loudest_lufs(&[0.0; 500], 48_000), None);
        assert_eq!(loudest_lufs(&[], 48_000), None);
    }
}
