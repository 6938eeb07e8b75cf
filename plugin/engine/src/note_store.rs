//! Whole notes on the disk: what was rendered once is not rendered again, in this session or another.
//!
//! One thread, `betwixt-disk`, reads and writes; the scheduler asks and is told, and waits for nothing. A file is named by
//! what it holds (model, sounds, cell, pitch, seed), written under another name and renamed, so that it is whole or not there,
//! and two processes that render one note leave one file. One that is damaged is deleted. Over the size limit the least
//! recently used go.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::SystemTime;

use betwixt_audio::note::NoteKey;
use betwixt_audio::rendered_note::RenderedNote;
use crossbeam::channel::{Receiver, Sender, unbounded};
use sha2::{Digest, Sha256};

use crate::command_queue::{Command, CommandSender};
use crate::library::folder_variable;
use crate::note_file::NoteFile;
use crate::whole_file;

/// The environment variable that names the folder for what can be made again.
pub const CACHE_FOLDER_VARIABLE: &str = "BETWIXT_CACHE";
/// The environment variable that limits what notes may take there, in megabytes.
pub const CACHE_LIMIT_VARIABLE: &str = "BETWIXT_CACHE_MB";
/// What notes may take on the disk unless the user says otherwise.
pub const DEFAULT_DISK_BYTES: u64 = 2_000_000_000;

const NOTES_FOLDER: &str = "notes";
const EXTENSION: &str = "wav";
/// A larger file is no note.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Where whole notes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteShelf {
    /// The folder; made when the first note is kept.
    pub folder: PathBuf,
    /// What notes may take in it.
    pub limit_bytes: u64,
}

impl NoteShelf {
    /// In the user's folder for what can be made again, or where the environment says. None if the system tells none.
    pub fn find() -> Option<Self> {
        let limit = std::env::var(CACHE_LIMIT_VARIABLE)
            .ok()
            .and_then(|megabytes| megabytes.trim().parse::<u64>().ok())
            .map(|megabytes| megabytes.saturating_mul(1_000_000));
        Some(Self {
            folder: cache_folder()?.join(NOTES_FOLDER),
            limit_bytes: limit.unwrap_or(DEFAULT_DISK_BYTES),
        })
    }
}

/// The user's folder for what can be made again, whether it is there or not.
fn cache_folder() -> Option<PathBuf> {
    if let Some(folder) = folder_variable(CACHE_FOLDER_VARIABLE) {
        return Some(folder);
    }
    if cfg!(target_os = "windows") {
        folder_variable("LOCALAPPDATA").map(|folder| folder.join("Betwixt").join("Cache"))
    } else if cfg!(target_os = "macos") {
        folder_variable("HOME").map(|home| home.join("Library/Caches/Betwixt"))
    } else {
        let caches = folder_variable("XDG_CACHE_HOME")
            .or_else(|| folder_variable("HOME").map(|home| home.join(".cache")));
        caches.map(|folder| folder.join("betwixt"))
    }
}

/// The name of a note of a model: two notes with one name have the same samples.
pub(crate) fn note_name(model: u64, key: &NoteKey) -> String {
    let cell = key.strike.timbre.blend;
    let mut hash = Sha256::new();
    hash.update(b"betwixt whole note 1");
    hash.update(model.to_le_bytes());
    hash.update(key.patch.0.to_le_bytes());
    hash.update(cell.x.to_le_bytes());
    hash.update(cell.y.to_le_bytes());
    hash.update(key.pitch_cents.to_le_bytes());
    hash.update(key.seed().to_le_bytes());
    hash.finalize().iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// What the thread is asked.
#[derive(Debug)]
enum Ask {
    /// The note of a key, in chunks of so many samples.
    Load {
        key: NoteKey,
        name: String,
        chunk_samples: usize,
    },
    /// Keep this note.
    Keep { name: String, note: Arc<RenderedNote> },
}

/// The scheduler's end of the thread.
#[derive(Debug)]
pub(crate) struct NoteStore {
    asks: Sender<Ask>,
    thread: JoinHandle<()>,
}

impl NoteStore {
    /// Starts the thread; none if the system gives none.
    pub(crate) fn start(shelf: NoteShelf, scheduler: CommandSender) -> Option<Self> {
        let (asks, incoming) = unbounded();
        let thread = std::thread::Builder::new()
            .name("betwixt-disk".into())
            .spawn(move || Disk::new(shelf).work(&incoming, &scheduler))
            .ok()?;
        Some(Self { asks, thread })
    }

    /// Asks for a note; [`Command::LookedUp`] answers. False if nobody will.
    pub(crate) fn load(&self, key: NoteKey, name: String, chunk_samples: usize) -> bool {
        let ask = Ask::Load {
            key,
            name,
            chunk_samples,
        };
        self.asks.send(ask).is_ok()
    }

    /// Keeps a finished note.
    pub(crate) fn keep(&self, name: String, note: Arc<RenderedNote>) {
        // Without the thread it is rendered again some day.
        let _ = self.asks.send(Ask::Keep { name, note });
    }

    /// Waits until all is kept.
    pub(crate) fn stop(self) {
        drop(self.asks);
        // One that panicked has told.
        let _ = self.thread.join();
    }
}

/// The thread's own things.
struct Disk {
    shelf: NoteShelf,
    /// What the notes take, as far as is known; none before the first look.
    bytes: Option<u64>,
    /// Files that the system refuses: not tried again.
    refused: HashSet<String>,
}

impl Disk {
    fn new(shelf: NoteShelf) -> Self {
        Self {
            shelf,
            bytes: None,
            refused: HashSet::new(),
        }
    }

    fn work(mut self, asks: &Receiver<Ask>, scheduler: &CommandSender) {
        for ask in asks {
            match ask {
                Ask::Load {
                    key,
                    name,
                    chunk_samples,
                } => {
                    let note = self
                        .read(&name)
                        .and_then(|file| rendered(key, &file, chunk_samples));
                    // The scheduler may be gone by now.
                    scheduler.send(Command::LookedUp(key, note));
                }
                Ask::Keep { name, note } => self.keep(&name, &note),
            }
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.shelf.folder.join(name).with_extension(EXTENSION)
    }

    /// The note of a name, which is used now; what is no note is deleted.
    fn read(&self, name: &str) -> Option<NoteFile> {
        let path = self.place(name);
        let size = std::fs::metadata(&path).ok()?.len();
        let note = (size <= MAX_FILE_BYTES)
            .then(|| std::fs::read(&path).ok())
            .flatten()
            .and_then(NoteFile::from_bytes);
        if note.is_some() {
            let used = std::fs::File::options().append(true).open(&path);
            // Where that is not allowed it goes sooner.
            let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
        } else {
            // Rendered again, it is written anew.
            let _ = std::fs::remove_file(&path);
        }
        note
    }

    fn keep(&mut self, name: &str, note: &RenderedNote) {
        if self.refused.contains(name) {
            return;
        }
        let mut samples = vec![0.0; note.available()];
        note.read(0, &mut samples);
        let file = NoteFile {
            sample_rate_hz: note.sample_rate_hz(),
            looped: note.looped().copied(),
            samples,
        };
        let bytes = file.to_bytes();
        let written = std::fs::create_dir_all(&self.shelf.folder)
            .and_then(|()| whole_file::write(&self.place(name), &bytes));
        if written.is_err() {
            // A full disk: the note plays from memory, and is rendered again next time.
            self.refused.insert(name.to_owned());
            return;
        }
        self.bytes = self.bytes.map(|before| before + bytes.len() as u64);
        if self.bytes.is_none_or(|bytes| bytes > self.shelf.limit_bytes) {
            self.tidy();
        }
    }

    /// Counts what is there, and deletes what is over the limit and what nobody will finish.
    fn tidy(&mut self) {
        let mut notes: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.shelf.folder)
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let Ok(found) = entry.metadata() else { continue };
            let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if whole_file::is_abandoned(&entry.file_name(), used) {
                let _ = std::fs::remove_file(&path);
            } else if path.extension().is_some_and(|extension| extension == EXTENSION) {
                notes.push((used, found.len(), path));
            }
        }
        notes.sort();
        let mut bytes: u64 = notes.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in notes {
            if bytes <= self.shelf.limit_bytes {
                break;
            }
            // Another process may have been quicker.
            let _ = std::fs::remove_file(path);
            bytes -= size;
        }
        self.bytes = Some(bytes);
    }
}

/// A finished note of a file.
fn rendered(key: NoteKey, file: &NoteFile, chunk_samples: usize) -> Option<Arc<RenderedNote>> {
    let chunks = file.samples.len().div_ceil(chunk_samples.max(1));
    let (mut writer, note) = RenderedNote::new(key, chunk_samples, chunks, file.sample_rate_hz);
    for chunk in file.samples.chunks(chunk_samples.max(1)) {
        writer.push(chunk.into()).ok()?;
    }
    writer.finish_looped(file.looped);
    Some(note)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::note_cache::tests::key;

    fn note(pitch_cents: i32, samples: usize) -> Arc<RenderedNote> {
        let file = NoteFile {
            sample_rate_hz: 16_000,
            looped: betwixt_audio::note_loop::NoteLoop::new(20, 80, 10, 0.5),
            samples: (0..samples).map(|i| (i as f32 * 0.3).sin()).collect(),
        };
        rendered(key(pitch_cents), &file, 64).unwrap()
    }

    fn disk(folder: &Path, limit_bytes: u64) -> Disk {
        Disk::new(NoteShelf {
            folder: folder.join("notes"),
            limit_bytes,
        })
    }

    fn names(disk: &Disk) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&disk.shelf.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_note_that_was_kept_is_the_note_that_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = disk(root.path(), 1 << 20);
        assert_eq!(disk.read("a"), None);
        let kept = note(6000, 1000);
        disk.keep("a", &kept);
        let back = rendered(key(6000), &disk.read("a").unwrap(), 64).unwrap();
        assert!(back.is_finished() && back.available() == 1000);
        assert_eq!(back.looped(), kept.looped());
        let (mut a, mut b) = (vec![0.0; 1000], vec![0.0; 1000]);
        kept.read(0, &mut a);
        back.read(0, &mut b);
        assert_eq!(a, b);
        assert_eq!(names(&disk), ["a.wav"]);
    }

    #[test]
    fn a_damaged_file_is_deleted() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = disk(root.path(), 1 << 20);
        disk.keep("a", &note(6000, 1000));
        let path = disk.place("a");
        let whole = std::fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", b"RIFF of something else"] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(disk.read("a"), None);
            assert_eq!(names(&disk), [""; 0]);
        }
    }

    #[test]
    fn over_the_limit_the_least_recently_used_go_and_unfinished_ones_of_long_ago() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = disk(root.path(), 10_000);
        for (age, name) in ["old", "older"].into_iter().enumerate() {
            disk.keep(name, &note(6000, 1000));
            let file = std::fs::File::options()
                .append(true)
                .open(disk.place(name))
                .unwrap();
            let ago = Duration::from_secs(1000 * (age as u64 + 1));
            file.set_modified(SystemTime::now() - ago).unwrap();
        }
        let parts = [(".betwixt-a.part", 7200), (".betwixt-b.part", 0)];
        for (part, seconds) in parts {
            let path = disk.shelf.folder.join(part);
            std::fs::write(&path, b"half").unwrap();
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds))
                .unwrap();
        }
        assert!(disk.read("older").is_some(), "and is the younger now");
        disk.keep("new", &note(6000, 1000));
        assert_eq!(names(&disk), [".betwixt-b.part", "new.wav", "older.wav"]);
    }

    #[test]
    fn whatever_tells_notes_apart_names_them_apart() {
        let names: HashSet<String> = [
            note_name(1, &key(6000)),
            note_name(2, &key(6000)),
            note_name(1, &key(6400)),
        ]
        .into();
        assert_eq!(names.len(), 3);
        assert_eq!(note_name(1, &key(6000)), note_name(1, &key(6000)));
    }
}
