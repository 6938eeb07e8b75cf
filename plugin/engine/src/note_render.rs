//! The rendering of one note: what the decoder is told at each of its frames, and how much is rendered at a time.
//!
//! Made by the scheduler, run by whichever worker is free, or by one thread that renders a note for itself. The
//! samples are a function of the sounds, the weights, the pitch and the seed alone: runs are cut by a fixed schedule,
//! so no timing changes a bit of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::decoder::{Conditioning, DecodeError, Decoder, DecoderFormat, NoteStart, Run, Snapshot};
use crate::embedding::position_of;
use crate::sound::Sound;

/// Chunks in a note's first runs: short ones, so that it begins soon; then [`LONG_RUN_CHUNKS`], which cost less each.
const FIRST_RUNS_CHUNKS: [usize; 4] = [1, 1, 2, 4];
/// Chunks in every later run.
const LONG_RUN_CHUNKS: usize = 8;
/// A corner with less weight than this is not heard.
const INAUDIBLE_WEIGHT: f32 = 1e-6;

/// The blend of some sounds, read at decoder frames.
#[derive(Debug, Clone)]
pub struct BlendedNote {
    corners: Vec<(Arc<Sound>, f32)>,
    pitch: f32,
    dims: usize,
    frames_per_embedding_frame: usize,
}

impl BlendedNote {
    /// Blends the corners by their weights; `pitch` is a MIDI note number. None if no corner is heard, or one of
    /// the sounds has other than `dims` dimensions.
    pub fn new(
        corners: &[Option<Arc<Sound>>; 4],
        weights: [f32; 4],
        pitch: f32,
        dims: usize,
        frames_per_embedding_frame: usize,
    ) -> Option<Self> {
        let heard = |(sound, weight): (&Option<Arc<Sound>>, f32)| Some((Arc::clone(sound.as_ref()?), weight));
        let corners: Vec<_> = corners
            .iter()
            .zip(weights)
            .filter(|(_, weight)| weight.abs() > INAUDIBLE_WEIGHT)
            .filter_map(heard)
            .collect();
        let fits = !corners.is_empty() && corners.iter().all(|(sound, _)| sound.embedding.dims() == dims);
        fits.then_some(Self {
            corners,
            pitch,
            dims,
            frames_per_embedding_frame,
        })
    }

    /// Decoder frames until it has ended by itself; none if one of its sounds is held as long as the key.
    pub fn length_frames(&self) -> Option<usize> {
        let frames = |sound: &Sound| match sound.loop_region {
            Some(_) => None,
            None => Some(sound.embedding.frames() * self.frames_per_embedding_frame),
        };
        self.corners
            .iter()
            .map(|(sound, _)| frames(sound))
            .try_fold(0, |longest, length| Some(longest.max(length?)))
    }
}

impl Conditioning for BlendedNote {
    fn read(&self, first_frame: usize, embedding: &mut [f32], pitch: &mut [f32]) {
        pitch.fill(self.pitch);
        embedding.fill(0.0);
        for (index, vector) in embedding.chunks_exact_mut(self.dims).enumerate() {
            let position = position_of(first_frame + index, self.frames_per_embedding_frame);
            for (sound, weight) in &self.corners {
                let position = sound.loop_region.map_or(position, |region| region.fold(position));
                sound.embedding.add_at(position, *weight, vector);
            }
        }
    }
}

/// One note on its way from a decoder to samples. A clone goes on by itself.
#[derive(Debug, Clone)]
pub struct NoteRender {
    conditioning: BlendedNote,
    start: NoteStart,
    format: DecoderFormat,
    /// The decoder's state; none before the first run.
    state: Option<Snapshot>,
    rendered_chunks: usize,
}

impl NoteRender {
    /// A note that begins; `seed` decides its chances.
    pub fn new(conditioning: BlendedNote, seed: u64, format: DecoderFormat) -> Self {
        let start = NoteStart {
            seed,
            pitch: conditioning.pitch,
            temperature: 1.0,
        };
        Self {
            conditioning,
            start,
            format,
            state: None,
            rendered_chunks: 0,
        }
    }

    /// Samples until it has ended by itself, a whole number of chunks; none if it goes on as long as it is wanted.
    pub fn length_samples(&self) -> Option<usize> {
        self.length_chunks()
            .map(|chunks| chunks * self.format.chunk_samples)
    }

    /// Whether it has ended by itself.
    pub fn is_done(&self) -> bool {
        self.length_chunks()
            .is_some_and(|length| self.rendered_chunks >= length)
    }

    /// Chunks of the next run: 1, 1, 2, 4, 8, 8…, fewer at the end.
    pub fn next_run_chunks(&self) -> usize {
        let left = self
            .length_chunks()
            .map_or(usize::MAX, |length| length.saturating_sub(self.rendered_chunks));
        run_chunks(self.rendered_chunks).min(left)
    }

    /// Whether the next run is its first.
    pub fn is_new(&self) -> bool {
        self.state.is_none()
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
        let mut runs = Self::next_runs(&mut [self], decoder, cancel)?;
        Ok(runs.pop().unwrap_or_default())
    }

    /// Renders the next run of each of some notes, together where the decoder can.
    ///
    /// # Errors
    /// The decoder's; none of the notes is to be gone on with.
    pub fn next_runs(
        notes: &mut [&mut Self],
        decoder: &mut dyn Decoder,
        cancel: &AtomicBool,
    ) -> Result<Vec<Vec<f32>>, DecodeError> {
        let mut rendered: Vec<Vec<f32>> = notes
            .iter()
            .map(|note| vec![0.0; note.next_run_chunks() * note.format.chunk_samples])
            .collect();
        let mut runs: Vec<Run<'_>> = notes
            .iter_mut()
            .zip(&mut rendered)
            .map(|(note, samples)| Run {
                note: note.state.get_or_insert_with(|| decoder.begin(note.start)),
                conditioning: &note.conditioning,
                samples,
            })
            .collect();
        decoder.render(&mut runs, cancel)?;
        for (note, samples) in notes.iter_mut().zip(&mut rendered) {
            let chunk_samples = note.format.chunk_samples;
            note.rendered_chunks += samples.len() / chunk_samples;
            if note.is_done() {
                // A recording may end before its sound has died away.
                let last_chunk = samples.len().saturating_sub(chunk_samples);
                fade_out(&mut samples[last_chunk..]);
            }
        }
        Ok(rendered)
    }

    fn length_chunks(&self) -> Option<usize> {
        let frames_per_chunk = self.format.chunk_samples / self.format.hop_samples;
        self.conditioning
            .length_frames()
            .map(|frames| frames.div_ceil(frames_per_chunk))
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
    LONG_RUN_CHUNKS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::{Embedding, LoopRegion};

    fn sound(frames: usize, value: f32, loop_region: Option<LoopRegion>) -> Option<Arc<Sound>> {
        Some(Arc::new(Sound {
            name: "test".into(),
            family: String::new(),
            tags: Vec::new(),
            licence: String::new(),
            source: String::new(),
            model: String::new(),
            pitch: 60.0,
            gain_db: 0.0,
            loop_region,
            embedding: Embedding::new(2, vec![value; frames * 2]).unwrap(),
        }))
    }

    const LOOP: Option<LoopRegion> = Some(LoopRegion {
        start_frame: 2,
        end_frame: 5,
    });

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
    fn a_note_ends_without_a_click() {
        let mut samples = [1.0; 1024];
        fade_out(&mut samples);
        assert!(samples.is_sorted_by(|a, b| a >= b) && samples[0] > 0.999 && samples[1023].abs() < 1e-6);
        assert!(samples.windows(2).all(|pair| pair[0] - pair[1] < 0.002));
    }

    #[test]
    fn the_blend_is_the_weighted_sum_of_the_corners() {
        let corners = [sound(8, 1.0, LOOP), sound(8, -1.0, LOOP), None, None];
        let note = BlendedNote::new(&corners, [0.75, 0.25, 0.0, 0.0], 61.5, 2, 3).unwrap();
        let (mut embedding, mut pitch) = ([9.0; 4], [0.0; 2]);
        note.read(1000, &mut embedding, &mut pitch);
        assert_eq!((embedding, pitch), ([0.5; 4], [61.5; 2]));
    }

    #[test]
    fn a_note_ends_by_itself_only_if_all_that_is_heard_of_it_does() {
        let length = |corners, weights| {
            BlendedNote::new(&corners, weights, 60.0, 2, 3)
                .unwrap()
                .length_frames()
        };
        assert_eq!(
            length(
                [sound(8, 0.0, None), sound(10, 0.0, None), None, None],
                [0.5, 0.5, 0.0, 0.0]
            ),
            Some(30)
        );
        assert_eq!(
            length(
                [sound(8, 0.0, None), sound(10, 0.0, LOOP), None, None],
                [0.5, 0.5, 0.0, 0.0]
            ),
            None
        );
        assert_eq!(
            length(
                [sound(8, 0.0, None), sound(10, 0.0, LOOP), None, None],
                [1.0, 0.0, 0.0, 0.0]
            ),
            Some(24)
        );
        assert!(BlendedNote::new(&[None, None, None, None], [0.0; 4], 60.0, 2, 3).is_none());
        assert!(
            BlendedNote::new(
                &[sound(8, 0.0, None), None, None, None],
                [1.0, 0.0, 0.0, 0.0],
                60.0,
                16,
                3
            )
            .is_none()
        );
    }
}
