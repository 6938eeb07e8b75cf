//! Playing a score through an instance and keeping what comes back.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clack_host::events::io::EventBuffer;
use clack_host::process::ProcessStatus;

use crate::instance::{Instance, NoteEnd};
use crate::score::Score;

/// What an instance played.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Left channel.
    pub left: Vec<f32>,
    /// Right channel.
    pub right: Vec<f32>,
    /// Notes that ended, by the sample of the recording at which they did.
    pub note_ends: Vec<(usize, NoteEnd)>,
    /// Blocks after which the plugin allowed the host to stop calling it (for ever, or while it is quiet).
    pub may_sleep: Vec<bool>,
    /// The plugin's time for each block.
    pub block_times: Vec<Duration>,
}

/// Who sets the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The next block follows at once.
    Unlimited,
    /// A block is asked for when a sound card would ask for it.
    SoundCard,
}

impl Recording {
    /// Plays the score once through in blocks of `block_samples` (the last one may be shorter).
    ///
    /// # Errors
    ///
    /// If the instance is not active at the score's rate, or fails.
    pub fn of(instance: &mut Instance, score: &Score, block_samples: usize, pace: Pace) -> Result<Self> {
        let rate = instance.sample_rate_hz().context("the instance is not active")?;
        anyhow::ensure!(
            rate == score.sample_rate_hz(),
            "a score at {} Hz for an instance at {rate} Hz",
            score.sample_rate_hz()
        );
        let length = score.length_samples();
        let mut recording = Self {
            left: vec![0.0; length],
            right: vec![0.0; length],
            ..Self::default()
        };
        let (mut events, mut ends) = (EventBuffer::new(), Vec::new());
        let started = Instant::now();
        for start in (0..length).step_by(block_samples) {
            let end = (start + block_samples).min(length);
            if pace == Pace::SoundCard {
                let due = started + Duration::from_secs_f64(start as f64 / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            score.block(start, end, &mut events);
            let (left, right) = (&mut recording.left[start..end], &mut recording.right[start..end]);
            let called = Instant::now();
            let status = instance.process(&events, left, right, &mut ends)?;
            recording.block_times.push(called.elapsed());
            recording.may_sleep.push(status != ProcessStatus::Continue);
            recording.note_ends.extend(
                ends.drain(..)
                    .map(|end| (start + end.offset_samples as usize, end)),
            );
        }
        Ok(recording)
    }

    /// Whether two recordings are the same to the last bit.
    pub fn is_identical_to(&self, other: &Self) -> bool {
        let bits = |samples: &[f32]| samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
        bits(&self.left) == bits(&other.left) && bits(&self.right) == bits(&other.right)
    }

    /// Index of the first sample at which two recordings differ, if they do.
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let differs = |a: &[f32], b: &[f32]| a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits());
        let unequal = (self.left.len() != other.left.len()).then(|| self.left.len().min(other.left.len()));
        [
            differs(&self.left, &other.left),
            differs(&self.right, &other.right),
            unequal,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Panics if a sample is not finite or is subnormal: neither may leave a plugin.
    pub fn assert_sound_numbers(&self) {
        for (channel, samples) in [("left", &self.left), ("right", &self.right)] {
            let bad = samples
                .iter()
                .position(|sample| !sample.is_finite() || sample.is_subnormal());
            assert_eq!(
                bad,
                None,
                "{channel}: sample {:?}",
                bad.map(|index| samples[index])
            );
        }
    }
}
