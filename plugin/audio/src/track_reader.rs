//! From a track's samples to the host's: read about a voice's positions, and resampled.
//!
//! Runs on the audio thread.

use crate::motion::{ONE, fixed_point};
use crate::rendered_note::RenderedNote;
use crate::resampler::{MAX_REACH, Resampler};
use crate::track::Track;

/// One track's samples at the voice's positions.
pub struct TrackReader<'a> {
    pub track: &'a Track,
    pub note: &'a RenderedNote,
    /// What the note is faded from, if it is a cell's.
    pub former: Option<&'a RenderedNote>,
    /// Working memory for a run, and as much again.
    pub input: &'a mut [f32],
    pub spliced: &'a mut [f32],
}

impl TrackReader<'_> {
    /// Adds a run in which nothing but the envelope moves: most runs. To the bit what
    /// [`add_carefully`](Self::add_carefully) would make.
    pub fn add_steadily(&mut self, first: u64, step: f64, gains: &[f32], out: &mut [f32]) {
        let increment = fixed_point(step);
        let table = Resampler::shared().table(Resampler::table_index(step));
        let last = first + (out.len() as u64 - 1) * increment;
        let input = self.read_around(first, last, table.reach());
        let fraction = u64::from(first as u32);
        if increment == ONE && fraction == 0 {
            // What the resampler would give to the bit: its row of phase 0 is a one among zeros.
            for ((out, input), gain) in out.iter_mut().zip(&input[table.reach() - 1..]).zip(gains) {
                *out += input * gain;
            }
        } else {
            table.add_run(input, fraction, increment, gains, out);
        }
    }

    /// Adds a run whose positions and tables were planned sample by sample.
    pub fn add_carefully(&mut self, positions: &[u64], tables: &[u8], gains: &[f32], out: &mut [f32]) {
        let resampler = Resampler::shared();
        let reach = tables
            .iter()
            .map(|index| resampler.table(*index).reach())
            .max()
            .unwrap_or(MAX_REACH);
        let input = self.read_around(positions[0], positions[positions.len() - 1], reach);
        for (i, out) in out.iter_mut().enumerate() {
            let table = resampler.table(tables[i]);
            let from = (positions[i] >> 32) - (positions[0] >> 32);
            let input = &input[from as usize + reach - table.reach()..];
            let fraction = u64::from(positions[i] as u32);
            table.add_run(input, fraction, 0, &gains[i..=i], std::slice::from_mut(out));
        }
    }

    /// The samples from `reach - 1` before the first position to `reach` after the last; silence outside of the note.
    fn read_around(&mut self, first: u64, last: u64, reach: usize) -> &[f32] {
        let (first, last) = ((first >> 32) as usize, (last >> 32) as usize);
        let input = &mut self.input[..last - first + 2 * reach];
        let before = (reach - 1).saturating_sub(first);
        input[..before].fill(0.0);
        let start = first + before - (reach - 1);
        let read = self
            .track
            .read(self.note, self.former, start, &mut input[before..], self.spliced);
        input[before + read..].fill(0.0);
        input
    }
}
