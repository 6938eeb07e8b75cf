//! The command `betwixt`: encoding, blending, rendering, bouncing, packs, the library and looking at models without a host.
//!
//! A file for each command under [`commands`]; all work is the engine's. Bad input ends with exit code 2 and one
//! sentence on standard error; Ctrl-C ends with 130 and leaves no half-written file (`pack` keeps
//! what is finished, beside its target).

mod commands {
    pub mod blend;
    pub mod bounce;
    pub mod encode;
    pub mod library;
    pub mod model;
    pub mod pack;
    pub mod render;
}
mod model_argument;
mod preset_argument;
mod progress;
mod sound_text;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::Parser;

/// What was given makes no sense, or what it names cannot be used.
const BAD_INPUT: u8 = 2;
/// Stopped by Ctrl-C: 128 and the signal's number, as shells have it.
const INTERRUPTED: u8 = 130;

/// Plays the sounds that lie between sounds.
#[derive(Debug, Parser)]
#[command(name = "betwixt", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Encode(commands::encode::EncodeArgs),
    Blend(commands::blend::BlendArgs),
    Render(commands::render::RenderArgs),
    Bounce(commands::bounce::BounceArgs),
    Pack(commands::pack::PackArgs),
    Library(commands::library::LibraryArgs),
    Model(commands::model::ModelArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && !is_help(&error) => {
            eprintln!("{}", one_sentence(&error.to_string()));
            return ExitCode::from(BAD_INPUT);
        }
        Err(error) => error.exit(),
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    match run(&cli.command, &interrupted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", told(&error));
            ExitCode::from(if interrupted.load(Ordering::Relaxed) {
                INTERRUPTED
            } else {
                BAD_INPUT
            })
        }
    }
}

fn run(command: &Command, interrupted: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let flag = Arc::clone(interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")?;
    match command {
        Command::Encode(args) => commands::encode::run(args, interrupted),
        Command::Blend(args) => commands::blend::run(args, interrupted),
        Command::Render(args) => commands::render::run(args, interrupted),
        Command::Bounce(args) => commands::bounce::run(args, interrupted),
        Command::Pack(args) => commands::pack::run(args, interrupted),
        Command::Library(args) => commands::library::run(args, interrupted),
        Command::Model(args) => commands::model::run(args, interrupted),
    }
}

/// Whether an error of the command line is the help that a bare command gets.
fn is_help(error: &clap::Error) -> bool {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    matches!(
        error.kind(),
        DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand
    )
}

/// The first paragraph of the parser's message, on one line: usage and hints are for `--help`.
fn one_sentence(message: &str) -> String {
    let lines = message.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// An error and its causes in one sentence. Many messages already hold their cause's.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |told, cause| {
            if told.is_empty() {
                cause
            } else if told.contains(&cause) {
                told
            } else {
                format!("{told}: {cause}")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let error = anyhow::anyhow!("inner").context("a: inner").context("outer");
        assert_eq!(told(&error), "outer: a: inner");
    }
}
