//! The audio thread's capacities and times, each with its unit.

/// Voices that play at once. One more note steals one of them.
pub const VOICES: usize = 64;

/// Further voices that only fade out after they were stolen or choked.
pub const DYING_VOICES: usize = 32;

/// Fade of a stolen or choked voice.
pub const STEAL_FADE_MS: f32 = 10.0;

/// Fade out of a voice that catches up with its worker, and fade in when samples arrive.
pub const UNDERRUN_FADE_MS: f32 = 2.0;

/// Fade at the end of a finished note, which may end anywhere in its sound.
pub const END_FADE_MS: f32 = 5.0;

/// How far ahead of what it plays a voice asks for audio.
pub const LEAD_MS: f32 = 500.0;

/// Rendered notes the audio thread may hold: what it plays and what it may be asked to play.
pub const NOTE_TABLE_CAPACITY: usize = 4096;

/// Messages in each ring between the audio thread and the scheduler.
pub const RING_MESSAGES: usize = 1024;

/// Messages from the audio thread that wait while its ring is full. Twice the table: all it holds fits, even
/// when the scheduler has stopped listening.
pub const OUTBOX_MESSAGES: usize = 2 * NOTE_TABLE_CAPACITY;

/// Shortest attack: a note's first sample is rarely zero.
pub const MIN_ATTACK_MS: f32 = 0.5;

/// Shortest decay and release.
pub const MIN_RELEASE_MS: f32 = 2.0;

/// Time constant of the smoothing of gain, pitch bend and tuning.
pub const SMOOTHING_MS: f32 = 5.0;

/// Output samples a voice makes before the next voice's turn.
pub const RUN_SAMPLES: usize = 128;
