//! The built CLAP plugin in a host: what a producer relies on, measured on what comes out.
//!
//! Each test runs in a process of its own and loads `target/bundled` (or `BETWIXT_BUNDLE`) as a user has it.

mod blend;
mod determinism;
mod instances;
mod live;
mod missing;
mod moving_blend;
mod note_ends;
mod pitch;
mod scan;
mod single_notes;
#[cfg(unix)]
mod slow_model;
mod stage;
mod state;
mod surface;
mod timing;
