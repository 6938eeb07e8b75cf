//! What the window shows of the audio thread: atomics, written by one and read by the other.
//!
//! # Realtime Safety
//! Every method is wait-free; values of one block may be seen at different times.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The audio thread's meters. One a plugin instance, shared by `Arc`.
#[derive(Debug, Default)]
pub struct Meters {
    voices: AtomicU32,
    waiting_voices: AtomicU32,
    streams: AtomicU32,
    underruns: AtomicU64,
    degraded: AtomicU64,
    refused: AtomicU64,
    stolen: AtomicU64,
    peak_left: AtomicU32,
    peak_right: AtomicU32,
    load: AtomicU32,
    held_keys: [AtomicU64; 2],
}

impl Meters {
    /// Voices that sound, without those that only fade out after being stolen.
    pub fn voices(&self) -> u32 {
        self.voices.load(Relaxed)
    }

    /// Voices that wait for their note's first chunk, or for a worker they have caught up with.
    pub fn waiting_voices(&self) -> u32 {
        self.waiting_voices.load(Relaxed)
    }

    /// Voices that play a stream.
    pub fn streams(&self) -> u32 {
        self.streams.load(Relaxed)
    }

    /// How often a stream's blend was followed more coarsely, or not at all for a while, because the machine could not keep
    /// up, since the instance was made.
    pub fn degraded(&self) -> u64 {
        self.degraded.load(Relaxed)
    }

    /// How often a voice caught up with its worker, since the instance was made.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Relaxed)
    }

    /// Notes that ended because their audio was refused or failed, since the instance was made.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Voices stolen for a newer note, since the instance was made.
    pub fn stolen(&self) -> u64 {
        self.stolen.load(Relaxed)
    }

    /// The highest absolute sample of (left, right) since the last call. For one reader.
    pub fn take_peaks(&self) -> (f32, f32) {
        let take = |peak: &AtomicU32| f32::from_bits(peak.swap(0, Relaxed));
        (take(&self.peak_left), take(&self.peak_right))
    }

    /// The share of real time that the host's `process` call took, smoothed; 1.0 is all of it.
    pub fn load(&self) -> f32 {
        f32::from_bits(self.load.load(Relaxed))
    }

    /// Sets [`load`](Self::load): the plugin measures it around its whole `process`.
    pub fn set_load(&self, share: f32) {
        self.load.store(share.to_bits(), Relaxed);
    }

    /// The keys held down: bit `k` is MIDI key `k`.
    pub fn held_keys(&self) -> u128 {
        u128::from(self.held_keys[1].load(Relaxed)) << 64 | u128::from(self.held_keys[0].load(Relaxed))
    }

    pub(crate) fn set_voices(&self, voices: u32, waiting: u32) {
        self.voices.store(voices, Relaxed);
        self.waiting_voices.store(waiting, Relaxed);
    }

    pub(crate) fn set_held_keys(&self, keys: u128) {
        self.held_keys[0].store(keys as u64, Relaxed);
        self.held_keys[1].store((keys >> 64) as u64, Relaxed);
    }

    pub(crate) fn set_streams(&self, streams: u32) {
        self.streams.store(streams, Relaxed);
    }

    pub(crate) fn count_degraded(&self) {
        self.degraded.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_underrun(&self) {
        self.underruns.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_stolen(&self) {
        self.stolen.fetch_add(1, Relaxed);
    }

    /// Joins the block's peaks to those not yet taken. Bits of non-negative floats order as the floats do.
    pub(crate) fn raise_peaks(&self, left: f32, right: f32) {
        self.peak_left.fetch_max(left.abs().to_bits(), Relaxed);
        self.peak_right.fetch_max(right.abs().to_bits(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_stays_until_it_is_taken() {
        let meters = Meters::default();
        meters.raise_peaks(0.5, 0.25);
        meters.raise_peaks(0.1, 0.75);
        assert_eq!(meters.take_peaks(), (0.5, 0.75));
        assert_eq!(meters.take_peaks(), (0.0, 0.0));
    }

    #[test]
    fn held_keys_span_the_whole_keyboard() {
        let meters = Meters::default();
        meters.set_held_keys(1 | 1 << 60 | 1 << 127);
        assert_eq!(meters.held_keys(), 1 | 1 << 60 | 1 << 127);
    }
}
