//! The built plugin, seen from outside: a small CLAP host on clack-host, a score to play to it, and
//! the measuring instruments that say whether what came back is right.
//!
//! Only the file that `cargo xtask bundle` made is loaded, as a DAW loads it. Rooms:
//!
//! - [`bundle`]: where the built plugin lies, and copies of it with parts missing
//! - [`plugin`], [`instance`]: loading it, making instances, parameters, state, activation, blocks
//! - [`surface`]: what it says of itself: texts, pages of a controller, dialects, voices
//! - [`score`]: notes and automation on a time line
//! - [`recording`]: playing a score, as fast as it goes or at the pace of a sound card
//! - [`saved_state`]: a state taken apart, to put chosen sounds into the corners or to break it
//! - [`spectrum`]: pitch to a fraction of a cent, distance between two timbres
//! - [`process`]: memory, threads, processor time and mapped files of this process
//! - [`factory`]: the factory's sounds, for programs that drive the engine itself
//! - [`audio_priority`]: the priority of a host's audio thread, for programs that play live
//! - [`own_process`]: running a test in a process of its own

pub mod audio_priority;
pub mod bundle;
pub mod factory;
pub mod instance;
pub mod own_process;
pub mod plugin;
pub mod process;
pub mod recording;
pub mod saved_state;
pub mod score;
pub mod spectrum;
pub mod surface;
