//! One of the host's parameters, whatever its kind. Main and window thread to show and set, audio thread to read values.

use nice_plug::context::gui::ParamSetter;
use nice_plug::context::remote_controls::RemoteControlsPage;
use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::{BoolParam, FloatParam, IntParam, Param};

/// A parameter of one of the kinds that [`ParameterKind`](betwixt_engine::parameter::ParameterKind) tells apart. Plain
/// values are the engine's: a switch is 0 or 1, a choice the index of what is chosen.
#[derive(Clone, Copy, Debug)]
pub enum HostParameter<'a> {
    /// Any value within a range.
    Continuous(&'a FloatParam),
    /// On or off.
    Switch(&'a BoolParam),
    /// One of a list.
    Choice(&'a IntParam),
}

/// The same call for each kind.
macro_rules! of_any_kind {
    ($self:expr, $param:ident => $call:expr) => {
        match $self {
            HostParameter::Continuous($param) => $call,
            HostParameter::Switch($param) => $call,
            HostParameter::Choice($param) => $call,
        }
    };
}

impl HostParameter<'_> {
    /// What sounds: the plain value with the host's modulation.
    ///
    /// # Realtime Safety
    /// Wait-free.
    pub fn value(self) -> f32 {
        match self {
            Self::Continuous(param) => param.value(),
            Self::Switch(param) => f32::from(param.value()),
            Self::Choice(param) => param.value() as f32,
        }
    }

    /// The plain value that the host's modulation is added to.
    ///
    /// # Realtime Safety
    /// Wait-free.
    pub fn unmodulated_value(self) -> f32 {
        match self {
            Self::Continuous(param) => param.unmodulated_plain_value(),
            Self::Switch(param) => f32::from(param.unmodulated_plain_value()),
            Self::Choice(param) => param.unmodulated_plain_value() as f32,
        }
    }

    /// What the user or the host set, 0..1 over the range.
    pub fn normalized(self) -> f32 {
        of_any_kind!(self, param => param.unmodulated_normalized_value())
    }

    /// What sounds, 0..1 over the range.
    pub fn modulated_normalized(self) -> f32 {
        of_any_kind!(self, param => param.modulated_normalized_value())
    }

    /// The value of a new instance, 0..1 over the range.
    pub fn default_normalized(self) -> f32 {
        of_any_kind!(self, param => param.default_normalized_value())
    }

    /// A plain value as 0..1 over the range.
    pub fn to_normalized(self, plain: f32) -> f32 {
        match self {
            Self::Continuous(param) => param.preview_normalized(plain),
            Self::Switch(param) => param.preview_normalized(plain > 0.5),
            Self::Choice(param) => param.preview_normalized(plain.round() as i32),
        }
    }

    /// The text of a value of 0..1, with its unit.
    pub fn to_text(self, normalized: f32) -> String {
        of_any_kind!(self, param => param.normalized_value_to_string(normalized, true))
    }

    /// The value of a text, 0..1; `None` if the text is no value.
    pub fn from_text(self, text: &str) -> Option<f32> {
        of_any_kind!(self, param => param.string_to_normalized_value(text))
    }

    /// nice-plug's own name for the parameter.
    pub fn as_ptr(self) -> ParamPtr {
        of_any_kind!(self, param => param.as_ptr())
    }

    /// Puts the parameter on a page of a controller.
    pub fn add_to(self, page: &mut impl RemoteControlsPage) {
        of_any_kind!(self, param => page.add_param(param));
    }

    /// The user takes hold of it.
    pub(crate) fn begin(self, setter: ParamSetter<'_>) {
        of_any_kind!(self, param => setter.begin_set_parameter(param));
    }

    /// The user sets it, 0..1 over the range.
    pub(crate) fn set(self, setter: ParamSetter<'_>, normalized: f32) {
        of_any_kind!(self, param => setter.set_parameter_normalized(param, normalized));
    }

    /// The user lets go of it.
    pub(crate) fn end(self, setter: ParamSetter<'_>) {
        of_any_kind!(self, param => setter.end_set_parameter(param));
    }
}
