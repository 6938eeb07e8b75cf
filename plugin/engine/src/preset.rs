//! A preset: four sounds by name, a place on the pad, and how the instrument answers to the keys.
//!
//! Presets are short TOML files that a person can read and write; sounds are named by file (`factory/flute.sound`,
//! `user/my_bowl.sound`), never embedded. Used on the main thread, the background thread and the command line.
//! A file is parsed and checked whole before anything of it is used, and written beside and renamed into place.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use betwixt_audio::settings::Settings;
use serde::{Deserialize, Serialize};

use crate::parameter::Parameter;
use crate::whole_file;

/// Format of preset files that this version writes, and the newest that it reads.
pub const PRESET_FORMAT: u32 = 1;
/// How a preset file's name ends.
pub const PRESET_EXTENSION: &str = "toml";
/// Longest preset file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Where a preset finds a sound: a file of the factory's folder or of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SoundRef {
    /// A file in `presets/sounds` of the resources.
    Factory(String),
    /// A file in `sounds` of the user's folder.
    User(String),
}

impl fmt::Display for SoundRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factory(file) => write!(f, "factory/{file}"),
            Self::User(file) => write!(f, "user/{file}"),
        }
    }
}

impl From<SoundRef> for String {
    fn from(reference: SoundRef) -> Self {
        reference.to_string()
    }
}

impl TryFrom<String> for SoundRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for SoundRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (make, file): (fn(String) -> Self, &str) = match text.split_once('/') {
            Some(("factory", file)) => (Self::Factory, file),
            Some(("user", file)) => (Self::User, file),
            _ => {
                return Err(format!(
                    "expected `factory/NAME.sound` or `user/NAME.sound`, found `{text}`"
                ));
            }
        };
        let plain =
            !file.starts_with('.') && !file.contains(['/', '\\', ':', '\0']) && file.ends_with(".sound");
        if plain {
            Ok(make(file.to_owned()))
        } else {
            Err(format!(
                "expected the plain name of a `.sound` file, found `{file}`"
            ))
        }
    }
}

/// The sounds of the four corners; an absent one is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetCorners {
    /// Top left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<SoundRef>,
    /// Top right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<SoundRef>,
    /// Bottom left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c: Option<SoundRef>,
    /// Bottom right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d: Option<SoundRef>,
}

impl PresetCorners {
    /// The corners in order: A, B, C, D.
    pub fn as_array(&self) -> [Option<&SoundRef>; 4] {
        [self.a.as_ref(), self.b.as_ref(), self.c.as_ref(), self.d.as_ref()]
    }
}

/// A preset as its file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// [`PRESET_FORMAT`] of the version that wrote it.
    pub format: u32,
    /// What a list shows.
    pub name: String,
    /// One sentence on what it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Under which licence it may be passed on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Words to search by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What sits in the corners.
    pub corners: PresetCorners,
    /// Values of [`Parameter`]s by name; one that is absent has its default.
    #[serde(default)]
    pub parameters: BTreeMap<String, f32>,
}

/// Why a preset could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is far too long for a preset.
    #[error("the preset has {0} bytes; expected at most {MAX_FILE_BYTES}")]
    TooLong(u64),
    /// The file is no text.
    #[error("not a preset: it is no UTF-8 text")]
    NotText,
    /// The file is no TOML, or a field is missing, unknown or of another type.
    #[error("not a preset: {0}")]
    Toml(String),
    /// The preset is of a later version of Betwixt.
    #[error("the preset's `format` is {found}; this version reads 1 to {PRESET_FORMAT}")]
    Format {
        /// What the file says.
        found: u32,
    },
    /// A parameter that is not known.
    #[error("`parameters.{0}` is unknown; expected one of {known}", known = Parameter::names())]
    UnknownParameter(String),
    /// A value outside its parameter's range.
    #[error("`parameters.{name}` is {found}; expected {low} to {high}")]
    Range {
        /// The parameter.
        name: &'static str,
        /// Its value in the file.
        found: f32,
        /// Smallest value.
        low: f32,
        /// Largest value.
        high: f32,
    },
}

impl Preset {
    /// Reads a preset file.
    ///
    /// # Errors
    /// The file cannot be read, or the text is no preset: the message names the field.
    pub fn read(path: &Path) -> Result<Self, PresetError> {
        let io = |source| PresetError::Io {
            path: path.to_owned(),
            source,
        };
        let length = fs::metadata(path).map_err(io)?.len();
        if length > MAX_FILE_BYTES {
            return Err(PresetError::TooLong(length));
        }
        Self::from_bytes(&fs::read(path).map_err(io)?)
    }

    /// Parses the bytes of a preset file.
    ///
    /// # Errors
    /// The bytes are no preset: the message names the field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PresetError> {
        /// Read first, so that a later format is told as such and not by a field it has more.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PresetError::NotText)?;
        let toml_error = |error: toml::de::Error| PresetError::Toml(error.to_string().trim_end().to_owned());
        let found = toml::from_str::<Format>(text).map_err(toml_error)?.format;
        if !(1..=PRESET_FORMAT).contains(&found) {
            return Err(PresetError::Format { found });
        }
        let preset: Self = toml::from_str(text).map_err(toml_error)?;
        preset.check()?;
        Ok(preset)
    }

    /// The text of a preset file.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("strings, numbers and tables are TOML")
    }

    /// Writes a preset file: whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), PresetError> {
        whole_file::write(path, self.to_toml().as_bytes()).map_err(|source| PresetError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// A parameter's value: the preset's, or the default.
    pub fn parameter(&self, parameter: Parameter) -> f32 {
        self.parameters
            .get(parameter.name())
            .copied()
            .unwrap_or(parameter.default())
    }

    /// How the instrument is to play.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for parameter in Parameter::ALL {
            parameter.apply(&mut settings, self.parameter(parameter));
        }
        settings
    }

    fn check(&self) -> Result<(), PresetError> {
        for (name, &found) in &self.parameters {
            let parameter =
                Parameter::from_name(name).ok_or_else(|| PresetError::UnknownParameter(name.clone()))?;
            let (low, high) = parameter.range();
            if !(low..=high).contains(&found) {
                return Err(PresetError::Range {
                    name: parameter.name(),
                    found,
                    low,
                    high,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = r#"
format = 1
name = "Breath and bell"
author = "Betwixt"
licence = "MIT OR Apache-2.0"
tags = ["pad", "soft"]

[corners]
a = "factory/flute.sound"
d = "user/bowl.sound"

[parameters]
attack_ms = 40.0
blend_x = 0.25
"#;

    #[test]
    fn a_preset_says_what_it_is_and_keeps_defaults_for_the_rest() {
        let preset = Preset::from_bytes(TEXT.as_bytes()).unwrap();
        assert_eq!(preset.corners.a, Some(SoundRef::Factory("flute.sound".into())));
        assert_eq!(
            preset.corners.as_array()[3],
            Some(&SoundRef::User("bowl.sound".into()))
        );
        let settings = preset.settings();
        assert_eq!(settings.attack_ms, 40.0);
        assert_eq!(settings.blend.x, 0.25);
        assert_eq!(settings.release_ms, Parameter::ReleaseMs.default());
    }

    #[test]
    fn a_written_preset_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("breath.toml");
        let preset = Preset::from_bytes(TEXT.as_bytes()).unwrap();
        preset.write(&path).unwrap();
        assert_eq!(Preset::read(&path).unwrap(), preset);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_field() {
        let message = |from: &str, to: &str| {
            assert!(TEXT.contains(from));
            Preset::from_bytes(TEXT.replace(from, to).as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            message("format = 1", "format = 7"),
            "the preset's `format` is 7; this version reads 1 to 1"
        );
        assert_eq!(
            message("attack_ms = 40.0", "attack_ms = -1.0"),
            "`parameters.attack_ms` is -1; expected 0.5 to 10000"
        );
        assert!(
            message("attack_ms", "atack_ms")
                .starts_with("`parameters.atack_ms` is unknown; expected one of blend_x")
        );
        assert!(message("factory/flute.sound", "factory/../x.sound").contains("plain name"));
        assert!(message("factory/flute.sound", "/etc/passwd").contains("expected `factory/NAME.sound`"));
        assert!(message("name =", "title =").contains("title"));
        assert!(message("attack_ms = 40.0", "attack_ms = nan").contains("attack_ms"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Preset::from_bytes(&bytes);
        }

        #[test]
        fn a_cut_and_damaged_preset_never_panics(cut in 0..400_usize, at in 0..400_usize, value in any::<u8>()) {
            let mut bytes = TEXT.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(cut);
            if let Ok(preset) = Preset::from_bytes(&bytes) {
                let again = Preset::from_bytes(preset.to_toml().as_bytes()).unwrap();
                prop_assert_eq!(preset, again);
            }
        }
    }
}
