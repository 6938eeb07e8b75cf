//! The driver `partials`: one graph run for many frames, then the synthesis kernel of the audio crate.
