//! The index of the library: everything that can be picked, found as one types, by what it is like, and by what it sounds like.
//!
//! For background threads: calls read files and wait for the disk. Shared as `Arc<Index>`: a thread may rescan while another
//! searches; the lock between them is held for milliseconds. The files are the truth, and the index is brought up to date with
//! them by [`Index::rescan`]; favourites and the like are in `library.toml` ([`marks`](super::marks)). So a database that is
//! broken, locked or not to be written to stops nobody: it is made anew, or the index is in memory. `folders` is where it looks,
//! `likeness` what sounds alike.

mod folders;
mod likeness;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

use super::database::{self, Identity, Opened};
use super::entry::{Entry, EntryId, Filter, Origin};
use super::marks::{Marks, MarksFile};
use super::record::{self, Mark, tags_of, write_mark};
use super::search::{self, Scope, in_roots};
use super::{Library, LibraryError};
use crate::patch::Patch;
use crate::preset::Preset;
use crate::sound::Sound;

use likeness::Compared;

/// The index of a library.
#[derive(Debug)]
pub struct Index {
    library: Library,
    state: Mutex<State>,
    /// What "more like this" compares, once asked for.
    compared: Mutex<Option<Compared>>,
    /// Held by whoever rescans.
    pub(super) rescanning: Mutex<()>,
    wants_rescan: AtomicBool,
    /// Counts what this process wrote of sounds.
    pub(super) writes: AtomicU64,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    trouble: Option<String>,
    identity: Option<Identity>,
    /// The further folders.
    folders: Vec<PathBuf>,
}

impl Index {
    /// Opens the index of a library. Never fails: what is broken is made anew, and where nothing can be kept the index is in memory.
    pub fn open(library: Library) -> Self {
        let opened = database::open(library.user.as_deref());
        let index = Self {
            wants_rescan: AtomicBool::new(opened.is_new),
            state: Mutex::new(State::of(opened)),
            library,
            compared: Mutex::new(None),
            rescanning: Mutex::new(()),
            writes: AtomicU64::new(0),
        };
        index.read_marks();
        index
    }

    /// The folders.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Why nothing of the index is kept for the next time, if so.
    pub fn trouble(&self) -> Option<String> {
        self.state.lock().trouble.clone()
    }

    /// Whether it was made anew since it was last brought up to date, so that there may be nothing in it.
    pub fn wants_rescan(&self) -> bool {
        self.wants_rescan.load(Ordering::Relaxed)
    }

    pub(super) fn has_rescanned(&self) {
        self.wants_rescan.store(false, Ordering::Relaxed);
    }

    /// The best `limit` entries, best first. Every word of the query begins a word of an entry's name, family, tags or author. An empty
    /// query lists all: sounds by family and name, then presets, the factory's first, by name; with [`Filter::is_used`] the last
    /// used first.
    pub fn search(&self, query: &str, filter: &Filter, limit: usize) -> Vec<Entry> {
        self.ask(|connection, scope| search::search(connection, scope, query, filter, limit))
    }

    /// An entry by its name.
    pub fn entry(&self, id: &EntryId) -> Option<Entry> {
        self.ask(|connection, scope| {
            let row = row_of(connection, scope, id)?;
            row.map_or(Ok(None), |row| search::entry_of(connection, row))
        })
    }

    /// The families of the sounds, by name, with how many sounds each has.
    pub fn families(&self) -> Vec<(String, usize)> {
        self.ask(|connection, scope| {
            let sql = format!(
                "SELECT family, count(*) FROM entry WHERE kind = 0 AND family_key <> '' AND {}
                 GROUP BY family_key ORDER BY family_key",
                in_roots(scope)
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let families = statement.query_map([], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
            families.collect()
        })
    }

    /// The tags of everything, the most frequent first, with how many entries each has.
    pub fn tags(&self) -> Vec<(String, usize)> {
        let counts: HashMap<String, usize> = self.ask(|connection, scope| {
            let sql = format!(
                "SELECT tags, count(*) FROM entry WHERE tags <> '' AND {} GROUP BY tags",
                in_roots(scope)
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut counts = HashMap::new();
            while let Some(row) = rows.next()? {
                let entries = count(row.get(1)?);
                for tag in tags_of(&row.get::<_, String>(0)?) {
                    *counts.entry(tag).or_default() += entries;
                }
            }
            Ok(counts)
        });
        let mut tags: Vec<_> = counts.into_iter().collect();
        tags.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        tags
    }

    /// Marks an entry as a favourite, or not. On the disk when this returns.
    ///
    /// # Errors
    /// If `library.toml` cannot be written, or says what cannot be understood; it is as it was then.
    pub fn set_favourite(&self, id: &EntryId, is_favourite: bool) -> Result<(), LibraryError> {
        self.mark(id, |marks| {
            if is_favourite {
                marks.favourites.insert(id.to_string());
            } else {
                marks.favourites.remove(id.as_str());
            }
        })
    }

    /// Notes that an entry was used just now. On the disk when this returns.
    ///
    /// # Errors
    /// As [`Self::set_favourite`].
    pub fn note_used(&self, id: &EntryId) -> Result<(), LibraryError> {
        let seconds = u64::try_from(record::now_ns() / 1_000_000_000).unwrap_or(0);
        self.mark(id, |marks| marks.note_used(id.as_str(), seconds))
    }

    /// Reads a sound.
    ///
    /// # Errors
    /// If it is not there or no sound.
    pub fn sound(&self, id: &EntryId) -> Result<Arc<Sound>, LibraryError> {
        match id.sound_ref() {
            Some(reference) => self.library.sound(&reference),
            None => Ok(Arc::new(Sound::read(Path::new(id.as_str()))?)),
        }
    }

    /// Reads a preset with the sounds of its corners.
    ///
    /// # Errors
    /// If it is not there or no preset, or one of its sounds cannot be read.
    pub fn preset(&self, id: &EntryId) -> Result<(Preset, Patch), LibraryError> {
        let preset = Preset::read(&self.preset_file(id)?)?;
        let patch = self.library.patch(&preset.corners)?;
        Ok((preset, patch))
    }

    /// Where a preset of a name lies, whether it is there or not.
    pub(super) fn preset_file(&self, id: &EntryId) -> Result<PathBuf, LibraryError> {
        let name = id.as_str().split_once('/').map_or("", |(_, name)| name);
        let is_plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']);
        match id.origin() {
            Origin::Folder => Ok(PathBuf::from(id.as_str())),
            _ if !is_plain => Err(LibraryError::NoSuchPreset(id.to_string())),
            Origin::Factory => Ok(self.library.factory.clone()?.join(name)),
            Origin::User => Ok(self.library.user_presets()?.join(name)),
        }
    }

    /// The preset after one, or before it, in the order of the list, round its end; the first (or last) if there is no such preset.
    pub fn preset_beside(&self, id: Option<&EntryId>, is_back: bool) -> Option<Entry> {
        let presets = self.search("", &Filter::presets(), usize::MAX);
        let at = id.and_then(|id| presets.iter().position(|entry| entry.id == *id));
        let count = presets.len();
        let next = match (at, is_back) {
            (Some(at), false) => at + 1,
            (Some(at), true) => at + count - 1,
            (None, false) => 0,
            (None, true) => count.wrapping_sub(1),
        };
        presets.into_iter().nth(next.checked_rem(count)?)
    }

    fn mark(&self, id: &EntryId, change: impl FnOnce(&mut Marks)) -> Result<(), LibraryError> {
        let marks = MarksFile::in_folder(self.user()?).change(change)?;
        let mark = mark_of(&marks, id.as_str());
        // The file is the truth: what the index does not take now, the next rescan brings.
        let _ = self.with(|connection, scope| {
            row_of(connection, scope, id)?.map_or(Ok(()), |row| write_mark(connection, row, mark))
        });
        Ok(())
    }

    /// What the index answers; nothing, if even one in memory does not.
    fn ask<T: Default>(&self, act: impl Fn(&mut Connection, &Scope) -> rusqlite::Result<T>) -> T {
        self.with(act).unwrap_or_default()
    }

    /// Does something with the database. One that turns out to be broken is made anew, one that the disk fails is done without; it is
    /// empty then, and [`Self::wants_rescan`].
    pub(super) fn with<T>(
        &self,
        act: impl Fn(&mut Connection, &Scope) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let roots = self.roots();
        let mut state = self.state.lock();
        let act = |state: &mut State| {
            let scope = scope(&state.connection, &roots)?;
            act(&mut state.connection, &scope)
        };
        for _ in 0..2 {
            match act(&mut state) {
                Err(error) if database::is_busy(&error) => return Err(error),
                Err(error) if database::is_broken(&error) => self.renew(&mut state, &error),
                Err(error) => self.leave_disk(&mut state, &error),
                done => return done,
            }
        }
        act(&mut state)
    }

    /// Makes a broken database anew.
    fn renew(&self, state: &mut State, error: &rusqlite::Error) {
        let identity = state.identity;
        if state.trouble.is_some() {
            return self.leave_disk(state, error);
        }
        // The old connection ends first: a file that is open cannot be removed everywhere.
        state.connection = database::in_memory(String::new()).connection;
        let opened = database::open_instead(self.library.user.as_deref(), Some(identity));
        self.take(state, opened);
    }

    fn leave_disk(&self, state: &mut State, error: &rusqlite::Error) {
        self.take(state, database::in_memory(error.to_string()));
    }

    fn take(&self, state: &mut State, opened: Opened) {
        self.wants_rescan.fetch_or(opened.is_new, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
        let folders = std::mem::take(&mut state.folders);
        *state = State {
            folders,
            ..State::of(opened)
        };
    }

    /// Opens the file anew if another has taken its place, as when another process found it broken.
    pub(super) fn follow_file(&self) {
        let Some(user) = self.library.user.as_deref() else {
            return;
        };
        let mut state = self.state.lock();
        if state.trouble.is_none() && state.identity != database::identity(user) {
            let opened = database::open(Some(user));
            self.take(&mut state, opened);
        }
    }
}

impl State {
    fn of(opened: Opened) -> Self {
        Self {
            connection: opened.connection,
            trouble: opened.trouble,
            identity: opened.identity,
            folders: Vec::new(),
        }
    }
}

/// The rows of this process's folders.
fn scope(connection: &Connection, roots: &[(Origin, PathBuf)]) -> rusqlite::Result<Scope> {
    let mut statement = connection.prepare_cached("SELECT id, folder FROM root ORDER BY id")?;
    let all = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let all = all.collect::<rusqlite::Result<Vec<_>>>()?;
    let is_own = |folder: &str| roots.iter().any(|(_, root)| root == Path::new(folder));
    let own = all.iter().filter(|(_, folder)| is_own(folder));
    let own: Vec<i64> = own.map(|(row, _)| *row).collect();
    Ok(Scope {
        is_all: own.len() == all.len(),
        roots: own,
    })
}

/// The row of an entry.
pub(super) fn row_of(connection: &Connection, scope: &Scope, id: &EntryId) -> rusqlite::Result<Option<i64>> {
    let sql = format!(
        "SELECT id FROM entry WHERE place = ?1 AND kind < 2 AND {}",
        in_roots(scope)
    );
    connection
        .prepare_cached(&sql)?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()
}

/// What the user said of an entry.
pub(super) fn mark_of(marks: &Marks, place: &str) -> Mark {
    let used = marks.used_s.get(place).copied();
    Mark {
        is_favourite: marks.favourites.contains(place),
        used_s: used.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX)),
    }
}

fn count(rows: i64) -> usize {
    usize::try_from(rows).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::tests::{Folders, folders, sound_of};
    use crate::quality::{Qualities, Quality, SourceKind};

    pub(super) fn rescanned(folders: &Folders) -> Index {
        let index = Index::open(Library::in_folders(&folders.factory, &folders.user));
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert_eq!(index.trouble(), None);
        index
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    pub(super) fn id(text: &str) -> EntryId {
        EntryId::from(text.to_owned())
    }

    #[test]
    fn what_is_typed_is_found_in_name_family_and_tags() {
        let folders = folders();
        let mut bell = sound_of("Bell Tree", "mallet");
        bell.tags = vec!["glassy".into(), "bright".into(), "acoustic".into()];
        bell.source = "a Studio".into();
        bell.write(&folders.user.join("sounds/bell.sound")).unwrap();
        let index = rescanned(&folders);
        let found = |query: &str| {
            let entries = index.search(query, &Filter::sounds(), 10);
            entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
        };
        assert_eq!(found("fl"), ["Flute"]);
        assert_eq!(found("mall"), ["Bell Tree", "Bowl"]);
        assert_eq!(found("tree bel"), ["Bell Tree"]);
        assert_eq!(found("GLASS mallet"), ["Bell Tree"]);
        assert_eq!(found("studio"), ["Bell Tree"]);
        assert!(found("bell flute").is_empty());
        let all = index.search("", &Filter::default(), 10);
        assert_eq!(
            names(&all),
            ["Bell Tree", "Bowl", "Alto", "Flute", "Init", "Lost", "Mine"]
        );
        assert_eq!(
            names(&index.search("", &Filter::default(), 2)),
            ["Bell Tree", "Bowl"]
        );
    }

    #[test]
    fn filters_hold_with_and_without_a_query() {
        let folders = folders();
        let mut bell = sound_of("Bell", "Mallet");
        bell.tags = vec!["bright".into(), "fast_decay".into(), "acoustic".into()];
        bell.write(&folders.user.join("sounds/bell.sound")).unwrap();
        let index = rescanned(&folders);
        index.set_favourite(&id("user/bell.sound"), true).unwrap();
        index.note_used(&id("factory/flute.sound")).unwrap();
        let filters = [
            (
                Filter {
                    family: Some("MALLET ".into()),
                    ..Filter::default()
                },
                vec!["Bell", "Bowl"],
            ),
            (
                Filter {
                    qualities: [Quality::Bright, Quality::FastDecay].into_iter().collect(),
                    ..Filter::default()
                },
                vec!["Bell"],
            ),
            (
                Filter {
                    qualities: Qualities::from_iter([Quality::Dark]),
                    ..Filter::default()
                },
                vec![],
            ),
            (
                Filter {
                    source: Some(SourceKind::Acoustic),
                    ..Filter::sounds()
                },
                vec!["Bell"],
            ),
            (
                Filter {
                    is_favourite: true,
                    ..Filter::default()
                },
                vec!["Bell"],
            ),
            (
                Filter {
                    is_used: true,
                    ..Filter::default()
                },
                vec!["Flute"],
            ),
            (
                Filter {
                    origin: Some(Origin::User),
                    ..Filter::sounds()
                },
                vec!["Bell", "Bowl"],
            ),
            (Filter::presets(), vec!["Init", "Lost", "Mine"]),
        ];
        for (filter, expected) in filters {
            assert_eq!(names(&index.search("", &filter, 10)), expected, "{filter:?}");
            for name in ["Bell", "Bowl", "Flute", "Alto", "Init"] {
                let found = index.search(name, &filter, 10);
                let is_expected = expected.contains(&name);
                assert_eq!(names(&found).contains(&name), is_expected, "{name} {filter:?}");
            }
        }
        assert_eq!(
            index.families(),
            [("Mallet".into(), 2), ("voice".into(), 1), ("wind".into(), 1)]
        );
        assert_eq!(index.tags()[0].1, 1);
    }

    #[test]
    fn favourites_outlive_the_database() {
        let folders = folders();
        let index = rescanned(&folders);
        index.set_favourite(&id("user/mine.toml"), true).unwrap();
        index.set_favourite(&id("factory/flute.sound"), true).unwrap();
        index.set_favourite(&id("factory/flute.sound"), false).unwrap();
        index.note_used(&id("factory/alto.sound")).unwrap();
        drop(index);
        for entry in std::fs::read_dir(&folders.user).unwrap().flatten() {
            if entry.file_name().to_string_lossy().contains("sqlite") {
                std::fs::write(entry.path(), "broken").unwrap();
            }
        }
        let index = rescanned(&folders);
        let favourites = Filter {
            is_favourite: true,
            ..Filter::default()
        };
        assert_eq!(names(&index.search("", &favourites, 9)), ["Mine"]);
        assert!(index.entry(&id("factory/alto.sound")).unwrap().used_s > Some(1_500_000_000));
    }

    #[test]
    fn a_database_that_breaks_while_it_is_open_is_made_anew() {
        let folders = folders();
        let index = rescanned(&folders);
        index
            .state
            .lock()
            .connection
            .execute_batch("DROP TABLE descriptor")
            .unwrap();
        assert!(
            index
                .nearest_to(&id("factory/flute.sound"), &Filter::default(), 9)
                .is_empty()
        );
        assert!(index.wants_rescan() && index.trouble().is_none());
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert!(!index.wants_rescan());
        assert_eq!(index.search("flute", &Filter::default(), 9).len(), 1);
    }

    #[test]
    fn two_see_what_each_other_does_and_go_on_when_one_makes_it_anew() {
        let folders = folders();
        let (one, other) = (rescanned(&folders), rescanned(&folders));
        one.set_favourite(&id("user/mine.toml"), true).unwrap();
        assert!(other.entry(&id("user/mine.toml")).unwrap().is_favourite);
        one.state
            .lock()
            .connection
            .execute_batch("DROP TABLE entry")
            .unwrap();
        for index in [&one, &other, &one] {
            index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
            assert_eq!(index.trouble(), None);
            assert!(index.entry(&id("user/mine.toml")).unwrap().is_favourite);
        }
    }

    #[test]
    fn without_a_folder_to_write_to_everything_is_found_and_nothing_is_kept() {
        let folders = folders();
        let file = folders.user.join("file");
        std::fs::write(&file, "").unwrap();
        let index = Index::open(Library::in_folders(&folders.factory, &file.join("user")));
        assert!(index.trouble().is_some() && index.wants_rescan());
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert_eq!(names(&index.search("", &Filter::sounds(), 9)), ["Alto", "Flute"]);
        assert_eq!(
            index
                .nearest_to(&id("factory/flute.sound"), &Filter::default(), 9)
                .len(),
            1
        );
        let refused = index.set_favourite(&id("factory/flute.sound"), true);
        assert!(refused.unwrap_err().to_string().contains("cannot be written"));
    }

    #[test]
    fn presets_go_round() {
        let folders = folders();
        let index = rescanned(&folders);
        let beside = |id: Option<&EntryId>, is_back| index.preset_beside(id, is_back).unwrap();
        let first = beside(None, false);
        assert_eq!(first.name, "Init");
        assert_eq!(beside(Some(&first.id), false).name, "Lost");
        let last = beside(Some(&first.id), true);
        assert_eq!(last.name, "Mine");
        assert_eq!(beside(Some(&last.id), false), first);
        assert_eq!(beside(Some(&id("user/gone.toml")), true), last);
        assert_eq!(
            index.preset(&last.id).unwrap().1.corners()[0]
                .as_ref()
                .unwrap()
                .name,
            "Bowl"
        );
        assert!(index.preset(&id("user/../presets/mine.toml")).is_err());
        let empty = Index::open(Library::in_folders(
            Path::new("/nowhere"),
            &folders.user.join("new"),
        ));
        assert!(empty.preset_beside(None, true).is_none());
    }
}
