//! `cargo +nightly fuzz run preset`: whatever is read as a preset is written as it was read.
#![no_main]

use betwixt_engine::preset::Preset;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(preset) = Preset::from_bytes(bytes) {
        assert_eq!(Preset::from_bytes(preset.to_toml().as_bytes()).unwrap(), preset);
    }
});
