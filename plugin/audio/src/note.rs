//! What tells one rendered note from another. Plain values, used on every thread.

use crate::blend::CornerMask;
use crate::settings::unit;
use crate::timbre::{Timbre, TimbreCell};

/// Names the audio a patch makes: a hash over its corner sounds, the model, and every setting that changes
/// the rendered audio. The engine makes it; here it is only compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatchId(pub u64);

/// The sounds of an instance as far as its audio thread needs to know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchView {
    /// What their audio is called.
    pub id: PatchId,
    /// Which corners hold a sound; with none, notes end at once.
    pub occupied: CornerMask,
    /// Whether any of them is another when it is struck harder: notes then say how hard.
    pub has_velocities: bool,
}

impl PatchView {
    /// Sounds in all corners, none of them with layers for velocity.
    pub fn plain(id: PatchId) -> Self {
        Self {
            id,
            occupied: CornerMask::ALL,
            has_velocities: false,
        }
    }

    /// What a note struck at `velocity`, 0 to 1, says of it.
    pub fn velocity_cell(&self, velocity: f32) -> VelocityCell {
        if self.has_velocities {
            VelocityCell::of(velocity)
        } else {
            VelocityCell::NONE
        }
    }
}

/// How hard a key was struck, as far as its sounds differ by it: what falls into one cell shares a rendered note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VelocityCell(u8);

impl VelocityCell {
    /// The sounds are the same however hard they are struck.
    pub const NONE: Self = Self(0);
    /// From the softest cell to the hardest: a cell is 9 of MIDI's velocities wide, and is told in four bits.
    const STEPS: f32 = 14.0;

    /// The nearest cell to a velocity of 0 to 1.
    pub fn of(velocity: f32) -> Self {
        Self(1 + (unit(velocity) * Self::STEPS).round() as u8)
    }

    /// The velocity at the middle of the cell, 0 to 1; none if it does not matter.
    pub fn velocity(self) -> Option<f32> {
        Some(f32::from(self.0.checked_sub(1)?) / Self::STEPS)
    }
}

/// What a key is struck with, besides its pitch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strike {
    /// How it sounds until that changes.
    pub timbre: TimbreCell,
    /// How much of the sound's beginning is skipped.
    pub start_ms: u16,
    /// The corner whose beginning it has, 0 to 3, before the blend takes over; none for the blend's own.
    pub attack_from: Option<u8>,
    /// How hard, where the sounds have layers for it. How loud is left to the voice.
    pub velocity: VelocityCell,
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
            velocity,
        } = self.strike;
        let place = u64::from(timbre.blend.x as u16) << 48
            | u64::from(timbre.blend.y as u16) << 32
            | u64::from(self.pitch_cents as u32);
        let colour = timbre.colour_bits() << 24
            | u64::from(start_ms) << 8
            | u64::from(velocity.0) << 4
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
            velocity: VelocityCell::NONE,
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
        let (mut soft, mut hard) = (plain, plain);
        soft.strike.velocity = VelocityCell::of(0.0);
        hard.strike.velocity = VelocityCell::of(1.0);
        side.part = Part::Side;
        later.strike.start_ms = 1;
        attacked.strike.attack_from = Some(0);
        frozen.strike.timbre = Timbre {
            is_frozen: true,
            ..Timbre::default()
        }
        .into();
        let seeds: HashSet<u64> = [plain, side, later, attacked, frozen, soft, hard]
            .map(|key| key.seed())
            .into();
        assert_eq!(seeds.len(), 7);
    }

    #[test]
    fn a_velocity_is_within_half_a_cell_of_its_own_and_both_ends_are_exact() {
        for midi in 0..=127_u8 {
            let velocity = f32::from(midi) / 127.0;
            let cell = VelocityCell::of(velocity);
            assert!((cell.velocity().unwrap() - velocity).abs() <= 0.5 / VelocityCell::STEPS + 1e-6);
            assert_eq!(VelocityCell::of(cell.velocity().unwrap()), cell);
        }
        assert_eq!(VelocityCell::of(0.0).velocity(), Some(0.0));
        assert_eq!(VelocityCell::of(7.0).velocity(), Some(1.0));
        assert_eq!(VelocityCell::of(f32::NAN).velocity(), Some(0.0));
        assert_eq!(VelocityCell::NONE.velocity(), None);
    }
}
