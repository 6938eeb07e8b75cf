//! The instrument, played through its public ends: real rings, real rendered notes, real synthesis, and a small
//! scheduler in place of the engine's.

mod cells;
mod no_allocation;
mod notes;
mod offline;
mod properties;
mod single_notes;
mod storm;
mod streams;
mod workshop;
