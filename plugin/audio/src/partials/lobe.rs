//! The spectral lobe of a partial: what one sinusoid puts into a frame's spectrum.
//!
//! A Hann window's own lobe is wide; cut to a few bins it is wrong by -50 dB. So the lobe is that of a Kaiser-Bessel
//! window, which is nearly all inside six bins, in a spectrum of twice the frame's length; the frame is then multiplied
//! by Hann over that window's transform. This is a non-uniform FFT (Dutt and Rokhlin 1993; parameters of Beatty, Nishimura,
//! Pauly 2005) of frequencies, and exact to -110 dB.

use std::f64::consts::{PI, TAU};

use realfft::num_complex::Complex;

/// Bins of a lobe.
const BINS: usize = 6;

/// Rows of the table over one bin; between them it is linear (-120 dB).
const ROWS: usize = 512;

/// The lobe's table and the window that turns it into Hann.
pub struct Lobe {
    /// Row `r`: the lobe at the six bins about a partial that lies `r / ROWS` after a bin.
    table: Vec<[f32; BINS]>,
    /// For each sample of a frame, first to last.
    window: Vec<f32>,
    fft_samples: usize,
}

impl Lobe {
    pub fn new(frame_samples: usize, fft_samples: usize) -> Self {
        let width = BINS as f64;
        let over = fft_samples as f64 / frame_samples as f64;
        let beta = PI * ((width / over * (over - 0.5)).powi(2) - 0.8).sqrt();
        let peak = bessel_i0(beta);
        let row = |r: usize| {
            std::array::from_fn(|bin| {
                let x = bin as f64 - (width / 2.0 - 1.0) - r as f64 / ROWS as f64;
                let inside = 1.0 - (2.0 * x / width).powi(2);
                if inside > 0.0 {
                    (bessel_i0(beta * inside.sqrt()) / peak) as f32
                } else {
                    0.0
                }
            })
        };
        let half = frame_samples as f64 / 2.0;
        let window = (0..frame_samples).map(|i| {
            let n = i as f64 - half;
            let root = (beta * beta - (PI * width * n / fft_samples as f64).powi(2)).sqrt();
            let transform = width * root.sinh() / root / peak;
            ((0.5 + 0.5 * (PI * n / half).cos()) / transform) as f32
        });
        Self {
            table: (0..=ROWS).map(row).collect(),
            window: window.collect(),
            fft_samples,
        }
    }

    /// Adds a partial. `frequency` in cycles a sample, over 0 and under 0.49; `phase` in cycles, at the frame's centre.
    pub fn add(&self, spectrum: &mut [Complex<f32>], amplitude: f32, frequency: f64, phase: f64) {
        let at = frequency * self.fft_samples as f64;
        let bin = at as usize;
        let row = (at - bin as f64) * ROWS as f64;
        let between = (row - row.floor()) as f32;
        let (low, high) = (&self.table[row as usize], &self.table[row as usize + 1]);
        let (sin, cos) = ((phase * TAU) as f32).sin_cos();
        let (re, im) = (0.5 * amplitude * cos, 0.5 * amplitude * sin);
        let lobe: [f32; BINS] = std::array::from_fn(|i| low[i] + between * (high[i] - low[i]));
        let before = BINS / 2 - 1;
        if bin > before {
            for (value, lobe) in spectrum[bin - before..][..BINS].iter_mut().zip(lobe) {
                value.re += re * lobe;
                value.im += im * lobe;
            }
        } else {
            // Near 0 Hz the lobe reaches negative frequencies, which a real spectrum holds as conjugates.
            for (i, lobe) in lobe.into_iter().enumerate() {
                let index = (bin + i).abs_diff(before);
                if bin + i > before {
                    spectrum[index] += Complex::new(re * lobe, im * lobe);
                } else if bin + i < before {
                    spectrum[index] += Complex::new(re * lobe, -im * lobe);
                } else {
                    spectrum[0].re += 2.0 * re * lobe;
                }
            }
        }
    }

    /// Cuts the frame, centred on sample 0, out of the inverse FFT's (circular) output and makes its window Hann.
    pub fn window(&self, wave: &[f32], frame: &mut [f32]) {
        let half = frame.len() / 2;
        let (first, second) = frame.split_at_mut(half);
        let (first_window, second_window) = self.window.split_at(half);
        for ((out, wave), window) in first.iter_mut().zip(&wave[wave.len() - half..]).zip(first_window) {
            *out = wave * window;
        }
        for ((out, wave), window) in second.iter_mut().zip(wave).zip(second_window) {
            *out = wave * window;
        }
    }
}

/// Modified Bessel function of the first kind, order 0, by its power series.
pub fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-17 * sum {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bessel_i0_has_its_tabulated_values() {
        // Abramowitz and Stegun, table 9.8.
        assert!((bessel_i0(1.0) - 1.266_065_877_752).abs() < 1e-11);
        assert!((bessel_i0(5.0) - 27.239_871_823_604).abs() < 1e-9);
    }

    #[test]
    fn the_window_is_hann_over_the_lobe_s_transform() {
        let lobe = Lobe::new(64, 128);
        // A partial at bin 16 of 128 (an eighth of a cycle a sample), summed bin by bin.
        let mut spectrum = vec![Complex::new(0.0, 0.0); 65];
        lobe.add(&mut spectrum, 1.0, 0.1283, 0.2);
        let wave: Vec<f32> = (0..128)
            .map(|n| {
                let bins = spectrum.iter().enumerate().map(|(k, s)| {
                    let (sin, cos) = (TAU * k as f64 * f64::from(n) / 128.0).sin_cos();
                    2.0 * (f64::from(s.re) * cos - f64::from(s.im) * sin)
                });
                bins.sum::<f64>() as f32
            })
            .collect();
        let mut frame = [0.0; 64];
        lobe.window(&wave, &mut frame);
        for (i, sample) in frame.iter().enumerate() {
            let n = i as f64 - 32.0;
            let hann = 0.5 + 0.5 * (PI * n / 32.0).cos();
            let expected = hann * (TAU * (0.2 + 0.1283 * n)).cos();
            assert!(
                (f64::from(*sample) - expected).abs() < 5e-6,
                "sample {i}: {sample}, expected {expected}"
            );
        }
    }
}
