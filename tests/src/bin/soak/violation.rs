//! A broken promise, to see that the sanitizer is awake: it must end a process whose audio thread allocates.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use betwixt_audio::event::NoteEnd;

/// What RealtimeSanitizer's report begins with.
const REPORT: &str = "RealtimeSanitizer";

/// Runs this program with an allocation in a process of its own, which must not survive it.
pub fn show_that_one_is_caught() -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--violate", "--seconds", "3"])
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success(),
        "an allocation inside process was not caught: the sanitizer sleeps"
    );
    ensure!(
        told.contains(REPORT),
        "the soak with an allocation ended without a report ({}):\n{told}",
        output.status
    );
    let line = told
        .lines()
        .find(|line| line.contains(REPORT))
        .unwrap_or_default();
    println!("an allocation inside process is caught: {line}");
    Ok(())
}

/// What no callback of the audio thread may do.
pub fn allocate(end: NoteEnd) {
    static KEPT: AtomicU64 = AtomicU64::new(0);
    let memory = std::hint::black_box(vec![end.offset_samples; 64]);
    KEPT.fetch_add(memory.len() as u64, Ordering::Relaxed);
}
