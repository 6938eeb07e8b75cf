//! The index's file: a SQLite database that is opened, made, replaced when it is broken, and done without where it cannot be.
//!
//! Background threads. It holds nothing that is not in the files of the library and in `library.toml`, so whatever is wrong with it is
//! no reason to stop: a broken one, or one of another schema, is removed and made again; where that cannot be (a folder that
//! cannot be written to, a file that another program holds), the index lives in memory until the process ends.
//! Several processes share the file (write-ahead log: readers wait for nobody). It survives their being killed; a power cut may
//! cost what was written last, which the next rescan writes again.
//!
//! Each of Betwixt's binaries has a file of its own: the CLAP and the VST3 in one host are two copies of SQLite in one process, and those
//! do not see each other's locks (sqlite.org/howtocorrupt.html, 2.2.1). For the same reason nothing else here ever opens the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::marks::MarksFile;
use crate::resources;

const SCHEMA: i64 = 1;
/// "BTWX": tells our databases from others.
const APPLICATION: i64 = 0x4254_5758;
/// Writers wait for each other so long.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Tables. `root`: the folders that entries were found in, of all processes that use the file. `entry`: a row for each file;
/// `kind` 2 is one that could not be read, `reason` says why. `words`: what is searched, and as its last column what is filtered by.
/// `descriptor`: what is compared for "more like this".
const TABLES: &str = "
CREATE TABLE root(
  id INTEGER PRIMARY KEY,
  folder TEXT NOT NULL UNIQUE
);
CREATE TABLE entry(
  id INTEGER PRIMARY KEY,
  place TEXT NOT NULL,
  root INTEGER NOT NULL,
  file TEXT NOT NULL,
  size INTEGER NOT NULL,
  changed_ns INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  name TEXT NOT NULL,
  family TEXT NOT NULL,
  family_key TEXT NOT NULL,
  source INTEGER,
  qualities INTEGER NOT NULL,
  tags TEXT NOT NULL,
  author TEXT NOT NULL,
  licence TEXT NOT NULL,
  description TEXT NOT NULL,
  pitch REAL,
  is_sustained INTEGER NOT NULL,
  model TEXT NOT NULL,
  content INTEGER NOT NULL,
  order_key TEXT NOT NULL,
  favourite INTEGER NOT NULL,
  used_s INTEGER,
  reason TEXT NOT NULL,
  UNIQUE(place, root)
);
CREATE INDEX entry_order ON entry(kind, order_key);
CREATE INDEX entry_family ON entry(kind, family_key, root, family);
CREATE INDEX entry_content ON entry(content);
CREATE INDEX entry_used ON entry(used_s) WHERE used_s IS NOT NULL;
CREATE TABLE descriptor(
  id INTEGER PRIMARY KEY,
  vector BLOB NOT NULL
);
CREATE VIRTUAL TABLE words USING fts5(
  name, family, tags, author, facets,
  content='', contentless_delete=1, prefix='1 2 3', tokenize='unicode61 remove_diacritics 2'
);
";

/// The file's name. The schema's number is in it, so that two versions of Betwixt do not take turns in making it.
fn database_name() -> String {
    let binary =
        resources::own_binary().and_then(|binary| Some(binary.file_name()?.to_string_lossy().into_owned()));
    format!(
        "library.{SCHEMA}.{}.sqlite",
        binary.as_deref().unwrap_or("betwixt")
    )
}

/// What became of opening.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    /// Whether there is nothing in it yet.
    pub(crate) is_new: bool,
    /// Why it is in memory, if it is.
    pub(crate) trouble: Option<String>,
    /// Which file it is, where the system tells.
    pub(crate) identity: Option<Identity>,
}

/// Tells one file from another that took its place.
pub(crate) type Identity = (u64, u64);

/// Opens the index in the user's folder; in memory, if there is none or it cannot be.
pub(crate) fn open(user: Option<&Path>) -> Opened {
    open_instead(user, None)
}

/// The same, when the file of this identity was found to be broken: it is replaced, if nobody has done so yet.
pub(crate) fn open_instead(user: Option<&Path>, broken: Option<Option<Identity>>) -> Opened {
    let Some(user) = user else {
        return in_memory("the user's folder is not known".into());
    };
    match open_file(user, broken) {
        Ok((connection, is_new)) => Opened {
            connection,
            is_new,
            trouble: None,
            identity: identity(user),
        },
        Err(reason) => in_memory(format!("{}: {reason}", user.join(database_name()).display())),
    }
}

/// An index that nothing is kept of.
pub(crate) fn in_memory(trouble: String) -> Opened {
    let connection = Connection::open_in_memory()
        .and_then(|connection| {
            connection.execute_batch(TABLES)?;
            Ok(connection)
        })
        .expect("SQLite makes our tables in memory, whatever the disk is like");
    Opened {
        connection,
        is_new: true,
        trouble: Some(trouble),
        identity: None,
    }
}

/// Whether the file is no index of ours, or not any more: then there is nothing in it to be kept.
pub(crate) fn is_broken(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        // The last: a virtual table that finds its own tables wanting.
        Some(code) => matches!(
            code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
        ),
        // A value of a type that we never write, or a table that is not there.
        None => matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::SqlInputError { .. }
        ),
    }
}

/// Whether another process is at it just now.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Which file lies there now.
pub(crate) fn identity(user: &Path) -> Option<Identity> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let file = fs::metadata(user.join(database_name())).ok()?;
        Some((file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = user;
        None
    }
}

fn open_file(user: &Path, broken: Option<Option<Identity>>) -> Result<(Connection, bool), String> {
    fs::create_dir_all(user).map_err(|error| error.to_string())?;
    // Nobody replaces the file while another looks whether it is whole.
    let _lock = MarksFile::in_folder(user)
        .lock()
        .map_err(|error| error.to_string())?;
    let file = user.join(database_name());
    if broken.is_some_and(|broken| broken == identity(user)) {
        remove(&file).map_err(|error| error.to_string())?;
    }
    match connect(&file) {
        Err(Unfit::Broken) => {
            remove(&file).map_err(|error| error.to_string())?;
            connect(&file).map_err(|unfit| unfit.to_string())
        }
        done => done.map_err(|unfit| unfit.to_string()),
    }
}

/// Why a file is no index.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("is broken")]
    Broken,
    #[error("{0}")]
    Refused(rusqlite::Error),
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        // In a folder that can be written to, a file that cannot is damaged in what it says of itself, or somebody's mistake.
        let is_read_only = error.sqlite_error_code() == Some(ErrorCode::ReadOnly);
        if is_read_only || is_broken(&error) {
            Self::Broken
        } else {
            Self::Refused(error)
        }
    }
}

/// A connection to the file, whose tables are made if it is new.
fn connect(file: &Path) -> Result<(Connection, bool), Unfit> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(LONGEST_WAIT)?;
    // A file system that cannot have a log keeps the mode that it can.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;",
    )?;
    let is_new = make(&mut connection)?;
    Ok((connection, is_new))
}

/// Makes the tables of a new file, or looks whether an old one has them; whether it was new.
fn make(connection: &mut Connection) -> Result<bool, Unfit> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |pragma: &str| transaction.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_master")?;
    let (application, schema) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if tables == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};"
        ))?;
        transaction.commit()?;
        return Ok(true);
    }
    if (application, schema) != (APPLICATION, SCHEMA) {
        return Err(Unfit::Broken);
    }
    for table in ["root", "entry", "descriptor", "words"] {
        number(&format!(
            "SELECT count(*) FROM (SELECT rowid FROM {table} LIMIT 1)"
        ))?;
    }
    transaction.commit()?;
    Ok(false)
}

/// Removes a database with what belongs to it.
fn remove(file: &Path) -> std::io::Result<()> {
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    // The log first: a new database must not find an old one's.
    for file in [
        beside("-wal"),
        beside("-shm"),
        beside("-journal"),
        file.to_owned(),
    ] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(opened: &Opened) -> i64 {
        opened
            .connection
            .query_row("SELECT count(*) FROM root", [], |row| row.get(0))
            .unwrap()
    }

    fn filled(user: &Path) {
        let opened = open(Some(user));
        assert_eq!(opened.trouble, None);
        opened
            .connection
            .execute("INSERT INTO root(folder) VALUES ('x')", [])
            .unwrap();
    }

    #[test]
    fn what_is_written_is_there_when_it_is_opened_again() {
        let user = tempfile::tempdir().unwrap();
        filled(user.path());
        let again = open(Some(user.path()));
        assert!(!again.is_new && again.trouble.is_none());
        assert_eq!(entries(&again), 1);
    }

    #[test]
    fn an_index_of_another_schema_is_made_anew() {
        let user = tempfile::tempdir().unwrap();
        filled(user.path());
        open(Some(user.path()))
            .connection
            .execute_batch("PRAGMA user_version = 99")
            .unwrap();
        let again = open(Some(user.path()));
        assert!(again.is_new && again.trouble.is_none());
        assert_eq!(entries(&again), 0);
        let version: i64 = again
            .connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, SCHEMA);
    }

    #[test]
    fn a_file_without_our_tables_is_made_anew() {
        let user = tempfile::tempdir().unwrap();
        let other = Connection::open(user.path().join(database_name())).unwrap();
        other.execute_batch("CREATE TABLE a(b)").unwrap();
        drop(other);
        assert!(open(Some(user.path())).is_new);
    }

    #[test]
    fn a_file_that_another_holds_is_done_without() {
        let user = tempfile::tempdir().unwrap();
        filled(user.path());
        let holder = Connection::open(user.path().join(database_name())).unwrap();
        holder
            .execute_batch(
                "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO root(folder) VALUES ('y')",
            )
            .unwrap();
        let opened = open(Some(user.path()));
        assert!(opened.trouble.unwrap().contains("locked"));
        drop(holder);
        assert_eq!(entries(&open(Some(user.path()))), 1);
    }

    #[test]
    fn where_nothing_can_be_written_the_index_is_in_memory() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        // Nobody, not even root, makes a folder in a file.
        assert!(open(Some(&file.join("user"))).trouble.is_some());
        assert!(open(None).trouble.is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_broken_file_is_made_anew_or_is_whole(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..200), keep in 0.0_f64..=1.0,
        ) {
            let user = tempfile::tempdir().unwrap();
            filled(user.path());
            let file = user.path().join(database_name());
            let mut bytes = fs::read(&file).unwrap();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate((keep * bytes.len() as f64) as usize);
            fs::write(&file, bytes).unwrap();
            let opened = open(Some(user.path()));
            prop_assert_eq!(opened.trouble, None);
        }

        #[test]
        fn garbage_is_made_anew(bytes in prop::collection::vec(any::<u8>(), 1..5000)) {
            let user = tempfile::tempdir().unwrap();
            fs::write(user.path().join(database_name()), bytes).unwrap();
            let opened = open(Some(user.path()));
            prop_assert_eq!(opened.trouble, None);
            prop_assert!(opened.is_new);
        }
    }
}
