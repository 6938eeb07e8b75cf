//! `betwixt pack`: a preset rendered into samples that any sampler opens, at once or in shards on many machines.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use betwixt_engine::library::Library;
use betwixt_engine::pack::job::PackStage;
use betwixt_engine::pack::merge::merge;
use betwixt_engine::pack::options::{Blends, BlendsAs, Depth, Keys, PackFormat, PackOptions, Shard};
use betwixt_engine::pack::{PackJob, PackOrder, PackReport};

use crate::progress::{Step, to_go};
use crate::{preset_argument, progress};

/// Renders a preset as a sample pack, or puts shards of one together.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["preset", "merge"]))]
pub struct PackArgs {
    /// The preset: a `.toml` file, or the name of a factory or user preset.
    #[arg(long, value_name = "FILE", requires = "format")]
    preset: Option<PathBuf>,
    /// The form of the pack: sfz, decentsampler, multisample (Bitwig), nsynth (the dataset's), wav (samples alone).
    #[arg(long)]
    format: Option<PackFormat>,
    /// Keys that are rendered; those between play the nearest. MIDI note numbers, 60 is middle C.
    #[arg(long, value_name = "LOWEST:HIGHEST:STEP", default_value = "36:96:3")]
    keys: Keys,
    /// MIDI velocities that are rendered.
    #[arg(long, value_name = "40,80,120", value_delimiter = ',', default_value = "127")]
    velocities: Vec<u8>,
    /// Places on the pad: `5x5` a grid, `path` from A over B and C to D, `path:9` with so many places, `preset` its own.
    #[arg(long, value_name = "5x5|path", default_value = "preset")]
    blends: Blends,
    /// What several blends become: presets (an instrument each), round-robins or velocities (of one instrument).
    #[arg(long, default_value = "presets")]
    blends_as: BlendsAs,
    /// Length of a sample; its key is held for three quarters of it. A sound that ends sooner makes a shorter sample.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Sample rate in Hz; 48000 if not given, 16000 in NSynth's form.
    #[arg(long, value_name = "HZ")]
    rate: Option<u32>,
    /// Depth of a sample: 16 (with dither), 24 or 32f; 24 if not given, 16 in NSynth's form.
    #[arg(long)]
    depth: Option<Depth>,
    /// Takes of each note, which differ by chance alone, played in turn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    round_robins: usize,
    /// Renders the I-th of N equal shares of the pack, for --merge.
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// Puts shards together: their folders, all of them, in any order.
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = [
        "format", "keys", "velocities", "blends", "blends_as", "seconds", "rate", "depth", "round_robins", "shard",
        "threads", "model",
    ])]
    merge: Vec<PathBuf>,
    /// Threads that render; one a core if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Folder of the model, in place of the shipped one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The folder that the pack becomes. While it is made it is called DIR.partial; a command that was stopped goes on there.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Renders or merges; what is finished is kept if `interrupted` becomes true.
///
/// # Errors
/// One sentence on what is wrong with which file or option.
pub fn run(args: &PackArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let report = match (&args.preset, args.format) {
        (Some(preset), Some(format)) => render(args, preset, format, interrupted)?,
        _ => join(args, interrupted)?,
    };
    let (folder, samples) = (report.folder.display(), report.samples);
    if report.resumed == samples {
        println!("{folder}: {samples} samples, all of which were there");
    } else if report.resumed > 0 {
        println!(
            "{folder}: {samples} samples, {} of which were there",
            report.resumed
        );
    } else {
        println!("{folder}: {samples} samples in {:.1} s", report.wall_seconds);
    }
    Ok(())
}

fn render(
    args: &PackArgs,
    preset: &Path,
    format: PackFormat,
    interrupted: &AtomicBool,
) -> anyhow::Result<PackReport> {
    let usual = PackOptions::of(format);
    let options = PackOptions {
        format,
        keys: args.keys,
        velocities: args.velocities.clone(),
        blends: args.blends,
        blends_as: args.blends_as,
        seconds: args.seconds,
        rate_hz: args.rate.unwrap_or(usual.rate_hz),
        depth: args.depth.unwrap_or(usual.depth),
        round_robins: args.round_robins,
    };
    options.check()?;
    let library = Library::find();
    let preset = preset_argument::read(preset, &library)?;
    let patch = library
        .patch(&preset.corners)
        .with_context(|| format!("preset \"{}\"", preset.name))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let job = PackJob::start(PackOrder {
        preset,
        patch,
        options,
        shard: args.shard,
        output: args.output.clone(),
        model: args.model.clone(),
        threads: args.threads.map_or(cores, usize::from),
    })?;
    let look = || {
        let progress = job.progress();
        (!progress.is_over).then(|| Step {
            done: progress.finished,
            total: progress.total,
            stage: match progress.stage {
                PackStage::Loading => "loading",
                PackStage::Rendering => "rendering",
                PackStage::Finishing => "finishing",
            },
            prefix: to_go(progress.seconds_left),
        })
    };
    progress::follow("loading", interrupted, look, || job.cancel());
    Ok(job.join()?)
}

fn join(args: &PackArgs, interrupted: &AtomicBool) -> anyhow::Result<PackReport> {
    if args.merge.is_empty() {
        bail!("--merge names no folder; expected those of all shards");
    }
    let bar = progress::bar_to_go(0, "merging");
    let report = merge(&args.merge, &args.output, |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        !interrupted.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    Ok(report?)
}
