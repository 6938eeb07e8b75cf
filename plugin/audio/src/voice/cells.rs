//! A voice of a slow model: it plays whole notes, and goes over from one blend cell's to another's.
//!
//! Runs on the audio thread.

use super::Voice;
use crate::blend::Blend;
use crate::cell_play::{CellPlay, Look, Stage};
use crate::limits::{CELL_FADE_MS, RUN_SAMPLES};
use crate::note_table::{Lookup, NoteTable};
use crate::rates::{Rates, note_samples};
use crate::rendered_note::RenderedNote;
use crate::track::Track;

impl Voice {
    /// The note that its own is faded from, where it plays those of cells.
    pub fn former<'a>(&self, table: &'a NoteTable) -> Option<&'a RenderedNote> {
        let former = self.cells()?.former()?;
        match table.lookup(former) {
            Lookup::Note(note) => Some(note),
            Lookup::Awaited | Lookup::Refused => None,
        }
    }

    pub(super) fn cells(&self) -> Option<&CellPlay> {
        self.tracks[0].as_ref()?.cells.as_ref()
    }

    /// Whether it plays whole notes of a slow model.
    pub fn plays_cells(&self) -> bool {
        self.cells().is_some()
    }

    /// Before it begins: waits for the note of the cell that its blend is nearest to, or takes the nearest that is there.
    pub fn await_cell(&mut self, blend: Blend, stage: &mut Stage<'_>) {
        if let Some(Track {
            slot,
            cells: Some(cells),
            ..
        }) = &mut self.tracks[0]
        {
            cells.await_cell(slot, blend, stage);
        }
    }

    /// Begins a cell's note so far into it.
    pub fn begin_cell(&mut self, start_ms: f32, note_hz: u32) {
        if let Some(cells) = self.tracks[0].as_mut().and_then(|track| track.cells.as_mut()) {
            cells.begin_at(note_samples(note_hz, start_ms));
        }
    }

    /// Says for the next `samples` where its blend is; false if a note must be waited for first.
    pub fn follow_cells(
        &mut self,
        blend: Blend,
        samples: usize,
        note_hz: u32,
        rates: &Rates,
        stage: &mut Stage<'_>,
    ) -> bool {
        let fade_samples = note_samples(note_hz, CELL_FADE_MS);
        let (mut ahead, mut looked) = (self.motion, 0);
        while let Some(at) = self.steering.next_look(samples) {
            ahead.advance(at - looked, rates.smoothing);
            looked = at;
            let Some(Track {
                slot,
                cells: Some(cells),
                ..
            }) = &mut self.tracks[0]
            else {
                return true;
            };
            let look = Look {
                sample: ahead.sample(),
                // Twice: the pitch may have come down within it.
                run_samples: (2.0 * RUN_SAMPLES as f64 * ahead.largest_step()).ceil() as usize,
                fade_samples,
            };
            if !cells.follow(slot, blend, look, stage) {
                self.steering.look_again();
                return false;
            }
            if self.is_ending {
                cells.go_to_ending(slot, look, stage);
            }
        }
        true
    }
}
