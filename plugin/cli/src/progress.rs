//! Progress on standard error: a bar where the length is known, a spinner where it is not. Neither is shown
//! where standard error is no terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a job is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A bar of `length` steps.
pub fn bar(length: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<10} {bar:40} {percent:>3} %  {elapsed}")
        .expect("the template is a constant");
    ProgressBar::new(length).with_style(style).with_message(what)
}

/// A bar of `length` steps whose prefix says how long it still takes.
pub fn bar_to_go(length: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<10} {bar:40} {pos}/{len}  {elapsed}  {prefix}")
        .expect("the template is a constant");
    ProgressBar::new(length).with_style(style).with_message(what)
}

/// How long it still takes, for the prefix of [`bar_to_go`]; empty if that is not known.
pub fn to_go(seconds: Option<f64>) -> String {
    seconds.map_or_else(String::new, |seconds| {
        let seconds = seconds.ceil() as u64;
        format!("{}:{:02} to go", seconds / 60, seconds % 60)
    })
}

/// How far a job is, as a bar shows it.
#[derive(Debug)]
pub struct Step {
    /// What is done.
    pub done: usize,
    /// What there is to do.
    pub total: usize,
    /// What it is at.
    pub stage: &'static str,
    /// What the bar's prefix says.
    pub prefix: String,
}

/// Shows a job on a bar that begins with `stage` until `look` gives no more steps; every time that Ctrl-C is found to have been pressed,
/// it is called off with `cancel`.
pub fn follow(
    stage: &'static str,
    interrupted: &AtomicBool,
    mut look: impl FnMut() -> Option<Step>,
    cancel: impl Fn(),
) {
    let bar = bar_to_go(0, stage);
    while let Some(step) = look() {
        if interrupted.load(Ordering::Relaxed) {
            cancel();
        }
        bar.set_length(step.total as u64);
        bar.set_position(step.done as u64);
        bar.set_message(step.stage);
        bar.set_prefix(step.prefix);
        std::thread::sleep(LOOK);
    }
    bar.finish_and_clear();
}

/// A spinner.
pub fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
