//! The file of a whole note: a WAV of 32-bit floats that any program can play, with a checksum and its loop in a chunk of
//! Betwixt's own.
//!
//! Disk thread. Every bit of the samples is kept; a file that is cut short or changed is told from a whole one.

use betwixt_audio::note_loop::NoteLoop;

/// The name of Betwixt's chunk. Programs skip what they do not know.
const OWN_CHUNK: &[u8; 4] = b"btwx";
const OWN_VERSION: u32 = 1;
/// Bytes of it: version, checksum, start, end and fade of the loop, likeness of its ends.
const OWN_BYTES: usize = 24;
/// RIFF header, format, own chunk and the head of the data.
const HEAD_BYTES: usize = 12 + 24 + 8 + OWN_BYTES + 8;
/// 32-bit floating point.
const FORMAT_FLOAT: u16 = 3;

/// A whole note.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NoteFile {
    /// Its rate.
    pub sample_rate_hz: u32,
    /// Where it is looped.
    pub looped: Option<NoteLoop>,
    /// Its samples.
    pub samples: Vec<f32>,
}

impl NoteFile {
    /// The bytes of the file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let data_bytes = 4 * self.samples.len() as u32;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + data_bytes as usize);
        bytes.extend(b"RIFF");
        bytes.extend((HEAD_BYTES as u32 - 8 + data_bytes).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend(16_u32.to_le_bytes());
        bytes.extend(FORMAT_FLOAT.to_le_bytes());
        bytes.extend(1_u16.to_le_bytes());
        bytes.extend(self.sample_rate_hz.to_le_bytes());
        bytes.extend((4 * self.sample_rate_hz).to_le_bytes());
        bytes.extend(4_u16.to_le_bytes());
        bytes.extend(32_u16.to_le_bytes());
        bytes.extend(OWN_CHUNK);
        bytes.extend((OWN_BYTES as u32).to_le_bytes());
        bytes.extend(OWN_VERSION.to_le_bytes());
        let checksum_at = bytes.len();
        bytes.extend(0_u32.to_le_bytes());
        let looped = self.looped.map_or([0; 4], |looped| {
            let place = |sample: usize| sample as u32;
            [
                place(looped.start_sample()),
                place(looped.end_sample()),
                place(looped.fade_samples()),
                looped.likeness().to_bits(),
            ]
        });
        bytes.extend(looped.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(b"data");
        bytes.extend(data_bytes.to_le_bytes());
        bytes.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let checksum = crc32fast::hash(&bytes);
        bytes[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The note of a file; none if it is no whole one.
    pub(crate) fn from_bytes(mut bytes: Vec<u8>) -> Option<Self> {
        let checksum_at = 12 + 24 + 8 + 4;
        let checksum = u32_at(&bytes, checksum_at)?;
        bytes.get_mut(checksum_at..checksum_at + 4)?.fill(0);
        let is_whole = crc32fast::hash(&bytes) == checksum && bytes.len() >= HEAD_BYTES;
        if !is_whole || u32_at(&bytes, checksum_at - 4)? != OWN_VERSION {
            return None;
        }
        let own = |index: usize| u32_at(&bytes, checksum_at + 4 + 4 * index);
        let (start, end, fade) = (own(0)? as usize, own(1)? as usize, own(2)? as usize);
        let samples: Vec<f32> = bytes[HEAD_BYTES..]
            .as_chunks()
            .0
            .iter()
            .map(|sample| f32::from_le_bytes(*sample))
            .collect();
        Some(Self {
            sample_rate_hz: u32_at(&bytes, 24)?,
            looped: NoteLoop::new(start, end, fade, f32::from_bits(own(3)?)),
            samples,
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(samples: Vec<f32>, looped: Option<NoteLoop>) -> NoteFile {
        NoteFile {
            sample_rate_hz: 16_000,
            looped,
            samples,
        }
    }

    #[test]
    fn any_program_reads_the_samples_bit_by_bit() {
        let samples: Vec<f32> = (0..999).map(|i| (i as f32 * 0.1).sin() * 1.5).collect();
        let bytes = file(samples.clone(), NoteLoop::new(100, 900, 50, 0.5)).to_bytes();
        let mut reader = hound::WavReader::new(bytes.as_slice()).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (16_000, 1));
        let read: Vec<f32> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(read, samples);
    }

    proptest! {
        #[test]
        fn a_note_comes_back_as_it_was(
            samples in proptest::collection::vec(-2.0_f32..2.0, 0..300), start in 0_usize..200, fade in 0_usize..50,
        ) {
            let note = file(samples, NoteLoop::new(start, start + 100, fade, 0.25));
            prop_assert_eq!(NoteFile::from_bytes(note.to_bytes()), Some(note));
        }

        #[test]
        fn a_changed_or_truncated_file_is_no_note(cut in 0_usize..500, place in 0_usize..500, bit in 0_u8..8) {
            let bytes = file((0..107).map(|i| i as f32).collect(), None).to_bytes();
            prop_assert!(bytes.len() >= 500);
            prop_assert_eq!(NoteFile::from_bytes(bytes[..cut].to_vec()), None);
            let mut changed = bytes;
            changed[place] ^= 1 << bit;
            prop_assert_eq!(NoteFile::from_bytes(changed), None);
        }

        #[test]
        fn garbage_is_no_note(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(NoteFile::from_bytes(bytes), None);
        }
    }
}
