//! `cargo +nightly fuzz run state`: a project's state is refused or taken, and never panics.
#![no_main]

use betwixt::project_state::check_saved_state;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check_saved_state(bytes);
});
