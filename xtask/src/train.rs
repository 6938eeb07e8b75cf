//! `cargo xtask train`: makes a model from nothing, and tries it.
//!
//! `--quick` takes a sixth of the instruments and a small decoder: some 15 minutes of two cores, to see that the whole
//! way from soundfonts to a playable model works. Without it, the full recipe of `models/training`, which takes hours
//! and goes on where it was stopped. Neither touches the shipped model.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bundle::{self, Profile};
use crate::platform::System;
use crate::python_env::PythonEnv;
use crate::workspace::Workspace;
use crate::{command, folder, resources, system_packages, table};

/// The task.
pub fn run(workspace: &Workspace, quick: bool) -> Result<()> {
    let recipe = Recipe::new(workspace, quick);
    if quick && recipe.work.exists() {
        println!("Removing {}, which an earlier run made.", recipe.work.display());
        folder::remove(&recipe.work)?;
    }
    let mut steps = Steps::default();
    let environment = steps.take("set up", || {
        system_packages::ensure(&[system_packages::BUILD, system_packages::TRAINING].concat())?;
        resources::fill(workspace)?;
        PythonEnv::locked(workspace, "training", &recipe.package.join("requirements.lock"))
    })?;
    steps.take("render and analyse notes", || {
        recipe.run(&environment, "data", &[])
    })?;
    steps.take("train", || recipe.run(&environment, "train", &[]))?;
    let model = recipe.work.join("spectral");
    let out = [Path::new("--out"), &model];
    steps.take("export", || recipe.run(&environment, "export", &out))?;
    let betwixt = steps.take("build betwixt", || {
        bundle::build(workspace, Profile::Release, &["betwixt-cli"])?;
        let program = System::this()?.program(bundle::COMMAND_LINE);
        Ok(workspace.target.join(Profile::Release.name()).join(program))
    })?;
    for look in ["check", "bench"] {
        let mut tried = Command::new(&betwixt);
        tried.args(["model", look]).arg(&model);
        tried.env("BETWIXT_RESOURCES", &workspace.resources);
        steps.take(&format!("betwixt model {look}"), || command::run(&mut tried))?;
    }
    println!("\n{}", table::render(&steps.rows));
    println!(
        "The model is {}; its training curve is {}.",
        model.display(),
        recipe.work.join("curve.csv").display()
    );
    Ok(())
}

/// What is run, and where it works.
struct Recipe {
    package: PathBuf,
    work: PathBuf,
    quick: bool,
}

impl Recipe {
    fn new(workspace: &Workspace, quick: bool) -> Self {
        let name = if quick { "quick" } else { "full" };
        Self {
            package: workspace.root.join("models").join("training"),
            work: workspace.target.join("training").join(name),
            quick,
        }
    }

    /// `python -m betwixt_training STEP`.
    fn run(&self, environment: &PythonEnv, step: &str, options: &[&Path]) -> Result<()> {
        let mut python = Command::new(environment.python());
        python.args(["-m", "betwixt_training", step, "--work"]);
        python.arg(&self.work).args(options);
        if self.quick && step != "export" {
            python.arg("--quick");
        }
        command::run(python.current_dir(&self.package))
    }
}

/// What was done, and how long it took.
#[derive(Default)]
struct Steps {
    rows: Vec<Vec<String>>,
}

impl Steps {
    fn take<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let done = work()?;
        self.rows.push(vec![name.to_owned(), minutes(start.elapsed())]);
        Ok(done)
    }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_minutes_and_seconds() {
        assert_eq!(minutes(Duration::from_secs(605)), "10:05 min");
    }
}
