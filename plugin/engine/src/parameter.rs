//! The parameters that a preset sets and a bounce automates: names, ranges and defaults in one place.
//!
//! Plain data for any thread. A parameter's name ends in its unit.

use betwixt_audio::limits::{MIN_ATTACK_MS, MIN_RELEASE_MS};
use betwixt_audio::settings::Settings;

/// Gain under which the instrument is silent, and the smallest that a preset may have.
const SILENT_GAIN_DB: f32 = -60.0;

/// One of the values that shape the playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// Left to right on the pad.
    BlendX,
    /// Bottom to top on the pad.
    BlendY,
    /// Time from nothing to full level.
    AttackMs,
    /// Time from full level to the sustain's.
    DecayMs,
    /// Level while a key is held, linear.
    Sustain,
    /// Time to fall silent after a key is let go.
    ReleaseMs,
    /// Level of the whole; the lowest value is silence.
    GainDb,
    /// How much the velocity decides of a note's level: 0 nothing, 1 all.
    VelocitySensitivity,
    /// Shifts every note.
    TuningCents,
}

impl Parameter {
    /// Every parameter, in the order of lists.
    pub const ALL: [Self; 9] = [
        Self::BlendX,
        Self::BlendY,
        Self::AttackMs,
        Self::DecayMs,
        Self::Sustain,
        Self::ReleaseMs,
        Self::GainDb,
        Self::VelocitySensitivity,
        Self::TuningCents,
    ];

    /// Its name in presets and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::BlendX => "blend_x",
            Self::BlendY => "blend_y",
            Self::AttackMs => "attack_ms",
            Self::DecayMs => "decay_ms",
            Self::Sustain => "sustain",
            Self::ReleaseMs => "release_ms",
            Self::GainDb => "gain_db",
            Self::VelocitySensitivity => "velocity_sensitivity",
            Self::TuningCents => "tuning_cents",
        }
    }

    /// The parameter of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|parameter| parameter.name() == name)
    }

    /// All names, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Smallest and largest value.
    pub fn range(self) -> (f32, f32) {
        match self {
            Self::BlendX | Self::BlendY | Self::Sustain | Self::VelocitySensitivity => (0.0, 1.0),
            Self::AttackMs => (MIN_ATTACK_MS, 10_000.0),
            Self::DecayMs | Self::ReleaseMs => (MIN_RELEASE_MS, 10_000.0),
            Self::GainDb => (SILENT_GAIN_DB, 12.0),
            Self::TuningCents => (-100.0, 100.0),
        }
    }

    /// Value of a new instance.
    pub fn default(self) -> f32 {
        self.read(&Settings::default())
    }

    /// The value in some settings.
    pub fn read(self, settings: &Settings) -> f32 {
        match self {
            Self::BlendX => settings.blend.x,
            Self::BlendY => settings.blend.y,
            Self::AttackMs => settings.attack_ms,
            Self::DecayMs => settings.decay_ms,
            Self::Sustain => settings.sustain,
            Self::ReleaseMs => settings.release_ms,
            Self::GainDb => (20.0 * settings.gain.log10()).max(SILENT_GAIN_DB),
            Self::VelocitySensitivity => settings.velocity_sensitivity,
            Self::TuningCents => settings.tuning_cents,
        }
    }

    /// Sets the value, held within its range.
    pub fn apply(self, settings: &mut Settings, value: f32) {
        let (low, high) = self.range();
        let value = value.clamp(low, high);
        match self {
            Self::BlendX => settings.blend.x = value,
            Self::BlendY => settings.blend.y = value,
            Self::AttackMs => settings.attack_ms = value,
            Self::DecayMs => settings.decay_ms = value,
            Self::Sustain => settings.sustain = value,
            Self::ReleaseMs => settings.release_ms = value,
            Self::GainDb if value <= SILENT_GAIN_DB => settings.gain = 0.0,
            Self::GainDb => settings.gain = 10.0_f32.powf(value / 20.0),
            Self::VelocitySensitivity => settings.velocity_sensitivity = value,
            Self::TuningCents => settings.tuning_cents = value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_reads_back_what_was_applied() {
        for parameter in Parameter::ALL {
            let (low, high) = parameter.range();
            assert!(
                (low..=high).contains(&parameter.default()),
                "{}",
                parameter.name()
            );
            assert_eq!(Parameter::from_name(parameter.name()), Some(parameter));
            for part in [0.0, 0.25, 1.0] {
                let mut settings = Settings::default();
                let value = low + (high - low) * part;
                parameter.apply(&mut settings, value);
                assert!(
                    (parameter.read(&settings) - value).abs() < 1e-3,
                    "{} at {value}",
                    parameter.name()
                );
            }
        }
    }
}
