//! What tells one rendered note from another. Plain values, used on every thread.

use crate::timbre::{Timbre, TimbreCell};

/// Names the audio a patch makes: a hash over its corner sounds, the model, and every setting that changes
/// the rendered audio. The engine makes it; here it is only compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatchId(pub u64);

/// What a key is struck with, besides its pitch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strike {
    /// How it sounds until that changes.
    pub timbre: TimbreCell,
    /// How much of the sound's beginning is skipped.
    pub start_ms: u16,
    /// The corner whose beginning it has, 0 to 3, before the blend takes over; none for the blend's own.
    pub attack_from: Option<u8>,
}

/// Which of a note's renders: they differ in their phases alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Part {
    /// What is heard in both channels.
    #[default]
    Mid,
    /// What makes it wide: added on the left, taken off on the right.
    Side,
}

/// The key of a rendered note: two notes with one key have the same samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoteKey {
    /// Sounds, model and settings.
    pub patch: PatchId,
    /// What it was struck with.
    pub strike: Strike,
    /// Which of its renders.
    pub part: Part,
    /// The pitch it is rendered at, in cents: MIDI note number times 100.
    pub pitch_cents: i32,
}

impl NoteKey {
    /// The pitch it is rendered at as a MIDI note number.
    pub fn pitch_midi(&self) -> f32 {
        self.pitch_cents as f32 / 100.0
    }

    /// A well-mixed 64-bit hash, the same on every machine: the seed of the note's generators.
    pub fn seed(&self) -> u64 {
        let Strike {
            timbre,
            start_ms,
            attack_from,
        } = self.strike;
        let place = u64::from(timbre.blend.x as u16) << 48
            | u64::from(timbre.blend.y as u16) << 32
            | u64::from(self.pitch_cents as u32);
        let colour = timbre.colour_bits() << 24
            | u64::from(start_ms) << 8
            | u64::from(attack_from.map_or(0, |corner| corner + 1)) << 1
            | u64::from(self.part == Part::Side);
        let seed = mix(mix(self.patch.0) ^ place);
        if colour == 0 { seed } else { mix(seed ^ colour) }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl Strike {
    /// With this timbre, from the sound's beginning.
    pub fn with(timbre: Timbre) -> Self {
        Self {
            timbre: timbre.into(),
            start_ms: 0,
            attack_from: None,
        }
    }
}

/// Some key of a pitch, for tests.
#[cfg(test)]
pub(crate) fn test_key(pitch_cents: i32) -> NoteKey {
    NoteKey {
        patch: PatchId(1),
        strike: Strike::with(Timbre::default()),
        part: Part::Mid,
        pitch_cents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blend::Blend;
    use std::collections::HashSet;

    fn key(patch: u64, timbre: Timbre, pitch_cents: i32) -> NoteKey {
        NoteKey {
            patch: PatchId(patch),
            strike: Strike::with(timbre),
            ..test_key(pitch_cents)
        }
    }

    #[test]
    fn neighbouring_keys_have_different_seeds() {
        let mut seeds = HashSet::new();
        for patch in 0..4 {
            for x in 0..8 {
                for pitch_cents in (2_100..10_800).step_by(100) {
                    let blend = Blend {
                        x: x as f32 / 256.0,
                        y: 0.0,
                    };
                    let timbre = Timbre {
                        blend,
                        ..Timbre::default()
                    };
                    seeds.insert(key(patch, timbre, pitch_cents).seed());
                }
            }
        }
        assert_eq!(seeds.len(), 4 * 8 * 87);
    }

    #[test]
    fn every_part_of_a_key_changes_its_seed() {
        let plain = key(1, Timbre::default(), 6000);
        let (mut side, mut later, mut attacked, mut frozen) = (plain, plain, plain, plain);
        side.part = Part::Side;
        later.strike.start_ms = 1;
        attacked.strike.attack_from = Some(0);
        frozen.strike.timbre = Timbre {
            is_frozen: true,
            ..Timbre::default()
        }
        .into();
        let seeds: HashSet<u64> = [plain, side, later, attacked, frozen]
            .map(|key| key.seed())
            .into();
        assert_eq!(seeds.len(), 5);
    }
}
