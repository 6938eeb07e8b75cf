//! Which parameters lie under a controller's eight knobs, page by page (CLAP's remote controls). Main thread, when an
//! instance is made.
//!
//! Every parameter is on a page. Pages are in the order in which a player needs them.

use betwixt_editor::host_parameter::HostParameter;
use betwixt_engine::parameter::Parameter;
use nice_plug::context::remote_controls::{RemoteControlsContext, RemoteControlsSection};

use crate::params::BetwixtParams;

/// The section of all pages: hosts show it beside the pages' names.
const SECTION: &str = "Betwixt";

/// Names the engine's parameters of a page; the bend ranges, which it does not know, go on the last one.
const PAGES: [(&str, &[Parameter]); 4] = [
    (
        "Blend",
        &[
            Parameter::BlendX,
            Parameter::BlendY,
            Parameter::Push,
            Parameter::AttackFrom,
            Parameter::Heat,
            Parameter::Brightness,
            Parameter::Width,
            Parameter::Freeze,
        ],
    ),
    (
        "Time",
        &[
            Parameter::StartMs,
            Parameter::Stretch,
            Parameter::GlideMs,
            Parameter::VoiceMode,
            Parameter::OwnEnding,
        ],
    ),
    (
        "Envelope",
        &[
            Parameter::AttackMs,
            Parameter::DecayMs,
            Parameter::Sustain,
            Parameter::ReleaseMs,
        ],
    ),
    (
        SETUP,
        &[
            Parameter::GainDb,
            Parameter::VelocitySensitivity,
            Parameter::TuningCents,
            Parameter::Mpe,
            Parameter::PressureTo,
            Parameter::SlideTo,
        ],
    ),
];

const SETUP: &str = "Setup";

/// Declares the pages.
pub fn declare(params: &BetwixtParams, context: &mut impl RemoteControlsContext) {
    context.add_section(SECTION, |section| {
        for (name, parameters) in PAGES {
            section.add_page(name, |page| {
                for parameter in parameters {
                    params.host_parameter(*parameter).add_to(page);
                }
                if name == SETUP {
                    HostParameter::Choice(&params.bend_range_semitones).add_to(page);
                    HostParameter::Choice(&params.mpe_bend_range_semitones).add_to(page);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knobs of a page; more would be split over two pages.
    const KNOBS: usize = 8;

    #[test]
    fn every_parameter_lies_under_one_knob() {
        let mut found: Vec<Parameter> = PAGES
            .iter()
            .flat_map(|(_, parameters)| parameters.iter().copied())
            .collect();
        found.sort_by_key(|parameter| *parameter as usize);
        assert_eq!(found, Parameter::ALL);
        for (name, parameters) in PAGES {
            let bend_ranges = if name == SETUP { 2 } else { 0 };
            assert!(parameters.len() + bend_ranges <= KNOBS, "{name}");
        }
    }
}
