//! One of a voice's renders: the rendered note it begins with, and the stream it goes on in once its timbre moves.
//!
//! Runs on the audio thread. A stream that is there in time follows the note at a chunk's border, sample by sample. One that
//! comes late is faded over to, and while a stream has run dry its note is heard, as far as that goes: what was rendered
//! nearest, rather than a gap. Offline neither happens: a voice waits for what it needs.

use crate::cell_play::CellPlay;
use crate::limits::{LONGEST_STRIDE_CHUNKS, STREAM_CONTROLS};
use crate::link::{AudioEnd, StreamTag};
use crate::note_table::{NoteSlot, NoteTable};
use crate::rendered_note::RenderedNote;
use crate::resampler::MAX_REACH;
use crate::stream::{StreamControl, StreamReader};

/// A render of a voice.
#[derive(Debug)]
pub struct Track {
    /// Its rendered note.
    pub slot: NoteSlot,
    stream: Option<Stream>,
    heard: Source,
    splice: Option<Splice>,
    /// In place of streams, where notes are rendered ahead.
    pub cells: Option<CellPlay>,
}

/// What samples come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Note,
    Stream,
}

/// A change from one source to another: before `at` the one, after the fade the other.
#[derive(Clone, Copy, Debug)]
struct Splice {
    from: Source,
    at: usize,
    fade_samples: usize,
}

impl Splice {
    fn end(&self) -> usize {
        self.at + self.fade_samples
    }
}

#[derive(Debug)]
struct Stream {
    tag: StreamTag,
    /// Where it follows the note.
    first_sample: usize,
    /// `None` until the scheduler has answered.
    reader: Option<StreamReader>,
    /// Controls for a reader that has not come yet.
    early: [Option<StreamControl>; STREAM_CONTROLS],
    early_count: usize,
}

/// How far there is audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Nothing will be added any more.
    pub is_complete: bool,
    /// Up to this sample, not including it.
    pub available: usize,
}

/// Lengths of the fades between sources, and what a source must still have to be kept for another run, in the note's
/// samples.
#[derive(Clone, Copy, Debug)]
pub struct SpliceLengths {
    pub late_join: usize,
    pub lapse: usize,
    pub guard: usize,
}

impl Track {
    pub fn new(slot: NoteSlot) -> Self {
        Self {
            slot,
            stream: None,
            heard: Source::Note,
            splice: None,
            cells: None,
        }
    }

    /// Of a slow model: plays whole notes, this one first.
    pub fn of_cells(slot: NoteSlot, cells: CellPlay) -> Self {
        Self {
            cells: Some(cells),
            ..Self::new(slot)
        }
    }

    /// Lets go of all that it plays.
    pub fn leave(&mut self, table: &mut NoteTable, end: &mut AudioEnd) {
        self.leave_stream(end);
        if let Some(cells) = &mut self.cells {
            cells.leave(table, end);
        }
        table.release(self.slot, end);
    }

    /// Whether a stream was asked for.
    pub fn is_forked(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether a stream is heard, or will be at its first sample.
    pub fn hears_stream(&self) -> bool {
        self.heard == Source::Stream
    }

    /// Goes on in the stream `tag` from `first_sample` on.
    pub fn fork(&mut self, tag: StreamTag, first_sample: usize) {
        self.stream = Some(Stream {
            tag,
            first_sample,
            reader: None,
            early: [None; STREAM_CONTROLS],
            early_count: 0,
        });
    }

    /// Says what the next chunks are to sound like, where [it is taken](Self::takes_control).
    pub fn control(&mut self, control: StreamControl) {
        let Some(stream) = &mut self.stream else { return };
        if let Some(reader) = &mut stream.reader {
            let sent = reader.control(control);
            debug_assert!(sent);
        } else if let Some(place) = stream.early.get_mut(stream.early_count) {
            *place = Some(control);
            stream.early_count += 1;
        }
    }

    /// Whether a control would be taken.
    pub fn takes_control(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| match &stream.reader {
            Some(reader) => reader.takes_control(),
            None => stream.early_count < STREAM_CONTROLS,
        })
    }

    /// Whether a stream was asked for that has not come.
    pub fn awaits_stream(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.reader.is_none())
    }

    /// The answer to [`fork`](Self::fork), if it is this track's; gives back what is not.
    pub fn receive(&mut self, tag: StreamTag, mut reader: StreamReader) -> Option<StreamReader> {
        let awaited = |stream: &&mut Stream| stream.tag == tag && stream.reader.is_none();
        let Some(stream) = self.stream.as_mut().filter(awaited) else {
            return Some(reader);
        };
        for control in stream.early.iter_mut().filter_map(Option::take) {
            // A ring holds as many as come early.
            let sent = reader.control(control);
            debug_assert!(sent);
        }
        stream.reader = Some(reader);
        None
    }

    /// Whether this stream was asked for and has not come.
    pub fn awaits(&self, tag: StreamTag) -> bool {
        self.awaits_stream() && self.stream.as_ref().is_some_and(|stream| stream.tag == tag)
    }

    /// Lets go of the stream.
    pub fn leave_stream(&mut self, end: &mut AudioEnd) {
        if let Some(reader) = self.stream.take().and_then(|stream| stream.reader) {
            end.give_back_stream(reader);
        }
        (self.heard, self.splice) = (Source::Note, None);
    }

    fn reader(&self) -> Option<&StreamReader> {
        self.stream.as_ref()?.reader.as_ref()
    }

    /// Whether the stream is there and has not got to `sample`.
    pub fn is_behind(&self, sample: usize) -> bool {
        self.reader()
            .is_some_and(|reader| !reader.is_finished() && reader.available() < sample)
    }

    /// Chooses what is heard from `position` on; returns whether a stream was left for its note, which only happens where
    /// `may_lapse`, or where it failed.
    pub fn settle(
        &mut self,
        note: &RenderedNote,
        position: usize,
        lengths: &SpliceLengths,
        may_lapse: bool,
    ) -> bool {
        if self
            .splice
            .is_some_and(|splice| position > splice.end() + MAX_REACH)
        {
            self.splice = None;
        }
        let Some(stream) = &mut self.stream else {
            return false;
        };
        let Some(reader) = &mut stream.reader else {
            return false;
        };
        reader.discard_before(position.saturating_sub(MAX_REACH + 1));
        if self.splice.is_some_and(|splice| position < splice.end()) {
            return false;
        }
        // In this order: an end read after a finish was seen is final.
        let (is_finished, is_failed) = (reader.is_finished(), reader.is_failed());
        let available = reader.available();
        let next = position + MAX_REACH + 1;
        match self.heard {
            Source::Note if next <= stream.first_sample => {
                self.splice = Some(Splice {
                    from: Source::Note,
                    at: stream.first_sample,
                    fade_samples: 0,
                });
                self.heard = Source::Stream;
            }
            Source::Note => {
                let enough = next + lengths.late_join + 2 * lengths.guard;
                if !is_failed && available >= enough {
                    self.splice = Some(Splice {
                        from: Source::Note,
                        at: next,
                        fade_samples: lengths.late_join,
                    });
                    self.heard = Source::Stream;
                }
            }
            Source::Stream => {
                let is_dry = !is_finished && available < position + lengths.guard;
                let goes_on = note.available() > position + 2 * lengths.guard;
                if (is_failed || may_lapse) && is_dry && goes_on {
                    self.splice = Some(Splice {
                        from: Source::Stream,
                        at: position,
                        fade_samples: lengths.lapse,
                    });
                    self.heard = Source::Note;
                    return true;
                }
            }
        }
        false
    }

    /// How far there is audio from here on, as [`settle`](Self::settle) chose.
    pub fn reach(&self, note: &RenderedNote, position: usize) -> Reach {
        if let Some(cells) = &self.cells {
            let (is_complete, available) = cells.reach(note, position);
            return Reach {
                is_complete,
                available,
            };
        }
        let of_note = || {
            // In this order: a length read after the end was seen is final.
            let is_complete = note.is_finished() || note.is_failed();
            Reach {
                is_complete,
                available: note.available(),
            }
        };
        let (Source::Stream, Some(reader)) = (self.heard, self.reader()) else {
            return of_note();
        };
        if let Some(splice) = self.splice.filter(|splice| position < splice.end()) {
            let before = of_note();
            if before.available < splice.end() {
                return before;
            }
        }
        let is_complete = reader.is_finished() || reader.is_failed();
        Reach {
            is_complete,
            available: reader.available(),
        }
    }

    /// Whether an offline render has all up to `needed`.
    pub fn is_ready(&self, note: &RenderedNote, needed: usize) -> bool {
        let is_complete = note.is_finished() || note.is_failed();
        let of_note = note.available();
        let Some(stream) = &self.stream else {
            return is_complete || of_note >= needed;
        };
        if needed <= stream.first_sample || is_complete && of_note <= stream.first_sample {
            return is_complete || of_note >= needed;
        }
        stream
            .reader
            .as_ref()
            .is_some_and(|reader| reader.is_finished() || reader.is_failed() || reader.available() >= needed)
    }

    /// Up to where the rendered note will be heard; none if to its end, or until a stream comes.
    pub fn note_until(&self) -> Option<usize> {
        let stream = self.stream.as_ref().filter(|_| self.hears_stream());
        stream.map(|stream| stream.first_sample)
    }

    /// Copies samples from `start` on into `out`, as far as they are there; returns how many. `other` is working memory as
    /// long as `out`, `former` the note that a cell's is faded from.
    pub fn read(
        &self,
        note: &RenderedNote,
        former: Option<&RenderedNote>,
        start: usize,
        out: &mut [f32],
        other: &mut [f32],
    ) -> usize {
        if let Some(cells) = &self.cells {
            return cells.read(note, former, start, out, other);
        }
        let from = |source: Source, start: usize, out: &mut [f32]| match (source, self.reader()) {
            (Source::Stream, Some(reader)) => reader.read(start, out),
            _ => note.read(start, out),
        };
        let Some(splice) = self.splice.filter(|splice| start < splice.end()) else {
            return from(self.heard, start, out);
        };
        let before = (splice.end() - start).min(out.len());
        let read = from(splice.from, start, &mut out[..before]);
        if read < before {
            return read;
        }
        let after = splice.at.saturating_sub(start).min(out.len());
        let count = out.len() - after;
        let read = from(self.heard, start + after, &mut other[..count]);
        for (i, (out, new)) in out[after..].iter_mut().zip(&other[..read]).enumerate() {
            let into = start + after + i - splice.at;
            let share = if into >= splice.fade_samples {
                1.0
            } else {
                into as f32 / splice.fade_samples as f32
            };
            *out += share * (new - *out);
            if share == 1.0 {
                *out = *new;
            }
        }
        // Without the new source the old one's fade is heard alone.
        (after + read).max(before.min(after))
    }
}

/// The stride of a stream that cannot keep up, and back: 1, 2, 4, 8 chunks.
pub fn coarser(stride_chunks: u8) -> u8 {
    stride_chunks.saturating_mul(2).min(LONGEST_STRIDE_CHUNKS)
}
