//! `cargo xtask demo`: from a fresh checkout to sound. Sets up, builds, bundles, and has the built CLAP played
//! by a host in a process of its own; then draws what was heard and prints what it took.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::bundle::{self, Profile};
use crate::demo_report::DemoReport;
use crate::platform::System;
use crate::workspace::Workspace;
use crate::{command, resources, spectrogram, system_packages, table};

/// The cargo package and program that host the plugin.
const HOST: (&str, &str) = ("betwixt-tests", "play-demo");

/// The task; pictures and sound go to `out`, the current folder unless given.
pub fn run(workspace: &Workspace, out: Option<&str>) -> Result<()> {
    let out = PathBuf::from(out.unwrap_or("."));
    fs::create_dir_all(&out).with_context(|| format!("{} can't be made", out.display()))?;
    let (wav, png) = (out.join("demo.wav"), out.join("demo.png"));

    system_packages::ensure(system_packages::BUILD)?;
    resources::fill(workspace)?;
    let packages = [bundle::PACKAGES.as_slice(), &[HOST.0]].concat();
    bundle::build(workspace, Profile::Release, &packages)?;
    bundle::lay_out(workspace, Profile::Release)?;

    let report = play(workspace, &wav)?;
    let picture = spectrogram::draw(&wav, &report.blend_path)?;
    crate::folder::write_file(&png, &picture)?;
    println!(
        "\nPlayed through the built plugin:\n{}",
        table::render(&report.rows())
    );
    println!("  {}\n  {}", wav.display(), png.display());
    Ok(())
}

fn play(workspace: &Workspace, wav: &Path) -> Result<DemoReport> {
    let system = System::this()?;
    let report = workspace.target.join("demo.json");
    let mut host = Command::new(
        workspace
            .target
            .join(Profile::Release.name())
            .join(system.program(HOST.1)),
    );
    host.arg("--clap")
        .arg(workspace.bundled().join("betwixt").join("betwixt.clap"));
    host.arg("--out").arg(wav).arg("--report").arg(&report);
    // The bundle is shown as a user gets it: with its own library, models and presets.
    host.env_remove("BETWIXT_RESOURCES");
    command::run(&mut host).context("the host could not play the built plugin")?;
    let text = fs::read_to_string(&report).with_context(|| format!("{} can't be read", report.display()))?;
    DemoReport::parse(&text).with_context(|| format!("{} is not as expected", report.display()))
}
