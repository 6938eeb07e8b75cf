//! `cargo +nightly fuzz run ogg`: whatever the packets of an OGG hold gives finite samples or an error. They are put into pages
//! whose checksums are right, or nothing would come to the decoder.
#![no_main]

use betwixt_fuzz::{crc, read_recording};
use libfuzzer_sys::fuzz_target;

/// The longest packet that fills less than a page of one.
const MAX_PACKET_BYTES: usize = 250 * 255;

fuzz_target!(|input: (Option<(u8, u8)>, Vec<(u16, &[u8])>)| {
    let (stream, packets) = input;
    let mut pages: Vec<(u64, Vec<u8>)> = Vec::new();
    if let Some((channels, block_sizes)) = stream {
        let mut head = b"\x01vorbis\0\0\0\0".to_vec();
        head.push(channels);
        head.extend(44_100_u32.to_le_bytes());
        head.extend([0; 12]);
        head.extend([block_sizes, 1]);
        pages.push((0, head));
        let mut comment = b"\x03vorbis".to_vec();
        comment.extend([0; 8]);
        comment.push(1);
        pages.push((0, comment));
    }
    pages.extend(
        packets
            .iter()
            .map(|(time, packet)| (u64::from(*time), packet.to_vec())),
    );
    let count = pages.len();
    let mut bytes = Vec::new();
    for (number, (time, mut packet)) in pages.into_iter().enumerate() {
        packet.truncate(MAX_PACKET_BYTES);
        let is_last = number + 1 == count;
        let mut page = b"OggS\0".to_vec();
        page.push(2 * u8::from(number == 0) + 4 * u8::from(is_last));
        page.extend(time.to_le_bytes());
        page.extend(7_u32.to_le_bytes());
        page.extend((number as u32).to_le_bytes());
        page.extend([0; 4]);
        page.push((packet.len() / 255 + 1) as u8);
        page.extend(vec![255; packet.len() / 255]);
        page.push((packet.len() % 255) as u8);
        page.extend(packet);
        let sum = crc(&page, 32, 0x04c1_1db7);
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        bytes.extend(page);
    }
    read_recording(bytes);
});
