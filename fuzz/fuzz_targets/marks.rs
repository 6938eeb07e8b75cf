//! `cargo +nightly fuzz run marks`: whatever is read as `library.toml` is written as it was read.
#![no_main]

use betwixt_engine::library::marks::Marks;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(marks) = Marks::from_bytes(bytes) {
        assert_eq!(Marks::from_bytes(marks.to_toml().as_bytes()).as_ref(), Ok(&marks));
    }
});
