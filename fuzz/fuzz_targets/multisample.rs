//! `cargo +nightly fuzz run multisample`: a `multisample.xml` gives zones of the keyboard or an error of one line.
#![no_main]

use betwixt_engine::multisample::bitwig::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text, "multisample.xml") {
        Ok(mapping) => {
            for zone in mapping.zones {
                assert!(zone.keys.0 <= zone.keys.1 && zone.keys.1 <= 127 && zone.root <= 127);
                assert!((1..=127).contains(&zone.struck_velocity()) && zone.tuning.is_finite());
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
