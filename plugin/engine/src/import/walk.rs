//! Which recordings there are in the files and folders that are to be imported.
//!
//! Background threads. Sorted by name, so that the same folders give the same list. Links to folders are not followed: they may
//! lead back. What is hidden is left out, and so is what is no recording by its name, unless it was named itself.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::ImportFailure;
use crate::audio_file::is_audio_name;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// The recordings, each once.
    pub recordings: Vec<PathBuf>,
    /// Folders that the system refuses to list.
    pub failures: Vec<ImportFailure>,
}

impl Walk {
    /// Walks through `sources`; what was found so far if it is called off.
    pub fn through(sources: &[PathBuf], cancel: &AtomicBool) -> Self {
        let mut walk = Self::default();
        for source in sources {
            if source.is_dir() {
                walk.folder(source, cancel);
            } else {
                // Whatever it is called, and be it not there: the user named it, and is told.
                walk.recordings.push(source.clone());
            }
        }
        let mut seen = HashSet::new();
        walk.recordings.retain(|recording| seen.insert(recording.clone()));
        walk
    }

    fn folder(&mut self, folder: &Path, cancel: &AtomicBool) {
        if cancel.load(Ordering::Relaxed) {
            return;
        }
        let mut entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => {
                self.failures.push(ImportFailure {
                    source: folder.into(),
                    reason: format!("{}: cannot be read: {error}", folder.display()),
                });
                return;
            }
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            // Among the hidden are the second halves that macOS leaves on foreign disks: `._flute.wav`.
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.folder(&path, cancel);
            } else if is_audio_name(&path) && path.is_file() {
                self.recordings.push(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_found_in_order_and_once() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("b/deep")).unwrap();
        std::fs::create_dir_all(root.join(".hidden")).unwrap();
        for name in [
            "z.wav",
            "a.FLAC",
            "b/one.ogg",
            "b/deep/two.aif",
            "b/._one.ogg",
            ".hidden/x.wav",
            "notes.txt",
            "letter",
        ] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let cancel = AtomicBool::new(false);
        let named = [root.to_path_buf(), root.join("letter"), root.join("a.FLAC")];
        let walk = Walk::through(&named, &cancel);
        let expected = ["a.FLAC", "b/deep/two.aif", "b/one.ogg", "z.wav", "letter"];
        assert_eq!(walk.recordings, expected.map(|name| root.join(name)));
        assert_eq!(walk.failures, []);
        cancel.store(true, Ordering::Relaxed);
        assert!(Walk::through(&named[..1], &cancel).recordings.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_back_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a.wav"), "").unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("again")).unwrap();
        let walk = Walk::through(&[root.path().to_path_buf()], &AtomicBool::new(false));
        assert_eq!(walk.recordings, [root.path().join("a.wav")]);
    }
}
