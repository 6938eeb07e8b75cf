//! The streams of the process: notes that are rendered for one voice each, as that voice says.
//!
//! Owned by the scheduler's thread alone. A stream rests here until its voice asks for a chunk, and goes when its voice has
//! let go of it.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::instance::InstanceId;
use crate::job::{Job, JobId};

/// Names a stream in the table; older ones are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StreamId(u64);

/// A stream.
#[derive(Debug)]
pub(crate) struct HeldStream {
    /// Whose voice it is for.
    pub instance: InstanceId,
    /// The job; none while a worker has it.
    pub resting: Option<Box<Job>>,
    /// Since when there is something to render; none if there is nothing.
    pub asked: Option<Instant>,
}

/// The streams of the process.
#[derive(Debug, Default)]
pub(crate) struct StreamTable {
    streams: BTreeMap<StreamId, HeldStream>,
    next_id: u64,
}

impl StreamTable {
    /// Takes a new stream in.
    pub(crate) fn insert(&mut self, instance: InstanceId, job: Box<Job>) {
        let id = StreamId(self.next_id);
        self.next_id += 1;
        let stream = HeldStream {
            instance,
            resting: Some(job),
            asked: None,
        };
        self.streams.insert(id, stream);
    }

    /// Looks which streams are to go on, and drops those that nobody hears.
    pub(crate) fn look(&mut self, now: Instant) {
        self.streams.retain(|_, stream| {
            let Some(job) = &stream.resting else {
                return true;
            };
            if job.next_run_chunks() > 0 {
                stream.asked.get_or_insert(now);
            }
            !job.is_abandoned()
        });
    }

    /// The streams that are to go on.
    pub(crate) fn asking(&self) -> impl Iterator<Item = (JobId, &HeldStream, &Job, Instant)> {
        self.streams.iter().filter_map(|(id, stream)| {
            let job = stream.resting.as_deref()?;
            Some((JobId::Stream(*id), stream, job, stream.asked?))
        })
    }

    /// Hands the job out to be rendered on.
    pub(crate) fn take(&mut self, id: StreamId) -> Option<Box<Job>> {
        let stream = self.streams.get_mut(&id)?;
        stream.asked = None;
        stream.resting.take()
    }

    /// Takes a job back; none if the stream has ended. One whose instance has gone meanwhile ends here.
    pub(crate) fn give_back(&mut self, id: StreamId, job: Option<Box<Job>>) {
        match (self.streams.get_mut(&id), job) {
            (Some(stream), Some(job)) => stream.resting = Some(job),
            _ => {
                self.streams.remove(&id);
            }
        }
    }

    /// Forgets the streams of an instance that has gone.
    pub(crate) fn forget_instance(&mut self, gone: InstanceId) {
        self.streams.retain(|_, stream| stream.instance != gone);
    }

    /// Streams of one instance.
    pub(crate) fn count_of(&self, instance: InstanceId) -> usize {
        self.streams
            .values()
            .filter(|stream| stream.instance == instance)
            .count()
    }

    /// Streams of the process.
    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Sink;
    use crate::note_cache::tests::{job, key};
    use betwixt_audio::stream::{StreamControl, StreamReader, stream};
    use betwixt_audio::timbre::Timbre;

    const INSTANCE: InstanceId = InstanceId(3);

    fn table(first_chunk: usize) -> (StreamTable, StreamReader) {
        let (writer, reader) = stream(first_chunk, 1000, 48_000);
        let (_note, mut job) = job(key(6000));
        job.sink = Sink::Stream { writer, first_chunk };
        let mut table = StreamTable::default();
        table.insert(INSTANCE, job);
        (table, reader)
    }

    #[test]
    fn a_stream_rests_until_its_voice_asks() {
        let (mut table, mut reader) = table(0);
        let now = Instant::now();
        table.look(now);
        assert_eq!(table.asking().count(), 0);
        assert!(reader.control(StreamControl {
            timbre: Timbre::default(),
            is_released: false,
            chunks: 2,
        }));
        table.look(now);
        assert_eq!(
            table
                .asking()
                .map(|(_, _, job, _)| job.next_run_chunks())
                .collect::<Vec<_>>(),
            [2]
        );
    }

    #[test]
    fn a_stream_that_is_behind_its_first_chunk_catches_up_unasked() {
        let (mut table, _reader) = table(5);
        table.look(Instant::now());
        assert_eq!(
            table
                .asking()
                .map(|(_, _, job, _)| job.next_run_chunks())
                .collect::<Vec<_>>(),
            [5]
        );
    }

    #[test]
    fn what_nobody_hears_goes_even_from_under_a_worker() {
        let (mut table, reader) = table(5);
        table.look(Instant::now());
        let Some((JobId::Stream(id), ..)) = table.asking().next() else {
            panic!("it asks");
        };
        let job = table.take(id);
        drop(reader);
        table.look(Instant::now());
        assert_eq!(table.count_of(INSTANCE), 1, "a worker is at it");
        table.give_back(id, job);
        table.look(Instant::now());
        assert_eq!(table.len(), 0);
    }
}
