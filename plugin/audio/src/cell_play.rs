//! What a track of a slow model plays: whole notes of the grid, one after another, cross-faded where the blend moves from one
//! cell to the next.
//!
//! Runs on the audio thread. A voice hears the note of the rendered cell that is nearest to its blend, and asks for the
//! nearest cell's own; offline it waits for that. Two notes are faded over at one place in both, equally loud. A key that is
//! held past the note's sustain hears its loop; one that goes on to the sound's own ending is faded over to what follows it.

use crate::blend::Blend;
use crate::grid::{Grid, distance_squared};
use crate::link::AudioEnd;
use crate::note::NoteKey;
use crate::note_loop::cross_fade;
use crate::note_table::{Lookup, NoteSlot, NoteTable};
use crate::rendered_note::RenderedNote;
use crate::resampler::MAX_REACH;

/// How far a looped note is said to go on from any place: it never ends.
const ENDLESS_SAMPLES: usize = 1 << 24;

/// The playing of whole notes.
#[derive(Debug)]
pub struct CellPlay {
    /// The note that is heard, or waited for.
    heard: NoteKey,
    /// The note of the cell that the blend is nearest to.
    wanted: NoteKey,
    /// Where that will be, if something else is heard.
    awaited: Option<NoteSlot>,
    view: View,
    fade: Option<Fade>,
    /// What was sought last, and how many notes had come by then.
    sought: Option<(NoteKey, u64)>,
}

/// How a note is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct View {
    /// What is added to the voice's place.
    shift_samples: isize,
    is_looped: bool,
}

/// A change from one note to another, or from a loop to the ending.
#[derive(Clone, Copy, Debug)]
struct Fade {
    from: NoteSlot,
    view: View,
    at: usize,
    samples: usize,
}

/// A moment at which a voice looks where its blend is, and the lengths of then, all in the note's samples.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub sample: usize,
    /// More than the run in which it lies.
    pub run_samples: usize,
    pub fade_samples: usize,
}

/// What following the blend needs of the instrument.
#[derive(Debug)]
pub struct Stage<'a> {
    pub table: &'a mut NoteTable,
    pub end: &'a mut AudioEnd,
    pub grid: Grid,
    /// Nobody waits for workers.
    pub is_live: bool,
}

impl CellPlay {
    /// Waits for the note of a key.
    pub fn new(key: NoteKey) -> Self {
        Self {
            heard: key,
            wanted: key,
            awaited: None,
            view: View {
                shift_samples: 0,
                is_looped: true,
            },
            fade: None,
            sought: None,
        }
    }

    /// Begins so many samples into the note.
    pub fn begin_at(&mut self, sample: usize) {
        self.view.shift_samples = sample as isize;
    }

    /// The pitch of its notes, in cents.
    pub fn pitch_cents(&self) -> i32 {
        self.heard.pitch_cents
    }

    /// The note that fades, if one does.
    pub fn former(&self) -> Option<NoteSlot> {
        self.fade.map(|fade| fade.from)
    }

    /// Before it is heard: wants the note of another blend, and takes the nearest that is there. `slot` is the note's that it
    /// waits for.
    pub fn await_cell(&mut self, slot: &mut NoteSlot, blend: Blend, stage: &mut Stage<'_>) {
        let wanted = self.key_at(blend, stage.grid);
        if wanted != self.wanted {
            let Some(other) = stage.table.acquire(wanted, stage.end) else {
                return;
            };
            self.leave_awaited(stage.table, stage.end);
            stage.table.release(*slot, stage.end);
            (*slot, self.heard, self.wanted) = (other, wanted, wanted);
        }
        if !stage.is_live || self.awaited.is_some() || matches!(stage.table.lookup(*slot), Lookup::Note(_)) {
            return;
        }
        if let Some(nearest) = self.seek(stage)
            && let Some(found) = stage.table.acquire(nearest, stage.end)
        {
            self.awaited = Some(std::mem::replace(slot, found));
            self.heard = nearest;
        }
    }

    /// Says where the blend is at a moment: from a little later on another note is heard, if there is a nearer one. False
    /// if the note must be waited for.
    pub fn follow(&mut self, slot: &mut NoteSlot, blend: Blend, at: Look, stage: &mut Stage<'_>) -> bool {
        self.settle(at, stage.table, stage.end);
        let wanted = self.key_at(blend, stage.grid);
        if wanted != self.wanted {
            self.leave_awaited(stage.table, stage.end);
            self.wanted = wanted;
        }
        if self.heard == self.wanted {
            self.leave_awaited(stage.table, stage.end);
            return true;
        }
        if self.awaited.is_none() {
            self.awaited = stage.table.acquire(self.wanted, stage.end);
        }
        if self.fade.is_some() {
            return true;
        }
        match self.awaited.map(|awaited| stage.table.lookup(awaited)) {
            Some(Lookup::Note(note)) if note.is_finished() => {
                if let Some(next) = self.awaited.take() {
                    self.heard = self.wanted;
                    self.fade_to(slot, next, self.view, at);
                }
                true
            }
            Some(Lookup::Awaited | Lookup::Note(_)) if !stage.is_live => false,
            // It will not come: what is heard stays.
            Some(Lookup::Refused) | None => true,
            Some(_) => {
                if let Some(nearest) = self.seek(stage)
                    && let Some(next) = stage.table.acquire(nearest, stage.end)
                {
                    self.heard = nearest;
                    self.fade_to(slot, next, self.view, at);
                }
                true
            }
        }
    }

    /// From a little after a moment on the note goes to its end.
    pub fn go_to_ending(&mut self, slot: &mut NoteSlot, at: Look, stage: &mut Stage<'_>) {
        if !self.view.is_looped || self.fade.is_some() {
            return;
        }
        let looped = match stage.table.lookup(*slot) {
            Lookup::Note(note) => note.looped().copied(),
            _ => None,
        };
        let Some(looped) = looped else {
            self.view.is_looped = false;
            return;
        };
        if let Some(again) = stage.table.acquire(self.heard, stage.end) {
            let view = View {
                shift_samples: looped.end_sample() as isize - at.fade_begin() as isize,
                is_looped: false,
            };
            self.fade_to(slot, again, view, at);
        }
    }

    /// Lets go of everything but `slot`.
    pub fn leave(&mut self, table: &mut NoteTable, end: &mut AudioEnd) {
        self.leave_awaited(table, end);
        if let Some(fade) = self.fade.take() {
            table.release(fade.from, end);
        }
    }

    /// How far there is audio from a place on, and whether nothing comes after.
    pub fn reach(&self, note: &RenderedNote, position: usize) -> (bool, usize) {
        if !note.is_finished() {
            return (note.is_failed(), 0);
        }
        if self.view.is_looped && note.looped().is_some() {
            (false, position + ENDLESS_SAMPLES)
        } else {
            let end = note.available() as isize - self.view.shift_samples;
            (true, end.max(0) as usize)
        }
    }

    /// Copies samples from `start` on into `out`, as far as they are there; returns how many. `other` is working memory as
    /// long as `out`.
    pub fn read(
        &self,
        note: &RenderedNote,
        former: Option<&RenderedNote>,
        start: usize,
        out: &mut [f32],
        other: &mut [f32],
    ) -> usize {
        let (Some(fade), Some(former)) = (self.fade, former) else {
            return self.view.read(note, start, out);
        };
        let end = fade.at + fade.samples;
        if start >= end {
            return self.view.read(note, start, out);
        }
        let going = (end - start).min(out.len());
        let read = fade.view.read(former, start, &mut out[..going]);
        // A note that has ended is silence.
        out[read..].fill(0.0);
        let before = fade.at.saturating_sub(start).min(out.len());
        if before == out.len() {
            return read;
        }
        let coming = &mut other[..out.len() - before];
        let came = self.view.read(note, start + before, coming);
        coming[came..].fill(0.0);
        for (i, (out, coming)) in out[before..].iter_mut().zip(coming).enumerate() {
            let sample = start + before + i;
            if sample < end {
                let share = ((sample - fade.at) as f32 + 0.5) / fade.samples as f32;
                let (goes, comes) = cross_fade(share, 0.0);
                *out = goes * *out + comes * *coming;
            } else {
                *out = *coming;
            }
        }
        (before + came).max(read)
    }

    /// The note that a blend wants, of the patch and the pitch that it was struck with.
    fn key_at(&self, blend: Blend, grid: Grid) -> NoteKey {
        Grid::key_of(
            self.wanted.patch,
            grid.nearest(blend),
            self.wanted.pitch_cents / 100,
        )
    }

    /// The whole note nearest to what is wanted, if it is nearer than what is heard; sought only when something has changed.
    fn seek(&mut self, stage: &Stage<'_>) -> Option<NoteKey> {
        let now = Some((self.wanted, stage.table.grants()));
        if self.sought == now {
            return None;
        }
        self.sought = now;
        let goal = self.wanted.strike.timbre.blend;
        let far = |key: &NoteKey| distance_squared(key.strike.timbre.blend, goal);
        let pitch = self.wanted.pitch_cents / 100;
        let keys = stage
            .grid
            .cells()
            .map(|cell| Grid::key_of(self.wanted.patch, cell, pitch));
        let nearest = keys.filter(|key| stage.table.has_whole(*key)).min_by_key(far)?;
        let is_nearer = self.heard == self.wanted || far(&nearest) < far(&self.heard);
        is_nearer.then_some(nearest)
    }

    fn fade_to(&mut self, slot: &mut NoteSlot, next: NoteSlot, view: View, at: Look) {
        self.fade = Some(Fade {
            from: std::mem::replace(slot, next),
            view: std::mem::replace(&mut self.view, view),
            at: at.fade_begin(),
            samples: at.fade_samples.max(1),
        });
    }

    /// Lets go of a note that has faded, for the whole run in which `at` may lie.
    fn settle(&mut self, at: Look, table: &mut NoteTable, end: &mut AudioEnd) {
        let over = |fade: &mut Fade| at.sample > fade.at + fade.samples + MAX_REACH + at.run_samples;
        if let Some(fade) = self.fade.take_if(over) {
            table.release(fade.from, end);
        }
    }

    fn leave_awaited(&mut self, table: &mut NoteTable, end: &mut AudioEnd) {
        if let Some(awaited) = self.awaited.take() {
            table.release(awaited, end);
        }
    }
}

impl Look {
    /// Where a fade can begin: what is read for the moment's sample reaches so far.
    fn fade_begin(&self) -> usize {
        self.sample + MAX_REACH + 1
    }
}

impl View {
    /// Copies samples from the voice's place `start` on into `out`, as far as they are there; returns how many.
    fn read(self, note: &RenderedNote, start: usize, out: &mut [f32]) -> usize {
        let first = (start as isize + self.shift_samples).max(0) as usize;
        let Some(looped) = note.looped().filter(|_| self.is_looped) else {
            return note.read(first, out);
        };
        let mut done = 0;
        while done < out.len() {
            let lap = looped.lap(first + done);
            let left = out.len() - done;
            let count = match lap.to {
                None => note.read(lap.sample, &mut out[done..done + lap.samples.min(left)]),
                Some(to) => {
                    // Few samples at a time: working memory on the stack.
                    let mut coming = [0.0; 64];
                    let count = lap.samples.min(left).min(coming.len());
                    let going = &mut out[done..done + count];
                    let read = note
                        .read(lap.sample, going)
                        .min(note.read(to, &mut coming[..count]));
                    for (i, (going, coming)) in going[..read].iter_mut().zip(&coming).enumerate() {
                        let (goes, comes) = looped.gains(lap.sample + i);
                        *going = goes * *going + comes * coming;
                    }
                    read
                }
            };
            if count == 0 {
                break;
            }
            done += count;
        }
        done
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::note::PatchId;
    use crate::note_loop::NoteLoop;

    fn key() -> NoteKey {
        Grid::default().key(PatchId(1), Blend::default(), 60.0)
    }

    /// A note whose samples are their own places, looped from 40 to 80 with a fade of 10.
    fn ramp(looped: bool) -> crate::sync::Arc<RenderedNote> {
        let (mut writer, note) = RenderedNote::new(key(), 50, 2, 16_000);
        for chunk in 0..2 {
            writer
                .push((0..50).map(|i| (50 * chunk + i) as f32).collect())
                .unwrap();
        }
        writer.finish_looped(if looped {
            NoteLoop::new(40, 80, 10, 1.0)
        } else {
            None
        });
        note
    }

    #[test]
    fn a_held_note_goes_round_its_loop_without_end() {
        let (note, cells) = (ramp(true), CellPlay::new(key()));
        let (mut out, mut other) = ([0.0; 400], [0.0; 400]);
        assert_eq!(cells.read(&note, None, 0, &mut out, &mut other), 400);
        assert_eq!(out[..70], std::array::from_fn::<f32, 70, _>(|i| i as f32));
        assert_eq!(
            out[80..110],
            std::array::from_fn::<f32, 30, _>(|i| 40.0 + i as f32)
        );
        assert_eq!(out[80..120], out[120..160]);
        assert!(out.iter().all(|sample| *sample < 80.0));
        // Whatever pieces it is read in.
        let mut piece = [0.0; 7];
        for start in (0..390).step_by(7) {
            cells.read(&note, None, start, &mut piece, &mut other);
            assert_eq!(piece, out[start..start + 7], "{start}");
        }
        assert_eq!(cells.reach(&note, 5), (false, 5 + ENDLESS_SAMPLES));
    }

    #[test]
    fn a_note_without_a_loop_ends_and_one_struck_late_ends_sooner() {
        let (note, mut cells) = (ramp(false), CellPlay::new(key()));
        assert_eq!(cells.reach(&note, 0), (true, 100));
        cells.begin_at(30);
        assert_eq!(cells.reach(&note, 0), (true, 70));
        let (mut out, mut other) = ([0.0; 100], [0.0; 100]);
        assert_eq!(cells.read(&note, None, 0, &mut out, &mut other), 70);
        assert_eq!(out[0], 30.0);
    }

    #[test]
    fn a_fade_is_as_loud_as_what_it_joins_and_is_the_new_note_after_it() {
        let constant = |value: f32| {
            let (mut writer, note) = RenderedNote::new(key(), 50, 20, 16_000);
            (0..20).for_each(|_| writer.push(vec![value; 50].into()).unwrap());
            writer.finish();
            note
        };
        let (old, new) = (constant(1.0), constant(0.0));
        let mut cells = CellPlay::new(key());
        let mut slot = NoteSlot::default();
        let look = Look {
            sample: 100,
            run_samples: 50,
            fade_samples: 200,
        };
        cells.fade_to(&mut slot, NoteSlot::default(), cells.view, look);
        let begin = 100 + MAX_REACH + 1;
        let (mut out, mut back, mut other) = ([0.0; 600], [0.0; 600], [0.0; 600]);
        assert_eq!(cells.read(&new, Some(&old), 0, &mut out, &mut other), 600);
        assert_eq!(cells.read(&old, Some(&new), 0, &mut back, &mut other), 600);
        assert!(out[..begin].iter().all(|sample| *sample == 1.0));
        assert!(out[begin + 200..].iter().all(|sample| *sample == 0.0));
        for (goes, comes) in out.iter().zip(&back).skip(begin).take(200) {
            assert!((goes * goes + comes * comes - 1.0).abs() < 1e-5);
        }
    }
}
