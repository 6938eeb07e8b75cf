//! `cargo xtask validate`: the field's own validators over the bundles.
//!
//! The validators are found on the PATH; which are not there is said. A failing one fails the task.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::bundle::{self, Profile};
use crate::workspace::Workspace;
use crate::{command, system_packages, table};

/// How long pluginval may take over one run, in milliseconds.
const PLUGINVAL_TIMEOUT_MS: u32 = 120_000;

/// The task; pluginval runs `runs` times (10 unless given), as what it does is partly random.
pub fn run(workspace: &Workspace, runs: Option<&str>) -> Result<()> {
    let runs: u32 = match runs {
        None => 10,
        Some(text) => text
            .parse()
            .with_context(|| format!("`--runs {text}` is no number"))?,
    };
    bundle::run(workspace, Profile::Release)?;
    let vst3 = workspace.bundled().join("betwixt.vst3");
    let clap = workspace.bundled().join("betwixt").join("betwixt.clap");

    let mut results = Vec::new();
    let clap_validator = || {
        let mut command = Command::new("clap-validator");
        command.arg("validate").arg(&clap);
        command
    };
    results.push(validate("clap-validator", 1, clap_validator)?);
    let needs_screen = cfg!(target_os = "linux") && std::env::var_os("DISPLAY").is_none();
    if needs_screen && command::find_program("pluginval").is_some() {
        system_packages::ensure(system_packages::SCREEN)?;
    }
    let pluginval = || {
        // Its editor tests need a screen.
        let mut command = if needs_screen {
            let mut screen = Command::new("xvfb-run");
            screen.args(["--auto-servernum", "pluginval"]);
            screen
        } else {
            Command::new("pluginval")
        };
        command
            .args(["--strictness-level", "10", "--timeout-ms"])
            .arg(PLUGINVAL_TIMEOUT_MS.to_string());
        command.arg("--validate").arg(&vst3);
        command
    };
    results.push(validate("pluginval", runs, pluginval)?);
    let vst3_validator = || {
        let mut command = Command::new("validator");
        command.arg(&vst3);
        command
    };
    results.push(validate("validator", 1, vst3_validator)?);

    let rows: Vec<_> = results
        .iter()
        .map(|result| vec![result.name.to_owned(), result.words()])
        .collect();
    println!("\n{}", table::render(&rows));
    let failed: Vec<_> = results
        .iter()
        .filter(|result| result.failed > 0)
        .map(|result| result.name)
        .collect();
    if !failed.is_empty() {
        bail!("{} found faults: see above", failed.join(" and "));
    }
    Ok(())
}

/// What a validator said over its runs.
struct Verdict {
    name: &'static str,
    /// 0: it is not on the PATH.
    runs: u32,
    failed: u32,
}

impl Verdict {
    fn words(&self) -> String {
        match self.runs {
            0 => "not on the PATH, did not run".to_owned(),
            runs => format!("{} of {runs} runs without a fault", runs - self.failed),
        }
    }
}

fn validate(name: &'static str, runs: u32, command: impl Fn() -> Command) -> Result<Verdict> {
    if command::find_program(name).is_none() {
        return Ok(Verdict {
            name,
            runs: 0,
            failed: 0,
        });
    }
    let mut failed = 0;
    for run in 1..=runs {
        let mut command = command();
        // As a user's host loads it: with what lies in the bundle.
        command.env_remove("BETWIXT_RESOURCES");
        println!("\n== {name}, run {run} of {runs}\n$ {}", command::shown(&command));
        let status = command
            .status()
            .with_context(|| format!("{name} could not be started"))?;
        failed += u32::from(!status.success());
    }
    Ok(Verdict { name, runs, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_validator_is_told_and_not_counted_as_good() {
        let verdict = validate("no-validator-has-this-name", 3, || Command::new("false")).unwrap();
        assert_eq!(verdict.words(), "not on the PATH, did not run");
    }

    #[cfg(unix)]
    #[test]
    fn failing_runs_are_counted() {
        let verdict = validate("sh", 2, || {
            let mut command = Command::new("sh");
            command.args(["-c", "exit 1"]);
            command
        })
        .unwrap();
        assert_eq!((verdict.runs, verdict.failed), (2, 2));
    }
}
