//! Figures of this process for hosts that test or measure: CLAP and VST3 have no place for them. Main thread.
//!
//! `betwixt_status` is exported from the plugin's library beside its entry points. It starts nothing: before the
//! first activation it tells that no model is loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use betwixt_audio::meters::Meters;
use betwixt_engine::engine::Engine;
use betwixt_engine::status::ModelStatus;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// How long is waited for figures that are fresh.
const FRESH: Duration = Duration::from_millis(200);

/// The meters of the instances there are.
static METERS: Mutex<Vec<Arc<Meters>>> = Mutex::new(Vec::new());
/// Underruns of the instances there were.
static PAST_UNDERRUNS: AtomicU64 = AtomicU64::new(0);
/// How often blends of the instances there were could not be followed finely.
static PAST_DEGRADED: AtomicU64 = AtomicU64::new(0);

/// An instance's place in the figures, given up when it goes.
#[derive(Debug)]
pub struct Counted(Arc<Meters>);

impl Counted {
    /// Counts an instance from now on.
    pub fn new(meters: &Arc<Meters>) -> Self {
        METERS.lock().push(Arc::clone(meters));
        Self(Arc::clone(meters))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        METERS.lock().retain(|meters| !Arc::ptr_eq(meters, &self.0));
        PAST_UNDERRUNS.fetch_add(self.0.underruns(), Ordering::Relaxed);
        PAST_DEGRADED.fetch_add(self.0.degraded(), Ordering::Relaxed);
    }
}

/// The figures: of the engine, and of all instances together.
pub fn status() -> Value {
    let engine = Engine::shared();
    engine.settle(FRESH);
    let status = engine.status();
    let (state, model, device, why) = match &status.model {
        ModelStatus::NotLoaded => ("not loaded", None, None, None),
        ModelStatus::Loading => ("loading", None, None, None),
        ModelStatus::Ready { tag, device, .. } => {
            ("ready", Some(tag.as_str()), Some(device.to_string()), None)
        }
        ModelStatus::Failed(why) => ("failed", None, None, Some(why.as_str())),
    };
    let meters = METERS.lock();
    let underruns: u64 = meters.iter().map(|meters| meters.underruns()).sum();
    let degraded: u64 = meters.iter().map(|meters| meters.degraded()).sum();
    json!({
        "model_state": state,
        "model": model,
        "device": device,
        "why": why,
        "realtime_factor": status.realtime_factor,
        "notes_rendered": status.notes_rendered,
        "notes_failed": status.notes_failed,
        "notes_cached": status.notes_cached,
        "notes_from_disk": status.notes_from_disk,
        "cache_bytes": status.cache_bytes,
        "last_failure": status.last_failure,
        "instances": meters.len(),
        "voices": meters.iter().map(|meters| meters.voices()).sum::<u32>(),
        "waiting_voices": meters.iter().map(|meters| meters.waiting_voices()).sum::<u32>(),
        "streams": meters.iter().map(|meters| meters.streams()).sum::<u32>(),
        "degraded": degraded + PAST_DEGRADED.load(Ordering::Relaxed),
        "underruns": underruns + PAST_UNDERRUNS.load(Ordering::Relaxed),
    })
}

/// Gives [`status`] as JSON text without a terminating zero: its length in bytes. The text is written only if
/// `capacity` holds it. Not for the audio thread.
///
/// # Safety
/// `buffer` has room for `capacity` bytes, or `capacity` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn betwixt_status(buffer: *mut u8, capacity: usize) -> usize {
    let text = status().to_string();
    if text.len() <= capacity {
        // SAFETY: the caller's promise; the text is this function's own.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer, text.len()) };
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_written_only_where_it_fits() {
        let mut buffer = [0_u8; 4096];
        // SAFETY: a capacity of 0 needs no buffer; then the buffer's own length.
        let (needed, written) = unsafe {
            (
                betwixt_status(std::ptr::null_mut(), 0),
                betwixt_status(buffer.as_mut_ptr(), buffer.len()),
            )
        };
        assert!(needed > 0 && written < buffer.len());
        let told: Value = serde_json::from_slice(&buffer[..written]).unwrap();
        assert_eq!(told["model_state"], "not loaded");
    }

    #[test]
    fn an_instance_is_counted_while_it_lives() {
        let meters = Arc::new(Meters::default());
        let counted = Counted::new(&meters);
        assert!(METERS.lock().iter().any(|other| Arc::ptr_eq(other, &meters)));
        drop(counted);
        assert!(!METERS.lock().iter().any(|other| Arc::ptr_eq(other, &meters)));
    }
}
