//! `soak`: the real engine and model under notes, blends, settings and patches that never stop changing, to be built with
//! RealtimeSanitizer, which ends the process at the first allocation, lock or system call inside `Instrument::process`.
//! `cargo xtask soak` builds it so and runs it for minutes or hours, `cargo xtask test` for seconds.
//!
//! Instances come and go over one engine, each with an audio thread at a sound card's pace, blocks of 16 to 1024 samples
//! and rates that change. The weather changes for all: fair, where no voice may run dry; gusts, which ask for more than
//! the machine renders; offline, where every sample is waited for; and rests in between, in which all that was struck
//! must end, once. Before, a second process shows that the sanitizer is awake: an allocation has to end it.
#![cfg_attr(rtsan, feature(sanitize))]

mod dice;
mod figures;
mod ledger;
mod memory;
mod player;
mod report;
mod stage;
mod unwatched;
mod violation;
mod weather;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use stage::Stage;
use weather::Weather;

/// Weathers in turn, and how long each lasts.
const SEASONS: [(Weather, Duration); 4] = [
    (Weather::Fair, Duration::from_millis(4000)),
    (Weather::Gust, Duration::from_millis(2000)),
    (Weather::Fair, Duration::from_millis(8000)),
    (Weather::Offline, Duration::from_millis(1000)),
];

/// Plays the real engine hard, and accounts for every note.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long; whole turns of all weathers are played.
    #[arg(long, default_value_t = 12.0)]
    seconds: f64,
    /// What all that is random follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Instances at a time.
    #[arg(long, default_value_t = 3)]
    instances: usize,
    /// Voices of all instances together in fair weather.
    #[arg(long, default_value_t = 12)]
    voices: usize,
    /// Only this weather, to look for what is wrong.
    #[arg(long, value_enum)]
    only: Option<Weather>,
    /// Render threads; as many as the plugin has unless given.
    #[arg(long)]
    workers: Option<usize>,
    /// Tell underruns in fair weather, but do not fail for them: for machines that are busy with other things.
    #[arg(long)]
    forgive_underruns: bool,
    /// Allocate in the note end callback, which `Instrument::process` calls: the sanitizer must end this process.
    #[arg(long)]
    violate: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if cfg!(rtsan) && !arguments.violate {
        violation::show_that_one_is_caught()?;
    }
    let length = Duration::from_secs_f64(arguments.seconds);
    println!(
        "seed {}, {} instances, {} voices in fair weather",
        arguments.seed, arguments.instances, arguments.voices
    );
    let mut stage = Stage::open(&arguments)?;
    while stage.age() < length {
        for (weather, lasts) in SEASONS {
            if arguments.only.is_some_and(|only| only != weather) {
                continue;
            }
            stage.play(weather, lasts)?;
        }
    }
    let report = stage.close()?;
    println!("{report}");
    report.judge(arguments.forgive_underruns, arguments.only.is_none())
}
