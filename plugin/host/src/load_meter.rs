//! How much of real time the plugin takes. Audio thread: reads the clock, which on every supported system
//! is no system call that waits.

use std::time::{Duration, Instant};

/// Time over which the meter averages.
const AVERAGE_MS: f32 = 300.0;

/// The smoothed share of real time that `process` calls take.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadMeter {
    share: f32,
}

impl LoadMeter {
    /// Forgets what was measured.
    pub fn reset(&mut self) {
        self.share = 0.0;
    }

    /// The share after a call that began at `began` and made `samples` samples. 1.0 is all of real time.
    pub fn measure(&mut self, began: Instant, samples: usize, sample_rate_hz: f32) -> f32 {
        self.add(began.elapsed(), samples as f32 / sample_rate_hz)
    }

    /// Calls of every length, whole blocks and the pieces between parameter changes, weigh by the time
    /// they make.
    fn add(&mut self, took: Duration, made_seconds: f32) -> f32 {
        if made_seconds > 0.0 {
            let kept = (-1000.0 * made_seconds / AVERAGE_MS).exp();
            self.share = kept * self.share + (1.0 - kept) * (took.as_secs_f32() / made_seconds);
        }
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_block_read_as_the_whole_block_does() {
        let (mut whole, mut pieces) = (LoadMeter::default(), LoadMeter::default());
        for _ in 0..500 {
            whole.add(Duration::from_micros(1000), 0.01);
            for _ in 0..10 {
                pieces.add(Duration::from_micros(100), 0.001);
            }
        }
        let (whole, pieces) = (whole.share, pieces.share);
        assert!(
            (whole - 0.1).abs() < 1e-3 && (pieces - 0.1).abs() < 1e-3,
            "{whole} {pieces}"
        );
    }

    #[test]
    fn a_call_without_samples_leaves_the_meter_alone() {
        let mut meter = LoadMeter::default();
        assert_eq!(meter.add(Duration::from_secs(1), 0.0), 0.0);
    }
}
