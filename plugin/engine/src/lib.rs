//! Models, encoding, rendering: never on the audio thread.

pub mod decoder;
