//! What the window needs of the host crate: its parameters, its preset's name, its troubles. Implemented by the host's params.

use std::sync::Arc;

use betwixt_engine::parameter::Parameter;

use crate::host_parameter::HostParameter;

/// The host's side of the window. Called on the window thread; no method waits for the audio thread.
pub trait Controls: Send + Sync + 'static {
    /// The parameter, with plain values in the unit of its name and texts that can be shown and typed.
    fn param(&self, parameter: Parameter) -> HostParameter<'_>;

    /// The preset's name as the state carries it; empty when there is none.
    fn preset_name(&self) -> Arc<str>;

    /// Notes the name of the preset that the window has applied.
    fn set_preset_name(&self, name: &str);

    /// One sentence for the error strip, such as why a state was refused; `None` when all is well.
    fn notice(&self) -> Option<Arc<str>>;
}
