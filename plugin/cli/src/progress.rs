//! Progress on standard error: a bar where the length is known, a spinner where it is not. Neither is shown
//! where standard error is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

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

/// A spinner.
pub fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
