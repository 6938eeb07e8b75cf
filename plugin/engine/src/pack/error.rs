//! Why a pack could not be made: each in one sentence that names the file or the option.

use std::io;
use std::path::{Path, PathBuf};

use crate::pack::options::{OptionError, Shard};

/// Why a pack could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// An option makes no sense.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// There is no model, or a sound is not of it, or a decoder failed.
    #[error("{0}")]
    Render(String),
    /// All four corners are empty.
    #[error("all four corners of the preset are empty")]
    Empty,
    /// More samples than anyone could want.
    #[error("the pack would hold {found} samples; expected at most {most}")]
    TooMany {
        /// Samples that were asked for.
        found: usize,
        /// The most there can be.
        most: usize,
    },
    /// The system refuses to read.
    #[error("{}: cannot be read: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The system refuses to write: the disk is full, or the folder is not to be written to.
    #[error("{}: cannot be written: {source}", .file.display())]
    Write {
        /// The file or folder.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file of a pack is not what it should be.
    #[error("{}: {reason}", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What it is.
        reason: String,
    },
    /// The folder holds something else.
    #[error("{}: is there already and is not this pack; choose another folder, or remove it", .folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder beside it holds the beginning of another pack.
    #[error("{}: holds the beginning of another pack; remove it, or choose another folder", .folder.display())]
    OtherBeginning {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process is at it.
    #[error("{}: another betwixt is rendering this pack", .folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// Shards do not make up a pack.
    #[error("{}: {reason}", .folder.display())]
    Shards {
        /// The shard's folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Some shards were not given.
    #[error("shard {missing} was not given; expected all {} of them", .missing.of)]
    MissingShard {
        /// The first that was not.
        missing: Shard,
    },
    /// It was called off.
    #[error("called off; what was rendered is kept in {}, and the same command goes on from there", .folder.display())]
    Cancelled {
        /// Where the finished samples are.
        folder: PathBuf,
    },
}

impl PackError {
    pub(crate) fn read(file: &Path, source: io::Error) -> Self {
        Self::Read {
            file: file.into(),
            source,
        }
    }

    pub(crate) fn write(file: &Path, source: io::Error) -> Self {
        Self::Write {
            file: file.into(),
            source,
        }
    }
}
