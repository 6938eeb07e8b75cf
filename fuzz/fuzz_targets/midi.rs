//! `cargo +nightly fuzz run midi`: a MIDI file is refused or read, and its events come in order of time.
#![no_main]

use betwixt_engine::midi_file::MidiFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(midi) = MidiFile::from_bytes(bytes) {
        assert!(midi.events.is_sorted_by(|a, b| a.seconds <= b.seconds));
    }
});
