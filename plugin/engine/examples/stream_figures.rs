//! What streams cost on this machine: `cargo run --release -p betwixt-engine --example stream_figures`.
//!
//! Prints the memory of a checkpoint and of a cached second, the time that a stream's first chunk takes from the nearest
//! checkpoint, the time of one chunk for some streams together, the processor time of ten idle instances, and how chords
//! that follow a moving blend in real time fare.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use betwixt_audio::blend::Blend;
use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::instrument::Instrument;
use betwixt_audio::meters::Meters;
use betwixt_audio::note::Strike;
use betwixt_audio::settings::Settings;
use betwixt_audio::timbre::Timbre;
use betwixt_engine::engine::{DEFAULT_MODEL, Engine, EngineOptions};
use betwixt_engine::instance::Instance;
use betwixt_engine::library::Library;
use betwixt_engine::model::Model;
use betwixt_engine::note_render::{BlendedNote, NoteRender};
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::{PresetCorners, SoundRef};
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::status::ModelStatus;

const ROUNDS: usize = 40;
/// As the engine has it.
const CHECKPOINT_CHUNKS: usize = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let [a, b, c, d] = ["flute", "violin", "choir", "glass_pad"]
        .map(|name| Some(SoundRef::Factory(format!("{name}.sound"))));
    let patch = Library::in_folders(&folder, Path::new("/nowhere")).patch(&PresetCorners { a, b, c, d })?;
    decoding(&patch)?;
    idling(&patch);
    for (voices, workers) in [(16, 1), (32, 2)] {
        playing(&patch, voices, workers);
    }
    Ok(())
}

/// Holds a chord in real time while the blend goes round.
fn playing(patch: &Patch, voices: u8, workers: usize) {
    const BLOCK: usize = 128;
    const SECONDS: f64 = 10.0;
    let engine = Engine::new(EngineOptions {
        workers,
        ..EngineOptions::default()
    });
    let (instance, end) = Instance::new(&engine);
    instance.activate();
    instance.set_patch(patch.clone());
    while matches!(
        engine.status().model,
        ModelStatus::Loading | ModelStatus::NotLoaded
    ) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let meters = Arc::new(Meters::default());
    let mut instrument = Instrument::new(end, Arc::clone(&meters));
    instrument.prepare(48_000.0);
    let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
    let (began, busy) = (Instant::now(), processor_seconds());
    let (mut worst, mut at_first) = (Duration::ZERO, 0);
    for block in 0..(SECONDS * 48_000.0) as usize / BLOCK {
        let events: Vec<Event> = (0..if block == 0 { voices } else { 0 })
            .map(|voice| Event {
                offset_samples: 0,
                kind: EventKind::NoteOn {
                    address: NoteAddress::midi(0, 36 + voice),
                    velocity: 0.8,
                },
            })
            .collect();
        let phase = block as f32 * 0.01;
        let settings = Settings {
            blend: Blend {
                x: 0.5 + 0.5 * phase.cos(),
                y: 0.5 + 0.5 * phase.sin(),
            },
            ..Settings::default()
        };
        let before = Instant::now();
        instrument.process(&mut left, &mut right, &events, &settings, None, &mut |_| {});
        worst = worst.max(before.elapsed());
        if block * BLOCK < 48_000 {
            at_first = meters.underruns();
        }
        let due = began + Duration::from_secs_f64((block + 1) as f64 * BLOCK as f64 / 48_000.0);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let load = busy
        .zip(processor_seconds())
        .map_or(f64::NAN, |(before, after)| (after - before) / seconds);
    println!(
        "{voices} voices in a moving blend, {workers} workers: {} streams, {} underruns and {at_first} of them in the first second, {} times degraded, worst block {:.2} ms, \
         {:.0} % of one core in all",
        meters.streams(),
        meters.underruns(),
        meters.degraded(),
        worst.as_secs_f64() * 1000.0,
        100.0 * load
    );
}

fn decoding(patch: &Patch) -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::load(&Resources::find()?.model(DEFAULT_MODEL)?, DeviceChoice::Cpu)?;
    let (format, cancel) = (model.format(), AtomicBool::new(false));
    let mut decoder = model.decoder()?;
    let note = |pitch: f32| {
        let note = BlendedNote::on_pad(
            patch.corners(),
            pitch,
            format.dims,
            model.frames_per_embedding_frame(),
        )
        .expect("four sounds of the model");
        let strike = Strike::with(Timbre::default());
        NoteRender::new(
            note.struck(strike, 1)
                .with_measured_dims(model.manifest().pitch_dim, model.manifest().level_dim),
            1,
            format,
        )
    };
    let mut advanced = note(60.0);
    while advanced.rendered_chunks() < 4 * CHECKPOINT_CHUNKS {
        advanced.next_run(&mut *decoder, &cancel)?;
    }
    let chunk_seconds = format.chunk_samples as f64 / f64::from(format.sample_rate_hz);
    let bytes = advanced.bytes();
    let audio = f64::from(format.sample_rate_hz) * 4.0;
    let kept = bytes as f64 / (CHECKPOINT_CHUNKS as f64 * chunk_seconds);
    println!("checkpoint: {bytes} bytes; a cached second: {audio:.0} of audio and {kept:.0} of checkpoints");

    for chunks in [1, 4, 8, 15] {
        let times = (0..ROUNDS).map(|_| {
            let mut from = advanced.clone();
            let began = Instant::now();
            NoteRender::render_together(&mut [(&mut from, chunks)], &mut *decoder, &cancel)
                .map(|_| began.elapsed())
        });
        let (median, worst) = median_and_worst(times.collect::<Result<_, _>>()?);
        println!(
            "{chunks:>2} chunks behind: {median:.2} ms, worst {worst:.2} ms, to the state of a stream's first chunk"
        );
    }
    for streams in [1, 4, 8, 16, 32] {
        let mut renders: Vec<NoteRender> = (0..streams).map(|i| note(40.0 + i as f32)).collect();
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let began = Instant::now();
            for part in renders.chunks_mut(16) {
                let mut together: Vec<(&mut NoteRender, usize)> = part
                    .iter_mut()
                    .enumerate()
                    .map(|(voice, render)| {
                        let phase = 0.3 * round as f32 + voice as f32;
                        let blend = Blend {
                            x: 0.5 + 0.5 * phase.cos(),
                            y: 0.5 + 0.5 * phase.sin(),
                        };
                        let timbre = Timbre {
                            blend,
                            heat: 0.3,
                            ..Timbre::default()
                        };
                        render.steer(timbre, false, 1);
                        (render, 1)
                    })
                    .collect();
                NoteRender::render_together(&mut together, &mut *decoder, &cancel)?;
            }
            times.push(began.elapsed());
        }
        let (median, worst) = median_and_worst(times);
        let share = median / 1000.0 / chunk_seconds * 100.0;
        println!(
            "{streams:>2} streams: a chunk of each {median:.2} ms, worst {worst:.2} ms: {share:.0} % of one core"
        );
    }
    Ok(())
}

fn idling(patch: &Patch) {
    let engine = Engine::new(EngineOptions::default());
    let instances: Vec<_> = (0..10)
        .map(|_| {
            let (instance, end) = Instance::new(&engine);
            instance.activate();
            instance.set_patch(patch.clone());
            (instance, end)
        })
        .collect();
    while matches!(
        engine.status().model,
        ModelStatus::Loading | ModelStatus::NotLoaded
    ) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_secs(33));
    let (before, seconds) = (processor_seconds(), 5.0);
    std::thread::sleep(Duration::from_secs_f64(seconds));
    if let (Some(before), Some(after)) = (before, processor_seconds()) {
        println!(
            "{} idle instances: {:.2} % of one core",
            instances.len(),
            (after - before) / seconds * 100.0
        );
    }
}

fn median_and_worst(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    (ms(times[times.len() / 2]), ms(times[times.len() - 1]))
}

/// Processor time of this process, where the system tells: nanoseconds on a processor of each of its threads.
fn processor_seconds() -> Option<f64> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let nanoseconds: u64 = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    Some(nanoseconds as f64 / 1e9)
}
