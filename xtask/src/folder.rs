//! Folders that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Copies a file or a folder's whole content; links are followed. Parents of `to` are made.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("{} can't be copied to {}", from.display(), to.display());
    if from.is_dir() {
        fs::create_dir_all(to).with_context(failed)?;
        for entry in fs::read_dir(from).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    fs::copy(from, to).map(drop).with_context(failed)
}

/// Writes a file under a temporary name and renames it to `path`.
pub fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = beside(path, "new");
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("{} can't be written", path.display()))
}

/// Puts what `fill` makes at `path`, in place of what was there.
///
/// `fill` gets an empty folder on the same disk; only when it has succeeded is that folder renamed to
/// `path`. A host that has the old files mapped keeps them: nothing is written into them.
pub fn replace(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (new, old) = (beside(path, "new"), beside(path, "old"));
    remove(&new)?;
    remove(&old)?;
    let failed = || format!("{} can't be written", path.display());
    fs::create_dir_all(&new).with_context(failed)?;
    if let Err(error) = fill(&new) {
        remove(&new)?;
        return Err(error);
    }
    if path.symlink_metadata().is_ok() {
        fs::rename(path, &old).with_context(failed)?;
    }
    fs::rename(&new, path).with_context(failed)?;
    remove(&old)
}

/// Removes a file, link or folder; there may be none.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("{} can't be removed", path.display()))
}

/// A hidden sibling, so that hosts scanning the folder pass over it.
fn beside(path: &Path, role: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{role}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn a_replaced_folder_holds_only_the_new() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("plugin.vst3");
        replace(&path, |folder| Ok(fs::write(folder.join("old"), "1")?)).unwrap();
        replace(&path, |folder| Ok(fs::write(folder.join("new"), "2")?)).unwrap();
        assert!(!path.join("old").exists());
        assert_eq!(fs::read_to_string(path.join("new")).unwrap(), "2");
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            1,
            "nothing half-made stays"
        );
    }

    #[test]
    fn a_failed_replacement_leaves_the_old() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("plugin.vst3");
        replace(&path, |folder| Ok(fs::write(folder.join("old"), "1")?)).unwrap();
        assert!(replace(&path, |_| bail!("the disk is full")).is_err());
        assert!(path.join("old").exists());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
