//! What the engine says of itself, for the window, the command line and the tests.
//!
//! The scheduler writes it about twenty times a second; any thread but the audio thread reads a copy.

use parking_lot::Mutex;

use crate::runtime::provider::{Provider, Refusal};

/// The model of the process.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ModelStatus {
    /// No instance has been active yet.
    #[default]
    NotLoaded,
    /// Being loaded in the background; notes wait for it.
    Loading,
    /// Ready to play.
    Ready {
        /// Name and version.
        tag: String,
        /// What computes it.
        device: Provider,
        /// Why other devices are not used.
        refusals: Vec<Refusal>,
        /// Seconds that a second of a note takes, if its notes are rendered ahead; none if it is played as it renders.
        slowness: Option<f32>,
    },
    /// Nothing new is played, for this reason.
    Failed(String),
}

/// What the engine says of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EngineStatus {
    /// The model.
    pub model: ModelStatus,
    /// Render threads.
    pub workers: usize,
    /// Seconds of audio that a worker renders in a second, measured on what it rendered so far.
    pub realtime_factor: Option<f32>,
    /// Memory that rendered notes take.
    pub cache_bytes: usize,
    /// Memory that rendered notes may take.
    pub cache_budget_bytes: usize,
    /// Notes that can be played at once.
    pub notes_cached: usize,
    /// Voices that notes are rendered for each by itself.
    pub streams: usize,
    /// Notes that wait for a worker.
    pub rendering: usize,
    /// Notes that rendering was begun of, since the engine started.
    pub notes_rendered: u64,
    /// Notes whose rendering failed, since the engine started.
    pub notes_failed: u64,
    /// Notes that came whole from the disk, since the engine started.
    pub notes_from_disk: u64,
    /// Samples rendered since the engine started, at the model's rate.
    pub rendered_samples: u64,
    /// Why the last note that was refused or failed was.
    pub last_failure: Option<String>,
}

/// Where the scheduler leaves the status.
#[derive(Debug, Default)]
pub(crate) struct StatusBoard(Mutex<EngineStatus>);

impl StatusBoard {
    /// Replaces the status.
    pub(crate) fn write(&self, status: &EngineStatus) {
        self.0.lock().clone_from(status);
    }

    /// The status as it was last written.
    pub(crate) fn read(&self) -> EngineStatus {
        self.0.lock().clone()
    }
}
