//! Packs: a preset rendered into samples with a mapping, that any sampler opens.
//!
//! # Threads
//! [`PackJob::start`] returns at once. A thread of the job's loads the model, plans, and writes what goes around the samples; as
//! many more as were asked for render, each with a decoder of its own, one sample at a time. Whoever started it (the command
//! line, a window) looks at [`PackJob::progress`] whenever it likes, may [`cancel`](PackJob::cancel), and takes the outcome from
//! [`PackJob::join`], which waits, or does not wait once [`PackProgress::is_over`] says so. A dropped job is called off.
//!
//! # Promises
//! - A pack is a function of its recipe: no date, no path, no machine is in it, and shards merged are the pack itself, byte for
//!   byte, if machines of one kind rendered them (the kernels of ONNX Runtime and of the Fourier transforms differ between
//!   families of processors).
//! - It is there whole or not at all. Whoever is killed loses the samples that were being rendered and no others, and the same
//!   command goes on from there.
//!
//! # Rooms
//! [`options`] what is asked for; [`recipe`] all that a pack follows from; [`plan`] its samples; `render` one of them, `loudness`,
//! `sustain` its level and loop, `sample_file` its file; `folder` where it is made; `finish` with `sfz`, `decent_sampler`,
//! `bitwig_multisample`, `nsynth_dataset`, `licence` what goes around the samples; [`merge`](merge::merge) shards; [`job`] the work.

mod bitwig_multisample;
mod decent_sampler;
pub mod error;
mod finish;
mod folder;
pub mod job;
mod licence;
mod loudness;
pub mod merge;
mod nsynth_dataset;
pub mod options;
pub mod plan;
pub mod recipe;
pub mod render;
mod sample_file;
mod sfz;
mod sustain;

pub use job::{PackJob, PackOrder, PackProgress, PackReport};
