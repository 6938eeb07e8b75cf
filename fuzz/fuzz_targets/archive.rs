//! `cargo +nightly fuzz run archive`: whatever a `.multisample` or `.dslibrary` holds is unpacked within bounds or refused in one line.
#![no_main]

use betwixt_engine::multisample::open;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for suffix in [".multisample", ".dslibrary"] {
        let file = tempfile::NamedTempFile::with_suffix(suffix).expect("the disk has room");
        std::fs::write(file.path(), bytes).expect("the disk has room");
        if let Err(error) = open(file.path()) {
            assert!(!error.to_string().contains('\n'));
        }
    }
});
