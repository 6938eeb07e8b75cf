//! Every channel of a recording, out of whichever format it has.
//!
//! Background threads. Symphonia decodes; what is decided here is how much is read, and what counts as damage. It may panic on
//! a file that lies: whoever calls catches that.

use std::path::Path;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_MP3, FORMAT_ID_OGG};
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::{AudioFileError, MAX_SECONDS, Part};

/// Rates that a recording may have.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1000..=768_000;
/// Channels that a recording may have.
const MAX_CHANNELS: usize = 64;
/// Samples of all channels that are kept: 256 MB of memory, eleven minutes of stereo at 48 kHz.
const MAX_SAMPLES: usize = 64 << 20;
/// A sample this many times over full scale is none: 120 dB. Floats that count like integers are far below.
const MAX_SAMPLE: f32 = 1e6;
/// An MP3 may have as many packets for each one of them that is damaged, and still be played.
const PACKETS_PER_DAMAGED: usize = 10;

/// What was decoded.
pub(super) struct Decoded {
    /// Samples of each channel; at least one channel, and one sample.
    pub channels: Vec<Vec<f32>>,
    /// Their rate.
    pub rate_hz: u32,
}

/// The errors of one file.
#[derive(Clone, Copy)]
struct Errors<'a>(&'a Path);

impl Errors<'_> {
    fn no_format(self, reason: impl ToString) -> AudioFileError {
        AudioFileError::Format {
            file: self.0.into(),
            reason: reason.to_string(),
        }
    }

    fn damaged(self, reason: impl ToString) -> AudioFileError {
        AudioFileError::Damaged {
            file: self.0.into(),
            reason: reason.to_string(),
        }
    }

    fn unfit(self, found: String, expected: String) -> AudioFileError {
        AudioFileError::Unfit {
            file: self.0.into(),
            found,
            expected,
        }
    }
}

/// Decodes a part of a file.
pub(super) fn decode(
    source: Box<dyn MediaSource>,
    file: &Path,
    part: Part,
) -> Result<Decoded, AudioFileError> {
    let errors = Errors(file);
    if source.byte_len() == Some(0) {
        return Err(errors.unfit("no bytes".into(), "a recording".into()));
    }
    let mut reader = open(source, file)?;
    let format = reader.format_info().format;
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or_else(|| errors.no_format("it holds no audio"))?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or_else(|| errors.no_format("it does not say how its audio is coded"))?;
    // Without the note that an encoder leaves in the first packet, an MP3's length is a guess by its size.
    let knows_length = format != FORMAT_ID_MP3 || track.delay.is_some();
    let promised_frames = track.num_frames.filter(|_| knows_length);
    let track_id = track.id;
    let options = AudioDecoderOptions::default().gapless(knows_length);
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &options)
        .map_err(|error| errors.no_format(error))?;

    let mut kept = Kept::new(part);
    let (mut packets, mut damaged_packets) = (0, 0);
    let mut packet_channels: Vec<Vec<f32>> = Vec::new();
    let mut is_enough = false;
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // Another recording follows in the file; the first is taken.
            Err(SymphoniaError::ResetRequired) => break,
            // What was promised and is missing is said below. OGG promises no more than its last whole page, and marks it.
            Err(SymphoniaError::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                if format == FORMAT_ID_OGG {
                    return Err(errors.damaged("it ends before its last page"));
                }
                break;
            }
            Err(error) => return Err(errors.damaged(error)),
        };
        if packet.track_id != track_id {
            continue;
        }
        packets += 1;
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            // One that was cut out of a longer stream begins with packets that need what came before them.
            Err(SymphoniaError::DecodeError(_)) if format == FORMAT_ID_MP3 => {
                damaged_packets += 1;
                continue;
            }
            Err(error) => return Err(errors.damaged(error)),
        };
        kept.take_format(decoded.spec().rate(), decoded.spec().channels().count(), errors)?;
        decoded.copy_to_vecs_planar(&mut packet_channels);
        if kept.add(&packet_channels) {
            is_enough = true;
            break;
        }
    }
    if damaged_packets * PACKETS_PER_DAMAGED > packets {
        return Err(errors.damaged(format!("{damaged_packets} of its {packets} packets are damaged")));
    }
    if let Some(promised) = promised_frames.filter(|promised| !is_enough && *promised > kept.passed_frames) {
        return Err(errors.damaged(format!(
            "it ends after {} of the {promised} samples that its header promises",
            kept.passed_frames
        )));
    }
    kept.finish(errors)
}

fn open(source: Box<dyn MediaSource>, file: &Path) -> Result<Box<dyn FormatReader>, AudioFileError> {
    let mut hint = Hint::new();
    if let Some(extension) = file.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(source, Default::default());
    let probed = symphonia::default::get_probe().probe(
        &hint,
        stream,
        FormatOptions::default(),
        MetadataOptions::default(),
    );
    probed.map_err(|error| match error {
        SymphoniaError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Errors(file).damaged("it ends earlier than its header promises")
        }
        error => Errors(file).no_format(error),
    })
}

/// The part of a file that is kept.
struct Kept {
    part: Part,
    rate_hz: u32,
    channels: Vec<Vec<f32>>,
    /// The part, in samples of one channel.
    wanted: std::ops::Range<u64>,
    /// Samples of one channel that went by, kept or not.
    passed_frames: u64,
}

impl Kept {
    fn new(part: Part) -> Self {
        Self {
            part,
            rate_hz: 0,
            channels: Vec::new(),
            wanted: 0..0,
            passed_frames: 0,
        }
    }

    /// Takes the rate and the number of channels from the first packet; they stay.
    fn take_format(
        &mut self,
        rate_hz: u32,
        channels: usize,
        errors: Errors<'_>,
    ) -> Result<(), AudioFileError> {
        if !self.channels.is_empty() {
            return if (rate_hz, channels) == (self.rate_hz, self.channels.len()) {
                Ok(())
            } else {
                Err(errors.damaged("its rate or number of channels changes midway"))
            };
        }
        if !RATES_HZ.contains(&rate_hz) {
            let expected = format!("{} to {}", RATES_HZ.start(), RATES_HZ.end());
            return Err(errors.unfit(format!("a rate of {rate_hz} Hz"), expected));
        }
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(errors.unfit(format!("{channels} channels"), format!("1 to {MAX_CHANNELS}")));
        }
        let frames = |seconds: f64| (seconds * f64::from(rate_hz)).round() as u64;
        let start = frames(self.part.start_seconds.max(0.0));
        let length = frames(self.part.length_seconds.unwrap_or(MAX_SECONDS).min(MAX_SECONDS)).max(1);
        self.wanted = start..start.saturating_add(length.min((MAX_SAMPLES / channels) as u64));
        self.rate_hz = rate_hz;
        self.channels.resize(channels, Vec::new());
        Ok(())
    }

    /// Keeps what is wanted of a packet; whether more was there than is wanted.
    fn add(&mut self, packet: &[Vec<f32>]) -> bool {
        let begin = self.passed_frames;
        let length = packet.first().map_or(0, Vec::len) as u64;
        self.passed_frames += length;
        let within = |frame: u64| frame.saturating_sub(begin).min(length) as usize;
        let (from, to) = (within(self.wanted.start), within(self.wanted.end));
        for (channel, packet) in self.channels.iter_mut().zip(packet) {
            channel.extend_from_slice(&packet[from..to]);
        }
        self.passed_frames > self.wanted.end
    }

    fn finish(self, errors: Errors<'_>) -> Result<Decoded, AudioFileError> {
        if self.passed_frames == 0 {
            return Err(errors.unfit("no samples".into(), "at least one".into()));
        }
        if self.channels.first().is_none_or(Vec::is_empty) {
            let seconds = self.passed_frames as f64 / f64::from(self.rate_hz);
            return Err(errors.unfit(
                format!("{seconds:.2} seconds of audio"),
                format!("more than {:.2}", self.part.start_seconds),
            ));
        }
        let samples = || self.channels.iter().flatten();
        if samples().any(|sample| !sample.is_finite()) {
            return Err(errors.damaged("it holds a sample that is not a number"));
        }
        if let Some(sample) = samples().find(|sample| sample.abs() > MAX_SAMPLE) {
            return Err(errors.damaged(format!("it holds a sample of {sample:e}, where full scale is 1")));
        }
        Ok(Decoded {
            channels: self.channels,
            rate_hz: self.rate_hz,
        })
    }
}
