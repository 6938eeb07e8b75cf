//! Which layers of a sound are heard at a pitch and a velocity, and how much of each.
//!
//! Pure numbers, found by the scheduler when a note begins. Between two recorded pitches both are heard, each the more the nearer it
//! is, and of each pitch the two velocities about the struck one: embeddings are mixed, so nothing switches and nothing combs.
//! Beyond the outermost the outermost is heard alone.

use crate::sound::{LayerView, Sound};

/// Layers that are heard at once: two velocities of two pitches.
const MOST: usize = 4;

/// Where a sound's layers are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Struck {
    /// As a MIDI note number.
    pub pitch: f32,
    /// 0 to 127.
    pub velocity: f32,
    /// Embeddings that hold their pitch cannot be mixed with others: of these the nearest pitch is heard alone.
    pub one_pitch: bool,
}

/// The layers of one sound that a note hears; shares sum to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Voicing {
    heard: [(u16, f32); MOST],
    count: u8,
}

impl Voicing {
    /// Of a sound's own embedding alone.
    pub(crate) const OWN: Self = Self {
        heard: [(0, 1.0); MOST],
        count: 1,
    };

    /// What a note that is struck so hears of a sound.
    pub(crate) fn of(sound: &Sound, struck: Struck) -> Self {
        if sound.further.is_empty() {
            return Self::OWN;
        }
        let pitches = neighbours(sound.layers().map(|layer| layer.pitch), struck.pitch);
        let pitches = if struck.one_pitch {
            [(sound.nearest_pitch(struck.pitch), 1.0), (0.0, 0.0)]
        } else {
            pitches
        };
        let mut voicing = Self {
            count: 0,
            ..Self::OWN
        };
        for (pitch, share) in pitches {
            let here = || sound.layers().filter(|layer| layer.pitch == pitch);
            let velocities = here().map(|layer| f32::from(layer.velocity));
            for (velocity, part) in neighbours(velocities, struck.velocity) {
                // Of two of one kind the first.
                let index = sound
                    .layers()
                    .position(|layer| layer.pitch == pitch && f32::from(layer.velocity) == velocity);
                if let Some(index) = index
                    && share * part > 0.0
                {
                    voicing.heard[usize::from(voicing.count)] = (index as u16, share * part);
                    voicing.count += 1;
                }
            }
        }
        voicing
    }

    /// The layers and their shares.
    pub(crate) fn layers<'a>(
        &self,
        sound: &'a Sound,
    ) -> impl Iterator<Item = (LayerView<'a>, f32)> + use<'a> {
        let heard = self.heard.into_iter().take(self.count.into());
        heard.map(move |(index, share)| (sound.layer(index.into()), share))
    }
}

/// The values about `at`, below and above, with their shares; one alone where `at` is beyond all or meets it.
fn neighbours(values: impl Iterator<Item = f32>, at: f32) -> [(f32, f32); 2] {
    let (mut below, mut above) = (f32::NEG_INFINITY, f32::INFINITY);
    for value in values {
        if value <= at {
            below = below.max(value);
        }
        if value >= at {
            above = above.min(value);
        }
    }
    if above.is_infinite() {
        return [(below, 1.0), (above, 0.0)];
    }
    if below.is_infinite() || below == above {
        return [(above, 1.0), (below, 0.0)];
    }
    let share = (at - below) / (above - below);
    [(below, 1.0 - share), (above, share)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::Embedding;
    use crate::sound::Layer;
    use crate::sound::tests::layered;
    use proptest::prelude::*;

    fn heard(sound: &Sound, pitch: f32, velocity: f32, one_pitch: bool) -> Vec<(f32, u8, f32)> {
        let struck = Struck {
            pitch,
            velocity,
            one_pitch,
        };
        let voicing = Voicing::of(sound, struck);
        let layers = voicing.layers(sound);
        layers
            .map(|(layer, share)| (layer.pitch, layer.velocity, share))
            .collect()
    }

    #[test]
    fn what_lies_between_two_layers_hears_both_and_what_meets_one_hears_it_alone() {
        let sound = layered();
        assert_eq!(heard(&sound, 60.25, 40.0, false), [(60.25, 40, 1.0)]);
        assert_eq!(
            heard(&sound, 60.25, 60.0, false),
            [(60.25, 40, 0.75), (60.25, 120, 0.25)]
        );
        let middle = heard(&sound, 66.125, 80.0, false);
        assert_eq!(
            middle,
            [
                (60.25, 40, 0.25),
                (60.25, 120, 0.25),
                (72.0, 40, 0.25),
                (72.0, 120, 0.25)
            ]
        );
        assert_eq!(heard(&sound, 20.0, 1.0, false), [(60.25, 40, 1.0)]);
        assert_eq!(heard(&sound, 90.0, 127.0, false), [(72.0, 120, 1.0)]);
    }

    #[test]
    fn embeddings_that_hold_their_pitch_are_not_mixed_over_pitches() {
        let sound = layered();
        assert_eq!(heard(&sound, 66.0, 40.0, true), [(60.25, 40, 1.0)]);
        assert_eq!(heard(&sound, 67.0, 127.0, true), [(72.0, 120, 1.0)]);
    }

    #[test]
    fn a_sound_of_one_embedding_is_itself_at_any_pitch_and_velocity() {
        let sound = Sound {
            further: Vec::new(),
            ..layered()
        };
        assert_eq!(heard(&sound, 3.0, 127.0, false), [(60.25, 40, 1.0)]);
    }

    proptest! {
        #[test]
        fn shares_sum_to_one_and_lean_to_the_nearer(
            places in prop::collection::vec((0_u8..128, 1_u8..128), 0..24),
            pitch in -10.0_f32..140.0, velocity in 0.0_f32..127.0, one_pitch: bool,
        ) {
            let further = places.into_iter().map(|(pitch, velocity)| Layer {
                pitch: pitch.into(),
                velocity,
                loop_region: None,
                embedding: Embedding::new(16, vec![0.0; 16]).unwrap(),
            });
            let sound = Sound { further: further.collect(), ..layered() };
            let heard = heard(&sound, pitch, velocity, one_pitch);
            let sum: f32 = heard.iter().map(|(_, _, share)| share).sum();
            prop_assert!((sum - 1.0).abs() < 1e-5 && heard.iter().all(|(_, _, share)| *share > 0.0));
            let nearest = sound.nearest_pitch(pitch);
            let of_nearest: f32 = heard.iter().filter(|(at, ..)| *at == nearest).map(|(_, _, share)| share).sum();
            prop_assert!(of_nearest >= 0.5 - 1e-5, "{:?}", heard);
        }
    }
}
