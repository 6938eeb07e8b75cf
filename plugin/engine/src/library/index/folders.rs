//! Where the index looks: the factory's folder, the user's, and those that the user added, which `library.toml` names.

use std::path::{Path, PathBuf};

use super::Index;
use crate::library::LibraryError;
use crate::library::entry::Origin;
use crate::library::marks::{Marks, MarksFile};

impl Index {
    /// The further folders that the user added.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.state.lock().folders.clone()
    }

    /// Adds a folder to look for sounds and presets in, with all that lie in it. What is in it is found by the next rescan.
    ///
    /// # Errors
    /// If it is no folder, one of the library's already, or `library.toml` cannot be written.
    pub fn add_folder(&self, folder: &Path) -> Result<(), LibraryError> {
        let refused = |reason: &str| LibraryError::Folder {
            folder: folder.to_owned(),
            reason: reason.into(),
        };
        let absolute = std::path::absolute(folder).map_err(|error| refused(&error.to_string()))?;
        if !absolute.is_dir() {
            return Err(refused("is no folder"));
        }
        if absolute.to_str().is_none() {
            return Err(refused("has a name that is not Unicode"));
        }
        if self.roots().iter().any(|(_, root)| absolute.starts_with(root)) {
            return Err(refused("is in the library already"));
        }
        self.keep_folders(MarksFile::in_folder(self.user()?).change(|marks| {
            marks.folders.insert(absolute);
        })?);
        Ok(())
    }

    /// Takes a further folder out of the library; what lies in it is left alone.
    ///
    /// # Errors
    /// If it is not one of them, or `library.toml` cannot be written.
    pub fn remove_folder(&self, folder: &Path) -> Result<(), LibraryError> {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let mut was_there = false;
        let marks = MarksFile::in_folder(self.user()?).change(|marks| {
            was_there = marks.folders.remove(&absolute);
        })?;
        self.keep_folders(marks);
        if was_there {
            Ok(())
        } else {
            Err(LibraryError::Folder {
                folder: absolute,
                reason: "is none of the library's further folders".into(),
            })
        }
    }

    /// The folders that are looked through, and whose each is.
    pub(in crate::library) fn roots(&self) -> Vec<(Origin, PathBuf)> {
        let factory = self.library.factory.iter().cloned();
        let user = self.library.user.iter().cloned();
        let factory = factory.map(|folder| (Origin::Factory, folder));
        let user = user.map(|folder| (Origin::User, folder));
        let further = self.folders().into_iter().map(|folder| (Origin::Folder, folder));
        factory.chain(user).chain(further).collect()
    }

    /// The user's folder.
    pub(in crate::library) fn user(&self) -> Result<&Path, LibraryError> {
        self.library.user.as_deref().ok_or(LibraryError::NoUserFolder)
    }

    /// What `library.toml` says; none if it cannot be understood, and then what is known of it stays.
    pub(in crate::library) fn read_marks(&self) -> Option<Marks> {
        let marks = MarksFile::in_folder(self.library.user.as_deref()?).read().ok()?;
        self.keep_folders(marks.clone());
        Some(marks)
    }

    fn keep_folders(&self, marks: Marks) {
        self.state.lock().folders = marks.folders.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::library::entry::Filter;
    use crate::library::index::tests::rescanned;
    use crate::library::tests::{folders, sound_of};

    #[test]
    fn further_folders_are_looked_through_whole_and_left_when_they_are_taken_out() {
        let folders = folders();
        let further = tempfile::tempdir().unwrap();
        let deep = further.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        sound_of("Deep", "far").write(&deep.join("deep.sound")).unwrap();
        std::fs::write(deep.join("Cargo.toml"), "[package]").unwrap();
        let index = rescanned(&folders);
        index.add_folder(further.path()).unwrap();
        assert!(
            index
                .add_folder(&deep)
                .unwrap_err()
                .to_string()
                .contains("already")
        );
        assert!(index.add_folder(&deep.join("deep.sound")).is_err());
        let report = index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert_eq!((report.added, report.unreadable.len()), (1, 2));
        let entry = index.search("deep", &Filter::default(), 9).remove(0);
        assert_eq!(entry.origin, Origin::Folder);
        assert_eq!(index.sound(&entry.id).unwrap().name, "Deep");
        index.set_favourite(&entry.id, true).unwrap();
        // Another index on the same folders knows them.
        assert_eq!(rescanned(&folders).folders(), [further.path()]);
        index.remove_folder(further.path()).unwrap();
        assert!(index.search("deep", &Filter::default(), 9).is_empty());
        assert!(index.remove_folder(further.path()).is_err());
    }
}
