//! What there is to import in files and folders: recordings, and multisamples, whose recordings become one sound.
//!
//! Background threads. Sorted by name, so that the same folders give the same list. Links to folders are not followed: they may
//! lead back. What is hidden is left out, and so is what is no recording by its name, unless it was named itself.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::ImportRemark;
use crate::audio_file::is_audio_name;
use crate::multisample::{self, Instrument, Kind};

/// What becomes one sound.
#[derive(Debug)]
pub(super) enum Source {
    /// A recording of a note.
    Recording(PathBuf),
    /// Many, mapped to keys by the file or folder.
    Instrument(PathBuf, Box<Instrument>),
}

impl Source {
    /// The file or folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::Recording(path) | Self::Instrument(path, _) => path,
        }
    }

    /// What the sound is called unless it is said.
    pub fn name(&self) -> String {
        match self {
            Self::Recording(path) => path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            Self::Instrument(_, instrument) => instrument.name.clone(),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Each once.
    pub sources: Vec<Source>,
    /// Folders that the system refuses to list, and multisamples that cannot be read.
    pub failures: Vec<ImportRemark>,
    /// What of the multisamples that can be cannot be used.
    pub remarks: Vec<ImportRemark>,
}

impl Walk {
    /// Walks through `sources`; what was found so far if it is called off.
    pub fn through(sources: &[PathBuf], cancel: &AtomicBool) -> Self {
        let mut walk = Self::default();
        for source in sources {
            if source.is_dir() {
                walk.folder(source, cancel);
            } else if multisample::recognise(source).is_none() || walk.multisample(source).is_none() {
                // Whatever it is called, and be it not there: the user named it, and is told.
                walk.sources.push(Source::Recording(source.clone()));
            }
        }
        let mut seen = HashSet::new();
        walk.sources.retain(|source| match source {
            Source::Recording(recording) => seen.insert(recording.clone()),
            Source::Instrument(..) => true,
        });
        walk
    }

    /// Takes in what a multisample maps; none, and why is told, if it cannot be read.
    fn multisample(&mut self, path: &Path) -> Option<Kind> {
        let told = |reason: String| ImportRemark {
            source: path.into(),
            reason,
        };
        match multisample::open(path) {
            Ok(collection) => {
                let skipped = collection.skipped.iter().map(|skipped| told(skipped.to_string()));
                self.remarks.extend(skipped);
                let instruments = collection.instruments.into_iter().map(Box::new);
                self.sources
                    .extend(instruments.map(|instrument| Source::Instrument(path.into(), instrument)));
                self.sources
                    .extend(collection.singles.into_iter().map(Source::Recording));
                Some(collection.kind)
            }
            Err(error) => {
                self.failures.push(told(error.to_string()));
                None
            }
        }
    }

    fn folder(&mut self, folder: &Path, cancel: &AtomicBool) {
        if cancel.load(Ordering::Relaxed) {
            return;
        }
        // Recordings of a mapping that cannot be read are imported one by one.
        let is_mapped = multisample::recognise(folder).and_then(|_| self.multisample(folder));
        if is_mapped.is_some_and(|kind| kind != Kind::NamedFiles) {
            return;
        }
        let mut entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => {
                self.failures.push(ImportRemark {
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
            } else if is_mapped.is_none() && is_audio_name(&path) && path.is_file() {
                self.sources.push(Source::Recording(path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(walk: &Walk) -> Vec<PathBuf> {
        walk.sources
            .iter()
            .map(|source| source.path().to_path_buf())
            .collect()
    }

    #[test]
    fn what_a_mapping_or_its_names_join_is_one_source_and_the_rest_stays_single() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for folder in ["harp/samples", "glass/deep", "bad"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        for name in [
            "harp/samples/one.wav",
            "glass/Glass_C3.wav",
            "glass/Glass_G3.wav",
            "glass/Glass_C4.wav",
            "glass/deep/noise.wav",
            "bad/only.wav",
        ] {
            std::fs::write(root.join(name), "").unwrap();
        }
        std::fs::write(
            root.join("harp/harp.sfz"),
            "<region> sample=samples/one.wav key=60\n<region> key=62",
        )
        .unwrap();
        std::fs::write(root.join("bad/bad.sfz"), "<region> key=60").unwrap();
        let walk = Walk::through(&[root.to_path_buf()], &AtomicBool::new(false));
        let names: Vec<String> = walk.sources.iter().map(Source::name).collect();
        assert_eq!(names, ["only", "Glass", "noise", "harp"], "{:?}", walk.failures);
        assert!(matches!(walk.sources[1], Source::Instrument(..)));
        assert!(
            walk.failures.len() == 1 && walk.failures[0].reason.contains("bad.sfz"),
            "{:?}",
            walk.failures
        );
        assert!(
            walk.remarks.len() == 1 && walk.remarks[0].reason.contains("harp.sfz"),
            "{:?}",
            walk.remarks
        );
    }

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
        assert_eq!(paths(&walk), expected.map(|name| root.join(name)));
        assert_eq!(walk.failures, []);
        cancel.store(true, Ordering::Relaxed);
        assert!(Walk::through(&named[..1], &cancel).sources.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_back_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a.wav"), "").unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("again")).unwrap();
        let walk = Walk::through(&[root.path().to_path_buf()], &AtomicBool::new(false));
        assert_eq!(paths(&walk), [root.path().join("a.wav")]);
    }
}
