//! What tests of any driver play: an embedding that moves, and notes of it.

use std::sync::atomic::AtomicBool;

use super::{Conditioning, Decoder, NoteStart, Run, Snapshot};

/// An embedding that wanders, the same for every reader.
pub(crate) struct Wandering;

impl Conditioning for Wandering {
    fn read(&self, first_frame: usize, embedding: &mut [f32], pitch: &mut [f32]) {
        let dims = embedding.len() / pitch.len();
        for (i, value) in embedding.iter_mut().enumerate() {
            let (frame, dim) = ((first_frame + i / dims) as f32, (i % dims) as f32);
            *value = 0.8 * (frame * 0.05 + dim).sin();
        }
        pitch.fill(57.0);
    }
}

/// A note before its first chunk.
pub(crate) fn begin(decoder: &dyn Decoder) -> Snapshot {
    decoder.begin(NoteStart {
        seed: 5,
        pitch: 57.0,
        temperature: 1.0,
    })
}

/// Renders the next runs of a note, of these lengths in chunks.
pub(crate) fn render(decoder: &mut dyn Decoder, note: &mut Snapshot, runs: &[usize]) -> Vec<f32> {
    let mut rendered = Vec::new();
    for chunks in runs {
        let mut samples = vec![0.0; chunks * decoder.format().chunk_samples];
        let run = Run {
            note,
            conditioning: &Wandering,
            samples: &mut samples,
        };
        decoder.render(&mut [run], &AtomicBool::new(false)).unwrap();
        rendered.extend(samples);
    }
    rendered
}

/// Renders a new note by runs of these lengths in chunks.
pub(crate) fn render_from_start(decoder: &mut dyn Decoder, runs: &[usize]) -> Vec<f32> {
    let mut note = begin(decoder);
    render(decoder, &mut note, runs)
}
