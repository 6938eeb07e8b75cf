//! `betwixt encode` of a multisample into one sound.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail, ensure};
use betwixt_engine::model::Model;
use betwixt_engine::multisample::{self, Collection, EncodedInstrument};
use betwixt_engine::runtime::provider::DeviceChoice;

use super::EncodeArgs;
use crate::{model_argument, progress, sound_text};

/// Encodes the one instrument of a mapping, an archive or a folder. What is left out of it is told on standard error, a line each.
///
/// # Errors
/// If it holds several instruments, cannot be read, or `interrupted` became true; nothing is written then.
pub fn run(args: &EncodeArgs, input: &Path, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let is_told = args.pitch.is_some() || args.unpitched || args.start.is_some() || args.length.is_some();
    ensure!(
        !is_told,
        "{}: is a multisample, which says itself where its notes are; --pitch, --unpitched, --start and --length are for recordings",
        input.display()
    );
    let Collection {
        mut instruments,
        skipped,
        ..
    } = multisample::open(input)?;
    let (Some(instrument), true) = (instruments.pop(), instruments.is_empty()) else {
        bail!(
            "{}: holds {} instruments; give a folder for their sounds in place of {}",
            input.display(),
            instruments.len() + 1,
            args.output.display()
        );
    };
    let spinner = progress::spinner();
    spinner.set_message("loading the model");
    let folder = model_argument::folder(args.model.as_deref())?;
    let model = Model::load(&folder, DeviceChoice::Cpu)?;
    let mut encoder = model.encoder()?;
    let mut told = |done, all| spinner.set_message(format!("encoding, {done} of {all} recordings"));
    let encoded = instrument.encode(&mut encoder, &model.tag(), &args.label(), &mut told, interrupted);
    spinner.finish_and_clear();
    let encoded = encoded.with_context(|| format!("{} was not written", args.output.display()))?;
    encoded.sound.write(&args.output)?;
    for left_out in skipped.iter().chain(&encoded.skipped) {
        eprintln!("remark: {left_out}");
    }
    tell(args, &model, &encoded);
    Ok(())
}

fn tell(args: &EncodeArgs, model: &Model, encoded: &EncodedInstrument) {
    let sound = &encoded.sound;
    println!("{}", sound_text::title(&args.output, sound));
    println!("from      {} recordings", encoded.recordings);
    println!("{}", sound_text::sustain(sound, model));
}
