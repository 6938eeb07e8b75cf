//! One file of a folder as folders are: good, odd, or bad, with what is true of it.

use crate::chance::Chance;
use crate::container::{Audio, Depth, aiff, flac, wav};
use crate::recordings::RECORDINGS;
use crate::tone::{PITCHED, Timbre, note};

/// What importing it should come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Truth {
    /// A sound of this pitch.
    Pitch(f64),
    /// A sound without pitch.
    NoPitch,
    /// A reason.
    Bad,
    /// Either.
    Either,
}

/// A file.
#[derive(Debug)]
pub struct MixedFile {
    pub name: String,
    pub bytes: Vec<u8>,
    pub truth: Truth,
    /// What it is, for whoever looks at what went wrong.
    pub what: String,
}

const RATES_HZ: [u32; 9] = [
    11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000,
];

impl MixedFile {
    /// The file of a number; the numbers decide how many there are of which kind.
    pub fn new(number: usize, chance: &mut Chance) -> Self {
        let (stem, mut file) = match number % 20 {
            0..=12 => ("good", good(chance)),
            13 => ("packed", packed(chance)),
            14 | 15 => ("odd", odd(chance)),
            16 => ("noise", noise(chance)),
            17 => ("cut", cut(chance)),
            18 => ("bad", bad(chance)),
            _ => ("strange", strange(chance)),
        };
        file.name = format!("{stem} {}{}", word(number), file.name);
        file
    }

    fn of(extension: &str, bytes: Vec<u8>, truth: Truth, what: String) -> Self {
        Self {
            name: format!(".{extension}"),
            bytes,
            truth,
            what,
        }
    }
}

/// A number as letters: files that are named with numbers may be a multisample.
fn word(number: usize) -> String {
    let letter = |place: u32| char::from(b"hjklmnrstv"[number / 10_usize.pow(place) % 10]);
    [3, 2, 1, 0].map(letter).iter().collect()
}

/// A pitch over the range that is asked for, in tune with nothing.
fn any_pitch(chance: &mut Chance) -> f64 {
    chance.between(28.0, 100.0)
}

/// One or more channels that hold a note.
fn channels(mono: Vec<f64>, chance: &mut Chance) -> Vec<Vec<f64>> {
    let gained = |gain: f64| mono.iter().map(|sample| gain * sample).collect::<Vec<f64>>();
    match chance.below(8) {
        0..=3 => vec![mono],
        4 | 5 => vec![gained(0.9), gained(0.6)],
        // The sides cancel.
        6 => vec![gained(0.8), gained(-0.7)],
        _ => (0..8)
            .map(|n| gained(if n < 5 { 0.2 * f64::from(n) } else { 0.0 }))
            .collect(),
    }
}

/// Audio in any of the formats that are written here.
fn written(audio: &Audio, chance: &mut Chance) -> (&'static str, Vec<u8>, String) {
    let depth = chance.of(&[
        Depth::Int(1),
        Depth::Int(2),
        Depth::Int(2),
        Depth::Int(3),
        Depth::Int(3),
        Depth::Int(4),
        Depth::F32,
        Depth::F64,
    ]);
    let (extension, bytes) = match chance.below(6) {
        0..=2 => ("wav", wav(audio, depth, chance.below(4) == 0)),
        3 => ("aif", aiff(audio, depth, false)),
        4 if depth == Depth::Int(2) => ("AIFC", aiff(audio, depth, true)),
        _ => ("flac", flac(audio, if depth.bytes() == 2 { 2 } else { 3 })),
    };
    let what = format!(
        "{extension} {depth:?}, {} Hz, {} channels",
        audio.rate_hz,
        audio.channels.len()
    );
    (extension, bytes, what)
}

fn good(chance: &mut Chance) -> MixedFile {
    let (timbre, midi) = (chance.of(&PITCHED), any_pitch(chance));
    let seconds = chance.between(0.4, 1.2);
    let rate_hz = chance.of(&RATES_HZ);
    let mono = note(timbre, midi, seconds, f64::from(rate_hz), chance);
    let audio = Audio {
        rate_hz,
        channels: channels(mono, chance),
    };
    let (extension, bytes, what) = written(&audio, chance);
    MixedFile::of(
        extension,
        bytes,
        Truth::Pitch(midi),
        format!("{timbre:?}, {what}"),
    )
}

/// One that other programs packed.
fn packed(chance: &mut Chance) -> MixedFile {
    let recording = chance.of(&RECORDINGS);
    MixedFile::of(
        recording.extension,
        recording.bytes.to_vec(),
        Truth::Pitch(recording.midi),
        format!("packed {}", recording.extension),
    )
}

/// A good note in an odd recording.
fn odd(chance: &mut Chance) -> MixedFile {
    let midi = any_pitch(chance);
    let (timbre, rate_hz) = (chance.of(&[Timbre::Saw, Timbre::Organ, Timbre::Plucked]), 44_100);
    let mut mono = note(timbre, midi, 0.8, f64::from(rate_hz), chance);
    let (what, depth) = match chance.below(8) {
        0 => {
            mono.splice(0..0, vec![0.0; 60_000]);
            ("after silence", Depth::Int(2))
        }
        1 => {
            mono.iter_mut().for_each(|sample| *sample = 0.5 * *sample + 0.3);
            ("with an offset", Depth::Int(2))
        }
        2 => {
            mono.iter_mut().for_each(|sample| *sample *= 0.01);
            ("very quiet", Depth::Int(3))
        }
        3 => {
            mono.iter_mut()
                .for_each(|sample| *sample = (4.0 * *sample).clamp(-1.0, 1.0));
            ("clipped", Depth::Int(2))
        }
        4 => {
            mono.extend(vec![0.0; 20_000]);
            mono.extend(note(timbre, midi + 5.0, 0.8, f64::from(rate_hz), chance));
            ("with a second note", Depth::Int(2))
        }
        5 => {
            let noise = |chance: &mut Chance| 0.002 * chance.between(-1.0, 1.0);
            mono.iter_mut().for_each(|sample| *sample += noise(chance));
            let before: Vec<f64> = (0..40_000).map(|_| noise(chance)).collect();
            mono.splice(0..0, before);
            ("out of noise", Depth::Int(3))
        }
        6 => {
            mono.iter_mut().for_each(|sample| *sample *= 20_000.0);
            ("of floats that count like integers", Depth::F32)
        }
        _ => ("of a length that was not known when it was begun", Depth::Int(2)),
    };
    let audio = Audio {
        rate_hz,
        channels: vec![mono],
    };
    let mut bytes = wav(&audio, depth, false);
    if what.starts_with("of a length") {
        bytes[4..8].fill(0xff);
        bytes[40..44].fill(0xff);
    }
    // What a file is called does not say what it is.
    let extension = chance.of(&["wav", "WAV", "flac", "mp3"]);
    MixedFile::of(extension, bytes, Truth::Pitch(midi), format!("{timbre:?} {what}"))
}

fn noise(chance: &mut Chance) -> MixedFile {
    let rate_hz = chance.of(&[44_100, 48_000]);
    let seconds = chance.between(0.3, 0.6);
    let mono = note(Timbre::Noise, 60.0, seconds, f64::from(rate_hz), chance);
    let audio = Audio {
        rate_hz,
        channels: vec![mono],
    };
    let (extension, bytes, what) = written(&audio, chance);
    MixedFile::of(extension, bytes, Truth::NoPitch, format!("noise, {what}"))
}

/// One that ends too soon, and says so.
fn cut(chance: &mut Chance) -> MixedFile {
    let whole = loop {
        let file = if chance.below(4) == 0 {
            packed(chance)
        } else {
            good(chance)
        };
        // An MP3 that is cut between two of its packets is a shorter MP3.
        if file.name != ".mp3" {
            break file;
        }
    };
    let kept = (chance.between(0.02, 0.95) * whole.bytes.len() as f64) as usize;
    MixedFile {
        bytes: whole.bytes[..kept].to_vec(),
        truth: Truth::Bad,
        what: format!("{kept} of {} bytes of {}", whole.bytes.len(), whole.what),
        ..whole
    }
}

fn bad(chance: &mut Chance) -> MixedFile {
    let extension = chance.of(&["wav", "aiff", "flac", "mp3", "ogg"]);
    let audio = Audio {
        rate_hz: 44_100,
        channels: vec![note(Timbre::Saw, 60.0, 0.3, 44_100.0, chance)],
    };
    let mut whole = wav(&audio, Depth::Int(2), false);
    let (bytes, what) = match chance.below(9) {
        0 => (b"Dear reader,\nthis is a letter.\n".repeat(40), "a text"),
        1 => (Vec::new(), "empty"),
        2 => ((0..3000).map(|_| chance.below(128) as u8).collect(), "garbage"),
        3 => {
            let silence = Audio {
                rate_hz: 44_100,
                channels: vec![vec![0.0; 20_000]],
            };
            (wav(&silence, Depth::Int(2), false), "silence")
        }
        4 => {
            let mut not_a_number = audio;
            not_a_number.channels[0][700] = f64::NAN;
            (
                wav(&not_a_number, Depth::F32, false),
                "a sample that is no number",
            )
        }
        5 => {
            whole[22..24].fill(0);
            (whole, "no channels")
        }
        6 => {
            whole[24..28].fill(0);
            (whole, "no rate")
        }
        7 => {
            whole[34] = 13;
            (whole, "13 bits")
        }
        _ => {
            let none = Audio {
                rate_hz: 44_100,
                channels: vec![Vec::new()],
            };
            (wav(&none, Depth::Int(2), false), "no samples")
        }
    };
    MixedFile::of(extension, bytes, Truth::Bad, what.into())
}

/// One that may be read or not; it must only do no harm.
fn strange(chance: &mut Chance) -> MixedFile {
    let mut file = match chance.below(3) {
        0 => packed(chance),
        1 => odd(chance),
        _ => good(chance),
    };
    for _ in 0..=chance.below(4) {
        let place = if chance.below(2) == 0 {
            64
        } else {
            file.bytes.len()
        };
        let place = chance.below(place.min(file.bytes.len()));
        file.bytes[place] = chance.below(256) as u8;
    }
    MixedFile {
        truth: Truth::Either,
        what: format!("changed: {}", file.what),
        ..file
    }
}
