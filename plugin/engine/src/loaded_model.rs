//! A model as far as the scheduler is concerned: where decoders come from, how fast they are, and how a note of it begins.
//!
//! Loaded on a thread of its own, owned by the scheduler's thread.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use betwixt_audio::limits::SHARED_NOTE_SECONDS;
use betwixt_audio::note::{NoteKey, Part};
use betwixt_audio::rendered_note::RenderedNote;

use crate::decoder::DecoderFormat;
use crate::job::{Job, Sink};
use crate::note_render::{BlendedNote, NoteRender};
use crate::pace::Pace;
use crate::patch::Patch;
use crate::sound::Sound;
use crate::status::ModelStatus;
use crate::worker::DecoderSource;

/// Longest audio that a shared note grows to: a voice that plays it that long goes on as a stream a little before.
const NOTE_CAPACITY_SECONDS: usize = SHARED_NOTE_SECONDS + 1;
/// How much of a note is rendered before its voice says how much it wants.
const FIRST_LEAD_MS: usize = 250;
/// A worker gives a note of a slow model back after about so long, so that what is struck meanwhile need not wait longer.
const WHOLE_RUN_SECONDS: f32 = 1.0;
/// Chunks of such a run at most.
const MOST_RUN_CHUNKS: usize = 8;

/// A model, as far as the scheduler is concerned.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    /// Decoders for the workers.
    pub source: Arc<dyn DecoderSource>,
    /// What they work in.
    pub format: DecoderFormat,
    /// Names its contents, for notes on the disk.
    pub id: u64,
    /// How fast they are.
    pub pace: Pace,
    /// Notes that one of them renders at once.
    pub batch_capacity: usize,
    /// Whether it is told no pitch: its sounds hold embeddings at several.
    pub pitch_is_embedded: bool,
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

/// Loads the model that sounds of this tag were encoded by, or the one that is played unless another is named, on a thread of
/// its own; the flag calls it off.
pub(crate) type Loader = Arc<dyn Fn(Option<&str>, &AtomicBool) -> Result<LoadedModel, String> + Send + Sync>;

/// The model of the process.
pub(crate) enum ModelSlot {
    NotLoaded,
    Loading(JoinHandle<()>),
    Ready(LoadedModel),
    Failed,
}

impl ModelSlot {
    /// The model, if its notes are rendered ahead and whole.
    pub(crate) fn slow(&self) -> Option<&LoadedModel> {
        match self {
            Self::Ready(model) if model.pace != Pace::Live => Some(model),
            _ => None,
        }
    }
}

impl LoadedModel {
    /// The note of a key before its first chunk, and the job that renders it.
    ///
    /// # Errors
    /// Why it cannot be played, in words.
    pub(crate) fn begin(&self, patch: &Patch, key: NoteKey) -> Result<(Arc<RenderedNote>, Job), String> {
        patch.check_model(&self.tag)?;
        let format = self.format;
        let ratio = self.frames_per_embedding_frame;
        let rate = format.sample_rate_hz as usize;
        let hop_seconds = (format.hop_samples * ratio) as f64 / rate as f64;
        let all_phases = NoteKey {
            part: Part::Mid,
            ..key
        };
        let is_whole = self.pace != Pace::Live;
        let nearest =
            |sound: &Option<Arc<Sound>>| sound.as_ref().map(|sound| sound.at_pitch(key.pitch_midi()));
        let corners = if self.pitch_is_embedded {
            patch.corners().each_ref().map(nearest)
        } else {
            patch.corners().clone()
        };
        let mut blended = BlendedNote::on_pad(&corners, key.pitch_midi(), format.dims, ratio)
            .ok_or("no corner holds a sound that can be heard")?
            .struck(key.strike, all_phases.seed())
            .with_embedding_hop(hop_seconds)
            .with_measured_dims(self.pitch_dim, self.level_dim);
        if is_whole {
            blended = blended.whole();
        }
        let held = blended.hold().map(|hold| {
            let sample = |frame: usize| frame * format.hop_samples;
            sample(hold.steady_frame)..sample(hold.release_frame)
        });
        let render = NoteRender::new(blended, key.seed(), format);

        let capacity_samples = NOTE_CAPACITY_SECONDS * rate;
        let length = render
            .length_samples()
            .map_or(capacity_samples, |length| length.min(capacity_samples));
        let capacity_chunks = length.div_ceil(format.chunk_samples).max(1);
        let (writer, note) =
            RenderedNote::new(key, format.chunk_samples, capacity_chunks, format.sample_rate_hz);
        let sink = if is_whole {
            note.want(usize::MAX);
            Sink::Whole { writer, held }
        } else {
            note.want(FIRST_LEAD_MS * rate / 1000);
            Sink::Note(writer)
        };
        let job = Job {
            source: Arc::clone(&self.source),
            render,
            sink,
        };
        Ok((note, job))
    }

    /// Chunks of a run of notes that are rendered ahead.
    pub(crate) fn whole_run_chunks(&self) -> usize {
        let Pace::Ahead { slowness } = self.pace else {
            return MOST_RUN_CHUNKS;
        };
        let chunk_seconds = self.format.chunk_samples as f32 / self.format.sample_rate_hz as f32;
        let chunks = WHOLE_RUN_SECONDS / (chunk_seconds * slowness.max(1e-3));
        (chunks as usize).clamp(1, MOST_RUN_CHUNKS)
    }
}
