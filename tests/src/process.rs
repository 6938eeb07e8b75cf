//! This process's memory, processor time, threads and mapped files, from `/proc` (Linux only: the
//! tests that measure are Linux's).

use std::fs;

use anyhow::{Context, Result};

/// A field of `/proc/self/status` in kilobytes or plain units, e.g. `VmRSS`.
fn status_field(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .with_context(|| format!("/proc/self/status has no field {name}"))?;
    let number = line.split_whitespace().next().unwrap_or_default();
    number
        .parse()
        .with_context(|| format!("/proc/self/status: {name} is not a number: {line:?}"))
}

/// Memory of this process that is in RAM now, in bytes.
///
/// # Errors
///
/// Without a `/proc`.
pub fn resident_bytes() -> Result<u64> {
    Ok(status_field("VmRSS")? * 1024)
}

/// The most that [`resident_bytes`] has been, in bytes.
///
/// # Errors
///
/// Without a `/proc`.
pub fn peak_resident_bytes() -> Result<u64> {
    Ok(status_field("VmHWM")? * 1024)
}

/// Threads of this process.
///
/// # Errors
///
/// Without a `/proc`.
pub fn threads() -> Result<u64> {
    status_field("Threads")
}

/// Names of this process's threads, cut to 15 letters by the system.
///
/// # Errors
///
/// Without a `/proc`.
pub fn thread_names() -> Result<Vec<String>> {
    let tasks = fs::read_dir("/proc/self/task").context("reading /proc/self/task")?;
    // A thread may end between being listed and being asked.
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    Ok(tasks
        .filter_map(|task| name(task.ok()?))
        .map(|name| name.trim_end().to_owned())
        .collect())
}

/// Processor time this process has used, all its threads together, in seconds (to 10 ms).
///
/// # Errors
///
/// Without a `/proc`.
pub fn cpu_seconds() -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    // The second field, the program's name, may hold spaces; counting starts behind its bracket.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("/proc/self/stat has no program name")?;
    let ticks = |index: usize| -> Result<f64> {
        let field = fields
            .split_whitespace()
            .nth(index)
            .context("/proc/self/stat is short")?;
        field
            .parse()
            .with_context(|| format!("/proc/self/stat: not a number: {field:?}"))
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Whether a file whose name contains `name` is mapped into this process.
///
/// # Errors
///
/// Without a `/proc`.
pub fn has_mapped(name: &str) -> Result<bool> {
    let maps = fs::read_to_string("/proc/self/maps").context("reading /proc/self/maps")?;
    Ok(maps.lines().any(|line| line.contains(name)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_touched_is_counted() {
        let before = resident_bytes().unwrap();
        let memory = std::hint::black_box(vec![1_u8; 64 << 20]);
        let grown = resident_bytes().unwrap() - before;
        assert!(grown > 60 << 20, "64 MiB were touched, {grown} bytes counted");
        assert!(peak_resident_bytes().unwrap() >= before + grown);
        drop(memory);
    }

    #[test]
    fn working_costs_processor_time() {
        let start = cpu_seconds().unwrap();
        let mut sum = 0.0_f64;
        while cpu_seconds().unwrap() < start + 0.05 {
            sum += (0..100_000).map(f64::from).map(f64::sin).sum::<f64>();
        }
        assert!(sum.is_finite());
    }

    #[test]
    fn the_program_itself_is_mapped() {
        let own = std::env::current_exe().unwrap();
        assert!(has_mapped(own.file_name().unwrap().to_str().unwrap()).unwrap());
        assert!(!has_mapped("no such library").unwrap());
        assert!(threads().unwrap() >= 1);
    }
}
