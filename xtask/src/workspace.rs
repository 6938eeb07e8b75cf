//! Where things are in the checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The folders that tasks read and write.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's build folder.
    pub target: PathBuf,
    /// What tests and tools run from the checkout use: ONNX Runtime, models and presets. The same
    /// path stands in `.cargo/config.toml` as `BETWIXT_RESOURCES`.
    pub resources: PathBuf,
}

impl Workspace {
    /// Finds the checkout this task was started from.
    pub fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("tasks are started by cargo: type `cargo xtask TASK` in the checkout")?;
        let root = Path::new(&package)
            .parent()
            .context("the xtask crate has no parent folder")?
            .to_owned();
        if !root.join("Cargo.toml").is_file() {
            bail!("there is no Cargo.toml in {}", root.display());
        }
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        let resources = root.join("target").join("resources");
        Ok(Self {
            root,
            target,
            resources,
        })
    }

    /// Where bundles are laid out.
    pub fn bundled(&self) -> PathBuf {
        self.target.join("bundled")
    }

    /// The cargo that started this task, to be run in the checkout.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        // Cargo tells its children about the package it runs; another cargo must find out itself.
        cargo
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_PKG_NAME");
        cargo
    }
}
