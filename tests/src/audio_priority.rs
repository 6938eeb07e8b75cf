//! The priority that hosts give their audio threads, where this user may give it (Linux: root, or `rtprio` in
//! `limits.conf`). Without it a busy machine is late with blocks, and the instrument is blamed.

use std::process::{Command, Stdio};

/// Puts the calling thread before all ordinary ones; threads that it starts are ordinary. False where that is not granted.
pub fn take() -> bool {
    chrt(&["--fifo", "--reset-on-fork"], "20")
}

/// Makes the calling thread an ordinary one again.
pub fn give_back() -> bool {
    chrt(&["--other"], "0")
}

fn chrt(policy: &[&str], priority: &str) -> bool {
    // The link names the thread: `PID/task/TID`.
    let Ok(this) = std::fs::read_link("/proc/thread-self") else {
        return false;
    };
    let Some(thread) = this.file_name() else {
        return false;
    };
    Command::new("chrt")
        .args(policy)
        .args(["--pid", priority])
        .arg(thread)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
