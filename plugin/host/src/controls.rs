//! What the window is given of an instance. Window thread.

use std::sync::Arc;

use betwixt_editor::controls::Controls;
use betwixt_editor::host_parameter::HostParameter;
use betwixt_engine::parameter::Parameter;

use crate::params::BetwixtParams;

impl Controls for BetwixtParams {
    fn param(&self, parameter: Parameter) -> HostParameter<'_> {
        self.host_parameter(parameter)
    }

    fn preset_name(&self) -> Arc<str> {
        self.project.preset_name()
    }

    fn set_preset_name(&self, name: &str) {
        self.project.set_preset_name(name);
    }

    fn notice(&self) -> Option<Arc<str>> {
        self.project.notice()
    }
}
