//! The command `betwixt`.
fn main() {}
