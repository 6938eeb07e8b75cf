//! A voice's brightness: a tilt of the spectrum about 1 kHz, by one pole.
//!
//! Runs on the audio thread, sample by sample.

use crate::settings::unit;

/// Where the tilt turns.
const MIDDLE_HZ: f64 = 1000.0;
/// How far it goes on each side at full brightness or darkness.
const SIDE_DB: f32 = 9.0;

/// The filter of one voice. `Default` is a flat one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tilt {
    brightness: f32,
    low: f32,
}

impl Tilt {
    /// Whether it leaves everything as it is.
    pub fn is_flat(&self, goal: f32) -> bool {
        self.brightness == 0.0 && bounded(goal) == 0.0
    }

    /// Filters a run in place; the brightness, -1 to 1, glides to `goal`.
    pub fn run(&mut self, goal: f32, host_hz: f64, smoothing: f64, samples: &mut [f32]) {
        let goal = bounded(goal);
        let pole = (1.0 - (-std::f64::consts::TAU * MIDDLE_HZ / host_hz).exp()) as f32;
        let mut gains = gains(self.brightness);
        for sample in samples {
            if self.brightness != goal {
                self.brightness += (goal - self.brightness) * smoothing as f32;
                if (goal - self.brightness).abs() < 1e-4 {
                    self.brightness = goal;
                }
                gains = self::gains(self.brightness);
            }
            self.low += pole * (*sample - self.low);
            *sample = gains.0 * self.low + gains.1 * (*sample - self.low);
        }
        if self.brightness == 0.0 {
            self.low = 0.0;
        }
    }
}

fn bounded(brightness: f32) -> f32 {
    2.0 * unit(0.5 + 0.5 * brightness) - 1.0
}

/// Of what lies under the middle and over it, linear.
fn gains(brightness: f32) -> (f32, f32) {
    let high = 10.0f32.powf(brightness * SIDE_DB / 20.0);
    (1.0 / high, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level_db(brightness: f32, hz: f32) -> f32 {
        let mut tilt = Tilt::default();
        let mut samples: Vec<f32> = (0..9600)
            .map(|n| (std::f32::consts::TAU * hz / 48_000.0 * n as f32).sin())
            .collect();
        tilt.run(brightness, 48_000.0, 0.1, &mut samples);
        let power: f32 = samples[4800..].iter().map(|s| s * s).sum::<f32>() / 2400.0;
        10.0 * power.log10()
    }

    #[test]
    fn bright_raises_the_highs_and_lowers_the_lows() {
        assert!(
            (level_db(1.0, 10_000.0) - SIDE_DB).abs() < 1.0,
            "{}",
            level_db(1.0, 10_000.0)
        );
        assert!(
            (level_db(1.0, 50.0) + SIDE_DB).abs() < 1.0,
            "{}",
            level_db(1.0, 50.0)
        );
        assert!((level_db(-1.0, 50.0) - SIDE_DB).abs() < 1.0);
        assert!(level_db(0.0, 3000.0).abs() < 0.01);
    }
}
