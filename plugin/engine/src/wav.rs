//! Writing WAV: 32-bit float, whole or not at all.
//!
//! Background threads only. Samples go to a temporary file beside the target, which takes its name when the
//! file is finished; a file that is dropped before leaves nothing behind.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use tempfile::NamedTempFile;

use crate::whole_file;

/// Why a WAV could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The system refused.
    #[error("{}: cannot be written: {source}", .file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Too long for the format's 32-bit sizes.
    #[error("{}: more than 4 GB of audio do not fit into a WAV", .file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
    },
}

/// A WAV in the making.
pub struct WavFile {
    target: PathBuf,
    temporary: NamedTempFile,
    writer: WavWriter<BufWriter<File>>,
}

impl std::fmt::Debug for WavFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WavFile")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl WavFile {
    /// Begins a file of `channels` channels.
    ///
    /// # Errors
    /// If the folder of `target` does not exist or may not be written to.
    pub fn create(target: &Path, sample_rate_hz: u32, channels: u16) -> Result<Self, WavError> {
        let failed = |source| WavError::Write {
            file: target.into(),
            source,
        };
        let temporary = whole_file::begin(target).map_err(failed)?;
        let file = temporary.reopen().map_err(failed)?;
        let spec = WavSpec {
            channels,
            sample_rate: sample_rate_hz,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let writer = WavWriter::new(BufWriter::new(file), spec).map_err(|error| wav_error(target, error))?;
        Ok(Self {
            target: target.into(),
            temporary,
            writer,
        })
    }

    /// Adds samples, interleaved.
    ///
    /// # Errors
    /// If the disk is full or the file would become too long.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), WavError> {
        if u64::from(self.writer.len()) + samples.len() as u64 > u64::from(u32::MAX / 4 - 64) {
            return Err(WavError::TooLong {
                file: self.target.clone(),
            });
        }
        samples
            .iter()
            .try_for_each(|sample| self.writer.write_sample(*sample))
            .map_err(|error| wav_error(&self.target, error))
    }

    /// Completes the file and gives it its name, in place of a file that had it.
    ///
    /// # Errors
    /// If the system refuses; then nothing is left behind.
    pub fn finish(self) -> Result<(), WavError> {
        let Self {
            target,
            temporary,
            writer,
        } = self;
        writer.finalize().map_err(|error| wav_error(&target, error))?;
        whole_file::keep(temporary, &target).map_err(|source| WavError::Write { file: target, source })
    }
}

/// Writes a whole mono file.
///
/// # Errors
/// As [`WavFile`]'s.
pub fn write_mono(target: &Path, sample_rate_hz: u32, samples: &[f32]) -> Result<(), WavError> {
    let mut file = WavFile::create(target, sample_rate_hz, 1)?;
    file.write(samples)?;
    file.finish()
}

fn wav_error(file: &Path, error: hound::Error) -> WavError {
    match error {
        hound::Error::IoError(source) => WavError::Write {
            file: file.into(),
            source,
        },
        other => WavError::Write {
            file: file.into(),
            source: std::io::Error::other(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let samples: Vec<f32> = (0..999).map(|i| (i as f32 * 0.1).sin() * 1.5).collect();
        write_mono(&path, 48_000, &samples).unwrap();
        let mut reader = hound::WavReader::open(&path).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (48_000, 1));
        let read: Vec<f32> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(read, samples);
    }

    #[test]
    fn an_unfinished_file_leaves_nothing_and_spares_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        std::fs::write(&path, "old").unwrap();
        let mut file = WavFile::create(&path, 48_000, 2).unwrap();
        file.write(&[0.5; 100_000]).unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_mono(Path::new("/nowhere/at/all.wav"), 48_000, &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/nowhere/at/all.wav: cannot be written"),
            "{error}"
        );
    }
}
