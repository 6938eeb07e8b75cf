//! Recordings into sounds, one or thousands: files and folders, with progress, calling off, and a report.
//!
//! Background threads; [`ImportJob`] is made and looked at by whoever wants the sounds, the window or the command line. A file
//! that makes no sound is reported with its reason, and the rest goes on. Each sound is written whole, under a name that no other
//! content had: nothing of the user's is written over. What is finished stays, whatever happens; the same import begun again does
//! the rest ([`journal`]), after `kill -9` too.

mod error;
mod job;
pub mod journal;
mod shelf;
mod walk;
mod work;

use std::path::PathBuf;

pub use error::ImportError;
pub use job::{ImportJob, ImportProgress, ImportStage};

use crate::encode::{Hints, Label};

/// What is to be imported, and where to.
#[derive(Debug, Clone)]
pub struct ImportOrder {
    /// Files, and folders that are walked through.
    pub sources: Vec<PathBuf>,
    /// The folder that the sounds go to; made if it is not there.
    pub output: PathBuf,
    /// What is known of each recording.
    pub hints: Hints,
    /// What each sound is labelled with. The name counts where there is one recording; otherwise each has its file's.
    pub label: Label,
    /// Folder of the model; none for the shipped one.
    pub model: Option<PathBuf>,
    /// Threads that encode, at least 1.
    pub threads: usize,
}

impl ImportOrder {
    /// By the shipped model, on one thread, with all found and nothing but the files' names for labels.
    pub fn of(sources: Vec<PathBuf>, output: PathBuf) -> Self {
        Self {
            sources,
            output,
            hints: Hints::default(),
            label: Label::default(),
            model: None,
            threads: 1,
        }
    }
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportReport {
    /// The sounds, in the order of their sources.
    pub sounds: Vec<ImportedSound>,
    /// What made none, in the order of the sources.
    pub failures: Vec<ImportRemark>,
    /// What of a multisample that did was left out, or was heard to be otherwise than it is mapped.
    pub remarks: Vec<ImportRemark>,
    /// Whether it was called off before all was done.
    pub was_cancelled: bool,
    /// Seconds that it took.
    pub wall_seconds: f64,
}

/// A sound that is there now.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedSound {
    /// The recording.
    pub source: PathBuf,
    /// The sound.
    pub file: PathBuf,
    /// Whether it was there from an earlier import.
    pub was_there: bool,
    /// The pitch that it was recorded at, as a MIDI note number.
    pub pitch: f32,
    /// How sure the pitch is, 0 to 1; none if it was given or not looked for now.
    pub confidence: Option<f32>,
    /// Whether it has no pitch, and is played by transposition.
    pub is_unpitched: bool,
}

/// What there is to say of something that was to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRemark {
    /// The file or folder.
    pub source: PathBuf,
    /// What, and why, in one sentence that names it.
    pub reason: String,
}
