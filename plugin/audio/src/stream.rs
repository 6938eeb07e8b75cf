//! A stream: chunks rendered for one held voice whose timbre moves, or that is held longer than its rendered note.
//!
//! The voice sends a [`StreamControl`] for each chunk before it is due; the worker that holds the [`StreamWriter`] renders
//! exactly that, and the samples come back. Both ways are single-producer single-consumer rings. A stream goes on from
//! the rendered note's snapshot at a chunk's border, so that its first sample follows the note's last one.
//!
//! # Realtime Safety
//! Every method of [`StreamReader`] is wait-free. Dropping one frees memory: the audio thread gives it back over
//! [`crate::link`].

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::limits::{STREAM_CHUNKS, STREAM_CONTROLS};
use crate::sync::{Arc, AtomicU8};
use crate::timbre::Timbre;
use std::sync::atomic::Ordering;

const GROWING: u8 = 0;
const FINISHED: u8 = 1;
const FAILED: u8 = 2;

/// What the next chunks of a stream are to sound like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamControl {
    /// Reached at the end of the last of the chunks, evenly from where the chunk before ended.
    pub timbre: Timbre,
    /// Whether the sound goes on to its own ending, from these chunks on.
    pub is_released: bool,
    /// How many chunks, at least 1: more where the machine cannot keep up.
    pub chunks: u8,
}

/// The voice's end. Mono, full scale 1.0; samples are counted from the note's start.
pub struct StreamReader {
    samples: HeapCons<f32>,
    controls: HeapProd<StreamControl>,
    state: Arc<AtomicU8>,
    /// The oldest sample that is still here.
    begin: usize,
    sample_rate_hz: u32,
}

/// The worker's end. Dropping it without [`finish`](Self::finish) fails the stream.
pub struct StreamWriter {
    samples: HeapProd<f32>,
    controls: HeapCons<StreamControl>,
    state: Arc<AtomicU8>,
    chunk_samples: usize,
}

/// Both ends of a new stream that begins with the chunk `first_chunk` of its note. Allocates.
pub fn stream(first_chunk: usize, chunk_samples: usize, sample_rate_hz: u32) -> (StreamWriter, StreamReader) {
    let (samples, heard) = HeapRb::new(STREAM_CHUNKS * chunk_samples).split();
    let (controls, told) = HeapRb::new(STREAM_CONTROLS).split();
    let state = Arc::new(AtomicU8::new(GROWING));
    let reader = StreamReader {
        samples: heard,
        controls,
        state: state.clone(),
        begin: first_chunk * chunk_samples,
        sample_rate_hz,
    };
    let writer = StreamWriter {
        samples,
        controls: told,
        state,
        chunk_samples,
    };
    (writer, reader)
}

impl StreamReader {
    /// The rate it is rendered at.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Whether there is room for another control.
    pub fn takes_control(&self) -> bool {
        !self.controls.is_full()
    }

    /// Says what the next chunks are to sound like; `false` if there is no room.
    #[must_use]
    pub fn control(&mut self, control: StreamControl) -> bool {
        self.controls.try_push(control).is_ok()
    }

    /// Whether nothing will be added any more, because the sound has ended. Asked *before*
    /// [`available`](Self::available), a yes means that the end read afterwards is final.
    pub fn is_finished(&self) -> bool {
        self.state.load(Ordering::Acquire) == FINISHED
    }

    /// Whether nothing will be added any more, because rendering went wrong.
    pub fn is_failed(&self) -> bool {
        self.state.load(Ordering::Acquire) == FAILED
    }

    /// The sample up to which (not including) there is audio now.
    pub fn available(&self) -> usize {
        self.begin + self.samples.occupied_len()
    }

    /// Copies samples from `start` on into `out`, as far as they are here; returns how many. What was discarded reads as
    /// silence.
    pub fn read(&self, start: usize, out: &mut [f32]) -> usize {
        let count = self.available().saturating_sub(start).min(out.len());
        let (first, second) = self.samples.as_slices();
        let mut at = 0;
        let gone = self.begin.saturating_sub(start).min(count);
        out[..gone].fill(0.0);
        at += gone;
        while at < count {
            let from = start + at - self.begin;
            let piece = if from < first.len() {
                &first[from..]
            } else {
                &second[from - first.len()..]
            };
            let length = piece.len().min(count - at);
            out[at..at + length].copy_from_slice(&piece[..length]);
            at += length;
        }
        count
    }

    /// Lets go of the samples before `sample`, so that the worker can go on.
    pub fn discard_before(&mut self, sample: usize) {
        let count = sample.saturating_sub(self.begin);
        self.begin += self.samples.skip(count);
    }
}

impl StreamWriter {
    /// Samples in a chunk.
    pub fn chunk_samples(&self) -> usize {
        self.chunk_samples
    }

    /// What is to be rendered next, if there is room for it.
    pub fn pending(&self) -> Option<StreamControl> {
        let control = *self.controls.first()?;
        let samples = usize::from(control.chunks.max(1)) * self.chunk_samples;
        (self.samples.vacant_len() >= samples).then_some(control)
    }

    /// Whether the voice has gone: nothing of this will be heard.
    pub fn is_abandoned(&self) -> bool {
        !self.samples.read_is_held()
    }

    /// Publishes what [`pending`](Self::pending) asked for, which is done with; fewer chunks if the sound ends in them.
    ///
    /// # Errors
    /// Gives back the index of the first sample that is not finite, or `samples.len()` if there are too many; then nothing
    /// was published.
    pub fn publish(&mut self, samples: &[f32]) -> Result<(), usize> {
        if let Some(bad) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(bad);
        }
        if self.samples.vacant_len() < samples.len() {
            return Err(samples.len());
        }
        self.samples.push_slice(samples);
        self.controls.try_pop();
        Ok(())
    }

    /// Declares that the sound has ended.
    pub fn finish(self) {
        self.state.store(FINISHED, Ordering::Release);
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        if self.state.load(Ordering::Relaxed) == GROWING {
            self.state.store(FAILED, Ordering::Release);
        }
    }
}

impl std::fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamReader[{}..{}]", self.begin, self.available())
    }
}

impl std::fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamWriter")
            .field("controls", &self.controls.occupied_len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const CHUNK: usize = 4;

    fn control(chunks: u8) -> StreamControl {
        StreamControl {
            timbre: Timbre::default(),
            is_released: false,
            chunks,
        }
    }

    #[test]
    fn samples_are_counted_from_the_notes_start() {
        let (mut writer, mut reader) = stream(2, CHUNK, 48_000);
        assert!(reader.control(control(1)));
        assert_eq!(writer.pending(), Some(control(1)));
        writer.publish(&[8.0, 9.0, 10.0, 11.0]).unwrap();
        assert_eq!(writer.pending(), None);
        assert_eq!(reader.available(), 12);
        let mut out = [7.0; 4];
        assert_eq!(reader.read(6, &mut out), 4);
        assert_eq!(out, [0.0, 0.0, 8.0, 9.0]);
        reader.discard_before(10);
        assert_eq!(reader.read(10, &mut out), 2);
        assert_eq!(out[..2], [10.0, 11.0]);
        assert_eq!(reader.read(12, &mut out), 0);
    }

    #[test]
    fn nothing_is_asked_for_that_has_no_room() {
        let (mut writer, mut reader) = stream(0, CHUNK, 48_000);
        for _ in 0..STREAM_CHUNKS {
            assert!(reader.control(control(1)));
            writer.pending().unwrap();
            writer.publish(&[1.0; CHUNK]).unwrap();
        }
        assert!(reader.control(control(1)));
        assert_eq!(writer.pending(), None);
        reader.discard_before(CHUNK);
        assert!(writer.pending().is_some());
    }

    #[test]
    fn reading_goes_on_over_the_rings_end() {
        let (mut writer, mut reader) = stream(0, CHUNK, 48_000);
        for chunk in 0..5 * STREAM_CHUNKS {
            assert!(reader.control(control(1)));
            let values: Vec<f32> = (0..CHUNK).map(|i| (chunk * CHUNK + i) as f32).collect();
            writer.publish(&values).unwrap();
            let start = (chunk * CHUNK).saturating_sub(3);
            let mut out = [0.0; CHUNK + 3];
            let count = reader.read(start, &mut out);
            assert!(
                out[..count]
                    .iter()
                    .enumerate()
                    .all(|(i, v)| *v == (start + i) as f32)
            );
            reader.discard_before((chunk * CHUNK).saturating_sub(2));
        }
    }

    #[test]
    fn a_voice_learns_of_the_end_and_a_worker_of_the_voices_going() {
        let (writer, reader) = stream(0, CHUNK, 48_000);
        assert!(!writer.is_abandoned());
        writer.finish();
        assert!(reader.is_finished() && !reader.is_failed());
        let (writer, reader) = stream(0, CHUNK, 48_000);
        drop(reader);
        assert!(writer.is_abandoned());
        let (writer, reader) = stream(0, CHUNK, 48_000);
        drop(writer);
        assert!(reader.is_failed());
    }

    #[test]
    fn what_is_no_number_is_not_published() {
        let (mut writer, mut reader) = stream(0, CHUNK, 48_000);
        assert!(reader.control(control(1)));
        assert_eq!(writer.publish(&[0.0, f32::NAN, 0.0, 0.0]), Err(1));
        assert_eq!(reader.available(), 0);
    }
}

/// The rings are not loom's, and move as one step each: what loom tries every interleaving of is how a stream's end is told
/// beside them.
#[cfg(all(test, loom))]
mod loom_models {
    use super::*;
    use loom::thread;

    const CHUNK: usize = 2;

    fn asked() -> (StreamWriter, StreamReader) {
        let (writer, mut reader) = stream(0, CHUNK, 48_000);
        assert!(reader.control(StreamControl {
            timbre: Timbre::default(),
            is_released: false,
            chunks: 1,
        }));
        (writer, reader)
    }

    #[test]
    fn an_end_read_after_a_finish_was_seen_is_final() {
        loom::model(|| {
            let (mut writer, reader) = asked();
            let worker = thread::spawn(move || {
                writer.pending().unwrap();
                writer.publish(&[1.0; CHUNK]).unwrap();
                writer.finish();
            });
            let was_finished = reader.is_finished();
            assert!(!was_finished || reader.available() == CHUNK);
            worker.join().unwrap();
            assert!(reader.is_finished() && !reader.is_failed());
            assert_eq!(reader.available(), CHUNK);
        });
    }

    #[test]
    fn a_worker_that_goes_without_a_word_has_failed_and_never_finished() {
        loom::model(|| {
            let (mut writer, reader) = asked();
            let worker = thread::spawn(move || {
                writer.publish(&[1.0; CHUNK]).unwrap();
            });
            assert!(!reader.is_finished());
            assert!(!reader.is_failed() || reader.available() == CHUNK);
            worker.join().unwrap();
            assert!(reader.is_failed() && !reader.is_finished());
        });
    }

    #[test]
    fn a_voice_that_goes_is_missed_whatever_the_worker_does() {
        loom::model(|| {
            let (mut writer, reader) = asked();
            let voice = thread::spawn(move || {
                let _ = reader.is_finished();
                drop(reader);
            });
            let published = writer.publish(&[1.0; CHUNK]);
            assert_eq!(published, Ok(()));
            voice.join().unwrap();
            assert!(writer.is_abandoned());
            writer.finish();
        });
    }
}
