//! `cargo +nightly fuzz run aiff`: whatever chunks an AIFF or AIFC holds give finite samples or an error.
#![no_main]

use betwixt_fuzz::read_recording;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (is_compressed, chunks) = input;
    let mut bytes = b"FORM".to_vec();
    bytes.extend((4 + chunks.len() as u32).to_be_bytes());
    bytes.extend(if is_compressed { b"AIFC" } else { b"AIFF" });
    bytes.extend(chunks);
    read_recording(bytes);
});
