//! The noise of a frame: band levels to a magnitude spectrum, seeded random phases, one inverse FFT, and a window
//! whose square overlaps to one.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};

use super::generator::Generator;

/// Random phases are whole multiples of a cycle's 2048th: eleven bits.
const PHASES: usize = 2048;

/// The noise tables.
pub struct NoiseBands {
    /// Of every bin: the band that falls there, the band that rises, and the rising one's share.
    bins: Vec<(usize, usize, f32)>,
    bands: usize,
    phasors: Vec<Complex<f32>>,
    /// Window, with the level calibration and the inverse FFT's 1/N in it.
    window: Vec<f32>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// Working memory of one thread.
#[derive(Debug)]
pub struct NoiseScratch {
    /// Power of every band, with a silent one at the end for bins outside of all.
    powers: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    wave: Vec<f32>,
    fft: Vec<Complex<f32>>,
}

impl NoiseBands {
    pub fn new(edges_hz: &[f32], frame_samples: usize, sample_rate_hz: u32) -> Self {
        let bands = edges_hz.len() - 2;
        let bin_hz = sample_rate_hz as f32 / frame_samples as f32;
        let bins = (0..=frame_samples / 2).map(|bin| {
            let hz = bin as f32 * bin_hz;
            // The interval (edge i to edge i + 1) that holds the bin; an empty one holds nothing.
            let i = edges_hz
                .windows(2)
                .position(|edge| edge[0] < edge[1] && (edge[0]..=edge[1]).contains(&hz));
            match i {
                Some(i) => {
                    let rising = (hz - edges_hz[i]) / (edges_hz[i + 1] - edges_hz[i]);
                    (
                        i.checked_sub(1).unwrap_or(bands),
                        if i < bands { i } else { bands },
                        rising,
                    )
                }
                None => (bands, bands, 0.0),
            }
        });
        let phasors = (0..PHASES).map(|i| {
            let (sin, cos) = (TAU * i as f64 / PHASES as f64).sin_cos();
            Complex::new(cos as f32, sin as f32)
        });
        let gain = level(frame_samples) / frame_samples as f64;
        let window = (0..frame_samples).map(|i| {
            let n = i as f64 - frame_samples as f64 / 2.0;
            ((PI * n / frame_samples as f64).cos() * gain) as f32
        });
        Self {
            bins: bins.collect(),
            bands,
            phasors: phasors.collect(),
            window: window.collect(),
            inverse: RealFftPlanner::new().plan_fft_inverse(frame_samples),
        }
    }

    pub fn scratch(&self) -> NoiseScratch {
        NoiseScratch {
            powers: vec![0.0; self.bands + 1],
            spectrum: self.inverse.make_input_vec(),
            wave: self.inverse.make_output_vec(),
            fft: self.inverse.make_scratch_vec(),
        }
    }

    /// Adds a frame of noise to `frame`.
    pub fn add_frame(
        &self,
        generator: &mut Generator,
        scratch: &mut NoiseScratch,
        noise_db: &[f32],
        frame: &mut [f32],
    ) {
        for (power, db) in scratch.powers.iter_mut().zip(noise_db) {
            // 10 log10(p) = 10 log10(2) log2(p)
            *power = (db * 0.332_192_8).exp2();
        }
        let mut bits = 0;
        for (i, (value, (falling, rising, share))) in scratch.spectrum.iter_mut().zip(&self.bins).enumerate()
        {
            if i % 4 == 0 {
                bits = generator.next_bits();
            }
            let phasor = self.phasors[bits as usize % PHASES];
            bits >>= 16;
            let (low, high) = (scratch.powers[*falling], scratch.powers[*rising]);
            *value = phasor * (low + share * (high - low)).sqrt();
        }
        // A real signal's first and last bin are real.
        let last = scratch.spectrum.len() - 1;
        scratch.spectrum[0].im = 0.0;
        scratch.spectrum[last].im = 0.0;
        // Fails only where a length is wrong or those two bins are not real; neither can be.
        let done =
            self.inverse
                .process_with_scratch(&mut scratch.spectrum, &mut scratch.wave, &mut scratch.fft);
        debug_assert!(done.is_ok());
        for ((out, wave), window) in frame.iter_mut().zip(&scratch.wave).zip(&self.window) {
            *out += wave * window;
        }
    }
}

/// The magnitude of a bin for density 1, such that white noise analysed and made again has its level.
///
/// A density is the power of a bin of a Hann-windowed spectrum scaled by 2 over the window's sum N/2: noise of variance
/// v has density v * (3N/8) * (2 / (N/2))^2 = 6v/N. N bins of magnitude m give the variance m^2 / N, less one of the N
/// because the first and the last bin keep only the real part of their phase. Hence m^2 = N^2 / (6 (N - 1)) * N.
fn level(frame_samples: usize) -> f64 {
    let n = frame_samples as f64;
    (n * n * n / (6.0 * (n - 1.0))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edges of `bands` equal triangular bands over 0 to 24 kHz that sum to one everywhere.
    fn edges(bands: usize) -> Vec<f32> {
        let inner = (0..bands).map(|i| 24_000.0 * i as f32 / (bands - 1) as f32);
        std::iter::once(0.0)
            .chain(inner)
            .chain(std::iter::once(24_000.0))
            .collect()
    }

    fn noise(edges_hz: &[f32], noise_db: &[f32], seed: u64) -> Vec<f32> {
        let noise = NoiseBands::new(edges_hz, 1024, 48_000);
        let (mut scratch, mut generator) = (noise.scratch(), Generator::new(seed));
        let mut out = vec![0.0; 512 * 400];
        for t in 0..399 {
            noise.add_frame(
                &mut generator,
                &mut scratch,
                noise_db,
                &mut out[512 * t..512 * t + 1024],
            );
        }
        out
    }

    #[test]
    fn white_noise_has_the_level_that_was_analysed() {
        // Variance 0.01 analysed as features.py does: 0.01 * 6 / 1024.
        let db = 10.0 * (0.01f32 * 6.0 / 1024.0).log10();
        let out = noise(&edges(16), &[db; 16], 3);
        let inner = &out[1024..out.len() - 1024];
        let variance = inner.iter().map(|x| f64::from(x * x)).sum::<f64>() / inner.len() as f64;
        assert!(
            (10.0 * (variance / 0.01).log10()).abs() < 0.05,
            "variance {variance}"
        );
    }

    #[test]
    fn the_calibration_is_that_of_the_prototype() {
        // features.py: 512 sqrt(3/8) times a NOISE_GAIN measured to be about 1.334, before irfft's 1/N.
        let prototype = 512.0 * (3.0f64 / 8.0).sqrt() * 1.334;
        assert!((level(1024) / prototype - 1.0).abs() < 1e-3, "{}", level(1024));
    }

    #[test]
    fn a_single_band_stays_inside_its_edges() {
        let mut levels = [-200.0; 16];
        levels[4] = -40.0;
        let out = noise(&edges(16), &levels, 3);
        let mut planner = RealFftPlanner::<f32>::new();
        let forward = planner.plan_fft_forward(4096);
        let (mut inside, mut outside) = (0.0f64, 0.0f64);
        for part in out[1024..].chunks_exact(4096) {
            let mut input: Vec<f32> = part
                .iter()
                .enumerate()
                .map(|(n, x)| x * (PI * n as f64 / 4096.0).sin().powi(4) as f32)
                .collect();
            let mut spectrum = forward.make_output_vec();
            forward.process(&mut input, &mut spectrum).unwrap();
            for (bin, value) in spectrum.iter().enumerate() {
                let hz = bin as f32 * 48_000.0 / 4096.0;
                let power = f64::from(value.norm_sqr());
                if (4_700.0..=8_100.0).contains(&hz) {
                    inside += power
                } else {
                    outside += power
                }
            }
        }
        assert!(
            outside < inside * 1e-4,
            "{} dB",
            10.0 * (outside / inside).log10()
        );
    }
}
