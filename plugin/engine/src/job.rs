//! A job: a note that is being rendered, and where its chunks go. All that any worker needs to go on with it.
//!
//! Rests with the scheduler, is rendered on by whichever worker is free. A note's chunks are shared by all voices that play
//! its key; a stream's are one voice's, which says for each what it is to sound like.

use std::sync::Arc;

use betwixt_audio::rendered_note::NoteWriter;
use betwixt_audio::stream::StreamWriter;

use crate::note_cache::NoteId;
use crate::note_render::NoteRender;
use crate::stream_table::StreamId;
use crate::worker::DecoderSource;

/// A note is kept as it was every so many chunks, so that a stream can go on from there. 16 chunks are a third of a second.
pub(crate) const CHECKPOINT_CHUNKS: usize = 16;

/// Names a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum JobId {
    /// A note of the cache.
    Note(NoteId),
    /// A stream.
    Stream(StreamId),
}

/// A note that is being rendered.
#[derive(Debug)]
pub(crate) struct Job {
    /// The decoders that fit its state.
    pub source: Arc<dyn DecoderSource>,
    /// How it goes on.
    pub render: NoteRender,
    /// Where its chunks go.
    pub sink: Sink,
}

/// Where chunks go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// To all voices of a key.
    Note(NoteWriter),
    /// To one voice, from a chunk on.
    Stream {
        /// Its end of the stream.
        writer: StreamWriter,
        /// What comes before is rendered again, to get to the state, and not heard.
        first_chunk: usize,
    },
}

impl Job {
    /// Chunks of the next run.
    pub(crate) fn next_run_chunks(&self) -> usize {
        match &self.sink {
            Sink::Note(_) => self.render.next_run_chunks(),
            Sink::Stream { writer, first_chunk } => {
                match first_chunk.saturating_sub(self.render.rendered_chunks()) {
                    0 => writer
                        .pending()
                        .map_or(0, |control| usize::from(control.chunks.max(1))),
                    behind => behind.min(CHECKPOINT_CHUNKS),
                }
            }
        }
    }

    /// Tells the render what the next run is to sound like.
    pub(crate) fn steer(&mut self) {
        if let Sink::Stream { writer, first_chunk } = &self.sink
            && self.render.rendered_chunks() >= *first_chunk
            && let Some(control) = writer.pending()
        {
            let chunks = usize::from(control.chunks.max(1));
            self.render.steer(control.timbre, control.is_released, chunks);
        }
    }

    /// Whether nothing of it will be heard.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(&self.sink, Sink::Stream { writer, .. } if writer.is_abandoned())
    }

    /// The note as it is now, if it is to be kept.
    pub(crate) fn checkpoint(&self) -> Option<NoteRender> {
        let at_border = self.render.rendered_chunks().is_multiple_of(CHECKPOINT_CHUNKS);
        (at_border && matches!(self.sink, Sink::Note(_)) && !self.render.is_done())
            .then(|| self.render.clone())
    }

    /// Publishes what the last run rendered; says how many samples were.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub(crate) fn publish(&mut self, samples: &[f32]) -> Result<usize, String> {
        match &mut self.sink {
            Sink::Note(writer) => publish_note(writer, samples),
            Sink::Stream { writer, first_chunk } => {
                let chunks = samples.len() / writer.chunk_samples();
                // A run ends at the first chunk, or begins at it or after it.
                if samples.is_empty() || self.render.rendered_chunks() - chunks < *first_chunk {
                    return Ok(0);
                }
                writer.publish(samples).map_err(|at| {
                    format!("the decoder's output: sample {at} of a stream cannot be played")
                })?;
                Ok(samples.len())
            }
        }
    }

    /// Whether it has come to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.render.is_done() || matches!(&self.sink, Sink::Note(writer) if writer.is_full())
    }

    /// Declares that all was published.
    pub(crate) fn finish(self) {
        match self.sink {
            Sink::Note(writer) => writer.finish(),
            Sink::Stream { writer, .. } => writer.finish(),
        }
    }
}

/// Publishes whole chunks as far as there is room.
fn publish_note(writer: &mut NoteWriter, samples: &[f32]) -> Result<usize, String> {
    let mut published = 0;
    for chunk in samples.chunks(writer.note().chunk_samples()) {
        if writer.is_full() {
            break;
        }
        writer
            .push(chunk.into())
            .map_err(|error| format!("the decoder's output: {error}"))?;
        published += chunk.len();
    }
    Ok(published)
}
