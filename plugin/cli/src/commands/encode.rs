//! `betwixt encode`: a recording of one note into a sound.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use betwixt_engine::encode::{Encoded, Label, Stage, encode_file};
use betwixt_engine::model::Model;
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;

use crate::progress;

/// Encodes a recording of one note into a sound.
#[derive(Debug, clap::Args)]
pub struct EncodeArgs {
    /// The recording: a WAV file of any rate, depth and number of channels.
    #[arg(value_name = "IN.wav")]
    input: PathBuf,
    /// Its pitch as a MIDI note number (60 is middle C, fractions are cents); found if not given.
    #[arg(long, value_name = "MIDI", allow_negative_numbers = true)]
    pitch: Option<f32>,
    /// Name of the sound, in place of the file's.
    #[arg(long)]
    name: Option<String>,
    /// Family of instruments, such as `flute`.
    #[arg(long, default_value = "")]
    family: String,
    /// A word to search by; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Licence of the recording.
    #[arg(long, default_value = "")]
    licence: String,
    /// Where the recording came from.
    #[arg(long, default_value = "")]
    source: String,
    /// Folder of the model, in place of the shipped one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The sound.
    #[arg(short, long, value_name = "OUT.sound")]
    output: PathBuf,
}

/// Encodes; leaves no file behind if `interrupted` becomes true.
///
/// # Errors
/// One sentence on what is wrong with which file.
pub fn run(args: &EncodeArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let spinner = progress::spinner();
    spinner.set_message("loading the model");
    let folder = match &args.model {
        Some(folder) => folder.clone(),
        None => Resources::find()?.model("spectral")?,
    };
    let model = Model::load(&folder, DeviceChoice::Cpu)?;
    let mut encoder = model.encoder()?;
    let file_name = || {
        args.input
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let label = Label {
        name: args.name.clone().or_else(file_name).unwrap_or_default(),
        family: args.family.clone(),
        tags: args.tags.clone(),
        licence: args.licence.clone(),
        source: args.source.clone(),
    };
    let mut stage = |stage| {
        spinner.set_message(match stage {
            Stage::Reading => "reading the recording",
            Stage::Pitch => "finding its pitch",
            Stage::Encoding => "encoding",
            Stage::Tuning => "putting it in tune",
        });
    };
    let encoded = encode_file(
        &mut encoder,
        &model.tag(),
        &args.input,
        args.pitch,
        label,
        &mut stage,
        interrupted,
    );
    spinner.finish_and_clear();
    let encoded = encoded.with_context(|| format!("{} was not written", args.output.display()))?;
    encoded.sound.write(&args.output)?;
    tell(args, &model, &encoded);
    Ok(())
}

fn tell(args: &EncodeArgs, model: &Model, encoded: &Encoded) {
    let sound = &encoded.sound;
    let manifest = model.manifest();
    let hop_seconds = manifest.embedding_hop_samples as f64 / f64::from(manifest.sample_rate_hz);
    println!(
        "{}: {} by model {}",
        args.output.display(),
        sound.name,
        sound.model
    );
    match encoded.detected {
        Some(found) => println!(
            "pitch     {:.2}, found with {:.0} % confidence",
            sound.pitch,
            100.0 * found.confidence
        ),
        None => println!("pitch     {:.2}, as given", sound.pitch),
    }
    println!(
        "length    {:.2} s, {} embedding frames",
        encoded.seconds,
        sound.embedding.frames()
    );
    if encoded.shortened {
        println!("          the end of the recording was cut");
    }
    if encoded.trimmed_seconds > 0.001 {
        println!(
            "          after {:.3} s of silence, which was cut",
            encoded.trimmed_seconds
        );
    }
    match sound.loop_region {
        Some(region) => println!(
            "sustain   {:.2} to {:.2} s",
            f64::from(region.start_frame) * hop_seconds,
            f64::from(region.end_frame) * hop_seconds
        ),
        None => println!("sustain   none: the sound ends by itself"),
    }
    println!("gain      {:+.1} dB", sound.gain_db);
    println!("channels  {}", encoded.channel);
}
