//! `model.toml`: what a model is, read and checked field by field.
//!
//! Pure parsing, any thread but the audio thread. Every error names the field, what was found and what was
//! expected; a field that is not known is an error too, since it is most often a slip of the pen.

mod section;
mod step;

use crate::decoder::DecoderFormat;
use crate::decoder::step::LONGEST_BLOCK;

use section::Section;
pub use step::{PastEntry, StepTable};
use toml::Table;

/// The checked contents of a `model.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The model's name, also its folder's: letters, digits, `-` and `_`.
    pub name: String,
    /// Counts up when the weights change.
    pub version: u32,
    /// Rate of the audio that goes into the encoder and comes out of the decoder.
    pub sample_rate_hz: u32,
    /// Values in one embedding vector.
    pub dims: usize,
    /// Samples between embedding frames; a multiple of `hop_samples`.
    pub embedding_hop_samples: usize,
    /// Samples that one decoder frame makes.
    pub hop_samples: usize,
    /// Where pitch enters.
    pub pitch: PitchInput,
    /// The embedding's dimension that carries the deviation from the pitch, in semitones, if one does.
    pub pitch_dim: Option<usize>,
    /// The embedding's dimension that carries the level, if one does.
    pub level_dim: Option<usize>,
    /// Decoder frames in one chunk.
    pub chunk_frames: usize,
    /// Licence of the weights, as an SPDX expression.
    pub licence: String,
    /// How the model was made, one line.
    pub source: String,
    /// The encoder's graph.
    pub encoder: GraphEntry,
    /// The decoder's graph.
    pub decoder: GraphEntry,
    /// How the decoder is driven.
    pub driver: Driver,
}

/// A graph's file and the checksum that it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphEntry {
    /// File name inside the model's folder.
    pub graph: String,
    /// SHA-256 of the file, 64 hexadecimal digits in lower case.
    pub sha256: String,
}

/// Where pitch enters a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PitchInput {
    /// Encoder and decoder take a pitch.
    Conditioned,
    /// Pitch lives in the embedding.
    Embedded,
}

/// How a decoder is driven.
#[derive(Debug, Clone, PartialEq)]
pub enum Driver {
    /// The graph gives partials and noise bands frame by frame.
    Partials(PartialsTable),
    /// The graph gives one sample a step.
    Step(StepTable),
}

/// What the columns of a `partials` decoder mean.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialsTable {
    /// Centre of each single partial, in units of f0.
    pub slots: Vec<f32>,
    /// Group g holds harmonics `group_edges[g] .. group_edges[g + 1]`.
    pub group_edges: Vec<u32>,
    /// n + 2 edges of n triangular noise bands.
    pub noise_edges_hz: Vec<f32>,
}

impl PartialsTable {
    /// Columns of `amplitude_db`.
    pub fn amplitude_columns(&self) -> usize {
        self.slots.len() + self.groups()
    }

    /// Groups of harmonics.
    pub fn groups(&self) -> usize {
        self.group_edges.len().saturating_sub(1)
    }

    /// Partials that are synthesised.
    pub fn partials(&self) -> usize {
        let grouped = self.group_edges.last().zip(self.group_edges.first());
        self.slots.len() + grouped.map_or(0, |(last, first)| (last - first) as usize)
    }

    /// Columns of `noise_db`.
    pub fn noise_bands(&self) -> usize {
        self.noise_edges_hz.len() - 2
    }
}

/// What is wrong with a `model.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no TOML.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// A field is not there.
    #[error("field `{field}` is missing; expected {expected}")]
    Missing {
        /// Its full name.
        field: String,
        /// What it should be.
        expected: String,
    },
    /// A field is not what it should be.
    #[error("field `{field}` is {found}; expected {expected}")]
    Field {
        /// Its full name.
        field: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A field that no model has.
    #[error("field `{field}` is not known; expected one of {expected}")]
    Unknown {
        /// Its full name.
        field: String,
        /// The fields that are known there.
        expected: String,
    },
}

/// Limits of the manifest's numbers: what the engine sets memory aside for.
const DIMS: (i64, i64) = (1, 1024);
const HOP_SAMPLES: (i64, i64) = (16, 8192);
const CHUNK_FRAMES: (i64, i64) = (1, 64);
const SAMPLE_RATE_HZ: (i64, i64) = (8000, 192_000);
const MAX_SLOTS: usize = 4096;
const MAX_HARMONIC: i64 = 4096;

const ROOT: [&str; 16] = [
    "name",
    "version",
    "sample_rate",
    "dims",
    "embedding_hop",
    "hop",
    "pitch",
    "pitch_dim",
    "level_dim",
    "chunk_frames",
    "licence",
    "source",
    "encoder",
    "decoder",
    "partials",
    "step",
];

impl Manifest {
    /// Name, version, and the first digits of the encoder's checksum: what a sound says it was encoded by. Another
    /// training is another encoder, and an embedding means nothing to it, whatever its version says.
    pub fn tag(&self) -> String {
        format!("{} {} ({})", self.name, self.version, &self.encoder.sha256[..8])
    }

    /// The sizes that the decoder works in.
    pub fn format(&self) -> DecoderFormat {
        DecoderFormat {
            sample_rate_hz: self.sample_rate_hz,
            hop_samples: self.hop_samples,
            chunk_samples: self.hop_samples * self.chunk_frames,
            dims: self.dims,
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// On the first field that is missing, unknown, or not what it should be.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ManifestError::Syntax {
                line: 1 + error.span().map_or(0, |span| {
                    text.as_bytes()
                        .iter()
                        .take(span.start)
                        .filter(|byte| **byte == b'\n')
                        .count()
                }),
                reason: error.message().lines().next().unwrap_or("no TOML").to_string(),
            })?;
        let root = Section {
            name: String::new(),
            table: &table,
        };
        root.only(&ROOT)?;

        let name = root.text("name", 64)?;
        if !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        {
            return Err(root.wrong("name", "letters, digits, `-` and `_`"));
        }
        let hop_samples = root.integer("hop", HOP_SAMPLES)? as usize;
        let embedding_hop_samples = root.integer("embedding_hop", (16, 65_536))? as usize;
        if !embedding_hop_samples.is_multiple_of(hop_samples) {
            return Err(root.wrong("embedding_hop", &format!("a multiple of `hop`, {hop_samples}")));
        }
        let sample_rate_hz = root.integer("sample_rate", SAMPLE_RATE_HZ)? as u32;
        let dims = root.integer("dims", DIMS)?;
        let dim = |key| match table.contains_key(key) {
            true => root.integer(key, (0, dims - 1)).map(|dim| Some(dim as usize)),
            false => Ok(None),
        };
        let (pitch_dim, level_dim) = (dim("pitch_dim")?, dim("level_dim")?);

        let encoder = root.section("encoder")?;
        encoder.only(&["graph", "sha256"])?;
        let decoder = root.section("decoder")?;
        decoder.only(&["graph", "sha256", "driver"])?;
        let pitch = match root.choice("pitch", &["conditioned", "embedded"])? {
            0 => PitchInput::Conditioned,
            _ => PitchInput::Embedded,
        };
        let (name_of_driver, other) = match decoder.choice("driver", &["partials", "step"])? {
            0 => ("partials", "step"),
            _ => ("step", "partials"),
        };
        if table.contains_key(other) {
            return Err(root.wrong(other, &format!("no such section with driver `{name_of_driver}`")));
        }
        let section = root.section(name_of_driver)?;
        let driver = if name_of_driver == "partials" {
            Driver::Partials(partials(&section, sample_rate_hz)?)
        } else {
            if pitch == PitchInput::Conditioned {
                return Err(root.wrong("pitch", "\"embedded\" with driver `step`"));
            }
            if !hop_samples.is_multiple_of(LONGEST_BLOCK) {
                return Err(root.wrong(
                    "hop",
                    &format!("a multiple of {LONGEST_BLOCK} with driver `step`"),
                ));
            }
            Driver::Step(step::read(&section)?)
        };
        Ok(Self {
            name,
            version: root.integer("version", (1, i64::from(u32::MAX)))? as u32,
            sample_rate_hz,
            dims: dims as usize,
            pitch_dim,
            level_dim,
            embedding_hop_samples,
            hop_samples,
            pitch,
            chunk_frames: root.integer("chunk_frames", CHUNK_FRAMES)? as usize,
            licence: root.text("licence", 256)?,
            source: root.text("source", 4096)?,
            encoder: encoder.graph()?,
            decoder: decoder.graph()?,
            driver,
        })
    }
}

fn partials(section: &Section<'_>, sample_rate_hz: u32) -> Result<PartialsTable, ManifestError> {
    section.only(&["slots", "group_edges", "noise_edges_hz"])?;
    let slots = section.numbers("slots", (0.01, MAX_HARMONIC as f64), 1)?;
    if !slots.is_sorted_by(|a, b| a < b) {
        return Err(section.wrong("slots", "numbers that rise"));
    }
    let edges = section.numbers("group_edges", (1.0, MAX_HARMONIC as f64), 0)?;
    if edges.len() == 1 || edges.iter().any(|e| e.fract() != 0.0) || !edges.is_sorted_by(|a, b| a < b) {
        return Err(section.wrong("group_edges", "no or at least two whole numbers that rise"));
    }
    let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
    let noise_edges_hz = section.numbers("noise_edges_hz", (0.0, nyquist_hz), 3)?;
    if !noise_edges_hz.is_sorted() || noise_edges_hz.windows(3).any(|w| w[0] >= w[2]) {
        return Err(section.wrong("noise_edges_hz", "edges that rise, no three of them equal"));
    }
    Ok(PartialsTable {
        slots: slots.iter().map(|x| *x as f32).collect(),
        group_edges: edges.iter().map(|x| *x as u32).collect(),
        noise_edges_hz: noise_edges_hz.iter().map(|x| *x as f32).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) const SMALL: &str = r#"
name = "small"
version = 1
sample_rate = 48000
dims = 16
embedding_hop = 1536
hop = 512
pitch = "conditioned"
chunk_frames = 2
licence = "MIT"
source = "made for a test"
[encoder]
graph = "encoder.onnx"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[decoder]
graph = "decoder.onnx"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
driver = "partials"
[partials]
slots = [0.5, 1, 1.5]
group_edges = [2, 4, 9]
noise_edges_hz = [0, 0, 12000.0, 24000, 24000]
"#;

    fn refused(from: &str, to: &str) -> String {
        assert!(SMALL.contains(from), "{from}");
        Manifest::parse(&SMALL.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn a_manifest_is_read_whole() {
        let manifest = Manifest::parse(SMALL).unwrap();
        assert_eq!(
            (
                manifest.name.as_str(),
                manifest.hop_samples,
                manifest.chunk_frames
            ),
            ("small", 512, 2)
        );
        let Driver::Partials(table) = &manifest.driver else {
            panic!("{:?}", manifest.driver)
        };
        assert_eq!(
            (table.amplitude_columns(), table.groups(), table.noise_bands()),
            (5, 2, 3)
        );
    }

    #[test]
    fn an_error_names_the_field_and_what_was_found_and_expected() {
        for (from, to, words) in [
            ("dims = 16", "dims = 0", ["`dims`", "is 0", "from 1 to 1024"]),
            ("dims = 16", "dims = \"16\"", ["`dims`", "\"16\"", "whole number"]),
            ("dims = 16", "", ["`dims`", "missing", "whole number"]),
            ("dims", "dimms", ["`dimms`", "not known", "dims"]),
            (
                "\"partials\"",
                "\"steps\"",
                ["`decoder.driver`", "\"steps\"", "\"partials\" or \"step\""],
            ),
            (
                "embedding_hop = 1536",
                "embedding_hop = 1000",
                ["`embedding_hop`", "1000", "multiple of `hop`"],
            ),
            (
                "\"encoder.onnx\"",
                "\"../a\"",
                ["`encoder.graph`", "\"../a\"", "file in the model's folder"],
            ),
            (
                "[0.5, 1, 1.5]",
                "[1, 1, 2]",
                ["`partials.slots`", "a list of 3", "rise"],
            ),
            (
                "24000, 24000",
                "48000, 48000",
                ["`partials.noise_edges_hz`", "a list of 5", "24000"],
            ),
            ("[decoder]", "[decoderr]", ["`decoderr`", "not known", "decoder"]),
            ("hop = 512", "hop = nan", ["`hop`", "nan", "whole number"]),
        ] {
            let message = refused(from, to);
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let message = refused("dims = 16", "dims = = 16");
        assert!(
            message.starts_with("line 5:") && !message.contains('\n'),
            "{message}"
        );
    }

    proptest! {
        #[test]
        fn a_truncated_manifest_is_refused_in_one_line(cut in 0..SMALL.len() - 2) {
            let message = Manifest::parse(&SMALL[..cut]).unwrap_err().to_string();
            prop_assert!(!message.contains('\n'), "{}", message);
        }

        #[test]
        fn garbage_is_never_a_manifest(text in any::<String>()) {
            let message = Manifest::parse(&text).unwrap_err().to_string();
            prop_assert!(!message.contains('\n'), "{}", message);
        }

        #[test]
        fn a_changed_byte_never_panics(place in 0..SMALL.len(), byte in 32_u8..127) {
            let mut bytes = SMALL.as_bytes().to_vec();
            bytes[place] = byte;
            let _ = Manifest::parse(std::str::from_utf8(&bytes).unwrap());
        }
    }
}
