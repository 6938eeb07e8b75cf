//! A voice: plays one note at one key's pitch, through its envelope.
//!
//! Runs on the audio thread. Everything it does is computed sample by sample, so its output does not depend on how a
//! host cuts time into blocks. Here is what it is and what is done to it; `run` is how it sounds, `cells` how it follows a
//! slow model's notes.

mod cells;
mod run;

use crate::cell_play::CellPlay;
use crate::envelope::Envelope;
use crate::event::NoteAddress;
use crate::motion::Motion;
use crate::moved::Moved;
use crate::note::{NoteKey, Part};
use crate::note_table::{Lookup, NoteTable};
use crate::rates::Rates;
use crate::rendered_note::RenderedNote;
use crate::steering::Steering;
use crate::tilt::Tilt;
use crate::track::Track;

pub use run::{Buses, VoiceContext, VoiceScratch};

/// What a voice is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceState {
    /// Nothing: the voice can be taken.
    Free,
    /// Silent until its note's first chunk is there.
    Waiting,
    /// Playing its note.
    Playing,
    /// Fading out after it was stolen or choked. Its note's end was told.
    Dying,
}

/// One of the instrument's voices.
#[derive(Debug)]
pub struct Voice {
    pub state: VoiceState,
    /// As the note-on gave it.
    pub address: NoteAddress,
    pub channel: u8,
    pub key: u8,
    /// Whether its key is down.
    pub held: bool,
    /// Whether its key is up and the pedal holds it.
    pub sustained: bool,
    /// Whether its key is up and its sound goes on to its own ending.
    pub is_ending: bool,
    /// Greater is younger.
    pub order: u64,
    /// When it was struck, by the instrument's clock.
    pub struck_at: u64,
    /// What is rendered of it: the middle, and the side if it is wide.
    pub tracks: [Option<Track>; 2],
    /// What its rendered note is, without the part.
    pub note: Option<NoteKey>,
    /// Of this note alone, over the channel's bend.
    pub tuning_semitones: f32,
    /// What moves this note alone.
    pub moved: Moved,
    pub envelope: Envelope,
    /// How hard it was struck, 0 to 1.
    pub velocity: f32,
    pub velocity_gain: f32,
    pub steering: Steering,
    pub motion: Motion,
    /// Whether the pitch asked for next is taken at once: the key has changed, and a glide leads there.
    pub follows_at_once: bool,
    tilts: [Tilt; 2],
    /// Whether it has caught up with the worker.
    starved: bool,
    /// Underrun fade: 1 when samples flow.
    flow: f32,
    /// Fade of a dying voice, from 1 to 0.
    dying: f32,
}

/// The rendered notes of a voice's tracks, as far as they are there.
pub type Notes<'a> = [Option<&'a RenderedNote>; 2];

impl Voice {
    /// A voice that does nothing.
    pub fn free() -> Self {
        Self {
            state: VoiceState::Free,
            address: NoteAddress::ALL,
            channel: 0,
            key: 0,
            held: false,
            sustained: false,
            is_ending: false,
            order: 0,
            struck_at: 0,
            tracks: [None, None],
            note: None,
            tuning_semitones: 0.0,
            moved: Moved::REST,
            envelope: Envelope::start(),
            velocity: 0.0,
            velocity_gain: 0.0,
            steering: Steering::start(),
            motion: Motion::start(),
            follows_at_once: false,
            tilts: [Tilt::default(); 2],
            starved: false,
            flow: 1.0,
            dying: 1.0,
        }
    }

    /// Whether it counts among the instrument's voices: neither free nor dying.
    pub fn is_live(&self) -> bool {
        matches!(self.state, VoiceState::Waiting | VoiceState::Playing)
    }

    /// Takes the voice, which is free, for a note, waiting for its first chunk.
    pub fn take(&mut self, address: NoteAddress, note: NoteKey, tracks: [Option<Track>; 2]) {
        *self = Self {
            state: VoiceState::Waiting,
            held: true,
            order: self.order,
            tracks,
            note: Some(note),
            ..Self::free()
        };
        self.name(address);
    }

    /// Is the note of this address from now on.
    pub fn name(&mut self, address: NoteAddress) {
        self.address = address;
        self.channel = address.channel.unwrap_or(0).min(15);
        self.key = address.key.unwrap_or(60).min(127);
    }

    /// Whether an address means this note.
    pub fn is_meant_by(&self, address: NoteAddress) -> bool {
        address.matches(&NoteAddress {
            channel: Some(self.channel),
            key: Some(self.key),
            ..self.address
        })
    }

    /// Begins to play at the pitch that [`bend`](Self::bend) was given last, without gliding to it.
    pub fn begin(&mut self) {
        self.state = VoiceState::Playing;
        self.motion.arrive();
    }

    /// Lets go of the key: into the envelope's release.
    pub fn release(&mut self) {
        self.held = false;
        self.sustained = false;
        self.envelope.release();
    }

    /// Lets go of the key: the sound goes on to its own ending.
    pub fn release_to_ending(&mut self) {
        self.held = false;
        self.sustained = false;
        self.is_ending = true;
    }

    /// Fades out within 10 ms.
    pub fn kill(&mut self) {
        self.state = VoiceState::Dying;
        self.held = false;
        self.sustained = false;
    }

    /// The pitch it is rendered at, in cents.
    pub fn rendered_cents(&self) -> i32 {
        let of_cells = self.cells().map(CellPlay::pitch_cents);
        of_cells
            .or(self.note.map(|note| note.pitch_cents))
            .unwrap_or(6000)
    }

    /// Sets the pitch to go to: `cents` from MIDI note 0.
    pub fn bend(&mut self, cents: f64, note_hz: u32, rates: &Rates) {
        self.motion
            .bend_to(cents - f64::from(self.rendered_cents()), note_hz, rates.host_hz);
    }

    /// The loudness a listener would miss, 0 to 1: what a rising voice will reach, what another has.
    pub fn prominence(&self) -> f32 {
        let level = if self.envelope.is_rising() && !self.envelope.is_released() {
            1.0
        } else {
            self.envelope.level()
        };
        level * self.velocity_gain
    }

    /// How far a dying voice has faded, 1 to 0.
    pub fn fade(&self) -> f32 {
        self.dying
    }

    /// Whether it waits: for its first chunk, or for samples after it caught up.
    pub fn is_waiting(&self) -> bool {
        self.state == VoiceState::Waiting || self.is_live() && self.starved
    }

    /// Whether any of its tracks plays a stream.
    pub fn is_streaming(&self) -> bool {
        self.tracks.iter().flatten().any(Track::hears_stream)
    }

    /// The rendered notes of its tracks; `Err` if one was refused.
    pub fn notes<'a>(&self, table: &'a NoteTable) -> Result<Notes<'a>, Part> {
        let mut notes = [None, None];
        for ((note, track), part) in notes.iter_mut().zip(&self.tracks).zip([Part::Mid, Part::Side]) {
            let Some(track) = track else { continue };
            match table.lookup(track.slot) {
                Lookup::Note(found) => *note = Some(found),
                Lookup::Awaited => {}
                Lookup::Refused => return Err(part),
            }
        }
        Ok(notes)
    }

    /// Whether every track's note is there.
    pub fn has(&self, notes: &Notes<'_>) -> bool {
        self.tracks
            .iter()
            .zip(notes)
            .all(|(track, note)| track.is_none() || note.is_some())
    }
}
