//! Processor time, in nanoseconds: of one thread, and of all. Other programs on the machine hardly count in it.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time that this thread spent on a processor; where the system does not tell, time that passed.
pub fn thread_time() -> Duration {
    nanoseconds("/proc/thread-self/schedstat").unwrap_or_else(|| {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        BEGAN.get_or_init(Instant::now).elapsed()
    })
}

/// Time that the process's threads spent on a processor, those that live.
pub fn process_time() -> Option<Duration> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let times = threads.filter_map(|thread| {
        let file = thread.ok()?.path().join("schedstat");
        nanoseconds(file.to_str()?)
    });
    Some(times.sum())
}

fn nanoseconds(file: &str) -> Option<Duration> {
    let text = fs::read_to_string(file).ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}
