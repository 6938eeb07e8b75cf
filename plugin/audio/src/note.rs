//! What tells one rendered note from another. Plain values, used on every thread.

use crate::blend::BlendCell;

/// Names the audio a patch makes: a hash over its corner sounds, the model, and every setting that changes
/// the rendered audio. The engine makes it; here it is only compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatchId(pub u64);

/// The key of a rendered note: two notes with one key have the same samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoteKey {
    /// Sounds, model and settings.
    pub patch: PatchId,
    /// The blend it was struck with.
    pub cell: BlendCell,
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
        let place = u64::from(self.cell.x as u16) << 48
            | u64::from(self.cell.y as u16) << 32
            | u64::from(self.pitch_cents as u32);
        mix(mix(self.patch.0) ^ place)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn neighbouring_keys_have_different_seeds() {
        let mut seeds = HashSet::new();
        for patch in 0..4 {
            for x in -4..4 {
                for pitch_cents in (2_100..10_800).step_by(100) {
                    let cell = BlendCell { x, y: 3 };
                    seeds.insert(
                        NoteKey {
                            patch: PatchId(patch),
                            cell,
                            pitch_cents,
                        }
                        .seed(),
                    );
                }
            }
        }
        assert_eq!(seeds.len(), 4 * 8 * 87);
    }
}
