//! The amplitude envelope: attack, decay, sustain, release, in exponential segments as an analogue one has them.
//!
//! Runs on the audio thread, a sample at a time, so that its course does not depend on block sizes. The level never
//! jumps: not at a short attack, not when a key is let go early, not when a setting changes.

use crate::limits::{MIN_ATTACK_MS, MIN_RELEASE_MS};
use crate::settings::{Settings, unit};

/// The attack aims this far over full level and stops at it: nearly straight, with an analogue bend.
const ATTACK_OVERSHOOT: f32 = 0.3;

/// A fall aims this far under its goal (-80 dB), and so arrives.
const FALL_UNDERSHOOT: f32 = 1e-4;

/// The segments' coefficients for one set of settings and one sample rate.
#[derive(Clone, Copy, Debug)]
pub struct EnvelopeShape {
    attack: f32,
    decay: f32,
    sustain: f32,
    release: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Attack,
    /// Falls to the sustain level and follows it from then on.
    Decay,
    Release,
    Over,
}

/// One voice's envelope.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    stage: Stage,
    level: f32,
}

impl EnvelopeShape {
    pub fn new(settings: &Settings, sample_rate_hz: f32) -> Self {
        // What is not a number becomes the shortest time.
        let samples = |ms: f32, least: f32| ms.max(least) * 0.001 * sample_rate_hz;
        let coefficient = |samples: f32, beyond: f32| (-((1.0 + beyond) / beyond).ln() / samples).exp();
        Self {
            attack: coefficient(samples(settings.attack_ms, MIN_ATTACK_MS), ATTACK_OVERSHOOT),
            decay: coefficient(samples(settings.decay_ms, MIN_RELEASE_MS), FALL_UNDERSHOOT),
            sustain: unit(settings.sustain),
            release: coefficient(samples(settings.release_ms, MIN_RELEASE_MS), FALL_UNDERSHOOT),
        }
    }
}

impl Envelope {
    /// At the start of its attack.
    pub fn start() -> Self {
        Self {
            stage: Stage::Attack,
            level: 0.0,
        }
    }

    /// Lets go: the level falls to zero from where it is.
    pub fn release(&mut self) {
        if self.stage != Stage::Over {
            self.stage = Stage::Release;
        }
    }

    /// The level of the sample that comes next.
    #[inline]
    pub fn next(&mut self, shape: &EnvelopeShape) -> f32 {
        let level = self.level;
        match self.stage {
            Stage::Attack => {
                let goal = 1.0 + ATTACK_OVERSHOOT;
                self.level = goal + (level - goal) * shape.attack;
                if self.level >= 1.0 {
                    self.level = 1.0;
                    self.stage = Stage::Decay;
                }
            }
            Stage::Decay => {
                if level != shape.sustain {
                    self.level = shape.sustain + (level - shape.sustain) * shape.decay;
                    if (self.level - shape.sustain).abs() < FALL_UNDERSHOOT {
                        self.arrive(shape);
                    }
                }
            }
            Stage::Release => {
                self.level = (level + FALL_UNDERSHOOT) * shape.release - FALL_UNDERSHOOT;
                if self.level <= 0.0 {
                    self.level = 0.0;
                    self.stage = Stage::Over;
                }
            }
            Stage::Over => {}
        }
        level
    }

    /// The levels of the samples that come next; returns how many of them come before it is [over](Self::is_over), that
    /// sample included. The same as [`next`](Self::next) for each.
    pub fn fill(&mut self, shape: &EnvelopeShape, levels: &mut [f32]) -> usize {
        if self.stage == Stage::Decay && self.level == shape.sustain {
            levels.fill(self.level);
            return levels.len();
        }
        for (i, level) in levels.iter_mut().enumerate() {
            *level = self.next(shape);
            if self.is_over() {
                return i + 1;
            }
        }
        levels.len()
    }

    /// At the sustain level, which ends the note if it is silence. The last step is under -80 dB.
    fn arrive(&mut self, shape: &EnvelopeShape) {
        self.level = shape.sustain;
        if shape.sustain == 0.0 {
            self.stage = Stage::Over;
        }
    }

    /// The level of the sample that comes next, 0 to 1.
    pub fn level(&self) -> f32 {
        self.level
    }

    /// Whether it is still rising.
    pub fn is_rising(&self) -> bool {
        self.stage == Stage::Attack
    }

    /// Whether the key was let go.
    pub fn is_released(&self) -> bool {
        matches!(self.stage, Stage::Release | Stage::Over)
    }

    /// Whether all that follows is silence.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE_HZ: f32 = 48_000.0;

    fn shape(attack_ms: f32, decay_ms: f32, sustain: f32, release_ms: f32) -> EnvelopeShape {
        let settings = Settings {
            attack_ms,
            decay_ms,
            sustain,
            release_ms,
            ..Settings::default()
        };
        EnvelopeShape::new(&settings, RATE_HZ)
    }

    fn take(envelope: &mut Envelope, shape: &EnvelopeShape, count: usize) -> Vec<f32> {
        (0..count).map(|_| envelope.next(shape)).collect()
    }

    #[test]
    fn the_attack_takes_its_time_to_the_sample() {
        let shape = shape(10.0, 100.0, 1.0, 100.0);
        let levels = take(&mut Envelope::start(), &shape, 490);
        let full = levels.iter().position(|level| *level >= 1.0).unwrap();
        assert!((479..=481).contains(&full), "full at {full}");
    }

    #[test]
    fn the_release_takes_its_time_from_full_level() {
        let shape = shape(1.0, 10.0, 1.0, 50.0);
        let mut envelope = Envelope::start();
        take(&mut envelope, &shape, 1000);
        envelope.release();
        let count = (0..)
            .take_while(|_| {
                envelope.next(&shape);
                !envelope.is_over()
            })
            .count();
        assert!((2390..=2402).contains(&count), "silent after {count} samples");
    }

    #[test]
    fn a_decay_to_silence_ends_the_note_by_itself() {
        let shape = shape(1.0, 20.0, 0.0, 50.0);
        let mut envelope = Envelope::start();
        take(&mut envelope, &shape, 1100);
        assert!(envelope.is_over());
    }

    #[test]
    fn many_levels_at_once_are_the_levels_one_by_one() {
        let shape = shape(3.0, 20.0, 0.5, 30.0);
        let (mut once, mut each) = (Envelope::start(), Envelope::start());
        let mut levels = [0.0; 100];
        for part in 0..40 {
            if part == 20 {
                once.release();
                each.release();
            }
            let count = once.fill(&shape, &mut levels);
            assert_eq!(levels[..count], take(&mut each, &shape, count));
            assert_eq!(once.is_over(), each.is_over());
        }
    }

    #[test]
    fn a_sustain_level_that_is_turned_is_followed_without_a_jump() {
        let mut envelope = Envelope::start();
        take(&mut envelope, &shape(1.0, 20.0, 0.5, 50.0), 4000);
        assert_eq!(envelope.level(), 0.5);
        let levels = take(&mut envelope, &shape(1.0, 20.0, 0.9, 50.0), 4000);
        assert!(
            levels
                .windows(2)
                .all(|pair| pair[1] >= pair[0] && pair[1] - pair[0] < 0.01)
        );
        assert_eq!(envelope.level(), 0.9);
    }

    proptest! {
        #[test]
        fn it_rises_then_falls_and_never_jumps_whenever_the_key_is_let_go(
            attack_ms in 0.0f32..50.0,
            decay_ms in 0.0f32..50.0,
            sustain in 0.0f32..=1.0,
            release_ms in 0.0f32..50.0,
            held in 0usize..6000,
        ) {
            let shape = shape(attack_ms, decay_ms, sustain, release_ms);
            let mut envelope = Envelope::start();
            let mut levels = take(&mut envelope, &shape, held);
            envelope.release();
            levels.extend(take(&mut envelope, &shape, 6000));
            prop_assert!(envelope.is_over());
            let top = levels.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i);
            prop_assert!(levels[..=top].windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(levels[top..].windows(2).all(|pair| pair[0] >= pair[1]));
            prop_assert!(levels.iter().all(|level| (0.0..=1.0).contains(level)));
            // The shortest segments: 0.5 ms up, 2 ms (80 dB) down.
            let jump = levels.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            prop_assert!(jump < 0.1, "jump of {jump}");
        }

        #[test]
        fn settings_that_are_garbage_give_levels_that_are_not(
            attack_ms in any::<f32>(), decay_ms in any::<f32>(), sustain in any::<f32>(), release_ms in any::<f32>(),
        ) {
            let shape = shape(attack_ms, decay_ms, sustain, release_ms);
            let mut envelope = Envelope::start();
            for level in take(&mut envelope, &shape, 3000) {
                prop_assert!((0.0..=1.0).contains(&level), "{}", level);
            }
        }
    }
}
