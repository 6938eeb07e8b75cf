//! A model as far as the scheduler is concerned: where decoders come from, and how a note of it begins.
//!
//! Loaded on a thread of its own, owned by the scheduler's thread.

use std::sync::Arc;
use std::thread::JoinHandle;

use betwixt_audio::limits::SHARED_NOTE_SECONDS;
use betwixt_audio::note::{NoteKey, Part};
use betwixt_audio::rendered_note::RenderedNote;
use sha2::{Digest, Sha256};

use crate::decoder::DecoderFormat;
use crate::job::{Job, Sink};
use crate::note_render::{BlendedNote, NoteRender};
use crate::patch::Patch;
use crate::status::ModelStatus;
use crate::worker::DecoderSource;

/// Longest audio that a shared note grows to: a voice that plays it that long goes on as a stream a little before.
const NOTE_CAPACITY_SECONDS: usize = SHARED_NOTE_SECONDS + 1;
/// How much of a note is rendered before its voice says how much it wants.
const FIRST_LEAD_MS: usize = 250;

/// A model, as far as the scheduler is concerned.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    /// Decoders for the workers.
    pub source: Arc<dyn DecoderSource>,
    /// What they work in.
    pub format: DecoderFormat,
    /// Decoder frames in one embedding frame.
    pub frames_per_embedding_frame: usize,
    /// The embedding's dimension that carries the deviation from the pitch, if one does.
    pub pitch_dim: Option<usize>,
    /// The one that carries the level, if one does.
    pub level_dim: Option<usize>,
    /// What sounds that it encoded say of it.
    pub tag: String,
    /// For the status.
    pub report: ModelStatus,
}

/// Loads the model, on a thread of its own.
pub(crate) type Loader = Arc<dyn Fn() -> Result<LoadedModel, String> + Send + Sync>;

/// The model of the process.
pub(crate) enum ModelSlot {
    NotLoaded,
    Loading(JoinHandle<()>),
    Ready(LoadedModel),
    Failed,
}

impl LoadedModel {
    /// The note of a key before its first chunk, and the job that renders it.
    ///
    /// # Errors
    /// Why it cannot be played, in words.
    pub(crate) fn begin(&self, patch: &Patch, key: NoteKey) -> Result<(Arc<RenderedNote>, Job), String> {
        let format = self.format;
        let rate = format.sample_rate_hz as usize;
        let render = self.render(patch, key, 0)?;

        let capacity_samples = NOTE_CAPACITY_SECONDS * rate;
        let length = render
            .length_samples()
            .map_or(capacity_samples, |length| length.min(capacity_samples));
        let capacity_chunks = length.div_ceil(format.chunk_samples).max(1);
        let (writer, note) =
            RenderedNote::new(key, format.chunk_samples, capacity_chunks, format.sample_rate_hz);
        note.want(FIRST_LEAD_MS * rate / 1000);
        let job = Job {
            source: Arc::clone(&self.source),
            render,
            sink: Sink::Note(writer),
        };
        Ok((note, job))
    }

    /// The note of a key before its first chunk. Takes of one key differ by their seeds alone; 0 is what is played.
    ///
    /// # Errors
    /// Why it cannot be rendered, in words.
    pub(crate) fn render(&self, patch: &Patch, key: NoteKey, take: usize) -> Result<NoteRender, String> {
        patch.check_model(&self.tag)?;
        let format = self.format;
        let ratio = self.frames_per_embedding_frame;
        let hop_seconds = (format.hop_samples * ratio) as f64 / f64::from(format.sample_rate_hz);
        let all_phases = NoteKey {
            part: Part::Mid,
            ..key
        };
        let blended = BlendedNote::on_pad(patch.corners(), key.pitch_midi(), format.dims, ratio)
            .ok_or("no corner holds a sound that can be heard")?
            .struck(key.strike, seed_of_take(all_phases.seed(), take))
            .with_embedding_hop(hop_seconds)
            .with_measured_dims(self.pitch_dim, self.level_dim);
        Ok(NoteRender::new(blended, seed_of_take(key.seed(), take), format))
    }
}

/// The seed of a take of a note, 0 for its own.
fn seed_of_take(seed: u64, take: usize) -> u64 {
    if take == 0 {
        return seed;
    }
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update((take as u64).to_le_bytes());
    let hash = hash.finalize();
    u64::from_le_bytes(std::array::from_fn(|i| hash[i]))
}
