//! Whether the memory of the process grows: its size every second, the first quarter against the last.

use std::time::{Duration, Instant};

use anyhow::Result;
use betwixt_tests::process;

/// Growth from the first quarter's median to the last's that still counts as flat: allocators keep freed memory.
const FLAT_MB: f64 = 32.0;
/// The cache fills up first.
const WARM_UP: Duration = Duration::from_secs(60);
/// A quarter must be long enough to see instances come and go.
const SHORTEST_JUDGED: Duration = Duration::from_secs(5 * 60);

/// What the memory was.
#[derive(Debug)]
pub struct Memory {
    began: Instant,
    next: Instant,
    /// In megabytes, with when.
    sizes: Vec<(Duration, f64)>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    pub first_mb: f64,
    pub last_mb: f64,
    /// None where the run was too short to tell.
    pub is_flat: Option<bool>,
}

impl Memory {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            next: now,
            sizes: Vec::new(),
        }
    }

    /// Looks, once a second.
    pub fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        if now >= self.next {
            self.next = now + Duration::from_secs(1);
            let mb = process::resident_bytes()? as f64 / 1e6;
            self.sizes.push((now - self.began, mb));
        }
        Ok(())
    }

    pub fn last_mb(&self) -> f64 {
        self.sizes.last().map_or(0.0, |(_, mb)| *mb)
    }

    pub fn growth(&self) -> Growth {
        growth(&self.sizes)
    }
}

fn growth(sizes: &[(Duration, f64)]) -> Growth {
    let length = sizes.last().map_or(Duration::ZERO, |(at, _)| *at);
    let judged = length >= SHORTEST_JUDGED;
    let warm = if judged { WARM_UP } else { Duration::ZERO };
    let sizes: Vec<f64> = sizes
        .iter()
        .filter(|(at, _)| *at >= warm)
        .map(|(_, mb)| *mb)
        .collect();
    let quarter = (sizes.len() / 4).max(1).min(sizes.len());
    let first_mb = median(&sizes[..quarter]);
    let last_mb = median(&sizes[sizes.len() - quarter..]);
    Growth {
        first_mb,
        last_mb,
        is_flat: judged.then_some(last_mb - first_mb <= FLAT_MB),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(minutes: u64, mb: impl Fn(u64) -> f64) -> Vec<(Duration, f64)> {
        (0..=minutes * 60)
            .map(|second| (Duration::from_secs(second), mb(second)))
            .collect()
    }

    #[test]
    fn a_leak_is_told_from_a_cache_that_fills_up() {
        let filling = growth(&sizes(10, |second| 100.0 + second.min(50) as f64 * 4.0));
        assert_eq!(filling.is_flat, Some(true));
        let leaking = growth(&sizes(10, |second| 100.0 + second as f64 * 0.1));
        assert_eq!(leaking.is_flat, Some(false));
    }

    #[test]
    fn a_short_run_is_not_judged() {
        assert_eq!(growth(&sizes(1, |second| second as f64)).is_flat, None);
        assert_eq!(growth(&[]).is_flat, None);
    }
}
