//! `cargo xtask test`: everything that must hold before a change lands, in one go.
//!
//! A step that fails does not stop the others, so that one run tells all there is to mend. The closing line
//! sums what the test runners said; a step that runs no tests (format, lints) counts as one.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bundle::{self, Profile};
use crate::python_env::PythonEnv;
use crate::test_count::TestCount;
use crate::workspace::Workspace;
use crate::{command, disk_space, resources, soak, system_packages, table};

/// The task.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut run = Run::default();
    run.prepare("set up", || {
        disk_space::ensure(&workspace.target, FULL_TARGET_MEGABYTES)?;
        let packages = [
            system_packages::BUILD,
            system_packages::SCREEN,
            system_packages::TEST,
        ]
        .concat();
        system_packages::ensure(&packages)?;
        resources::fill(workspace)
    })?;

    run.step("format", workspace.cargo().args(["fmt", "--all", "--check"]));
    let mut clippy = workspace.cargo();
    clippy.args(["clippy", "--release", "--workspace", "--all-targets"]);
    run.step("lints", clippy.args(["--", "-D", "warnings"]));
    // The host tests load the bundle: it is made of this very source, or they do not run.
    run.prepare("bundle", || {
        bundle::build(workspace, Profile::Release, &bundle::PACKAGES)?;
        bundle::lay_out(workspace, Profile::Release)
    })?;
    let mut tests = workspace.cargo();
    tests.args(["test", "--release", "--workspace", "--no-fail-fast"]);
    run.step("Rust tests", tests.env(BUNDLE_VARIABLE, workspace.bundled()));
    run.step("interleavings (loom)", &mut interleavings(workspace));
    match soak::short(workspace) {
        Some(mut soak) => run.step(SOAK, &mut soak),
        None => run.leave_out(SOAK, "there is no such sanitizer here"),
    }
    for suite in PYTHON_SUITES {
        let folder = workspace.root.join(suite.folder);
        let lock = folder.join("requirements.lock");
        let set_up = format!("{}, set up", suite.name);
        let environment = run.prepare(&set_up, || PythonEnv::locked(workspace, suite.environment, &lock))?;
        let mut pytest = Command::new(environment.python());
        pytest.args(["-m", "pytest", "-p", "no:cacheprovider"]);
        pytest
            .current_dir(folder)
            .env(BUNDLE_VARIABLE, workspace.bundled());
        run.step(suite.name, &mut pytest);
    }
    run.close()
}

/// What cargo's folder holds after this task, with all builds and Python environments, and the largest download beside it.
const FULL_TARGET_MEGABYTES: u64 = 12_000;

/// The step that plays the real engine hard.
const SOAK: &str = "soak (RealtimeSanitizer)";

/// Tells the host tests which bundle to load.
const BUNDLE_VARIABLE: &str = "BETWIXT_BUNDLE";

/// The audio crate's lock-free places under loom, which tries every interleaving of their threads.
fn interleavings(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release", "--package", "betwixt-audio", "--lib", "loom"]);
    // Other flags, another folder: sharing one would rebuild everything on each change between the two.
    cargo
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", workspace.target.join("loom"));
    cargo
}

/// Tests in Python: a folder with its own pinned packages.
struct PythonSuite {
    name: &'static str,
    folder: &'static str,
    environment: &'static str,
}

const PYTHON_SUITES: [PythonSuite; 2] = [
    PythonSuite {
        name: "Python: training and export",
        folder: "models/training",
        environment: "training",
    },
    PythonSuite {
        name: "Python: hosts",
        folder: "tests/python",
        environment: "hosts",
    },
];

/// The steps so far.
#[derive(Default)]
struct Run {
    rows: Vec<Vec<String>>,
    total: TestCount,
}

impl Run {
    /// Something that the steps need: a failure ends the run.
    fn prepare<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let made = work()?;
        self.rows
            .push(vec![name.to_owned(), "ready".to_owned(), time(start.elapsed())]);
        Ok(made)
    }

    /// Runs a command, showing its output, and counts the tests it ran.
    fn step(&mut self, name: &str, command: &mut Command) {
        println!("\n== {name}\n$ {}", command::shown(command));
        let start = Instant::now();
        let count = count_tests(command).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            TestCount {
                failed: 1,
                ..TestCount::default()
            }
        });
        self.total += count;
        let outcome = format!("{} passed, {} failed", count.passed, count.failed);
        println!("== {name}: {outcome}, {}", time(start.elapsed()));
        self.rows
            .push(vec![name.to_owned(), outcome, time(start.elapsed())]);
    }

    /// Says why a step does not run here.
    fn leave_out(&mut self, name: &str, why: &str) {
        println!("\n== {name}: left out, {why}");
        self.total.skipped += 1;
        self.rows
            .push(vec![name.to_owned(), "left out".to_owned(), String::new()]);
    }

    fn close(self) -> Result<()> {
        let TestCount {
            passed,
            failed,
            skipped,
        } = self.total;
        println!("\n{}", table::render(&self.rows));
        let skipped = if skipped > 0 {
            format!(", {skipped} skipped")
        } else {
            String::new()
        };
        println!("{passed} passed, {failed} failed{skipped}");
        if failed > 0 {
            bail!("tests failed: the steps above say which");
        }
        Ok(())
    }
}

/// Runs a command to its end. A command without a test runner's closing line counts as one test; one that
/// fails counts as one failed test at least.
fn count_tests(command: &mut Command) -> Result<TestCount> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` could not be started", command::shown(command)))?;
    let output = child.stdout.take().context("the command has no output")?;
    let mut count: Option<TestCount> = None;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(found) = TestCount::from_line(&line) {
            *count.get_or_insert_default() += found;
        }
    }
    let succeeded = child.wait()?.success();
    Ok(match count {
        None => TestCount {
            passed: u64::from(succeeded),
            failed: u64::from(!succeeded),
            skipped: 0,
        },
        Some(counted) if succeeded || counted.failed > 0 => counted,
        Some(counted) => TestCount { failed: 1, ..counted },
    })
}

fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> TestCount {
        count_tests(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn a_step_without_tests_counts_as_one() {
        assert_eq!(
            shell("echo fine"),
            TestCount {
                passed: 1,
                failed: 0,
                skipped: 0
            }
        );
        assert_eq!(
            shell("exit 1"),
            TestCount {
                passed: 0,
                failed: 1,
                skipped: 0
            }
        );
    }

    #[test]
    fn closing_lines_are_summed() {
        let script =
            "echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured'; echo '3 passed in 0.10s'";
        assert_eq!(shell(script).passed, 5);
    }

    #[test]
    fn a_runner_that_dies_after_good_tests_has_failed() {
        let count = shell("echo '3 passed in 0.10s'; exit 2");
        assert_eq!(
            count,
            TestCount {
                passed: 3,
                failed: 1,
                skipped: 0
            }
        );
    }
}
