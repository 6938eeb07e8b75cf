//! The factory's sounds in patches, and an engine that is ready to play them: for programs that drive the engine itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use betwixt_engine::engine::Engine;
use betwixt_engine::patch::Patch;
use betwixt_engine::resources::Resources;
use betwixt_engine::sound::Sound;
use betwixt_engine::status::ModelStatus;

/// How long a model may take to load.
const LOADING_LIMIT: Duration = Duration::from_secs(60);

/// All sounds of the factory, by their files' names.
///
/// # Errors
///
/// If they can't be read, or are fewer than a patch and a half.
pub fn sounds() -> Result<Vec<Arc<Sound>>> {
    let folder = Resources::find()?.presets()?.join("sounds");
    let files = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = files.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sound"));
    files.sort();
    ensure!(
        files.len() >= 6,
        "{} has {} sounds; expected 6 or more",
        folder.display(),
        files.len()
    );
    files
        .iter()
        .map(|file| Ok(Arc::new(Sound::read(file)?)))
        .collect()
}

/// A patch of four sounds that hold as long as a key is held.
///
/// # Errors
///
/// If the factory lacks one.
pub fn held_patch() -> Result<Patch> {
    let folder = Resources::find()?.presets()?.join("sounds");
    let corner = |name: &str| -> Result<_> {
        let file = folder.join(format!("{name}.sound"));
        Ok(Some(Arc::new(Sound::read(&file)?)))
    };
    Ok(Patch::new([
        corner("flute")?,
        corner("cello")?,
        corner("choir")?,
        corner("glass_pad")?,
    ]))
}

/// Waits until the model of an engine with an active instance is loaded.
///
/// # Errors
///
/// If it can't be, or takes a minute.
pub fn wait_for_model(engine: &Engine) -> Result<()> {
    let started = Instant::now();
    loop {
        match engine.status().model {
            ModelStatus::Ready { .. } => return Ok(()),
            ModelStatus::Failed(why) => bail!("no model: {why}"),
            _ => ensure!(started.elapsed() < LOADING_LIMIT, "the model does not load"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}
