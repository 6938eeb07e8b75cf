//! Writers of audio files, each by its format's own description, so that what reads them is not tested by itself.

/// Audio: its channels are of one length.
pub struct Audio {
    pub rate_hz: u32,
    pub channels: Vec<Vec<f64>>,
}

impl Audio {
    fn frames(&self) -> usize {
        self.channels[0].len()
    }

    /// Samples frame by frame.
    fn interleaved(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.frames()).flat_map(move |n| self.channels.iter().map(move |channel| channel[n]))
    }
}

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Integers of so many bytes.
    Int(usize),
    F32,
    F64,
}

impl Depth {
    pub fn bytes(self) -> usize {
        match self {
            Self::Int(bytes) => bytes,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The bytes of a sample, the lowest first.
    fn write(self, sample: f64, out: &mut Vec<u8>) {
        match self {
            Self::Int(bytes) => {
                let full = (1_i64 << (8 * bytes - 1)) as f64;
                let value = (sample * full).round().clamp(-full, full - 1.0) as i64;
                out.extend(&value.to_le_bytes()[..bytes]);
            }
            Self::F32 => out.extend((sample as f32).to_le_bytes()),
            Self::F64 => out.extend(sample.to_le_bytes()),
        }
    }
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], body: &[u8], is_big: bool) {
    out.extend(name);
    let length = body.len() as u32;
    out.extend(if is_big {
        length.to_be_bytes()
    } else {
        length.to_le_bytes()
    });
    out.extend(body);
    if body.len() % 2 == 1 {
        out.push(0);
    }
}

/// A WAV; with `extra`, chunks of other programs around its audio.
pub fn wav(audio: &Audio, depth: Depth, extra: bool) -> Vec<u8> {
    let (channels, bytes) = (audio.channels.len() as u16, depth.bytes() as u16);
    let is_float = !matches!(depth, Depth::Int(_));
    let mut format = Vec::new();
    format.extend((if is_float { 3_u16 } else { 1 }).to_le_bytes());
    format.extend(channels.to_le_bytes());
    format.extend(audio.rate_hz.to_le_bytes());
    format.extend((audio.rate_hz * u32::from(channels * bytes)).to_le_bytes());
    format.extend((channels * bytes).to_le_bytes());
    format.extend((8 * bytes).to_le_bytes());
    let mut data = Vec::new();
    for sample in audio.interleaved() {
        if depth == Depth::Int(1) {
            // The one depth whose samples have no sign.
            data.push((sample * 127.0 + 128.0).round().clamp(0.0, 255.0) as u8);
        } else {
            depth.write(sample, &mut data);
        }
    }
    let mut body = b"WAVE".to_vec();
    if extra {
        chunk(&mut body, b"bext", &[0; 603], false);
        chunk(&mut body, b"JUNK", &[7; 29], false);
    }
    chunk(&mut body, b"fmt ", &format, false);
    if extra {
        chunk(&mut body, b"LIST", b"INFOINAM\x05\0\0\0note\0\0", false);
    }
    chunk(&mut body, b"data", &data, false);
    if extra {
        chunk(&mut body, b"smpl", &[0; 36], false);
    }
    let mut out = Vec::new();
    chunk(&mut out, b"RIFF", &body, false);
    out
}

/// A rate as AIFF has it: 80 bits, a sign and 15 of exponent, then the mantissa with its leading one.
fn extended(rate_hz: u32) -> [u8; 10] {
    let shift = rate_hz.leading_zeros();
    let mut out = [0; 10];
    out[..2].copy_from_slice(&(16_383 + 31 - shift as u16).to_be_bytes());
    out[2..6].copy_from_slice(&(rate_hz << shift).to_be_bytes());
    out
}

/// An AIFF of integers; an AIFC of floats, or with `is_small_endian` of 16-bit integers that are written lowest byte first.
pub fn aiff(audio: &Audio, depth: Depth, is_small_endian: bool) -> Vec<u8> {
    let mut common = Vec::new();
    common.extend((audio.channels.len() as u16).to_be_bytes());
    common.extend((audio.frames() as u32).to_be_bytes());
    common.extend((8 * depth.bytes() as u16).to_be_bytes());
    common.extend(extended(audio.rate_hz));
    let coding: Option<&[u8; 4]> = match depth {
        Depth::F32 => Some(b"fl32"),
        Depth::F64 => Some(b"fl64"),
        Depth::Int(_) if is_small_endian => Some(b"sowt"),
        Depth::Int(_) => None,
    };
    if let Some(coding) = coding {
        common.extend(coding);
        common.extend([0, 0]);
    }
    let mut sound = vec![0; 8];
    let mut sample_bytes = Vec::new();
    for sample in audio.interleaved() {
        sample_bytes.clear();
        depth.write(sample, &mut sample_bytes);
        if !is_small_endian {
            sample_bytes.reverse();
        }
        sound.extend(&sample_bytes);
    }
    let mut body = if coding.is_some() {
        b"AIFC".to_vec()
    } else {
        b"AIFF".to_vec()
    };
    if coding.is_some() {
        chunk(&mut body, b"FVER", &[0xa2, 0x80, 0x51, 0x40], true);
    }
    chunk(&mut body, b"COMM", &common, true);
    chunk(&mut body, b"SSND", &sound, true);
    let mut out = Vec::new();
    chunk(&mut out, b"FORM", &body, true);
    out
}

/// A remainder, highest bit first.
fn crc(bytes: &[u8], bits: u32, polynomial: u32) -> u32 {
    let top = 1 << (bits - 1);
    let mask = u32::MAX >> (32 - bits);
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << (bits - 8)), |crc, _| {
            mask & if crc & top == 0 {
                crc << 1
            } else {
                (crc << 1) ^ polynomial
            }
        })
    })
}

/// A FLAC of up to 8 channels whose samples are not compressed at all; of 16 or 24 bits.
pub fn flac(audio: &Audio, bytes: usize) -> Vec<u8> {
    const BLOCK: usize = 4096;
    let (channels, frames) = (audio.channels.len() as u64, audio.frames() as u64);
    let mut out = b"fLaC\x80\0\0\x22".to_vec();
    out.extend([(BLOCK as u16).to_be_bytes(), (BLOCK as u16).to_be_bytes()].concat());
    out.extend([0; 6]);
    let packed =
        u64::from(audio.rate_hz) << 44 | (channels - 1) << 41 | (8 * bytes as u64 - 1) << 36 | frames;
    out.extend(packed.to_be_bytes());
    out.extend([0; 16]);
    for (number, begin) in (0..audio.frames()).step_by(BLOCK).enumerate() {
        let end = audio.frames().min(begin + BLOCK);
        let mut frame = vec![0xff, 0xf8, 0x70, (channels as u8 - 1) << 4];
        // The number as text is coded.
        let number = char::from_u32(number as u32).unwrap();
        frame.extend(number.encode_utf8(&mut [0; 4]).as_bytes());
        frame.extend(((end - begin - 1) as u16).to_be_bytes());
        frame.push(crc(&frame, 8, 0x07) as u8);
        let mut sample_bytes = Vec::new();
        for channel in &audio.channels {
            frame.push(0x02);
            for sample in &channel[begin..end] {
                sample_bytes.clear();
                Depth::Int(bytes).write(*sample, &mut sample_bytes);
                frame.extend(sample_bytes.iter().rev());
            }
        }
        frame.extend((crc(&frame, 16, 0x8005) as u16).to_be_bytes());
        out.extend(frame);
    }
    out
}
