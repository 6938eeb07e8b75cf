//! `cargo +nightly fuzz run nsynth`: an `examples.json` gives instruments or an error of one line, and names that stay in `audio`.
#![no_main]

use betwixt_engine::multisample::nsynth::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes, "examples.json") {
        Ok(mappings) => {
            for zone in mappings.into_iter().flat_map(|mapping| mapping.zones) {
                let name = zone.sample.strip_prefix("audio/").expect("notes lie in `audio`");
                assert!(!name.contains(['/', '\\']) && !name.starts_with('.'));
                assert!(zone.root <= 127 && (1..=127).contains(&zone.struck_velocity()));
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
