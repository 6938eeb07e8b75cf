//! The parameters that a host automates. Read on the audio thread, shown and edited on the main thread.
//!
//! Ranges and defaults are the engine's ([`Parameter`]), so that presets, bounces and the plugin agree.
//! Ids are part of every saved project and automation lane: none is ever renamed or used again, and no
//! range ever shrinks.

use std::sync::Arc;

use betwixt_audio::settings::Settings;
use betwixt_engine::parameter::Parameter;
use nice_plug::prelude::*;

use crate::parameter_text as text;
use crate::project::Project;

/// Bends reach this far at most, in semitones; MPE controllers use 48.
pub(crate) const MAX_BEND_RANGE_SEMITONES: i32 = 48;

/// The id of the bend range, which the engine does not know.
pub(crate) const BEND_RANGE_ID: &str = "bend_range_semitones";

/// What MIDI instruments agree on, in semitones.
const DEFAULT_BEND_RANGE_SEMITONES: i32 = 2;

/// Everything that a project keeps of an instance: the parameters, and the [`Project`] beside them.
#[derive(Params)]
pub struct BetwixtParams {
    /// Left to right on the pad.
    #[id = "blend_x"]
    pub blend_x: FloatParam,
    /// Bottom to top on the pad.
    #[id = "blend_y"]
    pub blend_y: FloatParam,
    /// From nothing to full level.
    #[id = "attack_ms"]
    pub attack_ms: FloatParam,
    /// From full level to the sustain's.
    #[id = "decay_ms"]
    pub decay_ms: FloatParam,
    /// Level while a key is held.
    #[id = "sustain"]
    pub sustain: FloatParam,
    /// From the key's release to silence.
    #[id = "release_ms"]
    pub release_ms: FloatParam,
    /// Level of the whole.
    #[id = "gain_db"]
    pub gain_db: FloatParam,
    /// How much the velocity decides of a note's level.
    #[id = "velocity_sensitivity"]
    pub velocity_sensitivity: FloatParam,
    /// Shifts every note.
    #[id = "tuning_cents"]
    pub tuning_cents: FloatParam,
    /// How far a full pitch bend goes. Not of the engine: it plays bends in semitones.
    #[id = "bend_range_semitones"]
    pub bend_range_semitones: IntParam,

    /// What else a project keeps: sounds, device, window.
    #[persist = "project"]
    pub project: Arc<Project>,
}

impl std::fmt::Debug for BetwixtParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BetwixtParams").finish_non_exhaustive()
    }
}

impl BetwixtParams {
    /// Parameters at their defaults, for an instance whose other state is `project`.
    pub fn new(project: Arc<Project>) -> Self {
        Self {
            blend_x: percent("Blend X", Parameter::BlendX),
            blend_y: percent("Blend Y", Parameter::BlendY),
            attack_ms: time("Attack", Parameter::AttackMs),
            decay_ms: time("Decay", Parameter::DecayMs),
            sustain: percent("Sustain", Parameter::Sustain),
            release_ms: time("Release", Parameter::ReleaseMs),
            gain_db: linear("Gain", Parameter::GainDb)
                .with_value_to_string(text::decibels_to_text())
                .with_string_to_value(text::decibels_from_text()),
            velocity_sensitivity: percent("Velocity", Parameter::VelocitySensitivity),
            tuning_cents: linear("Tune", Parameter::TuningCents)
                .with_value_to_string(text::cents_to_text())
                .with_string_to_value(text::cents_from_text()),
            bend_range_semitones: IntParam::new(
                "Bend Range",
                DEFAULT_BEND_RANGE_SEMITONES,
                IntRange::Linear {
                    min: 0,
                    max: MAX_BEND_RANGE_SEMITONES,
                },
            )
            .with_unit(" st"),
            project,
        }
    }

    /// The host parameter for one of the engine's.
    pub fn host_parameter(&self, parameter: Parameter) -> &FloatParam {
        match parameter {
            Parameter::BlendX => &self.blend_x,
            Parameter::BlendY => &self.blend_y,
            Parameter::AttackMs => &self.attack_ms,
            Parameter::DecayMs => &self.decay_ms,
            Parameter::Sustain => &self.sustain,
            Parameter::ReleaseMs => &self.release_ms,
            Parameter::GainDb => &self.gain_db,
            Parameter::VelocitySensitivity => &self.velocity_sensitivity,
            Parameter::TuningCents => &self.tuning_cents,
        }
    }

    /// What the instrument plays by at this moment, automation and modulation included. Audio thread.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for parameter in Parameter::ALL {
            parameter.apply(&mut settings, self.host_parameter(parameter).value());
        }
        settings
    }
}

fn linear(name: &str, parameter: Parameter) -> FloatParam {
    let (min, max) = parameter.range();
    FloatParam::new(name, parameter.default(), FloatRange::Linear { min, max })
}

fn percent(name: &str, parameter: Parameter) -> FloatParam {
    linear(name, parameter)
        .with_value_to_string(text::percent_to_text())
        .with_string_to_value(text::percent_from_text())
}

/// Half of the way is short times, where the ear is finer.
fn time(name: &str, parameter: Parameter) -> FloatParam {
    let (min, max) = parameter.range();
    let range = FloatRange::Skewed {
        min,
        max,
        factor: FloatRange::skew_factor(-2.0),
    };
    FloatParam::new(name, parameter.default(), range)
        .with_value_to_string(text::time_to_text())
        .with_string_to_value(text::time_from_text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use betwixt_editor::window_state::WindowState;
    use betwixt_engine::engine::{Engine, EngineOptions};
    use betwixt_engine::instance::Instance;
    use proptest::prelude::*;

    fn params() -> BetwixtParams {
        let (instance, _audio_end) = Instance::new(&Engine::new(EngineOptions::default()));
        BetwixtParams::new(Arc::new(Project::new(Arc::new(instance), WindowState::new())))
    }

    #[test]
    fn ids_are_the_engines_names_and_stay_what_they_are() {
        let ids: Vec<String> = params().param_map().into_iter().map(|(id, ..)| id).collect();
        let mut names: Vec<&str> = Parameter::ALL.map(Parameter::name).to_vec();
        names.push(BEND_RANGE_ID);
        assert_eq!(ids, names);
        assert_eq!(
            ids.join(" "),
            "blend_x blend_y attack_ms decay_ms sustain release_ms gain_db velocity_sensitivity tuning_cents \
             bend_range_semitones"
        );
        let params = params();
        for (id, pointer, _) in params.param_map() {
            let Some(parameter) = Parameter::from_name(&id) else {
                continue;
            };
            assert_eq!(pointer, params.host_parameter(parameter).as_ptr(), "{id}");
        }
    }

    #[test]
    fn a_new_instance_plays_by_the_engines_defaults() {
        let settings = params().settings();
        for parameter in Parameter::ALL {
            let (found, expected) = (parameter.read(&settings), parameter.default());
            assert!(
                (found - expected).abs() < 1e-3,
                "{}: {found}, expected {expected}",
                parameter.name()
            );
        }
    }

    proptest! {
        #[test]
        fn typing_a_shown_value_shows_it_again(normalized in 0.0f32..=1.0) {
            let params = params();
            for parameter in Parameter::ALL {
                let host = params.host_parameter(parameter);
                let text = host.normalized_value_to_string(normalized, true);
                let typed = host.string_to_normalized_value(&text).expect("its own text");
                let again = host.normalized_value_to_string(typed, true);
                prop_assert_eq!(text, again, "{}", parameter.name());
            }
        }
    }
}
