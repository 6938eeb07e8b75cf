//! The user's presets as files: saved, renamed, deleted and brought back.
//!
//! Background threads. A preset's file is named after it; what is saved is on the disk, whole, when the call returns. Factory presets are
//! never written to. Nothing is written over unless that was asked for, and what is deleted is moved aside.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{Entry, EntryId, EntryKind, Origin};
use super::index::Index;
use super::marks::MarksFile;
use super::record::content_of;
use super::search::in_roots;
use super::{LibraryError, NAME_CHARS};
use crate::patch::Patch;
use crate::preset::{PRESET_EXTENSION, PRESET_FORMAT, Preset, PresetCorners, PresetError, SoundRef};
use crate::sound::{SOUND_EXTENSION, Sound, SoundError};
use crate::whole_file;

/// Where deleted presets go, in the user's folder.
const DELETED: &str = "deleted";
/// What a file is named that is made of a name without letters.
const NAMELESS: &str = "unnamed";
/// Longest part of a file's name that is made of a name, in bytes: systems take 255, and a number may follow.
const STEM_BYTES: usize = 120;
/// Names that Windows keeps for devices, whatever ending they have.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// What is saved of a preset beside its corners.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PresetDraft {
    /// What a list shows.
    pub name: String,
    /// One sentence on what it is for.
    pub description: String,
    /// Who made it.
    pub author: String,
    /// Under which licence it may be passed on.
    pub licence: String,
    /// Words to search by.
    pub tags: Vec<String>,
    /// Values of parameters by name, as a preset has them.
    pub parameters: BTreeMap<String, f32>,
}

/// A preset that was deleted, and can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedPreset {
    aside: PathBuf,
    is_favourite: bool,
}

impl Index {
    /// Saves a preset into the user's folder, and with it those sounds of its corners that are neither the factory's nor in the user's
    /// folder, so that it opens whatever becomes of them.
    ///
    /// # Errors
    /// If a factory preset has the name; if one of the user's has it, unless `replace`; if the name is none; if a value is outside its
    /// parameter's range; or if the disk refuses. Then no preset was changed.
    pub fn save_preset(
        &self,
        draft: &PresetDraft,
        patch: &Patch,
        replace: bool,
    ) -> Result<Entry, LibraryError> {
        let name = checked_name(&draft.name)?;
        let taken = self.holder_of(&name)?;
        if taken.is_some() && !replace {
            return Err(LibraryError::NameTaken(name));
        }
        let mut preset = Preset {
            format: PRESET_FORMAT,
            name: name.clone(),
            description: draft.description.clone(),
            author: draft.author.clone(),
            licence: draft.licence.clone(),
            tags: draft.tags.clone(),
            corners: PresetCorners::default(),
            parameters: draft.parameters.clone(),
        };
        // What could not be read again is not written.
        Preset::from_bytes(preset.to_toml().as_bytes())?;
        let mut files = Vec::new();
        let mut corners = [None, None, None, None];
        for (corner, sound) in corners.iter_mut().zip(patch.corners()) {
            if let Some(sound) = sound {
                *corner = Some(self.keep_sound(sound, &mut files)?);
            }
        }
        let [a, b, c, d] = corners;
        preset.corners = PresetCorners { a, b, c, d };
        let file = match taken {
            Some(file) => {
                preset.write(&file)?;
                file
            }
            None => self.write_new(&preset)?,
        };
        files.push((Origin::User, file.clone()));
        self.taken_up(&files, &file)
    }

    /// Gives one of the user's presets another name, and its file one to match; its favourite mark goes with it.
    ///
    /// # Errors
    /// If it is not one of the user's; if the name is taken or none; or if the disk refuses. Then it is as it was.
    pub fn rename_preset(&self, id: &EntryId, name: &str) -> Result<Entry, LibraryError> {
        let old = self.own_file(id)?;
        let name = checked_name(name)?;
        if self.holder_of(&name)?.is_some_and(|holder| holder != old) {
            return Err(LibraryError::NameTaken(name));
        }
        let mut preset = Preset::read(&old)?;
        preset.name = name;
        if old.file_stem().and_then(|stem| stem.to_str()) == Some(stem_of(&preset.name).as_str()) {
            preset.write(&old)?;
            return self.taken_up(&[(Origin::User, old.clone())], &old);
        }
        let new = self.write_new(&preset)?;
        // Both are there until the old one is gone: whoever is killed here has it twice, not never.
        fs::remove_file(&old).map_err(|source| LibraryError::File {
            file: old.clone(),
            action: "removed",
            source,
        })?;
        if let Some(new_id) = EntryId::of_file(Origin::User, &new) {
            let marks = MarksFile::in_folder(self.user()?);
            marks.change(|marks| marks.rename(id.as_str(), new_id.as_str()))?;
        }
        self.taken_up(&[(Origin::User, old), (Origin::User, new.clone())], &new)
    }

    /// Deletes one of the user's presets: moves it to `deleted` in the user's folder.
    ///
    /// # Errors
    /// If it is not one of the user's, or the disk refuses; then it is where it was.
    pub fn delete_preset(&self, id: &EntryId) -> Result<DeletedPreset, LibraryError> {
        let file = self.own_file(id)?;
        let folder = self.user()?.join(DELETED);
        let is_favourite = self.entry(id).is_some_and(|entry| entry.is_favourite);
        let aside = moved(&file, &folder)?;
        if is_favourite {
            // Who takes the name next does not take the mark.
            self.set_favourite(id, false)?;
        }
        self.take_up(&[(Origin::User, file)])?;
        Ok(DeletedPreset { aside, is_favourite })
    }

    /// Brings a deleted preset back, as what it was.
    ///
    /// # Errors
    /// If it is gone, or the disk refuses.
    pub fn restore_preset(&self, deleted: &DeletedPreset) -> Result<Entry, LibraryError> {
        let file = moved(&deleted.aside, &self.library().user_presets()?)?;
        let mut entry = self.taken_up(&[(Origin::User, file.clone())], &file)?;
        if deleted.is_favourite {
            self.set_favourite(&entry.id, true)?;
            entry.is_favourite = true;
        }
        Ok(entry)
    }

    /// The name itself, or with the first number that makes it free: "Glass", "Glass 2".
    pub fn free_name(&self, name: &str) -> String {
        let name = checked_name(name).unwrap_or_else(|_| "Preset".into());
        let presets = self.library().presets();
        let is_free = |name: &str| !presets.iter().any(|entry| is_same_name(&entry.preset.name, name));
        // "Glass 2" is to become "Glass 3".
        let base = match name.rsplit_once(' ') {
            Some((base, number)) if number.parse::<u32>().is_ok() && !base.trim().is_empty() => base,
            _ => name.as_str(),
        };
        let base: String = base.chars().take(NAME_CHARS - 8).collect();
        let numbered = (2_u32..).map(|number| format!("{} {number}", base.trim_end()));
        std::iter::once(name.clone())
            .chain(numbered)
            .find(|name| is_free(name))
            .unwrap_or(name)
    }

    /// The file of the user's preset of a name; none if the name is free.
    fn holder_of(&self, name: &str) -> Result<Option<PathBuf>, LibraryError> {
        let presets = self.library().presets();
        let mut same = presets
            .into_iter()
            .filter(|entry| is_same_name(&entry.preset.name, name));
        let holder = same.next();
        match holder {
            Some(entry) if !entry.is_user => Err(LibraryError::FactoryPreset(entry.preset.name)),
            holder => Ok(holder.map(|entry| entry.file)),
        }
    }

    /// The file of one of the user's presets.
    fn own_file(&self, id: &EntryId) -> Result<PathBuf, LibraryError> {
        let file = self.preset_file(id)?;
        match id.origin() {
            Origin::User if file.extension().is_some_and(|ending| ending == PRESET_EXTENSION) => Ok(file),
            Origin::User => Err(LibraryError::NoSuchPreset(id.to_string())),
            Origin::Factory => {
                let name = Preset::read(&file).map_or_else(|_| id.to_string(), |preset| preset.name);
                Err(LibraryError::FactoryPreset(name))
            }
            Origin::Folder => Err(LibraryError::Folder {
                folder: file,
                reason: "is not in your folder of presets: save it there first".into(),
            }),
        }
    }

    /// Writes a preset as a file that was not there.
    fn write_new(&self, preset: &Preset) -> Result<PathBuf, LibraryError> {
        let folder = self.library().user_presets()?;
        let written = write_new(&folder, &preset.name, PRESET_EXTENSION, |file| {
            whole_file::write_new(file, preset.to_toml().as_bytes())
        });
        written.map_err(|(path, source)| PresetError::Io { path, source }.into())
    }

    /// A place for a sound that presets can name: where it is already, or a new file in the user's folder.
    fn keep_sound(
        &self,
        sound: &Arc<Sound>,
        files: &mut Vec<(Origin, PathBuf)>,
    ) -> Result<SoundRef, LibraryError> {
        if let Some(reference) = self.place_of(sound) {
            return Ok(reference);
        }
        let folder = self.library().user_sounds()?;
        let bytes = sound.to_bytes();
        let written = write_new(&folder, &sound.name, SOUND_EXTENSION, |file| {
            // What an index that is not up to date does not know of.
            if Sound::read(file).is_ok_and(|there| there == **sound) {
                return Ok(());
            }
            whole_file::write_new(file, &bytes)
        });
        let file = written.map_err(|(file, source)| SoundError::File {
            file,
            action: "written",
            source,
        })?;
        let id = EntryId::of_file(Origin::User, &file);
        files.push((Origin::User, file));
        id.and_then(|id| id.sound_ref())
            .ok_or_else(|| LibraryError::BadName(sound.name.clone()))
    }

    /// Where the factory or the user has a sound.
    fn place_of(&self, sound: &Arc<Sound>) -> Option<SoundRef> {
        let content = content_of(sound);
        let places = self
            .with(|connection, scope| {
                let sql = format!(
                    "SELECT place FROM entry WHERE content = ?1 AND kind = 0 AND origin < 2 AND {} ORDER BY origin, place",
                    in_roots(scope)
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let places = statement.query_map([content], |row| row.get::<_, String>(0))?;
                places.collect::<rusqlite::Result<Vec<_>>>()
            })
            .unwrap_or_default();
        let mut references = places.iter().filter_map(|place| place.parse::<SoundRef>().ok());
        // The files are the truth.
        references.find(|reference| self.library().sound(reference).is_ok_and(|there| there == *sound))
    }

    /// The entry of a file that was just written.
    fn taken_up(&self, files: &[(Origin, PathBuf)], file: &Path) -> Result<Entry, LibraryError> {
        self.take_up(files)?;
        EntryId::of_file(Origin::User, file)
            .and_then(|id| self.entry(&id))
            .filter(|entry| entry.kind == EntryKind::Preset)
            .ok_or_else(|| LibraryError::Index(format!("{} is not in it", file.display())))
    }
}

fn is_same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// A name without spaces around it.
fn checked_name(name: &str) -> Result<String, LibraryError> {
    let trimmed = name.trim();
    let is_name = trimmed.chars().count() <= NAME_CHARS
        && trimmed.chars().any(char::is_alphanumeric)
        && !trimmed.chars().any(char::is_control);
    if is_name {
        Ok(trimmed.to_owned())
    } else {
        Err(LibraryError::BadName(trimmed.chars().take(NAME_CHARS).collect()))
    }
}

/// The name of a file, without its ending, that is made of a name: letters and digits in lower case, `_` for what parts them. No system
/// takes it for anything else.
pub(crate) fn stem_of(name: &str) -> String {
    let mut stem = String::new();
    let mut gap = false;
    for letter in name.chars().flat_map(char::to_lowercase) {
        if !letter.is_alphanumeric() {
            gap = true;
            continue;
        }
        if stem.len() + letter.len_utf8() >= STEM_BYTES {
            break;
        }
        if gap && !stem.is_empty() {
            stem.push('_');
        }
        gap = false;
        stem.push(letter);
    }
    let is_device = DEVICES.contains(&stem.as_str())
        || NUMBERED_DEVICES.iter().any(|device| {
            let number = stem.strip_prefix(device);
            number.is_some_and(|number| number.chars().count() == 1)
        });
    if stem.is_empty() {
        NAMELESS.into()
    } else if is_device {
        format!("{stem}_")
    } else {
        stem
    }
}

/// Has `write` write a new file that is named after `name`: with a number, where there is one of that name.
fn write_new(
    folder: &Path,
    name: &str,
    extension: &str,
    write: impl Fn(&Path) -> std::io::Result<()>,
) -> Result<PathBuf, (PathBuf, std::io::Error)> {
    fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
    let stem = stem_of(name);
    let numbered = (2_u32..).map(|number| format!("{stem}_{number}"));
    for stem in std::iter::once(stem.clone()).chain(numbered) {
        let file = folder.join(format!("{stem}.{extension}"));
        match write(&file) {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err((file, error)),
        }
    }
    // There are more numbers than files.
    Err((folder.to_owned(), ErrorKind::AlreadyExists.into()))
}

/// Moves a file into a folder under a name that is free there.
fn moved(file: &Path, folder: &Path) -> Result<PathBuf, LibraryError> {
    let failed = |source| LibraryError::File {
        file: file.to_owned(),
        action: "moved",
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let stem = file
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let numbered = (2_u32..).map(|number| format!("{stem}_{number}"));
    let target = std::iter::once(stem.clone())
        .chain(numbered)
        .map(|name| folder.join(format!("{name}.{PRESET_EXTENSION}")))
        .find(|target| !target.exists())
        .unwrap_or_else(|| folder.join(NAMELESS));
    fs::rename(file, &target).map_err(failed)?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::library::entry::Filter;
    use crate::library::tests::{Folders, folders, sound_of};
    use proptest::prelude::*;
    use std::sync::atomic::AtomicBool;

    fn index(folders: &Folders) -> Index {
        let index = Index::open(Library::in_folders(&folders.factory, &folders.user));
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        index
    }

    fn draft(name: &str) -> PresetDraft {
        PresetDraft {
            name: name.into(),
            author: "me".into(),
            tags: vec!["soft".into()],
            parameters: [("attack_ms".to_owned(), 40.0)].into(),
            ..PresetDraft::default()
        }
    }

    fn sounds(folders: &Folders) -> usize {
        std::fs::read_dir(folders.user.join("sounds")).unwrap().count()
    }

    #[test]
    fn a_saved_preset_opens_with_its_sounds_which_are_kept_once() {
        let folders = folders();
        let index = index(&folders);
        let flute = index.sound(&"factory/flute.sound".parse().unwrap()).unwrap();
        let mut loose = sound_of("A/B: loose", "");
        loose.tags = vec!["x".into()];
        let patch = Patch::new([Some(flute), None, Some(Arc::new(loose)), None]);
        let entry = index
            .save_preset(&draft("  Glass & Air "), &patch, false)
            .unwrap();
        assert_eq!(
            (entry.id.as_str(), entry.name.as_str()),
            ("user/glass_air.toml", "Glass & Air")
        );
        let (preset, read) = index.preset(&entry.id).unwrap();
        assert_eq!(read, patch);
        assert_eq!(preset.corners.a, Some(SoundRef::Factory("flute.sound".into())));
        assert_eq!(preset.corners.c, Some(SoundRef::User("a_b_loose.sound".into())));
        assert_eq!(preset.parameters["attack_ms"], 40.0);
        assert_eq!(index.search("glass", &Filter::presets(), 9), [entry]);
        assert_eq!(sounds(&folders), 2);
        index.save_preset(&draft("Another"), &patch, false).unwrap();
        assert_eq!(sounds(&folders), 2, "the sound is there already");
        assert_eq!(index.search("loose", &Filter::sounds(), 9).len(), 1);
    }

    #[test]
    fn a_name_that_is_taken_is_asked_about_and_a_factorys_is_not_to_be_had() {
        let folders = folders();
        let index = index(&folders);
        let factory = std::fs::read(folders.factory.join("init.toml")).unwrap();
        for replace in [false, true] {
            let refused = index.save_preset(&draft("INIT"), &Patch::default(), replace);
            assert!(matches!(refused, Err(LibraryError::FactoryPreset(name)) if name == "Init"));
        }
        assert_eq!(std::fs::read(folders.factory.join("init.toml")).unwrap(), factory);
        let before = std::fs::read(folders.user.join("presets/mine.toml")).unwrap();
        let refused = index.save_preset(&draft("mine"), &Patch::default(), false);
        assert!(matches!(refused, Err(LibraryError::NameTaken(_))));
        assert_eq!(
            std::fs::read(folders.user.join("presets/mine.toml")).unwrap(),
            before
        );
        let replaced = index
            .save_preset(&draft("mine"), &Patch::default(), true)
            .unwrap();
        assert_eq!(replaced.id.as_str(), "user/mine.toml");
        assert_eq!(replaced.author, "me");
        let mut bad = draft("Bad");
        bad.parameters.insert("attack_ms".into(), -1.0);
        assert!(
            index
                .save_preset(&bad, &Patch::default(), false)
                .unwrap_err()
                .to_string()
                .contains("attack_ms")
        );
        for name in ["", "  ", "...", "a\nb", &"x".repeat(101)] {
            assert!(matches!(
                index.save_preset(&draft(name), &Patch::default(), false),
                Err(LibraryError::BadName(_))
            ));
        }
        assert_eq!(index.free_name("Init"), "Init 2");
        assert_eq!(index.free_name("New"), "New");
        index
            .save_preset(&draft("Init 2"), &Patch::default(), false)
            .unwrap();
        assert_eq!(index.free_name("Init 2"), "Init 3");
    }

    #[test]
    fn a_renamed_preset_keeps_its_mark_and_what_it_holds() {
        let folders = folders();
        let index = index(&folders);
        let id: EntryId = "user/mine.toml".parse().unwrap();
        index.set_favourite(&id, true).unwrap();
        let renamed = index.rename_preset(&id, "Ours").unwrap();
        assert_eq!(
            (renamed.id.as_str(), renamed.is_favourite),
            ("user/ours.toml", true)
        );
        assert!(index.entry(&id).is_none() && !folders.user.join("presets/mine.toml").exists());
        assert_eq!(index.preset(&renamed.id).unwrap().0.parameters["blend_x"], 0.25);
        // Another case is another name of the same file.
        let louder = index.rename_preset(&renamed.id, "OURS").unwrap();
        assert_eq!((louder.id, louder.name.as_str()), (renamed.id.clone(), "OURS"));
        for taken in ["Lost", "Init"] {
            assert!(index.rename_preset(&renamed.id, taken).is_err());
        }
        let factory: EntryId = "factory/init.toml".parse().unwrap();
        assert!(matches!(
            index.rename_preset(&factory, "X"),
            Err(LibraryError::FactoryPreset(_))
        ));
        assert!(matches!(
            index.delete_preset(&factory),
            Err(LibraryError::FactoryPreset(_))
        ));
    }

    #[test]
    fn a_deleted_preset_comes_back_as_it_was() {
        let folders = folders();
        let index = index(&folders);
        let id: EntryId = "user/mine.toml".parse().unwrap();
        index.set_favourite(&id, true).unwrap();
        let before = index.preset(&id).unwrap();
        let deleted = index.delete_preset(&id).unwrap();
        assert!(index.entry(&id).is_none());
        let restored = index.restore_preset(&deleted).unwrap();
        assert_eq!((restored.id.clone(), restored.is_favourite), (id.clone(), true));
        assert_eq!(index.preset(&id).unwrap(), before);
        // When the name was given away meanwhile, both are there.
        let deleted = index.delete_preset(&id).unwrap();
        let other = index
            .save_preset(&draft("Mine"), &Patch::default(), false)
            .unwrap();
        assert_eq!((other.id, other.is_favourite), (id, false));
        let restored = index.restore_preset(&deleted).unwrap();
        assert_eq!(restored.id.as_str(), "user/mine_2.toml");
        assert!(restored.is_favourite);
        assert!(index.restore_preset(&deleted).is_err(), "it is gone");
    }

    #[test]
    fn two_presets_whose_names_make_one_file_name_are_two_files() {
        let folders = folders();
        let index = index(&folders);
        let ids = ["A B", "a-b", "A? B!"].map(|name| {
            let saved = index.save_preset(&draft(name), &Patch::default(), false);
            saved.unwrap().id.to_string()
        });
        assert_eq!(ids, ["user/a_b.toml", "user/a_b_2.toml", "user/a_b_3.toml"]);
    }

    proptest! {
        #[test]
        fn any_name_makes_a_plain_file_name(name in ".{0,300}") {
            let stem = stem_of(&name);
            prop_assert!(!stem.is_empty() && stem.len() <= STEM_BYTES + 1);
            prop_assert!(stem.chars().all(|letter| letter.is_alphanumeric() || letter == '_'));
            prop_assert!(!DEVICES.contains(&stem.as_str()));
            let again = stem_of(&stem);
            prop_assert_eq!(again.trim_end_matches('_'), stem.trim_end_matches('_'));
            let sayable = format!("user/{stem}.sound").parse::<SoundRef>();
            prop_assert!(sayable.is_ok());
        }
    }

    #[test]
    fn devices_and_nothing_are_no_file_names() {
        assert_eq!(stem_of("CON"), "con_");
        assert_eq!(stem_of("com1"), "com1_");
        assert_eq!(stem_of("Common"), "common");
        assert_eq!(stem_of("!?"), "unnamed");
        assert_eq!(stem_of("Été / Hiver"), "été_hiver");
    }
}
