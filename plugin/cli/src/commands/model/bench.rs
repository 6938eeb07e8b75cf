//! `betwixt model bench`: how fast a model renders on one core, graph and synthesis together.
//!
//! A bright tone that swells and holds is encoded and played at several pitches. Time is what the one rendering
//! thread spent on a core where the system tells it (Linux), so that other programs do not count, and elapsed
//! time beside it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use betwixt_engine::decoder::{Decoder, NoteStart, Run, Snapshot};
use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::model::Model;
use betwixt_engine::note_render::{BlendedNote, NoteRender};
use betwixt_engine::runtime::Runtime;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::Sound;

const PITCHES: [f32; 5] = [36.0, 48.0, 60.0, 72.0, 84.0];
/// Runs of a fixed length, in chunks.
const RUN_CHUNKS: [usize; 4] = [1, 2, 4, 8];
/// Audio rendered for each figure.
const NOTE_SECONDS: f64 = 6.0;
/// First chunks that the median is taken of.
const FIRST_CHUNKS: usize = 15;
/// Decoders opened beside the first, for what one more costs.
const FURTHER_DECODERS: usize = 4;
/// What the design asks for at runs of one chunk.
const GOAL: f64 = 30.0;

/// Measures and prints.
pub fn run(folder: &Path, device: DeviceChoice, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let start = Instant::now();
    Runtime::get()?;
    let runtime_time = start.elapsed();
    let start = Instant::now();
    let model = Model::load(folder, device)?;
    let load_time = start.elapsed();
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

    let chunk_samples = model.format().chunk_samples;
    println!(
        "\nfirst chunk ({chunk_samples} samples) and x real time, runs of N chunks; core time (elapsed)"
    );
    let columns: String = RUN_CHUNKS
        .iter()
        .map(|n| format!("{:>16}", format!("N = {n}")))
        .collect();
    println!("pitch   first chunk{columns}{:>16}", "as played");
    let mut slowest = f64::INFINITY;
    for pitch in PITCHES {
        let sound = tone(&model, pitch)?;
        let note = note(&model, &sound, pitch)?;
        let first = first_chunk(decoder.as_mut(), &note, pitch)?;
        let mut row = format!("{pitch:>5}   {:>8.2} ms", ms(first));
        for chunks in RUN_CHUNKS {
            let factor = fixed_runs(decoder.as_mut(), &note, pitch, chunks)?;
            if chunks == 1 {
                slowest = slowest.min(factor.core.unwrap_or(factor.elapsed));
            }
            row += &format!("{:>16}", factor.to_string());
        }
        let factor = as_played(decoder.as_mut(), &model, note)?;
        println!("{row}{:>16}", factor.to_string());
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
    }
    let verdict = if slowest >= GOAL { "reached" } else { "missed" };
    println!(
        "\n{slowest:.1}x real time at runs of one chunk, slowest pitch: the goal of {GOAL}x is {verdict}"
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The encoding of a bright tone that swells in 50 ms and holds.
fn tone(model: &Model, pitch: f32) -> anyhow::Result<Sound> {
    let rate_hz = f64::from(model.manifest().sample_rate_hz);
    let f0 = 440.0 * 2_f64.powf((f64::from(pitch) - 69.0) / 12.0);
    let partials = (1..=64).map(f64::from).take_while(|k| k * f0 < 0.45 * rate_hz);
    let partials: Vec<f64> = partials.collect();
    let samples: Vec<f32> = (0..(2.0 * rate_hz) as usize)
        .map(|i| {
            let t = i as f64 / rate_hz;
            let sum: f64 = partials
                .iter()
                .map(|k| (std::f64::consts::TAU * k * f0 * t).sin() / k)
                .sum();
            (0.13 * (t / 0.05).min(1.0) * sum) as f32
        })
        .collect();
    let embedding = model.encoder()?.encode(&samples, pitch)?;
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
        loop_region: Some(LoopRegion {
            start_frame: end_frame / 2,
            end_frame,
        }),
        embedding,
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

/// The median time from the start of a note to its first chunk.
fn first_chunk(decoder: &mut dyn Decoder, note: &BlendedNote, pitch: f32) -> anyhow::Result<Duration> {
    let mut samples = vec![0.0; decoder.format().chunk_samples];
    let mut times = Vec::with_capacity(FIRST_CHUNKS);
    for _ in 0..FIRST_CHUNKS {
        let start = Instant::now();
        let mut state = begin(decoder, pitch);
        render(decoder, &mut state, note, &mut samples)?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[FIRST_CHUNKS / 2])
}

fn fixed_runs(
    decoder: &mut dyn Decoder,
    note: &BlendedNote,
    pitch: f32,
    chunks: usize,
) -> anyhow::Result<RealtimeFactor> {
    let format = decoder.format();
    let mut samples = vec![0.0; chunks * format.chunk_samples];
    let mut state = begin(decoder, pitch);
    let mut rendered = 0;
    let clock = Clock::start();
    while (rendered as f64) < NOTE_SECONDS * f64::from(format.sample_rate_hz) {
        render(decoder, &mut state, note, &mut samples)?;
        rendered += samples.len();
    }
    Ok(clock.factor(rendered as f64 / f64::from(format.sample_rate_hz)))
}

/// By the schedule of runs that the plugin has.
fn as_played(decoder: &mut dyn Decoder, model: &Model, note: BlendedNote) -> anyhow::Result<RealtimeFactor> {
    let format = model.format();
    let mut note = NoteRender::new(note, 1, format);
    let mut rendered = 0;
    let clock = Clock::start();
    while (rendered as f64) < NOTE_SECONDS * f64::from(format.sample_rate_hz) {
        rendered += note.next_run(decoder, &AtomicBool::new(false))?.len();
    }
    Ok(clock.factor(rendered as f64 / f64::from(format.sample_rate_hz)))
}

fn begin(decoder: &dyn Decoder, pitch: f32) -> Snapshot {
    decoder.begin(NoteStart {
        seed: 1,
        pitch,
        temperature: 1.0,
    })
}

fn render(
    decoder: &mut dyn Decoder,
    state: &mut Snapshot,
    note: &BlendedNote,
    samples: &mut [f32],
) -> anyhow::Result<()> {
    Ok(decoder.render(
        &mut [Run {
            note: state,
            conditioning: note,
            samples,
        }],
        &AtomicBool::new(false),
    )?)
}

/// Seconds of audio in one second.
struct RealtimeFactor {
    core: Option<f64>,
    elapsed: f64,
}

impl std::fmt::Display for RealtimeFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.core {
            Some(core) => write!(f, "{core:.1} ({:.1})", self.elapsed),
            None => write!(f, "{:.1}", self.elapsed),
        }
    }
}

struct Clock {
    start: Instant,
    core_start: Option<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            core_start: core_time(),
        }
    }

    fn factor(&self, seconds: f64) -> RealtimeFactor {
        let core = core_time()
            .zip(self.core_start)
            .map(|(now, start)| seconds / (now - start).as_secs_f64());
        RealtimeFactor {
            core,
            elapsed: seconds / self.start.elapsed().as_secs_f64(),
        }
    }
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

/// Time that this thread has spent on a core, where the system tells.
fn core_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace()
        .next()?
        .parse()
        .ok()
        .map(Duration::from_nanos)
}
