//! A pack's sample as a file: WAV with the chunks that samplers look for, `smpl` (root key, tuning, loop) and `inst`.
//!
//! Background threads. The bytes are a function of the samples and of what is said of them: nothing of the machine or the
//! hour is in them. What mappings need to know of a sample is read from its file again, wherever that was rendered.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::pack::error::PackError;
use crate::pack::options::Depth;
use crate::pack::sustain::Loop;

/// Sizes of a WAV are 32-bit numbers.
const MOST_BYTES: usize = u32::MAX as usize - 1024;
const WAVE_PCM: u16 = 1;
const WAVE_FLOAT: u16 = 3;

/// What a sample's file says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleFacts {
    /// The key that it is rendered at.
    pub key: u8,
    /// How many cents above its key it is to be played: the preset's tuning, -50 to 50.
    pub fine_tune_cents: i8,
    /// The keys that play it.
    pub keys: (u8, u8),
    /// The velocities that play it.
    pub velocities: (u8, u8),
    /// Where it is held.
    pub held: Option<Loop>,
}

/// The bytes of a file: `channels` are as long as each other, full scale is 1.0. `seed` is that of the dither.
///
/// # Errors
/// What is wrong, in words: it is too long.
pub(crate) fn encode(
    channels: &[Vec<f32>],
    rate_hz: u32,
    depth: Depth,
    seed: u64,
    facts: &SampleFacts,
) -> Result<Vec<u8>, String> {
    let data = interleaved(channels, depth, seed, facts.held);
    if data.len() > MOST_BYTES {
        return Err("more than 4 GB of audio do not fit into a WAV".into());
    }
    let count = channels.len() as u16;
    let frame_bytes = count * depth.bits() / 8;
    let mut file = Vec::with_capacity(data.len() + 256);
    file.extend(b"RIFF\0\0\0\0WAVE");

    let mut format = Vec::new();
    let tag = if depth == Depth::Float32 {
        WAVE_FLOAT
    } else {
        WAVE_PCM
    };
    format.extend(tag.to_le_bytes());
    format.extend(count.to_le_bytes());
    format.extend(rate_hz.to_le_bytes());
    format.extend((rate_hz * u32::from(frame_bytes)).to_le_bytes());
    format.extend(frame_bytes.to_le_bytes());
    format.extend(depth.bits().to_le_bytes());
    if depth == Depth::Float32 {
        // The format asks for both where the numbers are not whole.
        format.extend(0_u16.to_le_bytes());
        chunk(&mut file, b"fmt ", &format);
        let frames = channels.first().map_or(0, Vec::len) as u32;
        chunk(&mut file, b"fact", &frames.to_le_bytes());
    } else {
        chunk(&mut file, b"fmt ", &format);
    }
    chunk(&mut file, b"smpl", &smpl(rate_hz, facts));
    chunk(&mut file, b"data", &data);
    // Odd in length, where some readers lose their way: behind what they came for.
    chunk(&mut file, b"inst", &inst(facts));
    let size = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    Ok(file)
}

/// Appends a chunk; chunks begin at even places.
fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    file.extend(name);
    file.extend((content.len() as u32).to_le_bytes());
    file.extend(content);
    if content.len() % 2 == 1 {
        file.push(0);
    }
}

/// The sampler chunk (Multimedia Data Standards Update 1.0, 1994): the key that it sounds at, and its loop.
fn smpl(rate_hz: u32, facts: &SampleFacts) -> Vec<u8> {
    let period_ns = (1e9 / f64::from(rate_hz)).round() as u32;
    let mut words: Vec<u32> = vec![0, 0, period_ns, u32::from(facts.key), 0, 0, 0];
    words.push(u32::from(facts.held.is_some()));
    words.push(0);
    if let Some(Loop { start, end }) = facts.held {
        // Number, forwards, first and last frame, no fraction, without end.
        words.extend([0, 0, start as u32, end as u32 - 1, 0, 0]);
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// The instrument chunk: key, tuning, level, and what plays it.
fn inst(facts: &SampleFacts) -> [u8; 7] {
    let tune = facts.fine_tune_cents.clamp(-50, 50).cast_unsigned();
    let ((low, high), (soft, hard)) = (facts.keys, facts.velocities);
    [facts.key, tune, 0, low, high, soft, hard]
}

/// All samples, frame by frame, as the file has them.
fn interleaved(channels: &[Vec<f32>], depth: Depth, seed: u64, held: Option<Loop>) -> Vec<u8> {
    let frames = channels.first().map_or(0, Vec::len);
    let mut data = Vec::with_capacity(frames * channels.len() * usize::from(depth.bits() / 8));
    for frame in 0..frames {
        for (index, channel) in channels.iter().enumerate() {
            let sample = channel[frame];
            let whole = |bits: u16, dither: f64| {
                let full = f64::from(1_u32 << (bits - 1));
                let value = (f64::from(sample) * full + dither).round();
                value.clamp(-full, full - 1.0) as i32
            };
            match depth {
                Depth::Float32 => data.extend(sample.to_le_bytes()),
                Depth::Int24 => data.extend(&whole(24, 0.0).to_le_bytes()[..3]),
                Depth::Int16 => {
                    let dither = triangular(seed, index, dithered_as(frame, held));
                    data.extend((whole(16, dither) as i16).to_le_bytes());
                }
            }
        }
    }
    data
}

/// The frame whose dither a frame has: near a loop's end and after it, that of the frame a loop's length before. Dither is the same
/// on both sides of the seam, so no step is added there.
fn dithered_as(frame: usize, held: Option<Loop>) -> usize {
    let Some(Loop { start, end }) = held else {
        return frame;
    };
    // No further back than half the loop: what lies before its start has its own.
    let reach = ((end - start) / 2).min(start);
    if frame + reach >= end {
        frame - (end - start)
    } else {
        frame
    }
}

/// Triangular dither of two steps' width, -1 to 1 (Lipshitz, Wannamaker, Vanderkooy 1992).
fn triangular(seed: u64, channel: usize, frame: usize) -> f64 {
    // The finaliser of SplitMix64.
    let mix = |z: u64| {
        let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    let bits = mix(mix(seed ^ channel as u64) ^ frame as u64);
    let unit = |bits: u64| (bits & 0xffff_ffff) as f64 / f64::from(u32::MAX);
    unit(bits) - unit(bits >> 32)
}

/// What is known of a file of this module's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleInfo {
    /// Length in frames.
    pub frames: usize,
    /// Where it is held.
    pub held: Option<Loop>,
}

/// Reads what is known of a sample from its file, and that all of it is there.
///
/// # Errors
/// If it cannot be read, or is none of this module's files, or not all of one.
pub(crate) fn read_info(file: &Path) -> Result<SampleInfo, PackError> {
    let failed = |error| PackError::read(file, error);
    let mut reader = std::fs::File::open(file).map_err(failed)?;
    let length = reader.metadata().map_err(failed)?.len();
    let mut head = vec![0; length.min(512) as usize];
    reader.seek(SeekFrom::Start(0)).map_err(failed)?;
    reader.read_exact(&mut head).map_err(failed)?;
    parse_info(&head, length).ok_or_else(|| PackError::Content {
        file: file.into(),
        reason: "is not a whole sample of this pack".into(),
    })
}

/// What the first bytes of a file of so many bytes say; none unless it is whole.
fn parse_info(head: &[u8], length: u64) -> Option<SampleInfo> {
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    if head.get(..4)? != b"RIFF" || head.get(8..12)? != b"WAVE" || u64::from(word(4)?) + 8 != length {
        return None;
    }
    let (mut at, mut frame_bytes, mut held) = (12, 0, None);
    loop {
        let (name, size) = (head.get(at..at + 4)?, word(at + 4)? as usize);
        let content = at + 8;
        match name {
            b"fmt " => {
                frame_bytes = u16::from_le_bytes(head.get(content + 12..content + 14)?.try_into().ok()?)
            }
            b"smpl" if word(content + 28)? > 0 => {
                let (start, last) = (word(content + 44)? as usize, word(content + 48)? as usize);
                held = Some(Loop { start, end: last + 1 });
            }
            b"data" => {
                let frames = size.checked_div(usize::from(frame_bytes))?;
                let is_whole = (content + size) as u64 <= length;
                let is_inside = held.is_none_or(|held: Loop| held.start < held.end && held.end <= frames);
                return (is_whole && is_inside).then_some(SampleInfo { frames, held });
            }
            _ => {}
        }
        at = content.checked_add(size)?.checked_add(size % 2)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FACTS: SampleFacts = SampleFacts {
        key: 61,
        fine_tune_cents: -7,
        keys: (60, 62),
        velocities: (1, 90),
        held: Some(Loop { start: 300, end: 900 }),
    };

    fn wave(frames: usize) -> Vec<Vec<f32>> {
        let side = |shift: f32| {
            (0..frames)
                .map(|n| 0.7 * (n as f32 * 0.05 + shift).sin())
                .collect()
        };
        vec![side(0.0), side(1.0)]
    }

    #[test]
    fn another_reader_finds_the_samples_that_were_written() {
        for (depth, step) in [
            (Depth::Int16, 1.0 / 32_768.0),
            (Depth::Int24, 1.0 / 8_388_608.0),
            (Depth::Float32, 0.0),
        ] {
            let channels = wave(1001);
            let bytes = encode(&channels, 44_100, depth, 1, &FACTS).unwrap();
            let reader = hound::WavReader::new(std::io::Cursor::new(&bytes)).unwrap();
            let spec = reader.spec();
            assert_eq!(
                (spec.channels, spec.sample_rate, spec.bits_per_sample),
                (2, 44_100, depth.bits())
            );
            let read: Vec<f32> = if depth == Depth::Float32 {
                reader.into_samples::<f32>().map(Result::unwrap).collect()
            } else {
                let full = (1_u32 << (depth.bits() - 1)) as f32;
                reader
                    .into_samples::<i32>()
                    .map(|sample| sample.unwrap() as f32 / full)
                    .collect()
            };
            assert_eq!(read.len(), 2002);
            for (index, sample) in read.iter().enumerate() {
                let off = (sample - channels[index % 2][index / 2]).abs();
                assert!(off <= 1.6 * step, "{depth:?}: {off}");
            }
        }
    }

    #[test]
    fn what_is_said_of_a_sample_is_where_samplers_look_for_it() {
        let bytes = encode(&wave(1000), 48_000, Depth::Int24, 1, &FACTS).unwrap();
        let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap() + 8;
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let smpl = at(b"smpl");
        assert_eq!(
            (word(smpl - 4), word(smpl + 8), word(smpl + 12)),
            (60, 20_833, 61)
        );
        assert_eq!((word(smpl + 28), word(smpl + 44), word(smpl + 48)), (1, 300, 899));
        let inst = at(b"inst");
        assert_eq!(bytes[inst..inst + 7], [61, 249, 0, 60, 62, 1, 90]);
    }

    #[test]
    fn dither_hides_the_steps_and_is_the_same_on_both_sides_of_a_seam() {
        // A tenth of a step is lost by rounding, and kept by dither on average.
        let quiet = vec![vec![0.1 / 32_768.0; 20_000]];
        let facts = SampleFacts { held: None, ..FACTS };
        let bytes = encode(&quiet, 48_000, Depth::Int16, 9, &facts).unwrap();
        let samples = hound::WavReader::new(std::io::Cursor::new(bytes))
            .unwrap()
            .into_samples::<i32>();
        let mean = samples.map(|sample| f64::from(sample.unwrap())).sum::<f64>() / 20_000.0;
        assert!((mean - 0.1).abs() < 0.02, "{mean}");

        let constant = vec![vec![0.123_456; 1000]];
        for (start, end) in [(300, 900), (750, 900), (20, 900)] {
            let held = Some(Loop { start, end });
            let bytes = encode(&constant, 48_000, Depth::Int16, 9, &SampleFacts { held, ..FACTS }).unwrap();
            let samples: Vec<i32> = hound::WavReader::new(std::io::Cursor::new(bytes))
                .unwrap()
                .into_samples()
                .map(Result::unwrap)
                .collect();
            assert_eq!(samples[start - 10..start], samples[end - 10..end]);
            assert_eq!(samples[start..start + 10], samples[end..end + 10]);
        }
    }

    proptest! {
        #[test]
        fn a_sample_is_known_by_its_file_and_a_part_of_it_is_none(
            frames in 0_usize..400, depth in prop_oneof![Just(Depth::Int16), Just(Depth::Int24), Just(Depth::Float32)],
            stereo: bool, held: Option<(u8, u8)>, cut in 1_usize..100,
        ) {
            let held = held
                .map(|(start, more)| Loop { start: start.into(), end: usize::from(start) + usize::from(more) + 1 })
                .filter(|held| held.end <= frames);
            let channels = &wave(frames)[..if stereo { 2 } else { 1 }];
            let bytes = encode(channels, 48_000, depth, 3, &SampleFacts { held, ..FACTS }).unwrap();
            prop_assert_eq!(bytes.len() % 2, 0);
            prop_assert_eq!(parse_info(&bytes[..bytes.len().min(512)], bytes.len() as u64), Some(SampleInfo { frames, held }));
            let cut = &bytes[..bytes.len() - cut.min(bytes.len())];
            prop_assert_eq!(parse_info(&cut[..cut.len().min(512)], cut.len() as u64), None);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_u64..300) {
            let _ = parse_info(&bytes, length);
            let _ = parse_info(&[b"RIFF", &bytes[..]].concat(), length);
        }
    }
}
