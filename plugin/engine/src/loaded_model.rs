//! A model as far as the scheduler is concerned: where decoders come from, how fast they are, and how a note of it begins.
//!
//! Loaded on a thread of its own, owned by the scheduler's thread.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use betwixt_audio::limits::SHARED_NOTE_SECONDS;
use betwixt_audio::note::{NoteKey, Part};
use betwixt_audio::rendered_note::RenderedNote;
use sha2::{Digest, Sha256};

use crate::decoder::DecoderFormat;
use crate::job::{Job, Sink};
use crate::note_render::{BlendedNote, NoteRender};
use crate::pace::Pace;
use crate::patch::Patch;
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

/// A sound's pitch is a key's within so many semitones.
const EMBEDDED_PITCH_TOLERANCE: f32 = 0.02;

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
        let format = self.format;
        let rate = format.sample_rate_hz as usize;
        let is_whole = self.pace != Pace::Live;
        let mut blended = self.blended(patch, key, 0)?;
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

    /// The note of a key before its first chunk. Takes of one key differ by their seeds alone; 0 is what is played.
    ///
    /// # Errors
    /// Why it cannot be rendered, in words.
    pub(crate) fn render(&self, patch: &Patch, key: NoteKey, take: usize) -> Result<NoteRender, String> {
        let blended = self.blended(patch, key, take)?;
        Ok(NoteRender::new(
            blended,
            seed_of_take(key.seed(), take),
            self.format,
        ))
    }

    /// What a key's note sounds like.
    fn blended(&self, patch: &Patch, key: NoteKey, take: usize) -> Result<BlendedNote, String> {
        patch.check_model(&self.tag)?;
        let format = self.format;
        let ratio = self.frames_per_embedding_frame;
        let hop_seconds = (format.hop_samples * ratio) as f64 / f64::from(format.sample_rate_hz);
        let all_phases = NoteKey {
            part: Part::Mid,
            ..key
        };
        let note = BlendedNote::on_pad(patch.corners(), key.pitch_midi(), format.dims, ratio)
            .ok_or("no corner holds a sound that can be heard")?
            .struck(key.strike, seed_of_take(all_phases.seed(), take))
            .with_embedding_hop(hop_seconds)
            .with_measured_dims(self.pitch_dim, self.level_dim);
        Ok(if self.pitch_is_embedded {
            note.with_embedded_pitch()
        } else {
            note
        })
    }

    /// Whether a key's note would have the key's pitch: a model that is told no pitch has those of its sounds only.
    ///
    /// # Errors
    /// Names the first sound without it, and the pitches that it has.
    pub(crate) fn check_pitch(&self, patch: &Patch, key: u8) -> Result<(), String> {
        if !self.pitch_is_embedded {
            return Ok(());
        }
        let wanted = f32::from(key);
        for sound in patch.corners().iter().flatten() {
            if (sound.nearest_pitch(wanted) - wanted).abs() > EMBEDDED_PITCH_TOLERANCE {
                let pitches: Vec<String> = sound.further.iter().map(|at| at.pitch.to_string()).collect();
                return Err(format!(
                    "key {key}: {} plays the pitches of its sounds only, and \"{}\" has {}: samplers play the keys between",
                    self.tag,
                    sound.name,
                    pitches.join(", ")
                ));
            }
        }
        Ok(())
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
