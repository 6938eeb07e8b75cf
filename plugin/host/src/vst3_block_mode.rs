//! Whether the block being played is offline by the VST3 host's word for this very block. Audio thread.
//!
//! A VST3 host says so twice: when it sets the processing up, which clap-wrapper passes on, and with each block,
//! which clap-wrapper 0.3.1 leaves unread. Ardour 7 says it only with the block, so that its exports would be
//! played live. On Linux `build.rs` has the linker lead clap-wrapper's call of its `ProcessAdapter::process`
//! through this file; elsewhere the set-up alone counts.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether an offline block was ever played. Until then the thread's own word is not looked at: its first use on a
/// thread may allocate.
static WAS_EVER_OFFLINE: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_OFFLINE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread plays a block that may take its time.
///
/// # Realtime Safety
/// Realtime-safe as long as no offline block was played.
pub fn is_offline() -> bool {
    WAS_EVER_OFFLINE.load(Ordering::Relaxed) && IS_OFFLINE.get()
}

/// Plays a block that may take its time.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn play_offline(block: impl FnOnce()) {
    WAS_EVER_OFFLINE.store(true, Ordering::Relaxed);
    let outer = IS_OFFLINE.replace(true);
    block();
    IS_OFFLINE.set(outer);
}

#[cfg(target_os = "linux")]
mod wrapped {
    use std::ffi::c_void;

    /// `Steinberg::Vst::ProcessModes::kOffline`.
    const OFFLINE: i32 = 2;

    /// The head of `Steinberg::Vst::ProcessData`.
    #[repr(C)]
    pub struct ProcessData {
        process_mode: i32,
    }

    unsafe extern "C" {
        /// `Clap::ProcessAdapter::process(Steinberg::Vst::ProcessData&)`
        #[link_name = "__real__ZN4Clap14ProcessAdapter7processERN9Steinberg3Vst11ProcessDataE"]
        fn process(adapter: *mut c_void, data: *mut ProcessData);
    }

    /// What clap-wrapper calls in its place.
    #[unsafe(export_name = "__wrap__ZN4Clap14ProcessAdapter7processERN9Steinberg3Vst11ProcessDataE")]
    unsafe extern "C" fn process_in_mode(adapter: *mut c_void, data: *mut ProcessData) {
        // SAFETY: clap-wrapper passes a reference to the host's data, whose first field is the mode.
        let mode = unsafe { (*data).process_mode };
        // SAFETY: passed on as it came.
        let play = || unsafe { process(adapter, data) };
        if mode == OFFLINE {
            super::play_offline(play)
        } else {
            play()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_plays_an_offline_block_is_offline() {
        assert!(!is_offline());
        play_offline(|| {
            assert!(is_offline());
            std::thread::scope(|scope| {
                scope.spawn(|| assert!(!is_offline()));
            });
            play_offline(|| assert!(is_offline()));
            assert!(is_offline());
        });
        assert!(!is_offline());
    }
}
