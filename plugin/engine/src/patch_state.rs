//! A patch as bytes, for the project's state: the sounds themselves, so that a project opens on another machine
//! without the files they came from.
//!
//! `BETWIXT PATCH\n`, version (u32), then for each corner the length (u32, 0 for an empty corner) and the bytes of its
//! `.sound`, and the CRC-32 of all before it; numbers are little-endian. The same patch gives the same bytes. Bytes
//! are read and checked whole before anything of them is used. Main thread.

use std::sync::Arc;

use crate::patch::{CORNER_NAMES, Patch};
use crate::sound::{Sound, SoundContentError};

/// The version that is written. Older ones are read, newer ones refused.
pub const PATCH_STATE_VERSION: u32 = 1;

const MAGIC: &[u8] = b"BETWIXT PATCH\n";

/// Why a state holds no patch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchStateError {
    /// Other bytes altogether.
    #[error("the state holds no patch of Betwixt's")]
    NotAPatch,
    /// From a newer Betwixt.
    #[error("the patch is of version {found}; this Betwixt reads up to {PATCH_STATE_VERSION}")]
    Future {
        /// Its version.
        found: u32,
    },
    /// Cut off, or changed on its way.
    #[error("the patch is damaged: {reason}")]
    Damaged {
        /// What was found.
        reason: &'static str,
    },
    /// One of the sounds is no sound.
    #[error("the sound in corner {corner} {source}")]
    Sound {
        /// The corner's name.
        corner: &'static str,
        /// What is wrong with it.
        source: SoundContentError,
    },
}

/// The bytes of a patch.
pub fn write(patch: &Patch) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(PATCH_STATE_VERSION.to_le_bytes());
    for sound in patch.corners() {
        let sound = sound.as_ref().map(|sound| sound.to_bytes()).unwrap_or_default();
        bytes.extend((sound.len() as u32).to_le_bytes());
        bytes.extend(sound);
    }
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Reads the bytes of a patch: all of them, and nothing after.
///
/// # Errors
/// If they are no patch, one of a newer version, damaged, or hold a sound that is none.
pub fn read(bytes: &[u8]) -> Result<Patch, PatchStateError> {
    let damaged = |reason| PatchStateError::Damaged { reason };
    let rest = bytes.strip_prefix(MAGIC).ok_or(PatchStateError::NotAPatch)?;
    let (version, _) = split_u32(rest).ok_or(damaged("it ends in its first bytes"))?;
    if version > PATCH_STATE_VERSION {
        return Err(PatchStateError::Future { found: version });
    }
    let (checked, checksum) = bytes.split_last_chunk().ok_or(damaged("it ends in its first bytes"))?;
    if crc32fast::hash(checked) != u32::from_le_bytes(*checksum) {
        return Err(damaged("its checksum does not fit, so it was cut off or changed"));
    }
    let mut rest = checked.get(MAGIC.len() + 4..).ok_or(damaged("it ends in its first bytes"))?;
    let mut corners = [None, None, None, None];
    for (place, corner) in corners.iter_mut().zip(CORNER_NAMES) {
        let (length, after) = split_u32(rest).ok_or(damaged("a corner is missing"))?;
        let (sound, after) = after.split_at_checked(length as usize).ok_or(damaged("a sound is cut off"))?;
        rest = after;
        if !sound.is_empty() {
            let sound = Sound::from_bytes(sound).map_err(|source| PatchStateError::Sound { corner, source })?;
            *place = Some(Arc::new(sound));
        }
    }
    if rest.is_empty() { Ok(Patch::new(corners)) } else { Err(damaged("more follows the last corner")) }
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*first), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::Embedding;
    use proptest::prelude::*;

    fn patch() -> Patch {
        let sound = |name: &str, frames: usize| {
            Some(Arc::new(Sound {
                name: name.into(),
                family: "test".into(),
                tags: vec!["soft".into()],
                licence: "MIT".into(),
                source: String::new(),
                model: "spectral 1".into(),
                pitch: 60.0,
                gain_db: -2.0,
                loop_region: None,
                embedding: Embedding::new(4, (0..frames * 4).map(|i| (i as f32).sin()).collect()).unwrap(),
            }))
        };
        Patch::new([sound("flute", 12), None, sound("bell \u{266f}", 3), sound("bass", 7)])
    }

    /// The bytes with a checksum that fits again.
    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.truncate(bytes.len().saturating_sub(4));
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn a_patch_comes_back_as_it_was_and_always_as_the_same_bytes() {
        let bytes = write(&patch());
        let again = read(&bytes).unwrap();
        assert_eq!(again, patch());
        assert_eq!(again.id(), patch().id());
        assert_eq!(write(&again), bytes);
        assert_eq!(read(&write(&Patch::default())).unwrap(), Patch::default());
    }

    #[test]
    fn a_patch_of_a_newer_version_is_refused() {
        let mut bytes = write(&patch());
        bytes[MAGIC.len()] = 9;
        assert_eq!(read(&resealed(bytes)), Err(PatchStateError::Future { found: 9 }));
    }

    #[test]
    fn a_damaged_sound_is_named_by_its_corner() {
        let mut bytes = write(&patch());
        bytes[MAGIC.len() + 8] ^= 1;
        let message = read(&resealed(bytes)).unwrap_err().to_string();
        assert_eq!(message, "the sound in corner A is no sound of Betwixt's");
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = write(&patch());
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(place in any::<prop::sample::Index>(), change in 1_u8..=255) {
            let mut bytes = write(&patch());
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn a_changed_byte_under_a_fitting_checksum_never_panics(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = write(&patch());
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let _ = read(&resealed(bytes));
        }

        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..500), with_magic in any::<bool>()) {
            let bytes = if with_magic { [MAGIC, &bytes].concat() } else { bytes };
            prop_assert!(read(&bytes).is_err());
        }
    }
}
