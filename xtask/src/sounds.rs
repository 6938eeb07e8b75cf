//! `cargo xtask sounds`: makes the factory sounds of `presets/sounds` again, from the recordings on.
//!
//! To be run when the shipped model gets a new encoder, or the list of recordings changes. The same model and list give the same
//! bytes. What the list no longer has is not removed, and what the model plays badly is told and not written.

use std::process::Command;

use anyhow::Result;

use crate::python_env::PythonEnv;
use crate::workspace::Workspace;
use crate::{command, resources, system_packages};

/// The task.
pub fn run(workspace: &Workspace) -> Result<()> {
    system_packages::ensure(&[system_packages::BUILD, system_packages::TRAINING].concat())?;
    resources::fill(workspace)?;
    let package = workspace.root.join("models").join("training");
    let environment = PythonEnv::locked(workspace, "training", &package.join("requirements.lock"))?;
    let recordings = workspace.target.join("recordings");
    let mut render = Command::new(environment.python());
    render.args(["-m", "betwixt_training", "sounds", "--out"]);
    command::run(render.arg(&recordings).current_dir(&package))?;
    let mut encode = workspace.cargo();
    encode.args(["run", "--release", "--package", "betwixt-engine"]);
    encode
        .args(["--example", "factory_sounds", "--"])
        .arg(&recordings);
    encode.arg(workspace.root.join("presets").join("sounds"));
    encode.arg(workspace.root.join("models").join("spectral"));
    encode.env("BETWIXT_RESOURCES", &workspace.resources);
    command::run(&mut encode)
}
