//! A preset as an argument: a file, or the name of a preset of the factory's or the user's.

use std::path::Path;

use anyhow::Context;
use betwixt_engine::library::Library;
use betwixt_engine::preset::Preset;

/// Reads the preset that is meant.
///
/// # Errors
/// If there is none, or it cannot be read; the message names the file.
pub fn read(preset: &Path, library: &Library) -> anyhow::Result<Preset> {
    let name = preset.to_str().filter(|name| !name.contains(['/', '\\', '.']));
    match name {
        Some(name) if !preset.exists() => Ok(library.preset(name)?),
        _ => Preset::read(preset).with_context(|| preset.display().to_string()),
    }
}
