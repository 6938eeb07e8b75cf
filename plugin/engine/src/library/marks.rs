//! `library.toml`: what the user has told the library, and nothing else holds: further folders, favourites, what was used when.
//!
//! Background threads. A short file that a person can read and write, in the user's folder. The index copies from it and is
//! never needed for it: whatever becomes of the index, this stays. It is read, changed and written under a lock that other
//! processes wait for, and written whole or not at all. A file that cannot be understood is left as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::whole_file;

/// The file's name, in the user's folder.
pub const MARKS_NAME: &str = "library.toml";
/// Format that this version writes, and the newest that it reads.
pub const MARKS_FORMAT: u32 = 1;
/// Longest file that is read, in bytes: some 100,000 favourites.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// What was used before these is forgotten.
const MAX_USED: usize = 1000;
/// Locked while the file is changed; it stays, as a lock has no other place that all systems share.
const LOCK_NAME: &str = ".betwixt-library.lock";
/// Other processes hold the lock for some milliseconds.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const WAIT_STEP: Duration = Duration::from_millis(5);

/// What the file says. Entries are named as [`EntryId`](super::entry::EntryId) has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// [`MARKS_FORMAT`] of the version that wrote it.
    pub format: u32,
    /// Further folders to look for sounds and presets in, absolute.
    #[serde(default)]
    pub folders: BTreeSet<PathBuf>,
    /// The favourites.
    #[serde(default)]
    pub favourites: BTreeSet<String>,
    /// When something was last used, in seconds since 1970.
    #[serde(default)]
    pub used_s: BTreeMap<String, u64>,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            format: MARKS_FORMAT,
            folders: BTreeSet::new(),
            favourites: BTreeSet::new(),
            used_s: BTreeMap::new(),
        }
    }
}

/// Why the file could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum MarksError {
    /// The system refused.
    #[error("{}: cannot be {action}: {source}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// "read" or "written".
        action: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The text is not what this file holds.
    #[error("{}: {source}", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: MarksContentError,
    },
    /// Another process changes it, and does not end.
    #[error("{}: another program has held it for {} s", .file.display(), LONGEST_WAIT.as_secs())]
    Held {
        /// The file.
        file: PathBuf,
    },
}

/// What is wrong with the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarksContentError {
    /// Far too long.
    #[error("has {0} bytes; expected at most {MAX_FILE_BYTES}")]
    TooLong(u64),
    /// No text.
    #[error("is no UTF-8 text")]
    NotText,
    /// No TOML, or a field is missing, unknown or of another type.
    #[error("is no list of folders, favourites and what was used: {0}")]
    Toml(String),
    /// Of a later Betwixt.
    #[error("its `format` is {found}; this version reads 1 to {MARKS_FORMAT}")]
    Format {
        /// What the file says.
        found: u32,
    },
}

impl Marks {
    /// Parses the bytes of the file.
    ///
    /// # Errors
    /// If they say something else; the message names the field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MarksContentError> {
        /// Read first, so that a later format is told as such and not by a field it has more.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let text = std::str::from_utf8(bytes).map_err(|_| MarksContentError::NotText)?;
        let toml_error =
            |error: toml::de::Error| MarksContentError::Toml(error.to_string().trim_end().to_owned());
        let found = toml::from_str::<Format>(text).map_err(toml_error)?.format;
        if !(1..=MARKS_FORMAT).contains(&found) {
            return Err(MarksContentError::Format { found });
        }
        toml::from_str(text).map_err(toml_error)
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("texts, numbers and Unicode paths are TOML")
    }

    /// Notes that something was used.
    pub(crate) fn note_used(&mut self, id: &str, seconds: u64) {
        self.used_s.insert(id.to_owned(), seconds);
        while self.used_s.len() > MAX_USED {
            let longest_ago = self.used_s.iter().min_by_key(|(_, seconds)| **seconds);
            let Some(id) = longest_ago.map(|(id, _)| id.clone()) else {
                return;
            };
            self.used_s.remove(&id);
        }
    }

    /// Gives the marks of one name to another.
    pub(crate) fn rename(&mut self, old: &str, new: &str) {
        if self.favourites.remove(old) {
            self.favourites.insert(new.to_owned());
        }
        if let Some(seconds) = self.used_s.remove(old) {
            self.used_s.insert(new.to_owned(), seconds);
        }
    }
}

/// The file in a user's folder.
#[derive(Debug, Clone)]
pub(crate) struct MarksFile {
    folder: PathBuf,
}

impl MarksFile {
    /// The file of this user's folder, whether it is there or not.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join(MARKS_NAME)
    }

    /// What it says; nothing if it is not there.
    ///
    /// # Errors
    /// If it cannot be read, or says something else.
    pub(crate) fn read(&self) -> Result<Marks, MarksError> {
        let file = self.file();
        let content = |source| MarksError::Content {
            file: self.file(),
            source,
        };
        let read = || {
            let length = fs::metadata(&file)?.len();
            if length > MAX_FILE_BYTES {
                return Ok(Err(MarksContentError::TooLong(length)));
            }
            fs::read(&file).map(Ok)
        };
        match read() {
            Ok(Ok(bytes)) => Marks::from_bytes(&bytes).map_err(content),
            Ok(Err(error)) => Err(content(error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Marks::default()),
            Err(source) => Err(MarksError::File {
                file,
                action: "read",
                source,
            }),
        }
    }

    /// Changes what it says, whoever else does so; on the disk when this returns.
    ///
    /// # Errors
    /// If it cannot be read or written, or another process does not let go of it; then it is as it was.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Marks)) -> Result<Marks, MarksError> {
        let failed = |source| MarksError::File {
            file: self.file(),
            action: "written",
            source,
        };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let _lock = self.lock()?;
        let before = self.read()?;
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            whole_file::write(&self.file(), after.to_toml().as_bytes()).map_err(failed)?;
        }
        Ok(after)
    }

    /// Waits until no other process changes what lies in the folder. Whoever dies lets go.
    ///
    /// # Errors
    /// If the folder cannot be written to, or one waits for too long.
    pub(crate) fn lock(&self) -> Result<File, MarksError> {
        let failed = |source| MarksError::File {
            file: self.folder.join(LOCK_NAME),
            action: "written",
            source,
        };
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join(LOCK_NAME))
            .map_err(failed)?;
        let began = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if began.elapsed() < LONGEST_WAIT => {
                    std::thread::sleep(WAIT_STEP);
                }
                Err(TryLockError::WouldBlock) => return Err(MarksError::Held { file: self.file() }),
                // A file system without locks: files are whole even so.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(lock);
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = r#"
format = 1
folders = ["/music/sounds"]
favourites = ["factory/flute.sound", "user/mine.toml"]

[used_s]
"factory/flute.sound" = 1795406400
"#;

    #[test]
    fn a_person_can_write_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MARKS_NAME), TEXT).unwrap();
        let file = MarksFile::in_folder(folder.path());
        let marks = file.read().unwrap();
        assert!(marks.favourites.contains("user/mine.toml"));
        assert_eq!(marks.used_s["factory/flute.sound"], 1_795_406_400);
        assert_eq!(
            file.change(|marks| marks.rename("factory/flute.sound", "user/x.sound"))
                .unwrap(),
            file.read().unwrap()
        );
        assert!(file.read().unwrap().used_s.contains_key("user/x.sound"));
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing_and_one_that_is_broken_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = MarksFile::in_folder(&folder.path().join("new"));
        assert_eq!(file.read().unwrap(), Marks::default());
        file.change(|marks| marks.note_used("user/x.sound", 3)).unwrap();
        assert_eq!(file.read().unwrap().used_s["user/x.sound"], 3);
        let path = folder.path().join("new").join(MARKS_NAME);
        fs::write(&path, "favourites = 3").unwrap();
        let message = file
            .change(|marks| marks.note_used("a", 1))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(MARKS_NAME) && message.contains("format"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "favourites = 3");
    }

    #[test]
    fn what_was_used_longest_ago_is_forgotten() {
        let mut marks = Marks::default();
        for seconds in 0..=MAX_USED as u64 {
            marks.note_used(&format!("user/{seconds}.sound"), seconds);
        }
        assert_eq!(marks.used_s.len(), MAX_USED);
        assert!(!marks.used_s.contains_key("user/0.sound"));
    }

    #[test]
    fn nobodys_change_is_lost_when_many_change_it_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let file = MarksFile::in_folder(folder.path());
                scope.spawn(move || {
                    for n in 0..10 {
                        file.change(|marks| {
                            marks.favourites.insert(format!("user/{thread}-{n}.sound"));
                        })
                        .unwrap();
                    }
                });
            }
        });
        let marks = MarksFile::in_folder(folder.path()).read().unwrap();
        assert_eq!(marks.favourites.len(), 40);
    }

    #[test]
    fn a_later_format_is_told_as_such() {
        let message = Marks::from_bytes(b"format = 2\nstars = 5")
            .unwrap_err()
            .to_string();
        assert_eq!(message, "its `format` is 2; this version reads 1 to 1");
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_as_it_was_read(cut in 0..200_usize, at in 0..200_usize, value in any::<u8>()) {
            let mut bytes = TEXT.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(cut);
            if let Ok(marks) = Marks::from_bytes(&bytes) {
                prop_assert_eq!(Marks::from_bytes(marks.to_toml().as_bytes()).unwrap(), marks);
            }
        }

        #[test]
        fn any_name_comes_back(name in ".{0,40}", seconds in 0..u64::from(u32::MAX)) {
            let mut marks = Marks::default();
            marks.favourites.insert(name.clone());
            marks.note_used(&name, seconds);
            prop_assert_eq!(Marks::from_bytes(marks.to_toml().as_bytes()).unwrap(), marks);
        }
    }
}
