//! What is rendered next: what someone wants more of, by urgency, in batches.
//!
//! Owned by the scheduler's thread. What goes together, and when, changes how soon samples are there and never what
//! they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use betwixt_audio::limits::LEAD_MS;
use betwixt_audio::rendered_note::RenderedNote;

use crate::instance::InstanceId;
use crate::job::{Job, JobId};
use crate::note_cache::{NoteCache, NoteId, Rendering};
use crate::stream_table::StreamTable;
use crate::worker::{Assigned, Batch};

/// A sounding voice with less than this ahead of it is urgent.
const SAFE_HEADROOM_MS: i64 = 60;
/// A stream's chunk is due so long after its voice asked for it.
const STREAM_DUE: Duration = Duration::from_millis(8);
/// A note's first chunk is due so long after it was asked for.
const FIRST_CHUNK_DUE: Duration = Duration::from_millis(10);
/// Chunks that a worker renders at once, of however many notes: more gain nothing, and keep others waiting.
const BATCH_CHUNKS: usize = 16;
/// The same of notes that are in no hurry, while streams may ask at any moment, and of each of them.
const PATIENT_BATCH_CHUNKS: usize = 8;
const PATIENT_RUN_CHUNKS: usize = 4;

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

    /// Whether someone hears, or will soon hear, that something waits.
    pub(crate) fn has_due(&self, cache: &NoteCache, streams: &StreamTable, now: Instant) -> bool {
        let mut notes = self.wanting.iter();
        streams.asking().next().is_some()
            || notes
                .any(|id| Turn::of_note(cache, *id, false, now).is_some_and(|turn| turn.class == Class::Due))
    }

    /// The jobs for the next of `idle` workers, taken out of the cache and the table: the most urgent, and others whose runs
    /// are like its, as many as leave each other worker its share; and whether someone will hear that the first is missing. None
    /// if nothing waits.
    pub(crate) fn next_batch(
        &mut self,
        cache: &mut NoteCache,
        streams: &mut StreamTable,
        idle: usize,
        now: Instant,
    ) -> Option<(Batch, bool)> {
        let are_streams = streams.len() > 0;
        let notes = self
            .wanting
            .iter()
            .filter_map(|id| Turn::of_note(cache, *id, are_streams, now));
        let streams_asking = streams.asking().map(|(id, stream, job, asked)| Turn {
            class: Class::Due,
            due: asked + STREAM_DUE,
            instance: Some(stream.instance),
            id,
            kind: RunKind::of(job, usize::MAX),
        });
        let waiting = in_turn(notes.chain(streams_asking).collect());
        let first = waiting.first()?;
        let most = match first.class {
            Class::Ahead => PATIENT_BATCH_CHUNKS,
            Class::Patient if are_streams => PATIENT_BATCH_CHUNKS,
            Class::Due | Class::Patient => BATCH_CHUNKS,
        };
        let share = waiting.len().div_ceil(idle.max(1));
        let limit = share.min(most / first.kind.chunks.max(1)).max(1);
        let mut batch = Batch::new();
        for turn in waiting.iter().filter(|turn| turn.kind == first.kind).take(limit) {
            let job = match turn.id {
                JobId::Note(note) => take_note(cache, note),
                JobId::Stream(stream) => streams.take(stream),
            };
            batch.extend(job.map(|job| Assigned {
                id: turn.id,
                job,
                chunks: turn.kind.chunks,
            }));
        }
        self.wanting
            .retain(|note| batch.iter().all(|part| part.id != JobId::Note(*note)));
        Some((batch, first.class == Class::Due))
    }
}

/// The job of a note that rests, to be rendered on.
pub(crate) fn take_note(cache: &mut NoteCache, note: NoteId) -> Option<Box<Job>> {
    let cached = cache.get_mut(note)?;
    match std::mem::replace(&mut cached.rendering, Rendering::Running) {
        Rendering::Resting(job) => Some(job),
        other => {
            cached.rendering = other;
            None
        }
    }
}

/// How much hurry there is. Smaller goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Someone hears or will soon hear that it is missing: streams, notes that have not begun, voices about to run dry.
    Due,
    /// There is enough for now.
    Patient,
    /// Nobody has asked for it yet.
    Ahead,
}

/// Something that waits.
struct Turn {
    class: Class,
    due: Instant,
    instance: Option<InstanceId>,
    id: JobId,
    kind: RunKind,
}

impl Turn {
    /// None if nobody wants more of the note, or a worker is at it.
    fn of_note(cache: &NoteCache, note: NoteId, are_streams: bool, now: Instant) -> Option<Self> {
        let cached = cache.get(note)?;
        let Rendering::Resting(job) = &cached.rendering else {
            return None;
        };
        if !cached.is_wanting() {
            return None;
        }
        let (class, due) = match headroom_ms(&cached.note) {
            _ if !cached.was_asked => (Class::Ahead, cached.begun),
            None => (Class::Due, cached.begun + FIRST_CHUNK_DUE),
            Some(left_ms) => {
                let is_urgent = left_ms < SAFE_HEADROOM_MS;
                let class = if is_urgent { Class::Due } else { Class::Patient };
                (class, moment(now, left_ms))
            }
        };
        let most = if class == Class::Ahead || are_streams && class == Class::Patient {
            PATIENT_RUN_CHUNKS
        } else {
            usize::MAX
        };
        Some(Self {
            class,
            due,
            instance: cached.instance(),
            id: JobId::Note(note),
            kind: RunKind::of(job, most),
        })
    }
}

/// In the order in which they go: by class, in each class the instances in turn, and of an instance what is due first.
fn in_turn(mut waiting: Vec<Turn>) -> Vec<Turn> {
    waiting.sort_unstable_by_key(|turn| (turn.class, turn.due, turn.id));
    let mut before: BTreeMap<(Class, Option<InstanceId>), usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, Turn)> = waiting
        .into_iter()
        .map(|turn| {
            let rank = before.entry((turn.class, turn.instance)).or_default();
            *rank += 1;
            (*rank, turn)
        })
        .collect();
    // Stable: among those of one rank what is due first stays first.
    ranked.sort_by_key(|(rank, turn)| (turn.class, *rank));
    ranked.into_iter().map(|(_, turn)| turn).collect()
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
    fn of(job: &Job, most_chunks: usize) -> Self {
        Self {
            source: Arc::as_ptr(&job.source).cast(),
            chunks: job.next_run_chunks().min(most_chunks),
            is_new: job.render.is_new(),
        }
    }
}

/// What the farthest voice has ahead of it: less than nothing if it goes on in an echo of what there was. None if the note has
/// not begun.
fn headroom_ms(note: &RenderedNote) -> Option<i64> {
    let rate = note.sample_rate_hz() as usize;
    let lead = (LEAD_MS * rate as f32 / 1000.0) as usize;
    let available = note.available();
    // More than a minute either way is no matter of hurry.
    let ms = |samples: usize| (samples.min(60 * rate) * 1000 / rate) as i64;
    let (there, wanted) = (available + lead, note.wanted());
    (available > 0).then(|| ms(there.saturating_sub(wanted)) - ms(wanted.saturating_sub(there)))
}

/// So many milliseconds from now, or before.
fn moment(now: Instant, in_ms: i64) -> Instant {
    let distance = Duration::from_millis(in_ms.unsigned_abs());
    if in_ms < 0 {
        // A clock that has just begun has no moments before.
        now.checked_sub(distance).unwrap_or(now)
    } else {
        now + distance
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
            Snapshot::new((), 0)
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

    fn next(cache: &mut NoteCache, queue: &mut WorkQueue, idle: usize) -> Option<Batch> {
        let (batch, is_due) = queue.next_batch(cache, &mut StreamTable::default(), idle, Instant::now())?;
        assert!(is_due, "nothing of any note is there");
        Some(batch)
    }

    fn sizes(notes: i32, workers: usize) -> Vec<usize> {
        let (mut cache, mut queue, _held) = waiting(notes);
        (0..workers)
            .rev()
            .filter_map(|others| Some(next(&mut cache, &mut queue, others + 1)?.len()))
            .collect()
    }

    #[test]
    fn notes_are_shared_out_among_the_idle_workers() {
        assert_eq!(sizes(1, 3), [1]);
        assert_eq!(sizes(4, 3), [2, 1, 1]);
        assert_eq!(sizes(9, 2), [5, 4]);
    }

    #[test]
    fn a_note_without_its_beginning_is_due_until_a_worker_has_it() {
        let (mut cache, mut queue, _held) = waiting(1);
        let has_due = |cache: &NoteCache, queue: &WorkQueue| {
            queue.has_due(cache, &StreamTable::default(), Instant::now())
        };
        assert!(has_due(&cache, &queue));
        next(&mut cache, &mut queue, 1).unwrap();
        assert!(!has_due(&cache, &queue));
    }

    #[test]
    fn a_batch_holds_no_more_than_is_soon_rendered() {
        assert_eq!(sizes(40, 1), [BATCH_CHUNKS]);
    }

    #[test]
    fn an_instance_that_asks_for_much_does_not_keep_another_waiting() {
        let (mut cache, mut queue, mut held) = waiting(40);
        for pitch in 0..40 {
            assert!(cache.grant(&key(pitch), InstanceId(1)).is_some());
        }
        let (note, mut late) = job(key(100));
        let Rendering::Resting(first) = &cache.get(queue.wanting[0]).unwrap().rendering else {
            panic!("it rests");
        };
        late.source = Arc::clone(&first.source);
        note.want(1);
        held.push(note);
        let late = cache.insert(Arc::clone(&held[40]), late);
        assert!(cache.grant(&key(100), InstanceId(2)).is_some());
        queue.push(late);
        let batch = next(&mut cache, &mut queue, 1).unwrap();
        assert!(batch.iter().any(|part| part.id == JobId::Note(late)));
        assert!(
            batch[0].id != JobId::Note(late),
            "what was due before still goes before"
        );
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
            job.publish(&samples).unwrap();
        }
        held[3].want(usize::MAX);
        let batch = next(&mut cache, &mut queue, 1).unwrap();
        assert_eq!(
            batch.iter().map(|part| part.id).collect::<Vec<_>>(),
            [JobId::Note(begun)]
        );
        assert_eq!(next(&mut cache, &mut queue, 1).unwrap().len(), 3);
        assert!(next(&mut cache, &mut queue, 1).is_none());
    }

    #[test]
    fn the_note_that_is_missed_longest_goes_first() {
        let (mut cache, mut queue, held) = waiting(2);
        for note in queue.wanting.clone() {
            let Rendering::Resting(job) = &mut cache.get_mut(note).unwrap().rendering else {
                panic!("it rests");
            };
            let samples = job
                .render
                .next_run(&mut Silence, &AtomicBool::new(false))
                .unwrap();
            job.publish(&samples).unwrap();
        }
        held[0].want(40_000);
        held[1].want(41_000);
        let batch = next(&mut cache, &mut queue, 1).unwrap();
        assert_eq!(batch[0].job.render.rendered_chunks(), 1);
        let first = cache.get(match batch[0].id {
            JobId::Note(id) => id,
            JobId::Stream(_) => panic!("there are no streams"),
        });
        assert_eq!(first.unwrap().note.key(), held[1].key());
    }
}
