//! `betwixt bounce`: a MIDI file played by a preset into a WAV file, by the plugin's own engine and voices.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow, bail};
use betwixt_engine::automation_curve::AutomationCurve;
use betwixt_engine::bounce::{Bounce, BounceReport, Score};
use betwixt_engine::engine::{Engine, EngineOptions};
use betwixt_engine::library::Library;
use betwixt_engine::midi_file::MidiFile;
use betwixt_engine::parameter::{Parameter, ParameterKind};
use betwixt_engine::wav::WavFile;

use crate::{preset_argument, progress};

/// Plays a MIDI file through a preset into a WAV file.
#[derive(Debug, clap::Args)]
#[command(after_help = automation_help())]
pub struct BounceArgs {
    /// The preset: a `.toml` file, or the name of a factory or user preset.
    #[arg(long, value_name = "FILE")]
    preset: PathBuf,
    /// The notes: a Standard MIDI File.
    #[arg(long, value_name = "FILE.mid")]
    midi: PathBuf,
    /// Moves a parameter along a curve; may be given several times. A line of the file is `seconds,value`.
    #[arg(long, value_name = "NAME=CURVE.csv", value_parser = parse_automation)]
    automate: Vec<(Parameter, PathBuf)>,
    /// Sample rate of the WAV file, in Hz.
    #[arg(long, value_name = "HZ", default_value_t = 48_000)]
    rate: u32,
    /// Samples that are played at a time. It changes nothing of what is heard.
    #[arg(long, value_name = "SAMPLES", default_value_t = 256)]
    block: usize,
    /// Folder of the model, in place of the shipped one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The WAV file: stereo, 32-bit float.
    #[arg(short, long, value_name = "OUT.wav")]
    output: PathBuf,
}

/// Bounces; leaves no file behind if `interrupted` becomes true.
///
/// # Errors
/// One sentence on what is wrong with which file.
pub fn run(args: &BounceArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let library = Library::find();
    let preset = preset_argument::read(&args.preset, &library)?;
    let patch = library
        .patch(&preset.corners)
        .with_context(|| format!("preset \"{}\"", preset.name))?;
    let midi = MidiFile::read(&args.midi).with_context(|| args.midi.display().to_string())?;
    let automation = args.automate.iter().map(|(parameter, file)| {
        let curve = AutomationCurve::read(file).with_context(|| file.display().to_string())?;
        check_range(*parameter, &curve).with_context(|| file.display().to_string())?;
        Ok((*parameter, curve))
    });
    let score = Score {
        midi,
        settings: preset.settings(),
        automation: automation.collect::<anyhow::Result<_>>()?,
    };
    let mut wav = WavFile::create(&args.output, args.rate, 2)?;

    let engine = Engine::new(EngineOptions {
        model: args.model.clone(),
        ..EngineOptions::default()
    });
    let mut bounce = Bounce::new(&engine, patch, score, args.rate, args.block)?;
    let bar = progress::bar(1000, "bouncing");
    let mut interleaved = Vec::with_capacity(2 * args.block);
    while let Some((left, right)) = bounce.next_block() {
        interleaved.clear();
        interleaved.extend(left.iter().zip(right).flat_map(|(left, right)| [*left, *right]));
        wav.write(&interleaved)?;
        bar.set_position((bounce.progress() * 1000.0) as u64);
        if interrupted.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            bail!("interrupted: {} was not written", args.output.display());
        }
    }
    bar.finish_and_clear();
    let report = bounce.report();
    if report.notes_refused > 0 {
        let why = bounce.refused_because().unwrap_or("no reason was given");
        bail!(
            "{} notes could not be rendered ({why}), so {} was not written",
            report.notes_refused,
            args.output.display()
        );
    }
    wav.finish()?;
    tell(args, &report);
    Ok(())
}

fn check_range(parameter: Parameter, curve: &AutomationCurve) -> anyhow::Result<()> {
    let ((lowest, highest), (low, high)) = (curve.range(), parameter.range());
    if lowest < low || highest > high {
        bail!(
            "{} goes from {lowest} to {highest}; expected values from {low} to {high}",
            parameter.name()
        );
    }
    Ok(())
}

fn parse_automation(text: &str) -> Result<(Parameter, PathBuf), anyhow::Error> {
    let (name, file) = text
        .split_once('=')
        .ok_or_else(|| anyhow!("expected NAME=CURVE.csv"))?;
    let parameter = Parameter::from_name(name);
    let parameter =
        parameter.ok_or_else(|| anyhow!("`{name}` is unknown; expected one of {}", Parameter::names()))?;
    Ok((parameter, PathBuf::from(file)))
}

fn automation_help() -> String {
    let lines = Parameter::ALL.map(|parameter| {
        let (low, high) = parameter.range();
        let values = match parameter.kind() {
            ParameterKind::Continuous => format!("{low} to {high}"),
            ParameterKind::Switch => "0 off, 1 on".to_owned(),
            ParameterKind::Choice(labels) => {
                let labels: Vec<String> = labels
                    .iter()
                    .enumerate()
                    .map(|(i, label)| format!("{i} {label}"))
                    .collect();
                labels.join(", ")
            }
        };
        format!("  {:<22}{values}", parameter.name())
    });
    format!("Parameters that can be automated:\n{}", lines.join("\n"))
}

fn tell(args: &BounceArgs, report: &BounceReport) {
    println!(
        "{}: {:.2} s at {} Hz",
        args.output.display(),
        report.seconds,
        args.rate
    );
    println!("notes played     {}", report.notes_played);
    println!("notes rendered   {}", report.notes_rendered);
    println!("x real time      {:.1}", report.realtime_factor());
    println!("underruns        {}", report.underruns);
    if report.degraded > 0 {
        println!(
            "degraded         {} times the blend was followed more coarsely",
            report.degraded
        );
    }
    println!(
        "peak             {:.1} dBFS",
        20.0 * report.peak.max(1e-9).log10()
    );
}
