//! The parameters that a preset sets and a bounce automates: names, ranges and defaults in one place.
//!
//! Plain data for any thread. A parameter's name ends in its unit.

use betwixt_audio::event::Target;
use betwixt_audio::limits::{MIN_ATTACK_MS, MIN_RELEASE_MS};
use betwixt_audio::settings::{LONGEST_START_MS, Settings, VoiceMode};
use betwixt_audio::timbre::{PUSH_RANGE, STRETCH_RANGE};

/// Gain under which the instrument is silent, and the smallest that a preset may have.
const SILENT_GAIN_DB: f32 = -60.0;
/// Longest glide.
const LONGEST_GLIDE_MS: f32 = 5000.0;
/// Labels of [`Parameter::AttackFrom`]: the blend's own, or a corner.
const ATTACK_LABELS: &[&str] = &["blend", "A", "B", "C", "D"];
/// Labels of [`Parameter::VoiceMode`], as [`VoiceMode::ALL`].
const VOICE_LABELS: &[&str] = &["poly", "mono", "legato"];
/// Labels of [`Parameter::PressureTo`] and [`Parameter::SlideTo`], as [`Target::ALL`].
const TARGET_LABELS: &[&str] = &["none", "blend X", "blend Y", "heat", "brightness"];

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Any within its range.
    Continuous,
    /// 0 (off) or 1 (on); what lies between counts as the nearer.
    Switch,
    /// The index of one of these; what lies between counts as the nearest.
    Choice(&'static [&'static str]),
}

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
    /// How much of a sound's beginning new notes skip.
    StartMs,
    /// How many times slower than recorded sounds unfold.
    Stretch,
    /// Sounds stand still where they are.
    Freeze,
    /// Seeded movement of the embedding.
    Heat,
    /// Distance from the mean of the corners: 1 is the blend itself.
    Push,
    /// The corner that new notes have their beginning from.
    AttackFrom,
    /// Stereo width.
    Width,
    /// Tilt of the spectrum, dark to bright.
    Brightness,
    /// A released key goes on to the sound's own ending, and not through the envelope's release.
    OwnEnding,
    /// How many notes sound at once.
    VoiceMode,
    /// Time that a note takes from the last one's pitch to its own.
    GlideMs,
    /// Each channel is a note with its own bend, pressure and slide.
    Mpe,
    /// What pressure moves, upwards.
    PressureTo,
    /// What slide moves, both ways from its middle.
    SlideTo,
}

impl Parameter {
    /// Every parameter, in the order of lists.
    pub const ALL: [Self; 23] = [
        Self::BlendX,
        Self::BlendY,
        Self::AttackMs,
        Self::DecayMs,
        Self::Sustain,
        Self::ReleaseMs,
        Self::GainDb,
        Self::VelocitySensitivity,
        Self::TuningCents,
        Self::StartMs,
        Self::Stretch,
        Self::Freeze,
        Self::Heat,
        Self::Push,
        Self::AttackFrom,
        Self::Width,
        Self::Brightness,
        Self::OwnEnding,
        Self::VoiceMode,
        Self::GlideMs,
        Self::Mpe,
        Self::PressureTo,
        Self::SlideTo,
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
            Self::StartMs => "start_ms",
            Self::Stretch => "stretch",
            Self::Freeze => "freeze",
            Self::Heat => "heat",
            Self::Push => "push",
            Self::AttackFrom => "attack_from",
            Self::Width => "width",
            Self::Brightness => "brightness",
            Self::OwnEnding => "own_ending",
            Self::VoiceMode => "voice_mode",
            Self::GlideMs => "glide_ms",
            Self::Mpe => "mpe",
            Self::PressureTo => "pressure_to",
            Self::SlideTo => "slide_to",
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

    /// What values it takes.
    pub fn kind(self) -> ParameterKind {
        match self {
            Self::Freeze | Self::OwnEnding | Self::Mpe => ParameterKind::Switch,
            Self::AttackFrom => ParameterKind::Choice(ATTACK_LABELS),
            Self::VoiceMode => ParameterKind::Choice(VOICE_LABELS),
            Self::PressureTo | Self::SlideTo => ParameterKind::Choice(TARGET_LABELS),
            _ => ParameterKind::Continuous,
        }
    }

    /// Smallest and largest value.
    pub fn range(self) -> (f32, f32) {
        match self {
            Self::BlendX | Self::BlendY | Self::Sustain | Self::VelocitySensitivity => (0.0, 1.0),
            Self::Heat | Self::Width | Self::Freeze | Self::OwnEnding | Self::Mpe => (0.0, 1.0),
            Self::AttackFrom => (0.0, (ATTACK_LABELS.len() - 1) as f32),
            Self::VoiceMode => (0.0, (VOICE_LABELS.len() - 1) as f32),
            Self::PressureTo | Self::SlideTo => (0.0, (TARGET_LABELS.len() - 1) as f32),
            Self::StartMs => (0.0, LONGEST_START_MS),
            Self::Stretch => STRETCH_RANGE,
            Self::Push => PUSH_RANGE,
            Self::Brightness => (-1.0, 1.0),
            Self::GlideMs => (0.0, LONGEST_GLIDE_MS),
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
            Self::StartMs => settings.start_ms,
            Self::Stretch => settings.stretch,
            Self::Freeze => f32::from(settings.is_frozen),
            Self::Heat => settings.heat,
            Self::Push => settings.push,
            Self::AttackFrom => settings.attack_from.map_or(0.0, |corner| f32::from(corner + 1)),
            Self::Width => settings.width,
            Self::Brightness => settings.brightness,
            Self::OwnEnding => f32::from(settings.own_ending),
            Self::VoiceMode => index_in(&VoiceMode::ALL, &settings.voice_mode),
            Self::GlideMs => settings.glide_ms,
            Self::Mpe => f32::from(settings.is_mpe),
            Self::PressureTo => index_in(&Target::ALL, &settings.pressure),
            Self::SlideTo => index_in(&Target::ALL, &settings.slide),
        }
    }

    /// The nearest value that it can have; what is not a number becomes the default.
    pub fn nearest(self, value: f32) -> f32 {
        let (low, high) = self.range();
        let value = if value.is_nan() {
            self.default()
        } else {
            value.clamp(low, high)
        };
        match self.kind() {
            ParameterKind::Continuous => value,
            ParameterKind::Switch | ParameterKind::Choice(_) => value.round(),
        }
    }

    /// Sets the value, or the nearest that it can have.
    pub fn apply(self, settings: &mut Settings, value: f32) {
        let value = self.nearest(value);
        let is_on = value > 0.5;
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
            Self::StartMs => settings.start_ms = value,
            Self::Stretch => settings.stretch = value,
            Self::Freeze => settings.is_frozen = is_on,
            Self::Heat => settings.heat = value,
            Self::Push => settings.push = value,
            Self::AttackFrom => settings.attack_from = (value as u8).checked_sub(1),
            Self::Width => settings.width = value,
            Self::Brightness => settings.brightness = value,
            Self::OwnEnding => settings.own_ending = is_on,
            Self::VoiceMode => settings.voice_mode = VoiceMode::ALL[value as usize],
            Self::GlideMs => settings.glide_ms = value,
            Self::Mpe => settings.is_mpe = is_on,
            Self::PressureTo => settings.pressure = Target::ALL[value as usize],
            Self::SlideTo => settings.slide = Target::ALL[value as usize],
        }
    }
}

/// Where a choice stands among all.
fn index_in<T: PartialEq>(all: &[T], choice: &T) -> f32 {
    all.iter().position(|one| one == choice).unwrap_or(0) as f32
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
                let value = parameter.nearest(low + (high - low) * part);
                parameter.apply(&mut settings, value);
                assert!(
                    (parameter.read(&settings) - value).abs() < 1e-3,
                    "{} at {value}",
                    parameter.name()
                );
            }
        }
    }

    #[test]
    fn every_choice_has_its_label_and_every_switch_two_ends() {
        assert_eq!(VOICE_LABELS.len(), VoiceMode::ALL.len());
        assert_eq!(TARGET_LABELS.len(), Target::ALL.len());
        for parameter in Parameter::ALL {
            let steps = match parameter.kind() {
                ParameterKind::Continuous => continue,
                ParameterKind::Switch => 2,
                ParameterKind::Choice(labels) => labels.len(),
            };
            assert_eq!(
                parameter.range(),
                (0.0, (steps - 1) as f32),
                "{}",
                parameter.name()
            );
            for step in 0..steps {
                let mut settings = Settings::default();
                parameter.apply(&mut settings, step as f32 + 0.4);
                assert_eq!(parameter.read(&settings), step as f32, "{}", parameter.name());
            }
        }
    }

    #[test]
    fn what_is_no_number_becomes_the_default() {
        for parameter in Parameter::ALL {
            let mut settings = Settings::default();
            parameter.apply(&mut settings, f32::NAN);
            let value = parameter.read(&settings);
            assert!(
                (value - parameter.default()).abs() < 1e-5,
                "{}: {value}",
                parameter.name()
            );
        }
    }
}
