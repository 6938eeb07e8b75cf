//! Everything of Betwixt that may run on the audio thread, and the lock-free places where it meets the others.
//!
//! # Threads
//! - *audio*: [`instrument`] and all it plays with. It never allocates, frees, locks, logs, makes a system call or
//!   waits; only an offline render may wait, bounded, through [`instrument::Patience`], which lives elsewhere.
//! - *scheduler* (one a process): the other end of every [`link`]; frees what the audio thread gives back.
//! - *workers*: write [`rendered_note`]s, with the kernel in [`partials`]. It is allocation-free, so that the audio
//!   thread could run it too.
//! - *window*: reads [`meters`].
//!
//! # Rooms
//! What others see:
//! - [`instrument`] what a host or a bounce drives
//! - [`event`] what a host says inside a block, and the note ends it is told
//! - [`settings`] the parameters of one block
//! - [`blend`] the pad's position, its corners' weights, its cells
//! - [`grid`] where a slow model's notes are rendered: cells of the pad, every fourth semitone
//! - [`note`] the key that tells one rendered note from another
//! - [`rendered_note`] audio that one worker grows while voices read it
//! - [`note_loop`] where a whole note is looped while it is held past its end
//! - [`timbre`] what shapes a note and may change while it sounds
//! - [`stream`] audio rendered for one voice whose timbre moves
//! - [`link`] the rings to the scheduler and back
//! - [`meters`] what the window shows
//! - [`partials`] from a decoder's frames to samples
//! - [`limits`] capacities and times
//!
//! What the instrument is made of:
//! - `voice` plays one note
//! - `track` one of its renders: a rendered note, and the stream it goes on in; `track_reader` from there to the host's rate;
//!   `echo` what is heard while both are late
//! - `cell_play` what a track of a slow model plays: one whole note after another, cross-faded
//! - `moved` what moves it alone
//! - `steering` when it says what its next chunk is to sound like
//! - `motion` where it is, and how fast it moves: bends and glides
//! - `tilt` its brightness
//! - `rates` the host's rate, and how many samples times are
//! - `polyphony` the voices, and who must go when they run out
//! - `mono` the keys that one voice plays
//! - `envelope` attack, decay, sustain, release
//! - `resampler` from a note's rate and pitch to the host's
//! - `note_table` the rendered notes the audio thread holds
//! - [`denormals`] flushes subnormal numbers
//! - `sync` the primitives under `rendered_note`, exchanged in loom's models
#![cfg_attr(rtsan, feature(sanitize))]

pub mod blend;
mod cell_play;
pub mod denormals;
mod echo;
mod envelope;
pub mod event;
pub mod grid;
pub mod instrument;
pub mod limits;
pub mod link;
pub mod meters;
mod mono;
mod motion;
mod moved;
pub mod note;
pub mod note_loop;
mod note_table;
pub mod partials;
mod polyphony;
mod rates;
pub mod rendered_note;
mod resampler;
pub mod settings;
mod steering;
pub mod stream;
mod sync;
mod tilt;
pub mod timbre;
mod track;
mod track_reader;
mod voice;
