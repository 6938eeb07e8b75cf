//! What the targets have in common.

use std::backtrace::Backtrace;
use std::io::Cursor;
use std::panic::{set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use betwixt_engine::audio_file::{Part, read_from};

/// Whatever a recording holds gives samples that are numbers, or an error in one line.
///
/// # Panics
/// If it does not.
pub fn read_recording(bytes: Vec<u8>) {
    let_symphonia_panic();
    match read_from(
        Box::new(Cursor::new(bytes)),
        Path::new("fuzz"),
        48_000,
        Part::default(),
    ) {
        Ok(recording) => assert!(recording.samples.iter().all(|sample| sample.is_finite())),
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
}

/// libFuzzer ends at every panic. Symphonia's own are caught where recordings are read, and the file is refused: they pass. One that
/// comes out of the target ends it all the same.
fn let_symphonia_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ends = take_hook();
        set_hook(Box::new(move |panic| {
            let trace = Backtrace::force_capture().to_string();
            // What Betwixt called last is the innermost of its frames.
            let (called, _) = trace.split_once("betwixt_engine::").unwrap_or((&trace, ""));
            if !called.contains("symphonia") {
                ends(panic);
            }
        }));
    });
}

/// The remainder that a format keeps with its bytes, highest bit first.
pub fn crc(bytes: &[u8], bits: u32, polynomial: u32) -> u32 {
    let top = 1 << (bits - 1);
    let mask = u32::MAX >> (32 - bits);
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << (bits - 8)), |crc, _| {
            mask & if crc & top == 0 {
                crc << 1
            } else {
                (crc << 1) ^ polynomial
            }
        })
    })
}
