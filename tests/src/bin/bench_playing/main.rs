//! `bench-playing`: the figures of playing, on this machine. `cargo xtask bench` runs it with all else that it measures.
//!
//! Figures are not tests: nothing here fails because a machine is slow or busy.

mod clock;
mod figure;
mod fluidsynth;
mod housekeeping;
mod latency;
mod live;
mod machine;
mod streams;
mod voice_cost;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde_json::json;

use figure::Figure;

/// Measures what playing costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long the goals' numbers of moving voices are played.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How many blend jumps and cold notes.
    #[arg(long, default_value_t = 12)]
    rounds: u32,
    /// Do not look for the most voices.
    #[arg(long)]
    no_search: bool,
    /// Some parts only.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Where the figures go, with the machine.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A part of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Opening the built plugin.
    Opening,
    /// Processor time a voice and sample.
    Voices,
    /// Voices that follow a moving blend.
    Streams,
    /// A blend jump.
    Jump,
    /// A cold note.
    Cold,
    /// Memory of a cached second.
    Memory,
    /// Idle instances.
    Idle,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let machine = machine::describe();
    println!("{machine:#}");
    let mut figures: Vec<Figure> = Vec::new();
    for part in Part::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(part) {
            continue;
        }
        let found = match part {
            Part::Opening => housekeeping::opening(),
            Part::Voices => voice_cost::measure(),
            Part::Streams => streams::measure(arguments.seconds, !arguments.no_search),
            Part::Jump => latency::blend_jump(arguments.rounds),
            Part::Cold => latency::cold_note(arguments.rounds),
            Part::Memory => housekeeping::memory(),
            Part::Idle => housekeeping::idling(5.0),
        }
        .with_context(|| format!("measuring {part:?}"))?;
        found.iter().for_each(|figure| println!("{}", figure.row()));
        figures.extend(found);
    }
    let load_after = machine::load_average();
    println!(
        "load average at the end: {}",
        load_after.map_or("unknown".into(), |load| load.to_string())
    );
    if let Some(file) = &arguments.json {
        let figures: Vec<_> = figures.iter().map(Figure::json).collect();
        let all = json!({ "machine": machine, "load_average_after": load_after, "figures": figures });
        std::fs::write(file, format!("{all:#}\n")).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}
