//! A rendered note: audio that one worker grows chunk by chunk while any number of voices read it.
//!
//! The [`NoteWriter`] lives on a worker (or waits with the scheduler); the [`RenderedNote`] is shared.
//! Nothing here locks. A chunk is written once, then the length is published with a Release store; readers
//! load the length with Acquire and never look past it. Loom tries every interleaving of this:
//! `RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test --release -p betwixt-audio --lib loom`.
//!
//! # Realtime Safety
//! Every method of [`RenderedNote`] is wait-free. Dropping the last `Arc` frees memory: the audio thread
//! sends its `Arc`s back over [`crate::link`] instead.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::note::NoteKey;
use crate::note_loop::NoteLoop;
use crate::sync::{Arc, AtomicU8, AtomicUsize, OnceLock};

const GROWING: u8 = 0;
const FINISHED: u8 = 1;
const FAILED: u8 = 2;

/// Stamps uses in order, over all notes of the process.
static USE_CLOCK: AtomicU64 = AtomicU64::new(1);

/// The readers' side of a rendered note. Mono, full scale 1.0.
#[derive(Debug)]
pub struct RenderedNote {
    key: NoteKey,
    sample_rate_hz: u32,
    chunk_samples: usize,
    chunks: Box<[OnceLock<Box<[f32]>>]>,
    /// Samples that may be read. Stored (Release) after the chunk that holds them.
    available: AtomicUsize,
    /// `GROWING`, `FINISHED` or `FAILED`. Stored (Release) after the last change of `available`.
    state: AtomicU8,
    /// Sample up to which some voice asked for audio.
    wanted: AtomicUsize,
    /// Voices that wait for it or play it.
    listeners: AtomicUsize,
    last_used: AtomicU64,
    /// Where a whole note is looped. Set before `FINISHED` is stored.
    looped: OnceLock<NoteLoop>,
}

/// The one writer of a rendered note. Dropping it without [`finish`](Self::finish) fails the note, so that no
/// voice waits for ever.
#[derive(Debug)]
pub struct NoteWriter {
    note: Arc<RenderedNote>,
    written_chunks: usize,
    written_samples: usize,
}

/// Why a chunk was not taken. The chunk comes back with the error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PushError {
    /// The note holds as many chunks as it has room for.
    #[error("the rendered note is full")]
    Full(Box<[f32]>),
    /// The chunk is empty, longer than the note's chunks, or follows a shorter one (only the last may be short).
    #[error("a chunk of {} samples does not fit the note's chunks", .0.len())]
    Length(Box<[f32]>),
    /// The chunk holds a sample that is infinite or not a number.
    #[error("the chunk holds a sample that is infinite or not a number")]
    NotFinite(Box<[f32]>),
}

impl RenderedNote {
    /// Both ends of a new, empty note: up to `capacity_chunks` chunks of `chunk_samples` samples. Allocates the
    /// chunk slots only (24 bytes each); the samples come with the chunks.
    pub fn new(
        key: NoteKey,
        chunk_samples: usize,
        capacity_chunks: usize,
        sample_rate_hz: u32,
    ) -> (NoteWriter, Arc<RenderedNote>) {
        let note = Arc::new(RenderedNote {
            key,
            sample_rate_hz,
            chunk_samples: chunk_samples.max(1),
            chunks: (0..capacity_chunks).map(|_| OnceLock::new()).collect(),
            available: AtomicUsize::new(0),
            state: AtomicU8::new(GROWING),
            wanted: AtomicUsize::new(0),
            listeners: AtomicUsize::new(0),
            last_used: AtomicU64::new(USE_CLOCK.fetch_add(1, Ordering::Relaxed)),
            looped: OnceLock::new(),
        });
        (
            NoteWriter {
                note: note.clone(),
                written_chunks: 0,
                written_samples: 0,
            },
            note,
        )
    }

    /// What was rendered.
    pub fn key(&self) -> NoteKey {
        self.key
    }

    /// The rate it was rendered at.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Samples in a chunk.
    pub fn chunk_samples(&self) -> usize {
        self.chunk_samples
    }

    /// The most samples this note can ever hold.
    pub fn capacity_samples(&self) -> usize {
        self.chunks.len() * self.chunk_samples
    }

    /// How many samples may be read now (Acquire).
    pub fn available(&self) -> usize {
        self.available.load(Ordering::Acquire)
    }

    /// Whether nothing will be added any more, because it is complete. Asked *before* [`available`](Self::available),
    /// a yes means that the length read afterwards is final.
    pub fn is_finished(&self) -> bool {
        self.state.load(Ordering::Acquire) == FINISHED
    }

    /// Whether nothing will be added any more, because rendering went wrong or was given up.
    pub fn is_failed(&self) -> bool {
        self.state.load(Ordering::Acquire) == FAILED
    }

    /// Where its audio is looped while a key is held; none before it is finished, and of most notes.
    pub fn looped(&self) -> Option<&NoteLoop> {
        if self.is_finished() {
            self.looped.get()
        } else {
            None
        }
    }

    /// Copies samples from `start` on into `out`, as far as they are published; returns how many.
    pub fn read(&self, start: usize, out: &mut [f32]) -> usize {
        let end = self.available().min(start.saturating_add(out.len()));
        let mut at = start;
        while at < end {
            let Some(chunk) = self.chunks[at / self.chunk_samples].get() else {
                break;
            };
            let from = at % self.chunk_samples;
            let count = (chunk.len() - from).min(end - at);
            out[at - start..at - start + count].copy_from_slice(&chunk[from..from + count]);
            at += count;
        }
        at - start
    }

    /// Asks for audio up to (not including) `until_sample`. Asks of several voices join to the farthest.
    pub fn want(&self, until_sample: usize) {
        // A load first: most asks change nothing, and a load does not take the cache line from other readers.
        if self.wanted.load(Ordering::Relaxed) < until_sample {
            self.wanted.fetch_max(until_sample, Ordering::Relaxed);
        }
    }

    /// The sample up to which some voice asked for audio. May be past the capacity.
    pub fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Another voice waits for the note or plays it.
    pub fn join(&self) {
        self.listeners.fetch_add(1, Ordering::Relaxed);
    }

    /// One of the voices that [joined](Self::join) is done with it.
    pub fn leave(&self) {
        let before = self.listeners.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "nobody was there");
    }

    /// Whether any voice waits for the note or plays it. What is [wanted](Self::wanted) of one that none does can wait.
    pub fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Marks the note as used now.
    pub fn touch(&self) {
        self.last_used
            .store(USE_CLOCK.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// When the note was last used: greater is later, comparable over all notes of the process.
    pub fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// Memory held, in bytes: samples and slots.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.chunks.len() * size_of::<OnceLock<Box<[f32]>>>()
            + self.available() * size_of::<f32>()
    }
}

impl NoteWriter {
    /// The note being written.
    pub fn note(&self) -> &Arc<RenderedNote> {
        &self.note
    }

    /// Publishes the next chunk. All chunks are `chunk_samples` long; only the last may be shorter.
    ///
    /// # Errors
    /// [`PushError`] gives the chunk back; the note is as it was.
    pub fn push(&mut self, chunk: Box<[f32]>) -> Result<(), PushError> {
        let note = &*self.note;
        let after_short = self.written_samples != self.written_chunks * note.chunk_samples;
        if chunk.is_empty() || chunk.len() > note.chunk_samples || after_short {
            return Err(PushError::Length(chunk));
        }
        if chunk.iter().any(|sample| !sample.is_finite()) {
            return Err(PushError::NotFinite(chunk));
        }
        let Some(slot) = note.chunks.get(self.written_chunks) else {
            return Err(PushError::Full(chunk));
        };
        let samples = chunk.len();
        slot.set(chunk).map_err(PushError::Full)?;
        self.written_chunks += 1;
        self.written_samples += samples;
        note.available.store(self.written_samples, Ordering::Release);
        Ok(())
    }

    /// Chunks pushed so far.
    pub fn written_chunks(&self) -> usize {
        self.written_chunks
    }

    /// Whether there is no room for another chunk.
    pub fn is_full(&self) -> bool {
        self.written_chunks == self.note.chunks.len()
    }

    /// Declares the note complete: voices play to its end and stop.
    pub fn finish(self) {
        self.note.state.store(FINISHED, Ordering::Release);
    }

    /// Declares the note complete, and where it is looped while a key is held past its end.
    pub fn finish_looped(self, looped: Option<NoteLoop>) {
        if let Some(looped) = looped.filter(|looped| looped.end_sample() <= self.written_samples) {
            // Nobody else sets it: there is one writer, and it ends here.
            let _ = self.note.looped.set(looped);
        }
        self.finish();
    }

    /// Gives the note up: voices that read it fade and end.
    pub fn fail(self) {}
}

impl Drop for NoteWriter {
    fn drop(&mut self) {
        if self.note.state.load(Ordering::Relaxed) == GROWING {
            self.note.state.store(FAILED, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn key() -> NoteKey {
        crate::note::test_key(6000)
    }

    #[test]
    fn samples_read_are_the_samples_pushed_over_chunk_borders() {
        let (mut writer, note) = RenderedNote::new(key(), 4, 3, 48_000);
        writer.push(vec![0.0, 1.0, 2.0, 3.0].into()).unwrap();
        writer.push(vec![4.0, 5.0, 6.0, 7.0].into()).unwrap();
        let mut out = [-1.0; 5];
        assert_eq!(note.read(2, &mut out), 5);
        assert_eq!(out, [2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(note.read(6, &mut out), 2);
        assert_eq!(out[..2], [6.0, 7.0]);
        assert_eq!(note.read(8, &mut out), 0);
        assert_eq!(note.read(usize::MAX, &mut out), 0);
    }

    #[test]
    fn a_full_note_gives_the_chunk_back() {
        let (mut writer, note) = RenderedNote::new(key(), 2, 1, 48_000);
        writer.push(vec![1.0, 2.0].into()).unwrap();
        assert!(writer.is_full());
        assert_eq!(
            writer.push(vec![3.0, 4.0].into()),
            Err(PushError::Full(vec![3.0, 4.0].into()))
        );
        writer.finish();
        assert!(note.is_finished() && !note.is_failed());
        assert_eq!(note.available(), 2);
    }

    #[test]
    fn only_the_last_chunk_may_be_short() {
        let (mut writer, note) = RenderedNote::new(key(), 4, 4, 48_000);
        writer.push(vec![1.0; 3].into()).unwrap();
        assert!(matches!(
            writer.push(vec![1.0; 4].into()),
            Err(PushError::Length(_))
        ));
        assert!(matches!(writer.push(Box::new([])), Err(PushError::Length(_))));
        assert_eq!(note.available(), 3);
        assert_eq!(note.read(0, &mut [0.0; 8]), 3);
    }

    #[test]
    fn a_sample_that_is_not_a_number_never_reaches_a_voice() {
        let (mut writer, note) = RenderedNote::new(key(), 2, 2, 48_000);
        assert!(matches!(
            writer.push(vec![0.0, f32::NAN].into()),
            Err(PushError::NotFinite(_))
        ));
        assert!(matches!(
            writer.push(vec![f32::INFINITY, 0.0].into()),
            Err(PushError::NotFinite(_))
        ));
        assert_eq!(note.available(), 0);
    }

    #[test]
    fn a_writer_that_is_dropped_fails_its_note() {
        let (writer, note) = RenderedNote::new(key(), 2, 2, 48_000);
        drop(writer);
        assert!(note.is_failed() && !note.is_finished());
    }

    #[test]
    fn asks_of_several_voices_join_to_the_farthest() {
        let (_writer, note) = RenderedNote::new(key(), 2, 2, 48_000);
        note.want(100);
        note.want(50);
        assert_eq!(note.wanted(), 100);
    }

    #[test]
    fn a_note_touched_later_was_used_later() {
        let (_a, first) = RenderedNote::new(key(), 2, 2, 48_000);
        let (_b, second) = RenderedNote::new(key(), 2, 2, 48_000);
        assert!(second.last_used() > first.last_used());
        first.touch();
        assert!(first.last_used() > second.last_used());
    }
}

#[cfg(all(test, loom))]
mod loom_models {
    use super::*;
    use loom::thread;

    fn pair() -> (NoteWriter, Arc<RenderedNote>) {
        let key = crate::note::test_key(6000);
        RenderedNote::new(key, 2, 2, 48_000)
    }

    #[test]
    fn loom_a_published_sample_is_a_written_sample() {
        loom::model(|| {
            let (mut writer, note) = pair();
            let worker = thread::spawn(move || {
                writer.push(vec![1.0, 2.0].into()).unwrap();
                writer.push(vec![3.0, 4.0].into()).unwrap();
                writer.finish();
            });
            let other = note.clone();
            let second = thread::spawn(move || {
                let mut out = [0.0; 4];
                let count = other.read(1, &mut out[..3]);
                assert_eq!(out[..count], [2.0, 3.0, 4.0][..count]);
            });
            let mut out = [0.0; 4];
            let count = note.read(0, &mut out);
            assert_eq!(out[..count], [1.0, 2.0, 3.0, 4.0][..count]);
            worker.join().unwrap();
            second.join().unwrap();
        });
    }

    #[test]
    fn loom_a_length_read_after_finished_is_final() {
        loom::model(|| {
            let (mut writer, note) = pair();
            let worker = thread::spawn(move || {
                writer.push(vec![1.0, 2.0].into()).unwrap();
                writer.push(vec![3.0].into()).unwrap();
                writer.finish();
            });
            if note.is_finished() {
                assert_eq!(note.available(), 3);
            }
            worker.join().unwrap();
            assert!(note.is_finished());
        });
    }

    #[test]
    fn loom_a_length_read_after_a_failure_is_final_too() {
        loom::model(|| {
            let (mut writer, note) = pair();
            let worker = thread::spawn(move || {
                writer.push(vec![1.0, 2.0].into()).unwrap();
                drop(writer);
            });
            if note.is_failed() {
                assert_eq!(note.available(), 2);
            }
            worker.join().unwrap();
        });
    }
}
