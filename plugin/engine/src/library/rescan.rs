//! Bringing the index up to date with the folders: what is new or changed is read, what is gone is taken out.
//!
//! A background thread, with progress and cancel; searches go on meanwhile. A file that looks as it did when it was read (size and
//! time) is not read again. Every batch that was written stays, whatever happens to the process after. One process rescans at a
//! time; another waits, and then has little left to do.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::LibraryError;
use super::database;
use super::entry::{EntryId, EntryKind, Origin};
use super::index::{Index, mark_of, row_of};
use super::marks::Marks;
use super::record::{self, Found, Record, Stamp, kind_of, now_ns};
use super::search::{Scope, in_roots};
use crate::whole_file;

/// Files of a transaction: some milliseconds, in which searches of this process wait.
const BATCH: usize = 64;
/// A file that was changed this shortly before it was read may be changed again without looking so: it is read again the next time.
const UNSETTLED_NS: i64 = 2_000_000_000;
/// Folders in folders.
const MOST_DEPTH: usize = 16;
/// Locked by the process that rescans.
const LOCK_NAME: &str = ".betwixt-rescan.lock";
const WAIT_STEP: Duration = Duration::from_millis(20);
/// Whoever holds the lock longer has stopped. Two that rescan at once do each other no harm, only work twice.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How far a rescan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RescanProgress {
    /// Files that were read.
    pub done: usize,
    /// Files that are to be read.
    pub total: usize,
}

/// What a rescan found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RescanReport {
    /// Files that were not there the last time.
    pub added: usize,
    /// Files that hold something else than the last time.
    pub changed: usize,
    /// Files that are gone.
    pub removed: usize,
    /// Files that are as they were.
    pub unchanged: usize,
    /// Files that are no sounds or presets though their names say so, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Whether it was called off before its end.
    pub was_cancelled: bool,
}

impl RescanReport {
    /// Whether a list from before may be out of date.
    pub fn has_changed(&self) -> bool {
        self.added + self.changed + self.removed > 0
    }
}

impl Index {
    /// Brings the index up to date with the folders. `progress` is told after every batch; `cancel` ends it before the next
    /// file, and what was read until then is kept.
    ///
    /// # Errors
    /// If other processes keep the database for themselves. What the folders hold is never the reason: what cannot be read is in the report.
    pub fn rescan(
        &self,
        progress: &mut dyn FnMut(RescanProgress),
        cancel: &AtomicBool,
    ) -> Result<RescanReport, LibraryError> {
        let _one_of_this_process = self.rescanning.lock();
        let _one_of_all = self.wait_for_others(cancel);
        self.follow_file();
        let mut report = RescanReport::default();
        // Twice, if it was broken or lost on the way: then it is empty, and all is read.
        for _ in 0..2 {
            report = self.rescan_once(progress, cancel)?;
            if report.was_cancelled {
                break;
            }
            if !self.is_empty_by_accident(&report) {
                self.has_rescanned();
                break;
            }
        }
        Ok(report)
    }

    /// Whether the database was made anew while it was filled.
    fn is_empty_by_accident(&self, report: &RescanReport) -> bool {
        let rows = self.with(|connection, scope| {
            let sql = format!("SELECT count(*) FROM entry WHERE {}", in_roots(scope));
            connection.query_row(&sql, [], |row| row.get::<_, i64>(0))
        });
        let read = report.added + report.changed + report.unchanged + report.unreadable.len();
        rows.is_ok_and(|rows| usize::try_from(rows).unwrap_or(0) < read)
    }

    fn rescan_once(
        &self,
        progress: &mut dyn FnMut(RescanProgress),
        cancel: &AtomicBool,
    ) -> Result<RescanReport, LibraryError> {
        let mut report = RescanReport::default();
        let marks = self.read_marks();
        let began_ns = now_ns();
        let found = self.find_files()?;
        let known = self.read(known)?;
        let mut gone: HashSet<i64> = known.values().map(|known| known.row).collect();
        let mut new = Vec::new();
        for mut file in found {
            let before = known.get(&(file.root, file.id.to_string()));
            if let Some(before) = before {
                gone.remove(&before.row);
            }
            if let Some(before) = before.filter(|before| before.stamp == file.stamp) {
                report.unchanged += usize::from(!before.is_unreadable);
                continue;
            }
            if began_ns.saturating_sub(file.stamp.changed_ns) < UNSETTLED_NS {
                file.stamp.changed_ns = 0;
            }
            new.push((file, before.is_some()));
        }
        let total = new.len();
        let mut done = 0;
        progress(RescanProgress { done, total });
        while done < total && !cancel.load(Ordering::Relaxed) {
            let batch = &new[done..total.min(done + BATCH)];
            let mut records = Vec::new();
            for (file, was_there) in batch {
                if cancel.load(Ordering::Relaxed) {
                    break;
                }
                done += 1;
                records.extend(Record::read(file.clone()).map(|record| (record, *was_there)));
            }
            self.write_records(&records, marks.as_ref(), &mut report)?;
            progress(RescanProgress { done, total });
        }
        if cancel.load(Ordering::Relaxed) {
            report.was_cancelled = true;
            return Ok(report);
        }
        let gone: Vec<i64> = gone.into_iter().collect();
        report.removed = gone.len();
        for rows in gone.chunks(BATCH) {
            self.write(|connection, _| rows.iter().try_for_each(|row| record::remove(connection, *row)))?;
        }
        if let Some(marks) = &marks {
            self.write(|connection, scope| take_marks(connection, scope, marks))?;
        }
        report.unreadable = self.read(unreadable)?;
        Ok(report)
    }

    fn write_records(
        &self,
        records: &[(Record, bool)],
        marks: Option<&Marks>,
        report: &mut RescanReport,
    ) -> Result<(), LibraryError> {
        let no_marks = Marks::default();
        let marks = marks.unwrap_or(&no_marks);
        let is_new = self.write(|connection, _| {
            let written = records
                .iter()
                .map(|(record, _)| record.write(connection, mark_of(marks, record.place())));
            written.collect::<rusqlite::Result<Vec<bool>>>()
        })?;
        for ((record, was_there), is_new) in records.iter().zip(is_new) {
            match (is_new, was_there) {
                _ if record.is_unreadable() => {}
                (false, _) => report.unchanged += 1,
                (true, true) => report.changed += 1,
                (true, false) => report.added += 1,
            }
        }
        Ok(())
    }

    /// Writes to the database, all or nothing.
    pub(super) fn write<T>(
        &self,
        act: impl Fn(&Connection, &Scope) -> rusqlite::Result<T>,
    ) -> Result<T, LibraryError> {
        let done = self.with(|connection, scope| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = act(&transaction, scope)?;
            transaction.commit()?;
            Ok(done)
        });
        self.writes.fetch_add(1, Ordering::Relaxed);
        done.map_err(refused)
    }

    fn read<T>(&self, act: impl Fn(&Connection, &Scope) -> rusqlite::Result<T>) -> Result<T, LibraryError> {
        self.with(|connection, scope| act(connection, scope))
            .map_err(refused)
    }

    /// Takes up single files at once, as after they were written: those that are gone are taken out.
    pub(super) fn take_up(&self, files: &[(Origin, PathBuf)]) -> Result<(), LibraryError> {
        let marks = self.read_marks();
        let roots = self.write_roots()?;
        let mut records = Vec::new();
        for (origin, file) in files {
            let root = roots
                .iter()
                .find(|(_, of, folder)| of == origin && file.starts_with(folder));
            let (Some((root, ..)), Some(id)) = (root, EntryId::of_file(*origin, file)) else {
                continue;
            };
            match found_at(*root, *origin, file) {
                Some(mut found) => {
                    found.stamp.changed_ns = 0;
                    records.extend(Record::read(found).map(|record| (record, false)));
                }
                None => self.write(|connection, scope| {
                    let row = row_of(connection, scope, &id)?;
                    row.map_or(Ok(()), |row| record::remove(connection, row))
                })?,
            }
        }
        self.write_records(&records, marks.as_ref(), &mut RescanReport::default())
    }

    /// Every file that may be a sound or a preset, in an order that does not change.
    fn find_files(&self) -> Result<Vec<Found>, LibraryError> {
        let roots = self.write_roots()?;
        let own: Vec<&Path> = roots
            .iter()
            .filter(|(_, origin, _)| *origin != Origin::Folder)
            .map(|(.., folder)| folder.as_path())
            .collect();
        let mut found = Vec::new();
        for (root, origin, folder) in &roots {
            let mut take = |file: PathBuf, kind: Option<EntryKind>| {
                let one = found_at(*root, *origin, &file);
                found.extend(one.filter(|found| kind.is_none_or(|kind| kind == found.kind)));
            };
            let mut flat = |folder: &Path, kind| {
                for file in sorted(folder) {
                    take(file, Some(kind));
                }
            };
            match origin {
                Origin::Factory => {
                    flat(folder, EntryKind::Preset);
                    flat(&folder.join("sounds"), EntryKind::Sound);
                }
                Origin::User => {
                    flat(&folder.join("presets"), EntryKind::Preset);
                    flat(&folder.join("sounds"), EntryKind::Sound);
                }
                Origin::Folder => walk(folder, &own, 0, &mut |file| take(file, None)),
            }
        }
        Ok(found)
    }

    /// The rows of the folders, which are made where there are none; those of folders that are gone from the disk are taken out.
    fn write_roots(&self) -> Result<Vec<(i64, Origin, PathBuf)>, LibraryError> {
        let roots = self.roots();
        self.write(|connection, _| {
            let mut rows = Vec::new();
            for (origin, folder) in &roots {
                let Some(text) = folder.to_str() else {
                    continue;
                };
                connection.execute("INSERT OR IGNORE INTO root(folder) VALUES (?1)", [text])?;
                let sql = "SELECT id FROM root WHERE folder = ?1";
                let row = connection.query_row(sql, [text], |row| row.get(0))?;
                rows.push((row, *origin, folder.clone()));
            }
            let mut statement = connection.prepare("SELECT id, folder FROM root")?;
            let all = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
            for root in all.collect::<rusqlite::Result<Vec<_>>>()? {
                let is_own = rows.iter().any(|(row, ..)| *row == root.0);
                if !is_own && !Path::new(&root.1).exists() {
                    remove_root(connection, root.0)?;
                }
            }
            Ok(rows)
        })
    }

    /// Waits until no other process rescans; none if there is nothing to wait at.
    fn wait_for_others(&self, cancel: &AtomicBool) -> Option<File> {
        let file = self.user().ok()?.join(LOCK_NAME);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(file)
            .ok()?;
        let began = Instant::now();
        while began.elapsed() < LONGEST_WAIT && !cancel.load(Ordering::Relaxed) {
            match lock.try_lock() {
                Ok(()) => return Some(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(WAIT_STEP),
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }
}

/// What the database says, for who called.
fn refused(error: rusqlite::Error) -> LibraryError {
    if database::is_busy(&error) {
        LibraryError::IndexBusy
    } else {
        LibraryError::Index(error.to_string())
    }
}

/// A row as it was the last time.
struct Known {
    row: i64,
    stamp: Stamp,
    is_unreadable: bool,
}

fn known(connection: &Connection, scope: &Scope) -> rusqlite::Result<HashMap<(i64, String), Known>> {
    let sql = format!(
        "SELECT root, place, id, size, changed_ns, kind = 2 FROM entry WHERE {}",
        in_roots(scope)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        let known = Known {
            row: row.get(2)?,
            stamp: Stamp {
                size: row.get(3)?,
                changed_ns: row.get(4)?,
            },
            is_unreadable: row.get(5)?,
        };
        Ok(((row.get(0)?, row.get(1)?), known))
    })?;
    rows.collect()
}

/// Brings favourites and the like of all rows in step with what the user's file says.
fn take_marks(connection: &Connection, scope: &Scope, marks: &Marks) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT id, place, favourite, used_s FROM entry WHERE (favourite = 1 OR used_s IS NOT NULL) AND {}",
        in_roots(scope)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let marked = statement.query_map([], |row| {
        let mark = record::Mark {
            is_favourite: row.get(2)?,
            used_s: row.get(3)?,
        };
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, mark))
    })?;
    let marked = marked.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut seen: HashMap<String, record::Mark> = HashMap::new();
    for (row, place, mark) in marked {
        let should = mark_of(marks, &place);
        if mark != should {
            record::write_mark(connection, row, should)?;
        }
        seen.insert(place, should);
    }
    let said = marks.favourites.iter().chain(marks.used_s.keys());
    for place in said.filter(|place| !seen.contains_key(*place)) {
        let id = EntryId::from(place.clone());
        if let Some(row) = row_of(connection, scope, &id)? {
            record::write_mark(connection, row, mark_of(marks, place))?;
        }
    }
    Ok(())
}

fn unreadable(connection: &Connection, scope: &Scope) -> rusqlite::Result<Vec<(PathBuf, String)>> {
    let sql = format!(
        "SELECT file, reason FROM entry WHERE kind = 2 AND {} ORDER BY file",
        in_roots(scope)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let files = statement.query_map([], |row| {
        Ok((PathBuf::from(row.get::<_, String>(0)?), row.get(1)?))
    })?;
    files.collect()
}

fn remove_root(connection: &Connection, root: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id FROM entry WHERE root = ?1")?;
    let rows = statement.query_map([root], |row| row.get::<_, i64>(0))?;
    for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        record::remove(connection, row)?;
    }
    connection.execute("DELETE FROM root WHERE id = ?1", [root])?;
    Ok(())
}

/// A file as it is now; none if it is gone, or nothing that the library lists.
fn found_at(root: i64, origin: Origin, file: &Path) -> Option<Found> {
    let kind = kind_of(file)?;
    let metadata = fs::metadata(file).ok().filter(fs::Metadata::is_file)?;
    let id = EntryId::of_file(origin, file)?;
    // A sound whose name no preset could say is not offered either.
    let is_sayable = kind == EntryKind::Preset || origin == Origin::Folder || id.sound_ref().is_some();
    is_sayable.then(|| Found {
        root,
        id,
        kind,
        origin,
        file: file.to_owned(),
        stamp: Stamp::of(&metadata),
    })
}

/// What lies in a folder, by name; nothing if it cannot be read.
fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| !whole_file::is_unfinished(&entry.file_name()))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// All files in a folder and its folders, without those of the library's own and without following links to folders.
fn walk(folder: &Path, own: &[&Path], depth: usize, take: &mut dyn FnMut(PathBuf)) {
    if depth > MOST_DEPTH || own.contains(&folder) {
        return;
    }
    for path in sorted(folder) {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, own, depth + 1, take),
            Ok(_) => take(path),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::library::entry::Filter;
    use crate::library::tests::{Folders, folders, sound_of};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn index(folders: &Folders) -> Index {
        Index::open(Library::in_folders(&folders.factory, &folders.user))
    }

    fn rescan(index: &Index) -> RescanReport {
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn what_is_new_changed_and_gone_is_told_and_what_is_broken_listed() {
        let folders = folders();
        let index = index(&folders);
        let first = rescan(&index);
        assert_eq!((first.added, first.changed, first.removed), (6, 0, 0));
        let broken: Vec<_> = first
            .unreadable
            .iter()
            .map(|(file, _)| file.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(broken, ["broken.toml", "broken.sound"]);
        assert!(first.unreadable[1].1.contains("is no sound of Betwixt's"));
        let second = rescan(&index);
        assert!(!second.has_changed());
        assert_eq!((second.unchanged, second.unreadable), (6, first.unreadable));
        std::fs::remove_file(folders.user.join("presets/lost.toml")).unwrap();
        sound_of("Gong", "mallet")
            .write(&folders.user.join("sounds/bowl.sound"))
            .unwrap();
        sound_of("New", "")
            .write(&folders.factory.join("sounds/broken.sound"))
            .unwrap();
        let third = rescan(&index);
        assert_eq!((third.added, third.changed, third.removed), (0, 2, 1));
        assert_eq!(third.unreadable.len(), 1);
        assert_eq!(index.search("gong", &Filter::default(), 9).len(), 1);
        assert!(index.search("bowl", &Filter::default(), 9).is_empty());
    }

    #[test]
    fn a_file_of_the_same_size_and_time_is_seen_to_be_another() {
        let folders = folders();
        let file = folders.user.join("sounds/bowl.sound");
        let index = index(&folders);
        rescan(&index);
        let before = std::fs::metadata(&file).unwrap();
        sound_of("Gong", "mallet").write(&file).unwrap();
        let written = File::options().write(true).open(&file).unwrap();
        written.set_modified(before.modified().unwrap()).unwrap();
        assert_eq!(written.metadata().unwrap().len(), before.len());
        assert_eq!(rescan(&index).changed, 1);
        assert_eq!(index.search("gong", &Filter::default(), 9).len(), 1);
    }

    #[test]
    fn a_rescan_that_is_called_off_keeps_what_it_has_read_and_the_next_reads_the_rest() {
        let folders = folders();
        for n in 0..200 {
            sound_of(&format!("S{n}"), "many")
                .write(&folders.user.join(format!("sounds/s{n}.sound")))
                .unwrap();
        }
        let index = index(&folders);
        let cancel = AtomicBool::new(false);
        let mut seen = Vec::new();
        let report = index
            .rescan(
                &mut |progress| {
                    seen.push(progress);
                    cancel.store(progress.done > 0, Ordering::Relaxed);
                },
                &cancel,
            )
            .unwrap();
        assert!(report.was_cancelled && index.wants_rescan());
        assert_eq!(
            seen.iter().map(|progress| progress.done).collect::<Vec<_>>(),
            [0, 64]
        );
        assert_eq!(seen[1].total, 208);
        let there = index.search("", &Filter::default(), 999).len();
        assert!((60..=64).contains(&there), "{there}");
        rescan(&index);
        assert_eq!(index.search("", &Filter::default(), 999).len(), 206);
        assert!(!index.wants_rescan());
    }

    #[test]
    fn the_factories_of_two_installations_do_not_mix() {
        let (one, other) = (folders(), folders());
        std::fs::remove_file(other.factory.join("sounds/alto.sound")).unwrap();
        let mine = index(&one);
        let theirs = Index::open(Library::in_folders(&other.factory, &one.user));
        for index in [&mine, &theirs, &mine, &theirs] {
            rescan(index);
        }
        assert!(!rescan(&mine).has_changed());
        let names = |index: &Index| {
            let sounds = index.search("", &Filter::sounds(), 9).into_iter();
            sounds.map(|entry| entry.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&mine), ["Bowl", "Alto", "Flute"]);
        assert_eq!(names(&theirs), ["Bowl", "Flute"]);
        assert_eq!(theirs.search("alto", &Filter::default(), 9), []);
        assert_eq!(mine.search("alto", &Filter::default(), 9).len(), 1);
        drop(other);
        rescan(&mine);
        let roots = mine.with(|connection, _| {
            connection.query_row("SELECT count(*) FROM root", [], |row| row.get::<_, i64>(0))
        });
        assert_eq!(roots.unwrap(), 2, "what is gone is forgotten");
    }

    #[test]
    fn many_rescans_at_once_end_with_the_same_as_one() {
        let folders = folders();
        for n in 0..100 {
            sound_of(&format!("S{n}"), "many")
                .write(&folders.user.join(format!("sounds/s{n}.sound")))
                .unwrap();
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let index = index(&folders);
                    rescan(&index);
                    assert_eq!(index.trouble(), None);
                    assert_eq!(index.search("", &Filter::default(), 999).len(), 106);
                });
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_is_done_to_the_files_the_index_says_what_they_say(
            acts in prop::collection::vec((0..6_u8, 0..4_u8, any::<bool>()), 1..12),
        ) {
            let folders = folders();
            let index = index(&folders);
            let mut expected = BTreeMap::new();
            for (n, act, is_scanned) in acts {
                let file = folders.user.join(format!("sounds/s{n}.sound"));
                match act {
                    0 => {
                        let _ = std::fs::remove_file(&file);
                        expected.remove(&n);
                    }
                    1 => {
                        std::fs::write(&file, "broken").unwrap();
                        expected.remove(&n);
                    }
                    _ => {
                        let name = format!("Some {act}");
                        sound_of(&name, "proptest").write(&file).unwrap();
                        expected.insert(n, name);
                    }
                }
                if is_scanned {
                    rescan(&index);
                }
            }
            rescan(&index);
            let family = Filter { family: Some("proptest".into()), ..Filter::sounds() };
            let mut found: Vec<_> = index.search("some", &family, 99).into_iter().map(|entry| entry.name).collect();
            let mut expected: Vec<_> = expected.into_values().collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
