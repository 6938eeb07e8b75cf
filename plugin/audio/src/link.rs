//! The two wait-free rings between an instrument's audio thread and the scheduler.
//!
//! [`link`] builds both ends. The [`AudioEnd`] moves into the [`Instrument`](crate::instrument::Instrument); the
//! scheduler, one a process, holds the [`SchedulerEnd`] of every instrument.
//!
//! # Realtime Safety
//! Both ends return at once. The audio end never drops an `Arc`: what a full ring refuses waits in a
//! preallocated outbox and is sent again at the next block.

use std::collections::VecDeque;

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::grid::Grid;
use crate::limits::{OUTBOX_MESSAGES, RING_MESSAGES};
use crate::note::{NoteKey, PatchView};
use crate::rendered_note::RenderedNote;
use crate::stream::StreamReader;
use crate::sync::{Arc, AtomicUsize};
use std::sync::atomic::Ordering;

/// Names a stream within its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamTag(pub u64);

/// What the audio thread tells the scheduler.
#[derive(Debug)]
pub enum ToScheduler {
    /// A voice waits for this note: answer with [`ToAudio::Grant`] or [`ToAudio::Refuse`]. Its first chunks are to be
    /// rendered without waiting for [`RenderedNote::want`], which the voice can only call once it was granted.
    Request(NoteKey),
    /// The audio thread no longer holds this note. To be dropped here.
    Return(Arc<RenderedNote>),
    /// A voice goes on by itself from the border before the chunk `first_chunk` of this note, in a stream: answer with
    /// [`ToAudio::Stream`] or [`ToAudio::RefuseStream`]. What came before is as the key says.
    Fork {
        /// Names the stream.
        tag: StreamTag,
        /// The note that it goes on from.
        key: NoteKey,
        /// Its first chunk, counted from the note's.
        first_chunk: u32,
    },
    /// The voice is done with this stream. To be dropped here.
    ReturnStream(StreamReader),
}

/// What the scheduler tells the audio thread.
#[derive(Debug)]
pub enum ToAudio {
    /// The audio thread may play this note from now on, asked for or not. It is returned when it is retired, when
    /// the table needs its place, or at once if the table already holds its key.
    Grant(Arc<RenderedNote>),
    /// Return this note as soon as no voice plays it.
    Retire(NoteKey),
    /// This note will not come: its voices end. A later note-on asks again.
    Refuse(NoteKey),
    /// Notes struck from now on are this patch's. No note is played before the first of these.
    Patch(PatchView),
    /// Notes are those of this grid from now on, each granted when it is whole, asked for or not; none: any note there is
    /// may be asked for. Voices that wait ask again.
    Grid(Option<Grid>),
    /// The stream that a voice asked for. It is returned when the voice is done with it.
    Stream {
        /// As it was asked for.
        tag: StreamTag,
        /// The voice's end.
        reader: StreamReader,
    },
    /// This stream will not come: the voice goes on with its rendered note.
    RefuseStream(StreamTag),
}

/// Both ends of a new link.
pub fn link() -> (AudioEnd, SchedulerEnd) {
    let (to_scheduler, from_audio) = HeapRb::new(RING_MESSAGES).split();
    let (to_audio, from_scheduler) = HeapRb::new(RING_MESSAGES).split();
    let outbox = VecDeque::with_capacity(OUTBOX_MESSAGES);
    let stirs = Arc::new(AtomicUsize::new(0));
    (
        AudioEnd {
            to_scheduler,
            from_scheduler,
            outbox,
            stirs: stirs.clone(),
        },
        SchedulerEnd {
            to_audio,
            from_audio,
            stirs,
        },
    )
}

/// The audio thread's end.
pub struct AudioEnd {
    to_scheduler: HeapProd<ToScheduler>,
    from_scheduler: HeapCons<ToAudio>,
    outbox: VecDeque<ToScheduler>,
    stirs: Arc<AtomicUsize>,
}

/// The scheduler's end.
pub struct SchedulerEnd {
    to_audio: HeapProd<ToAudio>,
    from_audio: HeapCons<ToScheduler>,
    stirs: Arc<AtomicUsize>,
}

/// Messages that may wait in the outbox before no more is asked for or taken in: the rest is kept for returns.
const CROWDED_MESSAGES: usize = OUTBOX_MESSAGES / 2;

impl AudioEnd {
    /// Sends again what the ring refused before, in order.
    pub(crate) fn flush(&mut self) {
        while let Some(message) = self.outbox.pop_front() {
            if let Err(message) = self.to_scheduler.try_push(message) {
                self.outbox.push_front(message);
                break;
            }
        }
    }

    /// The next message, unless so much waits to go out that an answer to it might find no room.
    pub(crate) fn receive(&mut self) -> Option<ToAudio> {
        if self.outbox.len() < CROWDED_MESSAGES {
            self.from_scheduler.try_pop()
        } else {
            None
        }
    }

    /// Asks for a note; `false` if there is no room to ask.
    #[must_use]
    pub(crate) fn request(&mut self, key: NoteKey) -> bool {
        if self.outbox.len() >= CROWDED_MESSAGES {
            return false;
        }
        self.send(ToScheduler::Request(key));
        true
    }

    /// Asks for a stream; `false` if there is no room to ask.
    #[must_use]
    pub(crate) fn fork(&mut self, tag: StreamTag, key: NoteKey, first_chunk: u32) -> bool {
        if self.outbox.len() >= CROWDED_MESSAGES {
            return false;
        }
        self.send(ToScheduler::Fork {
            tag,
            key,
            first_chunk,
        });
        true
    }

    /// Gives a stream back. There is always room, as for notes.
    pub(crate) fn give_back_stream(&mut self, reader: StreamReader) {
        self.send(ToScheduler::ReturnStream(reader));
    }

    /// Says that a voice lives: the scheduler looks often as long as it hears this.
    pub(crate) fn stir(&self) {
        self.stirs.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a note back. There is always room: [`receive`](Self::receive) and [`request`](Self::request) stop at
    /// half of the outbox, and the other half takes all notes and streams that there can be.
    pub(crate) fn give_back(&mut self, note: Arc<RenderedNote>) {
        self.send(ToScheduler::Return(note));
    }

    fn send(&mut self, message: ToScheduler) {
        let refused = if self.outbox.is_empty() {
            self.to_scheduler.try_push(message).err()
        } else {
            Some(message)
        };
        if let Some(message) = refused {
            debug_assert!(self.outbox.len() < self.outbox.capacity());
            self.outbox.push_back(message);
        }
    }
}

impl SchedulerEnd {
    /// The next message from the audio thread.
    pub fn receive(&mut self) -> Option<ToScheduler> {
        self.from_audio.try_pop()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Gives the message back when the ring is full: the audio thread is not running. Try again later.
    pub fn send(&mut self, message: ToAudio) -> Result<(), ToAudio> {
        self.to_audio.try_push(message)
    }

    /// Grows while voices live. Unchanged since a while: nothing is urgent.
    pub fn stirs(&self) -> usize {
        self.stirs.load(Ordering::Relaxed)
    }

    /// Whether the audio end is gone: nothing sent will be received.
    pub fn is_abandoned(&self) -> bool {
        !self.to_audio.read_is_held()
    }
}

impl std::fmt::Debug for AudioEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioEnd")
            .field("outbox", &self.outbox.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SchedulerEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SchedulerEnd")
            .field("unread", &self.from_audio.occupied_len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::limits::NOTE_TABLE_CAPACITY;
    use crate::note::test_key as key;

    #[test]
    fn what_a_full_ring_refuses_arrives_later_in_order() {
        let (mut audio, mut scheduler) = link();
        let count = RING_MESSAGES as i32 + 100;
        for pitch in 0..count {
            assert!(audio.request(key(pitch)));
        }
        let mut arrived = Vec::new();
        while arrived.len() < count as usize {
            while let Some(ToScheduler::Request(key)) = scheduler.receive() {
                arrived.push(key.pitch_cents);
            }
            audio.flush();
        }
        assert_eq!(arrived, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn with_a_deaf_scheduler_requests_are_refused_before_returns_lose_their_room() {
        let (mut audio, _scheduler) = link();
        let accepted = (0..20_000).take_while(|pitch| audio.request(key(*pitch))).count();
        assert_eq!(accepted, RING_MESSAGES + CROWDED_MESSAGES);
        let (_writer, note) = RenderedNote::new(key(0), 1, 1, 48_000);
        for _ in 0..NOTE_TABLE_CAPACITY {
            audio.give_back(note.clone());
        }
        assert_eq!(Arc::strong_count(&note), 2 + NOTE_TABLE_CAPACITY);
        assert_eq!(audio.outbox.capacity(), OUTBOX_MESSAGES);
    }

    #[test]
    fn the_scheduler_sees_that_the_audio_end_is_gone() {
        let (audio, scheduler) = link();
        assert!(!scheduler.is_abandoned());
        drop(audio);
        assert!(scheduler.is_abandoned());
    }
}
