//! A file that is there whole or not at all: written beside its place under another name, then renamed.
//!
//! Background threads and tools. Whoever is interrupted, or finds the disk full, leaves what was there before.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

/// How the names of unfinished files begin and end.
const PREFIX: &str = ".betwixt-";
const SUFFIX: &str = ".part";
/// A file that was begun so long ago was left by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Whether a file's name is one that a file has here before it is kept: of a process that was killed, if none writes there.
pub fn is_unfinished(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
}

/// Whether a file was begun, last written to at `changed`, and will never be finished.
pub fn is_abandoned(name: &OsStr, changed: SystemTime) -> bool {
    is_unfinished(name) && changed.elapsed().is_ok_and(|age| age > ABANDONED)
}

/// Takes away what killed processes left in a folder, as far as the system allows.
pub fn remove_abandoned(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|found| found.modified());
        if changed.is_ok_and(|changed| is_abandoned(&entry.file_name(), changed)) {
            // Another process may have been quicker.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Writes `bytes` as the file `target`, in place of what it held.
///
/// # Errors
/// What the system says; then `target` is as it was.
pub fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = begin(target)?;
    temporary.write_all(bytes)?;
    keep(temporary, target)
}

/// Writes `bytes` as the file `target`, if there is none of that name yet.
///
/// # Errors
/// What the system says, [`io::ErrorKind::AlreadyExists`] if there is one; then it is as it was.
pub fn write_new(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = begin(target)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist_noclobber(target).map_err(|error| error.error)?;
    Ok(())
}

/// A new file in the folder of `target`, which vanishes unless it is [kept](keep).
///
/// # Errors
/// What the system says.
pub fn begin(target: &Path) -> io::Result<NamedTempFile> {
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    {
        // What the user's umask leaves of the usual mode, not a temporary file's own 0600.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Gives a file that was begun its name.
///
/// # Errors
/// What the system says; then `target` is as it was.
pub fn keep(temporary: NamedTempFile, target: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(target).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_the_place_of_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_does_not_take_the_place_of_an_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_new(&path, b"first").unwrap();
        let error = write_new(&path, b"second").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_begun_long_ago_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let hours_ago = SystemTime::now() - 2 * ABANDONED;
        for (name, is_old) in [
            (".betwixt-1.part", true),
            (".betwixt-2.part", false),
            ("a.part", true),
        ] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            if is_old {
                file.set_modified(hours_ago).unwrap();
            }
        }
        remove_abandoned(folder.path());
        remove_abandoned(&folder.path().join("nowhere"));
        let left = |name: &str| folder.path().join(name).exists();
        assert!(!left(".betwixt-1.part") && left(".betwixt-2.part") && left("a.part"));
    }

    #[test]
    fn what_is_begun_and_not_kept_vanishes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "old").unwrap();
        let mut begun = begin(&path).unwrap();
        begun.write_all(b"new").unwrap();
        assert!(is_unfinished(begun.path().file_name().unwrap()) && !is_unfinished(OsStr::new("a")));
        drop(begun);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"new").unwrap();
        std::fs::write(folder.path().join("usual"), b"").unwrap();
        let mode = |name: &str| {
            std::fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!(mode("a"), mode("usual"));
    }
}
