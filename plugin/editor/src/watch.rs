//! Tells whether the audio thread or the engine did something that the window shows, so that a window in which nothing
//! moves need not be drawn. Runs on the librarian's thread.

use std::fmt;
use std::sync::Arc;

use betwixt_audio::meters::Meters;
use betwixt_audio::note::PatchId;
use betwixt_engine::instance::Instance;
use betwixt_engine::status::EngineStatus;

use crate::controls::Controls;

/// What was seen the last time.
#[derive(Debug, PartialEq)]
struct Seen {
    held_keys: u128,
    voices: u32,
    refused: u64,
    degraded: u64,
    patch: PatchId,
    status: EngineStatus,
    preset: Arc<str>,
    notice: Option<Arc<str>>,
}

/// Looks at what changes without the user's doing.
pub struct Watch {
    controls: Arc<dyn Controls>,
    instance: Arc<Instance>,
    meters: Arc<Meters>,
    seen: Option<Seen>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// A watch that has seen nothing yet.
    pub fn new(controls: Arc<dyn Controls>, instance: Arc<Instance>, meters: Arc<Meters>) -> Self {
        Self {
            controls,
            instance,
            meters,
            seen: None,
        }
    }

    /// Whether anything is other than at the last call.
    pub fn has_changed(&mut self) -> bool {
        let now = Seen {
            held_keys: self.meters.held_keys(),
            voices: self.meters.voices() + self.meters.waiting_voices(),
            refused: self.meters.refused(),
            degraded: self.meters.degraded(),
            patch: self.instance.patch().id(),
            status: self.instance.engine().status(),
            preset: self.controls.preset_name(),
            notice: self.controls.notice(),
        };
        let has_changed = self.seen.as_ref() != Some(&now);
        self.seen = Some(now);
        has_changed
    }
}
