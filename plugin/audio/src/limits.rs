//! The audio thread's capacities and times, each with its unit.

/// Voices that play at once. One more note steals one of them.
pub const VOICES: usize = 64;

/// Further voices that only fade out after they were stolen or choked.
pub const DYING_VOICES: usize = 32;

/// Fade of a stolen or choked voice.
pub const STEAL_FADE_MS: f32 = 10.0;

/// Fade out of a voice that catches up with its worker, and fade in when samples arrive.
pub const UNDERRUN_FADE_MS: f32 = 2.0;

/// How long a voice repeats its last periods while its worker is late, before it fades out.
pub const ECHO_MS: f32 = 80.0;

/// What it repeats: the whole number of periods of about this length that is nearest to whole samples.
pub const ECHO_SHORTEST_LAG_MS: f32 = 10.0;
/// The longest that is repeated: a period of MIDI 21 and no less.
pub const ECHO_LONGEST_LAG_MS: f32 = 40.0;

/// Cross-fade from one round of an echo to the next.
pub const ECHO_FADE_MS: f32 = 2.0;

/// Fade at the end of a finished note, which may end anywhere in its sound.
pub const END_FADE_MS: f32 = 5.0;

/// How far ahead of what it plays a voice asks for audio.
pub const LEAD_MS: f32 = 500.0;

/// Rendered notes the audio thread may hold: what it plays and what it may be asked to play.
pub const NOTE_TABLE_CAPACITY: usize = 4096;

/// Messages in each ring between the audio thread and the scheduler.
pub const RING_MESSAGES: usize = 1024;

/// Streams of one instance at most: two renders for each voice.
pub const STREAMS: usize = 2 * (VOICES + DYING_VOICES);

/// Messages from the audio thread that wait while its ring is full: twice what it holds, so that all of it fits even
/// when the scheduler has stopped listening.
pub const OUTBOX_MESSAGES: usize = 2 * (NOTE_TABLE_CAPACITY + STREAMS);

/// Chunks that a stream's ring holds: what is played, and the longest chunks that a slow machine renders at once.
pub const STREAM_CHUNKS: usize = 24;

/// Controls that a stream's ring holds.
pub const STREAM_CONTROLS: usize = 16;

/// Every so many of its samples a voice looks whether a chunk of its stream is due to be asked for.
pub const STEERING_SAMPLES: usize = 64;

/// Time that a worker has for a chunk of a stream at least. More would make the blend late, less would make underruns.
pub const STREAM_LEAD_MS: f32 = 7.5;

/// The longest block that is asked for ahead as a whole: streams have room for no more.
pub const LONGEST_LEAD_SAMPLES: usize = 4096;

/// The most chunks that one control covers when the machine cannot keep up.
pub const LONGEST_STRIDE_CHUNKS: u8 = 8;

/// A note that is held longer goes on as a stream: its rendered note stays small.
pub const SHARED_NOTE_SECONDS: usize = 20;

/// Cross-fade between a rendered note and a stream that came late.
pub const LATE_JOIN_MS: f32 = 5.0;

/// Cross-fade between the whole notes of two cells, and from a loop to a note's ending.
pub const CELL_FADE_MS: f32 = 30.0;

/// Shortest attack: a note's first sample is rarely zero.
pub const MIN_ATTACK_MS: f32 = 0.5;

/// Shortest decay and release.
pub const MIN_RELEASE_MS: f32 = 2.0;

/// Time constant of the smoothing of gain, pitch bend and tuning.
pub const SMOOTHING_MS: f32 = 5.0;

/// Output samples a voice makes before the next voice's turn.
pub const RUN_SAMPLES: usize = 128;
