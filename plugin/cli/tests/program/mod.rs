//! The built program `betwixt`, run as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

/// A command line of the program in a folder.
pub fn betwixt(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_betwixt"));
    command.current_dir(folder).args(args);
    command
}

/// What came of it.
pub fn run(folder: &Path, args: &[&str]) -> Output {
    betwixt(folder, args).output().unwrap()
}

/// What it printed, when all went well.
pub fn ok(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{args:?}: {err}; `cargo xtask test` puts library and model in place"
    );
    out
}

/// The sentence that bad input gets.
pub fn refused(output: &Output) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(message.starts_with("error: "), "{message}");
    message
}
