//! What an instance, or all of them, went through.

use std::time::Duration;

use crate::weather::Weather;

/// Counts of what happened.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub blocks: u64,
    pub offline_blocks: u64,
    pub live: Duration,
    pub struck: u64,
    pub ended: u64,
    pub stray: u64,
    pub silenced: u64,
    pub lost: u64,
    pub streams: u64,
    pub waiting_blocks: u64,
    /// By weather.
    pub underruns: [u64; Weather::COUNT],
    pub degraded: u64,
    pub refused: u64,
    pub stolen: u64,
    pub rate_changes: u64,
    /// Audio threads without a host's priority: this user may not give it.
    pub ordinary_threads: u64,
    /// Calls of the sound card's that came more than a block late: the machine was busy elsewhere.
    pub late_calls: u64,
    pub worst_block: WorstBlock,
    pub not_finite: u64,
    pub peak: f32,
}

/// The block that took the greatest part of the time it plays.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorstBlock {
    pub took: Duration,
    pub plays: Duration,
}

impl WorstBlock {
    /// Its part of real time.
    pub fn share(&self) -> f64 {
        if self.plays.is_zero() {
            return 0.0;
        }
        self.took.as_secs_f64() / self.plays.as_secs_f64()
    }

    pub fn or(self, other: Self) -> Self {
        if other.share() > self.share() { other } else { self }
    }
}

impl Figures {
    pub fn add(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.offline_blocks += other.offline_blocks;
        self.live += other.live;
        self.struck += other.struck;
        self.ended += other.ended;
        self.stray += other.stray;
        self.silenced += other.silenced;
        self.lost += other.lost;
        self.streams += other.streams;
        self.waiting_blocks += other.waiting_blocks;
        for (sum, underruns) in self.underruns.iter_mut().zip(other.underruns) {
            *sum += underruns;
        }
        self.degraded += other.degraded;
        self.refused += other.refused;
        self.stolen += other.stolen;
        self.rate_changes += other.rate_changes;
        self.ordinary_threads += other.ordinary_threads;
        self.late_calls += other.late_calls;
        self.worst_block = self.worst_block.or(other.worst_block);
        self.not_finite += other.not_finite;
        self.peak = self.peak.max(other.peak);
    }

    pub fn underruns_in(&self, weather: Weather) -> u64 {
        self.underruns[weather as usize]
    }
}
