//! `betwixt model bench` of a model that makes one sample a step: what a step of some notes in lockstep costs, through the
//! decoder that the plugin plays with, the drawing of samples and all.
//!
//! Such a decoder uses all cores, so that elapsed time counts, and other programs on the machine add to it.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use betwixt_engine::decoder::{Conditioning, Decoder, NoteStart, Run, Snapshot};
use betwixt_engine::model::Model;
use serde_json::{Value, json};

/// Notes at once, unless others are asked for.
pub const BATCHES: [usize; 2] = [8, 32];

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct StepOptions {
    /// Notes in lockstep, of a model that makes one sample a step; may be given again.
    #[arg(long, value_name = "NOTES", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: Vec<u16>,
    /// Chunks that each note is rendered for.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1000))]
    chunks: u16,
    /// File for the figures of a model that makes one sample a step.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// An embedding that wanders.
struct Wandering {
    note: usize,
}

impl Conditioning for Wandering {
    fn read(&self, first_frame: usize, embedding: &mut [f32], pitch: &mut [f32]) {
        let dims = embedding.len() / pitch.len();
        for (i, value) in embedding.iter_mut().enumerate() {
            let (frame, dim) = (first_frame + i / dims, i % dims);
            *value = (0.3 * frame as f32 + dim as f32 + 7.0 * self.note as f32).sin();
        }
        pitch.fill(60.0);
    }
}

/// Measures and prints.
pub fn run(model: &Model, options: &StepOptions, cancel: &AtomicBool) -> anyhow::Result<()> {
    println!("model {}: one sample a step, all cores", model.tag());
    let mut decoder = model.decoder()?;
    let batches = match options.batch.as_slice() {
        [] => BATCHES.to_vec(),
        asked => asked.iter().map(|notes| usize::from(*notes)).collect(),
    };
    let mut rows = Vec::new();
    for notes in batches {
        let chunk_ms = chunk_times_ms(&mut *decoder, notes, usize::from(options.chunks), cancel)?;
        let steps = decoder.format().chunk_samples;
        let step_ms = |chunk_ms: f64| chunk_ms / steps as f64;
        let best = step_ms(chunk_ms.iter().copied().fold(f64::INFINITY, f64::min));
        let mean = step_ms(chunk_ms.iter().sum::<f64>() / chunk_ms.len() as f64);
        println!(
            "batch {notes:>3}: {mean:>7.2} ms a step (best chunk {best:.2}), {:>7.1} us a sample and note, {:.4} x real time",
            1e3 * mean / notes as f64,
            1e3 * notes as f64 / mean / f64::from(decoder.format().sample_rate_hz),
        );
        rows.push(json!({
            "batch": notes,
            "milliseconds_per_step": mean,
            "best_milliseconds_per_step": best,
            "steps": steps * chunk_ms.len(),
        }));
    }
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", Value::from(rows)))
            .map_err(|error| anyhow::anyhow!("{}: cannot be written: {error}", file.display()))?;
    }
    Ok(())
}

/// Times of each of the first chunks of some notes.
fn chunk_times_ms(
    decoder: &mut dyn Decoder,
    notes: usize,
    chunks: usize,
    cancel: &AtomicBool,
) -> anyhow::Result<Vec<f64>> {
    let wandering: Vec<Wandering> = (0..notes).map(|note| Wandering { note }).collect();
    let mut states: Vec<Snapshot> = (0..notes)
        .map(|note| {
            decoder.begin(NoteStart {
                seed: note as u64,
                pitch: 60.0,
                temperature: 1.0,
            })
        })
        .collect();
    let mut samples = vec![vec![0.0; decoder.format().chunk_samples]; notes];
    let mut times = Vec::new();
    for _ in 0..chunks {
        let mut runs: Vec<Run<'_>> = states
            .iter_mut()
            .zip(&mut samples)
            .zip(&wandering)
            .map(|((note, samples), conditioning)| Run {
                note,
                conditioning,
                samples,
            })
            .collect();
        let start = Instant::now();
        decoder.render(&mut runs, cancel)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
