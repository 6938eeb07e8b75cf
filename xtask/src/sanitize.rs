//! `cargo xtask sanitize`: the audio crate's tests under LLVM's address and thread sanitizers.
//!
//! The address sanitizer watches what is compiled here; the standard library as it is shipped is left out of it, which
//! hides nothing of ours. The thread sanitizer must see every atomic operation, those of the standard library too, or it
//! reports races that are none: it runs where the toolchain has the library's source (`rustup component add rust-src`) to
//! compile it anew. The sanitizers' flags are unstable ones; the stable compiler takes them all the same.
//!
//! Signals are computed many times slower under a sanitizer: some minutes each. Debug assertions are on, with which the
//! tests also storm for less long, and properties are tried on fewer cases where they leave that open.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{command, system_packages};

/// The crate whose threads meet without locks.
const PACKAGE: &str = "betwixt-audio";
/// Cases of each property.
const PROPERTY_CASES: &str = "16";

/// A sanitizer.
struct Sanitizer {
    name: &'static str,
    flag: &'static str,
    builds_std: bool,
}

const SANITIZERS: [Sanitizer; 2] = [
    Sanitizer {
        name: "address",
        flag: "-Zsanitizer=address",
        builds_std: false,
    },
    Sanitizer {
        name: "thread",
        flag: "-Zsanitizer=thread",
        builds_std: true,
    },
];

/// The task.
pub fn run(workspace: &Workspace) -> Result<()> {
    system_packages::ensure(system_packages::BUILD)?;
    let target = target()?;
    let has_source = has_library_source()?;
    let mut left_out = Vec::new();
    for sanitizer in &SANITIZERS {
        println!("\n== {} sanitizer", sanitizer.name);
        if sanitizer.builds_std && !has_source {
            println!("left out: it needs the standard library's source (`rustup component add rust-src`)");
            left_out.push(sanitizer.name);
            continue;
        }
        command::run(&mut tests(workspace, sanitizer, target))
            .with_context(|| format!("the {} sanitizer found something", sanitizer.name))?;
    }
    if !left_out.is_empty() {
        bail!("left out: the {} sanitizer", left_out.join(" and the "));
    }
    println!("\nNothing was found.");
    Ok(())
}

fn tests(workspace: &Workspace, sanitizer: &Sanitizer, target: &str) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release", "--package", PACKAGE, "--lib", "--tests"]);
    cargo.args(["--target", target]);
    if sanitizer.builds_std {
        cargo.arg("-Zbuild-std");
    }
    // It counts calls of the system's allocator, which the sanitizers put their own before.
    cargo.args(["--", "--skip", "no_allocation"]);
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", format!("{} -Cdebug-assertions", sanitizer.flag))
        .env("PROPTEST_CASES", PROPERTY_CASES)
        .env(
            "CARGO_TARGET_DIR",
            workspace.target.join("sanitize").join(sanitizer.name),
        );
    cargo
}

fn target() -> Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("x86_64-unknown-linux-gnu"),
        ("linux", "aarch64") => Ok("aarch64-unknown-linux-gnu"),
        ("macos", "aarch64") => Ok("aarch64-apple-darwin"),
        (system, machine) => bail!("the toolchain carries no sanitizers for {machine} {system}"),
    }
}

fn has_library_source() -> Result<bool> {
    let root = command::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(root.trim())
        .join("lib/rustlib/src/rust/library/Cargo.lock")
        .is_file())
}
