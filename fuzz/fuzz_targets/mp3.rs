//! `cargo +nightly fuzz run mp3`: whatever the packets of an MP3 hold gives finite samples or an error. They are given their
//! headers and their length, or they would be passed over.
#![no_main]

use betwixt_fuzz::read_recording;
use libfuzzer_sys::fuzz_target;

/// A packet of 64 kbit/s at 44.1 kHz.
const PACKET_BYTES: usize = 208;

fuzz_target!(|input: (u8, Vec<&[u8]>)| {
    let (channels, packets) = input;
    let mut bytes = Vec::new();
    for packet in packets {
        let start = bytes.len();
        bytes.extend([0xff, 0xfb, 0x50, channels]);
        bytes.extend(packet);
        bytes.resize(start + PACKET_BYTES, 0);
    }
    read_recording(bytes);
});
