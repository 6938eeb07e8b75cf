//! One of a voice's renders: the rendered note it begins with, and the stream it goes on in once its timbre moves.
//!
//! Runs on the audio thread. A stream that is there in time follows the note at a chunk's border, sample by sample. One that
//! comes late is faded over to. While a stream has run dry its note is heard, as far as that goes: what was rendered
//! nearest; and where there is no note either, the last periods again ([`Echo`]): both rather than a gap. Offline none of that
//! happens: a voice waits for what it needs.

use crate::cell_play::CellPlay;
use crate::echo::Echo;
use crate::limits::{END_FADE_MS, LONGEST_STRIDE_CHUNKS, STREAM_CONTROLS};
use crate::link::{AudioEnd, StreamTag};
use crate::note_table::{NoteSlot, NoteTable};
use crate::rates::note_samples;
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
    /// What there was of one of the two, repeated.
    Echo(Origin, Echo),
}

/// What renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Note,
    Stream,
}

impl Source {
    fn of(origin: Origin) -> Self {
        match origin {
            Origin::Note => Self::Note,
            Origin::Stream => Self::Stream,
        }
    }
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

/// How a voice listens: lengths of the fades between sources, and what a source must still have to be kept for another run, in
/// the note's samples.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    pub late_join: usize,
    pub lapse: usize,
    pub guard: usize,
    /// Whether it has caught up with everything, and stands still in silence.
    pub is_silent: bool,
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
        matches!(self.heard, Source::Stream | Source::Echo(Origin::Stream, _))
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

    /// Whether the stream came, and came to its end, before it was heard: too late for what was to end in it.
    pub fn has_missed_stream(&self, position: usize) -> bool {
        !self.hears_stream()
            && self
                .reader()
                .is_some_and(|reader| reader.is_finished() && reader.available() <= position)
    }

    fn reader(&self) -> Option<&StreamReader> {
        self.stream.as_ref()?.reader.as_ref()
    }

    /// Whether the stream is there and has not got to `sample`.
    pub fn is_behind(&self, sample: usize) -> bool {
        self.reader()
            .is_some_and(|reader| !reader.is_finished() && reader.available() < sample)
    }

    /// Chooses what is heard from `position` on; returns whether what should be heard was left for something else, which only
    /// happens where `may_lapse`, or where a stream failed.
    pub fn settle(&mut self, note: &RenderedNote, position: usize, by: &Listening, may_lapse: bool) -> bool {
        if self.cells.is_some() {
            return false;
        }
        if self
            .splice
            .is_some_and(|splice| position > splice.end() + MAX_REACH)
        {
            self.splice = None;
        }
        let heard = [Some(self.heard), self.splice.map(|splice| splice.from)];
        let oldest = heard
            .into_iter()
            .flatten()
            .fold(position, |oldest, source| match source {
                Source::Echo(_, echo) => oldest.min(echo.limit()),
                Source::Note | Source::Stream => oldest,
            });
        if let Some(Stream {
            reader: Some(reader), ..
        }) = &mut self.stream
        {
            let history = MAX_REACH + 1 + Echo::history_samples(note.sample_rate_hz());
            reader.discard_before(oldest.saturating_sub(history));
        }
        if self.splice.is_some_and(|splice| position < splice.end()) {
            return false;
        }
        match self.heard {
            Source::Echo(origin, echo) => {
                self.leave_echo(note, origin, echo, position, by);
                false
            }
            Source::Stream => self.lapse(note, position, by, may_lapse),
            Source::Note => {
                self.join_stream(note, position, by, may_lapse);
                may_lapse && self.heard == Source::Note && self.begin_echo(Origin::Note, note, position, by)
            }
        }
    }

    /// From the note to the stream, once its first chunk is there: in time without a fade, or late with one. Where it
    /// `may_lapse`, the note must be there up to the border.
    fn join_stream(&mut self, note: &RenderedNote, position: usize, by: &Listening, may_lapse: bool) {
        let (Some(first_sample), Some(reader)) = (self.stream_begin(), self.reader()) else {
            return;
        };
        let next = position + MAX_REACH + 1;
        let is_in_time = next <= first_sample;
        // What is left of the note to fade out: nothing more of it will be rendered.
        let left = note.available().saturating_sub(next);
        let has_come = if is_in_time {
            let is_whole = !may_lapse || note.is_finished() || note.available() >= first_sample;
            is_whole && (reader.is_finished() || reader.is_failed() || reader.available() > first_sample)
        } else {
            self.has_stream(next, by) && (left >= by.late_join || note.is_finished())
        };
        if has_come {
            self.splice = Some(Splice {
                from: Source::Note,
                at: if is_in_time { first_sample } else { next },
                fade_samples: if is_in_time { 0 } else { by.late_join.min(left) },
            });
            self.heard = Source::Stream;
        }
    }

    /// Where the stream follows the note, if it is there.
    fn stream_begin(&self) -> Option<usize> {
        let stream = self.stream.as_ref()?;
        stream.reader.as_ref().map(|_| stream.first_sample)
    }

    /// Whether there is enough of the stream to go over to it at `next`.
    fn has_stream(&self, next: usize, by: &Listening) -> bool {
        self.stream_begin().is_some_and(|begin| begin < next)
            && self.reader().is_some_and(|reader| {
                !reader.is_failed() && reader.available() >= next + by.late_join + 2 * by.guard
            })
    }

    /// From a stream that has run dry to the note, if it goes on, or else to an echo.
    fn lapse(&mut self, note: &RenderedNote, position: usize, by: &Listening, may_lapse: bool) -> bool {
        let reach = self.reach_of(Source::Stream, note);
        let is_failed = self.reader().is_some_and(StreamReader::is_failed);
        let is_dry = (!reach.is_complete || is_failed) && reach.available < position + by.guard;
        if !(is_failed || may_lapse) || !is_dry {
            return false;
        }
        if note.available() > position + 2 * by.guard {
            self.splice = Some(Splice {
                from: Source::Stream,
                at: position,
                fade_samples: by.lapse,
            });
            self.heard = Source::Note;
            return true;
        }
        self.begin_echo(Origin::Stream, note, position, by)
    }

    /// Goes on in an echo if the worker is late.
    fn begin_echo(&mut self, origin: Origin, note: &RenderedNote, position: usize, by: &Listening) -> bool {
        let reach = self.reach_of(Source::of(origin), note);
        if reach.is_complete || reach.available >= position + by.guard || reach.available <= position {
            return false;
        }
        let echo = Echo::of(reach.available, note.key().pitch_midi(), note.sample_rate_hz());
        if let Some(echo) = echo {
            // Up to its limit it is what it echoes.
            self.heard = Source::Echo(origin, echo);
        }
        echo.is_some()
    }

    /// Back from an echo when enough has come, or on to its end when nothing more will.
    fn leave_echo(
        &mut self,
        note: &RenderedNote,
        origin: Origin,
        mut echo: Echo,
        position: usize,
        by: &Listening,
    ) {
        if by.is_silent {
            // It has been given up: what comes is waited for, without a fade.
            self.heard = Source::of(origin);
            return;
        }
        let reach = self.reach_of(Source::of(origin), note);
        let next = position + MAX_REACH + 1;
        let back = if self.has_stream(next, by) {
            Some(Source::Stream)
        } else {
            let has_come = reach.available >= next + by.late_join + by.guard;
            has_come.then_some(Source::of(origin))
        };
        if let Some(back) = back {
            echo.last_until(next + by.late_join);
            self.splice = Some(Splice {
                from: Source::Echo(origin, echo),
                at: next,
                fade_samples: by.late_join,
            });
            self.heard = back;
        } else if reach.is_complete {
            echo.end_at(position + 2 * note_samples(note.sample_rate_hz(), END_FADE_MS));
            self.heard = Source::Echo(origin, echo);
        }
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
        if let Some(splice) = self.splice.filter(|splice| position < splice.end())
            && self.heard != Source::Note
        {
            let before = self.reach_of(splice.from, note);
            if before.available < splice.end() {
                return before;
            }
        }
        self.reach_of(self.heard, note)
    }

    /// How far a source goes.
    fn reach_of(&self, source: Source, note: &RenderedNote) -> Reach {
        // In this order: a length read after the end was seen is final.
        match (source, self.reader()) {
            (Source::Stream, Some(reader)) => Reach {
                is_complete: reader.is_finished() || reader.is_failed(),
                available: reader.available(),
            },
            (Source::Echo(origin, echo), _) => Reach {
                is_complete: self.reach_of(Source::of(origin), note).is_complete,
                available: echo.end(),
            },
            _ => Reach {
                is_complete: note.is_finished() || note.is_failed(),
                available: note.available(),
            },
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
            (Source::Echo(origin, echo), _) => self.read_echo(note, origin, &echo, start, out),
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

    /// An echo's samples, one after another: it is rare and short.
    fn read_echo(
        &self,
        note: &RenderedNote,
        origin: Origin,
        echo: &Echo,
        start: usize,
        out: &mut [f32],
    ) -> usize {
        // Before its first sample a stream was its note.
        let stream = self
            .stream
            .as_ref()
            .filter(|_| origin == Origin::Stream)
            .and_then(|stream| Some((stream.first_sample, stream.reader.as_ref()?)));
        let heard = |sample: usize| {
            let mut value = [0.0];
            match stream {
                Some((first_sample, reader)) if sample >= first_sample => reader.read(sample, &mut value),
                _ => note.read(sample, &mut value),
            };
            value[0]
        };
        for (i, out) in out.iter_mut().enumerate() {
            *out = echo.sample(start + i, heard);
        }
        out.len()
    }
}

/// The stride of a stream that cannot keep up, and back: 1, 2, 4, 8 chunks.
pub fn coarser(stride_chunks: u8) -> u8 {
    stride_chunks.saturating_mul(2).min(LONGEST_STRIDE_CHUNKS)
}
