//! `cargo xtask bundle`: builds the plugin and lays it out as hosts expect it, each bundle with its own
//! ONNX Runtime, models and presets.
//!
//! ```text
//! target/bundled/betwixt.vst3/Contents/x86_64-linux/{betwixt.so, libonnxruntime.so}
//!                            /Contents/Resources/{models, presets, licences}
//! target/bundled/betwixt/{betwixt.clap, betwixt-standalone, betwixt, libonnxruntime.so, models, presets, licences}
//! ```
//!
//! On macOS `betwixt.clap` and `betwixt.component` are bundles of the same form as the VST3.
//! nice-plug-xtask, which does a part of this, does not fit: it takes the program with the package's
//! name for the standalone (here that is the command line), and signs a macOS bundle
//! before anything could be added to it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::platform::System;
use crate::workspace::Workspace;
use crate::{command, folder, info_plist, onnxruntime, resources, shipped_model, system_packages};

/// Cargo packages that make up a bundle: the plugin with its standalone, and the command line.
pub const PACKAGES: [&str; 2] = ["betwixt", "betwixt-cli"];
/// The standalone program.
const STANDALONE: &str = "betwixt-standalone";
/// The command line program.
pub const COMMAND_LINE: &str = "betwixt";

/// How the plugin is optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to link: what tests and the demo load.
    Release,
    /// Whole-program optimised: what is given to users.
    Dist,
}

impl Profile {
    /// `--dist` or not.
    pub fn from_flag(dist: bool) -> Self {
        if dist { Self::Dist } else { Self::Release }
    }

    /// Cargo's name of the profile, and of its folder under `target`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

/// What `bundler.toml` says.
#[derive(Debug)]
pub struct Names {
    /// As a person reads it.
    pub name: String,
    /// File name of the bundles, without extension.
    pub file: String,
    /// Reverse domain name.
    pub identifier: String,
    /// The Audio Unit's subtype, four letters.
    pub audio_unit_subtype: String,
    /// The Audio Unit's manufacturer, four letters.
    pub audio_unit_manufacturer: String,
}

impl Names {
    /// Reads `bundler.toml`.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let path = workspace.root.join("bundler.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not as expected", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse()?;
        let field = |keys: &[&str]| {
            let mut value = table.get("betwixt");
            for key in keys {
                value = value.and_then(|value| value.get(key));
            }
            let found = value.and_then(toml::Value::as_str).map(str::to_owned);
            found.with_context(|| format!("betwixt.{} is missing or no string", keys.join(".")))
        };
        Ok(Self {
            name: field(&["name"])?,
            file: field(&["file"])?,
            identifier: field(&["identifier"])?,
            audio_unit_subtype: field(&["audio_unit", "subtype"])?,
            audio_unit_manufacturer: field(&["audio_unit", "manufacturer"])?,
        })
    }
}

/// The task: system packages, resources, build, layout.
pub fn run(workspace: &Workspace, profile: Profile) -> Result<()> {
    system_packages::ensure(system_packages::BUILD)?;
    resources::fill(workspace)?;
    build(workspace, profile, &PACKAGES)?;
    lay_out(workspace, profile)
}

/// Builds cargo packages in one go, so that what they share is compiled once.
pub fn build(workspace: &Workspace, profile: Profile, packages: &[&str]) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--profile", profile.name()]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    command::run(&mut cargo).context("the plugin does not build")
}

/// Lays out what was built under `target/bundled`.
pub fn lay_out(workspace: &Workspace, profile: Profile) -> Result<()> {
    let layout = Layout {
        names: Names::read(workspace)?,
        system: System::this()?,
        built: workspace.target.join(profile.name()),
        workspace,
    };
    let bundled = workspace.bundled();
    fs::create_dir_all(&bundled).with_context(|| format!("{} can't be made", bundled.display()))?;
    let file = &layout.names.file;
    let mut made = vec![bundled.join(format!("{file}.vst3"))];
    folder::replace(&made[0], |bundle| {
        layout.plugin_bundle(bundle, info_plist::Kind::Vst3)
    })?;
    if layout.system == System::MacOs {
        let component = bundled.join(format!("{file}.component"));
        folder::replace(&component, |bundle| {
            layout.plugin_bundle(bundle, info_plist::Kind::AudioUnit)
        })?;
        made.push(component);
    }
    let programs = bundled.join(file);
    folder::replace(&programs, |folder| layout.programs(folder))?;
    made.push(programs);
    for path in made {
        println!("Bundled {}", path.display());
    }
    Ok(())
}

struct Layout<'a> {
    names: Names,
    system: System,
    /// Where cargo put what it built.
    built: std::path::PathBuf,
    workspace: &'a Workspace,
}

impl Layout<'_> {
    /// A folder with `Contents`: every VST3, and on macOS every plugin.
    fn plugin_bundle(&self, bundle: &Path, kind: info_plist::Kind) -> Result<()> {
        let contents = bundle.join("Contents");
        let (machine, binary) = self.system.vst3_binary(&self.names.file);
        let binaries = contents.join(machine);
        self.copy_built(
            &self.system.built_plugin(&self.names.file),
            &binaries.join(&binary),
        )?;
        self.copy_onnxruntime(&binaries)?;
        self.copy_data(&contents.join("Resources"))?;
        if self.system == System::MacOs {
            let plist = info_plist::text(&self.names, kind, &binary, env!("CARGO_PKG_VERSION"));
            folder::write_file(&contents.join("Info.plist"), plist.as_bytes())?;
            folder::write_file(&contents.join("PkgInfo"), b"BNDL????")?;
            sign(bundle)?;
        }
        Ok(())
    }

    /// The CLAP, the standalone and the command line, sharing one set of resources.
    fn programs(&self, folder: &Path) -> Result<()> {
        let clap = folder.join(format!("{}.clap", self.names.file));
        if self.system == System::MacOs {
            fs::create_dir_all(&clap)?;
            self.plugin_bundle(&clap, info_plist::Kind::Clap)?;
        } else {
            self.copy_built(&self.system.built_plugin(&self.names.file), &clap)?;
        }
        for program in [STANDALONE, COMMAND_LINE] {
            let file = self.system.program(program);
            self.copy_built(&file, &folder.join(&file))?;
        }
        self.copy_onnxruntime(folder)?;
        self.copy_data(folder)
    }

    fn copy_built(&self, file: &str, to: &Path) -> Result<()> {
        folder::copy(&self.built.join(file), to).context("cargo did not leave what was to be bundled")
    }

    fn copy_onnxruntime(&self, to: &Path) -> Result<()> {
        let library = self.system.onnxruntime_library();
        folder::copy(&self.workspace.resources.join(library), &to.join(library))
    }

    /// Models, presets and licences.
    fn copy_data(&self, to: &Path) -> Result<()> {
        for model in shipped_model::folders(&self.workspace.resources.join("models"))? {
            shipped_model::copy(
                &model,
                &to.join("models").join(model.file_name().unwrap_or_default()),
            )?;
        }
        let presets = self.workspace.resources.join("presets");
        if presets.is_dir() {
            folder::copy(&presets, &to.join("presets"))?;
        }
        folder::copy(
            &self.workspace.resources.join(onnxruntime::LICENCES),
            &to.join(onnxruntime::LICENCES),
        )?;
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            folder::copy(
                &self.workspace.root.join(licence),
                &to.join("licences").join(licence),
            )?;
        }
        Ok(())
    }
}

/// Seals a macOS bundle with a signature of no one: without one, Apple's processors run nothing.
fn sign(bundle: &Path) -> Result<()> {
    command::run(
        Command::new("codesign")
            .args(["--force", "--deep", "--sign", "-"])
            .arg(bundle),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_names_are_complete() {
        let names = Names::parse(include_str!("../../bundler.toml")).unwrap();
        assert_eq!((names.name.as_str(), names.file.as_str()), ("Betwixt", "betwixt"));
        assert_eq!(names.audio_unit_subtype.len(), 4);
        assert_eq!(names.audio_unit_manufacturer.len(), 4);
        assert!(
            names
                .audio_unit_manufacturer
                .bytes()
                .any(|letter| letter.is_ascii_uppercase())
        );
    }

    #[test]
    fn a_missing_name_is_told_by_its_key() {
        let error = Names::parse("[betwixt]\nname = 'B'\nfile = 'b'\nidentifier = 'x'\n").unwrap_err();
        assert!(
            error.to_string().contains("betwixt.audio_unit.subtype"),
            "{error}"
        );
    }
}
