//! Proxies of an ear: how loud a note is, how far it is out of tune, how unlike another it sounds.
//!
//! Pure numbers, for tests and for the script that makes the factory sounds. Independent of what puts sounds in tune.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Samples of the window in which level and spectrum are measured.
const WINDOW: usize = 2048;
const HOP: usize = 1024;
/// Bands of the mel spectrum.
const BANDS: usize = 64;
/// What lies further under the loudest band is not heard.
const RANGE_DB: f64 = 70.0;
/// Frames that are softer than the loudest by more do not count.
const ACTIVE_DB: f64 = 50.0;
/// The part of a note that its tuning is measured in: after the attack, as long as most notes last.
const TUNED_SECONDS: std::ops::Range<f64> = 0.15..1.3;
/// Power within so many cents of a harmonic is that harmonic's.
const NEAR_CENTS: f64 = 60.0;
const HARMONICS: usize = 10;
/// Part of a note's power that must lie in its harmonics for it to have a pitch.
const CLEAR: f64 = 0.2;

pub fn db(amplitude: f64) -> f64 {
    20.0 * (amplitude + 1e-12).log10()
}

pub fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}

pub fn rms_db(samples: &[f32]) -> f64 {
    let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    db((power / samples.len().max(1) as f64).sqrt())
}

/// The loudest short-time rms, in dB of full scale.
pub fn loudest_db(samples: &[f32]) -> f64 {
    let windows = samples.windows(WINDOW).step_by(HOP);
    windows.map(rms_db).fold(f64::NEG_INFINITY, f64::max)
}

/// How many cents a note is above `pitch` (a MIDI note number): the centre of the power near its harmonics. None if too little
/// of it lies there.
pub fn cents_off(samples: &[f32], rate_hz: u32, pitch: f64) -> Option<f64> {
    let rate = f64::from(rate_hz);
    let from = ((TUNED_SECONDS.start * rate) as usize).min(samples.len() / 4);
    let until = ((TUNED_SECONDS.end * rate) as usize).min(samples.len());
    let note = &samples[from..until];
    // Padded, so that bins are far closer than the window tells apart.
    let length = (8 * note.len()).next_power_of_two();
    let mut windowed = vec![0.0_f32; length];
    for (index, (out, sample)) in windowed.iter_mut().zip(note).enumerate() {
        let hann = 0.5 - 0.5 * (std::f64::consts::TAU * index as f64 / note.len() as f64).cos();
        *out = sample * hann as f32;
    }
    let powers = powers(&mut windowed, &RealFftPlanner::new().plan_fft_forward(length));
    let all: f64 = powers.iter().sum();
    let f0_hz = 440.0 * ((pitch - 69.0) / 12.0).exp2();
    let bin_hz = rate / length as f64;
    let half_lobe = 2.0 * length as f64 / note.len() as f64;
    let (mut sum, mut weight) = (0.0, 0.0);
    for harmonic in 1..=HARMONICS {
        let centre = harmonic as f64 * f0_hz / bin_hz;
        // A low harmonic's neighbourhood is at least as wide as the window spreads it.
        let reach = (centre * ((NEAR_CENTS / 1200.0).exp2() - 1.0)).max(half_lobe);
        let bins = (centre - reach).ceil() as usize..=(centre + reach) as usize;
        let Some(near) = powers.get(bins.clone()) else {
            break;
        };
        let power: f64 = near.iter().sum();
        let middle: f64 =
            bins.zip(near).map(|(bin, power)| bin as f64 * power).sum::<f64>() / power.max(1e-300);
        sum += power * 1200.0 * (middle / centre).log2();
        weight += power;
    }
    (weight > CLEAR * all).then(|| sum / weight)
}

/// A mel spectrogram in dB: `[frames, BANDS]`.
pub fn mel_db(samples: &[f32], rate_hz: u32) -> Vec<Vec<f64>> {
    let fft = RealFftPlanner::new().plan_fft_forward(WINDOW);
    let filters = mel_filters(rate_hz);
    samples
        .windows(WINDOW)
        .step_by(HOP)
        .map(|window| {
            let mut windowed: Vec<f32> = window
                .iter()
                .enumerate()
                .map(|(index, sample)| {
                    sample * (0.5 - 0.5 * (std::f32::consts::TAU * index as f32 / WINDOW as f32).cos())
                })
                .collect();
            let powers = powers(&mut windowed, &fft);
            let band = |(first, filter): &(usize, Vec<f64>)| {
                let power: f64 = filter
                    .iter()
                    .zip(&powers[*first..])
                    .map(|(gain, power)| gain * power)
                    .sum();
                10.0 * (power + 1e-12).log10()
            };
            filters.iter().map(band).collect()
        })
        .collect()
}

/// Mean difference of two mel spectrograms in dB, as far as both last and the first one is heard.
pub fn mel_distance(reference: &[Vec<f64>], other: &[Vec<f64>]) -> f64 {
    let loudest_of = |frame: &Vec<f64>| frame.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let loudest = reference.iter().map(loudest_of).fold(f64::NEG_INFINITY, f64::max);
    let floor = loudest - RANGE_DB;
    let (mut sum, mut count) = (0.0, 0.0_f64);
    for (a, b) in reference.iter().zip(other) {
        if loudest_of(a).max(loudest_of(b)) > loudest - ACTIVE_DB {
            sum += a
                .iter()
                .zip(b)
                .map(|(a, b)| (a.max(floor) - b.max(floor)).abs())
                .sum::<f64>();
            count += a.len() as f64;
        }
    }
    sum / count.max(1.0)
}

fn powers(samples: &mut [f32], fft: &Arc<dyn RealToComplex<f32>>) -> Vec<f64> {
    let mut spectrum: Vec<Complex<f32>> = fft.make_output_vec();
    fft.process(samples, &mut spectrum)
        .expect("the lengths are the plan's");
    spectrum.iter().map(|bin| f64::from(bin.norm_sqr())).collect()
}

/// Triangles evenly spaced in mel from 20 Hz on: the first bin of each, and its gains.
fn mel_filters(rate_hz: u32) -> Vec<(usize, Vec<f64>)> {
    let rate = f64::from(rate_hz);
    let to_mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let to_bin = |mel: f64| 700.0 * (10_f64.powf(mel / 2595.0) - 1.0) * WINDOW as f64 / rate;
    let (low, high) = (to_mel(20.0), to_mel(16_000.0));
    let edge = |band: usize| to_bin(low + (high - low) * band as f64 / (BANDS + 1) as f64);
    (0..BANDS)
        .map(|band| {
            let (from, middle, to) = (edge(band), edge(band + 1), edge(band + 2));
            // The lowest bands are narrower than a bin: each has at least its nearest.
            let first = from.ceil().min(middle.round()) as usize;
            let last = (to as usize).max(first);
            let gain = |bin: usize| {
                let bin = bin as f64;
                let slope = if bin < middle {
                    (bin - from) / (middle - from)
                } else {
                    (to - bin) / (to - middle)
                };
                slope.max(0.0)
            };
            let gains: Vec<f64> = (first..=last).map(gain).collect();
            let sum: f64 = gains.iter().sum();
            let gains = if sum > 0.0 { gains } else { vec![1.0; gains.len()] };
            (first, gains)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(pitch: f64, trembling_cents: f64, harmonics: usize) -> Vec<f32> {
        let (mut phase, mut samples) = (0.0_f64, Vec::new());
        for n in 0..96_000 {
            let cents = trembling_cents * (std::f64::consts::TAU * 5.0 * f64::from(n) / 48_000.0).sin();
            phase += 440.0 * ((pitch + cents / 100.0 - 69.0) / 12.0).exp2() / 48_000.0;
            let turn = std::f64::consts::TAU * phase;
            let partials = (1..=harmonics).map(|k| (turn * k as f64).sin() / k as f64);
            samples.push(0.1 * partials.sum::<f64>() as f32);
        }
        samples
    }

    #[test]
    fn the_tuning_of_a_tone_is_heard_to_a_cent() {
        for (pitch, cents) in [(24.0, 4.0), (33.0, -8.0), (48.0, 3.0), (60.0, 0.0), (96.0, 12.0)] {
            for trembling in [0.0, 15.0] {
                let found = cents_off(&tone(pitch + cents / 100.0, trembling, 12), 48_000, pitch).unwrap();
                assert!(
                    (found - cents).abs() < 1.0,
                    "{pitch}, {trembling}: {found} for {cents}"
                );
            }
        }
        assert_eq!(cents_off(&tone(63.5, 0.0, 1), 48_000, 60.0), None);
    }

    #[test]
    fn likeness_is_nothing_for_the_same_and_grows_with_the_difference() {
        let mel = |harmonics| mel_db(&tone(57.0, 0.0, harmonics), 48_000);
        let (few, some, many) = (mel(1), mel(6), mel(20));
        assert_eq!(mel_distance(&many, &many), 0.0);
        assert!(mel_distance(&many, &some) < mel_distance(&many, &few));
    }
}
