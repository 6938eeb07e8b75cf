//! `betwixt encode` of several recordings, or of folders.

use std::sync::atomic::AtomicBool;

use anyhow::bail;
use betwixt_engine::import::{ImportJob, ImportOrder, ImportReport, ImportStage};

use super::EncodeArgs;
use crate::progress::{self, Step};

/// Encodes all of them. What makes no sound is told of on standard error, a line each.
///
/// # Errors
/// If none became a sound, or `interrupted` became true; what is finished stays.
pub fn run(args: &EncodeArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let job = ImportJob::start(ImportOrder {
        sources: args.inputs.clone(),
        output: args.output.clone(),
        hints: args.hints(),
        label: args.label(),
        model: args.model.clone(),
        threads: args.threads.map_or(cores, usize::from),
    })?;
    let look = || {
        let progress = job.progress();
        let to_go = progress::to_go(progress.seconds_left);
        (!progress.is_over).then(|| Step {
            done: progress.done,
            total: progress.total,
            stage: match progress.stage {
                ImportStage::Looking => "looking",
                ImportStage::Loading => "loading",
                ImportStage::Encoding => "encoding",
            },
            prefix: format!("{to_go}  {}", progress.current),
        })
    };
    progress::follow("looking", interrupted, look, || job.cancel());
    tell(args, &job.join()?)
}

fn tell(args: &EncodeArgs, report: &ImportReport) -> anyhow::Result<()> {
    let (output, sounds) = (args.output.display(), report.sounds.len());
    if report.was_cancelled {
        bail!(
            "called off; {sounds} finished sounds are kept in {output}, and the same command goes on from there"
        );
    }
    let failed = report.failures.len();
    match &report.failures[..] {
        [only] if sounds == 0 => bail!("{}", only.reason),
        failures => failures
            .iter()
            .for_each(|failure| eprintln!("skipped: {}", failure.reason)),
    }
    for remark in &report.remarks {
        eprintln!("remark: {}", remark.reason);
    }
    if sounds == 0 {
        bail!("none of {failed} recordings became a sound");
    }
    let there = report.sounds.iter().filter(|sound| sound.was_there).count();
    let unpitched = report.sounds.iter().filter(|sound| sound.is_unpitched).count();
    let noun = if sounds == 1 { "sound" } else { "sounds" };
    println!(
        "{output}: {sounds} {noun} in {:.1} s, {there} of which were there",
        report.wall_seconds
    );
    println!("without pitch  {unpitched}");
    println!("skipped        {failed}");
    Ok(())
}
