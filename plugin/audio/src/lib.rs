//! The audio thread's half of Betwixt.
