//! The project's tasks, run as `cargo xtask TASK`.
//!
//! A task says what it does before it does it, sets up what it needs (system packages, ONNX
//! Runtime, Python environments), and where it can't, fails with one sentence that tells what to do.

mod arguments;
mod bench;
mod bench_nsynth;
mod bundle;
mod command;
mod demo;
mod demo_report;
mod disk_space;
mod folder;
mod import_nsynth;
mod info_plist;
mod install;
mod onnxruntime;
mod picture;
mod platform;
mod python_env;
mod resources;
mod sanitize;
mod shipped_model;
mod soak;
mod sounds;
mod spectrogram;
mod system_packages;
mod table;
mod test;
mod test_count;
mod train;
mod validate;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use arguments::Arguments;
use workspace::Workspace;

const HELP: &str = "\
Usage: cargo xtask TASK [OPTIONS]

Tasks:
  demo [--out DIR]      set up, build, bundle, play a phrase through the built plugin in a host;
                        leaves demo.wav and demo.png in DIR (here unless given) and prints a table
  test                  format, lints, unit, property, host and Python tests
  bundle [--dist]       build and lay out the plugins under target/bundled (--dist: optimised for
                        shipping, slow to link)
  install [--dist]      bundle, and copy the plugins to this user's plugin folders
  validate [--runs N]   clap-validator, pluginval and the VST3 validator over the bundles, those of
                        them that are on the PATH
  bench [--json FILE] [--seconds N] [--rounds N] [--only PART]
                        what the shipped models, the kernels and playing cost, beside libfluidsynth; all
                        figures and the machine go into FILE
  bench nsynth [--rounds N] [--json FILE]
                        Magenta's own generation of samples and ours in turn, on a random network of the
                        published size, beside what this machine allows
  soak [--minutes N] [--seed S] [--voices N] [--instances N] [--workers N]
                        everything at once for N minutes (5), under RealtimeSanitizer
  sanitize              the audio crate's tests under the address and thread sanitizers
  train [--quick]       make a model from nothing under target/training, and try it (--quick: a small
                        one in about 15 minutes of two cores; without it, hours)
  sounds                render the recordings and encode the factory sounds of presets/sounds again
  import-nsynth CKPT -o DIR [--ema] [--int8]
                        make a model folder of Magenta's NSynth checkpoint: wavenet-ckpt.tar, or a prefix
                        such as wavenet-ckpt/model.ckpt-200000 (--ema: its averaged weights; --int8: a
                        decoder in 8 bits)
  setup                 fill target/resources, so that `cargo test -p CRATE` and `cargo run` work

A system package that is missing is installed when this user may do so; otherwise the line to type is printed.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = Arguments::new(std::env::args().skip(1));
    let Some(task) = arguments.task() else {
        println!("{HELP}");
        return Ok(());
    };
    if arguments.flag("--help") || arguments.flag("-h") {
        println!("{HELP}");
        return Ok(());
    }
    let workspace = Workspace::find()?;
    match task.as_str() {
        "demo" => {
            let out = arguments.value("--out")?;
            arguments.finish()?;
            demo::run(&workspace, out.as_deref())
        }
        "test" => {
            arguments.finish()?;
            test::run(&workspace)
        }
        "bundle" => {
            let profile = bundle::Profile::from_flag(arguments.flag("--dist"));
            arguments.finish()?;
            bundle::run(&workspace, profile)
        }
        "install" => {
            let profile = bundle::Profile::from_flag(arguments.flag("--dist"));
            arguments.finish()?;
            install::run(&workspace, profile)
        }
        "validate" => {
            let runs = arguments.value("--runs")?;
            arguments.finish()?;
            validate::run(&workspace, runs.as_deref())
        }
        "bench" if arguments.second("nsynth") => {
            let rounds = arguments.value("--rounds")?;
            let options = bench_nsynth::Options {
                rounds: rounds
                    .map(|text| text.parse().context("`--rounds` is a count, such as 3"))
                    .transpose()?,
                json: arguments.value("--json")?.map(Into::into),
            };
            arguments.finish()?;
            bench_nsynth::run(&workspace, &options)
        }
        "bench" => {
            let options = bench::Options {
                json: arguments.value("--json")?,
                handed_on: handed_on(&mut arguments, &bench::HANDED_ON)?,
            };
            arguments.finish()?;
            bench::run(&workspace, &options)
        }
        "soak" => {
            let options = soak::Options {
                minutes: arguments.value("--minutes")?,
                handed_on: handed_on(&mut arguments, &soak::HANDED_ON)?,
            };
            arguments.finish()?;
            soak::run(&workspace, &options)
        }
        "sanitize" => {
            arguments.finish()?;
            sanitize::run(&workspace)
        }
        "train" => {
            let quick = arguments.flag("--quick");
            arguments.finish()?;
            train::run(&workspace, quick)
        }
        "import-nsynth" => {
            let out = match arguments.value("--out")? {
                Some(out) => Some(out),
                None => arguments.value("-o")?,
            };
            let options = import_nsynth::Options {
                out: out
                    .context("`import-nsynth` needs the model's folder: `-o DIR`")?
                    .into(),
                averaged: arguments.flag("--ema"),
                int8: arguments.flag("--int8"),
                checkpoint: arguments.word("CKPT, a checkpoint's archive or prefix")?.into(),
            };
            arguments.finish()?;
            import_nsynth::run(&workspace, &options)
        }
        "sounds" => {
            arguments.finish()?;
            sounds::run(&workspace)
        }
        "setup" => {
            arguments.finish()?;
            system_packages::ensure(system_packages::BUILD)?;
            resources::fill(&workspace)
        }
        other => bail!("there is no task `{other}`; `cargo xtask` alone lists the tasks"),
    }
}

/// Options that a task hands on to the program that it runs, with their values.
fn handed_on(arguments: &mut Arguments, names: &[&'static str]) -> Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    for name in names {
        if let Some(value) = arguments.value(name)? {
            found.push((*name, value));
        }
    }
    Ok(found)
}
