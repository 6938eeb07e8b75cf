//! In which order the notes of a slow model are rendered for one instance: what is likely to be struck next, first.
//!
//! Owned by the scheduler's thread. The cell that the blend is in goes first, from the pitch that was struck last outwards;
//! then the other cells, the nearer the sooner. What voices wait for goes before all of it, and is not of the plan.

use betwixt_audio::blend::BlendCell;
use betwixt_audio::grid::{Grid, distance_squared};
use betwixt_audio::note::{NoteKey, PatchId};

/// What a plan is about: another is made when this changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Focus {
    /// The sounds.
    pub patch: PatchId,
    /// The places on the pad.
    pub grid: Grid,
    /// The one that the blend is nearest to.
    pub cell: BlendCell,
    /// The grid pitch that was struck last.
    pub pitch: i32,
}

/// The notes of a patch in the order in which they are rendered.
#[derive(Debug)]
pub(crate) struct RenderPlan {
    focus: Focus,
    keys: Vec<NoteKey>,
}

impl RenderPlan {
    /// All notes of the grid.
    pub(crate) fn new(focus: Focus) -> Self {
        let mut pitches: Vec<i32> = focus.grid.pitches().collect();
        pitches.sort_by_key(|pitch| (pitch - focus.pitch).abs());
        let mut cells: Vec<BlendCell> = focus.grid.cells().collect();
        cells.sort_by_key(|cell| distance_squared(*cell, focus.cell));
        let of_cell = |cell| {
            let key = move |pitch: &i32| Grid::key_of(focus.patch, cell, *pitch);
            pitches.iter().map(key)
        };
        Self {
            keys: cells.into_iter().flat_map(of_cell).collect(),
            focus,
        }
    }

    /// What it is about.
    pub(crate) fn focus(&self) -> Focus {
        self.focus
    }

    /// The notes, the next first.
    pub(crate) fn keys(&self) -> &[NoteKey] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use betwixt_audio::blend::Blend;
    use std::collections::HashSet;

    #[test]
    fn the_current_cell_goes_first_from_the_struck_pitch_outwards() {
        let grid = Grid::new(5);
        let cell = grid.nearest(Blend { x: 0.0, y: 0.25 });
        let plan = RenderPlan::new(Focus {
            patch: PatchId(3),
            grid,
            cell,
            pitch: 60,
        });
        let first: Vec<i32> = plan.keys()[..5].iter().map(|key| key.pitch_cents / 100).collect();
        assert_eq!(first, [60, 56, 64, 52, 68]);
        assert!(
            plan.keys()[..16]
                .iter()
                .all(|key| key.strike.timbre.blend == cell)
        );
        let next = plan.keys()[16].strike.timbre.blend;
        assert_eq!(distance_squared(next, cell), 64 * 64, "a neighbour is next");
        let all: HashSet<NoteKey> = plan.keys().iter().copied().collect();
        assert_eq!(all.len(), 25 * 16);
        assert!(all.iter().all(|key| grid.holds(key)));
    }
}
