//! Notes of known pitch, and noises of none, made of numbers.

use std::f64::consts::TAU;

use crate::chance::Chance;

/// How a note sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timbre {
    /// All harmonics, held.
    Saw,
    /// Harmonics that die away, the higher the sooner, a little stiff as strings are.
    Plucked,
    /// Drawbars.
    Organ,
    /// Frequency modulation that dies away.
    FmBell,
    /// Odd harmonics.
    Hollow,
    /// Two harmonics, breath and a vibrato.
    Breathy,
    /// A noise of some colour; it has no pitch.
    Noise,
}

/// Those with a pitch.
pub const PITCHED: [Timbre; 6] = [
    Timbre::Saw,
    Timbre::Plucked,
    Timbre::Organ,
    Timbre::FmBell,
    Timbre::Hollow,
    Timbre::Breathy,
];

/// A note at a rate, from silence to silence, with a peak of about 0.5.
pub fn note(timbre: Timbre, midi: f64, seconds: f64, rate: f64, chance: &mut Chance) -> Vec<f64> {
    let hz = 440.0 * ((midi - 69.0) / 12.0).exp2();
    let highest = 0.45 * rate / hz;
    let phases: Vec<f64> = (0..64).map(|_| chance.unit()).collect();
    let sum = |t: f64, count: usize, gain: &dyn Fn(f64) -> f64, stiff: f64| -> f64 {
        (1..=count)
            .map(|k| k as f64)
            .take_while(|k| *k < highest)
            .map(|k| {
                let cycles = k * hz * (1.0 + stiff * k * k).sqrt() * t + phases[k as usize % 64];
                gain(k) * (TAU * cycles).sin()
            })
            .sum()
    };
    let (mut low, mut band) = (0.0, 0.0);
    let corner = chance.between(300.0, 3000.0);
    let mut samples: Vec<f64> = (0..(seconds * rate) as usize)
        .map(|n| {
            let t = n as f64 / rate;
            let attack = (t / 0.008).min(1.0);
            match timbre {
                Timbre::Saw => attack * sum(t, 40, &|k| 1.0 / k, 0.0),
                Timbre::Plucked => attack * sum(t, 24, &|k| (-(1.5 + 0.8 * k) * t).exp() / k, 2e-5),
                Timbre::Organ => {
                    let drawbar = |k: f64| {
                        if [1.0, 2.0, 3.0, 4.0, 6.0, 8.0].contains(&k) {
                            0.5
                        } else {
                            0.0
                        }
                    };
                    attack * sum(t, 8, &drawbar, 0.0)
                }
                Timbre::FmBell => {
                    let index = if 5.0 < highest {
                        1.5 * (-6.0 * t).exp()
                    } else {
                        0.0
                    };
                    attack * (-2.0 * t).exp() * (TAU * hz * t + index * (TAU * 4.0 * hz * t).sin()).sin()
                }
                Timbre::Hollow => attack * sum(t, 15, &|k| if k % 2.0 == 1.0 { 1.0 / k } else { 0.0 }, 0.0),
                Timbre::Breathy => {
                    // Ten cents up and down, five times a second.
                    let late = t + 1.84e-4 * (TAU * 5.0 * t).sin();
                    attack * (sum(late, 2, &|k| 1.0 / (k * k), 0.0) + 0.02 * chance.between(-1.0, 1.0))
                }
                Timbre::Noise => {
                    let turn = (TAU * corner / rate).min(1.0);
                    let high = chance.between(-1.0, 1.0) - low - 0.7 * band;
                    band += turn * high;
                    low += turn * band;
                    attack * band * (-3.0 * t).exp()
                }
            }
        })
        .collect();
    let peak = samples
        .iter()
        .fold(1e-9_f64, |peak, sample| peak.max(sample.abs()));
    let release = (0.03 * rate) as usize;
    let length = samples.len();
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample *= 0.5 / peak * ((length - n) as f64 / release as f64).min(1.0);
    }
    samples
}
