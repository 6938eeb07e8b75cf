//! The main-thread side of one plugin instance: its sounds, and its place with the engine.
//!
//! Main thread and window only. Making one is cheap (no thread, no file, no model), as a scan may do it;
//! activating it starts the engine. Dropping the last instance of the process ends the engine's threads.

use std::sync::Arc;
use std::time::Duration;

use betwixt_audio::grid::Grid;
use betwixt_audio::link::{AudioEnd, link};
use betwixt_audio::note::Strike;
use parking_lot::Mutex;

use crate::command_queue::Command;
use crate::engine::Engine;
use crate::patch::Patch;
use crate::patience::OfflinePatience;

/// How long the main thread waits at most until the scheduler has passed on what it was told.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Names an instance within the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct InstanceId(pub(crate) u64);

/// One instance of the plugin.
#[derive(Debug)]
pub struct Instance {
    engine: Arc<Engine>,
    id: InstanceId,
    patch: Mutex<Arc<Patch>>,
    watch: Arc<KeyWatch>,
    grid: Mutex<Grid>,
}

impl Instance {
    /// A new instance with empty corners, and the end of its link for the audio thread.
    pub fn new(engine: &Arc<Engine>) -> (Self, AudioEnd) {
        let (audio, end) = link();
        let id = engine.next_instance();
        let watch = Arc::new(KeyWatch::default());
        engine.send(Command::Register {
            id,
            end,
            watch: Arc::clone(&watch),
        });
        let instance = Self {
            engine: Arc::clone(engine),
            id,
            patch: Mutex::default(),
            watch,
            grid: Mutex::default(),
        };
        (instance, audio)
    }

    /// The audio thread is about to run: starts the engine's threads if they do not, and the loading of the model in
    /// the background. Everything told before is in effect when this returns.
    pub fn activate(&self) {
        self.engine.start();
        self.engine.send(Command::Activate(self.id, true));
        self.engine.settle(SETTLE_TIMEOUT);
    }

    /// The audio thread no longer runs.
    pub fn deactivate(&self) {
        self.engine.send(Command::Activate(self.id, false));
    }

    /// Puts other sounds into the corners, for notes struck from now on. Where the audio thread runs, the patch is on
    /// its way to it when this returns, so that a bounce's first note has it.
    pub fn set_patch(&self, patch: Patch) {
        let patch = Arc::new(patch);
        *self.patch.lock() = Arc::clone(&patch);
        self.engine.send(Command::SetPatch(self.id, patch));
        self.engine.settle(SETTLE_TIMEOUT);
    }

    /// The sounds in the corners.
    pub fn patch(&self) -> Arc<Patch> {
        Arc::clone(&self.patch.lock())
    }

    /// What would play at once if struck with this. Told by the scheduler some twenty times a second for what was last asked
    /// for; ask again.
    pub fn readiness(&self, strike: Strike) -> Readiness {
        self.watch.ask(strike);
        self.watch.told()
    }

    /// Chooses the places of the pad that a slow model's notes are rendered at. Others' do not depend on it.
    pub fn set_grid(&self, grid: Grid) {
        *self.grid.lock() = grid;
        self.engine.send(Command::SetGrid(self.id, grid));
    }

    /// The places of the pad that a slow model's notes are rendered at.
    pub fn grid(&self) -> Grid {
        *self.grid.lock()
    }

    /// What an offline rendering of this instance waits with.
    pub fn offline_patience(&self) -> OfflinePatience {
        self.engine.offline_patience()
    }

    /// The engine that it plays with.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.engine.send(Command::Unregister(self.id));
    }
}

/// What can be played at once.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Readiness {
    /// Keys: bit `k` is MIDI key `k`.
    pub keys: u128,
    /// The grid that the model's notes are rendered at, if it is a slow one. All that follows is of that.
    pub grid: Option<Grid>,
    /// Cells whose note of the pitch struck last is there: bit `row * side + column`, from the bottom left.
    pub cells: u128,
    /// Pitches of the grid that are not there for this blend.
    pub pitches_missing: usize,
    /// Seconds until all pitches of this blend are there, about.
    pub seconds_to_go: Option<f32>,
}

/// The question which keys are ready, and the scheduler's answer.
#[derive(Debug, Default)]
pub(crate) struct KeyWatch {
    strike: Mutex<Option<Strike>>,
    readiness: Mutex<Readiness>,
}

impl KeyWatch {
    fn ask(&self, strike: Strike) {
        *self.strike.lock() = Some(strike);
    }

    fn told(&self) -> Readiness {
        *self.readiness.lock()
    }

    /// What the window asks for, if it ever did.
    pub(crate) fn strike(&self) -> Option<Strike> {
        *self.strike.lock()
    }

    /// Answers.
    pub(crate) fn tell(&self, readiness: Readiness) {
        *self.readiness.lock() = readiness;
    }
}
