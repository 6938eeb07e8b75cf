//! A sample's loop: cut from the sustain where the phases meet, and joined so that its seam cannot be heard.
//!
//! Pure numbers, background threads. The loop ends where the key is let go, so that what follows it is the release. Its start
//! is searched: where the signal before it is most like the signal before the end. There the end is faded over into what
//! comes before the start, and is it when the end is reached, sample for sample: going back is as smooth as the note was
//! there. The release is faded in after the end from what comes after the start, so leaving the loop is as smooth.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Length of both fades, if the note is long enough.
const FADE_SECONDS: f64 = 0.1;
/// Frames on each side of the seam that are the same on both sides to the last bit, so that rounding is too.
const SAME_FRAMES: usize = 32;
/// Before this part of the held note its attack may still be going on.
const EARLIEST_START: f64 = 0.3;
/// A loop is at least this part of the held note,
const SHORTEST: f64 = 0.15;
/// and this long: shorter ones are heard as a tone of their own.
const SHORTEST_SECONDS: f64 = 0.05;
/// A longer loop is as good as one with a correlation that much higher, per length of the held note;
const LENGTH_BONUS: f64 = 0.2;
/// a difference in level is as bad, per dB.
const LEVEL_MALUS_PER_DB: f64 = 0.03;
/// The difference of neighbours: high partials count when the phases are compared, not the loudest alone.
const EMPHASIS: f64 = 0.9;

/// Where a sampler goes back, in frames of the file: from before `end` to `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loop {
    /// The first frame of the loop.
    pub start: usize,
    /// The first frame after it.
    pub end: usize,
}

/// Makes a loop that ends at frame `end` of a held note, in place; none if the note is too short for one.
///
/// The channels are as long as each other.
pub(crate) fn join(channels: &mut [Vec<f32>], end: usize, rate_hz: u32) -> Option<Loop> {
    let length = channels.first()?.len();
    let shortest = ((SHORTEST * end as f64) as usize).max((SHORTEST_SECONDS * f64::from(rate_hz)) as usize);
    let fade = ((FADE_SECONDS * f64::from(rate_hz)) as usize).min(shortest / 2);
    let earliest = ((EARLIEST_START * end as f64) as usize).max(fade);
    let latest = end.checked_sub(shortest)?;
    if end > length || fade < 2 || earliest >= latest {
        return None;
    }
    let start = best_start(channels, earliest..latest, end, fade)?;
    let likeness = correlation(channels, start, end, fade).max(0.0);
    // What two signals that are as like as this add up to, brought to their own power.
    let even = |share: f64| {
        let (one, other) = (1.0 - share, share);
        1.0 / (one * one + other * other + 2.0 * one * other * likeness).sqrt()
    };
    let same = SAME_FRAMES.min(fade / 2);
    let rise = |frames: usize| {
        let done = frames.min(fade - same) as f64 / (fade - same) as f64;
        0.5 - 0.5 * (std::f64::consts::PI * done).cos()
    };
    let mix = |from: f32, to: f32, share: f64| {
        (even(share) * ((1.0 - share) * f64::from(from) + share * f64::from(to))) as f32
    };
    for channel in channels {
        let after: Vec<f32> = channel[start..start + fade].to_vec();
        for index in 0..fade {
            let share = rise(index + 1);
            let (at, goal) = (end - fade + index, channel[start - fade + index]);
            channel[at] = mix(channel[at], goal, share);
        }
        for (index, (sample, from)) in channel[end..].iter_mut().zip(after).enumerate() {
            *sample = mix(from, *sample, rise(index.saturating_sub(same)));
        }
    }
    Some(Loop { start, end })
}

/// The frame before which the signal is most like that before `end`, and about as loud.
fn best_start(
    channels: &[Vec<f32>],
    candidates: std::ops::Range<usize>,
    end: usize,
    window: usize,
) -> Option<usize> {
    let (mut products, mut powers) = (vec![0.0; candidates.len()], vec![0.0; candidates.len()]);
    let mut end_power = 0.0;
    let first = candidates.start - window;
    for channel in channels {
        let bright: Vec<f64> = (first..end)
            .map(|at| {
                f64::from(channel[at])
                    - EMPHASIS * at.checked_sub(1).map_or(0.0, |before| f64::from(channel[before]))
            })
            .collect();
        let wanted = &bright[bright.len() - window..];
        end_power += power(wanted);
        for (sum, product) in products.iter_mut().zip(correlate(&bright, wanted)) {
            *sum += product;
        }
        let mut running = power(&bright[..window]);
        for (index, sum) in powers.iter_mut().enumerate() {
            *sum += running;
            running += bright[index + window].powi(2) - bright[index].powi(2);
        }
    }
    let score = |index: usize| {
        let here = powers[index].max(1e-18);
        let likeness = products[index] / (here * end_power.max(1e-18)).sqrt();
        let level_db = 10.0 * (here / end_power.max(1e-18)).log10();
        let length = (end - candidates.start - index) as f64 / end as f64;
        likeness + LENGTH_BONUS * length - LEVEL_MALUS_PER_DB * level_db.abs()
    };
    (0..candidates.len())
        .map(|index| (index, score(index)))
        .reduce(|best, one| if one.1 > best.1 { one } else { best })
        .map(|(index, _)| candidates.start + index)
}

fn power(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum()
}

/// The sum of products of `pattern` with `signal` from each of its places on, by Fourier transforms.
fn correlate(signal: &[f64], pattern: &[f64]) -> Vec<f64> {
    let size = (signal.len() + pattern.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |samples: &[f64]| {
        let mut padded = samples.to_vec();
        padded.resize(size, 0.0);
        let mut spectrum = forward.make_output_vec();
        forward
            .process(&mut padded, &mut spectrum)
            .expect("both are as long as the plan says");
        spectrum
    };
    let mut product: Vec<Complex<f64>> = spectrum(signal)
        .iter()
        .zip(spectrum(pattern))
        .map(|(signal, pattern)| signal * pattern.conj())
        .collect();
    // They are real for real signals, but for rounding.
    product[0].im = 0.0;
    product[size / 2].im = 0.0;
    let mut sums = inverse.make_output_vec();
    inverse
        .process(&mut product, &mut sums)
        .expect("both are as long as the plan says");
    sums.iter().map(|sum| sum / size as f64).collect()
}

/// How like the signals before two frames are, -1 to 1.
fn correlation(channels: &[Vec<f32>], one: usize, other: usize, window: usize) -> f64 {
    let (mut product, mut power_one, mut power_other) = (0.0, 0.0, 0.0);
    for channel in channels {
        for (x, y) in channel[one - window..one]
            .iter()
            .zip(&channel[other - window..other])
        {
            let (x, y) = (f64::from(*x), f64::from(*y));
            product += x * y;
            power_one += x * x;
            power_other += y * y;
        }
    }
    product / (power_one * power_other).sqrt().max(1e-18)
}

/// The step at a loop's seam in dB relative to the note's peak: how far the samples about its end are from those about its
/// start, which they are to be continued by.
#[cfg(test)]
pub(crate) fn seam_db(channels: &[Vec<f32>], at: Loop) -> f64 {
    const REACH: usize = 4;
    let mut step = 0.0_f32;
    let mut peak = 0.0_f32;
    for channel in channels {
        for back in 1..=REACH {
            step = step.max((channel[at.end - back] - channel[at.start - back]).abs());
        }
        peak = channel[at.start..at.end]
            .iter()
            .fold(peak, |peak, sample| peak.max(sample.abs()));
    }
    20.0 * f64::from(step.max(1e-12) / peak).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE_HZ: u32 = 48_000;

    /// A tone with harmonics that tremble a little, and some noise.
    fn tone(hz: f64, seconds: f64, noise: f64) -> Vec<f32> {
        let mut bits = 1_u64;
        (0..(seconds * f64::from(RATE_HZ)) as usize)
            .map(|n| {
                let t = n as f64 / f64::from(RATE_HZ);
                bits = bits
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let hiss = (bits >> 40) as f64 / f64::from(1 << 23) - 1.0;
                let harmonics: f64 = (1..12)
                    .map(|k| (std::f64::consts::TAU * hz * f64::from(k) * t).sin() / f64::from(k))
                    .sum();
                (0.2 * harmonics * (1.0 + 0.1 * (3.0 * t).sin()) + noise * hiss) as f32
            })
            .collect()
    }

    #[test]
    fn the_loop_is_a_whole_number_of_periods() {
        for hz in [55.0, 261.63, 1046.5] {
            let mut channels = vec![tone(hz, 2.0, 0.0)];
            let found = join(&mut channels, 72_000, RATE_HZ).unwrap();
            let periods = (found.end - found.start) as f64 * hz / f64::from(RATE_HZ);
            assert!((periods - periods.round()).abs() < 0.02, "{hz}: {periods}");
            assert_eq!(found.end, 72_000);
        }
    }

    #[test]
    fn the_level_does_not_dip_where_the_loop_is_joined() {
        for noise in [0.0, 0.05, 0.5] {
            let mut channels = vec![tone(220.0, 2.0, noise)];
            let found = join(&mut channels, 72_000, RATE_HZ).unwrap();
            let level_db = |from: usize| {
                let sum: f32 = channels[0][from..from + 2400].iter().map(|s| s * s).sum();
                10.0 * (sum / 2400.0).log10()
            };
            let sustained = level_db(found.end - 20_000);
            for from in [
                found.end - 4800,
                found.end - 3600,
                found.end - 2400,
                found.end,
                found.end + 1200,
            ] {
                assert!(
                    (level_db(from) - sustained).abs() < 1.2,
                    "{noise}: {} {sustained}",
                    level_db(from)
                );
            }
        }
    }

    #[test]
    fn a_note_that_is_too_short_has_no_loop() {
        assert_eq!(join(&mut [tone(220.0, 0.05, 0.0)], 2_400, RATE_HZ), None);
        assert_eq!(join(&mut [vec![]], 0, RATE_HZ), None);
        assert_eq!(join(&mut [], 0, RATE_HZ), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn no_seam_clicks_and_the_release_follows_without_one(
            hz in 30.0_f64..4000.0, seconds in 0.4_f64..2.0, noise in 0.0_f64..0.3, held in 0.5_f64..1.0,
        ) {
            let mut channels = vec![tone(hz, seconds, noise), tone(hz * 1.001, seconds, noise)];
            let end = (held * channels[0].len() as f64) as usize;
            let before = channels.clone();
            let found = join(&mut channels, end, RATE_HZ).unwrap();
            prop_assert!(seam_db(&channels, found) < -70.0, "{}", seam_db(&channels, found));
            // The release begins as the loop does, and the loop ends as what comes before it.
            let released = channels[0].len().min(end + 8) - end;
            prop_assert_eq!(&channels[0][end..end + released], &channels[0][found.start..found.start + released]);
            prop_assert_eq!(&channels[0][end - 8..end], &channels[0][found.start - 8..found.start]);
            prop_assert_eq!(&channels[0][..found.start], &before[0][..found.start]);
            prop_assert_eq!(channels[0].len(), before[0].len());
        }

        #[test]
        fn any_numbers_make_a_loop_of_numbers(samples in prop::collection::vec(-1.0_f32..1.0, 0..9000), end in 0_usize..9000) {
            let end = end.min(samples.len());
            let mut channels = vec![samples];
            let found = join(&mut channels, end, 8_000);
            prop_assert!(found.is_none_or(|found| found.start < found.end && found.end <= channels[0].len()));
            prop_assert!(channels[0].iter().all(|sample| sample.is_finite()));
        }
    }
}
