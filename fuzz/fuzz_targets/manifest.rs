//! `cargo +nightly fuzz run manifest`: whatever a `model.toml` holds is read or refused in one line.
#![no_main]

use betwixt_engine::model::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Manifest::parse(text) {
        assert!(!error.to_string().contains('\n'));
    }
});
