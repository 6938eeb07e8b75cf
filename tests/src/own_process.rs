//! A test in a process of its own: what a plugin leaves in its process (the ONNX Runtime
//! environment, worker threads, the note cache, memory) then never reaches the next test, and the
//! plugin finds its resources as it would in a DAW, without this checkout's environment variables.

use std::fs::File;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Tells a child process which test it was started for.
const TEST: &str = "BETWIXT_TESTS_OWN_PROCESS";
/// The child's last line: without it no body ran, and a test that did not run must not pass.
const RAN: &str = "the body ran to its end";
/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// Runs `body` in a new process, and fails if it fails. To be called from a `#[test]`, with all of
/// the test in the closure.
///
/// # Panics
///
/// If the body panics, its process crashes or exits early, or it takes longer than three minutes;
/// what it printed is shown.
pub fn in_own_process<F: FnOnce()>(body: F) {
    let test = test_path::<F>();
    if std::env::var(TEST).is_ok_and(|started_for| started_for == test) {
        body();
        println!("{RAN}");
        return;
    }
    let log = tempfile::NamedTempFile::new().expect("a temporary file for the test's output");
    let output = |file: &File| file.try_clone().expect("the output file, a second time");
    let mut child = Command::new(std::env::current_exe().expect("the test program's own path"))
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(TEST, test)
        .env_remove("BETWIXT_RESOURCES")
        .stdout(output(log.as_file()))
        .stderr(output(log.as_file()))
        .spawn()
        .expect("the test program starts a second time");
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child process can be waited for") {
            break Some(status);
        }
        if started.elapsed() > LIMIT {
            child.kill().expect("a hanging child can be ended");
            break None;
        }
        thread::sleep(Duration::from_millis(10));
    };
    let printed = String::from_utf8_lossy(&std::fs::read(log.path()).expect("the output file")).into_owned();
    println!("{printed}");
    match status {
        None => panic!("{test} took longer than {} s and was ended", LIMIT.as_secs()),
        Some(status) => assert!(
            status.success() && printed.contains(RAN),
            "{test} failed in its own process ({status}); what it printed stands above"
        ),
    }
}

/// The test's path as the test program's command line wants it, from the type name of its closure:
/// `clap::pitch::every_key_is_in_tune::{{closure}}` names `pitch::every_key_is_in_tune`.
fn test_path<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    let name = name.strip_suffix("::{{closure}}").unwrap_or(name);
    name.split_once("::").map_or(name, |(_crate, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_runs_in_another_process() {
        let parent = std::env::var(TEST).is_err().then(std::process::id);
        in_own_process(|| assert!(parent.is_none(), "this ran in the test's own process"));
    }

    #[test]
    #[should_panic(expected = "failed in its own process")]
    fn a_failing_body_fails_the_test() {
        // The child's own panic would satisfy `should_panic` there: it leaves with an exit code instead.
        in_own_process(|| std::process::exit(3));
    }
}
