//! `cargo xtask bench`: how fast the shipped models render, and what the kernels cost.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bundle::{self, Profile};
use crate::platform::System;
use crate::workspace::Workspace;
use crate::{command, resources, shipped_model, system_packages, table};

/// Packages with criterion benches.
const BENCHED: [&str; 2] = ["betwixt-audio", "betwixt-engine"];

/// The task.
pub fn run(workspace: &Workspace) -> Result<()> {
    system_packages::ensure(system_packages::BUILD)?;
    resources::fill(workspace)?;
    bundle::build(workspace, Profile::Release, &["betwixt-cli"])?;
    let program = System::this()?.program(bundle::COMMAND_LINE);
    let betwixt = workspace.target.join(Profile::Release.name()).join(program);
    for model in shipped_model::folders(&workspace.resources.join("models"))? {
        command::run(Command::new(&betwixt).args(["model", "bench"]).arg(&model))?;
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
