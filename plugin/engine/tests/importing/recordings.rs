//! Notes of [`tone`](crate::tone) that other programs packed: the formats that have no writer in `container`.
//!
//! They were made once from what `write_tones` writes, by `flac`, `lame` and `oggenc` with what stands beside each.

/// A packed note.
#[derive(Debug, Clone, Copy)]
pub struct PackedNote {
    pub extension: &'static str,
    pub midi: f64,
    pub bytes: &'static [u8],
}

macro_rules! packed {
    ($name:literal, $extension:literal, $midi:literal) => {
        PackedNote {
            extension: $extension,
            midi: $midi,
            bytes: include_bytes!(concat!("../recordings/", $name, ".", $extension)),
        }
    };
}

/// All of them.
pub const RECORDINGS: [PackedNote; 10] = [
    // flac -8
    packed!("saw_41.30", "flac", 41.3),
    packed!("plucked_64.20", "flac", 64.2),
    // lame -b 64
    packed!("saw_41.30", "mp3", 41.3),
    packed!("organ_57.90", "mp3", 57.9),
    packed!("plucked_64.20", "mp3", 64.2),
    packed!("hollow_88.70", "mp3", 88.7),
    // oggenc -q 1
    packed!("saw_41.30", "ogg", 41.3),
    packed!("organ_57.90", "ogg", 57.9),
    packed!("plucked_64.20", "ogg", 64.2),
    packed!("hollow_88.70", "ogg", 88.7),
];
