//! Why an import could not go on: each in one sentence that names the file or folder.

use std::path::PathBuf;

/// Why an import could not begin, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no recording in all that was named.
    #[error("{found}: holds no recording; expected WAV, AIFF, FLAC, MP3 or OGG Vorbis")]
    Nothing {
        /// What was named.
        found: String,
    },
    /// A hint makes no sense, there is no model, or the system gives no thread.
    #[error("{0}")]
    Begin(String),
    /// A folder or file cannot be written: the disk is full, or it is not to be written to.
    #[error("{}: cannot be written: {source}{}", .file.display(), kept(.finished))]
    Write {
        /// The folder or file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// Sounds that were finished, and stay.
        finished: usize,
    },
}

fn kept(finished: &usize) -> String {
    match finished {
        0 => String::new(),
        1 => "; 1 sound that was finished is kept".into(),
        more => format!("; {more} sounds that were finished are kept"),
    }
}
