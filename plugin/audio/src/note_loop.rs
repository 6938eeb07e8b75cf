//! The loop of a whole note: where its audio goes back to while a key is held past its end.
//!
//! Plain values; read on the audio thread. Only notes of a slow model have one: others are rendered on for as long as they
//! are held.

/// Where the audio of a note is looped, in its samples. Before `end_sample` it is faded over to what comes before
/// `start_sample`, so that the jump joins what is alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoteLoop {
    start_sample: usize,
    end_sample: usize,
    fade_samples: usize,
    /// How alike the two ends are, 0 to 1: what is alike adds up louder.
    likeness: f32,
}

/// A sample of a looped note, and how much of it and of another is heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lap {
    /// The sample at which this stretch begins.
    pub sample: usize,
    /// How many samples it lasts.
    pub samples: usize,
    /// In the fade: the sample that is faded to.
    pub to: Option<usize>,
}

impl NoteLoop {
    /// A loop; none unless the fade fits before its start and into it.
    pub fn new(start_sample: usize, end_sample: usize, fade_samples: usize, likeness: f32) -> Option<Self> {
        let fits = fade_samples > 0
            && fade_samples <= start_sample
            && start_sample.checked_add(fade_samples)? <= end_sample;
        fits.then(|| Self {
            start_sample,
            end_sample,
            fade_samples,
            likeness: if likeness.is_nan() {
                0.0
            } else {
                likeness.clamp(0.0, 1.0)
            },
        })
    }

    /// Where it jumps from.
    pub fn end_sample(&self) -> usize {
        self.end_sample
    }

    /// Where it jumps to.
    pub fn start_sample(&self) -> usize {
        self.start_sample
    }

    /// How long the fade is.
    pub fn fade_samples(&self) -> usize {
        self.fade_samples
    }

    /// How alike what is joined is, 0 to 1.
    pub fn likeness(&self) -> f32 {
        self.likeness
    }

    /// Where a held note is at `sample`, and for how long nothing changes.
    pub fn lap(&self, sample: usize) -> Lap {
        let length = self.end_sample - self.start_sample;
        let folded = if sample < self.end_sample {
            sample
        } else {
            self.start_sample + (sample - self.end_sample) % length
        };
        let fade_start = self.end_sample - self.fade_samples;
        if folded < fade_start {
            Lap {
                sample: folded,
                samples: fade_start - folded,
                to: None,
            }
        } else {
            Lap {
                sample: folded,
                samples: self.end_sample - folded,
                to: Some(folded - length),
            }
        }
    }

    /// The gains of what is left and what is faded to, at a sample within the fade: together as loud as either.
    pub fn gains(&self, sample: usize) -> (f32, f32) {
        let into = (sample + self.fade_samples - self.end_sample) as f32 + 0.5;
        cross_fade(into / self.fade_samples as f32, self.likeness)
    }
}

/// The gains of what goes and what comes, `share` (0 to 1) of the way, together as loud as either alone; `likeness` is how
/// alike the two are: 0 for two noises, 1 for twice the same.
pub fn cross_fade(share: f32, likeness: f32) -> (f32, f32) {
    let (comes, goes) = (share.clamp(0.0, 1.0) * std::f32::consts::FRAC_PI_2).sin_cos();
    let level = 1.0 / (1.0 + 2.0 * likeness * comes * goes).sqrt();
    (goes * level, comes * level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_jump_joins_the_sample_before_the_start_with_the_start() {
        let looped = NoteLoop::new(10, 30, 5, 0.0).unwrap();
        assert_eq!(
            looped.lap(0),
            Lap {
                sample: 0,
                samples: 25,
                to: None
            }
        );
        assert_eq!(
            looped.lap(29),
            Lap {
                sample: 29,
                samples: 1,
                to: Some(9)
            }
        );
        assert_eq!(
            looped.lap(30),
            Lap {
                sample: 10,
                samples: 15,
                to: None
            }
        );
        assert_eq!(looped.lap(50), looped.lap(30));
    }

    #[test]
    fn a_fade_that_does_not_fit_makes_no_loop() {
        assert_eq!(NoteLoop::new(4, 30, 5, 0.0), None);
        assert_eq!(NoteLoop::new(10, 14, 5, 0.0), None);
        assert_eq!(NoteLoop::new(10, 30, 0, 0.0), None);
    }

    #[test]
    fn twice_the_same_stays_the_same_through_a_fade() {
        for step in 0..=10 {
            let (goes, comes) = cross_fade(step as f32 / 10.0, 1.0);
            assert!((goes + comes - 1.0).abs() < 1e-6, "{step}");
        }
    }

    proptest! {
        #[test]
        fn every_sample_of_a_held_note_is_one_of_its_own(
            start in 1_usize..1000, length in 1_usize..1000, fade in 1_usize..200, sample in 0_usize..1_000_000,
        ) {
            if let Some(looped) = NoteLoop::new(start, start + length, fade, 0.5) {
                let lap = looped.lap(sample);
                prop_assert!(lap.samples > 0 && lap.sample + lap.samples <= start + length);
                if let Some(to) = lap.to {
                    prop_assert!(to + lap.samples <= start);
                    let (goes, comes) = looped.gains(lap.sample);
                    prop_assert!((goes * goes + comes * comes + goes * comes - 1.0).abs() < 1e-4);
                }
            }
        }
    }
}
