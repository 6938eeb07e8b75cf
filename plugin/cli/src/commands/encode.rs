//! `betwixt encode`: a recording of one note or a multisample into a sound, or many of them into a folder of sounds.

mod instrument;
mod many;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use betwixt_engine::encode::{Encoded, Hints, Label, NoteEnd, PitchHint, Stage, encode_file};
use betwixt_engine::model::Model;
use betwixt_engine::multisample;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::SOUND_EXTENSION;

use crate::{model_argument, progress, sound_text};

/// Encodes recordings into sounds: one note each, the first in the recording unless --start says otherwise.
#[derive(Debug, clap::Args)]
pub struct EncodeArgs {
    /// Recordings, and folders of them: WAV, AIFF, FLAC, MP3 or OGG Vorbis of any rate, depth and number of channels.
    /// Multisamples: SFZ, DecentSampler, Bitwig's, and folders of files that are named with their notes.
    #[arg(value_name = "RECORDING|FOLDER", required = true)]
    inputs: Vec<PathBuf>,
    /// Its pitch as a MIDI note number (60 is middle C, fractions are cents); found if not given.
    #[arg(long, value_name = "MIDI", allow_negative_numbers = true)]
    pitch: Option<f32>,
    /// It has no pitch: the keys play it faster and slower. Found if not given.
    #[arg(long, conflicts_with = "pitch")]
    unpitched: bool,
    /// Where the note begins in the recording; found if not given.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    start: Option<f64>,
    /// How long the note is; up to the next note, or the silence after it, if not given.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    length: Option<f64>,
    /// Name of the sound, in place of the file's; for one recording.
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
    /// The sound; of several recordings or a folder that is no multisample, the folder of the sounds: a file that is there already is not written over.
    #[arg(short, long, value_name = "OUT.sound|DIR")]
    output: PathBuf,
    /// Threads that encode, of several recordings; one a core if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

impl EncodeArgs {
    fn hints(&self) -> Hints {
        let pitch = match self.pitch {
            Some(pitch) => PitchHint::Midi(pitch),
            None if self.unpitched => PitchHint::Unpitched,
            None => PitchHint::Find,
        };
        Hints {
            pitch,
            start_seconds: self.start,
            length_seconds: self.length,
        }
    }

    fn label(&self) -> Label {
        Label {
            name: self.name.clone().unwrap_or_default(),
            family: self.family.clone(),
            tags: self.tags.clone(),
            licence: self.licence.clone(),
            source: self.source.clone(),
        }
    }
}

/// Encodes; if `interrupted` becomes true no half of a file is left behind, and what is finished stays.
///
/// # Errors
/// One sentence on what is wrong with which file.
pub fn run(args: &EncodeArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let [input] = &args.inputs[..] else {
        return many::run(args, interrupted);
    };
    let is_multisample = multisample::recognise(input).is_some();
    let is_folder = args.output.is_dir() || args.output.extension().is_none_or(|it| it != SOUND_EXTENSION);
    match (is_multisample, is_folder) {
        (true, false) => instrument::run(args, input, interrupted),
        (false, _) if !input.is_dir() && !args.output.is_dir() => one(args, input, interrupted),
        _ => many::run(args, interrupted),
    }
}

fn one(args: &EncodeArgs, input: &Path, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let spinner = progress::spinner();
    spinner.set_message("loading the model");
    let folder = model_argument::folder(args.model.as_deref())?;
    let model = Model::load(&folder, DeviceChoice::Cpu)?;
    let mut encoder = model.encoder()?;
    let mut label = args.label();
    if label.name.is_empty() {
        label.name = input
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
    }
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
        input,
        args.hints(),
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
    println!("{}", sound_text::title(&args.output, sound));
    match encoded.detected {
        Some(found) if encoded.is_unpitched => println!(
            "pitch     none: the keys play it faster and slower (the best guess was {:.1}, with {:.0} % confidence)",
            found.midi,
            100.0 * found.confidence
        ),
        _ if encoded.is_unpitched => println!("pitch     none: the keys play it faster and slower"),
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
    match encoded.end {
        NoteEnd::Silence => {}
        NoteEnd::NextNote => println!("          up to the next note in the recording"),
        NoteEnd::Limit => println!("          the end of the recording was cut"),
        NoteEnd::Given => println!("          as given"),
    }
    if encoded.trimmed_seconds > 0.001 {
        println!("          from {:.3} s of the recording", encoded.trimmed_seconds);
    }
    println!("{}", sound_text::sustain(sound, model));
    println!("gain      {:+.1} dB", sound.gain_db);
    println!("channels  {}", encoded.channel);
}
