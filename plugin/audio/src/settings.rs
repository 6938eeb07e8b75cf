//! The settings of one `process` call.

use crate::blend::Blend;
use crate::event::Target;
use crate::note::Strike;
use crate::timbre::Timbre;

/// The most of a sound's beginning that can be skipped.
pub const LONGEST_START_MS: f32 = 4000.0;

/// The side's level at full width: a mono sum then loses 1 dB against a channel.
pub const FULL_WIDTH: f32 = 0.5;

/// What the parameters say, for the length of one `process` call. A host splits its block where a parameter
/// changes, which makes automation sample-accurate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The place on the pad. Sounding notes follow it.
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
    /// How much of a sound's beginning new notes skip.
    pub start_ms: f32,
    /// How many times slower than recorded sounds unfold.
    pub stretch: f32,
    /// Sounds stand still.
    pub is_frozen: bool,
    /// Seeded movement of the embedding, 0 to 1.
    pub heat: f32,
    /// Distance from the mean of the corners, 0 to 2.
    pub push: f32,
    /// The corner that new notes have their beginning from, 0 to 3.
    pub attack_from: Option<u8>,
    /// Stereo width of new notes and old: 0 mono, 1 as wide as a mono sum bears.
    pub width: f32,
    /// Tilt of the spectrum, -1 dark to 1 bright.
    pub brightness: f32,
    /// Whether a released key goes on to the sound's own ending, and not through the envelope's release.
    pub own_ending: bool,
    /// How many notes sound at once.
    pub voice_mode: VoiceMode,
    /// Time that a note takes from the last one's pitch to its own.
    pub glide_ms: f32,
    /// Whether channels are single notes with their own bend, pressure and slide (MIDI Polyphonic Expression).
    pub is_mpe: bool,
    /// What pressure moves, upwards.
    pub pressure: Target,
    /// What slide moves, both ways from its middle.
    pub slide: Target,
}

/// How many notes sound at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VoiceMode {
    /// As many as there are voices.
    #[default]
    Poly,
    /// One: each new note is struck.
    Mono,
    /// One: a note that follows before the last was let go takes its voice over.
    Legato,
}

impl VoiceMode {
    /// Every mode, in the order of menus.
    pub const ALL: [Self; 3] = [Self::Poly, Self::Mono, Self::Legato];
}

impl Settings {
    /// The timbre of a note that nothing moves by itself.
    pub fn timbre(&self) -> Timbre {
        Timbre {
            blend: self.blend,
            stretch: self.stretch,
            heat: self.heat,
            push: self.push,
            is_frozen: self.is_frozen,
        }
    }

    /// What a note struck now is struck with, if its timbre is this one.
    pub fn strike(&self, timbre: Timbre) -> Strike {
        Strike {
            start_ms: self.start_ms.clamp(0.0, LONGEST_START_MS).round() as u16,
            attack_from: self.attack_from.filter(|corner| *corner < 4),
            ..Strike::with(timbre)
        }
    }

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
            start_ms: 0.0,
            stretch: 1.0,
            is_frozen: false,
            heat: 0.0,
            push: 1.0,
            attack_from: None,
            width: 0.0,
            brightness: 0.0,
            own_ending: false,
            voice_mode: VoiceMode::Poly,
            glide_ms: 0.0,
            is_mpe: false,
            pressure: Target::Heat,
            slide: Target::BlendY,
        }
    }
}
