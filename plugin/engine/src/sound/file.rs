//! A sound as the bytes of a `.sound` file, which a plugin's state carries too.
//!
//! Background threads. `BETWIXT SOUND\n`, version (u32), length of the header (u32), the header (JSON), the embedding (f32), and the
//! CRC-32 of all before it; numbers are little-endian. Of a sound with further layers the header names these, and they follow the
//! first. A file is of the oldest version that can say all: 1 without further layers; 2 where they differ from the first by their
//! pitch alone, as for models that take none; 3 where each has its own length, loop or velocity, as those of a multisample. Author and
//! recipe stand in the header where they are known: an older Betwixt passes over them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DEFAULT_VELOCITY, Layer, Sound};
use crate::credits::{Credits, MAX_INGREDIENTS};
use crate::embedding::{Embedding, LoopRegion};
use crate::whole_file;

/// The newest version. Older ones are read, and written where they can say all; newer ones are refused.
pub const SOUND_VERSION: u32 = 3;
/// The version of a sound that has one embedding.
const PLAIN_VERSION: u32 = 1;
/// The version of one whose layers differ by their pitch alone.
const PITCHED_VERSION: u32 = 2;
const MAGIC: &[u8] = b"BETWIXT SOUND\n";
const MAX_BYTES: u64 = 64 << 20;
const MAX_DIMS: usize = 1024;
/// As many as there are keys: a model's pitches are no more, and a multisample's are chosen from.
const MAX_FURTHER: usize = 128;
pub(crate) const MAX_TEXT_CHARS: usize = 4096;

/// Why a sound could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// The system refused.
    #[error("{}: cannot be {action}: {source}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// "read" or "written".
        action: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// The file is no sound.
    #[error("{}: {source}", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: SoundContentError,
    },
}

/// What is wrong with the bytes of a sound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SoundContentError {
    /// Other bytes altogether.
    #[error("is no sound of Betwixt's")]
    NotASound,
    /// From a newer Betwixt.
    #[error("is a sound of version {found}; this Betwixt reads up to {SOUND_VERSION}")]
    Future {
        /// Its version.
        found: u32,
    },
    /// Cut off, or changed on its way.
    #[error("is damaged: {reason}")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// A field that makes no sense.
    #[error("field `{field}` is {found}; expected {expected}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
}

/// The part of a sound that is text.
#[derive(Serialize, Deserialize)]
struct Header {
    name: String,
    family: String,
    tags: Vec<String>,
    licence: String,
    source: String,
    model: String,
    pitch: f32,
    gain_db: f32,
    #[serde(rename = "loop")]
    loop_region: Option<LoopRegion>,
    dims: usize,
    frames: usize,
    /// Of version 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    further_pitches: Vec<f32>,
    /// Of version 3.
    #[serde(default = "default_velocity", skip_serializing_if = "is_default_velocity")]
    velocity: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerHeader>,
    #[serde(default, skip_serializing_if = "Credits::is_empty")]
    credits: Credits,
}

/// What a header says of a further layer.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct LayerHeader {
    pitch: f32,
    velocity: u8,
    #[serde(rename = "loop")]
    loop_region: Option<LoopRegion>,
    frames: usize,
}

fn default_velocity() -> u8 {
    DEFAULT_VELOCITY
}

fn is_default_velocity(velocity: &u8) -> bool {
    *velocity == DEFAULT_VELOCITY
}

impl Sound {
    /// The bytes of a `.sound` file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let version = self.version();
        let (mut further_pitches, mut layers) = (Vec::new(), Vec::new());
        if version == SOUND_VERSION {
            layers.extend(self.further.iter().map(|layer| LayerHeader {
                pitch: layer.pitch,
                velocity: layer.velocity,
                loop_region: layer.loop_region,
                frames: layer.embedding.frames(),
            }));
        } else {
            further_pitches.extend(self.further.iter().map(|layer| layer.pitch));
        }
        let header = Header {
            name: self.name.clone(),
            family: self.family.clone(),
            tags: self.tags.clone(),
            licence: self.licence.clone(),
            source: self.source.clone(),
            model: self.model.clone(),
            pitch: self.pitch,
            gain_db: self.gain_db,
            loop_region: self.loop_region,
            dims: self.embedding.dims(),
            frames: self.embedding.frames(),
            further_pitches,
            velocity: self.velocity,
            layers,
            credits: self.credits.clone(),
        };
        let header = serde_json::to_vec(&header).expect("text and finite numbers are always JSON");
        let mut bytes = MAGIC.to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        let further = self.further.iter().map(|further| &further.embedding);
        for embedding in std::iter::once(&self.embedding).chain(further) {
            bytes.extend(embedding.values().iter().flat_map(|value| value.to_le_bytes()));
        }
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// The oldest version that can say all of it.
    fn version(&self) -> u32 {
        let is_alike = |layer: &Layer| {
            layer.velocity == self.velocity
                && layer.loop_region == self.loop_region
                && layer.embedding.frames() == self.embedding.frames()
        };
        if self.velocity != DEFAULT_VELOCITY || !self.further.iter().all(is_alike) {
            SOUND_VERSION
        } else if self.further.is_empty() {
            PLAIN_VERSION
        } else {
            PITCHED_VERSION
        }
    }

    /// Reads the bytes of a `.sound` file: all of them, and nothing after.
    ///
    /// # Errors
    /// If they are no sound, one of a newer version, damaged, or hold a field that makes no sense.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SoundContentError> {
        let damaged = |reason: &str| SoundContentError::Damaged {
            reason: reason.into(),
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or(SoundContentError::NotASound)?;
        let (version, rest) = u32_from(rest).ok_or_else(|| damaged("it ends in its first bytes"))?;
        if version > SOUND_VERSION {
            return Err(SoundContentError::Future { found: version });
        }
        let (checked, checksum) = bytes
            .split_last_chunk()
            .ok_or_else(|| damaged("it ends in its first bytes"))?;
        if crc32fast::hash(checked) != u32::from_le_bytes(*checksum) {
            return Err(damaged("its checksum does not fit, so it was cut off or changed"));
        }
        let (header_bytes, rest) = u32_from(rest).ok_or_else(|| damaged("it has no header"))?;
        let (header, rest) = rest
            .split_at_checked(header_bytes as usize)
            .ok_or_else(|| damaged("its header is cut off"))?;
        let values = rest
            .get(..rest.len().saturating_sub(checksum.len()))
            .unwrap_or_default();
        let header: Header = serde_json::from_slice(header)
            .map_err(|error| damaged(&format!("its header is no header ({error})")))?;
        Self::from_parts(header, values)
    }

    fn from_parts(header: Header, mut values: &[u8]) -> Result<Self, SoundContentError> {
        let further = further_layers(&header)?;
        check_frames(&header, &further, values.len())?;
        check_fields(&header, &further)?;
        let mut next = |frames: usize| {
            let (own, rest) = values.split_at(4 * header.dims * frames);
            values = rest;
            let numbers = own.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            Embedding::new(header.dims, numbers.collect())
                .map_err(|error| wrong("embedding", error.to_string(), "numbers"))
        };
        let embedding = next(header.frames)?;
        let further = further
            .into_iter()
            .map(|layer| {
                Ok(Layer {
                    pitch: layer.pitch,
                    velocity: layer.velocity,
                    loop_region: layer.loop_region,
                    embedding: next(layer.frames)?,
                })
            })
            .collect::<Result<_, SoundContentError>>()?;
        Ok(Self {
            name: header.name,
            family: header.family,
            tags: header.tags,
            licence: header.licence,
            source: header.source,
            model: header.model,
            pitch: header.pitch,
            gain_db: header.gain_db,
            loop_region: header.loop_region,
            embedding,
            velocity: header.velocity,
            further,
            credits: header.credits,
        })
    }

    /// Reads a `.sound` file.
    ///
    /// # Errors
    /// If it cannot be read or is no sound; the message names the file.
    pub fn read(file: &Path) -> Result<Self, SoundError> {
        let failed = |source| SoundError::File {
            file: file.into(),
            action: "read",
            source,
        };
        let content = |source| SoundError::Content {
            file: file.into(),
            source,
        };
        if std::fs::metadata(file).map_err(failed)?.len() > MAX_BYTES {
            return Err(content(SoundContentError::NotASound));
        }
        let bytes = std::fs::read(file).map_err(failed)?;
        Self::from_bytes(&bytes).map_err(content)
    }

    /// Writes a `.sound` file, whole or not at all.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, file: &Path) -> Result<(), SoundError> {
        whole_file::write(file, &self.to_bytes()).map_err(|source| SoundError::File {
            file: file.into(),
            action: "written",
            source,
        })
    }
}

/// A field that makes no sense.
fn wrong(field: &'static str, found: String, expected: &str) -> SoundContentError {
    SoundContentError::Field {
        field,
        found,
        expected: expected.into(),
    }
}

/// Whether the bytes are as many as the header says numbers.
fn check_frames(
    header: &Header,
    further: &[LayerHeader],
    bytes_there: usize,
) -> Result<(), SoundContentError> {
    if !(1..=MAX_DIMS).contains(&header.dims) {
        return Err(wrong("dims", header.dims.to_string(), "1 to 1024"));
    }
    let frames = further
        .iter()
        .try_fold(header.frames, |sum, layer| sum.checked_add(layer.frames));
    let bytes = frames.and_then(|frames| header.dims.checked_mul(frames)?.checked_mul(4));
    if bytes != Some(bytes_there) || header.frames == 0 || further.iter().any(|layer| layer.frames == 0) {
        let found = format!(
            "{} of {} dimensions and {} further layers, with {} bytes",
            header.frames,
            header.dims,
            further.len(),
            bytes_there
        );
        return Err(wrong("frames", found, "as many as the embedding holds"));
    }
    Ok(())
}

/// Whether the rest of the header makes sense.
fn check_fields(header: &Header, further: &[LayerHeader]) -> Result<(), SoundContentError> {
    if !(0.0..=127.0).contains(&header.pitch) {
        return Err(wrong("pitch", header.pitch.to_string(), "0 to 127"));
    }
    if !(-200.0..=200.0).contains(&header.gain_db) {
        return Err(wrong("gain_db", header.gain_db.to_string(), "-200 to 200"));
    }
    let own = (header.loop_region, header.frames);
    for (region, frames) in std::iter::once(own).chain(further.iter().map(|of| (of.loop_region, of.frames))) {
        if let Some(region) = region
            && (region.start_frame >= region.end_frame || region.end_frame as usize >= frames)
        {
            let found = format!("{} to {}", region.start_frame, region.end_frame);
            return Err(wrong("loop", found, &format!("rising, inside {frames} frames")));
        }
    }
    if !(1..=127).contains(&header.velocity) {
        return Err(wrong("velocity", header.velocity.to_string(), "1 to 127"));
    }
    let texts = [
        &header.name,
        &header.family,
        &header.licence,
        &header.source,
        &header.model,
    ];
    if texts
        .into_iter()
        .chain(&header.tags)
        .chain(header.credits.texts())
        .any(|text| text.chars().count() > MAX_TEXT_CHARS)
    {
        return Err(wrong(
            "name",
            "a text that is too long".into(),
            "at most 4096 characters",
        ));
    }
    let ingredients = header
        .credits
        .recipe
        .as_ref()
        .map_or(0, |recipe| recipe.ingredients.len());
    if ingredients > MAX_INGREDIENTS {
        let found = format!("a recipe of {ingredients} sounds");
        return Err(wrong("credits", found, "at most 256 sounds"));
    }
    Ok(())
}

/// What the header says of the further layers, whichever version said it.
fn further_layers(header: &Header) -> Result<Vec<LayerHeader>, SoundContentError> {
    let pitched = header.further_pitches.iter().map(|pitch| LayerHeader {
        pitch: *pitch,
        velocity: header.velocity,
        loop_region: header.loop_region,
        frames: header.frames,
    });
    let further: Vec<LayerHeader> = pitched.chain(header.layers.iter().copied()).collect();
    let is_wrong =
        |layer: &LayerHeader| !(0.0..=127.0).contains(&layer.pitch) || !(1..=127).contains(&layer.velocity);
    if further.len() > MAX_FURTHER || further.iter().any(is_wrong) {
        return Err(wrong(
            "layers",
            format!("a list of {}", further.len()),
            "at most 128, each of a pitch of 0 to 127 and a velocity of 1 to 127",
        ));
    }
    Ok(further)
}

fn u32_from(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*first), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::{Ingredient, Recipe};
    use crate::sound::tests::{layered, pitched, sound};
    use proptest::prelude::*;

    /// The same with all that can be known of it.
    fn credited() -> Sound {
        let ingredient = Ingredient {
            name: "A".into(),
            sound: "flute".into(),
            id: "0123456789abcdef".into(),
            author: "Ada".into(),
            licence: "MIT".into(),
        };
        let recipe = Recipe {
            expression: "A - 0.5*B".into(),
            ingredients: vec![ingredient; 2],
        };
        Sound {
            credits: Credits {
                author: "Bea".into(),
                recipe: Some(recipe),
            },
            ..sound()
        }
    }

    #[test]
    fn author_and_recipe_come_back_and_a_file_without_them_is_as_it_was() {
        let bytes = credited().to_bytes();
        assert_eq!(Sound::from_bytes(&bytes).unwrap(), credited());
        assert_eq!(bytes[MAGIC.len()], 1, "older versions read it");
        let plain = String::from_utf8_lossy(&sound().to_bytes()).into_owned();
        assert!(
            !plain.contains("credits"),
            "its bytes are those of older versions"
        );
    }

    #[test]
    fn a_recipe_of_too_many_sounds_or_letters_is_refused_by_name() {
        let mut long = credited();
        let recipe = long.credits.recipe.as_mut().unwrap();
        recipe.ingredients = vec![recipe.ingredients[0].clone(); MAX_INGREDIENTS + 1];
        let message = Sound::from_bytes(&long.to_bytes()).unwrap_err().to_string();
        assert!(
            message.contains("`credits`") && message.contains("257"),
            "{message}"
        );
        let mut long = credited();
        long.credits.author = "a".repeat(MAX_TEXT_CHARS + 1);
        assert!(Sound::from_bytes(&long.to_bytes()).is_err());
    }

    #[test]
    fn a_sound_at_several_pitches_comes_back_and_says_its_version() {
        let bytes = pitched().to_bytes();
        assert_eq!(Sound::from_bytes(&bytes).unwrap(), pitched());
        assert_eq!(bytes[MAGIC.len()], 2);
        assert_eq!(sound().to_bytes()[MAGIC.len()], 1, "older versions read it");
        assert_ne!(pitched().id(), sound().id());
        assert!(!pitched().has_velocities());
    }

    #[test]
    fn layers_come_back_with_their_own_lengths_loops_and_velocities() {
        let bytes = layered().to_bytes();
        assert_eq!(Sound::from_bytes(&bytes).unwrap(), layered());
        assert_eq!(bytes[MAGIC.len()], 3);
        assert!(layered().has_velocities());
        let soft = Sound {
            velocity: 30,
            ..sound()
        };
        assert_eq!(Sound::from_bytes(&soft.to_bytes()).unwrap(), soft);
    }

    #[test]
    fn files_of_the_first_two_versions_are_what_they_were() {
        let header = "{\"name\":\"flute, low \u{266d}\",\"family\":\"flute\",\"tags\":[\"soft\",\"breathy\"],\"licence\":\"MIT\",\
                      \"source\":\"a recording\",\"model\":\"spectral 1\",\"pitch\":60.25,\"gain_db\":-3.5,\
                      \"loop\":{\"start_frame\":3,\"end_frame\":9},\"dims\":16,\"frames\":10";
        let further = ",\"further_pitches\":[48.0,72.0]";
        for (sound, version, further) in [(sound(), 1_u32, ""), (pitched(), 2, further)] {
            let header = format!("{header}{further}}}");
            let mut bytes = MAGIC.to_vec();
            bytes.extend(version.to_le_bytes());
            bytes.extend((header.len() as u32).to_le_bytes());
            bytes.extend(header.as_bytes());
            for layer in sound.layers() {
                bytes.extend(
                    layer
                        .embedding
                        .values()
                        .iter()
                        .flat_map(|value| value.to_le_bytes()),
                );
            }
            bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
            assert!(sound.to_bytes() == bytes, "version {version}");
            assert_eq!(Sound::from_bytes(&bytes), Ok(sound));
        }
    }

    /// The bytes with a checksum that fits again.
    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.truncate(bytes.len() - 4);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn a_sound_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sound");
        sound().write(&path).unwrap();
        assert_eq!(Sound::read(&path).unwrap(), sound());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(Sound::read(&path).unwrap().id(), sound().id());
    }

    #[test]
    fn a_sound_of_a_newer_version_is_refused() {
        let mut bytes = sound().to_bytes();
        bytes[MAGIC.len()] = 4;
        assert_eq!(
            Sound::from_bytes(&resealed(bytes)),
            Err(SoundContentError::Future { found: 4 })
        );
    }

    #[test]
    fn a_loop_outside_the_embedding_is_refused_by_name() {
        let mut wrong = sound();
        wrong.loop_region = Some(LoopRegion {
            start_frame: 3,
            end_frame: 10,
        });
        let message = Sound::from_bytes(&wrong.to_bytes()).unwrap_err().to_string();
        assert!(
            message.contains("`loop`") && message.contains("3 to 10"),
            "{message}"
        );
    }

    #[test]
    fn an_error_names_the_file() {
        let message = Sound::read(Path::new("/nowhere/a.sound"))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("/nowhere/a.sound: cannot be read"),
            "{message}"
        );
    }

    proptest! {
        #[test]
        fn a_truncated_sound_is_refused(cut in 0.0_f64..1.0) {
            let bytes = pitched().to_bytes();
            prop_assert!(Sound::from_bytes(&bytes[..(cut * bytes.len() as f64) as usize]).is_err());
        }

        #[test]
        fn a_changed_byte_is_noticed(place in any::<prop::sample::Index>(), change in 1_u8..=255) {
            let mut bytes = sound().to_bytes();
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert!(Sound::from_bytes(&bytes).is_err());
        }

        #[test]
        fn a_changed_byte_under_a_fitting_checksum_never_panics(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            for sound in [pitched(), layered(), credited()] {
                let mut bytes = sound.to_bytes();
                let place = place.index(bytes.len());
                bytes[place] = byte;
                // What is still read is written as it was read.
                if let Ok(read) = Sound::from_bytes(&resealed(bytes)) {
                    prop_assert_eq!(Sound::from_bytes(&read.to_bytes()), Ok(read));
                }
            }
        }

        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000), with_magic in any::<bool>()) {
            let bytes = if with_magic { [MAGIC, &bytes].concat() } else { bytes };
            prop_assert!(Sound::from_bytes(&bytes).is_err());
        }
    }
}
