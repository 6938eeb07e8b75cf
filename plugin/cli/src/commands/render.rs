//! `betwixt render`: one note of one sound, or of the blend of up to four, into a WAV file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use betwixt_audio::note::{Strike, VelocityCell};
use betwixt_audio::settings::Settings;
use betwixt_audio::timbre::Timbre;
use betwixt_engine::model::Model;
use betwixt_engine::note_render::{BlendedNote, NoteRender};
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::Sound;
use betwixt_engine::wav::WavFile;

use crate::{model_argument, progress};

/// Corners of the blend pad.
const MAX_SOUNDS: usize = 4;
/// Longer notes are a slip of the pen.
const MAX_SECONDS: f64 = 3600.0;

/// Renders one note of a sound, or of a blend of sounds.
#[derive(Debug, clap::Args)]
pub struct RenderArgs {
    /// A sound; up to four may be given.
    #[arg(long = "sound", value_name = "A.sound", required = true)]
    sounds: Vec<PathBuf>,
    /// A weight for each sound, summing to 1; equal if not given.
    #[arg(
        long,
        value_name = "0.5,0.5",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    weights: Vec<f32>,
    /// The pitch to play as a MIDI note number (60 is middle C, fractions are cents).
    #[arg(long, value_name = "MIDI", allow_negative_numbers = true)]
    pitch: f32,
    /// MIDI velocity, 1 to 127.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=127))]
    velocity: u8,
    /// Length in seconds; a sound that ends sooner is followed by silence.
    #[arg(long, default_value_t = 4.0, allow_negative_numbers = true)]
    seconds: f64,
    /// Folder of the model, in place of the shipped one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The WAV file: mono, 32-bit float, at the model's rate.
    #[arg(short, long, value_name = "OUT.wav")]
    output: PathBuf,
}

/// Renders; leaves no file behind if `interrupted` becomes true.
///
/// # Errors
/// One sentence on what is wrong with which file or option.
pub fn run(args: &RenderArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let weights = weights(args)?;
    if !(0.0..=127.0).contains(&args.pitch) {
        bail!(
            "--pitch is {}; expected a MIDI note number from 0 to 127",
            args.pitch
        );
    }
    if !(args.seconds > 0.0 && args.seconds <= MAX_SECONDS) {
        bail!(
            "--seconds is {}; expected more than 0, up to {MAX_SECONDS}",
            args.seconds
        );
    }
    let folder = model_argument::folder(args.model.as_deref())?;
    let sounds = args.sounds.iter().map(|file| Ok(Arc::new(Sound::read(file)?)));
    let sounds = sounds.collect::<anyhow::Result<Vec<_>>>()?;
    let spinner = progress::spinner();
    spinner.set_message("loading the model");
    let model = Model::load(&folder, DeviceChoice::Cpu)?;
    let mut decoder = model.decoder()?;
    spinner.finish_and_clear();
    let format = decoder.format();
    for (sound, file) in sounds.iter().zip(&args.sounds) {
        check_model(sound, file, &model)?;
    }

    let corners = std::array::from_fn(|corner| sounds.get(corner).cloned());
    let note = BlendedNote::new(
        &corners,
        weights,
        args.pitch,
        format.dims,
        model.frames_per_embedding_frame(),
    )
    .context("--weights are all 0; expected weights that sum to 1")?
    .with_measured_dims(model.manifest().pitch_dim, model.manifest().level_dim);
    let seed = seed(&sounds, &weights, args.pitch);
    let velocity = f32::from(args.velocity) / 127.0;
    let strike = Strike {
        velocity: VelocityCell::of(velocity),
        ..Strike::with(Timbre::default())
    };
    let note = note.struck(strike, seed);
    let mut note = NoteRender::new(note, seed, format);
    let samples = (args.seconds * f64::from(format.sample_rate_hz)).round() as usize;
    // As loud as the plugin plays that velocity as it comes.
    let gain = Settings::default().velocity_gain(velocity);

    let mut wav = WavFile::create(&args.output, format.sample_rate_hz, 1)?;
    let bar = progress::bar(samples as u64, "rendering");
    let mut left = samples;
    while left > 0 && !note.is_done() {
        let run = note.next_run(decoder.as_mut(), interrupted);
        if interrupted.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            bail!("interrupted: {} was not written", args.output.display());
        }
        let mut run = run?;
        run.truncate(left);
        run.iter_mut().for_each(|sample| *sample *= gain);
        wav.write(&run)?;
        left -= run.len();
        bar.inc(run.len() as u64);
    }
    while left > 0 {
        let silence = vec![0.0; left.min(format.chunk_samples)];
        wav.write(&silence)?;
        left -= silence.len();
    }
    bar.finish_and_clear();
    wav.finish()?;
    println!(
        "{}: {:.2} s at {} Hz",
        args.output.display(),
        args.seconds,
        format.sample_rate_hz
    );
    Ok(())
}

/// A weight for each corner.
fn weights(args: &RenderArgs) -> anyhow::Result<[f32; MAX_SOUNDS]> {
    let sounds = args.sounds.len();
    if sounds > MAX_SOUNDS {
        bail!("{sounds} sounds were given; expected at most {MAX_SOUNDS}, one for each corner");
    }
    let mut weights = [0.0; MAX_SOUNDS];
    if args.weights.is_empty() {
        weights[..sounds].fill(1.0 / sounds as f32);
        return Ok(weights);
    }
    if args.weights.len() != sounds {
        bail!(
            "--weights holds {} numbers; expected {sounds}, one for each sound",
            args.weights.len()
        );
    }
    let sum: f32 = args.weights.iter().sum();
    if !args.weights.iter().all(|weight| (-4.0..=5.0).contains(weight)) || (sum - 1.0).abs() > 1e-3 {
        bail!("--weights sum to {sum}; expected numbers that sum to 1");
    }
    weights[..sounds].copy_from_slice(&args.weights);
    Ok(weights)
}

fn check_model(sound: &Sound, file: &Path, model: &Model) -> anyhow::Result<()> {
    if sound.embedding.dims() != model.format().dims || sound.model != model.tag() {
        bail!(
            "{}: was encoded by model {}; expected model {}, which is to render it",
            file.display(),
            sound.model,
            model.tag()
        );
    }
    Ok(())
}

/// The seed of a note: a function of all that it is made of.
fn seed(sounds: &[Arc<Sound>], weights: &[f32], pitch: f32) -> u64 {
    let words = sounds.iter().map(|sound| sound.id().0);
    let words = words.chain(
        weights
            .iter()
            .chain([&pitch])
            .map(|value| u64::from(value.to_bits())),
    );
    // FNV-1a over words.
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| {
        (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
