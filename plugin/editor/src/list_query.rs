//! What a list of sounds or presets is asked for, and what was found. Plain data.

use std::path::PathBuf;
use std::sync::Arc;

use betwixt_engine::library::entry::EntryId;
use betwixt_engine::library::entry::Filter;

/// Rows that a list has at most.
pub const MOST_ROWS: usize = 5_000;

/// What sounds are compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Like {
    /// A sound of the lists.
    Entry(EntryId),
    /// The sound in a corner, 0..4.
    Corner(usize),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// What was typed.
    pub text: String,
    /// What all rows have; it says too whether sounds or presets are meant.
    pub filter: Filter,
    /// Nearest to this first, with its name; not searched by text then.
    pub like: Option<(Like, String)>,
}

impl ListQuery {
    /// All sounds.
    pub fn sounds() -> Self {
        Self {
            text: String::new(),
            filter: Filter::sounds(),
            like: None,
        }
    }

    /// All presets.
    pub fn presets() -> Self {
        Self {
            filter: Filter::presets(),
            ..Self::sounds()
        }
    }
}

/// One row of a list to pick from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// What it stands for.
    pub id: EntryId,
    /// What the row is called.
    pub name: String,
    /// A word or two beside the name.
    pub detail: String,
    /// More, for the text under the pointer.
    pub about: String,
    /// Whether it is marked as a favourite.
    pub is_favourite: bool,
    /// Whether it is the user's own.
    pub is_user: bool,
    /// Its file.
    pub file: PathBuf,
}

/// What a list holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What was asked for.
    pub query: ListQuery,
    /// The rows, best first.
    pub rows: Arc<[ListRow]>,
}

impl Default for Found {
    /// Nothing yet, of all sounds.
    fn default() -> Self {
        Self {
            query: ListQuery::sounds(),
            rows: Arc::default(),
        }
    }
}
