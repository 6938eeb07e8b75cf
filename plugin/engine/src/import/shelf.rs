//! The folder that imported sounds go to: each under a name that no other content has.
//!
//! Background threads, several at once. A file is there whole or not at all, and none that was there is written over.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::sound::{SOUND_EXTENSION, Sound};
use crate::whole_file;

/// A name is cut to so many bytes: file systems take 255, and what makes it unlike others comes after it.
const MAX_NAME_BYTES: usize = 200;

/// The folder.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Makes the folder if it is not there, and takes away what killed processes left in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        whole_file::remove_abandoned(folder);
        Ok(Self {
            folder: folder.into(),
        })
    }

    /// The folder's path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a sound under its wanted name, or under the first free one after it (`flute`, `flute 2`, …). If that very sound
    /// is there already, nothing is written. Gives the file name.
    ///
    /// # Errors
    /// What the system says; then the folder is as it was.
    pub fn put(&self, wanted: &str, sound: &Sound) -> io::Result<String> {
        let bytes = sound.to_bytes();
        for number in 1_u64.. {
            let name = format!("{}.{SOUND_EXTENSION}", numbered(wanted, number));
            let target = self.folder.join(&name);
            if !target.exists() {
                match whole_file::write_new(&target, &bytes) {
                    Ok(()) => return Ok(name),
                    // Another was quicker.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
            let is_as_long = std::fs::metadata(&target).is_ok_and(|there| there.len() == bytes.len() as u64);
            if is_as_long && std::fs::read(&target).is_ok_and(|there| there == bytes) {
                return Ok(name);
            }
        }
        unreachable!("there are more numbers than files")
    }
}

/// What the files of sounds are to be called, each otherwise: by the names of what they are made of.
pub(super) fn wanted_names(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut taken = HashSet::new();
    let unlike = |name: String| {
        let stem = file_name(&name);
        (1_u64..)
            .map(|number| numbered(&stem, number))
            // Some file systems do not tell capitals from others.
            .find(|name| taken.insert(name.to_lowercase()))
            .unwrap_or(stem)
    };
    names.map(unlike).collect()
}

/// `flute`, `flute 2`, `flute 3`, …
fn numbered(name: &str, number: u64) -> String {
    if number == 1 {
        name.into()
    } else {
        format!("{name} {number}")
    }
}

/// A text as a file's name that every system takes, and a preset can say.
pub(super) fn file_name(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_control() || r#"/\:*?"<>|"#.contains(c) {
                '_'
            } else {
                c
            }
        })
        .collect();
    let plain = plain.trim_matches([' ', '.']);
    let mut end = plain.len().min(MAX_NAME_BYTES);
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    let cut = plain[..end].trim_end_matches([' ', '.']);
    if cut.is_empty() {
        "sound".into()
    } else {
        cut.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::Credits;
    use crate::embedding::Embedding;
    use crate::preset::SoundRef;
    use crate::sound::DEFAULT_VELOCITY;
    use proptest::prelude::*;

    fn sound(value: f32) -> Sound {
        Sound {
            name: "flute".into(),
            family: String::new(),
            tags: Vec::new(),
            licence: String::new(),
            source: String::new(),
            model: "spectral 1".into(),
            pitch: 60.0,
            gain_db: 0.0,
            loop_region: None,
            embedding: Embedding::new(2, vec![value; 8]).unwrap(),
            velocity: DEFAULT_VELOCITY,
            further: Vec::new(),
            credits: Credits::default(),
        }
    }

    #[test]
    fn no_file_of_other_content_is_written_over_and_no_sound_is_put_twice() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("flute.sound"), "the user's own").unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        assert_eq!(shelf.put("flute", &sound(0.1)).unwrap(), "flute 2.sound");
        assert_eq!(shelf.put("flute", &sound(0.1)).unwrap(), "flute 2.sound");
        assert_eq!(shelf.put("flute", &sound(0.2)).unwrap(), "flute 3.sound");
        let own = std::fs::read(folder.path().join("flute.sound")).unwrap();
        assert_eq!(own, b"the user's own");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(
            Sound::read(&folder.path().join("flute 3.sound")).unwrap(),
            sound(0.2)
        );
    }

    #[test]
    fn recordings_of_one_name_become_sounds_of_several() {
        let names = ["x", "X", "y", "x 2"].map(String::from);
        assert_eq!(wanted_names(names.into_iter()), ["x", "X 2", "y", "x 2 2"]);
    }

    #[test]
    fn a_shelf_that_is_no_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Shelf::open(&file.join("sounds")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_makes_a_name_that_a_preset_can_say(text in any::<String>(), number in 1_u64..1000) {
            let name = numbered(&file_name(&text), number);
            prop_assert!(name.len() < 220);
            let reference = SoundRef::User(format!("{name}.sound"));
            prop_assert_eq!(reference.to_string().parse::<SoundRef>(), Ok(reference));
        }
    }
}
