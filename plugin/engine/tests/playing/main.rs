//! The engine with real parts: ONNX Runtime, the shipped model, factory sounds, and the voices that the plugin plays with.

mod ahead;
mod embedded;
mod held;
mod notes;
mod stage;
