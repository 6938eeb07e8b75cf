//! The parameters that a host automates. Read on the audio thread, shown and edited on the main thread.
//!
//! Ranges and defaults are the engine's ([`Parameter`]), so that presets, bounces and the plugin agree.
//! Ids are part of every saved project and automation lane: none is ever renamed or used again, and no
//! range ever shrinks.

use std::sync::Arc;

use betwixt_audio::event::Target;
use betwixt_audio::settings::Settings;
use betwixt_editor::host_parameter::HostParameter;
use betwixt_engine::parameter::Parameter;
use nice_plug::prelude::*;

use crate::note_events::Reading;
use crate::parameter_text as text;
use crate::project::Project;

/// Bends reach this far at most, in semitones.
pub(crate) const MAX_BEND_RANGE_SEMITONES: i32 = 48;

/// The id of the bend range, which the engine does not know.
pub(crate) const BEND_RANGE_ID: &str = "bend_range_semitones";

/// The id of the member channels' bend range, which the engine does not know either.
pub(crate) const MPE_BEND_RANGE_ID: &str = "mpe_bend_range_semitones";

/// What MIDI instruments agree on, in semitones.
const DEFAULT_BEND_RANGE_SEMITONES: i32 = 2;

/// What MPE controllers agree on, in semitones (MPE 1.0, section 2.4).
pub(crate) const DEFAULT_MPE_BEND_RANGE_SEMITONES: i32 = 48;

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
    /// How much of a sound's beginning new notes skip.
    #[id = "start_ms"]
    pub start_ms: FloatParam,
    /// How many times slower than recorded sounds unfold.
    #[id = "stretch"]
    pub stretch: FloatParam,
    /// Sounds stand still.
    #[id = "freeze"]
    pub freeze: BoolParam,
    /// Movement of the embedding.
    #[id = "heat"]
    pub heat: FloatParam,
    /// Distance from the mean of the corners.
    #[id = "push"]
    pub push: FloatParam,
    /// The corner that new notes have their beginning from.
    #[id = "attack_from"]
    pub attack_from: IntParam,
    /// Stereo width.
    #[id = "width"]
    pub width: FloatParam,
    /// Tilt of the spectrum.
    #[id = "brightness"]
    pub brightness: FloatParam,
    /// A released key goes on to the sound's own ending.
    #[id = "own_ending"]
    pub own_ending: BoolParam,
    /// How many notes sound at once.
    #[id = "voice_mode"]
    pub voice_mode: IntParam,
    /// Time from the last note's pitch to the new one's.
    #[id = "glide_ms"]
    pub glide_ms: FloatParam,
    /// Channels are single notes.
    #[id = "mpe"]
    pub mpe: BoolParam,
    /// What pressure moves.
    #[id = "pressure_to"]
    pub pressure_to: IntParam,
    /// What slide moves.
    #[id = "slide_to"]
    pub slide_to: IntParam,
    /// How far a full pitch bend of one of MPE's member channels goes. Not of the engine.
    #[id = "mpe_bend_range_semitones"]
    pub mpe_bend_range_semitones: IntParam,

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
            blend_x: of_single_notes(percent("Blend X", Parameter::BlendX), Target::BlendX),
            blend_y: of_single_notes(percent("Blend Y", Parameter::BlendY), Target::BlendY),
            attack_ms: time("Attack", Parameter::AttackMs),
            decay_ms: time("Decay", Parameter::DecayMs),
            sustain: percent("Sustain", Parameter::Sustain),
            release_ms: time("Release", Parameter::ReleaseMs),
            gain_db: with_text(linear("Gain", Parameter::GainDb), text::decibels()),
            velocity_sensitivity: percent("Velocity", Parameter::VelocitySensitivity),
            tuning_cents: with_text(linear("Tune", Parameter::TuningCents), text::cents()),
            bend_range_semitones: semitones("Bend Range", DEFAULT_BEND_RANGE_SEMITONES),
            start_ms: time("Start", Parameter::StartMs),
            stretch: with_text(skewed("Stretch", Parameter::Stretch, STRETCH_SKEW), text::times()),
            freeze: switch("Freeze", Parameter::Freeze),
            heat: of_single_notes(percent("Heat", Parameter::Heat), Target::Heat),
            push: with_text(linear("Push", Parameter::Push), text::times()),
            attack_from: choice("Attack From", Parameter::AttackFrom, text::ATTACK_FROM),
            width: percent("Width", Parameter::Width),
            brightness: of_single_notes(
                with_text(
                    linear("Brightness", Parameter::Brightness),
                    text::signed_percent(),
                ),
                Target::Brightness,
            ),
            own_ending: switch("Own Ending", Parameter::OwnEnding),
            voice_mode: choice("Voices", Parameter::VoiceMode, text::VOICE_MODES),
            glide_ms: time("Glide", Parameter::GlideMs),
            mpe: switch("MPE", Parameter::Mpe),
            pressure_to: choice("Pressure To", Parameter::PressureTo, text::TARGETS),
            slide_to: choice("Slide To", Parameter::SlideTo, text::TARGETS),
            mpe_bend_range_semitones: semitones("MPE Bend Range", DEFAULT_MPE_BEND_RANGE_SEMITONES),
            project,
        }
    }

    /// The host parameter for one of the engine's.
    pub fn host_parameter(&self, parameter: Parameter) -> HostParameter<'_> {
        use HostParameter::{Choice, Continuous, Switch};
        match parameter {
            Parameter::BlendX => Continuous(&self.blend_x),
            Parameter::BlendY => Continuous(&self.blend_y),
            Parameter::AttackMs => Continuous(&self.attack_ms),
            Parameter::DecayMs => Continuous(&self.decay_ms),
            Parameter::Sustain => Continuous(&self.sustain),
            Parameter::ReleaseMs => Continuous(&self.release_ms),
            Parameter::GainDb => Continuous(&self.gain_db),
            Parameter::VelocitySensitivity => Continuous(&self.velocity_sensitivity),
            Parameter::TuningCents => Continuous(&self.tuning_cents),
            Parameter::StartMs => Continuous(&self.start_ms),
            Parameter::Stretch => Continuous(&self.stretch),
            Parameter::Freeze => Switch(&self.freeze),
            Parameter::Heat => Continuous(&self.heat),
            Parameter::Push => Continuous(&self.push),
            Parameter::AttackFrom => Choice(&self.attack_from),
            Parameter::Width => Continuous(&self.width),
            Parameter::Brightness => Continuous(&self.brightness),
            Parameter::OwnEnding => Switch(&self.own_ending),
            Parameter::VoiceMode => Choice(&self.voice_mode),
            Parameter::GlideMs => Continuous(&self.glide_ms),
            Parameter::Mpe => Switch(&self.mpe),
            Parameter::PressureTo => Choice(&self.pressure_to),
            Parameter::SlideTo => Choice(&self.slide_to),
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

    /// How the host's events are to be read at this moment. Audio thread.
    pub fn reading(&self) -> Reading {
        let bend_range = |param: &IntParam| param.value() as f32;
        Reading {
            bend_range_semitones: bend_range(&self.bend_range_semitones),
            member_bend_range_semitones: self
                .mpe
                .value()
                .then(|| bend_range(&self.mpe_bend_range_semitones)),
            modulated: Target::ALL.map(|target| {
                modulated_parameter(target).map_or(0.0, |parameter| {
                    let param = self.host_parameter(parameter);
                    param.value() - param.unmodulated_value()
                })
            }),
            ranges: Target::ALL.map(|target| {
                modulated_parameter(target).map_or(0.0, |parameter| {
                    let (low, high) = parameter.range();
                    high - low
                })
            }),
        }
    }
}

/// Half of the way is short times, where the ear is finer.
const TIME_SKEW: f32 = -2.0;

/// The recorded speed is in the middle: 0.1 to 1 is one half of the way, 1 to 10 the other.
const STRETCH_SKEW: f32 = -1.79;

/// What a host moves when it modulates a target of single notes.
fn modulated_parameter(target: Target) -> Option<Parameter> {
    match target {
        Target::None => None,
        Target::BlendX => Some(Parameter::BlendX),
        Target::BlendY => Some(Parameter::BlendY),
        Target::Heat => Some(Parameter::Heat),
        Target::Brightness => Some(Parameter::Brightness),
    }
}

/// Lets the host modulate it note by note, under the target's place in [`Target::ALL`].
fn of_single_notes(param: FloatParam, target: Target) -> FloatParam {
    let index = Target::ALL.iter().position(|other| *other == target);
    param.with_poly_modulation_id(index.unwrap_or_default() as u32)
}

fn linear(name: &str, parameter: Parameter) -> FloatParam {
    let (min, max) = parameter.range();
    FloatParam::new(name, parameter.default(), FloatRange::Linear { min, max })
}

/// With more of the way for low values, the more the lower `skew` is.
fn skewed(name: &str, parameter: Parameter, skew: f32) -> FloatParam {
    let (min, max) = parameter.range();
    let factor = FloatRange::skew_factor(skew);
    FloatParam::new(name, parameter.default(), FloatRange::Skewed { min, max, factor })
}

fn with_text(param: FloatParam, (to_text, from_text): (text::ToText, text::FromText)) -> FloatParam {
    param
        .with_value_to_string(to_text)
        .with_string_to_value(from_text)
}

fn percent(name: &str, parameter: Parameter) -> FloatParam {
    with_text(linear(name, parameter), text::percent())
}

fn time(name: &str, parameter: Parameter) -> FloatParam {
    with_text(skewed(name, parameter, TIME_SKEW), text::time())
}

fn switch(name: &str, parameter: Parameter) -> BoolParam {
    let (to_text, from_text) = text::switch();
    BoolParam::new(name, parameter.default() > 0.5)
        .with_value_to_string(to_text)
        .with_string_to_value(from_text)
}

fn choice(name: &str, parameter: Parameter, labels: &'static [&'static str]) -> IntParam {
    let (to_text, from_text) = text::choice(labels);
    let max = labels.len() as i32 - 1;
    IntParam::new(name, parameter.default() as i32, IntRange::Linear { min: 0, max })
        .with_value_to_string(to_text)
        .with_string_to_value(from_text)
}

fn semitones(name: &str, default: i32) -> IntParam {
    let range = IntRange::Linear {
        min: 0,
        max: MAX_BEND_RANGE_SEMITONES,
    };
    IntParam::new(name, default, range).with_unit(" st")
}

#[cfg(test)]
mod tests {
    use super::*;
    use betwixt_editor::window_state::WindowState;
    use betwixt_engine::engine::{Engine, EngineOptions};
    use betwixt_engine::instance::Instance;
    use betwixt_engine::parameter::ParameterKind;
    use proptest::prelude::*;

    fn params() -> BetwixtParams {
        let (instance, _audio_end) = Instance::new(&Engine::new(EngineOptions::default()));
        BetwixtParams::new(Arc::new(Project::new(Arc::new(instance), WindowState::new())))
    }

    #[test]
    fn ids_are_the_engines_names_and_stay_what_they_are() {
        let ids: Vec<String> = params().param_map().into_iter().map(|(id, ..)| id).collect();
        assert_eq!(
            ids.join(" "),
            "blend_x blend_y attack_ms decay_ms sustain release_ms gain_db velocity_sensitivity tuning_cents \
             bend_range_semitones start_ms stretch freeze heat push attack_from width brightness own_ending \
             voice_mode glide_ms mpe pressure_to slide_to mpe_bend_range_semitones"
        );
        let params = params();
        for (id, pointer, _) in params.param_map() {
            match Parameter::from_name(&id) {
                Some(parameter) => assert_eq!(pointer, params.host_parameter(parameter).as_ptr(), "{id}"),
                None => assert!([BEND_RANGE_ID, MPE_BEND_RANGE_ID].contains(&&*id), "{id}"),
            }
        }
        assert_eq!(ids.len(), Parameter::ALL.len() + 2);
    }

    #[test]
    fn a_parameter_is_of_the_engines_kind_and_range() {
        let params = params();
        for parameter in Parameter::ALL {
            let (param, name) = (params.host_parameter(parameter), parameter.name());
            let has_kind = match (parameter.kind(), param) {
                (ParameterKind::Continuous, HostParameter::Continuous(_)) => true,
                (ParameterKind::Switch, HostParameter::Switch(_)) => true,
                (ParameterKind::Choice(labels), HostParameter::Choice(param)) => {
                    param.step_count() == Some(labels.len() - 1)
                }
                _ => false,
            };
            assert!(has_kind, "{name}");
            let (low, high) = parameter.range();
            assert_eq!(
                (param.to_normalized(low), param.to_normalized(high)),
                (0.0, 1.0),
                "{name}"
            );
        }
    }

    #[test]
    fn values_read_as_a_player_would_say_them() {
        let params = params();
        for (parameter, plain, text) in [
            (Parameter::BlendX, 0.25, "25.0 %"),
            (Parameter::StartMs, 0.0, "0 ms"),
            (Parameter::StartMs, 120.0, "120 ms"),
            (Parameter::Stretch, 2.0, "2.00x"),
            (Parameter::Stretch, 10.0, "10.0x"),
            (Parameter::Push, 1.0, "1.00x"),
            (Parameter::Heat, 0.2, "20.0 %"),
            (Parameter::Brightness, -0.5, "-50.0 %"),
            (Parameter::Brightness, 0.5, "+50.0 %"),
            (Parameter::Freeze, 1.0, "On"),
            (Parameter::AttackFrom, 0.0, "Off"),
            (Parameter::AttackFrom, 1.0, "Corner A"),
            (Parameter::VoiceMode, 2.0, "Legato"),
            (Parameter::PressureTo, 3.0, "Heat"),
            (Parameter::SlideTo, 2.0, "Blend Y"),
        ] {
            let param = params.host_parameter(parameter);
            assert_eq!(
                param.to_text(param.to_normalized(plain)),
                text,
                "{}",
                parameter.name()
            );
        }
    }

    #[test]
    fn the_recorded_speed_is_in_the_middle_of_the_stretch() {
        let stretch = params().stretch.default_normalized_value();
        assert!((stretch - 0.5).abs() < 0.01, "{stretch}");
    }

    #[test]
    fn what_single_notes_can_be_moved_by_is_named_by_its_target() {
        let params = params();
        for (index, target) in Target::ALL.into_iter().enumerate() {
            if let Some(parameter) = modulated_parameter(target) {
                let HostParameter::Continuous(param) = params.host_parameter(parameter) else {
                    panic!("{target:?}")
                };
                assert_eq!(param.poly_modulation_id(), Some(index as u32), "{target:?}");
            }
        }
        let named = params.param_map().into_iter();
        // SAFETY: the pointers are into `params`, which is alive.
        let named = named.filter(|(_, pointer, _)| unsafe { pointer.poly_modulation_id() }.is_some());
        assert_eq!(named.count(), Target::ALL.len() - 1);
        assert_eq!(params.reading().ranges, [0.0, 1.0, 1.0, 1.0, 2.0]);
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
                let text = host.to_text(normalized);
                let typed = host.from_text(&text).expect("its own text");
                let again = host.to_text(typed);
                prop_assert_eq!(text, again, "{}", parameter.name());
            }
        }
    }
}
