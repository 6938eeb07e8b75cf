//! When a voice says what its next chunk is to sound like, and how many chunks at once.
//!
//! Runs on the audio thread. A voice looks every 64 of its samples, counted from its own beginning, so neither blocks nor
//! runs decide which timbre a chunk gets: two bounces ask for the same. A chunk is asked for as late as a worker can bear,
//! for the blend to be heard soon; live, a worker that cannot bear it is given longer chunks.

use crate::limits::{SHARED_NOTE_SECONDS, STEERING_SAMPLES};
use crate::timbre::TimbreCell;
use crate::track::coarser;

/// Controls in time until a voice dares a finer stride.
const CONTROLS_UNTIL_FINER: u32 = 48;
/// Chunks until a stream that was refused is asked for again.
const CHUNKS_UNTIL_RETRY: usize = 48;

/// The asking of one voice.
#[derive(Clone, Copy, Debug)]
pub struct Steering {
    /// Output samples since the voice began.
    age_samples: u64,
    /// The age up to which it has looked.
    looked_until: u64,
    /// The first chunk that has no timbre yet.
    next_chunk: usize,
    stride_chunks: u8,
    in_time: u32,
    retry_chunk: usize,
}

impl Steering {
    /// A note's first chunk has the timbre it was struck with.
    pub fn start() -> Self {
        Self {
            age_samples: 0,
            looked_until: 0,
            next_chunk: 1,
            stride_chunks: 1,
            in_time: 0,
            retry_chunk: 0,
        }
    }

    /// The next sample from now at which to look, if it lies within `samples`; each comes once.
    pub fn next_look(&mut self, samples: usize) -> Option<usize> {
        let grid = STEERING_SAMPLES as u64;
        let at = self.looked_until.max(self.age_samples).div_ceil(grid) * grid;
        if at >= self.age_samples + samples as u64 {
            return None;
        }
        self.looked_until = at + 1;
        Some((at - self.age_samples) as usize)
    }

    /// There was no room to say what it saw: the last look comes again.
    pub fn look_again(&mut self) {
        self.looked_until = self.looked_until.saturating_sub(1);
    }

    /// The chunk that is due when audio up to `sample` must have been asked for.
    pub fn due(&self, sample: usize, chunk_samples: usize) -> Option<usize> {
        (self.next_chunk * chunk_samples <= sample).then_some(self.next_chunk)
    }

    /// Chunks of the next control.
    pub fn stride_chunks(&self) -> u8 {
        self.stride_chunks
    }

    /// The chunk that is due goes as the rendered note has it.
    pub fn pass(&mut self) {
        self.next_chunk += 1;
    }

    /// A control was sent for the chunk that was due.
    pub fn sent(&mut self) {
        self.next_chunk += usize::from(self.stride_chunks);
    }

    /// The worker is not done with what was asked for before: longer chunks. Says whether there are longer ones.
    pub fn is_late(&mut self) -> bool {
        self.in_time = 0;
        let coarse = coarser(self.stride_chunks);
        let changes = coarse != self.stride_chunks;
        self.stride_chunks = coarse;
        changes
    }

    /// The worker is in time: shorter chunks after a while.
    pub fn is_in_time(&mut self) {
        self.in_time += 1;
        if self.in_time >= CONTROLS_UNTIL_FINER && self.stride_chunks > 1 {
            (self.in_time, self.stride_chunks) = (0, self.stride_chunks / 2);
        }
    }

    /// Whether a voice whose timbre is `wanted` must leave its rendered note at the chunk that is due.
    pub fn must_fork(
        &self,
        struck: TimbreCell,
        wanted: TimbreCell,
        is_ending: bool,
        note_hz: u32,
        chunk_samples: usize,
    ) -> bool {
        let last_shared = SHARED_NOTE_SECONDS * note_hz as usize / chunk_samples;
        let wants = wanted != struck || is_ending || self.next_chunk >= last_shared;
        wants && self.next_chunk >= self.retry_chunk
    }

    /// No stream came: not again at once.
    pub fn was_refused(&mut self) {
        self.retry_chunk = self.next_chunk + CHUNKS_UNTIL_RETRY;
        self.stride_chunks = 1;
    }

    /// The voice has played on.
    pub fn advance(&mut self, samples: usize) {
        self.age_samples += samples as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(runs: &[usize]) -> Vec<u64> {
        let mut steering = Steering::start();
        let mut all = Vec::new();
        for run in runs {
            while let Some(at) = steering.next_look(*run) {
                all.push(steering.age_samples + at as u64);
            }
            steering.advance(*run);
        }
        all
    }

    #[test]
    fn a_voice_looks_at_the_same_moments_however_time_is_cut() {
        let whole = looks(&[512]);
        assert_eq!(whole, (0..512).step_by(64).collect::<Vec<u64>>());
        assert_eq!(looks(&[1; 512]), whole);
        assert_eq!(looks(&[100, 128, 128, 128, 28]), whole);
    }

    #[test]
    fn a_late_worker_gets_longer_chunks_and_later_shorter_ones() {
        let mut steering = Steering::start();
        assert!(steering.is_late() && steering.is_late() && steering.is_late());
        assert!(!steering.is_late());
        assert_eq!(steering.stride_chunks(), 8);
        (0..3 * CONTROLS_UNTIL_FINER).for_each(|_| steering.is_in_time());
        assert_eq!(steering.stride_chunks(), 1);
    }
}
