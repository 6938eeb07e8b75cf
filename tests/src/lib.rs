//! Hosts that load the built plugin.
