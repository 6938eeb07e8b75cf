//! What an instance keeps of the window's work while no window is open: imports, packs, and what can be undone.
//!
//! Window and librarian's thread; each lock is held for moments. Dropping it calls off what runs and waits for that.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::history::{History, Kept};
use crate::import_bench::ImportBench;
use crate::pack_bench::PackBench;

/// The benches of one instance.
#[derive(Debug, Default)]
pub struct Workshop {
    /// Recordings that become sounds.
    pub(crate) imports: Mutex<ImportBench>,
    /// Packs that are rendered.
    pub(crate) packs: Mutex<PackBench>,
    /// What can be undone.
    pub(crate) history: Mutex<History>,
    /// The preset that the instance was given last, as it is kept.
    pub(crate) kept: Mutex<Option<Arc<Kept>>>,
}
