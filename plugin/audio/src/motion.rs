//! Where a voice is in its note, and how fast it moves: pitch as a resampling step, smoothed bends, glides.
//!
//! Runs on the audio thread, sample by sample. A copy goes on as the original will, so that a voice can look ahead.

use crate::limits::SMOOTHING_MS;
use crate::resampler::MAX_STEP;

/// One in the 32.32 fixed-point positions.
pub const ONE: u64 = 1 << 32;

/// A voice's place and speed.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    /// In the note, 32.32 fixed point.
    pub position: u64,
    /// Input samples an output sample without the glide: now, and where bends take it.
    step: f64,
    step_goal: f64,
    /// What a glide still multiplies the step by.
    glide: f64,
    glide_factor: f64,
    glide_left_samples: u32,
}

impl Motion {
    /// At the note's start, at its own pitch and rate.
    pub fn start() -> Self {
        Self {
            position: 0,
            step: 1.0,
            step_goal: 1.0,
            glide: 1.0,
            glide_factor: 1.0,
            glide_left_samples: 0,
        }
    }

    /// Sets the pitch that bends are smoothed to: `cents` over the pitch that the note is rendered at.
    pub fn bend_to(&mut self, cents: f64, note_hz: u32, host_hz: f64) {
        let step = f64::from(note_hz) / host_hz * (cents / 1200.0).exp2();
        self.step_goal = if step.is_finite() {
            step.clamp(1.0 / MAX_STEP, MAX_STEP)
        } else {
            1.0
        };
    }

    /// Is where [`bend_to`](Self::bend_to) leads, at once.
    pub fn arrive(&mut self) {
        self.step = self.step_goal;
    }

    /// From here on the pitch comes from `cents` off, evenly in `samples`.
    pub fn glide_from(&mut self, cents: f64, samples: u32) {
        let from = (cents / 1200.0).exp2();
        if samples == 0 || !from.is_finite() || from <= 0.0 {
            (self.glide, self.glide_left_samples) = (1.0, 0);
            return;
        }
        self.glide = from;
        self.glide_factor = (-cents / 1200.0 / f64::from(samples)).exp2();
        self.glide_left_samples = samples;
    }

    /// How far a glide is from its end, in cents.
    pub fn glide_cents(&self) -> f64 {
        1200.0 * self.glide.log2()
    }

    /// Whether neither bend nor glide moves the pitch.
    pub fn is_steady(&self) -> bool {
        self.step == self.step_goal && self.glide_left_samples == 0
    }

    /// Input samples an output sample, as of the last [`advance`](Self::advance).
    pub fn step(&self) -> f64 {
        (self.step * self.glide).clamp(1.0 / MAX_STEP, MAX_STEP)
    }

    /// The most that the step may become while nothing new is asked of it.
    pub fn largest_step(&self) -> f64 {
        (self.step.max(self.step_goal) * self.glide.max(1.0)).min(MAX_STEP)
    }

    /// The step of the next sample; `smoothing` is the share of the way to its goal that it goes in one.
    pub fn next_step(&mut self, smoothing: f64) -> f64 {
        if self.step != self.step_goal {
            self.step += (self.step_goal - self.step) * smoothing;
            if (self.step_goal - self.step).abs() < 1e-9 * self.step_goal {
                self.step = self.step_goal;
            }
        }
        if self.glide_left_samples > 0 {
            self.glide_left_samples -= 1;
            self.glide *= self.glide_factor;
            if self.glide_left_samples == 0 {
                self.glide = 1.0;
            }
        }
        self.step()
    }

    /// Moves on by one sample at a step.
    pub fn move_by(&mut self, step: f64) {
        self.position += fixed_point(step);
    }

    /// Moves on by `samples`, as playing them does.
    pub fn advance(&mut self, samples: usize, smoothing: f64) {
        let mut left = samples;
        while left > 0 && !self.is_steady() {
            let step = self.next_step(smoothing);
            self.move_by(step);
            left -= 1;
        }
        self.position += left as u64 * fixed_point(self.step());
    }

    /// The sample that it is at.
    pub fn sample(&self) -> usize {
        (self.position >> 32) as usize
    }
}

/// Share of the remaining way that a smoothed value goes in one sample.
pub fn smoothing(host_hz: f64) -> f64 {
    1.0 - (-1000.0 / (f64::from(SMOOTHING_MS) * host_hz)).exp()
}

/// A step as 32.32 fixed point: 2^-32 of an input sample is 1e-6 cents.
pub fn fixed_point(step: f64) -> u64 {
    (step * ONE as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glide_ends_at_the_notes_own_pitch_after_its_time() {
        let mut motion = Motion::start();
        motion.glide_from(-1200.0, 480);
        assert!((motion.step() - 0.5).abs() < 1e-9);
        let mut half = motion;
        half.advance(240, 0.1);
        assert!(
            (half.glide_cents() + 600.0).abs() < 1e-6,
            "{}",
            half.glide_cents()
        );
        motion.advance(480, 0.1);
        assert_eq!((motion.step(), motion.is_steady()), (1.0, true));
    }

    #[test]
    fn looking_ahead_is_where_playing_gets_to() {
        let mut motion = Motion::start();
        motion.bend_to(200.0, 48_000, 44_100.0);
        motion.glide_from(700.0, 333);
        let mut ahead = motion;
        ahead.advance(1000, 0.01);
        for part in [1, 99, 400, 500] {
            motion.advance(part, 0.01);
        }
        assert_eq!(ahead.position, motion.position);
    }
}
