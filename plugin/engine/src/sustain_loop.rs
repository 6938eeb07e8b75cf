//! Finding where a note can be held: the stretch of its sustain that a held key swings through.
//!
//! Pure numbers, background threads. Found from loudness: a sustain is as loud at its end as at its start, so
//! plucked and struck notes have none and end by themselves. Then its ends are put where the embedding rests: there a turn
//! is not heard.

use crate::embedding::{Embedding, LoopRegion};

/// Time that the loudest level is given to settle.
const SETTLE_SECONDS: f64 = 0.15;
/// Time kept from the release: analysis windows see it coming.
const RELEASE_MARGIN_SECONDS: f64 = 0.12;
/// Shorter sustains would be heard as a tremolo.
const MIN_SECONDS: f64 = 0.35;
/// Part of the sustain that is used, counted from its end: early on, timbre still settles.
const LATE_PART: f64 = 0.65;
/// A note that gets quieter or louder faster than this has no sustain.
const MAX_SLOPE_DB_PER_SECOND: f64 = 3.5;
/// A loop rises and falls by no more than this: a note that slowly dies is held by its last moments only.
const MAX_SWING_DB: f64 = 1.5;
/// The attack is over where the level first comes this close to the highest.
const ATTACK_DB: f64 = 6.0;
/// The release has begun where the level stays this far under the sustain's.
const RELEASE_DB: f64 = 6.0;

/// Level of each embedding frame in dB, by the rms of one and a third hops about its centre.
pub fn levels_db(samples: &[f32], hop: usize) -> Vec<f64> {
    let reach = hop / 6;
    (0..samples.len().div_ceil(hop))
        .map(|frame| {
            let window =
                &samples[(frame * hop).saturating_sub(reach)..samples.len().min((frame + 1) * hop + reach)];
            let power = window.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / window.len() as f64;
            10.0 * (power + 1e-12).log10()
        })
        .collect()
}

/// The frames to swing between; none for a note that dies away.
pub fn find(levels_db: &[f64], seconds_per_frame: f64) -> Option<LoopRegion> {
    let frames = |seconds: f64| (seconds / seconds_per_frame).ceil() as usize;
    let highest = levels_db.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let attack_end =
        levels_db.iter().position(|level| *level >= highest - ATTACK_DB)? + frames(SETTLE_SECONDS);
    let sustain_level = {
        let mut loud: Vec<f64> = levels_db
            .get(attack_end..)?
            .iter()
            .copied()
            .filter(|level| *level > highest - 20.0)
            .collect();
        loud.sort_by(f64::total_cmp);
        *loud.get(loud.len() / 2)?
    };
    let last_loud = levels_db
        .iter()
        .rposition(|level| *level >= sustain_level - RELEASE_DB)?;
    let end = last_loud.checked_sub(frames(RELEASE_MARGIN_SECONDS))?;
    let sustain = end.checked_sub(attack_end)?;
    let start = end - (sustain as f64 * LATE_PART) as usize;
    if end - start < frames(MIN_SECONDS) {
        return None;
    }
    let slope_db = slope(&levels_db[start..=end]).abs();
    if slope_db > MAX_SLOPE_DB_PER_SECOND * seconds_per_frame {
        return None;
    }
    let steady = (MAX_SWING_DB / slope_db.max(1e-9)) as usize;
    Some(LoopRegion {
        start_frame: start.max(end.saturating_sub(steady)) as u32,
        end_frame: end as u32,
    })
}

/// The region with its ends moved inwards, each by a quarter of it at most, to the frames where the embedding is
/// steadiest. It stays as long as a loop has to be.
pub fn at_rest(region: LoopRegion, embedding: &Embedding, seconds_per_frame: f64) -> LoopRegion {
    let (start, end) = (region.start_frame as usize, region.end_frame as usize);
    let spare = (end - start).saturating_sub((MIN_SECONDS / seconds_per_frame).ceil() as usize);
    let reach = ((end - start) / 4).min(spare / 2);
    // Where two are as steady, the longer loop.
    let first = steadiest(embedding, start..=start + reach);
    let last = steadiest(embedding, (end - reach..=end).rev());
    LoopRegion {
        start_frame: first as u32,
        end_frame: last as u32,
    }
}

/// The first of the frames about which the embedding moves least.
fn steadiest(embedding: &Embedding, frames: impl Iterator<Item = usize>) -> usize {
    let last = embedding.frames() - 1;
    let movement = |frame: usize| -> f32 {
        let (before, after) = (
            embedding.frame(frame.saturating_sub(1)),
            embedding.frame((frame + 1).min(last)),
        );
        before.iter().zip(after).map(|(a, b)| (a - b).powi(2)).sum()
    };
    frames
        .map(|frame| (frame, movement(frame)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(frame, _)| frame)
}

/// Rise a frame of the line that fits best.
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count);
    let (mut above, mut below) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        let x = i as f64 - middle;
        above += x * (value - mean);
        below += x * x;
    }
    above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP_SECONDS: f64 = 0.032;

    /// Levels of a note: `decay` dB a second from `attack` seconds to note off at 3 s, then a quick release.
    fn note(attack: f64, decay: f64) -> Vec<f64> {
        (0..125)
            .map(|i| f64::from(i) * HOP_SECONDS)
            .map(|t| {
                let rising = if t < attack {
                    -40.0 * (1.0 - t / attack)
                } else {
                    -decay * (t - attack)
                };
                let released = if t > 3.0 { -80.0 * (t - 3.0) } else { 0.0 };
                -20.0 + rising + released + 0.8 * (t * 30.0).sin()
            })
            .collect()
    }

    #[test]
    fn a_sustained_note_swings_inside_its_sustain() {
        let region = find(&note(0.1, 0.0), HOP_SECONDS).unwrap();
        let (start, end) = (
            f64::from(region.start_frame) * HOP_SECONDS,
            f64::from(region.end_frame) * HOP_SECONDS,
        );
        assert!(start > 0.3 && end < 3.0 && end - start > 1.2, "{start} {end}");
    }

    #[test]
    fn a_slow_swell_is_not_part_of_the_loop() {
        let region = find(&note(1.0, 0.0), HOP_SECONDS).unwrap();
        assert!(f64::from(region.start_frame) * HOP_SECONDS > 1.0, "{region:?}");
    }

    #[test]
    fn a_note_that_slowly_dies_is_held_without_a_tremolo() {
        let levels: Vec<f64> = (0..94)
            .map(|frame| -20.0 - 3.0 * 0.032 * f64::from(frame))
            .chain([-80.0; 30])
            .collect();
        let held = find(&levels, 0.032).unwrap();
        let swing = levels[held.start_frame as usize] - levels[held.end_frame as usize];
        assert!(swing <= MAX_SWING_DB + 1e-9, "{held:?} swings by {swing} dB");
        assert!(
            f64::from(held.end_frame - held.start_frame) * 0.032 > 0.35,
            "{held:?}"
        );
    }

    #[test]
    fn plucked_and_struck_notes_have_no_loop() {
        for decay in [6.0, 12.0, 40.0] {
            assert_eq!(
                find(&note(0.005, decay), HOP_SECONDS),
                None,
                "{decay} dB a second"
            );
        }
    }

    /// An embedding of 100 frames that trembles but for a frame here and there.
    fn trembling(resting: &[usize]) -> Embedding {
        let values = (0..100_usize).map(|frame| {
            let rests = resting.iter().any(|rest| frame.abs_diff(*rest) <= 1);
            if rests {
                0.0
            } else {
                0.1 * (frame as f32 * 2.0).sin()
            }
        });
        Embedding::new(1, values.collect()).unwrap()
    }

    #[test]
    fn a_loop_turns_where_the_embedding_rests() {
        let region = LoopRegion {
            start_frame: 20,
            end_frame: 80,
        };
        let moved = at_rest(region, &trembling(&[10, 27, 50, 71]), HOP_SECONDS);
        assert_eq!((moved.start_frame, moved.end_frame), (27, 71));
        let still = Embedding::new(1, vec![0.5; 100]).unwrap();
        assert_eq!(at_rest(region, &still, HOP_SECONDS), region);
    }

    #[test]
    fn a_short_loop_gets_no_shorter_than_a_loop_may_be() {
        let region = LoopRegion {
            start_frame: 20,
            end_frame: 33,
        };
        let moved = at_rest(region, &trembling(&[24, 29]), HOP_SECONDS);
        let seconds = f64::from(moved.end_frame - moved.start_frame) * HOP_SECONDS;
        assert!(seconds >= MIN_SECONDS, "{moved:?}");
    }

    #[test]
    fn what_is_too_short_or_empty_has_no_loop() {
        assert_eq!(find(&[], HOP_SECONDS), None);
        assert_eq!(find(&[-20.0; 8], HOP_SECONDS), None);
        assert_eq!(find(&[-120.0; 3], HOP_SECONDS), None);
    }

    #[test]
    fn a_frame_has_the_level_of_its_audio() {
        let samples: Vec<f32> = (0..4800).map(|i| 0.1 * (i as f32 * 0.3).sin()).collect();
        let levels = levels_db(&samples, 1536);
        assert_eq!(levels.len(), 4);
        assert!((levels[1] + 23.0).abs() < 0.3, "{levels:?}");
    }
}
