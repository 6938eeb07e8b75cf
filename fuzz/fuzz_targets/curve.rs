//! `cargo +nightly fuzz run curve`: a curve stays within the range of its points.
#![no_main]

use betwixt_engine::automation_curve::AutomationCurve;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(curve) = AutomationCurve::from_bytes(bytes) {
        let (low, high) = curve.range();
        for seconds in [-1.0, 0.0, 0.5, 3600.0] {
            assert!((low..=high).contains(&curve.value_at(seconds)));
        }
    }
});
