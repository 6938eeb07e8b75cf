//! `cargo xtask install`: bundles, and copies the bundles to this user's plugin folders.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::bundle::{self, Names, Profile};
use crate::folder;
use crate::platform::System;
use crate::workspace::Workspace;

/// The task.
pub fn run(workspace: &Workspace, profile: Profile) -> Result<()> {
    bundle::run(workspace, profile)?;
    let names = Names::read(workspace)?;
    let system = System::this()?;
    let folders = system.plugin_folders()?;
    let file = names.file.as_str();
    let mut copies: Vec<(String, PathBuf)> = vec![
        (format!("{file}.vst3"), folders.vst3),
        (file.to_owned(), folders.clap),
    ];
    if system == System::MacOs {
        let components = copies[0].1.with_file_name("Components");
        copies.push((format!("{file}.component"), components));
    }
    for (name, home) in copies {
        fs::create_dir_all(&home).with_context(|| format!("{} can't be made", home.display()))?;
        let installed = home.join(&name);
        let replaced = if installed.exists() { "replaced" } else { "new" };
        let bundle = workspace.bundled().join(&name);
        folder::replace(&installed, |copy| folder::copy(&bundle, copy))?;
        println!("Installed {} ({replaced})", installed.display());
    }
    println!(
        "Have your DAW scan for new plugins; {} is an instrument.",
        names.name
    );
    Ok(())
}
