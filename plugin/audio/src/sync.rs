//! The primitives that [`crate::rendered_note`] is built on: the standard library's, or, in a model
//! (`--cfg loom`), ones that let loom try every interleaving.

#[cfg(not(loom))]
pub use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, AtomicUsize},
};

#[cfg(loom)]
pub use loom::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize},
};

/// Stands in for the standard `OnceLock` in loom's models, *without* its own ordering: loom then proves
/// that the published length alone orders a chunk's samples before any read of them.
#[cfg(loom)]
#[derive(Debug)]
pub struct OnceLock<T>(loom::cell::UnsafeCell<Option<T>>);

#[cfg(loom)]
impl<T> OnceLock<T> {
    pub fn new() -> Self {
        Self(loom::cell::UnsafeCell::new(None))
    }

    pub fn get(&self) -> Option<&T> {
        // SAFETY: only in models. loom panics if this read is not ordered after the one write.
        self.0.with(|cell| unsafe { (*cell).as_ref() })
    }

    pub fn set(&self, value: T) -> Result<(), T> {
        // SAFETY: only in models. loom panics if any other access is concurrent with this write.
        self.0.with_mut(|cell| unsafe { *cell = Some(value) });
        Ok(())
    }
}

// SAFETY: only in models, where loom checks every access to the cell.
#[cfg(loom)]
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
