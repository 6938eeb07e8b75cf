//! Python environments under `target/python`, one a lock file.
//!
//! An environment is made again when its lock file changes; otherwise it is used as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::workspace::Workspace;

/// An environment that has what its lock file names.
#[derive(Debug, Clone)]
pub struct PythonEnv {
    folder: PathBuf,
}

impl PythonEnv {
    /// An environment with pip and nothing else.
    pub fn bare(workspace: &Workspace, name: &str) -> Result<Self> {
        let folder = workspace.target.join("python").join(name);
        let environment = Self { folder };
        if command::output(environment.pip().arg("--version")).is_err() {
            environment.create()?;
        }
        Ok(environment)
    }

    /// An environment with the packages that `lock` pins (a pip requirements file).
    pub fn locked(workspace: &Workspace, name: &str, lock: &Path) -> Result<Self> {
        let wanted = fs::read_to_string(lock).with_context(|| format!("{} can't be read", lock.display()))?;
        let environment = Self {
            folder: workspace.target.join("python").join(name),
        };
        // Written last: an environment whose making was cut short has none.
        let stamp = environment.folder.join("installed.lock");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        println!("Python: installing what {} pins.", lock.display());
        environment.create()?;
        let mut install = environment.pip();
        // A lock names all that is needed; what a package asks for beyond it (1.3 GB of CUDA, in torch's case) is not.
        install.args(["install", "--quiet", "--no-input", "--no-deps"]);
        // Gigabytes that are installed once would lie in pip's cache as well.
        install.args(["--no-cache-dir", "--requirement"]).arg(lock);
        command::run(&mut install)
            .with_context(|| format!("the packages pinned in {} could not be installed", lock.display()))?;
        fs::write(&stamp, wanted).with_context(|| format!("{} can't be written", stamp.display()))?;
        Ok(environment)
    }

    /// The environment's interpreter.
    pub fn python(&self) -> PathBuf {
        let within = if cfg!(windows) {
            "Scripts/python.exe"
        } else {
            "bin/python"
        };
        self.folder.join(within)
    }

    /// `python -m pip`.
    pub fn pip(&self) -> Command {
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip"]).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        pip
    }

    fn create(&self) -> Result<()> {
        let system = if cfg!(windows) { "python" } else { "python3" };
        let mut create = Command::new(system);
        create.args(["-m", "venv", "--clear"]).arg(&self.folder);
        command::run(&mut create).with_context(|| {
            format!(
                "Python 3.10 or later with its venv module is needed as `{system}` (Debian: python3-venv)"
            )
        })
    }
}
