//! `scan PLUGIN.clap`: what a DAW's scanner does in a process of its own: load the file, read what is in it, let it
//! go. Prints the microseconds that took.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use betwixt_tests::plugin::Plugin;

fn main() -> Result<()> {
    let clap = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .context("usage: scan PLUGIN.clap")?;
    let started = Instant::now();
    drop(Plugin::load(&clap)?);
    println!("{}", started.elapsed().as_micros());
    Ok(())
}
