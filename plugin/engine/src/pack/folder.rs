//! A pack's folder in the making: `DIR.partial` beside `DIR`, which takes its name when all is there.
//!
//! Background threads. In it lie a lock, the recipe and `pack`, which is what `DIR` will be; samples appear in it whole or not
//! at all. Whoever is killed leaves finished samples, and the same command goes on from there; a folder of another recipe is
//! never touched. Nothing called `DIR` is ever there but a whole pack.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::multisample::nsynth::AUDIO_FOLDER;
use crate::pack::error::PackError;
use crate::pack::options::{PackFormat, Shard};
use crate::pack::recipe::{RECIPE_NAME, Recipe};
use crate::pack::sample_file;
use crate::whole_file;

const LOCK_NAME: &str = "lock";
const PACK_NAME: &str = "pack";
/// Which shard a folder is, in its `pack`.
const SHARD_NAME: &str = "shard.toml";

/// The form of [`SHARD_NAME`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShardFile {
    shard: Shard,
}

/// Where a pack is made.
#[derive(Debug)]
pub(crate) struct PackFolder {
    target: PathBuf,
    partial: PathBuf,
    recipe: Recipe,
    shard: Shard,
    /// Held as long as the folder is worked in; the system lets go of it with the process.
    _lock: File,
}

impl PackFolder {
    /// Opens the folder for a pack, with all that an earlier run has left of it; none if the pack is there, whole.
    ///
    /// # Errors
    /// If something else is at its place, another process is at it, or the system refuses.
    pub(crate) fn open(target: &Path, recipe: &Recipe, shard: Shard) -> Result<Option<Self>, PackError> {
        let target = std::path::absolute(target).map_err(|error| PackError::write(target, error))?;
        let (Some(name), Some(parent)) = (target.file_name(), target.parent()) else {
            return Err(PackError::Occupied { folder: target });
        };
        let mut partial_name = OsString::from(name);
        partial_name.push(".partial");
        let partial = parent.join(partial_name);
        if is_taken(&target)? {
            let is_same = Recipe::read(&target).is_ok_and(|found| found == *recipe)
                && read_shard(&target).is_ok_and(|found| found == shard);
            if !is_same {
                return Err(PackError::Occupied { folder: target });
            }
            if is_partial_of(&partial, recipe, shard) || is_spent(&partial)? {
                let _ = fs::remove_dir_all(&partial);
            }
            return Ok(None);
        }
        if is_foreign(&partial)? {
            return Err(PackError::OtherBeginning { folder: partial });
        }
        let write = |error| PackError::write(&partial, error);
        fs::create_dir_all(partial.join(PACK_NAME)).map_err(write)?;
        let lock = File::create(partial.join(LOCK_NAME)).map_err(write)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PackError::Busy { folder: partial }),
            // A file system without locks: nobody can be told apart.
            Err(TryLockError::Error(_)) => {}
        }
        let folder = Self {
            target,
            recipe: recipe.clone(),
            shard,
            _lock: lock,
            partial,
        };
        let marked = folder.partial.join(RECIPE_NAME);
        if marked.exists() {
            if !is_partial_of(&folder.partial, recipe, shard) {
                return Err(PackError::OtherBeginning {
                    folder: folder.partial.clone(),
                });
            }
        } else {
            folder.write_marks(&folder.partial)?;
        }
        let samples = folder.samples();
        fs::create_dir_all(&samples).map_err(|error| PackError::write(&samples, error))?;
        folder.sweep(&samples)?;
        Ok(Some(folder))
    }

    /// What was begun and not finished when a run was killed.
    fn sweep(&self, samples: &Path) -> Result<(), PackError> {
        for folder in [samples, &self.pack(), &self.partial] {
            for entry in fs::read_dir(folder)
                .map_err(|error| PackError::read(folder, error))?
                .flatten()
            {
                if whole_file::is_unfinished(&entry.file_name()) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        Ok(())
    }

    /// The pack's own files, as they will lie in the target.
    pub(crate) fn pack(&self) -> PathBuf {
        self.partial.join(PACK_NAME)
    }

    /// Where it is made: what is kept when it is called off.
    pub(crate) fn partial(&self) -> &Path {
        &self.partial
    }

    /// The samples: in the pack, or beside it where one file will hold them.
    fn samples(&self) -> PathBuf {
        if self.recipe.options.format == PackFormat::Multisample && self.shard == Shard::WHOLE {
            self.partial.join(samples_name(PackFormat::Multisample))
        } else {
            self.pack().join(samples_name(self.recipe.options.format))
        }
    }

    /// A sample's file.
    pub(crate) fn sample(&self, name: &str) -> PathBuf {
        self.samples().join(format!("{name}.wav"))
    }

    /// Whether a sample is there, whole.
    pub(crate) fn has(&self, name: &str) -> bool {
        sample_file::read_info(&self.sample(name)).is_ok()
    }

    /// Puts a sample there.
    ///
    /// # Errors
    /// If the system refuses: the disk is full.
    pub(crate) fn put_sample(&self, name: &str, bytes: &[u8]) -> Result<(), PackError> {
        write(&self.sample(name), bytes)
    }

    /// Puts a file into the pack.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), PackError> {
        write(&self.pack().join(name), bytes)
    }

    /// Names the pack: all of it is there.
    ///
    /// # Errors
    /// If the system refuses; then it can be tried again.
    pub(crate) fn finish(self) -> Result<PathBuf, PackError> {
        let pack = self.pack();
        self.write_marks(&pack)?;
        if self.target.exists() {
            // Empty, or it would not have been opened.
            fs::remove_dir(&self.target).map_err(|error| PackError::write(&self.target, error))?;
        }
        fs::rename(&pack, &self.target).map_err(|error| PackError::write(&self.target, error))?;
        let _ = fs::remove_dir_all(&self.partial);
        Ok(self.target)
    }

    /// Leaves nothing behind if nothing was rendered yet.
    pub(crate) fn abandon(self) {
        let is_empty = fs::read_dir(self.samples()).is_ok_and(|mut entries| entries.next().is_none());
        if is_empty {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }

    fn write_marks(&self, folder: &Path) -> Result<(), PackError> {
        if self.shard != Shard::WHOLE {
            let shard = ShardFile { shard: self.shard };
            let text = toml::to_string(&shard).expect("numbers are TOML");
            write(&folder.join(SHARD_NAME), text.as_bytes())?;
        }
        write(&folder.join(RECIPE_NAME), self.recipe.to_toml().as_bytes())
    }
}

/// The folder that samples lie in.
pub(crate) fn samples_name(format: PackFormat) -> &'static str {
    match format {
        PackFormat::Nsynth => AUDIO_FOLDER,
        _ => "samples",
    }
}

/// Which shard a folder holds; the whole pack if it does not say.
///
/// # Errors
/// If what it says makes no sense.
pub(crate) fn read_shard(folder: &Path) -> Result<Shard, PackError> {
    let file = folder.join(SHARD_NAME);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Shard::WHOLE),
        Err(error) => return Err(PackError::read(&file, error)),
    };
    let read: Option<ShardFile> = toml::from_str(&text).ok();
    match read {
        Some(ShardFile { shard }) if shard.is_sound() => Ok(shard),
        _ => Err(PackError::Content {
            file,
            reason: "says of no shard which it is".into(),
        }),
    }
}

fn is_partial_of(partial: &Path, recipe: &Recipe, shard: Shard) -> bool {
    Recipe::read(partial).is_ok_and(|found| found == *recipe)
        && read_shard(partial).is_ok_and(|found| found == shard)
}

/// Whether a folder is what a pack was made in: one that took its name, and was killed while it cleared the rest away.
fn is_spent(partial: &Path) -> Result<bool, PackError> {
    Ok(partial.is_dir() && !partial.join(PACK_NAME).exists() && !is_foreign(partial)?)
}

/// Whether a folder holds what no pack's beginning does.
fn is_foreign(partial: &Path) -> Result<bool, PackError> {
    let names = match fs::read_dir(partial) {
        Ok(entries) => entries.flatten().map(|entry| entry.file_name()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(PackError::read(partial, error)),
    };
    let known = [
        LOCK_NAME,
        PACK_NAME,
        SHARD_NAME,
        RECIPE_NAME,
        samples_name(PackFormat::Multisample),
    ];
    let is_known =
        |name: &OsString| known.iter().any(|known| name == known) || whole_file::is_unfinished(name);
    Ok(!{ names }.all(|name| is_known(&name)))
}

/// Whether anything but an empty folder is at a place.
fn is_taken(target: &Path) -> Result<bool, PackError> {
    match fs::metadata(target) {
        Ok(found) if !found.is_dir() => return Ok(true),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(PackError::write(target, error)),
    }
    let mut entries = fs::read_dir(target).map_err(|error| PackError::read(target, error))?;
    Ok(entries.next().is_some())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), PackError> {
    whole_file::write(file, bytes).map_err(|error| PackError::write(file, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{Depth, PackOptions};
    use crate::pack::recipe::tests::recipe;
    use crate::pack::sample_file::{SampleFacts, encode};

    fn bytes() -> Vec<u8> {
        let facts = SampleFacts {
            key: 60,
            fine_tune_cents: 0,
            keys: (0, 127),
            velocities: (1, 127),
            held: None,
        };
        encode(&[vec![0.5; 100]], 48_000, Depth::Int24, 1, &facts).unwrap()
    }

    fn open(target: &Path, recipe: &Recipe) -> PackFolder {
        PackFolder::open(target, recipe, Shard::WHOLE)
            .unwrap()
            .expect("it is not there")
    }

    #[test]
    fn a_pack_takes_its_name_when_it_is_whole() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let recipe = recipe(PackOptions::of(PackFormat::Sfz));
        let folder = open(&target, &recipe);
        folder.put_sample("a", &bytes()).unwrap();
        assert!(folder.has("a") && !folder.has("b") && !target.exists());
        // Gone on with by another run, which finds half a file too.
        fs::write(folder.samples().join(".betwixt-1.part"), "half").unwrap();
        fs::write(folder.sample("b"), &bytes()[..200]).unwrap();
        drop(folder);
        let folder = open(&target, &recipe);
        assert!(folder.has("a") && !folder.has("b"));
        assert_eq!(fs::read_dir(folder.samples()).unwrap().count(), 2);
        folder.put_sample("b", &bytes()).unwrap();
        folder.put("a.sfz", b"text").unwrap();
        assert_eq!(folder.finish().unwrap(), target);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        assert!(target.join("samples/b.wav").is_file() && target.join("a.sfz").is_file());
        let again = || PackFolder::open(&target, &recipe, Shard::WHOLE).unwrap();
        assert!(again().is_none());
        // Killed while it cleared away what it was made in, whatever went first.
        let partial = place.path().join("out.partial");
        for left in [LOCK_NAME, RECIPE_NAME] {
            fs::create_dir(&partial).unwrap();
            fs::write(partial.join(left), "").unwrap();
            assert!(again().is_none() && !partial.exists(), "{left}");
        }
        fs::create_dir(&partial).unwrap();
        fs::write(partial.join("letter"), "mine").unwrap();
        assert!(again().is_none() && partial.join("letter").exists());
    }

    #[test]
    fn what_is_somebody_elses_is_not_touched() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let sfz = recipe(PackOptions::of(PackFormat::Sfz));
        let wav = recipe(PackOptions::of(PackFormat::Wav));
        let refused = |recipe: &Recipe, shard| PackFolder::open(&target, recipe, shard).unwrap_err();

        let folder = open(&target, &sfz);
        assert!(matches!(refused(&sfz, Shard::WHOLE), PackError::Busy { .. }));
        folder.put_sample("a", &bytes()).unwrap();
        drop(folder);
        assert!(matches!(
            refused(&wav, Shard::WHOLE),
            PackError::OtherBeginning { .. }
        ));
        assert!(matches!(
            refused(&sfz, Shard { index: 1, of: 2 }),
            PackError::OtherBeginning { .. }
        ));
        open(&target, &sfz).finish().unwrap();
        assert!(matches!(refused(&wav, Shard::WHOLE), PackError::Occupied { .. }));

        let file = place.path().join("file");
        fs::write(&file, "mine").unwrap();
        let kept = place.path().join("other.partial");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("letter"), "mine").unwrap();
        let error = PackFolder::open(&place.path().join("other"), &sfz, Shard::WHOLE).unwrap_err();
        assert!(matches!(error, PackError::OtherBeginning { .. }));
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
        let error = PackFolder::open(&file, &sfz, Shard::WHOLE).unwrap_err();
        assert!(matches!(error, PackError::Occupied { .. }));
        assert_eq!(fs::read(&file).unwrap(), b"mine");
    }

    #[test]
    fn an_empty_folder_is_no_hindrance_and_a_pack_without_a_sample_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let sfz = recipe(PackOptions::of(PackFormat::Sfz));
        fs::create_dir(&target).unwrap();
        open(&target, &sfz).abandon();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        open(&target, &sfz).finish().unwrap();
        assert!(target.join(RECIPE_NAME).is_file());
    }
}
