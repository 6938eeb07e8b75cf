//! `cargo +nightly fuzz run sound`: whatever is read as a sound is written as it was read.
#![no_main]

use betwixt_engine::sound::Sound;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(sound) = Sound::from_bytes(bytes) {
        assert_eq!(Sound::from_bytes(&sound.to_bytes()).as_ref(), Ok(&sound));
    }
});
