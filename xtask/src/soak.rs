//! `cargo xtask soak`: the real engine under all that players, users and hosts do to it, for as long as one likes, watched
//! by LLVM's RealtimeSanitizer where the toolchain carries it. `cargo xtask test` runs the same for some seconds.

use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{command, resources, system_packages};

/// Asked for unless something else is.
const DEFAULT_MINUTES: f64 = 5.0;
/// Of the soak in `cargo xtask test`: a turn of all weathers.
const SHORT_SECONDS: f64 = 12.0;

/// How to soak.
#[derive(Debug, Default)]
pub struct Options {
    /// Minutes.
    pub minutes: Option<String>,
    /// What the program itself takes: option and value.
    pub handed_on: Vec<(&'static str, String)>,
}

/// Those options.
pub const HANDED_ON: [&str; 4] = ["--seed", "--voices", "--instances", "--workers"];

/// The task.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    system_packages::ensure(system_packages::BUILD)?;
    resources::fill(workspace)?;
    let minutes = match &options.minutes {
        Some(text) => text
            .parse()
            .ok()
            .filter(|minutes: &f64| minutes.is_finite() && *minutes > 0.0)
            .with_context(|| format!("--minutes {text}: expected a number above 0"))?,
        None => DEFAULT_MINUTES,
    };
    let mut soak = match watched(workspace) {
        Some(soak) => soak,
        None => {
            println!(
                "There is no RealtimeSanitizer here: notes, underruns and memory are watched without it."
            );
            cargo_run(workspace)
        }
    };
    soak.args(["--", "--seconds", &(minutes * 60.0).to_string()]);
    for (name, value) in &options.handed_on {
        soak.args([name, value.as_str()]);
    }
    command::run(&mut soak)
}

/// Some seconds of it under the sanitizer, for the tests. Underruns are told and forgiven: the machine may be busy with
/// other tests. None where the toolchain carries no RealtimeSanitizer.
pub fn short(workspace: &Workspace) -> Option<Command> {
    let mut soak = watched(workspace)?;
    soak.args([
        "--",
        "--forgive-underruns",
        "--seconds",
        &SHORT_SECONDS.to_string(),
    ]);
    Some(soak)
}

/// The soak, built with the sanitizer: it ends at the first allocation, lock or blocking system call on an audio thread.
fn watched(workspace: &Workspace) -> Option<Command> {
    let target = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-gnu",
        ("linux", "aarch64") => "aarch64-unknown-linux-gnu",
        ("macos", "aarch64") => "aarch64-apple-darwin",
        _ => return None,
    };
    let mut cargo = cargo_run(workspace);
    cargo.args(["--target", target]);
    // The sanitizer's flag is an unstable one; the stable compiler carries its runtime all the same.
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg rtsan -Zsanitizer=realtime");
    // Other flags, another folder: sharing one would rebuild everything on each change between the two.
    cargo.env("CARGO_TARGET_DIR", workspace.target.join("rtsan"));
    Some(cargo)
}

fn cargo_run(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--release", "--package", "betwixt-tests", "--bin", "soak"]);
    cargo
}
