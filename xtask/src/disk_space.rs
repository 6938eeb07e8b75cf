//! Whether the disk has room for what a task writes, told before the first hour is spent rather than after.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// Bytes in a megabyte, as `df` and the messages count.
const MEGABYTE: u64 = 1 << 20;

/// Checks that `folder` can grow to `megabytes`, given what it holds already.
///
/// # Errors
/// When the disk has less room than is missing; the message says how much to free. Where the system tells no
/// number, nothing is checked.
pub fn ensure(folder: &Path, megabytes: u64) -> Result<()> {
    fs::create_dir_all(folder)?;
    let Some(free) = free_megabytes(folder) else {
        return Ok(());
    };
    let wanted = megabytes.saturating_sub(size(folder) / MEGABYTE);
    if free < wanted {
        bail!(
            "{} has {free} MB free and this writes about {wanted} MB: free {} MB, or set CARGO_TARGET_DIR to a \
             folder on a larger disk, and start again",
            folder.display(),
            wanted - free
        );
    }
    println!("Disk: {free} MB free, about {wanted} MB will be written.");
    Ok(())
}

fn free_megabytes(folder: &Path) -> Option<u64> {
    // -P: one line a disk, whatever its name's length; -k: in units of 1024 bytes.
    let listing = command::output(Command::new("df").arg("-Pk").arg(folder)).ok()?;
    Some(available_kilobytes(&listing)? * 1024 / MEGABYTE)
}

/// The column "Available" of the last line that `df -Pk` prints.
fn available_kilobytes(listing: &str) -> Option<u64> {
    listing.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}

/// Bytes in a folder's files. What cannot be read, or goes while it is counted, counts nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_space_is_read_from_the_last_line() {
        let listing = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n\
                       /dev/vda         263112424 46137344  49283072      49% /\n";
        assert_eq!(available_kilobytes(listing), Some(49_283_072));
        assert_eq!(available_kilobytes("df: nothing"), None);
    }

    #[test]
    fn what_a_folder_holds_counts_towards_what_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("inner/file"), [0; 1000]).unwrap();
        assert_eq!(size(folder.path()), 1000);
        ensure(folder.path(), 0).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_disk_that_is_too_small_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let message = ensure(folder.path(), u64::MAX / MEGABYTE)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("MB free") && message.contains("CARGO_TARGET_DIR"),
            "{message}"
        );
    }
}
