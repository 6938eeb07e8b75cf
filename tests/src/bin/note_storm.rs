//! `note-storm`: the real engine and model under a storm of notes, to be built with RealtimeSanitizer, which ends the
//! process at the first allocation, lock or system call inside `Instrument::process`:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg rtsan -Zsanitizer=realtime" \
//!     cargo run --release -p betwixt-tests --bin note-storm --target x86_64-unknown-linux-gnu --target-dir target/rtsan
//! ```
//!
//! Two instances play random notes at a sound card's pace from an audio thread each, with a note cache far too small, so
//! that notes are missed and evicted, while the main thread changes patches. Before, a second process shows that the
//! sanitizer is awake: the same storm with a callback that allocates has to be ended by it. Without the sanitizer the storm
//! runs all the same, and checks that all notes end.

#![cfg_attr(rtsan, feature(sanitize))]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use betwixt_audio::blend::Blend;
use betwixt_audio::event::{Event, EventKind, NoteAddress, NoteEnd};
use betwixt_audio::instrument::{Activity, Instrument};
use betwixt_audio::meters::Meters;
use betwixt_audio::settings::Settings;
use betwixt_engine::engine::{Engine, EngineOptions};
use betwixt_engine::instance::Instance;
use betwixt_engine::patch::Patch;
use betwixt_engine::resources::Resources;
use betwixt_engine::sound::Sound;
use betwixt_engine::status::ModelStatus;
use clap::Parser;

const RATE_HZ: f64 = 48_000.0;
/// Room for a few notes only.
const CACHE_BYTES: usize = 6 << 20;
/// Time for the last notes' releases and renders.
const QUIET_LIMIT: Duration = Duration::from_secs(10);
/// What RealtimeSanitizer's report begins with.
const REPORT: &str = "RealtimeSanitizer";

/// Plays a storm of notes through the real engine.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 12.0)]
    seconds: f64,
    /// Allocate in the note end callback, which `Instrument::process` calls: the sanitizer must end this process.
    #[arg(long)]
    violate: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if cfg!(rtsan) && !arguments.violate {
        show_that_a_violation_is_caught()?;
    }
    storm(Duration::from_secs_f64(arguments.seconds), arguments.violate)
}

/// Runs the storm with an allocation in a process of its own, which must not survive it.
fn show_that_a_violation_is_caught() -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--violate", "--seconds", "3"])
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success(),
        "an allocation inside process was not caught: the sanitizer sleeps"
    );
    ensure!(
        told.contains(REPORT),
        "the storm with an allocation ended without a report ({}):\n{told}",
        output.status
    );
    let line = told
        .lines()
        .find(|line| line.contains(REPORT))
        .unwrap_or_default();
    println!("an allocation inside process is caught: {line}");
    Ok(())
}

fn storm(length: Duration, violate: bool) -> Result<()> {
    let engine = Engine::new(EngineOptions {
        cache_budget_bytes: CACHE_BYTES,
        ..EngineOptions::default()
    });
    let patches = patches()?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut players = Vec::new();
    let mut instances = Vec::new();
    for seed in [1, 2] {
        let (instance, end) = Instance::new(&engine);
        instance.set_patch(patches[0].clone());
        instance.activate();
        let meters = Arc::new(Meters::default());
        let instrument = Instrument::new(end, Arc::clone(&meters));
        let player = Player::new(instrument, meters, seed, violate);
        let stop = Arc::clone(&stop);
        players.push(
            thread::Builder::new()
                .name("audio".into())
                .spawn(move || player.play(&stop))?,
        );
        instances.push(instance);
    }
    wait_for_model(&engine)?;
    let started = Instant::now();
    let mut changes = 0;
    while started.elapsed() < length {
        thread::sleep(Duration::from_millis(130));
        changes += 1;
        instances[changes % 2].set_patch(patches[changes % patches.len()].clone());
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = Figures::default();
    for player in players {
        all.add(
            &player
                .join()
                .map_err(|_| anyhow::anyhow!("an audio thread panicked"))??,
        );
    }
    engine.settle(Duration::from_secs(1));
    let status = engine.status();
    let evicted = status.notes_rendered.saturating_sub(status.notes_cached as u64);
    println!(
        "{} notes, {} ends, {} blocks with waiting voices, {} underruns, {} stolen, peak {:.2}; {} notes rendered, \
         {evicted} evicted, {changes} patch changes",
        all.notes, all.ends, all.waiting_blocks, all.underruns, all.stolen, all.peak, status.notes_rendered
    );
    ensure!(
        all.notes == all.ends,
        "{} notes began, {} ends were told",
        all.notes,
        all.ends
    );
    ensure!(all.peak > 0.0, "the storm was silent");
    ensure!(
        all.waiting_blocks > 0,
        "no note was ever missed: the storm is too mild"
    );
    ensure!(evicted > 0, "nothing was evicted: the storm is too mild");
    ensure!(all.stolen > 0, "no voice was stolen: the storm is too mild");
    Ok(())
}

/// Three patches of the factory's sounds.
fn patches() -> Result<Vec<Patch>> {
    let folder = Resources::find()?.presets()?.join("sounds");
    let files = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = files.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sound"));
    files.sort();
    ensure!(
        files.len() >= 6,
        "{} has {} sounds; expected 6 or more",
        folder.display(),
        files.len()
    );
    let sounds: Vec<_> = files
        .iter()
        .map(|file| Ok(Arc::new(Sound::read(file)?)))
        .collect::<Result<_>>()?;
    let corner = |index: usize| Some(Arc::clone(&sounds[index % sounds.len()]));
    Ok(vec![
        Patch::new([corner(0), corner(1), corner(2), corner(3)]),
        Patch::new([corner(4), None, corner(5), corner(6)]),
        Patch::new([corner(7), corner(2), None, None]),
    ])
}

fn wait_for_model(engine: &Engine) -> Result<()> {
    let started = Instant::now();
    loop {
        match engine.status().model {
            ModelStatus::Ready { .. } => return Ok(()),
            ModelStatus::Failed(why) => bail!("no model: {why}"),
            _ => ensure!(
                started.elapsed() < Duration::from_secs(60),
                "the model does not load"
            ),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What a player did.
#[derive(Debug, Default)]
struct Figures {
    notes: u64,
    ends: u64,
    waiting_blocks: u64,
    underruns: u64,
    stolen: u64,
    peak: f32,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.notes += other.notes;
        self.ends += other.ends;
        self.waiting_blocks += other.waiting_blocks;
        self.underruns += other.underruns;
        self.stolen += other.stolen;
        self.peak = self.peak.max(other.peak);
    }
}

/// An audio thread with an instrument.
struct Player {
    instrument: Instrument,
    meters: Arc<Meters>,
    seed: u32,
    violate: bool,
    figures: Figures,
    /// Notes that may still be held: their ids and keys.
    held: Vec<(i32, u8)>,
    blend: Blend,
}

impl Player {
    fn new(mut instrument: Instrument, meters: Arc<Meters>, seed: u32, violate: bool) -> Self {
        instrument.prepare(RATE_HZ);
        Self {
            instrument,
            meters,
            seed,
            violate,
            figures: Figures::default(),
            held: Vec::with_capacity(4096),
            blend: Blend::default(),
        }
    }

    /// Plays until told to stop, then until all is quiet.
    fn play(mut self, stop: &AtomicBool) -> Result<Figures> {
        let mut events = Vec::with_capacity(256);
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let samples = 16 + self.random(497) as usize;
            self.weather(samples, &mut events);
            self.block(samples, &events);
            due += Duration::from_secs_f64(samples as f64 / RATE_HZ);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let quiet = [
            Event {
                offset_samples: 0,
                kind: EventKind::Sustain {
                    channel: 0,
                    down: false,
                },
            },
            Event {
                offset_samples: 0,
                kind: EventKind::AllNotesOff,
            },
        ];
        let mut activity = self.block(256, &quiet);
        let stopped = Instant::now();
        while activity != Activity::Silent {
            ensure!(
                stopped.elapsed() < QUIET_LIMIT,
                "the instrument does not fall silent"
            );
            thread::sleep(Duration::from_millis(5));
            activity = self.block(256, &[]);
        }
        self.figures.underruns = self.meters.underruns();
        self.figures.stolen = self.meters.stolen();
        Ok(self.figures)
    }

    /// Random events for a block of `samples`, in order.
    fn weather(&mut self, samples: usize, events: &mut Vec<Event>) {
        events.clear();
        let mut offset_samples = 0;
        // Now and then a gust: more keys at once than there are voices.
        let gust = self.random(200) == 0;
        for _ in 0..if gust { 80 } else { self.random(5) } {
            offset_samples = (offset_samples + self.random(samples as u32 / 2)).min(samples as u32 - 1);
            let kind = if gust { self.note_on() } else { self.event() };
            events.push(Event { offset_samples, kind });
        }
    }

    fn event(&mut self) -> EventKind {
        match self.random(100) {
            0..=34 => self.note_on(),
            35..=59 => EventKind::NoteOff {
                address: self.one_held(),
            },
            60..=64 => EventKind::Choke {
                address: self.one_held(),
            },
            65..=74 => {
                self.blend = Blend {
                    x: self.random(1001) as f32 / 1000.0,
                    y: self.random(1001) as f32 / 1000.0,
                };
                EventKind::Blend(self.blend)
            }
            75..=84 => EventKind::PitchBend {
                channel: 0,
                semitones: self.random(401) as f32 / 100.0 - 2.0,
            },
            85..=89 => EventKind::Tuning {
                address: self.one_held(),
                semitones: self.random(201) as f32 / 100.0 - 1.0,
            },
            90..=97 => EventKind::Sustain {
                channel: 0,
                down: self.random(3) == 0,
            },
            98 => EventKind::AllNotesOff,
            _ => EventKind::AllSoundOff,
        }
    }

    fn note_on(&mut self) -> EventKind {
        let (note_id, key) = (self.figures.notes as i32, 24 + self.random(80) as u8);
        self.figures.notes += 1;
        if self.held.len() == self.held.capacity() {
            self.held.clear();
        }
        self.held.push((note_id, key));
        let velocity = 0.1 + 0.9 * self.random(1000) as f32 / 1000.0;
        EventKind::NoteOn {
            address: address(note_id, key),
            velocity,
        }
    }

    /// A note that may still be held; a wildcard if there is none.
    fn one_held(&mut self) -> NoteAddress {
        if self.held.is_empty() {
            return NoteAddress::ALL;
        }
        let index = self.random(self.held.len() as u32) as usize;
        let (note_id, key) = self.held.swap_remove(index);
        address(note_id, key)
    }

    /// One block through the instrument, as a host calls it.
    fn block(&mut self, samples: usize, events: &[Event]) -> Activity {
        let mut channels = [[0.0_f32; 512]; 2];
        let [left, right] = &mut channels;
        let (left, right) = (&mut left[..samples], &mut right[..samples]);
        let settings = Settings {
            blend: self.blend,
            release_ms: 120.0,
            ..Settings::default()
        };
        let violate = self.violate;
        let mut ends = 0;
        let activity = self
            .instrument
            .process(left, right, events, &settings, None, &mut |end| {
                ends += 1;
                if violate {
                    allocate(end);
                }
            });
        self.figures.ends += ends;
        self.figures.waiting_blocks += u64::from(self.meters.waiting_voices() > 0);
        let loudest = left
            .iter()
            .chain(&*right)
            .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!(
            loudest.is_finite(),
            "the instrument gave a sample that is no number"
        );
        self.figures.peak = self.figures.peak.max(loudest);
        activity
    }

    /// A number below `end` (0 if `end` is), from a fixed seed.
    fn random(&mut self, end: u32) -> u32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.seed) * u64::from(end)) >> 32) as u32
    }
}

fn address(note_id: i32, key: u8) -> NoteAddress {
    NoteAddress {
        note_id: Some(note_id),
        ..NoteAddress::midi(0, key)
    }
}

/// What no callback of the audio thread may do.
fn allocate(end: NoteEnd) {
    static KEPT: AtomicU64 = AtomicU64::new(0);
    let memory = std::hint::black_box(vec![end.offset_samples; 64]);
    KEPT.fetch_add(memory.len() as u64, Ordering::Relaxed);
}
