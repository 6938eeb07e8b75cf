//! What a voice plays while its worker is late: its own last periods again, up to [`ECHO_MS`], rather than a gap.
//!
//! Runs on the audio thread. As in packet-loss concealment (ITU-T G.711 Appendix I), but the pitch need not be guessed: a
//! whole number of periods of the rendered pitch is repeated, so its partials keep their phases, and the samples that come
//! late find them where they would have been. Never offline.

use crate::limits::{ECHO_FADE_MS, ECHO_LONGEST_LAG_MS, ECHO_MS, ECHO_SHORTEST_LAG_MS};
use crate::rates::note_samples;

/// Samples go on from `limit` as they were `lag_samples` before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    limit: usize,
    lag_samples: usize,
    fade_samples: usize,
    end: usize,
}

impl Echo {
    /// The echo of a sound of `pitch_midi`, in samples at `note_hz`, of which there are those before `limit`; none if it has
    /// only begun.
    pub fn of(limit: usize, pitch_midi: f32, note_hz: u32) -> Option<Self> {
        let fade_samples = note_samples(note_hz, ECHO_FADE_MS);
        let longest = limit.saturating_sub(fade_samples + 1);
        lag(pitch_midi, note_hz, longest).map(|lag_samples| Self {
            limit,
            lag_samples,
            fade_samples,
            end: limit + note_samples(note_hz, ECHO_MS),
        })
    }

    /// Samples before `limit` that an echo may need.
    pub fn history_samples(note_hz: u32) -> usize {
        note_samples(note_hz, ECHO_LONGEST_LAG_MS + ECHO_FADE_MS) + 1
    }

    /// Up to here it is what it echoes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The sample at which it is given up.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Gives it up at this sample, if not before.
    pub fn end_at(&mut self, sample: usize) {
        self.end = self.end.min(sample);
    }

    /// Lasts until this sample at least: what follows is faded in over it.
    pub fn last_until(&mut self, sample: usize) {
        self.end = self.end.max(sample);
    }

    /// The sample at `position`, from those before the limit.
    pub fn sample(&self, position: usize, heard: impl Fn(usize) -> f32) -> f32 {
        let since = position.saturating_sub(self.limit);
        let at = if position < self.limit {
            position
        } else {
            self.limit - self.lag_samples + since % self.lag_samples
        };
        // The end of each round goes over into what came before its beginning.
        let into = (at + self.fade_samples + 1).saturating_sub(self.limit);
        if into == 0 {
            return heard(at);
        }
        let share = into as f32 / (self.fade_samples + 1) as f32;
        heard(at) + share * (heard(at - self.lag_samples) - heard(at))
    }
}

/// The number of samples about the shortest lag, or above, that is nearest to a whole number of periods. If there is not even
/// one among the `most` that may be, all that there is; none if that is less than the shortest.
fn lag(pitch_midi: f32, note_hz: u32, most: usize) -> Option<usize> {
    let period = f64::from(note_hz) / (440.0 * ((f64::from(pitch_midi) - 69.0) / 12.0).exp2());
    let longest = note_samples(note_hz, ECHO_LONGEST_LAG_MS).min(most);
    let shortest = note_samples(note_hz, ECHO_SHORTEST_LAG_MS);
    if period > longest as f64 {
        return (longest >= shortest).then_some(longest);
    }
    let (shortest, longest) = (shortest as f64, longest as f64);
    let first = (shortest.min(longest - period) / period).ceil().max(1.0);
    let error = |periods: f64| {
        let length = periods * period;
        (length - length.round()).abs() / period
    };
    // Some are enough to find one that fits; the highest notes have hundreds.
    (0..16)
        .map(|more| first + f64::from(more))
        .take_while(|periods| periods * period <= longest)
        .min_by(|a, b| error(*a).total_cmp(&error(*b)))
        .map(|periods| (periods * period).round() as usize)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 48_000;

    /// A saw-like sound of twelve partials.
    fn tone(pitch_midi: f32) -> impl Fn(usize) -> f32 {
        let hz = 440.0 * ((f64::from(pitch_midi) - 69.0) / 12.0).exp2();
        move |n| {
            (1..=12)
                .map(|partial| {
                    let phase = f64::from(partial) * hz * n as f64 / f64::from(RATE_HZ);
                    ((phase.fract() * std::f64::consts::TAU).sin() / f64::from(partial)) as f32
                })
                .sum::<f32>()
                * 0.3
        }
    }

    #[test]
    fn a_harmonic_sound_goes_on_in_its_phases() {
        for pitch in [28.0, 36.5, 48.0, 60.0, 69.0, 77.3, 90.0] {
            let tone = tone(pitch);
            let limit = 20_000;
            let echo = Echo::of(limit, pitch, RATE_HZ).unwrap();
            let heard = |n: usize| {
                assert!(n < limit && n + Echo::history_samples(RATE_HZ) >= limit);
                tone(n)
            };
            let off = (limit - 500..echo.end())
                .map(|n| (echo.sample(n, heard) - tone(n)).abs())
                .fold(0.0, f32::max);
            assert!(off < 0.12, "MIDI {pitch}: {off}");
        }
    }

    #[test]
    fn a_sound_without_a_pitch_goes_on_without_a_step() {
        let noise = |n: usize| {
            let smooth = |k: usize| ((k * 7919 + 13) as f32 * 12.9898).sin();
            (0..64).map(|back| smooth(n + 64 - back)).sum::<f32>() / 8.0
        };
        let limit = 9_000;
        let echo = Echo::of(limit, 60.0, RATE_HZ).unwrap();
        let step = |from: usize, to: usize, at: &dyn Fn(usize) -> f32| {
            (from..to).map(|n| (at(n + 1) - at(n)).abs()).fold(0.0, f32::max)
        };
        let before = step(limit - 3_000, limit - 500, &noise);
        let after = step(limit - 500, echo.end(), &|n| echo.sample(n, noise));
        assert!(after < 1.2 * before, "{after} against {before}");
    }

    #[test]
    fn what_has_only_begun_repeats_the_periods_that_it_has() {
        let young = Echo::of(300, 60.0, RATE_HZ).unwrap();
        assert_eq!(young.lag_samples, 183);
        assert_eq!(Echo::of(250, 60.0, RATE_HZ), None, "not even one");
        for limit in 250..3000 {
            if let Some(echo) = Echo::of(limit, 60.0, RATE_HZ) {
                let first = |n: usize| {
                    assert!(n < limit);
                    0.0
                };
                assert!((limit - 200..echo.end()).all(|n| echo.sample(n, first) == 0.0));
            }
        }
    }

    #[test]
    fn a_sound_below_hearing_is_repeated_as_it_is() {
        let echo = Echo::of(100_000, 0.0, RATE_HZ).unwrap();
        assert_eq!(echo.lag_samples, note_samples(RATE_HZ, ECHO_LONGEST_LAG_MS));
    }
}
