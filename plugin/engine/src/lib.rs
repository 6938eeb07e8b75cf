//! Everything of Betwixt that is never on the audio thread and knows no host and no window: models, sounds,
//! rendering, the library, bounces.
//!
//! # Threads
//! - *main, window*: make [`instance`]s, put [`patch`]es into them, read [`status`].
//! - *scheduler* (one a process, `scheduler`): owns the `note_cache`, answers the audio threads, chooses jobs.
//! - *workers* (cores - 1, `worker`): run a [`decoder`] for one note at a time and publish what comes.
//! - *background*: loading a [`model`], [`encode`], [`library`], [`pack`]s. Whoever bounces does so on a thread of its own.
//!
//! Making an [`engine`] or an [`instance`] starts nothing; the first activation does, and the last `Arc` ends it.
//!
//! # Rooms
//! Models:
//! [`resources`] where Betwixt's files lie; [`runtime`] ONNX Runtime, once a process, and its providers; [`model`] a folder
//! of graphs, checked; [`encoder`], [`decoder`] its two halves.
//!
//! Sounds:
//! [`audio_file`] recordings in; [`recorded_note`], [`pitch_detect`], [`sustain_loop`], [`encode`] from a recording to a sound, [`multisample`] from
//! many, [`import`] many of them; [`embedding`] how a sound unfolds; [`sound`] the `.sound` file, [`credits`] who made it and what of,
//! [`quality`] what it is like, in NSynth's words; [`arithmetic`] sounds from sounds; [`patch`] the four corners; [`preset`], [`library`] what
//! there is to pick, and the index that finds it.
//!
//! Playing:
//! [`engine`] the process's one; [`instance`] a plugin's place with it; `scheduler`, `client`, `work_queue`, `worker` between the
//! audio threads and the decoders; `note_cache` notes that voices share, `stream_table` those that are one voice's, `look_ahead`
//! those that may come next, `job` what is rendered of either, [`pace`] whether a model is fast enough to be played as it renders,
//! `render_plan` in which order the notes of one that is not are rendered ahead, `audio_loop` where those are looped,
//! `note_store` the disk that keeps them, `note_file` as what, `urgency` when it goes before other threads; [`note_render`] the path by which every note is rendered,
//! `blended_note` what sounds in it, `voicing` which layers of its sounds, `note_reading`, `playhead`, `heat` what its decoder is told at each frame;
//! [`patience`] waiting, offline only; [`status`] what the window shows.
//!
//! Offline:
//! [`midi_file`], [`automation_curve`], [`parameter`] what is played; [`bounce`] the playing; [`wav`] the file; [`pack`] samples for other
//! instruments. Everything that is written is a [`whole_file`].

pub mod arithmetic;
pub mod audio_file;
mod audio_loop;
pub mod automation_curve;
mod blended_note;
pub mod bounce;
mod client;
mod command_queue;
pub mod credits;
pub mod decoder;
pub mod embedding;
pub mod encode;
pub mod encoder;
pub mod engine;
mod heat;
pub mod import;
pub mod instance;
mod job;
pub mod library;
mod loaded_model;
mod look_ahead;
pub mod midi_file;
pub mod model;
pub mod multisample;
mod note_cache;
mod note_file;
mod note_reading;
pub mod note_render;
pub mod note_store;
pub mod pace;
pub mod pack;
pub mod parameter;
pub mod patch;
pub mod patience;
pub mod pitch_detect;
mod playhead;
pub mod preset;
pub mod quality;
pub mod recorded_note;
mod render_plan;
pub mod resources;
pub mod runtime;
mod scheduler;
pub mod sound;
pub mod status;
mod stream_table;
pub mod sustain_loop;
pub mod tuning;
mod urgency;
mod voicing;
pub mod wav;
pub mod whole_file;
mod work_queue;
mod worker;
