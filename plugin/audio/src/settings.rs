//! The settings of one `process` call.

use crate::blend::Blend;

/// What the parameters say, for the length of one `process` call. A host splits its block where a parameter
/// changes, which makes automation sample-accurate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The blend that notes are struck with.
    pub blend: Blend,
    /// Time to rise from silence to full level, at least 0.5 ms.
    pub attack_ms: f32,
    /// Time to fall from full level to the sustain level, at least 2 ms.
    pub decay_ms: f32,
    /// Level while the key is held, 0 to 1.
    pub sustain: f32,
    /// Time to fall from full level to silence after the key is let go, at least 2 ms.
    pub release_ms: f32,
    /// Output gain, linear.
    pub gain: f32,
    /// How much velocity changes the level: 0 not at all, 1 from silence to full.
    pub velocity_sensitivity: f32,
    /// Tuning of the whole instrument, in cents.
    pub tuning_cents: f32,
}

impl Settings {
    /// The gain of a note struck at `velocity`, 0 to 1.
    pub fn velocity_gain(&self, velocity: f32) -> f32 {
        let velocity = unit(velocity);
        let sensitivity = unit(self.velocity_sensitivity);
        1.0 - sensitivity + sensitivity * velocity * velocity
    }
}

/// Brought into 0 to 1; what is not a number is 0.
pub(crate) fn unit(value: f32) -> f32 {
    if value >= 0.0 { value.min(1.0) } else { 0.0 }
}

impl Default for Settings {
    /// Held sounds as they are, with soft edges. The gain leaves room for a chord: sounds are levelled to -20 dBFS
    /// rms, eight of them add up to -11 dBFS rms, and 0.7 keeps their peaks about full scale.
    fn default() -> Self {
        Self {
            blend: Blend::default(),
            attack_ms: 2.0,
            decay_ms: 100.0,
            sustain: 1.0,
            release_ms: 200.0,
            gain: 0.7,
            velocity_sensitivity: 0.7,
            tuning_cents: 0.0,
        }
    }
}
