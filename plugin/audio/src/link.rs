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

use crate::blend::CornerMask;
use crate::limits::{NOTE_TABLE_CAPACITY, OUTBOX_MESSAGES, RING_MESSAGES};
use crate::note::{NoteKey, PatchId};
use crate::rendered_note::RenderedNote;
use crate::sync::Arc;

/// What the audio thread tells the scheduler.
#[derive(Clone, Debug)]
pub enum ToScheduler {
    /// A voice waits for this note: answer with [`ToAudio::Grant`] or [`ToAudio::Refuse`]. Its first chunks are to be
    /// rendered without waiting for [`RenderedNote::want`], which the voice can only call once it was granted.
    Request(NoteKey),
    /// The audio thread no longer holds this note. To be dropped here.
    Return(Arc<RenderedNote>),
}

/// What the scheduler tells the audio thread.
#[derive(Clone, Debug)]
pub enum ToAudio {
    /// The audio thread may play this note from now on, asked for or not. It is returned when it is retired, when
    /// the table needs its place, or at once if the table already holds its key.
    Grant(Arc<RenderedNote>),
    /// Return this note as soon as no voice plays it.
    Retire(NoteKey),
    /// This note will not come: its voices end. A later note-on asks again.
    Refuse(NoteKey),
    /// Notes struck from now on are this patch's. No note is played before the first of these.
    Patch {
        /// What the patch's audio is called.
        id: PatchId,
        /// Which corners hold a sound; with none, notes end at once.
        occupied: CornerMask,
    },
}

/// Both ends of a new link.
pub fn link() -> (AudioEnd, SchedulerEnd) {
    let (to_scheduler, from_audio) = HeapRb::new(RING_MESSAGES).split();
    let (to_audio, from_scheduler) = HeapRb::new(RING_MESSAGES).split();
    let outbox = VecDeque::with_capacity(OUTBOX_MESSAGES);
    (
        AudioEnd {
            to_scheduler,
            from_scheduler,
            outbox,
        },
        SchedulerEnd { to_audio, from_audio },
    )
}

/// The audio thread's end.
pub struct AudioEnd {
    to_scheduler: HeapProd<ToScheduler>,
    from_scheduler: HeapCons<ToAudio>,
    outbox: VecDeque<ToScheduler>,
}

/// The scheduler's end.
pub struct SchedulerEnd {
    to_audio: HeapProd<ToAudio>,
    from_audio: HeapCons<ToScheduler>,
}

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
        if self.outbox.len() < NOTE_TABLE_CAPACITY {
            self.from_scheduler.try_pop()
        } else {
            None
        }
    }

    /// Asks for a note; `false` if there is no room to ask.
    #[must_use]
    pub(crate) fn request(&mut self, key: NoteKey) -> bool {
        if self.outbox.len() >= NOTE_TABLE_CAPACITY {
            return false;
        }
        self.send(ToScheduler::Request(key));
        true
    }

    /// Gives a note back. There is always room: [`receive`](Self::receive) and [`request`](Self::request) stop at
    /// half of the outbox, and the other half takes all that the note table can hold.
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
    use crate::blend::BlendCell;

    fn key(pitch_cents: i32) -> NoteKey {
        NoteKey {
            patch: PatchId(1),
            cell: BlendCell { x: 0, y: 0 },
            pitch_cents,
        }
    }

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
        assert_eq!(accepted, RING_MESSAGES + NOTE_TABLE_CAPACITY);
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
