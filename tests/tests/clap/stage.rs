//! What all these tests stand on: the plugin loaded, an instance ready to bounce.

use betwixt_tests::bundle::Bundle;
use betwixt_tests::instance::Instance;
use betwixt_tests::plugin::Plugin;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::Score;
use clack_extensions::render::RenderMode;

/// Sample rate of tests that are not about sample rates.
pub const RATE_HZ: f64 = 48_000.0;
/// Block size of tests that are not about block sizes.
pub const BLOCK: usize = 256;

/// The plugin of this checkout.
pub fn plugin() -> Plugin {
    Plugin::load(&Bundle::built().expect("a bundle").clap()).expect("the built plugin loads")
}

/// An instance that bounces: it may take the time it needs.
pub fn offline(plugin: &Plugin, rate_hz: f64) -> Instance {
    let mut instance = plugin.instance().expect("an instance");
    instance
        .set_render_mode(RenderMode::Offline)
        .expect("the plugin bounces");
    instance.activate(rate_hz, 4096).expect("the plugin activates");
    instance
}

/// Bounces a score with a new instance of the plugin as it is by default.
pub fn bounce(plugin: &Plugin, score: &Score) -> Recording {
    bounce_with(&mut offline(plugin, score.sample_rate_hz()), score)
}

/// Bounces a score.
pub fn bounce_with(instance: &mut Instance, score: &Score) -> Recording {
    let recording = Recording::of(instance, score, BLOCK, Pace::Unlimited).expect("the score plays");
    recording.assert_sound_numbers();
    recording
}

/// A parameter's id, looked up by the name a host shows.
pub fn id(instance: &Instance, name: &str) -> clack_host::utils::ClapId {
    instance.parameter(name).expect("a parameter of the plugin").id
}

/// The stretch of a channel between two times in seconds.
pub fn stretch(samples: &[f32], rate_hz: f64, from_s: f64, to_s: f64) -> &[f32] {
    &samples[(from_s * rate_hz) as usize..(to_s * rate_hz) as usize]
}
