//! The rendering of one note: how much is rendered at a time, and from where it goes on.
//!
//! Made by the scheduler, run by whichever worker is free, or by one thread that renders a note for itself. The
//! samples are a function of the sounds, the strike, the pitch, the seed and what the note was steered to alone: no timing
//! and no cutting of runs changes a bit of them.

use std::sync::atomic::AtomicBool;

use betwixt_audio::timbre::Timbre;

pub use crate::blended_note::BlendedNote;
use crate::decoder::{DecodeError, Decoder, DecoderFormat, NoteStart, Run, Snapshot};
use crate::note_reading::NoteReading;

/// Chunks in a note's first runs: short ones, so that it begins soon; then [`LONG_RUN_CHUNKS`], which cost less each.
const FIRST_RUNS_CHUNKS: [usize; 4] = [1, 1, 2, 4];
/// Chunks in every later run.
const LONG_RUN_CHUNKS: usize = 8;

/// What full heat adds to the temperature of a decoder that draws its samples.
const HEAT_TEMPERATURE: f32 = 0.5;

/// One note on its way from a decoder to samples. A clone goes on by itself.
#[derive(Debug, Clone)]
pub struct NoteRender {
    reading: NoteReading,
    start: NoteStart,
    format: DecoderFormat,
    /// The decoder's state; none before the first run.
    state: Option<Snapshot>,
    rendered_chunks: usize,
    is_done: bool,
}

impl NoteRender {
    /// A note that begins; `seed` decides its chances.
    pub fn new(note: BlendedNote, seed: u64, format: DecoderFormat) -> Self {
        let start = NoteStart {
            seed,
            pitch: note.pitch(),
            temperature: 1.0 + HEAT_TEMPERATURE * note.struck_timbre().heat,
        };
        Self {
            reading: NoteReading::new(note, seed),
            start,
            format,
            state: None,
            rendered_chunks: 0,
            is_done: false,
        }
    }

    /// Samples from its beginning until it has ended by itself if nothing changes, or a chunk more; none if it goes on as
    /// long as it is wanted.
    pub fn length_samples(&self) -> Option<usize> {
        let left = self.reading.length_frames()?.div_ceil(self.frames_per_chunk()) + 1;
        Some((self.rendered_chunks + left) * self.format.chunk_samples)
    }

    /// Whether it has ended by itself.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Chunks of the next run: 1, 1, 2, 4, 8, 8…; fewer are rendered if it ends in them.
    pub fn next_run_chunks(&self) -> usize {
        run_chunks(self.rendered_chunks)
    }

    /// Chunks rendered so far.
    pub fn rendered_chunks(&self) -> usize {
        self.rendered_chunks
    }

    /// The sizes that it is rendered in.
    pub fn format(&self) -> DecoderFormat {
        self.format
    }

    /// Whether the next run is its first.
    pub fn is_new(&self) -> bool {
        self.state.is_none()
    }

    /// The next `chunks` go evenly to this timbre, and if they are let go, on to the sound's own ending.
    pub fn steer(&mut self, timbre: Timbre, is_released: bool, chunks: usize) {
        let frames = chunks * self.frames_per_chunk();
        self.reading.steer(timbre, is_released, frames);
    }

    /// Memory that a clone takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.state.as_ref().map_or(0, Snapshot::bytes)
    }

    /// Renders the next run.
    ///
    /// # Errors
    /// The decoder's; the note is not to be gone on with.
    pub fn next_run(
        &mut self,
        decoder: &mut dyn Decoder,
        cancel: &AtomicBool,
    ) -> Result<Vec<f32>, DecodeError> {
        let chunks = self.next_run_chunks();
        let mut runs = Self::render_together(&mut [(self, chunks)], decoder, cancel)?;
        Ok(runs.pop().unwrap_or_default())
    }

    /// Renders so many chunks of each of some notes, together where the decoder can; fewer of one that ends.
    ///
    /// # Errors
    /// The decoder's; none of the notes is to be gone on with.
    pub fn render_together(
        notes: &mut [(&mut Self, usize)],
        decoder: &mut dyn Decoder,
        cancel: &AtomicBool,
    ) -> Result<Vec<Vec<f32>>, DecodeError> {
        let ends: Vec<Option<usize>> = notes
            .iter()
            .map(|(note, chunks)| note.reading.chunks_to_end(*chunks, note.frames_per_chunk()))
            .collect();
        let mut rendered: Vec<Vec<f32>> = notes
            .iter()
            .zip(&ends)
            .map(|((note, chunks), end)| {
                let chunks = if note.is_done { 0 } else { end.unwrap_or(*chunks) };
                vec![0.0; chunks * note.format.chunk_samples]
            })
            .collect();
        let mut runs: Vec<Run<'_>> = notes
            .iter_mut()
            .zip(&mut rendered)
            .filter(|(_, samples)| !samples.is_empty())
            .map(|((note, _), samples)| Run {
                note: note.state.get_or_insert_with(|| decoder.begin(note.start)),
                conditioning: &note.reading,
                samples,
            })
            .collect();
        decoder.render(&mut runs, cancel)?;
        for (((note, _), samples), end) in notes.iter_mut().zip(&mut rendered).zip(ends) {
            let chunk_samples = note.format.chunk_samples;
            let chunks = samples.len() / chunk_samples;
            note.rendered_chunks += chunks;
            note.reading.move_on(chunks * note.frames_per_chunk());
            if end.is_some() && chunks > 0 {
                note.is_done = true;
                // A recording may end before its sound has died away.
                fade_out(&mut samples[(chunks - 1) * chunk_samples..]);
            }
        }
        Ok(rendered)
    }

    fn frames_per_chunk(&self) -> usize {
        self.format.chunk_samples / self.format.hop_samples
    }
}

/// A raised cosine from full level to nothing.
fn fade_out(samples: &mut [f32]) {
    let length = samples.len() as f32;
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample *= 0.5 + 0.5 * (std::f32::consts::PI * (index as f32 + 1.0) / length).cos();
    }
}

/// Chunks of the run that begins at a chunk.
fn run_chunks(first_chunk: usize) -> usize {
    let mut begins = 0;
    for chunks in FIRST_RUNS_CHUNKS {
        if first_chunk <= begins {
            return chunks;
        }
        begins += chunks;
    }
    // Up to the next multiple, wherever a shorter run may have left it.
    LONG_RUN_CHUNKS - first_chunk % LONG_RUN_CHUNKS
}

#[cfg(test)]
mod tests {
    use super::*;
    use betwixt_audio::note::Strike;
    use std::sync::Arc;

    #[test]
    fn runs_grow_by_the_schedule() {
        let mut at = 0;
        let runs: Vec<usize> = (0..7)
            .map(|_| {
                let chunks = run_chunks(at);
                at += chunks;
                chunks
            })
            .collect();
        assert_eq!(runs, [1, 1, 2, 4, 8, 8, 8]);
    }

    #[test]
    fn a_note_that_is_struck_hot_takes_its_chances_more_freely() {
        let format = DecoderFormat {
            sample_rate_hz: 16_000,
            hop_samples: 512,
            chunk_samples: 512,
            dims: 2,
        };
        let sound = Arc::new(crate::blended_note::tests::sound(8, 0.5, None));
        let temperature = |heat| {
            let timbre = Timbre {
                heat,
                ..Timbre::default()
            };
            let corners = [Some(Arc::clone(&sound)), None, None, None];
            let note = BlendedNote::on_pad(&corners, 60.0, 2, 1).unwrap();
            NoteRender::new(note.struck(Strike::with(timbre), 1), 1, format)
                .start
                .temperature
        };
        assert_eq!((temperature(0.0), temperature(1.0)), (1.0, 1.5));
    }

    #[test]
    fn a_note_ends_without_a_click() {
        let mut samples = [1.0; 1024];
        fade_out(&mut samples);
        assert!(samples.is_sorted_by(|a, b| a >= b) && samples[0] > 0.999 && samples[1023].abs() < 1e-6);
        assert!(samples.windows(2).all(|pair| pair[0] - pair[1] < 0.002));
    }
}
