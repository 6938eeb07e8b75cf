//! The host's rate, and how many samples times and fades are.
//!
//! Plain values of the audio thread.

use crate::limits::{STEAL_FADE_MS, UNDERRUN_FADE_MS};
use crate::motion::{Motion, smoothing};
use crate::resampler::MAX_REACH;

/// The host's rate and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub host_hz: f64,
    /// Share of the remaining way that a smoothed value goes in one sample.
    pub smoothing: f64,
    /// Output samples of the underrun fade.
    pub underrun_samples: f32,
    /// What the underrun fade loses in a sample.
    pub underrun_fall: f32,
    /// What a dying voice's fade loses in a sample.
    pub dying_fall: f32,
}

impl Rates {
    pub fn new(host_hz: f64) -> Self {
        let per_sample = |ms: f32| (1000.0 / (f64::from(ms) * host_hz)) as f32;
        Self {
            host_hz,
            smoothing: smoothing(host_hz),
            underrun_samples: (f64::from(UNDERRUN_FADE_MS) * host_hz / 1000.0).ceil() as f32,
            underrun_fall: per_sample(UNDERRUN_FADE_MS),
            dying_fall: per_sample(STEAL_FADE_MS),
        }
    }

    /// Output samples in a time.
    pub fn samples(&self, ms: f32) -> f64 {
        f64::from(ms) / 1000.0 * self.host_hz
    }
}

/// Samples of a note in a time, at its own rate.
pub fn note_samples(note_hz: u32, ms: f32) -> usize {
    (f64::from(ms) / 1000.0 * f64::from(note_hz)).ceil() as usize
}

/// Samples of a note that must be left for the underrun fade and the resampler.
pub fn guard_samples(motion: &Motion, rates: &Rates) -> usize {
    MAX_REACH + 2 + (f64::from(rates.underrun_samples + 1.0) * motion.largest_step()).ceil() as usize
}
