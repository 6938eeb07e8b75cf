//! What a pack is to hold, as its maker asks for it: keys, velocities, blends, and the form of its files.
//!
//! Plain values, any thread but the audio thread. Each reads and writes itself as the command line has it, and the recipe
//! of a pack holds them in the same words.

use std::fmt;
use std::str::FromStr;

use betwixt_audio::blend::{Blend, CornerMask};
use serde::{Deserialize, Serialize};

/// Rate, depth and length of every file of the NSynth dataset.
pub const NSYNTH_RATE_HZ: u32 = 16_000;
/// See [`NSYNTH_RATE_HZ`].
pub const NSYNTH_SECONDS: f64 = 4.0;
/// Part of a sample's length for which its key is held: 3 of 4 seconds, as in the NSynth dataset.
pub const HELD_SHARE: f64 = 0.75;

const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;
const SECONDS: std::ops::RangeInclusive<f64> = 0.25..=60.0;
const MOST_ROUND_ROBINS: usize = 64;
const MOST_CELLS: usize = 1024;

/// An option that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} is {found}; expected {expected}")]
pub struct OptionError {
    /// As the command line has it.
    pub option: &'static str,
    /// What was given.
    pub found: String,
    /// What can be had.
    pub expected: &'static str,
}

fn refuse<T>(option: &'static str, found: impl ToString, expected: &'static str) -> Result<T, OptionError> {
    Err(OptionError {
        option,
        found: found.to_string(),
        expected,
    })
}

/// The form of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackFormat {
    /// SFZ: a text beside the samples.
    Sfz,
    /// DecentSampler: a `.dspreset` beside the samples.
    DecentSampler,
    /// Bitwig's and PreSonus's `.multisample`: all in one file.
    Multisample,
    /// The form of the NSynth dataset: `examples.json` and `audio`.
    Nsynth,
    /// The samples alone.
    Wav,
}

impl FromStr for PackFormat {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        Ok(match text {
            "sfz" => Self::Sfz,
            "decentsampler" => Self::DecentSampler,
            "multisample" => Self::Multisample,
            "nsynth" => Self::Nsynth,
            "wav" => Self::Wav,
            _ => return refuse("--format", text, "sfz, decentsampler, multisample, nsynth or wav"),
        })
    }
}

/// How a sample's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// 16-bit whole numbers, with dither.
    #[serde(rename = "16")]
    Int16,
    /// 24-bit whole numbers.
    #[serde(rename = "24")]
    Int24,
    /// 32-bit floating point.
    #[serde(rename = "32f")]
    Float32,
}

impl Depth {
    /// Bits of a sample.
    pub fn bits(self) -> u16 {
        match self {
            Self::Int16 => 16,
            Self::Int24 => 24,
            Self::Float32 => 32,
        }
    }
}

impl FromStr for Depth {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        Ok(match text {
            "16" => Self::Int16,
            "24" => Self::Int24,
            "32f" => Self::Float32,
            _ => return refuse("--depth", text, "16, 24 or 32f"),
        })
    }
}

/// Every so many keys from one to another, written `36:96:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Keys {
    /// MIDI note number of the lowest.
    pub lowest: u8,
    /// No key is above this.
    pub highest: u8,
    /// Semitones between two.
    pub step: u8,
}

impl Keys {
    /// The keys, rising.
    pub fn all(self) -> Vec<u8> {
        (self.lowest..=self.highest).step_by(self.step.into()).collect()
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.lowest, self.highest, self.step)
    }
}

impl FromStr for Keys {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let expected = "LOWEST:HIGHEST:STEP in MIDI note numbers of 0 to 127, as 36:96:3";
        let numbers: Option<Vec<u8>> = text.split(':').map(|number| number.parse().ok()).collect();
        let keys = match numbers.as_deref() {
            Some(&[key]) => Some((key, key, 1)),
            Some(&[lowest, highest]) => Some((lowest, highest, 1)),
            Some(&[lowest, highest, step]) => Some((lowest, highest, step)),
            _ => None,
        };
        match keys {
            Some((lowest, highest, step)) if lowest <= highest && highest <= 127 && step > 0 => Ok(Self {
                lowest,
                highest,
                step,
            }),
            _ => refuse("--keys", text, expected),
        }
    }
}

/// The places on the pad that are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Blends {
    /// The preset's own place.
    #[default]
    Preset,
    /// A grid over the whole pad, row by row from the top left: `5x5`.
    Grid {
        /// Places from left to right.
        columns: u16,
        /// Places from top to bottom.
        rows: u16,
    },
    /// Along straight lines from corner to corner, A to B to C to D, empty corners left out: `path`, or `path:9` for so many
    /// places at even distances. Without a number, the corners and the middles between them.
    Path {
        /// Places in all.
        places: Option<u16>,
    },
}

impl Blends {
    /// The places, for a pad with these corners; at least one.
    pub fn places(self, own: Blend, occupied: CornerMask) -> Vec<Blend> {
        let share = |index: u16, count: u16| {
            if count > 1 {
                f32::from(index) / f32::from(count - 1)
            } else {
                0.5
            }
        };
        match self {
            Self::Preset => vec![own],
            Self::Grid { columns, rows } => (0..rows)
                .flat_map(|row| {
                    (0..columns).map(move |column| Blend {
                        x: share(column, columns),
                        y: 1.0 - share(row, rows),
                    })
                })
                .collect(),
            Self::Path { places } => {
                let corners: Vec<Blend> = [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0)]
                    .into_iter()
                    .enumerate()
                    .filter(|(corner, _)| occupied.holds(*corner))
                    .map(|(_, (x, y))| Blend { x, y })
                    .collect();
                let legs = corners.len().saturating_sub(1);
                if legs == 0 {
                    return vec![corners.first().copied().unwrap_or(own)];
                }
                let places = places.unwrap_or(2 * legs as u16 + 1);
                (0..places)
                    .map(|place| {
                        let along = share(place, places) * legs as f32;
                        let leg = (along as usize).min(legs - 1);
                        let into = along - leg as f32;
                        let (from, to) = (corners[leg], corners[leg + 1]);
                        Blend {
                            x: from.x + into * (to.x - from.x),
                            y: from.y + into * (to.y - from.y),
                        }
                    })
                    .collect()
            }
        }
    }
}

impl fmt::Display for Blends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset => f.write_str("preset"),
            Self::Grid { columns, rows } => write!(f, "{columns}x{rows}"),
            Self::Path { places: None } => f.write_str("path"),
            Self::Path { places: Some(places) } => write!(f, "path:{places}"),
        }
    }
}

impl FromStr for Blends {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let expected = "COLUMNSxROWS, path, path:PLACES or preset, of at most 1024 places";
        let count = |text: &str| {
            text.parse()
                .ok()
                .filter(|count| (1..=MOST_CELLS as u16).contains(count))
        };
        let blends = match (text, text.split_once('x'), text.split_once(':')) {
            ("preset", ..) => Some(Self::Preset),
            ("path", ..) => Some(Self::Path { places: None }),
            (_, _, Some(("path", places))) => count(places)
                .filter(|places| *places > 1)
                .map(|places| Self::Path { places: Some(places) }),
            (_, Some((columns, rows)), _) => count(columns)
                .zip(count(rows))
                .filter(|(columns, rows)| usize::from(*columns) * usize::from(*rows) <= MOST_CELLS)
                .map(|(columns, rows)| Self::Grid { columns, rows }),
            _ => None,
        };
        blends.map_or_else(|| refuse("--blends", text, expected), Ok)
    }
}

/// What becomes of several blends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlendsAs {
    /// An instrument each.
    #[default]
    Presets,
    /// One instrument, in which each strike of a key is the next blend.
    RoundRobins,
    /// One instrument, in which a harder strike is a later blend.
    Velocities,
}

impl FromStr for BlendsAs {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        Ok(match text {
            "presets" => Self::Presets,
            "round-robins" => Self::RoundRobins,
            "velocities" => Self::Velocities,
            _ => return refuse("--blends-as", text, "presets, round-robins or velocities"),
        })
    }
}

macro_rules! text_form {
    ($($kind:ty),*) => {$(
        impl From<$kind> for String {
            fn from(value: $kind) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $kind {
            type Error = OptionError;

            fn try_from(text: String) -> Result<Self, OptionError> {
                text.parse()
            }
        }
    )*};
}
text_form!(Keys, Blends);

/// All that a pack's maker chooses, besides the preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackOptions {
    /// The form of the pack.
    pub format: PackFormat,
    /// The keys that are rendered; the keys between play the nearest of them.
    pub keys: Keys,
    /// MIDI velocities that are rendered, rising, 1 to 127; the nearest is played.
    pub velocities: Vec<u8>,
    /// The places on the pad that are rendered.
    pub blends: Blends,
    /// What becomes of them.
    pub blends_as: BlendsAs,
    /// Length of a sample; its key is held for [`HELD_SHARE`] of it.
    pub seconds: f64,
    /// Rate of the files.
    pub rate_hz: u32,
    /// How the files store their numbers.
    pub depth: Depth,
    /// Takes of each note; they differ by their seed alone.
    pub round_robins: usize,
}

impl PackOptions {
    /// A format's usual ones: every third key from C2 to C7, one velocity, the preset's own blend, 4 seconds; 24 bits at
    /// 48 kHz but for NSynth's form.
    pub fn of(format: PackFormat) -> Self {
        let is_nsynth = format == PackFormat::Nsynth;
        Self {
            format,
            keys: Keys {
                lowest: 36,
                highest: 96,
                step: 3,
            },
            velocities: vec![127],
            blends: Blends::default(),
            blends_as: BlendsAs::default(),
            seconds: NSYNTH_SECONDS,
            rate_hz: if is_nsynth { NSYNTH_RATE_HZ } else { 48_000 },
            depth: if is_nsynth { Depth::Int16 } else { Depth::Int24 },
            round_robins: 1,
        }
    }

    /// Whether it all makes sense together.
    ///
    /// # Errors
    /// Names the first option that does not.
    pub fn check(&self) -> Result<(), OptionError> {
        let rising = self.velocities.is_sorted_by(|one, next| one < next);
        if self.velocities.is_empty() || !rising || self.velocities.iter().any(|v| !(1..=127).contains(v)) {
            let found = self.velocities.iter().map(u8::to_string).collect::<Vec<_>>();
            return refuse(
                "--velocities",
                found.join(","),
                "rising numbers of 1 to 127, as 40,80,120",
            );
        }
        if self.blends_as == BlendsAs::Velocities {
            let own = self.blends.places(Blend::default(), CornerMask::ALL).len();
            if own > 127 {
                return refuse("--blends", own, "at most 127 places to become velocities");
            }
            if self.velocities.len() > 1 {
                return refuse(
                    "--velocities",
                    "given",
                    "none where the blends become the velocities (--blends-as velocities)",
                );
            }
        }
        if !SECONDS.contains(&self.seconds) {
            return refuse("--seconds", self.seconds, "0.25 to 60");
        }
        if !RATES_HZ.contains(&self.rate_hz) {
            return refuse("--rate", self.rate_hz, "8000 to 192000 Hz");
        }
        if !(1..=MOST_ROUND_ROBINS).contains(&self.round_robins) {
            return refuse("--round-robins", self.round_robins, "1 to 64");
        }
        if self.format == PackFormat::Nsynth {
            if self.rate_hz != NSYNTH_RATE_HZ {
                return refuse("--rate", self.rate_hz, "16000 in the form of the NSynth dataset");
            }
            if self.depth != Depth::Int16 {
                return refuse(
                    "--depth",
                    format!("{} bits", self.depth.bits()),
                    "16 in the form of the NSynth dataset",
                );
            }
            if self.seconds != NSYNTH_SECONDS {
                return refuse("--seconds", self.seconds, "4 in the form of the NSynth dataset");
            }
        }
        Ok(())
    }
}

/// One of several equal shares of a pack, written `2/8`: every eighth sample from the second on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which, from 1.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// The whole pack.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Whether the sample of this place in the plan, from 0, is of this share.
    pub fn holds(self, sample: usize) -> bool {
        sample % self.of == self.index - 1
    }

    /// Whether it makes sense: a share's number is 1 to the number of shares.
    pub fn is_sound(self) -> bool {
        (1..=self.of).contains(&self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let numbers = text.split_once('/');
        let shard = numbers.and_then(|(index, of)| {
            Some(Self {
                index: index.parse().ok()?,
                of: of.parse().ok()?,
            })
        });
        match shard {
            Some(shard) if shard.is_sound() => Ok(shard),
            _ => refuse("--shard", text, "I/N with I from 1 to N, as 2/8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_grid_goes_row_by_row_from_the_top_left() {
        let grid: Blends = "3x2".parse().unwrap();
        let places = grid.places(Blend::default(), CornerMask::ALL);
        let places: Vec<(f32, f32)> = places.iter().map(|at| (at.x, at.y)).collect();
        let expected = [
            (0.0, 1.0),
            (0.5, 1.0),
            (1.0, 1.0),
            (0.0, 0.0),
            (0.5, 0.0),
            (1.0, 0.0),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_path_leads_through_the_corners_that_hold_a_sound() {
        let all = |text: &str, mask| {
            let blends: Blends = text.parse().unwrap();
            let places = blends.places(Blend::default(), CornerMask(mask));
            places.iter().map(|at| (at.x, at.y)).collect::<Vec<_>>()
        };
        let corners = [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0)];
        assert_eq!(all("path:4", 0b1111), corners);
        assert_eq!(all("path", 0b1111).len(), 7);
        assert_eq!(all("path", 0b1001), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]);
        assert_eq!(all("path", 0b0010), [(1.0, 1.0)]);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let message = |options: PackOptions| options.check().unwrap_err().to_string();
        let sfz = PackOptions::of(PackFormat::Sfz);
        assert_eq!(sfz.check(), Ok(()));
        assert_eq!(
            message(PackOptions {
                velocities: vec![80, 40],
                ..sfz.clone()
            }),
            "--velocities is 80,40; expected rising numbers of 1 to 127, as 40,80,120"
        );
        let nsynth = PackOptions {
            rate_hz: 48_000,
            ..PackOptions::of(PackFormat::Nsynth)
        };
        assert!(message(nsynth).starts_with("--rate is 48000"));
        let seconds = PackOptions {
            seconds: f64::NAN,
            ..sfz
        };
        assert!(message(seconds).starts_with("--seconds is NaN"));
        for text in ["", "96:36", "36:96:0", "36:200:1", "a:b:c", "1:2:3:4"] {
            assert!(text.parse::<Keys>().is_err(), "{text}");
        }
        for text in ["0x5", "5x", "path:", "path:1", "1000x1000", "pad"] {
            assert!(text.parse::<Blends>().is_err(), "{text}");
        }
        for text in ["0/4", "5/4", "1/0", "1", "/"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn options_read_what_they_write(low in 0_u8..60, more in 0_u8..60, step in 1_u8..40, columns in 1_u16..30, rows in 1_u16..30) {
            let keys = Keys { lowest: low, highest: low + more, step };
            prop_assert_eq!(keys.to_string().parse::<Keys>(), Ok(keys));
            let blends = Blends::Grid { columns, rows };
            prop_assert_eq!(blends.to_string().parse::<Blends>(), Ok(blends));
            prop_assert_eq!(blends.places(Blend::default(), CornerMask::ALL).len(), usize::from(columns * rows));
        }

        #[test]
        fn garbage_never_panics(text in ".{0,20}") {
            let _ = (text.parse::<Keys>(), text.parse::<Blends>(), text.parse::<Shard>(), text.parse::<Depth>());
        }
    }
}
