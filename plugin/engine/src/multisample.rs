//! Multisamples: many recordings of an instrument, at several pitches and velocities, that become one sound with layers.
//!
//! # Threads
//! Background threads only. [`recognise`] looks at names, [`open`] reads mappings, [`Instrument::encode`] reads and encodes recordings, with
//! progress and cancel.
//!
//! # Promises
//! All that is read is untrusted: sizes, counts and depths have bounds, names that lead out of the mapping's folder are refused, and what
//! makes no sense is told by its file and its line or element, and left out. A mapping is taken at its word for which keys
//! a recording is for; at which pitch it sounds is listened to.
//!
//! # Rooms
//! [`sfz`] with `sfz_text`, [`bitwig`] and [`decent_sampler`] with `xml`, [`nsynth`], [`named_files`] the formats, which all give [`zone`]s;
//! `note_name` names of notes; `sample_name`, `store` the files that are meant, in folders and archives; `choice` which recordings are
//! enough; `encoding` the sound.

pub mod bitwig;
mod choice;
pub mod decent_sampler;
mod encoding;
pub mod named_files;
pub(crate) mod note_name;
pub mod nsynth;
mod sample_name;
pub mod sfz;
mod sfz_text;
mod store;
mod xml;
pub mod zone;

use std::fmt;
use std::path::{Path, PathBuf};

pub use encoding::{EncodedInstrument, Instrument};
pub use zone::Skipped;

use crate::audio_file::is_audio_name;
use bitwig::{BITWIG_EXTENSION, MAPPING_NAME};
use decent_sampler::{LIBRARY_EXTENSION, PRESET_EXTENSION};
use nsynth::{AUDIO_FOLDER, LISTING_NAME};
use sfz::SFZ_EXTENSION;
use store::{Archive, MOST_TEXT_BYTES, Store, read_text};
use zone::Mapping;

/// Names of a folder that are looked at.
const MOST_NAMES: usize = 100_000;
/// The dataset's own listing of 290,000 notes is half as large.
const MOST_LISTING_BYTES: u64 = 512 << 20;

/// What kind of multisample a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SFZ instruments.
    Sfz,
    /// Bitwig's and PreSonus's multisamples.
    Multisample,
    /// DecentSampler's presets, or an archive of them.
    DecentSampler,
    /// A folder of recordings that are named with their notes.
    NamedFiles,
    /// A folder in the form of the NSynth dataset.
    Nsynth,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sfz => "SFZ",
            Self::Multisample => "Bitwig multisample",
            Self::DecentSampler => "DecentSampler",
            Self::NamedFiles => "files named with notes",
            Self::Nsynth => "NSynth dataset",
        })
    }
}

/// What a path holds.
#[derive(Debug)]
pub struct Collection {
    /// What kind of multisample.
    pub kind: Kind,
    /// Each becomes one sound; at least one.
    pub instruments: Vec<Instrument>,
    /// What of it was left out.
    pub skipped: Vec<Skipped>,
    /// Recordings of a folder of named files that belong to none of the instruments.
    pub singles: Vec<PathBuf>,
}

/// Why a multisample does not become a sound.
#[derive(Debug, thiserror::Error)]
pub enum MultisampleError {
    /// It cannot be read, or is none.
    #[error("{0}")]
    Unreadable(String),
    /// Not one of its recordings can be encoded.
    #[error("{name}: none of {recordings} recordings can be encoded; of the first is told: {first}")]
    Nothing {
        /// The instrument.
        name: String,
        /// Recordings that were tried.
        recordings: usize,
        /// What is wrong with the first.
        first: String,
    },
    /// It was called off.
    #[error("encoding was cancelled")]
    Cancelled,
}

/// What kind of multisample a path holds, by its name and, of a folder, by the names in it. None: a recording, or files that have
/// nothing to do with one another.
pub fn recognise(path: &Path) -> Option<Kind> {
    if !path.is_dir() {
        return kind_of_file(path);
    }
    if path.join(LISTING_NAME).is_file() && path.join(AUDIO_FOLDER).is_dir() {
        return Some(Kind::Nsynth);
    }
    let names = names_in(path);
    let mapped = names.iter().filter_map(|name| kind_of_file(Path::new(name)));
    mapped.min_by_key(|kind| *kind as u8).or_else(|| {
        let (instruments, _) = named_files::gather(&audio_names(&names), "");
        (!instruments.is_empty()).then_some(Kind::NamedFiles)
    })
}

/// Reads the mappings of a path that was [recognised](recognise): no recording is opened.
///
/// # Errors
/// If it is no multisample, or none of its mappings can be read.
pub fn open(path: &Path) -> Result<Collection, MultisampleError> {
    let unreadable = |reason: String| MultisampleError::Unreadable(reason);
    let kind = recognise(path).ok_or_else(|| {
        unreadable(format!(
            "{}: is no multisample; expected SFZ, DecentSampler, Bitwig's multisample, an NSynth dataset, or a folder of files named with notes",
            path.display()
        ))
    })?;
    let mut collection = Collection {
        kind,
        instruments: Vec::new(),
        skipped: Vec::new(),
        singles: Vec::new(),
    };
    let mut first_failure = None;
    match kind {
        Kind::Nsynth => collection.add_dataset(path).map_err(unreadable)?,
        Kind::NamedFiles => collection.add_named(path),
        Kind::Sfz | Kind::Multisample | Kind::DecentSampler => {
            for file in mapping_files(path, kind) {
                let added = match kind {
                    Kind::Sfz => collection.add_sfz(&file),
                    Kind::Multisample => collection.add_multisample(&file),
                    _ if has_extension(&file, LIBRARY_EXTENSION) => collection.add_library(&file),
                    _ => collection.add_preset(&file),
                };
                if let Err(reason) = added {
                    let place = file.display().to_string();
                    first_failure.get_or_insert_with(|| reason.clone());
                    collection.skipped.push(Skipped { place, reason });
                }
            }
        }
    }
    if collection.instruments.is_empty() {
        let empty = || format!("{}: holds no instrument", path.display());
        return Err(unreadable(first_failure.unwrap_or_else(empty)));
    }
    Ok(collection)
}

impl Collection {
    /// Takes an instrument in, if any of it is left. Its mapping's own name goes before its file's.
    fn add(
        &mut self,
        mut mapping: Mapping,
        store: Store,
        name: &str,
        octave_is_open: bool,
    ) -> Result<(), String> {
        let first = mapping.skipped.first().map(Skipped::to_string);
        self.skipped.append(&mut mapping.skipped);
        if mapping.zones.is_empty() {
            let why = first.unwrap_or_else(|| "it has none that a key plays".into());
            return Err(format!("{name}: no recording of it can be used: {why}"));
        }
        if mapping.name.is_empty() {
            mapping.name = name.to_owned();
        }
        self.instruments
            .push(Instrument::new(mapping, store, octave_is_open));
        Ok(())
    }

    fn add_sfz(&mut self, file: &Path) -> Result<(), String> {
        let text = read_text(file)?;
        let folder = folder_of(file);
        let mut include = |name: &str| sample_name::find(&folder, name).and_then(|file| read_text(&file));
        let called = file.display().to_string();
        let mapping = sfz::parse(&text, &called, &mut include).map_err(|error| error.to_string())?;
        self.add(mapping, Store::Folder(folder), &stem_of(file), false)
    }

    fn add_preset(&mut self, file: &Path) -> Result<(), String> {
        let text = read_text(file)?;
        let called = file.display().to_string();
        let mapping = decent_sampler::parse(&text, &called).map_err(|error| error.to_string())?;
        self.add(mapping, Store::Folder(folder_of(file)), &stem_of(file), false)
    }

    /// All presets of an archive.
    fn add_library(&mut self, file: &Path) -> Result<(), String> {
        let mut archive = Archive::open(file)?;
        let names = archive.names().into_iter();
        let presets: Vec<String> = names
            .filter(|name| has_extension(Path::new(name), PRESET_EXTENSION) && !is_hidden(Path::new(name)))
            .collect();
        let mut failure = Err(format!("{}: holds no .{PRESET_EXTENSION}", file.display()));
        let before = self.instruments.len();
        for name in presets {
            let added = self.add_archived_preset(&mut archive, file, &name);
            if let Err(reason) = &added {
                let place = format!("{}, {name}", file.display());
                self.skipped.push(Skipped {
                    place,
                    reason: reason.clone(),
                });
                failure = added;
            }
        }
        if self.instruments.len() > before {
            Ok(())
        } else {
            failure
        }
    }

    fn add_archived_preset(&mut self, archive: &mut Archive, file: &Path, name: &str) -> Result<(), String> {
        let text = archive.read(name, MOST_TEXT_BYTES)?;
        let text = String::from_utf8_lossy(&text);
        let called = format!("{}, {name}", file.display());
        let mapping = decent_sampler::parse(&text, &called).map_err(|error| error.to_string())?;
        let mut base: Vec<String> = name.split('/').map(str::to_owned).collect();
        base.pop();
        let store = Store::Archive {
            file: file.into(),
            base,
        };
        self.add(mapping, store, &stem_of(Path::new(name)), false)
    }

    fn add_multisample(&mut self, file: &Path) -> Result<(), String> {
        let text = Archive::open(file)?.read(MAPPING_NAME, MOST_TEXT_BYTES)?;
        let called = format!("{}, {MAPPING_NAME}", file.display());
        let mapping =
            bitwig::parse(&String::from_utf8_lossy(&text), &called).map_err(|error| error.to_string())?;
        let store = Store::Archive {
            file: file.into(),
            base: Vec::new(),
        };
        self.add(mapping, store, &stem_of(file), false)
    }

    fn add_named(&mut self, folder: &Path) {
        let called = folder
            .file_name()
            .map_or("Instrument".into(), |name| name.to_string_lossy());
        let (instruments, singles) = named_files::gather(&audio_names(&names_in(folder)), &called);
        for named in instruments {
            let store = Store::Folder(folder.into());
            self.instruments
                .push(Instrument::new(named.mapping, store, named.octave_is_open));
        }
        self.singles = singles.iter().map(|name| folder.join(name)).collect();
    }

    fn add_dataset(&mut self, folder: &Path) -> Result<(), String> {
        let listing = folder.join(LISTING_NAME);
        let called = listing.display().to_string();
        let failed = |error: std::io::Error| format!("{called}: cannot be read: {error}");
        let length = std::fs::metadata(&listing).map_err(failed)?.len();
        if length > MOST_LISTING_BYTES {
            return Err(format!(
                "{called}: has {length} bytes; expected at most {MOST_LISTING_BYTES}"
            ));
        }
        let bytes = std::fs::read(&listing).map_err(failed)?;
        for mapping in nsynth::parse(&bytes, &called).map_err(|error| error.to_string())? {
            let name = mapping.name.clone();
            // One without a note that makes sense has said so.
            let _ = self.add(mapping, Store::Folder(folder.into()), &name, false);
        }
        Ok(())
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension()
        .is_some_and(|own| own.eq_ignore_ascii_case(extension))
}

/// Whether a file is one that a system puts beside others: `._Piano.sfz`, `__MACOSX`.
fn is_hidden(path: &Path) -> bool {
    path.iter().any(|part| {
        let part = part.to_string_lossy();
        part.starts_with('.') && part != "." && part != ".." || part == "__MACOSX"
    })
}

fn kind_of_file(path: &Path) -> Option<Kind> {
    let is = |extension| has_extension(path, extension);
    if path.file_name().is_none_or(|name| is_hidden(Path::new(name))) {
        None
    } else if is(SFZ_EXTENSION) {
        Some(Kind::Sfz)
    } else if is(BITWIG_EXTENSION) {
        Some(Kind::Multisample)
    } else if is(PRESET_EXTENSION) || is(LIBRARY_EXTENSION) {
        Some(Kind::DecentSampler)
    } else {
        None
    }
}

/// The mappings of one kind that a path is, or that lie right in it.
fn mapping_files(path: &Path, kind: Kind) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.into()];
    }
    let names = names_in(path).into_iter();
    let files = names.filter(|name| kind_of_file(Path::new(name)) == Some(kind));
    files.map(|name| path.join(name)).collect()
}

/// The names of files right in a folder, sorted; those that are no text are left out.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let files = entries.filter(|entry| !entry.path().is_dir());
    let mut names: Vec<String> = files
        .take(MOST_NAMES)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn audio_names(names: &[String]) -> Vec<String> {
    let is_audio = |name: &&String| {
        let path = Path::new(name.as_str());
        !is_hidden(path) && is_audio_name(path)
    };
    names.iter().filter(is_audio).cloned().collect()
}

fn folder_of(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).into()
}

fn stem_of(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files of these names; texts for mappings, nothing for others.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        folder
    }

    const SFZ: &str = "<region>sample=../Samples/a.wav key=60 <region>sample=b.wav key=72";
    const PRESET: &str =
        "<DecentSampler><groups><group><sample path='a.wav' rootNote='60'/></group></groups></DecentSampler>";

    #[test]
    fn paths_are_recognised_by_their_names() {
        let of = |files: &[(&str, &str)]| recognise(folder(files).path());
        assert_eq!(
            of(&[("a.sfz", ""), ("b.dspreset", ""), ("x.wav", "")]),
            Some(Kind::Sfz)
        );
        assert_eq!(of(&[("a.DSPreset", "")]), Some(Kind::DecentSampler));
        assert_eq!(
            of(&[("a.multisample", ""), ("notes.txt", "")]),
            Some(Kind::Multisample)
        );
        assert_eq!(
            of(&[("examples.json", "{}"), ("audio/a.wav", "")]),
            Some(Kind::Nsynth)
        );
        assert_eq!(
            of(&[("Harp C3.wav", ""), ("Harp C4.WAV", "")]),
            Some(Kind::NamedFiles)
        );
        assert_eq!(
            of(&[("Harp C3.wav", ""), ("Harp.txt", ""), ("kick.wav", "")]),
            None
        );
        assert_eq!(of(&[("deep/a.sfz", ""), ("._b.sfz", "")]), None);
        assert_eq!(recognise(Path::new("/nowhere/Piano.SFZ")), Some(Kind::Sfz));
        assert_eq!(recognise(Path::new("/nowhere/Piano C4.wav")), None);
    }

    #[test]
    fn every_mapping_of_a_folder_is_an_instrument_and_a_bad_one_is_told() {
        let place = folder(&[
            ("Maps/soft.sfz", SFZ),
            ("Maps/hard.sfz", SFZ),
            ("Maps/bad.sfz", "a letter"),
            ("Samples/a.wav", ""),
        ]);
        let maps = place.path().join("Maps");
        let read = open(&maps).unwrap();
        let names: Vec<&str> = read.instruments.iter().map(|one| one.name.as_str()).collect();
        assert_eq!((read.kind, names), (Kind::Sfz, vec!["hard", "soft"]));
        assert_eq!(
            read.instruments[0].files().len(),
            1,
            "one of two is there, beside the folder"
        );
        let told = read
            .skipped
            .iter()
            .find(|skipped| skipped.place.ends_with("bad.sfz"))
            .unwrap();
        assert!(
            told.reason
                .ends_with("bad.sfz: is no SFZ instrument: it has no <region>"),
            "{told}"
        );
        let message = open(&maps.join("bad.sfz")).unwrap_err().to_string();
        assert!(
            message.ends_with("is no SFZ instrument: it has no <region>"),
            "{message}"
        );
    }

    #[test]
    fn presets_of_an_archive_start_where_they_lie() {
        let place = folder(&[]);
        let file = place.path().join("Lib.dslibrary");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&file).unwrap());
        for (name, text) in [
            ("Lib/one.dspreset", PRESET),
            ("Lib/two.dspreset", "<x/>"),
            ("__MACOSX/Lib/._one.dspreset", "x"),
        ] {
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        let read = open(&file).unwrap();
        assert_eq!((read.instruments.len(), read.skipped.len()), (1, 1));
        assert_eq!(read.instruments[0].name, "one");
        std::fs::write(&file, "no archive").unwrap();
        assert!(open(&file).unwrap_err().to_string().contains("is no ZIP archive"));
    }

    #[test]
    fn recordings_of_no_instrument_are_left_to_be_imported_alone() {
        let place = folder(&[
            ("Harp C3.wav", ""),
            ("Harp C4.wav", ""),
            ("Kick.wav", ""),
            ("readme.txt", ""),
        ]);
        let read = open(place.path()).unwrap();
        assert_eq!((read.instruments.len(), read.instruments[0].recordings()), (1, 2));
        assert_eq!(read.singles, [place.path().join("Kick.wav")]);
        let message = open(Path::new("/nowhere/a.wav")).unwrap_err().to_string();
        assert!(
            message.starts_with("/nowhere/a.wav: is no multisample; expected"),
            "{message}"
        );
    }

    #[test]
    fn a_dataset_s_instruments_are_of_their_own() {
        let note = |instrument: &str| {
            format!("{{\"instrument_str\": \"{instrument}\", \"pitch\": 60, \"velocity\": 100}}")
        };
        let text = format!("{{\"a\": {}, \"b\": {}, \"c\": {}}}", note("x"), note("y"), "{}");
        let place = folder(&[("examples.json", &text), ("audio/a.wav", "")]);
        let read = open(place.path()).unwrap();
        assert_eq!((read.instruments.len(), read.skipped.len()), (2, 1));
        let empty = folder(&[("examples.json", "{}"), ("audio/a.wav", "")]);
        assert!(
            open(empty.path())
                .unwrap_err()
                .to_string()
                .ends_with("lists no note")
        );
    }
}
