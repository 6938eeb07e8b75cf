//! `model.toml`: what a model is, read and checked field by field.
//!
//! Pure parsing, any thread but the audio thread. Every error names the field, what was found and what was
//! expected; a field that is not known is an error too, since it is most often a slip of the pen.

use std::fmt::Write as _;

use crate::decoder::DecoderFormat;
use crate::decoder::step::LONGEST_BLOCK;

use toml::{Table, Value};

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

/// The layers of a `step` decoder, and the graphs of what they remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTable {
    /// How many steps back the middle tap of each layer looks; the oldest looks twice as far. Powers of two.
    pub dilations: Vec<usize>,
    /// The graphs of the past taps, one for each length of block that the dilations ask for, short ones first.
    pub past: Vec<PastEntry>,
}

/// The graph of the past taps of the layers that share a length of block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEntry {
    /// Steps that are computed at once.
    pub block_steps: usize,
    /// Its section in the manifest, such as `step.past_16`.
    pub section: String,
    /// The file.
    pub graph: GraphEntry,
}

impl StepTable {
    /// The layers, from 0, whose past is computed in blocks of so many steps.
    pub fn layers_of(&self, block_steps: usize) -> Vec<usize> {
        let layers = self.dilations.iter().enumerate();
        layers
            .filter(|(_, dilation)| block_of(**dilation) == block_steps)
            .map(|(layer, _)| layer)
            .collect()
    }
}

/// Steps whose past taps are known at once: as many as the middle tap looks back, if that is not more than are used.
fn block_of(dilation: usize) -> usize {
    dilation.min(LONGEST_BLOCK)
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
const MAX_LAYERS: usize = 256;
const MAX_DILATION: i64 = 4096;

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
            Driver::Step(step(&section)?)
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

fn step(section: &Section<'_>) -> Result<StepTable, ManifestError> {
    let expected = format!("a list of 1 to {MAX_LAYERS} powers of two up to {MAX_DILATION}");
    let dilations: Vec<usize> = section
        .value("dilations", &expected)?
        .as_array()
        .filter(|list| (1..=MAX_LAYERS).contains(&list.len()))
        .and_then(|list| {
            let dilation = |value: &Value| {
                value
                    .as_integer()
                    .filter(|d| (1..=MAX_DILATION).contains(d) && d.count_ones() == 1)
            };
            list.iter()
                .map(|value| dilation(value).map(|d| d as usize))
                .collect()
        })
        .ok_or_else(|| section.wrong("dilations", &expected))?;
    let mut blocks: Vec<usize> = dilations.iter().map(|dilation| block_of(*dilation)).collect();
    blocks.sort_unstable();
    blocks.dedup();
    let tables: Vec<String> = blocks.iter().map(|block| format!("past_{block}")).collect();
    let known: Vec<&str> = std::iter::once("dilations")
        .chain(tables.iter().map(String::as_str))
        .collect();
    section.only(&known)?;
    let past = blocks.iter().zip(&tables).map(|(block, key)| {
        let table = section.section(key)?;
        table.only(&["graph", "sha256"])?;
        Ok(PastEntry {
            block_steps: *block,
            section: table.name.clone(),
            graph: table.graph()?,
        })
    });
    Ok(StepTable {
        past: past.collect::<Result<_, _>>()?,
        dilations,
    })
}

/// One table of the manifest, with the name that its fields are called by.
struct Section<'a> {
    name: String,
    table: &'a Table,
}

impl<'a> Section<'a> {
    fn field(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_string()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> ManifestError {
        ManifestError::Field {
            field: self.field(key),
            found: self.table.get(key).map_or_else(|| "missing".into(), show),
            expected: expected.into(),
        }
    }

    fn only(&self, known: &[&str]) -> Result<(), ManifestError> {
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(ManifestError::Unknown {
                field: shorten(&self.field(key)),
                expected: known.join(", "),
            }),
        }
    }

    fn value(&self, key: &str, expected: &str) -> Result<&'a Value, ManifestError> {
        self.table.get(key).ok_or_else(|| ManifestError::Missing {
            field: self.field(key),
            expected: expected.into(),
        })
    }

    fn section(&self, key: &str) -> Result<Section<'a>, ManifestError> {
        let expected = "a section of that name";
        let table = self
            .value(key, expected)?
            .as_table()
            .ok_or_else(|| self.wrong(key, expected))?;
        Ok(Section {
            name: self.field(key),
            table,
        })
    }

    fn integer(&self, key: &str, (low, high): (i64, i64)) -> Result<i64, ManifestError> {
        let expected = format!("a whole number from {low} to {high}");
        self.value(key, &expected)?
            .as_integer()
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| self.wrong(key, &expected))
    }

    fn text(&self, key: &str, max_chars: usize) -> Result<String, ManifestError> {
        let expected = format!("text of 1 to {max_chars} characters");
        self.value(key, &expected)?
            .as_str()
            .filter(|text| !text.is_empty() && text.chars().count() <= max_chars)
            .map(str::to_string)
            .ok_or_else(|| self.wrong(key, &expected))
    }

    fn choice(&self, key: &str, choices: &[&str]) -> Result<usize, ManifestError> {
        let expected = format!("\"{}\"", choices.join("\" or \""));
        self.value(key, &expected)?
            .as_str()
            .and_then(|text| choices.iter().position(|choice| *choice == text))
            .ok_or_else(|| self.wrong(key, &expected))
    }

    fn numbers(
        &self,
        key: &str,
        (low, high): (f64, f64),
        at_least: usize,
    ) -> Result<Vec<f64>, ManifestError> {
        let expected = format!("a list of {at_least} to {MAX_SLOTS} numbers from {low} to {high}");
        let number = |value: &Value| match value {
            Value::Integer(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        };
        self.value(key, &expected)?
            .as_array()
            .filter(|list| (at_least..=MAX_SLOTS).contains(&list.len()))
            .and_then(|list| {
                list.iter()
                    .map(|v| number(v).filter(|x| (low..=high).contains(x)))
                    .collect()
            })
            .ok_or_else(|| self.wrong(key, &expected))
    }

    fn graph(&self) -> Result<GraphEntry, ManifestError> {
        let graph = self.text("graph", 128)?;
        // A bare name: a model must not reach for files outside its folder.
        if graph.starts_with('.') || graph.contains(['/', '\\', ':', '\0']) {
            return Err(self.wrong("graph", "the name of a file in the model's folder"));
        }
        let sha256 = self.text("sha256", 64)?;
        if sha256.len() != 64
            || !sha256
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return Err(self.wrong("sha256", "64 hexadecimal digits in lower case"));
        }
        Ok(GraphEntry { graph, sha256 })
    }
}

/// A value in a few words, on one line.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", shorten(text)),
        Value::Array(list) => {
            let mut shown = format!("a list of {}", list.len());
            if let Some(first) = list.first() {
                let _ = write!(shown, " (from {} on)", shorten(&first.to_string()));
            }
            shown
        }
        Value::Table(_) => "a section".into(),
        other => shorten(&other.to_string()),
    }
}

fn shorten(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(60)
        .collect();
    if text.chars().count() > 60 {
        format!("{line}…")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMALL: &str = r#"
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

    /// [`SMALL`] with a decoder that makes one sample a step.
    fn small_step() -> String {
        let entry = |name: &str| format!("graph = \"{name}.onnx\"\nsha256 = \"{}\"\n", "0".repeat(64));
        let head = SMALL.split("[partials]").next().unwrap();
        let head = head
            .replace("\"partials\"", "\"step\"")
            .replace("\"conditioned\"", "\"embedded\"");
        let (one, sixteen) = (entry("past_1"), entry("past_16"));
        format!("{head}[step]\ndilations = [1, 16, 512, 1]\n[step.past_1]\n{one}[step.past_16]\n{sixteen}")
    }

    #[test]
    fn a_step_decoder_has_a_graph_for_each_length_of_block() {
        let manifest = Manifest::parse(&small_step()).unwrap();
        let Driver::Step(table) = &manifest.driver else {
            panic!("{:?}", manifest.driver)
        };
        assert_eq!(table.dilations, [1, 16, 512, 1]);
        let blocks: Vec<_> = table.past.iter().map(|past| past.block_steps).collect();
        assert_eq!(blocks, [1, 16]);
        assert_eq!(table.past[1].graph.graph, "past_16.onnx");
        assert_eq!(
            (table.layers_of(1), table.layers_of(16)),
            (vec![0, 3], vec![1, 2])
        );
    }

    #[test]
    fn a_wrong_step_section_is_told_field_by_field() {
        for (from, to, words) in [
            (
                "[1, 16, 512, 1]",
                "[1, 3]",
                ["`step.dilations`", "a list of 2", "powers of two"],
            ),
            (
                "[1, 16, 512, 1]",
                "[1, 8]",
                ["`step.past_16`", "not known", "past_1, past_8"],
            ),
            (
                "[step.past_16]",
                "[step.past_8]",
                ["`step.past_8`", "not known", "past_16"],
            ),
            (
                "\"past_1.onnx\"",
                "\"/past\"",
                ["`step.past_1.graph`", "\"/past\"", "file in the model's folder"],
            ),
            (
                "\"embedded\"",
                "\"conditioned\"",
                ["`pitch`", "\"conditioned\"", "driver `step`"],
            ),
            (
                "[step]",
                "[partials]\nslots = [1]\n[step]",
                ["`partials`", "a section", "no such section with driver `step`"],
            ),
            ("hop = 512", "hop = 24", ["`hop`", "24", "multiple of 16"]),
        ] {
            let text = small_step();
            assert!(text.contains(from), "{from}");
            let message = Manifest::parse(&text.replace(from, to)).unwrap_err().to_string();
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
