//! `cargo xtask import-nsynth`: makes a model folder of a checkpoint of Magenta's NSynth WaveNet, which the user has.
//!
//! The work is done by `models/training`, in a Python environment of its own: TensorFlow, which reads the checkpoint, is
//! needed for nothing else and is not installed for anything else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::python_env::PythonEnv;
use crate::workspace::Workspace;

/// What the Python package puts before its sentence about what the user can put right, and its exit code then.
const REFUSAL: &str = "betwixt_training: ";
const REFUSED: i32 = 2;

/// What to import, and how.
#[derive(Debug)]
pub struct Options {
    /// An archive, or a checkpoint's prefix or index.
    pub checkpoint: PathBuf,
    /// The model folder.
    pub out: PathBuf,
    /// Take the averaged weights.
    pub averaged: bool,
    /// Write a decoder in 8 bits.
    pub int8: bool,
}

/// The task.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let package = workspace.root.join("models").join("training");
    let environment = PythonEnv::locked(workspace, "nsynth", &package.join("requirements-nsynth.lock"))?;
    let mut python = Command::new(environment.python());
    python
        .args(["-m", "betwixt_training", "import-nsynth"])
        .arg(absolute(&options.checkpoint)?)
        .arg("--out")
        .arg(absolute(&options.out)?)
        .args(options.averaged.then_some("--ema"))
        .args(options.int8.then_some("--int8"));
    python.current_dir(&package).stderr(Stdio::piped());
    println!("$ {}", command::shown(&python));
    let output = python
        .stdout(Stdio::inherit())
        .output()
        .with_context(|| format!("`{}` could not be started", command::shown(&python)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    match refusal(&said).filter(|_| output.status.code() == Some(REFUSED)) {
        Some(sentence) => bail!("{sentence}"),
        None => bail!(
            "`{}` failed ({}): {}",
            command::shown(&python),
            output.status,
            said.trim()
        ),
    }
}

/// The Python package works in its own folder; what the user typed is of theirs.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("`{}` is no path", path.display()))
}

/// The sentence among what TensorFlow has to say besides.
fn refusal(said: &str) -> Option<&str> {
    said.lines().rev().find_map(|line| line.strip_prefix(REFUSAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_among_other_words() {
        let said = "I0000 TensorFlow is here\nbetwixt_training: there is no checkpoint a\nI0000 and goes\n";
        assert_eq!(refusal(said), Some("there is no checkpoint a"));
        assert_eq!(refusal("Traceback (most recent call last):\n"), None);
    }
}
