//! Betwixt as a plugin: what a host sees of the instrument. VST3 and CLAP, Audio Unit on macOS, standalone.
//!
//! # Threads
//! - *audio*: `process` in [`plugin`] and what it calls: [`note_events`], [`load_meter`], reading [`params`].
//! - *main*: everything else. A scan only reads the descriptor: no thread, file, model or ONNX Runtime.
//!
//! # Rooms
//! - [`plugin`] the life of an instance, and its `process`
//! - [`params`] the automated parameters; [`parameter_text`] how they are written and typed
//! - [`note_events`] a host's notes and MIDI as the instrument's events
//! - [`project`] what else an instance keeps; [`project_state`] its saved form, and what is refused
//! - [`remote_controls`] which parameters lie under a controller's knobs
//! - [`clap_entry`] the entry point that hosts load
//! - [`controls`] what the window is given of it
//! - [`vst3_block_mode`] whether a VST3 host lets a block take its time
//! - [`load_meter`] how much of real time playing takes
//! - [`status`] figures for hosts that test
#![cfg_attr(rtsan, feature(sanitize))]

pub mod clap_entry;
mod controls;
mod load_meter;
mod note_events;
mod parameter_text;
pub mod params;
pub mod plugin;
pub mod project;
pub mod project_state;
mod remote_controls;
pub mod status;
mod vst3_block_mode;

pub use plugin::Betwixt;

clap_wrapper::export_vst3!();
#[cfg(target_os = "macos")]
clap_wrapper::export_auv2!();
