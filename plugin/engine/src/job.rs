//! A job: a note that is being rendered, and where its chunks go. All that any worker needs to go on with it.
//!
//! Rests with the scheduler, is rendered on by whichever worker is free. A note's chunks are shared by all voices that play
//! its key; a stream's are one voice's, which says for each what it is to sound like.

use std::ops::Range;
use std::sync::Arc;

use betwixt_audio::rendered_note::NoteWriter;
use betwixt_audio::stream::StreamWriter;

use crate::audio_loop;
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
    /// To all voices of a key, once it is whole.
    Whole {
        /// Its end of the note.
        writer: NoteWriter,
        /// The samples in which it is held and can be looped, if it is held at all.
        held: Option<Range<usize>>,
    },
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
            Sink::Note(_) | Sink::Whole { .. } => self.render.next_run_chunks(),
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
            Sink::Note(writer) | Sink::Whole { writer, .. } => publish_note(writer, samples),
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
        let is_full = match &self.sink {
            Sink::Note(writer) | Sink::Whole { writer, .. } => writer.is_full(),
            Sink::Stream { .. } => false,
        };
        self.render.is_done() || is_full
    }

    /// Declares that all was published.
    pub(crate) fn finish(self) {
        match self.sink {
            Sink::Note(writer) => writer.finish(),
            Sink::Whole { writer, held } => {
                let looped = held.and_then(|held| audio_loop::find(writer.note(), held));
                writer.finish_looped(looped);
            }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::decoder::{Decoder, DecoderFormat};
    use crate::embedding::{Embedding, LoopRegion};
    use crate::model::Model;
    use crate::note_render::BlendedNote;
    use crate::sound::Sound;
    use betwixt_audio::blend::Blend;
    use betwixt_audio::note::{NoteKey, Part, PatchId, Strike};
    use betwixt_audio::rendered_note::RenderedNote;
    use betwixt_audio::stream::{StreamControl, StreamReader, stream};
    use betwixt_audio::timbre::Timbre;

    /// The shipped model, and sounds made up for it.
    struct Bench {
        model: Arc<Model>,
        decoder: Box<dyn Decoder>,
        format: DecoderFormat,
        corners: [Option<Arc<Sound>>; 4],
    }

    const FRAMES: usize = 30;

    impl Bench {
        fn new(loop_region: Option<LoopRegion>) -> Self {
            let model = crate::model::shipped();
            let sound = |scale: f32| {
                let value = |i: usize| scale * (0.1 * (i / 16) as f32 + (i % 16) as f32).sin();
                Some(Arc::new(Sound {
                    embedding: Embedding::new(16, (0..FRAMES * 16).map(value).collect()).unwrap(),
                    ..crate::blended_note::tests::sound(1, 0.0, loop_region)
                }))
            };
            Self {
                decoder: model.decoder().unwrap(),
                format: model.format(),
                corners: [sound(0.3), sound(-0.3), sound(0.6), None],
                model,
            }
        }

        fn key(&self, pitch: i32) -> NoteKey {
            NoteKey {
                patch: PatchId(1),
                strike: Strike::with(Timbre::default()),
                part: Part::Mid,
                pitch_cents: pitch * 100,
            }
        }

        /// The note of a key before its beginning.
        fn render(&self, key: NoteKey) -> NoteRender {
            let note = BlendedNote::on_pad(&self.corners, key.pitch_midi(), 16, 3).unwrap();
            NoteRender::new(note.struck(key.strike, key.seed()), key.seed(), self.format)
        }

        fn note(&self, key: NoteKey) -> (Job, Arc<RenderedNote>) {
            let (writer, note) = RenderedNote::new(key, self.format.chunk_samples, 200, 48_000);
            let job = Job {
                source: Arc::clone(&self.model) as Arc<dyn DecoderSource>,
                render: self.render(key),
                sink: Sink::Note(writer),
            };
            (job, note)
        }

        fn stream(&self, render: NoteRender, first_chunk: usize) -> (Job, StreamReader) {
            let (writer, reader) = stream(first_chunk, self.format.chunk_samples, 48_000);
            let job = Job {
                source: Arc::clone(&self.model) as Arc<dyn DecoderSource>,
                render,
                sink: Sink::Stream { writer, first_chunk },
            };
            (job, reader)
        }

        /// The next run of each, as a worker does it; the finished are taken out.
        fn run(&mut self, jobs: &mut Vec<&mut Option<Job>>) {
            let mut runs: Vec<(&mut NoteRender, usize)> = Vec::new();
            for job in jobs.iter_mut().filter_map(|job| job.as_mut()) {
                let chunks = job.next_run_chunks();
                job.steer();
                runs.push((&mut job.render, chunks));
            }
            let cancel = AtomicBool::new(false);
            let rendered = NoteRender::render_together(&mut runs, &mut *self.decoder, &cancel).unwrap();
            let mut living = jobs.iter_mut().filter(|job| job.is_some());
            for samples in rendered {
                let slot = living.next().unwrap();
                slot.as_mut().unwrap().publish(&samples).unwrap();
                if slot.as_ref().unwrap().is_done() {
                    slot.take().unwrap().finish();
                }
            }
        }

        /// All that a note comes to, up to so many chunks.
        fn whole_note(&mut self, key: NoteKey, chunks: usize) -> Vec<f32> {
            let (job, note) = self.note(key);
            let mut job = Some(job);
            while job.is_some() && note.available() < chunks * self.format.chunk_samples {
                self.run(&mut vec![&mut job]);
            }
            let mut samples = vec![0.0; note.available().min(chunks * self.format.chunk_samples)];
            note.read(0, &mut samples);
            samples
        }

        /// The samples of a stream that is told all of these.
        fn streamed(
            &mut self,
            render: NoteRender,
            first_chunk: usize,
            controls: &[StreamControl],
        ) -> Vec<f32> {
            let (job, mut reader) = self.stream(render, first_chunk);
            let mut job = Some(job);
            let mut samples = Vec::new();
            for control in controls {
                if job.is_none() {
                    break;
                }
                assert!(reader.control(*control));
                while job.as_ref().is_some_and(|job| job.next_run_chunks() > 0) {
                    self.run(&mut vec![&mut job]);
                }
                take(&mut reader, first_chunk * self.format.chunk_samples, &mut samples);
            }
            assert_eq!(reader.is_finished(), job.is_none());
            samples
        }
    }

    /// What is there of a stream, after what was taken already.
    fn take(reader: &mut StreamReader, begin: usize, samples: &mut Vec<f32>) {
        let at = begin + samples.len();
        let mut piece = vec![0.0; reader.available() - at];
        reader.read(at, &mut piece);
        reader.discard_before(at + piece.len());
        samples.extend(piece);
    }

    fn control(timbre: Timbre, chunks: u8) -> StreamControl {
        StreamControl {
            timbre,
            is_released: false,
            chunks,
        }
    }

    fn at(x: f32, y: f32) -> Timbre {
        Timbre {
            blend: Blend { x, y },
            ..Timbre::default()
        }
    }

    fn bits(samples: &[f32]) -> Vec<u32> {
        samples.iter().map(|sample| sample.to_bits()).collect()
    }

    const LOOP: Option<LoopRegion> = Some(LoopRegion {
        start_frame: 6,
        end_frame: 20,
    });

    #[test]
    fn a_stream_without_movement_is_the_rendered_note_bit_for_bit_and_ends_with_it() {
        let mut bench = Bench::new(None);
        let key = bench.key(57);
        let note = bench.whole_note(key, 100);
        let chunk = bench.format.chunk_samples;
        assert_eq!(note.len(), 45 * chunk, "30 frames of 3 hops each");
        for first_chunk in [0, 1, 5, 16] {
            let controls: Vec<StreamControl> =
                (0..40).map(|i| control(Timbre::default(), 1 + i % 3)).collect();
            let stream = bench.streamed(bench.render(key), first_chunk, &controls);
            assert!(
                bits(&stream) == bits(&note[first_chunk * chunk..]),
                "from {first_chunk}"
            );
        }
    }

    #[test]
    fn a_stream_goes_on_from_any_checkpoint_before_its_first_chunk() {
        let mut bench = Bench::new(LOOP);
        let key = bench.key(48);
        let mut checkpoints = vec![bench.render(key)];
        let (job, _note) = bench.note(key);
        let mut job = Some(job);
        while checkpoints.len() < 3 {
            bench.run(&mut vec![&mut job]);
            checkpoints.extend(job.as_ref().unwrap().checkpoint());
        }
        let kept: Vec<usize> = checkpoints.iter().map(NoteRender::rendered_chunks).collect();
        assert_eq!(kept, [0, CHECKPOINT_CHUNKS, 2 * CHECKPOINT_CHUNKS]);
        let controls = [control(at(0.1, 0.9), 1), control(at(0.9, 0.2), 2)];
        let streams: Vec<Vec<u32>> = checkpoints
            .iter()
            .map(|from| bits(&bench.streamed(from.clone(), 35, &controls)))
            .collect();
        assert!(streams[0] == streams[1] && streams[0] == streams[2]);
    }

    #[test]
    fn what_is_rendered_beside_a_stream_changes_nothing_of_it() {
        let mut bench = Bench::new(LOOP);
        let way = |voice: usize| -> Vec<StreamControl> {
            (0..12)
                .map(|i| {
                    let phase = 0.7 * i as f32 + voice as f32;
                    let timbre = Timbre {
                        heat: 0.5 + 0.5 * phase.sin(),
                        stretch: 2.0_f32.powf(phase.cos()),
                        push: 1.0 + phase.sin(),
                        ..at(0.5 + 0.5 * phase.cos(), 0.5 + 0.5 * phase.sin())
                    };
                    StreamControl {
                        timbre,
                        is_released: i >= 9 && voice == 1,
                        chunks: if (i + voice).is_multiple_of(4) { 2 } else { 1 },
                    }
                })
                .collect()
        };
        let firsts = [0, 3, 9];
        let keys = [45, 57, 69].map(|pitch| bench.key(pitch));
        let alone: Vec<Vec<u32>> = (0..3)
            .map(|voice| {
                let render = bench.render(keys[voice]);
                bits(&bench.streamed(render, firsts[voice], &way(voice)))
            })
            .collect();

        // All at once, each as far ahead as its ring allows, some resting at times, and a shared note among them.
        let (note_job, _note) = bench.note(bench.key(52));
        let mut note_job = Some(note_job);
        let mut streams: Vec<(Option<Job>, StreamReader)> = (0..3)
            .map(|voice| {
                let (job, reader) = bench.stream(bench.render(keys[voice]), firsts[voice]);
                (Some(job), reader)
            })
            .collect();
        for (voice, (_, reader)) in streams.iter_mut().enumerate() {
            assert!(way(voice).into_iter().all(|control| reader.control(control)));
        }
        let mut heard = vec![Vec::new(); 3];
        for round in 0..60 {
            let mut together: Vec<&mut Option<Job>> = streams
                .iter_mut()
                .enumerate()
                .filter(|(voice, (job, _))| {
                    (round + voice) % 3 > 0 && job.as_ref().is_some_and(|job| job.next_run_chunks() > 0)
                })
                .map(|(_, (job, _))| job)
                .collect();
            if round < 5 {
                together.push(&mut note_job);
            }
            bench.run(&mut together);
            for (voice, (_, reader)) in streams.iter_mut().enumerate() {
                take(
                    reader,
                    firsts[voice] * bench.format.chunk_samples,
                    &mut heard[voice],
                );
            }
        }
        for (voice, alone) in alone.iter().enumerate() {
            assert!(*alone == bits(&heard[voice]), "voice {voice}");
        }
    }

    #[test]
    fn a_stream_that_turns_away_begins_as_its_note_and_has_no_step() {
        let mut bench = Bench::new(LOOP);
        let key = bench.key(57);
        let chunk = bench.format.chunk_samples;
        let note = bench.whole_note(key, 20);
        let stream = bench.streamed(
            bench.render(key),
            8,
            &[control(at(0.0, 1.0), 1), control(at(1.0, 1.0), 1)],
        );
        let joined: Vec<f32> = note[..8 * chunk].iter().chain(&stream).copied().collect();
        let step = |samples: &[f32]| {
            samples
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).abs())
                .fold(0.0, f32::max)
        };
        let (before, border) = (
            step(&note[4 * chunk..]),
            step(&joined[8 * chunk - 1..8 * chunk + 1]),
        );
        assert!(border <= before, "{border} against {before}");
        assert!(
            joined[8 * chunk..9 * chunk] != note[8 * chunk..9 * chunk],
            "it moves at once"
        );
    }
}
