//! What the library tells of a sound or a preset, and which of them are asked for.
//!
//! Plain data, any thread.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::preset::SoundRef;
use crate::quality::{Qualities, SourceKind};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryKind {
    /// A `.sound` file.
    Sound,
    /// A preset's `.toml` file.
    Preset,
}

/// Whose an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// It came with Betwixt, and is never written to.
    Factory,
    /// It lies in the user's folder.
    User,
    /// It lies in one of the further folders that the user added.
    Folder,
}

/// Names an entry, in every process and however often the index is rebuilt: `factory/flute.sound`, `user/mine.toml`, or the absolute
/// path of a file in an added folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(String);

impl EntryId {
    /// The name of a sound that presets can name.
    pub fn of_sound(reference: &SoundRef) -> Self {
        Self(reference.to_string())
    }

    /// The name of a file; none if it has none in Unicode, which no preset could say either.
    pub(crate) fn of_file(origin: Origin, file: &Path) -> Option<Self> {
        let text = match origin {
            Origin::Factory => format!("factory/{}", file.file_name()?.to_str()?),
            Origin::User => format!("user/{}", file.file_name()?.to_str()?),
            Origin::Folder => file.to_str()?.to_owned(),
        };
        Some(Self(text))
    }

    /// How presets name this sound; none for presets, and for what lies in an added folder.
    pub fn sound_ref(&self) -> Option<SoundRef> {
        self.0.parse().ok()
    }

    /// Whose it is.
    pub fn origin(&self) -> Origin {
        if self.0.starts_with("factory/") {
            Origin::Factory
        } else if self.0.starts_with("user/") {
            Origin::User
        } else {
            Origin::Folder
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for EntryId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for EntryId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// A sound or a preset that can be had.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name for the library.
    pub id: EntryId,
    /// What it is.
    pub kind: EntryKind,
    /// Whose it is.
    pub origin: Origin,
    /// Where it lies.
    pub file: PathBuf,
    /// What it is called.
    pub name: String,
    /// Family of instruments, as the file has it; empty if not known, and for presets.
    pub family: String,
    /// Where the sound comes from, if its tags tell.
    pub source: Option<SourceKind>,
    /// What it is like, as its tags tell.
    pub qualities: Qualities,
    /// All of its tags.
    pub tags: Vec<String>,
    /// Who made it, or, where that is not known of a sound, where the recording came from; empty if neither is.
    pub author: String,
    /// Under which licence it may be passed on; empty if not known.
    pub licence: String,
    /// One sentence on a preset.
    pub description: String,
    /// The pitch that a sound was recorded at, as a MIDI note number.
    pub pitch: Option<f32>,
    /// Whether a sound goes on while a key is held.
    pub is_sustained: bool,
    /// Name and version of the model that encoded a sound; empty for presets.
    pub model: String,
    /// Whether the user marked it.
    pub is_favourite: bool,
    /// When it was last used, in seconds since 1970.
    pub used_s: Option<u64>,
}

/// Which entries are asked for: those for which all of it holds. The default lets everything through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// What it is.
    pub kind: Option<EntryKind>,
    /// Whose it is.
    pub origin: Option<Origin>,
    /// Its family, in any case.
    pub family: Option<String>,
    /// It has all of these.
    pub qualities: Qualities,
    /// Where it comes from.
    pub source: Option<SourceKind>,
    /// Only favourites.
    pub is_favourite: bool,
    /// Only what was used; without a query, last used first.
    pub is_used: bool,
}

impl Filter {
    /// All sounds.
    pub fn sounds() -> Self {
        Self {
            kind: Some(EntryKind::Sound),
            ..Self::default()
        }
    }

    /// All presets.
    pub fn presets() -> Self {
        Self {
            kind: Some(EntryKind::Preset),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_whose_a_file_is_and_how_presets_name_it() {
        let file = Path::new("/somewhere/sounds/flute.sound");
        let id = |origin| EntryId::of_file(origin, file).unwrap();
        assert_eq!(id(Origin::Factory).as_str(), "factory/flute.sound");
        assert_eq!(
            id(Origin::User).sound_ref(),
            Some(SoundRef::User("flute.sound".into()))
        );
        assert_eq!(
            EntryId::of_sound(&SoundRef::User("flute.sound".into())),
            id(Origin::User)
        );
        assert_eq!(id(Origin::Folder).as_str(), "/somewhere/sounds/flute.sound");
        assert_eq!(id(Origin::Folder).sound_ref(), None);
        for origin in [Origin::Factory, Origin::User, Origin::Folder] {
            assert_eq!(id(origin).origin(), origin);
        }
        let preset = EntryId::of_file(Origin::User, Path::new("mine.toml")).unwrap();
        assert_eq!(preset.sound_ref(), None);
    }
}
