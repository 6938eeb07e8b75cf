//! The blend pad: a position between four corners, and the weight it gives each sound.
//!
//! Plain values, used on every thread. The corners are A top-left, B top-right, C bottom-left and
//! D bottom-right, in this order wherever four things stand in a row.

/// How far past the pad's edges a blend may go (extrapolation), in pad widths.
pub const MAX_PUSH: f32 = 0.5;

/// A position on the blend pad: `x` 0 (left) to 1 (right), `y` 0 (bottom) to 1 (top).
///
/// Either may go past the edge by [`MAX_PUSH`]; then weights leave 0 to 1 and still sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend {
    /// 0 at the left edge, 1 at the right edge.
    pub x: f32,
    /// 0 at the bottom edge, 1 at the top edge.
    pub y: f32,
}

impl Default for Blend {
    /// The middle of the pad: a quarter of each sound.
    fn default() -> Self {
        Self { x: 0.5, y: 0.5 }
    }
}

impl Blend {
    /// The weight of each corner: bilinear over the pad, summing to 1.
    ///
    /// The weight of corners without a sound is shared by the others in proportion to theirs (equally,
    /// where the position gives them none). With a corner empty the position is first brought back onto
    /// the pad: there is nothing to extrapolate from. All weights are 0 if no corner holds a sound.
    pub fn weights(self, occupied: CornerMask) -> [f32; 4] {
        let at = if occupied == CornerMask::ALL {
            self.bounded(MAX_PUSH)
        } else {
            self.bounded(0.0)
        };
        let (x, y) = (at.x, at.y);
        let mut weights = [(1.0 - x) * y, x * y, (1.0 - x) * (1.0 - y), x * (1.0 - y)];
        if occupied == CornerMask::ALL {
            return weights;
        }
        let corners = occupied.count();
        for (corner, weight) in weights.iter_mut().enumerate() {
            if !occupied.holds(corner) {
                *weight = 0.0;
            }
        }
        let sum: f32 = weights.iter().sum();
        for (corner, weight) in weights.iter_mut().enumerate() {
            if sum > 1e-6 {
                *weight /= sum;
            } else if occupied.holds(corner) {
                *weight = 1.0 / corners as f32;
            }
        }
        weights
    }

    /// The same position, at most `push` outside the pad. What is not a number becomes the middle.
    pub(crate) fn bounded(self, push: f32) -> Self {
        let bound = |v: f32| {
            if v.is_nan() {
                0.5
            } else {
                v.clamp(-push, 1.0 + push)
            }
        };
        Self {
            x: bound(self.x),
            y: bound(self.y),
        }
    }
}

/// Which corners hold a sound: bit `i` stands for corner `i` (A is bit 0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CornerMask(pub u8);

impl CornerMask {
    /// No corner holds a sound.
    pub const NONE: Self = Self(0);
    /// All four corners hold a sound.
    pub const ALL: Self = Self(0b1111);

    /// Whether `corner` (0 to 3) holds a sound.
    pub fn holds(self, corner: usize) -> bool {
        corner < 4 && self.0 >> corner & 1 == 1
    }

    /// How many corners hold a sound.
    pub fn count(self) -> u32 {
        (self.0 & 0b1111).count_ones()
    }
}

/// A blend, quantised so that notes struck at nearly the same place share one rendered note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlendCell {
    /// `x` of the blend in units of 1/[`BlendCell::STEPS`], -128 to 384.
    pub x: i16,
    /// `y` of the blend in units of 1/[`BlendCell::STEPS`], -128 to 384.
    pub y: i16,
}

impl BlendCell {
    /// Cells across the pad, in each direction.
    pub const STEPS: i16 = 256;
}

impl From<Blend> for BlendCell {
    /// The nearest cell.
    fn from(blend: Blend) -> Self {
        let at = blend.bounded(MAX_PUSH);
        let quantise = |v: f32| (v * f32::from(Self::STEPS)).round() as i16;
        Self {
            x: quantise(at.x),
            y: quantise(at.y),
        }
    }
}

impl From<BlendCell> for Blend {
    /// The centre of the cell.
    fn from(cell: BlendCell) -> Self {
        let steps = f32::from(BlendCell::STEPS);
        Self {
            x: f32::from(cell.x) / steps,
            y: f32::from(cell.y) / steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_corner_of_the_pad_is_one_sound_alone() {
        let corners = [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0)];
        for (corner, (x, y)) in corners.into_iter().enumerate() {
            let mut alone = [0.0; 4];
            alone[corner] = 1.0;
            assert_eq!(Blend { x, y }.weights(CornerMask::ALL), alone);
        }
    }

    #[test]
    fn empty_corners_leave_their_weight_to_the_others_in_proportion() {
        let blend = Blend { x: 0.25, y: 0.5 };
        let weights = blend.weights(CornerMask(0b0011));
        assert!(
            (weights[0] - 0.75).abs() < 1e-6 && (weights[1] - 0.25).abs() < 1e-6,
            "{weights:?}"
        );
        assert_eq!(weights[2..], [0.0, 0.0]);
        assert_eq!(blend.weights(CornerMask::NONE), [0.0; 4]);
    }

    #[test]
    fn at_an_empty_corner_the_others_share_equally() {
        let weights = Blend { x: 0.0, y: 1.0 }.weights(CornerMask(0b1110));
        for weight in &weights[1..] {
            assert!((weight - 1.0 / 3.0).abs() < 1e-6, "{weights:?}");
        }
    }

    proptest! {
        #[test]
        fn weights_sum_to_one_wherever_the_puck_is(x in -1.0f32..2.0, y in -1.0f32..2.0, mask in 1u8..16) {
            let weights = Blend { x, y }.weights(CornerMask(mask));
            prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", weights);
            for (corner, weight) in weights.iter().enumerate() {
                prop_assert!(CornerMask(mask).holds(corner) || *weight == 0.0);
            }
        }

        #[test]
        fn any_blend_even_garbage_has_a_cell_that_is_its_own_cell(x in any::<f32>(), y in any::<f32>()) {
            let cell = BlendCell::from(Blend { x, y });
            prop_assert_eq!(BlendCell::from(Blend::from(cell)), cell);
        }
    }
}
