//! What is rendered next: the notes that someone wants more of, by urgency, in batches.
//!
//! Owned by the scheduler's thread. What goes together, and when, changes how soon samples are there and never what
//! they are.

use std::sync::Arc;

use betwixt_audio::limits::LEAD_MS;
use betwixt_audio::rendered_note::RenderedNote;

use crate::note_cache::{NoteCache, NoteId, Rendering};
use crate::worker::{Batch, Job};

/// A sounding voice with less than this ahead of it goes before notes that have not begun.
const SAFE_HEADROOM_MS: usize = 60;
/// Chunks that a worker renders at once, of however many notes: more gain nothing, and keep others waiting.
const BATCH_CHUNKS: usize = 16;

/// The notes that the last look found wanting.
#[derive(Debug, Default)]
pub(crate) struct WorkQueue {
    wanting: Vec<NoteId>,
}

impl WorkQueue {
    /// Looks through all notes.
    pub(crate) fn scan(&mut self, cache: &NoteCache) {
        self.wanting.clear();
        self.wanting.extend(cache.wanting());
    }

    /// A note that is known to want more.
    pub(crate) fn push(&mut self, note: NoteId) {
        self.wanting.push(note);
    }

    /// Number of notes that wait.
    pub(crate) fn len(&self) -> usize {
        self.wanting.len()
    }

    /// The jobs for the next of `idle` workers, taken out of the cache: the most urgent, and others whose runs are like
    /// its, as many as leave each other worker its share. None if nothing waits.
    pub(crate) fn next_batch(&mut self, cache: &mut NoteCache, idle: usize) -> Option<Batch> {
        let mut waiting: Vec<_> = self
            .wanting
            .iter()
            .filter_map(|id| Turn::of(cache, *id))
            .collect();
        waiting.sort_unstable_by_key(|turn| (turn.urgency, turn.note));
        let first = waiting.first()?.kind;
        let share = waiting.len().div_ceil(idle.max(1));
        let limit = share.min(BATCH_CHUNKS / first.chunks.max(1)).max(1);
        let mut batch = Batch::new();
        for turn in waiting.iter().filter(|turn| turn.kind == first).take(limit) {
            let Some(cached) = cache.get_mut(turn.note) else {
                continue;
            };
            match std::mem::replace(&mut cached.rendering, Rendering::Running) {
                Rendering::Resting(job) => batch.push((turn.note, job)),
                other => cached.rendering = other,
            }
        }
        self.wanting
            .retain(|note| batch.iter().all(|(taken, _)| taken != note));
        Some(batch)
    }
}

/// A note that waits.
struct Turn {
    urgency: (u8, usize),
    note: NoteId,
    kind: RunKind,
}

impl Turn {
    /// None if nobody wants more of the note, or a worker is at it.
    fn of(cache: &NoteCache, note: NoteId) -> Option<Self> {
        let cached = cache.get(note)?;
        let Rendering::Resting(job) = &cached.rendering else {
            return None;
        };
        (cached.note.wanted() > cached.note.available()).then(|| Self {
            urgency: urgency(&cached.note),
            note,
            kind: RunKind::of(job),
        })
    }
}

/// What runs must have in common to be rendered together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RunKind {
    /// Where the decoder comes from.
    source: *const (),
    /// Chunks of the run.
    chunks: usize,
    /// A note's first run decodes a frame more.
    is_new: bool,
}

impl RunKind {
    fn of(job: &Job) -> Self {
        Self {
            source: Arc::as_ptr(&job.source).cast(),
            chunks: job.render.next_run_chunks(),
            is_new: job.render.is_new(),
        }
    }
}

/// What goes first: sounding voices about to run dry, then notes that have not begun, then the rest by what they
/// have left. Smaller is more urgent.
fn urgency(note: &RenderedNote) -> (u8, usize) {
    let rate = note.sample_rate_hz() as usize;
    let lead = (LEAD_MS * rate as f32 / 1000.0) as usize;
    let available = note.available();
    let headroom = (available + lead).saturating_sub(note.wanted());
    match (available, headroom) {
        (0, _) => (1, 0),
        (_, left) if left < SAFE_HEADROOM_MS * rate / 1000 => (0, left),
        (_, left) => (2, left),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::decoder::{DecodeError, Decoder, DecoderFormat, NoteStart, Run, Snapshot};
    use crate::note_cache::tests::{job, key};

    /// Renders nothing, at once.
    #[derive(Debug)]
    struct Silence;

    impl Decoder for Silence {
        fn format(&self) -> DecoderFormat {
            unreachable!("no test asks")
        }

        fn batch_capacity(&self) -> usize {
            1
        }

        fn begin(&self, _: NoteStart) -> Snapshot {
            Snapshot::new(())
        }

        fn render(&mut self, _: &mut [Run<'_>], _: &AtomicBool) -> Result<(), DecodeError> {
            Ok(())
        }
    }

    /// A cache and a queue of notes that all have yet to begin.
    fn waiting(notes: i32) -> (NoteCache, WorkQueue, Vec<Arc<RenderedNote>>) {
        let mut cache = NoteCache::new(1 << 30);
        let mut queue = WorkQueue::default();
        let mut held = Vec::new();
        let source = job(key(0)).1.source;
        for pitch in 0..notes {
            let (note, mut job) = job(key(pitch));
            job.source = Arc::clone(&source);
            note.want(1);
            held.push(Arc::clone(&note));
            queue.push(cache.insert(note, job));
        }
        (cache, queue, held)
    }

    fn sizes(notes: i32, workers: usize) -> Vec<usize> {
        let (mut cache, mut queue, _held) = waiting(notes);
        (0..workers)
            .rev()
            .filter_map(|others| Some(queue.next_batch(&mut cache, others + 1)?.len()))
            .collect()
    }

    #[test]
    fn notes_are_shared_out_among_the_idle_workers() {
        assert_eq!(sizes(1, 3), [1]);
        assert_eq!(sizes(4, 3), [2, 1, 1]);
        assert_eq!(sizes(9, 2), [5, 4]);
    }

    #[test]
    fn a_batch_holds_no_more_than_is_soon_rendered() {
        assert_eq!(sizes(40, 1), [BATCH_CHUNKS]);
    }

    #[test]
    fn notes_whose_runs_differ_do_not_wait_for_each_other() {
        let (mut cache, mut queue, held) = waiting(4);
        let begun = queue.wanting[3];
        if let Rendering::Resting(job) = &mut cache.get_mut(begun).unwrap().rendering {
            let samples = job
                .render
                .next_run(&mut Silence, &AtomicBool::new(false))
                .unwrap();
            job.writer.push(samples.into()).unwrap();
        }
        held[3].want(usize::MAX);
        let first = queue.next_batch(&mut cache, 1).unwrap();
        assert_eq!(first.iter().map(|(note, _)| *note).collect::<Vec<_>>(), [begun]);
        assert_eq!(queue.next_batch(&mut cache, 1).unwrap().len(), 3);
        assert!(queue.next_batch(&mut cache, 1).is_none());
    }
}
