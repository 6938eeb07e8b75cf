//! Where notes of a slow model are rendered: at some places of the pad, at every fourth semitone, and nowhere between.
//!
//! Plain values, used on every thread. A model that cannot render a note as fast as it is heard has its notes rendered
//! ahead, whole; voices play the nearest of them, and resample it by two semitones at most from the lowest grid pitch to
//! two above the highest. A note of the grid has the timbre of rest: only where it lies on the pad differs.

use crate::blend::{Blend, BlendCell};
use crate::note::{NoteKey, Part, PatchId, Strike, VelocityCell};
use crate::timbre::{Timbre, TimbreCell};

/// The lowest and the highest pitch that notes are rendered at, MIDI note numbers.
pub const GRID_PITCH_RANGE: (i32, i32) = (24, 84);
/// Semitones between rendered pitches.
pub const GRID_PITCH_STEP: i32 = 4;
/// Fewest and most places along a side of the pad.
pub const GRID_SIDES: (u8, u8) = (5, 11);

/// The places on the pad: as many along each side, corners and edges included; and the pitches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    side: u8,
    /// The lowest and the highest pitch.
    pitches: (i32, i32),
}

impl Default for Grid {
    /// The coarsest: a note takes minutes where a model is a hundred times slower than it is heard, and a pad of 5 by 5 takes
    /// a fifth of the time of one of 11 by 11.
    fn default() -> Self {
        Self::new(GRID_SIDES.0)
    }
}

impl Grid {
    /// A grid of `side` by `side` places; what is too few or too many becomes the nearest.
    pub fn new(side: u8) -> Self {
        Self {
            side: side.clamp(GRID_SIDES.0, GRID_SIDES.1),
            pitches: GRID_PITCH_RANGE,
        }
    }

    /// With no pitch below `low` or above `high`, as far as any is left; keys beyond are resampled from the last.
    #[must_use]
    pub fn within_pitches(mut self, low: f32, high: f32) -> Self {
        let low = grid_pitches()
            .find(|pitch| *pitch as f32 >= low)
            .unwrap_or(GRID_PITCH_RANGE.1);
        let high = grid_pitches().filter(|pitch| *pitch as f32 <= high).last();
        self.pitches = (low, high.unwrap_or(GRID_PITCH_RANGE.0).max(low));
        self
    }

    /// The pitches that its notes are rendered at, MIDI note numbers, from below.
    pub fn pitches(self) -> impl Iterator<Item = i32> {
        (self.pitches.0..=self.pitches.1).step_by(GRID_PITCH_STEP as usize)
    }

    /// Its pitch nearest to one in semitones from MIDI note 0; the upper of two.
    pub fn pitch(self, semitone: f64) -> i32 {
        grid_pitch(semitone).clamp(self.pitches.0, self.pitches.1)
    }

    /// Places along a side.
    pub fn side(self) -> u8 {
        self.side
    }

    /// The cell of a place, counted from the left and from the bottom, 0 to `side` - 1.
    pub fn cell(self, column: u8, row: u8) -> BlendCell {
        let last = i32::from(self.side) - 1;
        let place = |index: u8| {
            let index = i32::from(index).min(last);
            // Rounded: the same on every machine.
            ((index * i32::from(BlendCell::STEPS) + last / 2) / last) as i16
        };
        BlendCell {
            x: place(column),
            y: place(row),
        }
    }

    /// Every cell, row by row from the bottom left.
    pub fn cells(self) -> impl Iterator<Item = BlendCell> {
        (0..self.side).flat_map(move |row| (0..self.side).map(move |column| self.cell(column, row)))
    }

    /// The cell nearest to a blend; one beyond the pad's edge is brought back onto it.
    pub fn nearest(self, blend: Blend) -> BlendCell {
        let at = blend.bounded(0.0);
        let index = |value: f32| (value * f32::from(self.side - 1)).round() as u8;
        self.cell(index(at.x), index(at.y))
    }

    /// The note that stands for a pitch, in semitones from MIDI note 0, at a blend.
    pub fn key(self, patch: PatchId, blend: Blend, semitone: f64) -> NoteKey {
        Self::key_of(patch, self.nearest(blend), self.pitch(semitone))
    }

    /// The note of a cell at one of [`grid_pitches`].
    pub fn key_of(patch: PatchId, cell: BlendCell, pitch: i32) -> NoteKey {
        let mut timbre = TimbreCell::from(Timbre::default());
        timbre.blend = cell;
        NoteKey {
            patch,
            strike: Strike {
                timbre,
                start_ms: 0,
                attack_from: None,
                velocity: VelocityCell::NONE,
            },
            part: Part::Mid,
            pitch_cents: 100 * pitch,
        }
    }

    /// Whether a key is one of this grid's.
    pub fn holds(self, key: &NoteKey) -> bool {
        let cell = key.strike.timbre.blend;
        let pitch = self.pitch(f64::from(key.pitch_cents) / 100.0);
        *key == Self::key_of(key.patch, cell, pitch) && self.cells().any(|known| known == cell)
    }
}

/// How far two cells lie apart, squared.
pub fn distance_squared(a: BlendCell, b: BlendCell) -> i32 {
    let (x, y) = (i32::from(a.x) - i32::from(b.x), i32::from(a.y) - i32::from(b.y));
    x * x + y * y
}

/// The pitches that notes are rendered at, MIDI note numbers, from below.
pub fn grid_pitches() -> impl Iterator<Item = i32> {
    (GRID_PITCH_RANGE.0..=GRID_PITCH_RANGE.1).step_by(GRID_PITCH_STEP as usize)
}

/// The rendered pitch nearest to a pitch in semitones from MIDI note 0; the upper of two.
pub fn grid_pitch(semitone: f64) -> i32 {
    let (low, high) = GRID_PITCH_RANGE;
    let semitone = if semitone.is_finite() { semitone } else { 60.0 };
    let steps =
        (semitone.clamp(f64::from(low), f64::from(high)) - f64::from(low)) / f64::from(GRID_PITCH_STEP);
    low + GRID_PITCH_STEP * (steps + 0.5).floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn corners_edges_and_the_middle_of_an_odd_grid_are_exact() {
        let grid = Grid::new(5);
        assert_eq!(grid.cell(0, 4), BlendCell { x: 0, y: 256 });
        assert_eq!(grid.cell(2, 2), BlendCell { x: 128, y: 128 });
        assert_eq!(Grid::new(11).cell(5, 10), BlendCell { x: 128, y: 256 });
        assert_eq!(grid.cells().count(), 25);
    }

    #[test]
    fn a_pitch_is_resampled_by_two_semitones_at_most() {
        for key in 22..=86 {
            let apart = (grid_pitch(f64::from(key)) - key).abs();
            assert!(apart <= 2, "{key} by {apart}");
        }
        assert_eq!((grid_pitch(0.0), grid_pitch(127.0)), (24, 84));
        assert_eq!(grid_pitches().count(), 16);
    }

    #[test]
    fn sounds_without_high_or_low_pitches_have_their_keys_resampled_from_the_last() {
        let grid = Grid::new(5).within_pitches(34.5, 81.0);
        assert_eq!(
            (grid.pitch(20.0), grid.pitch(60.0), grid.pitch(100.0)),
            (36, 60, 80)
        );
        assert_eq!(grid.pitches().count(), 12);
        // Of sounds that have nothing in common there is still one pitch.
        let narrow = Grid::new(5).within_pitches(70.0, 50.0);
        assert_eq!(narrow.pitches().collect::<Vec<_>>(), [72]);
        assert_eq!(Grid::new(5).within_pitches(100.0, 127.0).pitch(60.0), 84);
    }

    proptest! {
        #[test]
        fn any_blend_even_garbage_has_a_note_on_the_grid(
            side: u8, x in any::<f32>(), y in any::<f32>(), semitone in any::<f64>(),
        ) {
            let grid = Grid::new(side);
            let key = grid.key(PatchId(1), Blend { x, y }, semitone);
            prop_assert!(grid.holds(&key));
            let again = grid.key(PatchId(1), key.strike.timbre.blend.into(), f64::from(key.pitch_cents) / 100.0);
            prop_assert_eq!(again, key);
        }

        #[test]
        fn no_cell_is_nearer_than_the_nearest(side in 5_u8..=11, x in 0.0_f32..1.0, y in 0.0_f32..1.0) {
            let (grid, blend) = (Grid::new(side), Blend { x, y });
            let far = |cell: BlendCell| {
                let at = Blend::from(cell);
                (at.x - x).hypot(at.y - y)
            };
            let nearest = far(grid.nearest(blend));
            // A cell of the pad is rounded to 1/256.
            prop_assert!(grid.cells().all(|cell| nearest <= far(cell) + 0.006));
        }
    }
}
