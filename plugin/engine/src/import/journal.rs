//! What was imported into a folder before: a line for each sound, added when the sound is there.
//!
//! Background threads. The journal lies in the folder of the sounds. It saves work and proves nothing: without it, or without its
//! last lines after `kill -9`, sounds are encoded again, come out the same, and are found to be there. A line that was cut is no line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encode::{Hints, Label};

/// Its file name.
pub const JOURNAL_NAME: &str = ".betwixt-import";
/// A longer journal is none.
const MAX_BYTES: u64 = 256 << 20;

/// Names a recording with all that decides what sound it becomes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct ImportKey(String);

impl ImportKey {
    /// Of a recording, all of which is read.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: &Path, model: &str, hints: Hints, label: &Label) -> io::Result<Self> {
        let mut hash = begun(model, hints, label);
        let mut file = File::open(file)?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            match file.read(&mut bytes)? {
                0 => break,
                count => hash.update(&bytes[..count]),
            }
        }
        Ok(Self::ended(hash))
    }

    /// Of a multisample, of whose files name, length and time are read: they may be gigabytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_many(files: &[PathBuf], model: &str, hints: Hints, label: &Label) -> io::Result<Self> {
        let mut hash = begun(model, hints, label);
        for file in files {
            let data = std::fs::metadata(file)?;
            let changed = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            for number in [data.len().into(), changed.as_nanos()] {
                hash.update(number.to_le_bytes());
            }
            hash.update(file.as_os_str().as_encoded_bytes());
        }
        Ok(Self::ended(hash))
    }

    fn ended(hash: Sha256) -> Self {
        let digits = hash.finalize();
        Self(digits.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn begun(model: &str, hints: Hints, label: &Label) -> Sha256 {
    let mut hash = Sha256::new();
    // Of this version of what encoding does.
    hash.update(b"betwixt import 1");
    for part in [model, &format!("{hints:?}"), &format!("{label:?}")] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash
}

/// A line of the journal.
#[derive(Serialize, Deserialize)]
struct Line {
    key: ImportKey,
    file: String,
}

/// The journal of a folder.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    known: Mutex<HashMap<ImportKey, String>>,
}

impl Journal {
    /// Reads what is there; what cannot be read is as if it were not.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join(JOURNAL_NAME);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        if read.is_err() {
            bytes.clear();
        }
        let lines = bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
            // A name alone: a journal from elsewhere leads to no other folder.
            .filter(|line| Path::new(&line.file).file_name() == Some(line.file.as_ref()));
        let known = lines.map(|line| (line.key, line.file)).collect();
        Self {
            path,
            known: Mutex::new(known),
        }
    }

    /// The file name of the sound that a recording became.
    pub fn file(&self, key: &ImportKey) -> Option<String> {
        self.known.lock().get(key).cloned()
    }

    /// Adds a sound that is there. Where the system refuses, it is encoded again some day.
    pub fn add(&self, key: ImportKey, file: &str) {
        let line = serde_json::to_string(&Line {
            key: key.clone(),
            file: file.into(),
        });
        let mut known = self.known.lock();
        known.insert(key, file.into());
        let Ok(line) = line else { return };
        let added = File::options().create(true).append(true).open(&self.path);
        // A line feed before it too: another process may have been killed in the middle of a line. In one write, so that
        // the lines of two do not mix.
        let _ = added.and_then(|mut journal| journal.write_all(format!("\n{line}\n").as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str) -> ImportKey {
        ImportKey(name.into())
    }

    #[test]
    fn what_was_added_is_known_and_a_line_that_was_cut_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path());
        assert_eq!(journal.file(&key("a")), None);
        journal.add(key("a"), "a.sound");
        journal.add(key("b"), "b.sound");
        let path = folder.path().join(JOURNAL_NAME);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
        let journal = Journal::open(folder.path());
        assert_eq!(journal.file(&key("a")).as_deref(), Some("a.sound"));
        assert_eq!(journal.file(&key("b")), None);
        journal.add(key("c"), "c.sound");
        let again = Journal::open(folder.path());
        assert_eq!(again.file(&key("c")).as_deref(), Some("c.sound"));
    }

    #[test]
    fn a_journal_leads_to_no_other_folder() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["../x.sound", "/x.sound", "", "..", "a/x.sound"] {
            let line = serde_json::to_string(&Line {
                key: key("a"),
                file: file.into(),
            });
            std::fs::write(folder.path().join(JOURNAL_NAME), line.unwrap()).unwrap();
            assert_eq!(Journal::open(folder.path()).file(&key("a")), None, "{file}");
        }
    }

    #[test]
    fn all_that_decides_the_sound_is_in_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wav");
        std::fs::write(&file, "one").unwrap();
        let label = Label::default();
        let named = Label {
            name: "x".into(),
            ..Label::default()
        };
        let of = |model, hints, label| ImportKey::of(&file, model, hints, label).unwrap();
        let plain = of("m 1", Hints::default(), &label);
        assert_eq!(plain, of("m 1", Hints::default(), &label));
        let others = [
            of("m 2", Hints::default(), &label),
            of("m 1", Hints::of_pitch(Some(60.0)), &label),
            of("m 1", Hints::default(), &named),
        ];
        std::fs::write(&file, "two").unwrap();
        assert!(!others.contains(&plain) && of("m 1", Hints::default(), &label) != plain);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_journal_is_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(JOURNAL_NAME), bytes).unwrap();
            prop_assert_eq!(Journal::open(folder.path()).file(&key("a")), None);
        }
    }
}
