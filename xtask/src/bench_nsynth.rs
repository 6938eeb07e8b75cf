//! `cargo xtask bench nsynth`: Magenta's fastgen and ours in turn, on one random network of the published widths, beside what
//! this machine's memory and cores allow.
//!
//! Ours is measured through the decoder that the plugin plays with (`betwixt model bench`), theirs by calling the function
//! that Magenta's `synthesize` repeats for every sample. Of each, the best round counts: other programs only add to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bundle::{self, Profile};
use crate::import_nsynth;
use crate::platform::System;
use crate::python_env::PythonEnv;
use crate::workspace::Workspace;
use crate::{command, folder, resources, table};

/// Notes in lockstep.
const BATCHES: [u64; 2] = [8, 32];
/// How often each is measured, in turn, unless told otherwise.
const ROUNDS: usize = 3;
/// Steps of a round of fastgen, after its warm-up.
const FASTGEN_STEPS: &str = "100";
/// Chunks of a round of ours: 512 steps.
const CHUNKS: &str = "1";

/// One of our decoders, and how much faster than fastgen it is to be at each batch.
struct Ours {
    name: &'static str,
    is_int8: bool,
    goals: [f64; 2],
}

const OURS: [Ours; 2] = [
    Ours {
        name: "float32",
        is_int8: false,
        goals: [5.0, 3.0],
    },
    Ours {
        name: "8 bits",
        is_int8: true,
        goals: [15.0, 10.0],
    },
];

/// How to measure.
#[derive(Debug, Default)]
pub struct Options {
    /// Rounds.
    pub rounds: Option<usize>,
    /// Where all figures go.
    pub json: Option<PathBuf>,
}

/// What a machine allows a step decoder, as `betwixt_training step-limits` tells.
#[derive(Debug, Clone, Copy)]
struct Limits {
    memory_gb_s: f64,
    products_g_s: f64,
    weight_bytes: f64,
    macs: f64,
}

impl Limits {
    fn read(figures: &Value, is_int8: bool) -> Result<Self> {
        let field = |name: &str| {
            figures
                .get(name)
                .and_then(Value::as_f64)
                .with_context(|| format!("the limits have no `{name}`"))
        };
        Ok(Self {
            memory_gb_s: field("read_gb_s")?,
            products_g_s: field(if is_int8 { "int8_gmac_s" } else { "float_gmac_s" })?,
            weight_bytes: field("weight_bytes")?,
            macs: field("macs")?,
        })
    }

    /// What reading the weights once takes.
    fn memory_ms(self) -> f64 {
        self.weight_bytes / self.memory_gb_s / 1e6
    }

    /// What the products of so many notes take.
    fn products_ms(self, notes: u64) -> f64 {
        self.macs * notes as f64 / self.products_g_s / 1e6
    }
}

/// The task.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    resources::fill(workspace)?;
    bundle::build(workspace, Profile::Release, &bundle::PACKAGES[1..])?;
    let package = workspace.root.join("models").join("training");
    let magenta = PythonEnv::locked(workspace, "magenta", &package.join("requirements-magenta.lock"))?;
    let ours = PythonEnv::locked(workspace, "nsynth", &package.join("requirements-nsynth.lock"))?;
    let place = workspace.target.join("bench-nsynth");
    fs::create_dir_all(&place).with_context(|| format!("{} can't be made", place.display()))?;
    let checkpoint = place.join("random.ckpt");

    let training = |environment: &PythonEnv, task: &str| {
        let mut python = Command::new(environment.python());
        python
            .args(["-m", "betwixt_training", task])
            .current_dir(&package);
        python
    };
    let fastgen = |batch: u64| -> Result<f64> {
        let file = place.join("fastgen.json");
        let mut bench = training(&magenta, "fastgen-bench");
        bench.arg("--checkpoint").arg(&checkpoint);
        bench.args(["--steps", FASTGEN_STEPS, "--batch", &batch.to_string()]);
        command::output(bench.arg("--json").arg(&file))?;
        step_ms(&file)
    };
    // The first makes the checkpoint, and is not counted.
    fastgen(BATCHES[0])?;
    let mut models = Vec::new();
    for decoder in &OURS {
        let model = place.join(if decoder.is_int8 { "eight_bit" } else { "float" });
        import_nsynth::run(
            workspace,
            &import_nsynth::Options {
                checkpoint: checkpoint.clone(),
                out: model.clone(),
                averaged: false,
                int8: decoder.is_int8,
            },
        )?;
        models.push(model);
    }
    let program = System::this()?.program(bundle::COMMAND_LINE);
    let betwixt = workspace.target.join(Profile::Release.name()).join(program);
    let step = |model: &Path, batch: u64| -> Result<f64> {
        let file = place.join("step.json");
        let mut bench = Command::new(&betwixt);
        bench.args(["model", "bench"]).arg(model);
        bench.args(["--chunks", CHUNKS, "--batch", &batch.to_string()]);
        command::output(bench.arg("--json").arg(&file))?;
        step_ms(&file)
    };

    let rounds = options.rounds.unwrap_or(ROUNDS);
    let mut theirs_ms = vec![Vec::new(); BATCHES.len()];
    let mut ours_ms = vec![vec![Vec::new(); BATCHES.len()]; OURS.len()];
    for round in 1..=rounds {
        for (place, &batch) in BATCHES.iter().enumerate() {
            theirs_ms[place].push(fastgen(batch)?);
            print!(
                "round {round} of {rounds}, batch {batch}: fastgen {:.2} ms",
                last(&theirs_ms[place])
            );
            for ((decoder, model), times) in OURS.iter().zip(&models).zip(&mut ours_ms) {
                times[place].push(step(model, batch)?);
                print!(", {} {:.2} ms", decoder.name, last(&times[place]));
            }
            println!(" a step");
        }
    }

    let limits = models.iter().zip(&OURS).map(|(model, decoder)| {
        let file = place.join("limits.json");
        let mut told = training(&ours, "step-limits");
        command::output(told.arg(model).arg("--json").arg(&file))?;
        Limits::read(&read_json(&file)?, decoder.is_int8)
    });
    let limits = limits.collect::<Result<Vec<_>>>()?;

    let mut rows = vec![
        [
            "",
            "batch",
            "ms a step",
            "us a sample and note",
            "times fastgen",
            "goal",
            "memory alone, ms",
            "products alone, ms",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (place, &batch) in BATCHES.iter().enumerate() {
        let theirs = best(&theirs_ms[place]);
        rows.push(row(
            "fastgen",
            batch,
            theirs,
            [String::new(), String::new()],
            None,
        ));
        for ((decoder, limits), times) in OURS.iter().zip(&limits).zip(&ours_ms) {
            let (found, goal) = (best(&times[place]), decoder.goals[place]);
            let times_faster = theirs / found;
            let verdict = if times_faster >= goal { "reached" } else { "missed" };
            let ratio = [format!("{times_faster:.1}"), format!("{goal:.0}, {verdict}")];
            rows.push(row(decoder.name, batch, found, ratio, Some(*limits)));
        }
    }
    println!("\nBest of {rounds} rounds in turn:\n{}", table::render(&rows));
    if let Some(file) = &options.json {
        let all = json!({ "batches": BATCHES, "fastgen_ms": theirs_ms, "ours_ms": ours_ms, "table": rows });
        folder::write_file(file, format!("{all:#}\n").as_bytes())?;
        println!("All figures: {}", file.display());
    }
    Ok(())
}

fn row(name: &str, notes: u64, step_ms: f64, ratio: [String; 2], limits: Option<Limits>) -> Vec<String> {
    let [ratio, goal] = ratio;
    let limit = |ms: fn(Limits, u64) -> f64| limits.map_or(String::new(), |l| format!("{:.2}", ms(l, notes)));
    vec![
        name.into(),
        notes.to_string(),
        format!("{step_ms:.2}"),
        format!("{:.1}", 1e3 * step_ms / notes as f64),
        ratio,
        goal,
        limit(|limits, _| limits.memory_ms()),
        limit(Limits::products_ms),
    ]
}

fn read_json(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))
}

/// The mean of a step in a file of rows, of which the first counts.
fn step_ms(file: &Path) -> Result<f64> {
    read_json(file)?
        .pointer("/0/milliseconds_per_step")
        .and_then(Value::as_f64)
        .with_context(|| format!("{} tells of no `milliseconds_per_step`", file.display()))
}

fn best(times_ms: &[f64]) -> f64 {
    times_ms.iter().copied().fold(f64::INFINITY, f64::min)
}

fn last(times_ms: &[f64]) -> f64 {
    times_ms.last().copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bytes_over_bandwidth_and_products_over_rate() {
        let figures = json!({
            "read_gb_s": 20.0, "float_gmac_s": 100.0, "int8_gmac_s": 400.0, "weight_bytes": 140e6, "macs": 60e6,
        });
        let float = Limits::read(&figures, false).unwrap();
        assert!((float.memory_ms() - 7.0).abs() < 1e-9);
        assert!((float.products_ms(8) - 4.8).abs() < 1e-9);
        let eight_bit = Limits::read(&figures, true).unwrap();
        assert!((eight_bit.products_ms(8) - 1.2).abs() < 1e-9);
        assert!(Limits::read(&json!({}), true).is_err());
    }

    #[test]
    fn the_best_round_counts() {
        assert_eq!(best(&[3.0, 2.0, 4.0]), 2.0);
    }
}
