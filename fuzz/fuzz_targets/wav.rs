//! `cargo +nightly fuzz run wav`: whatever a WAV holds gives finite samples or an error.
#![no_main]

use betwixt_fuzz::read_recording;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| read_recording(bytes.to_vec()));
