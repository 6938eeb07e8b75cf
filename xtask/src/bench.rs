//! `cargo xtask bench`: how fast the shipped models render, what playing costs beside libfluidsynth, and what the kernels
//! cost. All of it goes into one file, with the machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bundle::{self, Profile};
use crate::platform::System;
use crate::workspace::Workspace;
use crate::{command, resources, shipped_model, system_packages, table};

/// Packages with criterion benches.
const BENCHED: [&str; 2] = ["betwixt-audio", "betwixt-engine"];

/// The program that measures playing.
const PLAYING: &str = "bench-playing";

/// How to measure.
#[derive(Debug, Default)]
pub struct Options {
    /// Where all figures go.
    pub json: Option<String>,
    /// What [`PLAYING`] itself takes: option and value.
    pub handed_on: Vec<(&'static str, String)>,
}

/// Those options.
pub const HANDED_ON: [&str; 3] = ["--seconds", "--rounds", "--only"];

/// The task.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    system_packages::ensure(&[system_packages::BUILD, system_packages::BENCH].concat())?;
    resources::fill(workspace)?;
    bundle::build(workspace, Profile::Release, &bundle::PACKAGES)?;
    bundle::lay_out(workspace, Profile::Release)?;
    let playing = playing(workspace, options)?;
    // Asked for a part of playing, one does not want all else.
    if options.handed_on.iter().any(|(name, _)| *name == "--only") {
        return save(options, &json!({ "playing": playing }));
    }

    let program = System::this()?.program(bundle::COMMAND_LINE);
    let betwixt = workspace.target.join(Profile::Release.name()).join(program);
    let mut models = serde_json::Map::new();
    for model in shipped_model::folders(&workspace.resources.join("models"))? {
        let told = command::output(Command::new(&betwixt).args(["model", "bench"]).arg(&model))?;
        println!("\n{told}");
        let name = model
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        models.insert(name, told.lines().collect());
    }

    let start = SystemTime::now();
    let mut benches = workspace.cargo();
    benches.arg("bench");
    for package in BENCHED {
        benches.args(["--package", package]);
    }
    command::run(&mut benches)?;
    let mut rows = summaries(&workspace.target.join("criterion"), start)?;
    rows.sort();
    println!("\nBenches (mean of an iteration):\n{}", table::render(&rows));
    save(
        options,
        &json!({ "playing": playing, "models": models, "kernels": rows }),
    )
}

/// Runs the program that measures playing; what it found, and on which machine.
fn playing(workspace: &Workspace, options: &Options) -> Result<Value> {
    let mut build = workspace.cargo();
    build.args([
        "build",
        "--release",
        "--package",
        "betwixt-tests",
        "--bin",
        PLAYING,
        "--bin",
        "scan",
    ]);
    command::run(&mut build)?;
    let file = workspace.target.join("bench-playing.json");
    let program = System::this()?.program(PLAYING);
    let mut bench = Command::new(workspace.target.join(Profile::Release.name()).join(program));
    bench
        .env("BETWIXT_BUNDLE", workspace.bundled())
        .arg("--json")
        .arg(&file);
    for (name, value) in &options.handed_on {
        bench.args([name, value.as_str()]);
    }
    command::run(&mut bench)?;
    let text = fs::read_to_string(&file).with_context(|| format!("{} can't be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))
}

fn save(options: &Options, all: &Value) -> Result<()> {
    let Some(file) = &options.json else {
        return Ok(());
    };
    crate::folder::write_file(Path::new(file), format!("{all:#}\n").as_bytes())?;
    println!("\nAll figures: {file}");
    Ok(())
}

/// A row for each of criterion's results that is newer than `since`.
fn summaries(criterion: &Path, since: SystemTime) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let Ok(entries) = fs::read_dir(criterion) else {
        return Ok(rows);
    };
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("new").join("estimates.json");
        match estimates.metadata().and_then(|file| file.modified()) {
            Ok(time) if time >= since => rows.push(summary(&path)?),
            _ => rows.extend(summaries(&path, since)?),
        }
    }
    Ok(rows)
}

fn summary(bench: &Path) -> Result<Vec<String>> {
    let read = |file: &str| -> Result<Value> {
        let path = bench.join("new").join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
    };
    let (benchmark, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let name = benchmark
        .get("full_id")
        .and_then(Value::as_str)
        .context("criterion gave a bench no name")?;
    let mean_ns = estimates
        .pointer("/mean/point_estimate")
        .and_then(Value::as_f64)
        .with_context(|| format!("criterion gave {name} no mean"))?;
    let elements = benchmark
        .pointer("/throughput/Elements")
        .and_then(Value::as_u64)
        .filter(|&count| count > 0);
    let each = elements.map_or(String::new(), |count| {
        format!("{:.2} ns each", mean_ns / count as f64)
    });
    Ok(vec![name.to_owned(), duration(mean_ns), each])
}

fn duration(ns: f64) -> String {
    match ns {
        _ if ns < 1e3 => format!("{ns:.1} ns"),
        _ if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        _ if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_is_summed_up_in_a_row() {
        let home = tempfile::tempdir().unwrap();
        let new = home.path().join("voices").join("64").join("new");
        fs::create_dir_all(&new).unwrap();
        fs::write(
            new.join("benchmark.json"),
            r#"{"full_id": "voices/64", "throughput": {"Elements": 8192}}"#,
        )
        .unwrap();
        fs::write(
            new.join("estimates.json"),
            r#"{"mean": {"point_estimate": 98304.0}}"#,
        )
        .unwrap();
        let rows = summaries(home.path(), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(rows, [["voices/64", "98.30 us", "12.00 ns each"]]);
    }
}
