//! `cargo +nightly fuzz run flac`: whatever the blocks of a FLAC hold gives finite samples or an error. Its checksums are put right,
//! or nothing would come to the decoder.
#![no_main]

use betwixt_fuzz::{crc, read_recording};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, u8, u8, Vec<&[u8]>)| {
    let (packed, coding, sizes, blocks) = input;
    let mut bytes = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
    bytes.extend(packed.to_be_bytes());
    bytes.extend([0; 16]);
    for (number, block) in blocks.iter().enumerate().take(128) {
        let mut frame = vec![0xff, 0xf8, coding, sizes, number as u8];
        frame.push(crc(&frame, 8, 0x07) as u8);
        frame.extend(*block);
        frame.extend((crc(&frame, 16, 0x8005) as u16).to_be_bytes());
        bytes.extend(frame);
    }
    read_recording(bytes);
});
