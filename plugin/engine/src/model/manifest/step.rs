//! The section `step` of a `model.toml`: a decoder's layers, and the graphs of what they remember.
//!
//! Pure parsing, any thread but the audio thread.

use toml::Value;

use super::section::Section;
use super::{GraphEntry, ManifestError};
use crate::decoder::step::LONGEST_BLOCK;

const MAX_LAYERS: usize = 256;
const MAX_DILATION: i64 = 4096;

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

/// Reads the section `step`.
pub(super) fn read(section: &Section<'_>) -> Result<StepTable, ManifestError> {
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

#[cfg(test)]
mod tests {
    use super::super::tests::SMALL;
    use super::super::{Driver, Manifest};

    /// A small manifest with a decoder that makes one sample a step.
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
}
