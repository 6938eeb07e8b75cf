//! Where sounds and presets lie, and what there is: the factory's, and the user's own.
//!
//! Reads files, so for the background thread, the main thread's first activation and the command line; never
//! for the audio thread or a plugin scan. The factory's folder is `presets` of the resources (`*.toml`, `sounds/*.sound`); the
//! user's has the folders `presets` and `sounds`, `models` for models of one's own, and `deleted` for presets that may be wanted again. A file
//! that cannot be read is left out of the lists.
//!
//! Rooms: [`index`] finds among thousands, [`rescan`] brings it up to date; [`entry`] is what it tells; `database` is its file, `record` a
//! row of that, `search` and [`descriptor`] the two ways of finding; [`marks`] is what the user told the library. [`preset_files`] saves
//! presets, [`random`] makes them up.

mod database;
pub mod descriptor;
pub mod entry;
pub mod index;
pub mod marks;
pub mod preset_files;
pub mod random;
mod record;
pub mod rescan;
mod search;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::library::marks::MarksError;
use crate::patch::Patch;
use crate::preset::{PRESET_EXTENSION, Preset, PresetCorners, PresetError, SoundRef};
use crate::resources::{Resources, ResourcesError};
use crate::sound::{SOUND_EXTENSION, Sound, SoundError};

/// The environment variable that names the user's folder.
pub const USER_FOLDER_VARIABLE: &str = "BETWIXT_USER";

/// A sound that can be picked.
#[derive(Debug, Clone, PartialEq)]
pub struct SoundEntry {
    /// Where it lies.
    pub reference: SoundRef,
    /// What it is called.
    pub name: String,
    /// Family of instruments, empty if not known.
    pub family: String,
    /// Words to search by.
    pub tags: Vec<String>,
    /// The pitch it was recorded at, as a MIDI note number.
    pub pitch: f32,
}

/// A preset that can be loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct PresetEntry {
    /// Its file.
    pub file: PathBuf,
    /// What the file holds.
    pub preset: Preset,
    /// Whether it is the user's own.
    pub is_user: bool,
}

/// Why a sound or a preset cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// There is no folder of factory sounds.
    #[error(transparent)]
    Resources(#[from] ResourcesError),
    /// The system tells no folder for the user's files.
    #[error("the user's folder is not known: set {USER_FOLDER_VARIABLE}")]
    NoUserFolder,
    /// The sound cannot be read.
    #[error(transparent)]
    Sound(#[from] SoundError),
    /// The preset cannot be read.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// A corner of a preset names a sound that cannot be had.
    #[error("corner {corner}: {source}")]
    Corner {
        /// A, B, C or D.
        corner: &'static str,
        /// Why.
        source: Box<LibraryError>,
    },
    /// There is no preset of the name.
    #[error("there is no preset named {0}")]
    NoSuchPreset(String),
    /// One of the user's presets has the name.
    #[error("you have a preset named {0} already: choose another name, or replace it")]
    NameTaken(String),
    /// A factory preset has the name, or is to be changed; those stay as they are.
    #[error("{0} is a factory preset, which stays as it is: save it under another name")]
    FactoryPreset(String),
    /// A name that nothing can be called.
    #[error(
        "`{0}` is no name for a preset; expected a letter or digit, and at most {NAME_CHARS} characters on one line"
    )]
    BadName(String),
    /// A preset's file could not be moved.
    #[error("{}: cannot be {action}: {source}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// "moved" or "removed".
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder cannot be added to the library, or taken out of it.
    #[error("{}: {reason}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is nothing to make a random preset of.
    #[error("there are no sounds{} to choose from", .model.as_ref().map_or(String::new(), |model| format!(" of the model {model}")))]
    NoSounds {
        /// The model that was asked for.
        model: Option<String>,
    },
    /// What the user told the library cannot be read or changed.
    #[error(transparent)]
    Marks(#[from] MarksError),
    /// Another process keeps the index for itself.
    #[error("the library's index is in use by another program; it is brought up to date later")]
    IndexBusy,
    /// The index cannot be had, not even in memory.
    #[error("the library's index: {0}")]
    Index(String),
}

/// Longest name of a preset, in characters.
const NAME_CHARS: usize = 100;

/// The folders of sounds and presets.
#[derive(Debug)]
pub struct Library {
    factory: Result<PathBuf, ResourcesError>,
    user: Option<PathBuf>,
}

impl Library {
    /// The factory's folder as [`Resources`] finds it, and the user's.
    pub fn find() -> Self {
        Self {
            factory: Resources::find().and_then(|resources| resources.presets()),
            user: user_folder(),
        }
    }

    /// Two folders of one's own, for the command line and tests.
    pub fn in_folders(factory: &Path, user: &Path) -> Self {
        Self {
            factory: Ok(factory.to_path_buf()),
            user: Some(user.to_path_buf()),
        }
    }

    /// The folder of the user's own sounds, whether it is there or not.
    ///
    /// # Errors
    /// If the system tells no folder for the user's files.
    pub fn user_sounds(&self) -> Result<PathBuf, LibraryError> {
        let user = self.user.as_ref().ok_or(LibraryError::NoUserFolder)?;
        Ok(user.join("sounds"))
    }

    /// The folder of the user's own presets, whether it is there or not.
    ///
    /// # Errors
    /// As [`Self::user_sounds`].
    pub fn user_presets(&self) -> Result<PathBuf, LibraryError> {
        let user = self.user.as_ref().ok_or(LibraryError::NoUserFolder)?;
        Ok(user.join("presets"))
    }

    /// Every sound that can be read, by family and name.
    pub fn sounds(&self) -> Vec<SoundEntry> {
        let factory = self.factory.as_ref().ok().map(|folder| folder.join("sounds"));
        let user = self.user.as_ref().map(|folder| folder.join("sounds"));
        let origins = [
            (factory, SoundRef::Factory as fn(String) -> SoundRef),
            (user, SoundRef::User),
        ];
        let mut entries: Vec<SoundEntry> = Vec::new();
        for (folder, reference) in origins {
            let files = folder
                .map(|folder| files_of(&folder, SOUND_EXTENSION))
                .unwrap_or_default();
            entries.extend(files.iter().filter_map(|file| {
                let sound = Sound::read(file).ok()?;
                let name = file.file_name()?.to_str()?;
                // A name that a preset could not say is not offered either.
                let reference: SoundRef = reference(name.to_owned()).to_string().parse().ok()?;
                Some(SoundEntry {
                    reference,
                    name: sound.name,
                    family: sound.family,
                    tags: sound.tags,
                    pitch: sound.pitch,
                })
            }));
        }
        entries.sort_by_cached_key(|entry| {
            (
                entry.family.to_lowercase(),
                entry.name.to_lowercase(),
                entry.reference.clone(),
            )
        });
        entries
    }

    /// Every preset that can be read: the factory's in the order of their files, then the user's.
    pub fn presets(&self) -> Vec<PresetEntry> {
        let factory = self.factory.as_ref().ok().map(|folder| (folder.clone(), false));
        let user = self.user.as_ref().map(|folder| (folder.join("presets"), true));
        let mut entries = Vec::new();
        for (folder, is_user) in factory.into_iter().chain(user) {
            for file in files_of(&folder, PRESET_EXTENSION) {
                if let Ok(preset) = Preset::read(&file) {
                    entries.push(PresetEntry {
                        file,
                        preset,
                        is_user,
                    });
                }
            }
        }
        entries
    }

    /// Reads the sound that a preset names.
    ///
    /// # Errors
    /// If its folder is not there, or the file is no sound.
    pub fn sound(&self, reference: &SoundRef) -> Result<Arc<Sound>, LibraryError> {
        let (folder, file) = match reference {
            SoundRef::Factory(file) => (self.factory.clone()?, file),
            SoundRef::User(file) => (self.user.clone().ok_or(LibraryError::NoUserFolder)?, file),
        };
        Ok(Arc::new(Sound::read(&folder.join("sounds").join(file))?))
    }

    /// Reads the sounds of a preset's corners.
    ///
    /// # Errors
    /// If one of them cannot be read; the message names the corner.
    pub fn patch(&self, corners: &PresetCorners) -> Result<Patch, LibraryError> {
        let mut sounds = [None, None, None, None];
        for ((sound, reference), corner) in sounds
            .iter_mut()
            .zip(corners.as_array())
            .zip(crate::patch::CORNER_NAMES)
        {
            if let Some(reference) = reference {
                let read = self.sound(reference);
                *sound = Some(read.map_err(|source| LibraryError::Corner {
                    corner,
                    source: Box::new(source),
                })?);
            }
        }
        Ok(Patch::new(sounds))
    }

    /// Reads the preset of a file's name without its ending; the user's goes before the factory's.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn preset(&self, name: &str) -> Result<Preset, LibraryError> {
        let user = self.user.as_ref().map(|folder| folder.join("presets"));
        let factory = self.factory.as_ref().ok().cloned();
        let files = user
            .into_iter()
            .chain(factory)
            .flat_map(|folder| files_of(&folder, PRESET_EXTENSION));
        let file = files
            .into_iter()
            .find(|file| file.file_stem() == Some(OsStr::new(name)));
        match file {
            Some(file) => Ok(Preset::read(&file)?),
            None => Err(self
                .factory
                .clone()
                .map_or_else(Into::into, |_| LibraryError::NoSuchPreset(name.into()))),
        }
    }
}

/// The files of a folder with an ending, by name; none if there is no such folder.
fn files_of(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new(extension)) && path.is_file())
        .collect();
    files.sort();
    files
}

/// The folder where the user's own sounds, presets and models lie, whether it is there or not.
pub(crate) fn user_folder() -> Option<PathBuf> {
    if let Some(folder) = folder_variable(USER_FOLDER_VARIABLE) {
        return Some(folder);
    }
    if cfg!(target_os = "windows") {
        folder_variable("APPDATA").map(|folder| folder.join("Betwixt"))
    } else if cfg!(target_os = "macos") {
        folder_variable("HOME").map(|home| home.join("Library/Application Support/Betwixt"))
    } else {
        let data = folder_variable("XDG_DATA_HOME")
            .or_else(|| folder_variable("HOME").map(|home| home.join(".local/share")));
        data.map(|folder| folder.join("betwixt"))
    }
}

/// The folder that an environment variable names, if it is set and not empty.
pub(crate) fn folder_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::credits::Credits;
    use crate::embedding::Embedding;

    pub(crate) struct Folders {
        _root: tempfile::TempDir,
        pub(crate) library: Library,
        pub(crate) factory: PathBuf,
        pub(crate) user: PathBuf,
    }

    pub(crate) fn sound_of(name: &str, family: &str) -> Sound {
        Sound {
            name: name.into(),
            family: family.into(),
            tags: vec![],
            licence: String::new(),
            source: String::new(),
            model: "spectral 1".into(),
            pitch: 60.0,
            gain_db: 0.0,
            velocity: crate::sound::DEFAULT_VELOCITY,
            further: Vec::new(),
            loop_region: None,
            embedding: Embedding::new(2, vec![0.25; 8]).unwrap(),
            credits: Credits::default(),
        }
    }

    /// The factory's flute and alto, the user's bowl; presets Init, Mine, and Lost, whose sound is gone; and two broken files.
    pub(crate) fn folders() -> Folders {
        let root = tempfile::tempdir().unwrap();
        let (factory, user) = (root.path().join("presets"), root.path().join("user"));
        for folder in ["sounds", "presets"] {
            std::fs::create_dir_all(factory.join(folder)).unwrap();
            std::fs::create_dir_all(user.join(folder)).unwrap();
        }
        sound_of("Flute", "wind")
            .write(&factory.join("sounds/flute.sound"))
            .unwrap();
        sound_of("Alto", "voice")
            .write(&factory.join("sounds/alto.sound"))
            .unwrap();
        sound_of("Bowl", "mallet")
            .write(&user.join("sounds/bowl.sound"))
            .unwrap();
        std::fs::write(factory.join("sounds/broken.sound"), b"no sound").unwrap();
        let preset = |name: &str, a: &str| {
            format!("format = 1\nname = \"{name}\"\n[corners]\na = \"{a}\"\n[parameters]\nblend_x = 0.25\n")
        };
        std::fs::write(factory.join("init.toml"), preset("Init", "factory/flute.sound")).unwrap();
        std::fs::write(factory.join("broken.toml"), "format = 1").unwrap();
        std::fs::write(user.join("presets/mine.toml"), preset("Mine", "user/bowl.sound")).unwrap();
        std::fs::write(user.join("presets/lost.toml"), preset("Lost", "user/gone.sound")).unwrap();
        let library = Library::in_folders(&factory, &user);
        Folders {
            _root: root,
            library,
            factory,
            user,
        }
    }

    #[test]
    fn the_lists_hold_what_can_be_read_of_both_folders() {
        let folders = folders();
        let names: Vec<_> = folders
            .library
            .sounds()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["Bowl", "Alto", "Flute"]);
        let presets = folders.library.presets();
        let names: Vec<_> = presets
            .iter()
            .map(|entry| (entry.preset.name.as_str(), entry.is_user))
            .collect();
        assert_eq!(names, [("Init", false), ("Lost", true), ("Mine", true)]);
    }

    #[test]
    fn a_presets_sounds_come_from_the_folders_it_names() {
        let folders = folders();
        let patch = |name| {
            folders
                .library
                .preset(name)
                .and_then(|preset| folders.library.patch(&preset.corners))
        };
        let name = |patch: Patch| patch.corners()[0].as_ref().map(|sound| sound.name.clone());
        assert_eq!(name(patch("init").unwrap()).as_deref(), Some("Flute"));
        assert_eq!(name(patch("mine").unwrap()).as_deref(), Some("Bowl"));
        let message = patch("lost").unwrap_err().to_string();
        assert!(
            message.starts_with("corner A: ") && message.contains("gone.sound"),
            "{message}"
        );
    }

    #[test]
    fn a_preset_that_is_not_there_or_broken_is_an_error() {
        let folders = folders();
        assert!(matches!(
            folders.library.preset("nothing"),
            Err(LibraryError::NoSuchPreset(_))
        ));
        assert!(matches!(
            folders.library.preset("broken"),
            Err(LibraryError::Preset(_))
        ));
    }

    #[test]
    fn folders_that_are_not_there_are_empty_lists() {
        let folders = folders();
        std::fs::remove_dir_all(&folders.factory).unwrap();
        std::fs::remove_dir_all(&folders.user).unwrap();
        assert!(folders.library.sounds().is_empty());
        assert!(folders.library.presets().is_empty());
    }
}
