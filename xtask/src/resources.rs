//! Fills `target/resources`: what tests and tools that run from the checkout use in place of a bundle's
//! own files. Models and presets are links into the checkout where the system has links, so that
//! a new model is in use without another word.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{folder, onnxruntime, shipped_model};

/// ONNX Runtime, the models and the presets.
pub fn fill(workspace: &Workspace) -> Result<()> {
    let models = workspace.resources.join("models");
    fs::create_dir_all(&models).with_context(|| format!("{} can't be made", models.display()))?;
    onnxruntime::ensure(workspace)?;
    for model in shipped_model::folders(&workspace.root.join("models"))? {
        point(&models.join(model.file_name().unwrap_or_default()), &model)?;
    }
    let presets = workspace.root.join("presets");
    if presets.is_dir() {
        point(&workspace.resources.join("presets"), &presets)?;
    }
    let names = shipped_model::folders(&models)?;
    let names: Vec<_> = names
        .iter()
        .filter_map(|model| model.file_name()?.to_str())
        .collect();
    println!("Models: {}.", names.join(", "));
    if names.is_empty() {
        bail!(
            "{} holds no model: the plugin would have nothing to play with",
            models.display()
        );
    }
    Ok(())
}

#[cfg(unix)]
fn point(link: &Path, to: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|target| target == to) {
        return Ok(());
    }
    folder::remove(link)?;
    std::os::unix::fs::symlink(to, link).with_context(|| format!("{} can't be made", link.display()))
}

#[cfg(not(unix))]
fn point(link: &Path, to: &Path) -> Result<()> {
    folder::replace(link, |copy| folder::copy(to, copy))
}
