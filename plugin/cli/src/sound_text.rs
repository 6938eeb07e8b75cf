//! What the commands that make a sound tell of it alike.

use std::path::Path;

use betwixt_engine::model::Model;
use betwixt_engine::sound::Sound;

/// The line on what was made, and where it is now.
pub fn title(output: &Path, sound: &Sound) -> String {
    format!("{}: {} by model {}", output.display(), sound.name, sound.model)
}

/// The line on where it is held.
pub fn sustain(sound: &Sound, model: &Model) -> String {
    let manifest = model.manifest();
    let hop_seconds = manifest.embedding_hop_samples as f64 / f64::from(manifest.sample_rate_hz);
    match sound.loop_region {
        Some(region) => format!(
            "sustain   {:.2} to {:.2} s",
            f64::from(region.start_frame) * hop_seconds,
            f64::from(region.end_frame) * hop_seconds
        ),
        None => "sustain   none: the sound ends by itself".into(),
    }
}
