//! `betwixt model bench`: how fast a model renders and encodes on one core, graph and synthesis together, beside what
//! it is meant to reach.
//!
//! Bright tones that swell and hold are encoded and played at several pitches. Time is what the one rendering thread
//! spent on a core where the system tells it (Linux), elapsed time elsewhere; the best of some rounds counts, for other
//! programs on the machine only add to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use betwixt_engine::credits::Credits;
use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::model::Model;
use betwixt_engine::model::manifest::Driver;
use betwixt_engine::note_render::BlendedNote;
use betwixt_engine::runtime::Runtime;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::Sound;

use super::bench_step::{self, StepOptions};
use super::measure::{
    NOTE_SECONDS, as_played, best_round, chunks_against_whole, first_chunk, fixed_runs, whole_chunks,
};

const PITCHES: [f32; 7] = [36.0, 44.0, 52.0, 60.0, 68.0, 76.0, 84.0];
const ENCODED_PITCHES: [f32; 4] = [28.0, 36.0, 60.0, 84.0];
/// Voices streamed at once.
const VOICES: usize = 16;
/// Decoders opened beside the first, for what one more costs.
const FURTHER_DECODERS: usize = 4;

/// A figure of the table, and what it is to be.
struct Goal {
    what: &'static str,
    found: String,
    goal: &'static str,
    reached: bool,
}

impl Goal {
    fn at_least(what: &'static str, found: f64, least: f64, goal: &'static str) -> Self {
        Self {
            what,
            found: format!("{found:.0}x"),
            goal,
            reached: found >= least,
        }
    }

    fn at_most_ms(what: &'static str, found: Duration, most_ms: f64, goal: &'static str) -> Self {
        Self {
            what,
            found: format!("{:.2} ms", ms(found)),
            goal,
            reached: ms(found) <= most_ms,
        }
    }
}

/// Measures and prints.
pub fn run(
    folder: &Path,
    device: DeviceChoice,
    step: &StepOptions,
    interrupted: &AtomicBool,
) -> anyhow::Result<()> {
    let start = Instant::now();
    Runtime::get()?;
    let runtime_time = start.elapsed();
    let start = Instant::now();
    let model = Model::load(folder, device)?;
    let load_time = start.elapsed();
    if matches!(model.manifest().driver, Driver::Step(_)) {
        return bench_step::run(&model, step, interrupted);
    }
    println!(
        "model {} on {}, one thread",
        model.tag(),
        model.providers().in_use
    );
    println!(
        "ONNX Runtime starts in {:.0} ms, the model loads in {:.0} ms",
        ms(runtime_time),
        ms(load_time)
    );
    let mut decoder = model.decoder()?;
    tell_further_decoders(&model)?;

    println!(
        "\nx real time; runs of one chunk are of {} samples",
        model.format().chunk_samples
    );
    println!("pitch   first chunk   runs of one chunk   as played   whole note");
    let (mut notes, mut firsts) = (Vec::new(), Vec::new());
    let (mut streamed, mut whole) = (Vec::new(), Vec::new());
    for pitch in PITCHES {
        let sound = tone(&model, pitch, NOTE_SECONDS / 2.0)?;
        let note = note(&model, &sound, pitch)?;
        let decoder = decoder.as_mut();
        let first = first_chunk(decoder, &note, pitch)?;
        let chunks = fixed_runs(decoder, &[(&note, pitch)], 1)?;
        let played = as_played(decoder, model.format(), &note)?;
        let at_once = fixed_runs(decoder, &[(&note, pitch)], whole_chunks(model.format()))?;
        println!(
            "{pitch:>5}   {:>8.2} ms{chunks:>20.0}{played:>12.0}{at_once:>13.0}",
            ms(first)
        );
        firsts.push(first);
        streamed.push(chunks);
        whole.push(at_once);
        notes.push((note, pitch));
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
    }
    let voices: Vec<(&BlendedNote, f32)> = (0..VOICES)
        .map(|voice| &notes[voice % notes.len()])
        .map(|(note, pitch)| (note, *pitch))
        .collect();
    let together = fixed_runs(decoder.as_mut(), &voices, 1)?;
    let (low, pitch) = &notes[0];
    let difference = chunks_against_whole(decoder.as_mut(), model.format(), low, *pitch)?;

    let mut encoder = model.encoder()?;
    let mut encoding = Duration::ZERO;
    println!("\nencoder, a note of {NOTE_SECONDS} s");
    for pitch in ENCODED_PITCHES {
        let samples = tone_samples(&model, pitch, NOTE_SECONDS);
        let time = best_round(|| {
            encoder.encode(&samples, pitch)?;
            Ok(())
        })?;
        println!("{pitch:>5}   {:>8.2} ms", ms(time));
        encoding = encoding.max(time);
    }

    print_goals(&[
        Goal::at_least(
            "whole notes, median over the pitches",
            median(&whole),
            250.0,
            ">= 250x",
        ),
        Goal::at_least(
            "streamed by the chunk, one voice, slowest pitch",
            streamed.iter().copied().fold(f64::INFINITY, f64::min),
            100.0,
            ">= 100x",
        ),
        Goal::at_least(
            "streamed by the chunk, 16 voices in one run",
            together,
            200.0,
            ">= 200x",
        ),
        Goal::at_most_ms(
            "first chunk, slowest pitch",
            firsts.into_iter().max().unwrap_or_default(),
            2.0,
            "<= 2 ms",
        ),
        Goal::at_most_ms("encoder, 4 s, slowest pitch", encoding, 20.0, "<= 20 ms"),
        Goal {
            what: "chunks against the whole note",
            found: difference.map_or_else(|| "the same bits".into(), |db| format!("{db:.0} dB")),
            goal: "<= -80 dB",
            reached: difference.is_none_or(|db| db <= -80.0),
        },
    ]);
    Ok(())
}

fn print_goals(goals: &[Goal]) {
    println!("\n{:<50}{:>14}{:>12}", "", "found", "goal");
    for Goal {
        what,
        found,
        goal,
        reached,
    } in goals
    {
        let verdict = if *reached { "reached" } else { "missed" };
        println!("{what:<50}{found:>14}{goal:>12}   {verdict}");
    }
}

fn tell_further_decoders(model: &Model) -> anyhow::Result<()> {
    let (start, memory) = (Instant::now(), resident_mb());
    let further = (0..FURTHER_DECODERS)
        .map(|_| model.decoder())
        .collect::<Result<Vec<_>, _>>()?;
    let each = ms(start.elapsed()) / FURTHER_DECODERS as f64;
    let grown = resident_mb()
        .zip(memory)
        .map(|(now, before)| (now - before) / FURTHER_DECODERS as f64);
    drop(further);
    let grown = grown.map_or_else(String::new, |mb| format!(" and {mb:.1} MB"));
    println!("a further decoder takes {each:.0} ms{grown}");
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A bright tone that swells in 50 ms and holds.
fn tone_samples(model: &Model, pitch: f32, seconds: f64) -> Vec<f32> {
    let rate_hz = f64::from(model.manifest().sample_rate_hz);
    let f0 = 440.0 * 2_f64.powf((f64::from(pitch) - 69.0) / 12.0);
    let partials = (1..=64).map(f64::from).take_while(|k| k * f0 < 0.45 * rate_hz);
    let partials: Vec<f64> = partials.collect();
    (0..(seconds * rate_hz) as usize)
        .map(|i| {
            let t = i as f64 / rate_hz;
            let sum: f64 = partials
                .iter()
                .map(|k| (std::f64::consts::TAU * k * f0 * t).sin() / k)
                .sum();
            (0.13 * (t / 0.05).min(1.0) * sum) as f32
        })
        .collect()
}

/// Its encoding, which holds as long as it is asked for.
fn tone(model: &Model, pitch: f32, seconds: f64) -> anyhow::Result<Sound> {
    let embedding = model
        .encoder()?
        .encode(&tone_samples(model, pitch, seconds), pitch)?;
    let end_frame = (embedding.frames() - 2) as u32;
    Ok(Sound {
        name: "bench".into(),
        family: String::new(),
        tags: Vec::new(),
        licence: String::new(),
        source: String::new(),
        model: model.tag(),
        pitch,
        gain_db: 0.0,
        velocity: betwixt_engine::sound::DEFAULT_VELOCITY,
        further: Vec::new(),
        loop_region: Some(LoopRegion {
            start_frame: end_frame / 2,
            end_frame,
        }),
        embedding,
        credits: Credits::default(),
    })
}

fn note(model: &Model, sound: &Sound, pitch: f32) -> anyhow::Result<BlendedNote> {
    let corners = [Some(Arc::new(sound.clone())), None, None, None];
    BlendedNote::new(
        &corners,
        [1.0, 0.0, 0.0, 0.0],
        pitch,
        model.format().dims,
        model.frames_per_embedding_frame(),
    )
    .context("the sound does not fit the model")
}

/// Memory of this process, where the system tells.
fn resident_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace()
        .next()?
        .parse::<f64>()
        .ok()
        .map(|kb| kb / 1024.0)
}
