//! `cargo +nightly fuzz run wav`: whatever a recording holds gives finite samples or an error.
#![no_main]

use std::io::Cursor;
use std::path::Path;

use betwixt_engine::audio_file::read_from;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = read_from(Box::new(Cursor::new(bytes.to_vec())), Path::new("fuzz.wav"), 48_000) {
        assert!(recording.samples.iter().all(|sample| sample.is_finite()));
    }
});
