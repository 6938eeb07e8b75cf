//! The index of the library: everything that can be picked, found as one types, by what it is like, and by what it sounds like.
//!
//! For background threads: calls read files and wait for the disk. Shared as `Arc<Index>`: a thread may rescan while another
//! searches; the lock between them is held for milliseconds. The files are the truth, and the index is brought up to date with
//! them by [`Index::rescan`]; favourites and the like are in `library.toml` ([`marks`](super::marks)). So a database that is
//! broken, locked or not to be written to stops nobody: it is made anew, or the index is in memory.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

use super::database::{self, Identity, Opened};
use super::descriptor::{Descriptors, describe};
use super::entry::{Entry, EntryId, EntryKind, Filter, Origin};
use super::marks::{Marks, MarksFile};
use super::record::{self, Mark, content_of, tags_of, write_mark};
use super::search::{self, Scope, in_roots};
use super::{Library, LibraryError};
use crate::patch::Patch;
use crate::preset::Preset;
use crate::sound::Sound;

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

#[derive(Debug)]
struct Compared {
    /// Of the database, by which another process's writing is seen, and of this process.
    version: (i64, u64),
    by_model: HashMap<String, Descriptors>,
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

    /// The nearest sounds ("more like this"), nearest first, with their distance: 0 is the same, two of the library's sounds are about 1
    /// apart. Only sounds of the same model are compared; those with the same contents are left out.
    pub fn nearest(&self, sound: &Sound, filter: &Filter, limit: usize) -> Vec<(Entry, f32)> {
        let vector = describe(sound);
        let content = content_of(sound);
        let near = self.ask(|connection, scope| {
            let mut compared = self.compared.lock();
            let compared = self.up_to_date(connection, scope, &mut compared)?;
            let Some(descriptors) = compared.by_model.get(&sound.model) else {
                return Ok(Vec::new());
            };
            let everything = Filter {
                kind: None,
                ..filter.clone()
            } == Filter::default();
            let admitted = if everything {
                None
            } else {
                search::admitted(connection, scope, filter)?
            };
            let admitted: Option<HashSet<i64>> = admitted.map(|rows| rows.into_iter().collect());
            let is_admitted = |row: i64| admitted.as_ref().is_none_or(|rows| rows.contains(&row));
            let near = descriptors.nearest(&vector, content, limit, is_admitted);
            near.into_iter()
                .map(|near| {
                    let entry = search::entry_of(connection, near.row)?;
                    Ok(entry.map(|entry| (entry, near.distance)))
                })
                .filter_map(Result::transpose)
                .collect()
        });
        match filter.kind {
            Some(EntryKind::Preset) => Vec::new(),
            _ => near,
        }
    }

    /// The nearest sounds to one of the library's; none if it cannot be read.
    pub fn nearest_to(&self, id: &EntryId, filter: &Filter, limit: usize) -> Vec<(Entry, f32)> {
        self.sound(id)
            .map(|sound| self.nearest(&sound, filter, limit))
            .unwrap_or_default()
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
    pub(super) fn roots(&self) -> Vec<(Origin, PathBuf)> {
        let factory = self.library.factory.iter().cloned();
        let user = self.library.user.iter().cloned();
        let factory = factory.map(|folder| (Origin::Factory, folder));
        let user = user.map(|folder| (Origin::User, folder));
        let further = self.folders().into_iter().map(|folder| (Origin::Folder, folder));
        factory.chain(user).chain(further).collect()
    }

    /// The user's folder.
    pub(super) fn user(&self) -> Result<&Path, LibraryError> {
        self.library.user.as_deref().ok_or(LibraryError::NoUserFolder)
    }

    /// What `library.toml` says; none if it cannot be understood, and then what is known of it stays.
    pub(super) fn read_marks(&self) -> Option<Marks> {
        let marks = MarksFile::in_folder(self.library.user.as_deref()?).read().ok()?;
        self.keep_folders(marks.clone());
        Some(marks)
    }

    fn keep_folders(&self, marks: Marks) {
        self.state.lock().folders = marks.folders.into_iter().collect();
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

    /// The descriptors as they are now.
    fn up_to_date<'a>(
        &self,
        connection: &Connection,
        scope: &Scope,
        compared: &'a mut Option<Compared>,
    ) -> rusqlite::Result<&'a Compared> {
        let others = connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        let version = (others, self.writes.load(Ordering::Relaxed));
        let is_current = compared
            .as_ref()
            .is_some_and(|compared| compared.version == version);
        if !is_current {
            *compared = None;
        }
        let load = || -> rusqlite::Result<Compared> {
            let sql = format!(
                "SELECT entry.id, content, model, vector FROM descriptor JOIN entry ON entry.id = descriptor.id
                 WHERE {} ORDER BY entry.id",
                in_roots(scope)
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut by_model: HashMap<String, Vec<(i64, i64, Vec<u8>)>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let sound = (row.get(0)?, row.get(1)?, row.get(3)?);
                let model = row.get_ref(2)?.as_str().unwrap_or_default();
                match by_model.get_mut(model) {
                    Some(sounds) => sounds.push(sound),
                    None => {
                        by_model.insert(model.to_owned(), vec![sound]);
                    }
                }
            }
            let by_model = by_model.into_iter();
            let by_model = by_model.map(|(model, sounds)| (model, Descriptors::new(sounds.into_iter())));
            Ok(Compared {
                version,
                by_model: by_model.collect(),
            })
        };
        match compared {
            Some(compared) => Ok(compared),
            none => Ok(none.insert(load()?)),
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
    use crate::embedding::Embedding;
    use crate::library::tests::{Folders, folders, sound_of};
    use crate::quality::{Qualities, Quality, SourceKind};

    fn rescanned(folders: &Folders) -> Index {
        let index = Index::open(Library::in_folders(&folders.factory, &folders.user));
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert_eq!(index.trouble(), None);
        index
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    fn id(text: &str) -> EntryId {
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
    fn the_nearest_sounds_come_first_and_of_the_same_model_only() {
        let folders = folders();
        for (n, value) in [0.1, 0.9, 0.3, 0.5].into_iter().enumerate() {
            let mut sound = sound_of(&format!("S{n}"), if n == 3 { "odd" } else { "even" });
            sound.embedding = Embedding::new(2, vec![value; 8]).unwrap();
            sound
                .write(&folders.user.join(format!("sounds/s{n}.sound")))
                .unwrap();
        }
        let mut other = sound_of("Other", "");
        other.model = "another 1".into();
        other.write(&folders.user.join("sounds/other.sound")).unwrap();
        let index = rescanned(&folders);
        let near = |filter: &Filter| {
            let near = index.nearest_to(&id("user/s0.sound"), filter, 9);
            assert!(near.windows(2).all(|pair| pair[0].1 <= pair[1].1));
            near.into_iter().map(|(entry, _)| entry.name).collect::<Vec<_>>()
        };
        let all = near(&Filter::default());
        assert_eq!(all.len(), 6, "{all:?}");
        assert_eq!((all[5].as_str(), all[4].as_str()), ("S1", "S3"));
        let odd = Filter {
            family: Some("odd".into()),
            ..Filter::sounds()
        };
        assert_eq!(near(&odd), ["S3"]);
        // What is new is compared too.
        let mut same = sound_of("Same", "even");
        same.embedding = Embedding::new(2, vec![0.1; 8]).unwrap();
        same.write(&folders.user.join("sounds/same.sound")).unwrap();
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert_eq!(near(&Filter::default())[0], "Same");
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
