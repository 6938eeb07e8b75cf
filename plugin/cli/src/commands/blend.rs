//! `betwixt blend`: an expression over sounds into a sound.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use betwixt_engine::arithmetic::{self, Expression, Names};
use betwixt_engine::library::Library;
use betwixt_engine::model::Model;
use betwixt_engine::runtime::provider::DeviceChoice;

use crate::{model_argument, progress, sound_text};

/// Makes a sound of others: 'A - 0.5*B + C'.
///
/// Names are those of sounds in the library, files bound by --let, or paths in quotes. Besides + - * / and parentheses there are
/// mean(A, B, ...), attack(A, body=B, at_ms=60, crossfade_ms=60), reverse(A), and swap(A, B, 2, 5..7, level, pitch), which is A
/// with those dimensions of B.
#[derive(Debug, clap::Args)]
pub struct BlendArgs {
    /// What to make.
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    expression: String,
    /// A name for a sound's file; may be given several times.
    #[arg(long = "let", value_name = "NAME=FILE.sound")]
    lets: Vec<String>,
    /// Name of the sound, in place of the file's.
    #[arg(long)]
    name: Option<String>,
    /// Family of instruments, in place of the one that its sounds share.
    #[arg(long)]
    family: Option<String>,
    /// A word to search by, beside those that its sounds share; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Who made it.
    #[arg(long)]
    author: Option<String>,
    /// Folder of the model, in place of the shipped one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The sound.
    #[arg(short, long, value_name = "OUT.sound")]
    output: PathBuf,
}

/// Makes the sound; leaves no file behind if `interrupted` becomes true.
///
/// # Errors
/// One sentence on what is wrong: in which column of the expression, or with which file.
pub fn run(args: &BlendArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let expression = Expression::parse(&args.expression)?;
    let library = Library::find();
    let mut names = Names::of(&library);
    for binding in &args.lets {
        let Some((name, file)) = binding.split_once('=') else {
            bail!("--let is {binding}; expected NAME=FILE.sound");
        };
        if !expression.names().contains(&name) {
            bail!(
                "--let {name}: the expression has no such name; it has {}",
                expression.names().join(", ")
            );
        }
        names = names.with_file(name, file.as_ref());
    }
    let bound = names.find(&expression)?;
    let spinner = progress::spinner();
    spinner.set_message("loading the model");
    let folder = model_argument::folder(args.model.as_deref())?;
    let model = Model::load(&folder, DeviceChoice::Cpu)?;
    spinner.set_message("blending");
    let stem = args
        .output
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.clone().or(stem).unwrap_or_default();
    let made = arithmetic::blend(&model, &bound, &name, interrupted);
    spinner.finish_and_clear();
    let mut sound = made.with_context(|| format!("{} was not written", args.output.display()))?;
    if let Some(family) = &args.family {
        sound.family.clone_from(family);
    }
    for tag in &args.tags {
        if !sound.tags.contains(tag) {
            sound.tags.push(tag.clone());
        }
    }
    if let Some(author) = &args.author {
        sound.credits.author.clone_from(author);
    }
    sound.write(&args.output)?;

    let manifest = model.manifest();
    let hop_seconds = manifest.embedding_hop_samples as f64 / f64::from(manifest.sample_rate_hz);
    println!(
        "{}: {} = {}",
        args.output.display(),
        sound.name,
        expression.text()
    );
    println!("pitch     {:.2}", sound.pitch);
    println!("length    {:.2} s", sound.seconds(hop_seconds));
    println!("{}", sound_text::sustain(&sound, &model));
    if !sound.licence.is_empty() {
        println!("licence   {}", sound.licence);
    }
    Ok(())
}
