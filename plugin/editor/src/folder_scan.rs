//! Looks through the folders of sounds and presets for what is new, beside the librarian. A background thread while it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use betwixt_engine::library::LibraryError;
use betwixt_engine::library::index::Index;
use betwixt_engine::library::rescan::{RescanProgress, RescanReport};

/// A scan that is under way. Dropping it calls it off and waits.
#[derive(Debug)]
pub struct FolderScan {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<RescanReport, LibraryError>>>,
}

#[derive(Debug, Default)]
struct Shared {
    cancel: AtomicBool,
    done: AtomicUsize,
    total: AtomicUsize,
}

impl FolderScan {
    /// Begins.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(index: Arc<Index>) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let its = Arc::clone(&shared);
        let scan = move || {
            let mut tell = |progress: RescanProgress| {
                its.done.store(progress.done, Ordering::Relaxed);
                its.total.store(progress.total, Ordering::Relaxed);
            };
            index.rescan(&mut tell, &its.cancel)
        };
        let thread = thread::Builder::new().name("betwixt-scan".into()).spawn(scan)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Files done, and in all; 0 of 0 before it knows.
    pub fn progress(&self) -> (usize, usize) {
        let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (load(&self.shared.done), load(&self.shared.total))
    }

    /// Whether [`join`](Self::join) will not wait.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What came of it; none if it panicked.
    pub fn join(mut self) -> Option<Result<RescanReport, LibraryError>> {
        self.thread.take()?.join().ok()
    }
}

impl Drop for FolderScan {
    fn drop(&mut self) {
        self.shared.cancel.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panicked if this fails, and the panic hook has told.
            let _ = thread.join();
        }
    }
}
