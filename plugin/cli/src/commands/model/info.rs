//! `betwixt model info`: the manifest, what computes the model, and why nothing else does.

use std::path::Path;

use betwixt_engine::model::Model;
use betwixt_engine::model::manifest::{Driver, PitchInput};
use betwixt_engine::runtime::Runtime;
use betwixt_engine::runtime::provider::DeviceChoice;

/// Prints all that is known of a model.
pub fn run(folder: &Path, device: DeviceChoice) -> anyhow::Result<()> {
    let model = Model::load(folder, device)?;
    let manifest = model.manifest();
    let rate_hz = f64::from(manifest.sample_rate_hz);
    let ms = |samples: usize| 1000.0 * samples as f64 / rate_hz;
    let line = |name: &str, value: String| println!("{name:<16}{value}");

    line("model", format!("{} (id {:016x})", model.tag(), model.id().0));
    line("folder", folder.display().to_string());
    line("licence", manifest.licence.clone());
    line("source", manifest.source.clone());
    line("rate", format!("{} Hz", manifest.sample_rate_hz));
    let hop = manifest.embedding_hop_samples;
    line(
        "embedding",
        format!("{} values every {hop} samples ({:.1} ms)", manifest.dims, ms(hop)),
    );
    line(
        "pitch",
        match manifest.pitch {
            PitchInput::Conditioned => "conditioned: encoder and decoder take it".into(),
            PitchInput::Embedded => "embedded: it lives in the embedding".into(),
        },
    );
    let chunk = model.format().chunk_samples;
    line(
        "frame",
        format!(
            "{} samples ({:.1} ms)",
            manifest.hop_samples,
            ms(manifest.hop_samples)
        ),
    );
    line(
        "chunk",
        format!(
            "{} frames, {chunk} samples ({:.1} ms)",
            manifest.chunk_frames,
            ms(chunk)
        ),
    );
    line(
        "driver",
        match &manifest.driver {
            Driver::Partials(table) => format!(
                "partials: {} single, {} groups, {} noise bands",
                table.slots.len(),
                table.groups(),
                table.noise_bands()
            ),
            Driver::Step(table) => format!("step: {} layers", table.dilations.len()),
        },
    );
    for (name, entry) in [("encoder", &manifest.encoder), ("decoder", &manifest.decoder)] {
        let bytes = std::fs::metadata(folder.join(&entry.graph)).map_or(0, |file| file.len());
        line(
            name,
            format!(
                "{}, {:.2} MB, sha256 {}",
                entry.graph,
                bytes as f64 / 1e6,
                entry.sha256
            ),
        );
    }
    let runtime = Runtime::get()?;
    line(
        "ONNX Runtime",
        format!(
            "{} ({})",
            runtime.version().unwrap_or_else(|| "of unknown version".into()),
            runtime.library().display()
        ),
    );
    let providers = model.providers();
    line("computed by", providers.in_use.to_string());
    for refusal in &providers.refusals {
        line(&format!("  not {}", refusal.provider), refusal.reason.clone());
    }
    Ok(())
}
