//! What shapes a sounding note and may change while it sounds: where it lies on the pad, and how its embedding is read.
//!
//! Plain values, used on every thread. The audio thread says what a note's timbre is to be; workers render it.

use crate::blend::{Blend, BlendCell};

/// Slowest and fastest reading of an embedding.
pub const STRETCH_RANGE: (f32, f32) = (0.1, 10.0);

/// From the middle of the corners to twice as far as the blend lies from it.
pub const PUSH_RANGE: (f32, f32) = (0.0, 2.0);

/// How a note is to sound at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timbre {
    /// The place on the pad.
    pub blend: Blend,
    /// How many times slower than recorded the sound unfolds, [`STRETCH_RANGE`]; its pitch stays.
    pub stretch: f32,
    /// Seeded, smooth movement of the embedding, 0 to 1.
    pub heat: f32,
    /// Distance from the mean of the corners, [`PUSH_RANGE`]: 1 is the blend itself, 2 twice as far, 0 the mean.
    pub push: f32,
    /// The sound stands still where it is.
    pub is_frozen: bool,
}

impl Default for Timbre {
    /// The middle of the pad, as recorded.
    fn default() -> Self {
        Self {
            blend: Blend::default(),
            stretch: 1.0,
            heat: 0.0,
            push: 1.0,
            is_frozen: false,
        }
    }
}

impl Timbre {
    /// The timbre `share` (0 to 1) of the way to `other`; frozen as `other` is.
    pub fn towards(self, other: Self, share: f32) -> Self {
        let lerp = |a: f32, b: f32| a + share * (b - a);
        Self {
            blend: Blend {
                x: lerp(self.blend.x, other.blend.x),
                y: lerp(self.blend.y, other.blend.y),
            },
            // By ratio: half way between half and double speed is the recorded one.
            stretch: self.stretch * (other.stretch / self.stretch).powf(share),
            heat: lerp(self.heat, other.heat),
            push: lerp(self.push, other.push),
            is_frozen: other.is_frozen,
        }
    }

    /// Each value within its range; what is not a number becomes the default's.
    pub fn bounded(self) -> Self {
        let bound = |value: f32, (low, high): (f32, f32), default: f32| {
            if value.is_nan() {
                default
            } else {
                value.clamp(low, high)
            }
        };
        Self {
            blend: self.blend.bounded(crate::blend::MAX_PUSH),
            stretch: bound(self.stretch, STRETCH_RANGE, 1.0),
            heat: bound(self.heat, (0.0, 1.0), 0.0),
            push: bound(self.push, PUSH_RANGE, 1.0),
            is_frozen: self.is_frozen,
        }
    }
}

/// A timbre, quantised so that notes struck with nearly the same share one rendered note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimbreCell {
    /// The place on the pad.
    pub blend: BlendCell,
    /// Logarithm of the stretch, in 1/64 octaves.
    stretch: i16,
    /// In 1/128.
    heat: u8,
    /// In 1/64.
    push: u8,
    is_frozen: bool,
}

const STRETCH_STEPS: f32 = 64.0;
const HEAT_STEPS: f32 = 128.0;
const PUSH_STEPS: f32 = 64.0;

impl From<Timbre> for TimbreCell {
    /// The nearest cell.
    fn from(timbre: Timbre) -> Self {
        let at = timbre.bounded();
        Self {
            blend: at.blend.into(),
            stretch: (at.stretch.log2() * STRETCH_STEPS).round() as i16,
            heat: (at.heat * HEAT_STEPS).round() as u8,
            push: (at.push * PUSH_STEPS).round() as u8,
            is_frozen: at.is_frozen,
        }
    }
}

impl From<TimbreCell> for Timbre {
    /// The centre of the cell.
    fn from(cell: TimbreCell) -> Self {
        Self {
            blend: cell.blend.into(),
            stretch: (f32::from(cell.stretch) / STRETCH_STEPS).exp2(),
            heat: f32::from(cell.heat) / HEAT_STEPS,
            push: f32::from(cell.push) / PUSH_STEPS,
            is_frozen: cell.is_frozen,
        }
    }
}

impl TimbreCell {
    /// Different for different cells of one blend, 0 as recorded: for seeds.
    pub(crate) fn colour_bits(self) -> u64 {
        u64::from(self.stretch as u16)
            | u64::from(self.heat) << 16
            | u64::from(self.push ^ PUSH_STEPS as u8) << 24
            | u64::from(self.is_frozen) << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_way_between_half_and_double_speed_is_as_recorded() {
        let (fast, slow) = (
            Timbre {
                stretch: 0.5,
                ..Timbre::default()
            },
            Timbre {
                stretch: 2.0,
                ..Timbre::default()
            },
        );
        assert!((fast.towards(slow, 0.5).stretch - 1.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn any_timbre_even_garbage_has_a_cell_that_is_its_own_cell(
            x in any::<f32>(), stretch in any::<f32>(), heat in any::<f32>(), push in any::<f32>(), is_frozen: bool,
        ) {
            let cell = TimbreCell::from(Timbre { blend: Blend { x, y: 0.5 }, stretch, heat, push, is_frozen });
            prop_assert_eq!(TimbreCell::from(Timbre::from(cell)), cell);
        }
    }
}
