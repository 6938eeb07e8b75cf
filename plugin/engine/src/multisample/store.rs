//! Where an instrument's recordings lie, a folder or an archive, and the reading of them.
//!
//! Background threads. Archives are untrusted: what is unpacked of one has bounds, whatever it says of itself.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::audio_file::{self, AudioFileError, Part, Recording};
use crate::multisample::sample_name;

/// A mapping's text at most.
pub(crate) const MOST_TEXT_BYTES: u64 = 16 << 20;
/// A recording that is unpacked at most: two minutes of eight channels at 96 kHz.
const MOST_SAMPLE_BYTES: u64 = 512 << 20;
/// Files of an archive at most.
const MOST_ENTRIES: usize = 100_000;

/// Where the names of an instrument's samples start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// At a folder.
    Folder(PathBuf),
    /// In an archive, at a folder of it, which is empty for its top.
    Archive {
        /// The archive.
        file: PathBuf,
        /// The folder's parts.
        base: Vec<String>,
    },
}

/// A recording that cannot be had, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub String);

impl From<AudioFileError> for Unreadable {
    fn from(error: AudioFileError) -> Self {
        Self(error.to_string())
    }
}

/// Reads the recordings of one store.
#[derive(Debug)]
pub(crate) struct SampleReader<'a> {
    store: &'a Store,
    archive: Option<Archive>,
}

impl<'a> SampleReader<'a> {
    /// # Errors
    /// If an archive cannot be opened.
    pub(crate) fn open(store: &'a Store) -> Result<Self, Unreadable> {
        let archive = match store {
            Store::Folder(_) => None,
            Store::Archive { file, .. } => Some(Archive::open(file).map_err(Unreadable)?),
        };
        Ok(Self { store, archive })
    }

    /// Reads a sample to mono at a rate, and says what messages call it.
    ///
    /// # Errors
    /// If there is none of this name, or it is no recording.
    pub(crate) fn read(&mut self, name: &str, rate_hz: u32) -> Result<(Recording, PathBuf), Unreadable> {
        match (self.store, &mut self.archive) {
            (Store::Folder(base), _) => {
                let file = sample_name::find(base, name).map_err(Unreadable)?;
                Ok((audio_file::read(&file, rate_hz)?, file))
            }
            (Store::Archive { file, base }, Some(archive)) => {
                let (up, parts) = sample_name::parts(name, base.len()).map_err(Unreadable)?;
                let path: Vec<&str> = base[..base.len() - up]
                    .iter()
                    .chain(&parts)
                    .map(String::as_str)
                    .collect();
                let path = path.join("/");
                let bytes = archive.read(&path, MOST_SAMPLE_BYTES).map_err(Unreadable)?;
                let called = file.join(path);
                let bytes = Box::new(Cursor::new(bytes));
                let recording = audio_file::read_from(bytes, &called, rate_hz, Part::default())?;
                Ok((recording, called))
            }
            (Store::Archive { file, .. }, None) => Err(Unreadable(format!("{} is not open", file.display()))),
        }
    }
}

/// An archive that is open.
#[derive(Debug)]
pub(crate) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    file: PathBuf,
}

impl Archive {
    /// # Errors
    /// If it is none, or of far too many files; in words.
    pub(crate) fn open(file: &Path) -> Result<Self, String> {
        let opened =
            File::open(file).map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
        let zip = ZipArchive::new(BufReader::new(opened))
            .map_err(|error| format!("{}: is no ZIP archive: {error}", file.display()))?;
        if zip.len() > MOST_ENTRIES {
            return Err(format!(
                "{}: has {} files; expected at most {MOST_ENTRIES}",
                file.display(),
                zip.len()
            ));
        }
        Ok(Self {
            zip,
            file: file.into(),
        })
    }

    /// The names in it, with slashes, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.zip.file_names().filter_map(Result::ok);
        let mut names: Vec<String> = names.map(|name| name.replace('\\', "/")).collect();
        names.sort();
        names
    }

    /// The bytes of a file in it, of either case and either slash.
    ///
    /// # Errors
    /// If it is not there, or has more than `most` bytes, or is damaged; in words.
    pub(crate) fn read(&mut self, name: &str, most: u64) -> Result<Vec<u8>, String> {
        let archive = self.file.display().to_string();
        let index = self.zip.index_for_name(name).or_else(|| {
            let wanted = name.to_lowercase();
            let names = self.zip.file_names().enumerate();
            let alike = |known: &str| known.replace('\\', "/").to_lowercase() == wanted;
            let mut alike = names.filter_map(|(index, known)| alike(&known.ok()?).then_some(index));
            alike.next()
        });
        let index = index.ok_or_else(|| format!("{archive}: holds no file {}", name.escape_debug()))?;
        let damaged = |error: &dyn std::fmt::Display| {
            format!("{archive}, {}: cannot be unpacked: {error}", name.escape_debug())
        };
        let entry = self.zip.by_index(index).map_err(|error| damaged(&error))?;
        // What it says of its size is a hint: what comes is counted.
        let mut bytes = Vec::with_capacity(entry.size().min(1 << 20) as usize);
        entry
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(&error))?;
        if bytes.len() as u64 > most {
            return Err(format!(
                "{archive}, {}: unpacks to more than {most} bytes",
                name.escape_debug()
            ));
        }
        Ok(bytes)
    }
}

/// Reads a text file with a bound; what is no UTF-8 in it is replaced.
///
/// # Errors
/// What the system says, or that it is too large; in words.
pub(crate) fn read_text(file: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: cannot be read: {error}", file.display());
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(failed)?;
    opened
        .take(MOST_TEXT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MOST_TEXT_BYTES {
        return Err(format!(
            "{}: has more than {MOST_TEXT_BYTES} bytes; expected a mapping's text",
            file.display()
        ));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn opened(bytes: &[u8]) -> (tempfile::TempDir, Result<Archive, String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.zip");
        std::fs::write(&file, bytes).unwrap();
        let archive = Archive::open(&file);
        (folder, archive)
    }

    #[test]
    fn files_are_found_by_either_case_and_bombs_are_stopped() {
        let zeros = vec![0; 1 << 20];
        let bytes = archive(&[("Samples/C4.wav", b"note"), ("bomb", &zeros)]);
        assert!(bytes.len() < 10_000, "it is packed");
        let (_folder, archive) = opened(&bytes);
        let mut archive = archive.unwrap();
        assert_eq!(archive.names(), ["Samples/C4.wav", "bomb"]);
        assert_eq!(archive.read("samples/c4.WAV", 100).unwrap(), b"note");
        assert!(
            archive
                .read("bomb", 1000)
                .unwrap_err()
                .ends_with("bomb: unpacks to more than 1000 bytes")
        );
        assert!(archive.read("x", 10).unwrap_err().ends_with("holds no file x"));
    }

    #[test]
    fn samples_of_an_archive_start_at_its_preset_and_stay_inside() {
        let mut wav = Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
        (0..100).for_each(|n| writer.write_sample(n as i16).unwrap());
        writer.finalize().unwrap();
        let wav = wav.into_inner();
        let (folder, _archive) = opened(&archive(&[("lib/Samples/a.wav", &wav), ("top.wav", &wav)]));
        let store = Store::Archive {
            file: folder.path().join("a.zip"),
            base: vec!["lib".into()],
        };
        let mut reader = SampleReader::open(&store).unwrap();
        assert_eq!(
            reader.read("samples\\a.wav", 48_000).unwrap().0.samples.len(),
            100
        );
        assert!(reader.read("../top.wav", 48_000).is_ok());
        assert!(
            reader
                .read("../../top.wav", 48_000)
                .unwrap_err()
                .0
                .contains("lies outside")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_changed_archive_is_read_or_refused(place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(), is_cut: bool) {
            let mut bytes = archive(&[("a.wav", b"some bytes of some length"), ("b/c", b"more")]);
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if is_cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let (_folder, archive) = opened(&bytes);
            if let Ok(mut archive) = archive {
                for name in archive.names() {
                    let _ = archive.read(&name, 1000);
                }
            }
        }
    }
}
