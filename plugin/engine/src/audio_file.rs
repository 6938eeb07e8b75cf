//! Reading recordings: WAV, AIFF, FLAC, MP3 and OGG Vorbis of any rate, depth and number of channels, to mono at a
//! model's rate.
//!
//! Background threads only. Whatever is in a file, reading it ends in a recording or in one sentence, and takes bounded
//! memory. A file that says how long it is and is shorter is refused: a note that stops in the middle is nothing to play.
//! Channels that cancel when they are summed are not: then the loudest one is taken, and [`Recording::channel`] says so.

mod decode;

use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};
use symphonia::core::io::MediaSource;

use decode::decode;

/// How the names of the files that are read end, in lower case.
pub const EXTENSIONS: [&str; 9] = ["wav", "wave", "aif", "aiff", "aifc", "flac", "mp3", "ogg", "oga"];
/// What is read of a longer recording, from the start that is asked for: the note is looked for in it.
pub const MAX_SECONDS: f64 = 120.0;
/// Channels whose mean is quieter than they are by more than this cancel each other.
const COMB_DB: f64 = 1.5;
/// Samples of the resampler's filter: long enough that what it takes away lies in the top octave's last 2 %.
const RESAMPLER_CHUNK: usize = 4096;

/// Mono audio and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Mono, at the rate that was asked for; full scale is 1.0.
    pub samples: Vec<f32>,
    /// Rate of `samples`.
    pub sample_rate_hz: u32,
    /// Rate of the file.
    pub file_rate_hz: u32,
    /// Channels of the file.
    pub file_channels: usize,
    /// What became of the channels.
    pub channel: ChannelUse,
}

/// Which part of a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Part {
    /// Where it begins, in seconds, at least 0.
    pub start_seconds: f64,
    /// How long it is, in seconds, above 0; to the end of the file if none. [`MAX_SECONDS`] at most.
    pub length_seconds: Option<f64>,
}

/// How a file's channels became one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ChannelUse {
    /// There was one.
    Only,
    /// They were averaged.
    Mean,
    /// They cancel each other: their mean is quieter by `loss_db`, so the loudest was taken.
    Loudest {
        /// Which, from 0.
        index: usize,
        /// What the mean would have lost, in dB.
        loss_db: f64,
    },
}

impl fmt::Display for ChannelUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("one channel"),
            Self::Mean => f.write_str("the mean of the channels"),
            Self::Loudest { index, loss_db } => write!(
                f,
                "channel {} alone, the loudest: the mean of the channels would lose {loss_db:.1} dB by cancellation",
                index + 1
            ),
        }
    }
}

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AudioFileError {
    /// The system refused.
    #[error("{}: cannot be read: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// No audio file, or a kind that is not known.
    #[error("{}: is no audio file that Betwixt reads ({reason}); expected WAV, AIFF, FLAC, MP3 or OGG Vorbis", .file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The audio in it is damaged.
    #[error("{}: its audio cannot be decoded: {reason}", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A rate, length or number of channels outside what makes sense.
    #[error("{}: has {found}; expected {expected}", .file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
}

/// Whether a file is a recording by its name.
pub fn is_audio_name(file: &Path) -> bool {
    file.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension.to_lowercase().as_str()))
}

/// Reads a file to mono at `sample_rate_hz`.
///
/// # Errors
/// If the file cannot be read, is no audio, ends earlier than it says, holds no audio, or values that are no samples.
pub fn read(file: &Path, sample_rate_hz: u32) -> Result<Recording, AudioFileError> {
    read_part(file, sample_rate_hz, Part::default())
}

/// Reads a part of a file.
///
/// # Errors
/// As [`read`]'s, and if the file ends before the part begins.
pub fn read_part(file: &Path, sample_rate_hz: u32, part: Part) -> Result<Recording, AudioFileError> {
    let failed = |source| AudioFileError::Read {
        file: file.into(),
        source,
    };
    // Asked before it is opened: a pipe would be waited for.
    if !std::fs::metadata(file).map_err(failed)?.is_file() {
        return Err(AudioFileError::Format {
            file: file.into(),
            reason: "it is no file".into(),
        });
    }
    let opened = File::open(file).map_err(failed)?;
    read_from(Box::new(opened), file, sample_rate_hz, part)
}

/// As [`read_part`], from any source of bytes; `file` is what messages call it.
///
/// # Errors
/// As [`read_part`]'s.
pub fn read_from(
    source: Box<dyn MediaSource>,
    file: &Path,
    sample_rate_hz: u32,
    part: Part,
) -> Result<Recording, AudioFileError> {
    // Symphonia 0.6.1 overflows on a WAV header of more than 32 channels: what a parser trips over is a bad file, and
    // nothing of what it held is used afterwards.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(source, file, part)));
    let decoded = decoded.unwrap_or_else(|_| {
        Err(AudioFileError::Format {
            file: file.into(),
            reason: "its header cannot be made sense of".into(),
        })
    })?;
    let file_channels = decoded.channels.len();
    let (mono, channel) = to_mono(decoded.channels);
    let samples = resample(mono, decoded.rate_hz, sample_rate_hz);
    Ok(Recording {
        samples,
        sample_rate_hz,
        file_rate_hz: decoded.rate_hz,
        file_channels,
        channel,
    })
}

fn to_mono(mut channels: Vec<Vec<f32>>) -> (Vec<f32>, ChannelUse) {
    if channels.len() == 1 {
        return (channels.swap_remove(0), ChannelUse::Only);
    }
    let scale = 1.0 / channels.len() as f32;
    let mean: Vec<f32> = (0..channels[0].len())
        .map(|i| scale * channels.iter().map(|channel| channel[i]).sum::<f32>())
        .collect();
    let power = |samples: &[f32]| samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>();
    let powers: Vec<f64> = channels.iter().map(|channel| power(channel)).collect();
    // Channels that agree have a mean as loud as they are; a silent channel beside a loud one counts as a loss too.
    let loss_db = 10.0 * (powers.iter().copied().fold(0.0, f64::max) / power(&mean).max(1e-30)).log10();
    if loss_db <= COMB_DB {
        return (mean, ChannelUse::Mean);
    }
    let index = (0..powers.len())
        .max_by(|a, b| powers[*a].total_cmp(&powers[*b]))
        .unwrap_or(0);
    (
        channels.swap_remove(index),
        ChannelUse::Loudest { index, loss_db },
    )
}

/// A recording played so many times faster, and higher by as much; 1/5 to 5.
pub(crate) fn sped_up(samples: &[f32], sample_rate_hz: u32, faster: f64) -> Vec<f32> {
    let to_hz = (f64::from(sample_rate_hz) / faster.clamp(0.2, 5.0)).round() as u32;
    resample(samples.to_vec(), sample_rate_hz, to_hz)
}

/// All of a mono signal at another rate, by a linear-phase filter; the first sample stays the first. As it is if that is its
/// own rate.
///
/// # Panics
/// If a rate is 0.
pub(crate) fn resample(samples: Vec<f32>, from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz {
        return samples;
    }
    let frames = samples.len();
    let whole = || -> Option<Vec<f32>> {
        let mut resampler = Fft::<f32>::new_custom(
            from_hz as usize,
            to_hz as usize,
            RESAMPLER_CHUNK,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .ok()?;
        let input = SequentialSlice::new(&samples, 1, frames).ok()?;
        Some(resampler.process_all(&input, frames, None).ok()?.take_data())
    };
    whole().expect("rates and channels were checked, and the buffer is as long as it says")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{SampleFormat, WavSpec, WavWriter};
    use proptest::prelude::*;

    #[test]
    fn what_is_played_faster_is_higher_and_shorter() {
        let tone: Vec<f32> = (0..16_000)
            .map(|i| (std::f32::consts::TAU * 220.0 * i as f32 / 16_000.0).sin())
            .collect();
        for (semitones, pitch) in [
            (-24.0, 33.0),
            (-4.0, 53.0),
            (0.0, 57.0),
            (8.0, 65.0),
            (24.0, 81.0),
        ] {
            let faster = f64::exp2(semitones / 12.0);
            let played = sped_up(&tone, 16_000, faster);
            assert!((played.len() as f64 * faster - 16_000.0).abs() < 0.02 * 16_000.0);
            let found = crate::pitch_detect::detect(&played, 16_000).unwrap();
            assert!(
                (f64::from(found.midi) - pitch).abs() < 0.03,
                "{semitones}: {found:?}"
            );
        }
    }

    fn write_wav(rate: u32, bits: u16, format: SampleFormat, channels: &[Vec<f32>]) -> Vec<u8> {
        let spec = WavSpec {
            channels: channels.len() as u16,
            sample_rate: rate,
            bits_per_sample: bits,
            sample_format: format,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for i in 0..channels[0].len() {
            for channel in channels {
                match format {
                    SampleFormat::Float => writer.write_sample(channel[i]).unwrap(),
                    SampleFormat::Int => {
                        let full = (1_i64 << (bits - 1)) as f32;
                        writer.write_sample((channel[i] * (full - 1.0)) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn read_bytes(bytes: &[u8], rate: u32) -> Result<Recording, AudioFileError> {
        read_from(
            Box::new(std::io::Cursor::new(bytes.to_vec())),
            Path::new("in.wav"),
            rate,
            Part::default(),
        )
    }

    #[test]
    fn a_recording_is_known_by_its_name() {
        assert!(is_audio_name(Path::new("a/Flute C4.WAV")) && is_audio_name(Path::new("b.oga")));
        assert!(!is_audio_name(Path::new("wav")) && !is_audio_name(Path::new("a.wav.txt")));
    }

    #[test]
    fn a_part_begins_and_ends_where_it_is_asked_for() {
        let ramp: Vec<f32> = (0..8000).map(|i| i as f32 / 8000.0).collect();
        let bytes = write_wav(8000, 32, SampleFormat::Float, &[ramp.clone(), ramp.clone()]);
        let part = |start_seconds, length_seconds| {
            let source = Box::new(std::io::Cursor::new(bytes.clone()));
            let part = Part {
                start_seconds,
                length_seconds,
            };
            read_from(source, Path::new("in.wav"), 8000, part)
        };
        let middle = part(0.25, Some(0.5)).unwrap();
        assert!(middle.samples == ramp[2000..6000]);
        let rest = part(0.25, None).unwrap();
        assert!(rest.samples == ramp[2000..]);
        let message = part(1.5, None).unwrap_err().to_string();
        assert_eq!(
            message,
            "in.wav: has 1.00 seconds of audio; expected more than 1.50"
        );
    }

    #[test]
    fn a_folder_and_an_empty_file_are_no_recordings() {
        let folder = tempfile::tempdir().unwrap();
        let message = read(folder.path(), 48_000).unwrap_err().to_string();
        assert!(message.contains("it is no file"), "{message}");
        let empty = folder.path().join("empty.wav");
        std::fs::write(&empty, b"").unwrap();
        let message = read(&empty, 48_000).unwrap_err().to_string();
        assert!(
            message.ends_with("empty.wav: has no bytes; expected a recording"),
            "{message}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let message = read(Path::new("/nowhere/a.wav"), 48_000).unwrap_err().to_string();
        assert!(message.starts_with("/nowhere/a.wav: cannot be read"), "{message}");
    }

    fn sine(hz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        (0..(seconds * f64::from(rate)) as usize)
            .map(|i| (0.5 * (std::f64::consts::TAU * hz * i as f64 / f64::from(rate)).sin()) as f32)
            .collect()
    }

    #[test]
    fn every_depth_and_rate_gives_the_same_tone_at_48_khz() {
        let wanted = sine(997.0, 48_000, 0.4);
        for (bits, format) in [
            (8, SampleFormat::Int),
            (16, SampleFormat::Int),
            (24, SampleFormat::Int),
            (32, SampleFormat::Int),
            (32, SampleFormat::Float),
        ] {
            for rate in [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000] {
                let bytes = write_wav(rate, bits, format, &[sine(997.0, rate, 0.4)]);
                let recording = read_bytes(&bytes, 48_000).unwrap();
                assert!(
                    recording.samples.len().abs_diff(wanted.len()) <= 8,
                    "{bits} {rate}"
                );
                let tolerance = if bits == 8 { 0.02 } else { 1e-3 };
                let worst = recording.samples[4800..14_000]
                    .iter()
                    .zip(&wanted[4800..])
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f32::max);
                assert!(worst < tolerance, "{bits} bits at {rate} Hz: {worst}");
            }
        }
    }

    #[test]
    fn channels_that_agree_are_averaged_and_channels_that_cancel_are_not() {
        let left = sine(440.0, 48_000, 0.2);
        let right: Vec<f32> = left.iter().map(|s| -0.9 * s).collect();
        let agree = write_wav(48_000, 32, SampleFormat::Float, &[left.clone(), left.clone()]);
        assert_eq!(read_bytes(&agree, 48_000).unwrap().channel, ChannelUse::Mean);
        let cancel = write_wav(48_000, 32, SampleFormat::Float, &[right, left.clone()]);
        let recording = read_bytes(&cancel, 48_000).unwrap();
        assert!(
            matches!(recording.channel, ChannelUse::Loudest { index: 1, .. }),
            "{:?}",
            recording.channel
        );
        assert_eq!(recording.samples, left);
    }

    #[test]
    fn a_text_file_is_refused_in_one_sentence() {
        let message = read_bytes(b"this is a letter", 48_000).unwrap_err().to_string();
        assert!(message.contains("in.wav") && !message.contains('\n'), "{message}");
    }

    #[test]
    fn a_header_of_33_channels_does_not_panic() {
        let mut bytes = write_wav(44_100, 24, SampleFormat::Int, &[sine(440.0, 44_100, 0.05)]);
        bytes[22] = 33;
        if let Ok(recording) = read_bytes(&bytes, 48_000) {
            assert!(recording.samples.iter().all(|s| s.is_finite()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_truncated_wav_is_refused(cut in 0.0_f64..0.999) {
            let bytes = write_wav(44_100, 16, SampleFormat::Int, &[sine(440.0, 44_100, 0.1), sine(440.0, 44_100, 0.1)]);
            let kept = (cut * bytes.len() as f64) as usize;
            prop_assert!(read_bytes(&bytes[..kept], 48_000).is_err());
        }

        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
            prop_assert!(read_bytes(&bytes, 48_000).is_err());
        }

        #[test]
        fn a_changed_header_never_panics(place in 0_usize..48, byte in any::<u8>()) {
            let mut bytes = write_wav(44_100, 24, SampleFormat::Int, &[sine(440.0, 44_100, 0.05)]);
            bytes[place] = byte;
            if let Ok(recording) = read_bytes(&bytes, 48_000) {
                prop_assert!(recording.samples.iter().all(|s| s.is_finite()));
            }
        }
    }
}
