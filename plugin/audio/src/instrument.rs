//! The instrument: what a host or a bounce drives, block by block.

use std::sync::Arc;

use crate::event::{Event, NoteEnd};
use crate::link::AudioEnd;
use crate::meters::Meters;
use crate::settings::Settings;

/// Plays rendered notes under MIDI.
#[derive(Debug)]
pub struct Instrument {
    end: AudioEnd,
    meters: Arc<Meters>,
}

/// What the instrument is doing after a block. Only [`Silent`](Self::Silent) lets a host stop calling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A voice sounds.
    Sounding,
    /// Nothing sounds, but a voice waits for its note.
    Waiting,
    /// Nothing sounds and nothing is awaited.
    Silent,
}

/// How an offline render waits for workers. Implemented outside this crate: waiting is a system call.
pub trait Patience {
    /// Blocks until a worker or the scheduler has published something since the last call returned (at once, if
    /// that already happened), or gives up after a bounded time and says `false`.
    fn wait_for_news(&self) -> bool;
}

impl Instrument {
    /// An instrument at the audio thread's end of a link. Call [`prepare`](Self::prepare) before the first block.
    pub fn new(end: AudioEnd, meters: Arc<Meters>) -> Self {
        Self { end, meters }
    }

    /// Sets the host's rate. Allocates; not for the audio thread while it runs. Any block size may follow, larger ones
    /// than `max_block_samples` too.
    pub fn prepare(&mut self, _sample_rate_hz: f64, _max_block_samples: usize) {}

    /// Silences everything at once; no note ends are told.
    ///
    /// # Realtime Safety
    /// This method is realtime-safe.
    pub fn reset(&mut self) {}

    /// Plays one block: overwrites `left` and `right` (of one length), and tells each note's end to `ended`.
    ///
    /// `events` are sorted by offset. With `patience` (offline only) voices get every sample they need, and the
    /// output is the same whatever the block sizes and the workers' speed; without, a missing note is silent until
    /// its first chunk is there.
    ///
    /// # Realtime Safety
    /// Without `patience` this method is realtime-safe.
    pub fn process(
        &mut self,
        left: &mut [f32],
        right: &mut [f32],
        _events: &[Event],
        _settings: &Settings,
        _patience: Option<&dyn Patience>,
        _ended: &mut dyn FnMut(NoteEnd),
    ) -> Activity {
        left.fill(0.0);
        right.fill(0.0);
        let _ = (&mut self.end, &self.meters);
        Activity::Silent
    }
}
