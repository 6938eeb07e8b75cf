//! Instruments on one audio thread, at a sound card's pace.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::instrument::{Activity, Instrument};
use betwixt_audio::meters::Meters;
use betwixt_audio::settings::Settings;
use betwixt_engine::engine::{Engine, EngineOptions};
use betwixt_engine::instance::Instance;
use betwixt_engine::patch::Patch;
use betwixt_tests::{audio_priority, factory};

pub const RATE_HZ: f64 = 48_000.0;
/// The block that is measured with unless another is.
pub const BLOCK: usize = 128;

/// An engine with the shipped model, loaded.
pub fn engine(workers: usize) -> Result<Arc<Engine>> {
    let engine = Engine::new(EngineOptions {
        workers,
        ..EngineOptions::default()
    });
    let (instance, _end) = Instance::new(&engine);
    instance.activate();
    factory::wait_for_model(&engine)?;
    Ok(engine)
}

/// The sound card: says when a block is due. While it lives its thread has a host's priority, where that is granted.
#[derive(Debug)]
pub struct SoundCard {
    due: Instant,
    plays: Duration,
    /// Blocks that the machine came to more than a block late, being busy elsewhere.
    pub late: u64,
    /// Whether the thread has the priority that hosts give.
    is_real_time: bool,
}

impl SoundCard {
    /// One that asks for blocks of so many samples.
    pub fn start(block: usize) -> Self {
        Self {
            due: Instant::now(),
            plays: Duration::from_secs_f64(block as f64 / RATE_HZ),
            late: 0,
            is_real_time: audio_priority::take(),
        }
    }

    /// Waits for the next block's time.
    pub fn next_block(&mut self) {
        let now = Instant::now();
        if now > self.due + self.plays {
            self.late += 1;
            self.due = now;
        }
        thread::sleep(self.due.saturating_duration_since(now));
        self.due += self.plays;
    }
}

impl SoundCard {
    /// How well it was kept up with, in words.
    pub fn detail(&self) -> String {
        let priority = if self.is_real_time {
            "real-time"
        } else {
            "ordinary"
        };
        format!("{} late blocks, {priority} priority", self.late)
    }
}

impl Drop for SoundCard {
    fn drop(&mut self) {
        if self.is_real_time {
            audio_priority::give_back();
        }
    }
}

/// An instance and its instrument.
#[derive(Debug)]
pub struct Player {
    // Its place with the engine, as long as it plays.
    _instance: Instance,
    pub meters: Arc<Meters>,
    pub settings: Settings,
    /// The last block.
    pub left: Vec<f32>,
    right: Vec<f32>,
    instrument: Instrument,
}

impl Player {
    /// One that plays blocks of so many samples.
    pub fn new(engine: &Arc<Engine>, patch: Patch, block: usize) -> Self {
        let (instance, end) = Instance::new(engine);
        let meters = Arc::new(Meters::default());
        let mut instrument = Instrument::new(end, Arc::clone(&meters));
        instrument.prepare(RATE_HZ);
        instance.set_patch(patch);
        instance.activate();
        Self {
            _instance: instance,
            meters,
            settings: Settings {
                release_ms: 30.0,
                ..Settings::default()
            },
            left: vec![0.0; block],
            right: vec![0.0; block],
            instrument,
        }
    }

    /// Plays a block, at whose beginning the events happen.
    pub fn block(&mut self, events: &[EventKind]) -> Activity {
        let events: Vec<Event> = events
            .iter()
            .map(|kind| Event {
                offset_samples: 0,
                kind: *kind,
            })
            .collect();
        self.instrument.process(
            &mut self.left,
            &mut self.right,
            &events,
            &self.settings,
            None,
            &mut |_| {},
        )
    }

    /// Lets all keys go and plays on until nothing sounds.
    pub fn fall_silent(&mut self, card: &mut SoundCard) -> Result<()> {
        let began = Instant::now();
        let mut activity = self.block(&[EventKind::AllNotesOff]);
        while activity != Activity::Silent {
            ensure!(began.elapsed() < Duration::from_secs(10), "a note does not end");
            card.next_block();
            activity = self.block(&[]);
        }
        Ok(())
    }
}

/// A key is struck.
pub fn note_on(key: u8) -> EventKind {
    EventKind::NoteOn {
        address: NoteAddress::midi(0, key),
        velocity: 0.8,
    }
}

/// Blocks of so many samples in a time.
pub fn blocks(seconds: f64, block: usize) -> u64 {
    (seconds * RATE_HZ / block as f64).round() as u64
}
