//! Models, encoding, rendering: never on the audio thread.

pub mod audio_file;
pub mod automation_curve;
pub mod bounce;
pub mod decoder;
pub mod embedding;
pub mod encode;
pub mod encoder;
pub mod engine;
pub mod instance;
pub mod library;
pub mod midi_file;
pub mod model;
mod note_cache;
pub mod note_render;
pub mod parameter;
pub mod patch;
pub mod patience;
pub mod pitch_detect;
pub mod preset;
pub mod resources;
pub mod runtime;
mod scheduler;
pub mod sound;
pub mod status;
pub mod sustain_loop;
pub mod wav;
mod worker;
