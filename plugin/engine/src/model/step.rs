//! The loading of a `step` decoder: its graphs checked against the manifest and tried.
//!
//! Background threads only: a full-width network takes seconds.

use std::path::Path;
use std::sync::Arc;

use ort::session::Session;
use ort::value::{PrimitiveTensorElementType, TensorElementType};
use parking_lot::Mutex;

use super::ModelError;
use super::graph::{Dim, GraphFile, Port, check_ports, shape_of};
use super::manifest::{GraphEntry, Manifest, StepTable};
use crate::decoder::step::graphs::{PastGraph, StepGraphs, StepGraphsParts};
use crate::decoder::step::rings::Activation;
use crate::decoder::step::sampler::Sampler;
use crate::decoder::step::{HEARD_SAMPLES, LONGEST_BLOCK, StepDecoder, StepNote, mu_law};
use crate::decoder::{DecodeError, Decoder, DecoderFormat};
use crate::runtime::Runtime;
use crate::runtime::provider::{self, DeviceChoice, Provider, ProviderReport, Refusal, Threads};

/// Sizes of batches that are tried, in rows. The last is what notes are compared in: what gives other bits is not used.
const BATCHES: [usize; 6] = [1, 4, 8, 16, 24, 32];
/// A smaller graph's products are over before another thread has woken up.
const SMALL_GRAPH_BYTES: usize = 1 << 20;
/// Widest layer that memory is set aside for.
const MAX_WIDTH: usize = 4096;
/// Steps of the trial: the first of a block, and one within it.
const TRIAL_STEPS: usize = 2;

/// A decoder's graphs, in the form that its weights have.
#[derive(Debug)]
pub(super) enum StepModel {
    /// All in `f32`.
    Float(Arc<Mutex<StepGraphs<f32>>>),
    /// Large products in 8 bits.
    EightBit(Arc<Mutex<StepGraphs<u8>>>),
}

impl StepModel {
    /// Loads and checks the graphs.
    pub(super) fn load(
        runtime: &Runtime,
        folder: &Path,
        manifest: &Manifest,
        table: &StepTable,
    ) -> Result<Self, ModelError> {
        let session = open(runtime, folder, "decoder", &manifest.decoder)?;
        let first = session.outputs().iter().find(|outlet| outlet.name() == "x.0");
        match first.and_then(|outlet| outlet.dtype().tensor_type()) {
            Some(TensorElementType::Uint8) => {
                let graphs = load_graphs(runtime, folder, manifest, table, session)?;
                Ok(Self::EightBit(Arc::new(Mutex::new(graphs))))
            }
            _ => {
                let graphs = load_graphs(runtime, folder, manifest, table, session)?;
                Ok(Self::Float(Arc::new(Mutex::new(graphs))))
            }
        }
    }

    /// A decoder for one worker.
    pub(super) fn decoder(&self, format: DecoderFormat) -> Box<dyn Decoder> {
        match self {
            Self::Float(graphs) => Box::new(StepDecoder::new(Arc::clone(graphs), format)),
            Self::EightBit(graphs) => Box::new(StepDecoder::new(Arc::clone(graphs), format)),
        }
    }
}

/// What computes a `step` decoder: the CPU. Its state passes through the graphs at every sample, which a graphics card would have
/// to wait for unless it stayed there.
pub(super) fn providers(choice: DeviceChoice) -> ProviderReport {
    let refusals = Provider::ACCELERATORS.iter().map(|provider| Refusal {
        provider: *provider,
        reason: match choice {
            DeviceChoice::Cpu => "the CPU was asked for".into(),
            _ => "a decoder of the driver `step` is computed on the CPU alone".into(),
        },
    });
    ProviderReport {
        in_use: Provider::Cpu,
        refusals: refusals.collect(),
    }
}

fn open(runtime: &Runtime, folder: &Path, section: &str, entry: &GraphEntry) -> Result<Session, ModelError> {
    let file = GraphFile::read(folder, section, entry)?;
    let threads = match file.bytes().len() {
        0..SMALL_GRAPH_BYTES => Threads::Calling,
        _ => Threads::Pool,
    };
    provider::session_on(runtime, &file, Provider::Cpu, threads).map_err(|reason| ModelError::Graph {
        file: folder.join(file.name()),
        reason,
    })
}

fn load_graphs<A: Activation>(
    runtime: &Runtime,
    folder: &Path,
    manifest: &Manifest,
    table: &StepTable,
    session: Session,
) -> Result<StepGraphs<A>, ModelError> {
    let file = folder.join(&manifest.decoder.graph);
    let width = width(&file, &session)?;
    check_step::<A>(&file, &session, manifest, table, width)?;
    let mut past = Vec::new();
    for entry in &table.past {
        let session = open(runtime, folder, &entry.section, &entry.graph)?;
        let layers = table.layers_of(entry.block_steps);
        check_past::<A>(
            &folder.join(&entry.graph.graph),
            &session,
            &layers,
            width,
            manifest.dims,
        )?;
        past.push(PastGraph {
            graph: entry.graph.graph.clone(),
            block_steps: entry.block_steps,
            layers,
            session,
        });
    }
    let parts = StepGraphsParts {
        graph: manifest.decoder.graph.clone(),
        session,
        past,
        dilations: table.dilations.clone(),
        width,
        dims: manifest.dims,
    };
    let mut graphs = StepGraphs::new(parts, &BATCHES);
    let exact = exact_batches(&mut graphs).map_err(|error| ModelError::Trial {
        file,
        reason: match error {
            DecodeError::Graph { graph, source, .. } => {
                format!("{graph}: {}", crate::runtime::one_line(source.message()))
            }
            other => other.to_string(),
        },
    })?;
    graphs.allow_batches(&exact);
    Ok(graphs)
}

/// Values that flow into a layer, as `x.0` has them.
fn width(file: &Path, session: &Session) -> Result<usize, ModelError> {
    let outlet = session.outputs().iter().find(|outlet| outlet.name() == "x.0");
    let shape = outlet.and_then(shape_of);
    let width = shape.as_deref().and_then(|shape| match shape {
        [_, width] => usize::try_from(*width).ok(),
        _ => None,
    });
    width
        .filter(|width| (1..=MAX_WIDTH).contains(width))
        .ok_or_else(|| ModelError::Port {
            file: file.into(),
            side: "output",
            port: "x.0".into(),
            found: shape.map_or_else(|| "missing".into(), |shape| format!("{shape:?}")),
            expected: format!("[B, width] with a fixed width up to {MAX_WIDTH}"),
        })
}

fn kind<T: PrimitiveTensorElementType>() -> TensorElementType {
    T::into_tensor_element_type()
}

fn check_step<A: Activation>(
    file: &Path,
    session: &Session,
    manifest: &Manifest,
    table: &StepTable,
    width: usize,
) -> Result<(), ModelError> {
    let rows = |columns| [Dim::Free("B"), Dim::Fixed(columns)];
    let mut inputs = vec![
        Port::new("samples", &rows(HEARD_SAMPLES)),
        Port::new("embedding", &rows(manifest.dims)),
    ];
    let mut outputs = vec![Port::new("logits", &rows(mu_law::LEVELS))];
    for layer in 0..table.dilations.len() {
        inputs.push(Port::of(
            kind::<A::Sum>(),
            &format!("past.{layer}"),
            &rows(2 * width),
        ));
        outputs.push(Port::of(kind::<A>(), &format!("x.{layer}"), &rows(width)));
    }
    check_ports(file, "input", session.inputs(), &inputs)?;
    check_ports(file, "output", session.outputs(), &outputs)
}

fn check_past<A: Activation>(
    file: &Path,
    session: &Session,
    layers: &[usize],
    width: usize,
    dims: usize,
) -> Result<(), ModelError> {
    let block = [Dim::Free("steps"), Dim::Free("B"), Dim::Fixed(2 * width)];
    let mut inputs = vec![Port::new("embedding", &[Dim::Free("B"), Dim::Fixed(dims)])];
    let mut outputs = Vec::new();
    for layer in layers {
        inputs.push(Port::of(kind::<A>(), &format!("taps.{layer}"), &block));
        outputs.push(Port::of(kind::<A::Sum>(), &format!("past.{layer}"), &block));
    }
    check_ports(file, "input", session.inputs(), &inputs)?;
    check_ports(file, "output", session.outputs(), &outputs)
}

/// The sizes of [`BATCHES`] in which notes get the bits that they get in the largest, at either end of it.
fn exact_batches<A: Activation>(graphs: &mut StepGraphs<A>) -> Result<Vec<usize>, DecodeError> {
    let largest = graphs.largest_batch();
    let wanted = trial(graphs, 0, largest)?;
    let mut exact = Vec::new();
    for batch in BATCHES {
        let first = trial(graphs, 0, batch)?;
        let last = trial(graphs, largest - batch, batch)?;
        if first == wanted[..batch] && last == wanted[largest - batch..] {
            exact.push(batch);
        }
    }
    Ok(exact)
}

/// What came of a note in a trial: the bits of its logits, and what its layers heard.
type Found<A> = (Vec<u32>, Vec<A>);

/// Some notes of an endless list of different ones, in the middle of their lives.
fn trial<A: Activation>(
    graphs: &mut StepGraphs<A>,
    first: usize,
    count: usize,
) -> Result<Vec<Found<A>>, DecodeError> {
    let mut notes: Vec<StepNote<A>> = (first..first + count)
        .map(|number| trial_note(graphs, number))
        .collect();
    let dims = graphs.dims();
    let embedding: Vec<f32> = (first * dims..(first + count) * dims)
        .map(|i| 0.7 * (i as f32 * 0.37).sin())
        .collect();
    let mut found = vec![(Vec::new(), Vec::new()); count];
    let mut taps = vec![A::SILENCE; 2 * graphs.width()];
    for step in 0..TRIAL_STEPS {
        let mut borrowed: Vec<&mut StepNote<A>> = notes.iter_mut().collect();
        let logits = graphs.step(step, &mut borrowed, count, &embedding)?;
        for ((bits, _), logits) in found.iter_mut().zip(logits.chunks_exact(mu_law::LEVELS)) {
            bits.extend(logits.iter().map(|logit| logit.to_bits()));
        }
        for (index, (note, (_, heard))) in notes.iter_mut().zip(&mut found).enumerate() {
            for (layer, dilation) in graphs.dilations().iter().enumerate() {
                // What it hears now is the newer tap of a dilation later.
                note.rings.read_taps(layer, note.step + dilation, &mut taps);
                heard.extend_from_slice(&taps[graphs.width()..]);
            }
            note.go_on(17 * (first + index + step) % mu_law::LEVELS);
        }
    }
    Ok(found)
}

/// A note that has heard something at every tap of its next block of steps.
fn trial_note<A: Activation>(graphs: &StepGraphs<A>, number: usize) -> StepNote<A> {
    let (dilations, width) = (graphs.dilations(), graphs.width());
    let mut note = StepNote::new(&dilations, width, Sampler::new(number as u64, 1.0));
    note.step = 2 * LONGEST_BLOCK * dilations.iter().max().unwrap_or(&1);
    let mut heard = vec![A::SILENCE; width];
    for (layer, dilation) in dilations.iter().enumerate() {
        for back in [2 * dilation, *dilation] {
            for step in note.step - back..note.step - back + LONGEST_BLOCK.min(*dilation) {
                for (channel, value) in heard.iter_mut().enumerate() {
                    let phase = (channel * 7 + step * 3 + layer + 31 * number) as f32;
                    *value = A::of(0.9 * (phase * 0.61).sin());
                }
                note.rings.keep(layer, step, &heard);
            }
        }
    }
    note.go_on(31 * number % mu_law::LEVELS);
    note.step -= 1;
    note
}

#[cfg(test)]
mod tests {
    use super::super::{DriverModel, MANIFEST_NAME, Model};
    use super::*;
    use serde_json::Value;
    use std::path::PathBuf;

    /// One of the models that `wavenet/step_fixture.py` wrote.
    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/step")
            .join(name)
    }

    fn load(folder: &Path) -> Arc<Model> {
        Model::load(folder, DeviceChoice::Cpu).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The logits of each step, `[steps, 256]`, fed these classes; `hop` steps have one frame of `embedding`.
    fn teacher_forced(model: &Model, classes: &[usize], embedding: &[f32]) -> Vec<f32> {
        let DriverModel::Step(step) = &model.decoder else {
            panic!("a model of another driver")
        };
        match step {
            StepModel::Float(graphs) => fed(&mut graphs.lock(), model, classes, embedding),
            StepModel::EightBit(graphs) => fed(&mut graphs.lock(), model, classes, embedding),
        }
    }

    fn fed<A: Activation>(
        graphs: &mut StepGraphs<A>,
        model: &Model,
        classes: &[usize],
        embedding: &[f32],
    ) -> Vec<f32> {
        let DecoderFormat {
            hop_samples, dims, ..
        } = model.format();
        let mut note = StepNote::new(&graphs.dilations(), graphs.width(), Sampler::new(0, 1.0));
        let rows = graphs.batch_for(1);
        let mut logits = Vec::new();
        for (step, class) in classes.iter().enumerate() {
            let mut frame = embedding[step / hop_samples * dims..][..dims].to_vec();
            frame.resize(rows * dims, 0.0);
            logits.extend(graphs.step(step, &mut [&mut note], rows, &frame).unwrap());
            note.go_on(*class);
        }
        logits
    }

    fn numbers(list: &Value) -> Vec<usize> {
        let list = list.as_array().unwrap().iter();
        list.map(|value| value.as_u64().unwrap() as usize).collect()
    }

    /// The farthest of a fixture's logits from its reference.
    fn distance(name: &str) -> f32 {
        let folder = fixture(name);
        let text = std::fs::read_to_string(folder.join("reference.json")).unwrap();
        let reference: Value = serde_json::from_str(&text).unwrap();
        let frames = reference["embedding"].as_array().unwrap().iter();
        let embedding: Vec<f32> = frames
            .flat_map(|frame| frame.as_array().unwrap())
            .map(|value| value.as_f64().unwrap() as f32)
            .collect();
        let logits = teacher_forced(&load(&folder), &numbers(&reference["classes"]), &embedding);
        let wanted = std::fs::read(folder.join("logits.f32")).unwrap();
        let steps = numbers(&reference["steps"]);
        assert_eq!(wanted.len(), 4 * steps.len() * mu_law::LEVELS);
        let found = steps
            .iter()
            .flat_map(|step| &logits[step * mu_law::LEVELS..][..mu_law::LEVELS]);
        wanted
            .as_chunks::<4>()
            .0
            .iter()
            .zip(found)
            .map(|(wanted, found)| (f32::from_le_bytes(*wanted) - found).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn logits_are_those_of_magentas_equations() {
        let distance = distance("float");
        assert!(distance < 1e-5, "{distance}");
    }

    #[test]
    fn eight_bit_logits_are_what_they_were_when_the_model_was_written() {
        let distance = distance("eight_bit");
        assert!(distance < 1e-4, "{distance}");
    }

    #[test]
    fn notes_get_the_same_bits_in_batches_of_every_size() {
        for name in ["float", "eight_bit"] {
            let model = load(&fixture(name));
            assert_eq!(model.decoder().unwrap().batch_capacity(), 32, "{name}");
            let DriverModel::Step(step) = &model.decoder else {
                panic!("a model of another driver")
            };
            let batches: Vec<usize> = match step {
                StepModel::Float(graphs) => (1..=32).map(|notes| graphs.lock().batch_for(notes)).collect(),
                StepModel::EightBit(graphs) => (1..=32).map(|notes| graphs.lock().batch_for(notes)).collect(),
            };
            assert_eq!((batches[1], batches[8], batches[31]), (4, 16, 32), "{name}");
        }
    }

    fn refusal(edit: impl Fn(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixture("float")).unwrap() {
            let file = entry.unwrap();
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        edit(folder.path());
        let message = Model::load(folder.path(), DeviceChoice::Cpu)
            .unwrap_err()
            .to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }

    fn edit_manifest(folder: &Path, edit: impl Fn(&str) -> String) {
        let file = folder.join(MANIFEST_NAME);
        let text = std::fs::read_to_string(&file).unwrap();
        let changed = edit(&text);
        assert_ne!(changed, text);
        std::fs::write(file, changed).unwrap();
    }

    #[test]
    fn a_changed_past_names_file_and_field() {
        let message = refusal(|folder| std::fs::write(folder.join("past_4.onnx"), "other").unwrap());
        assert!(
            message.contains("past_4.onnx: its SHA-256") && message.contains("`step.past_4.sha256`"),
            "{message}"
        );
        let message = refusal(|folder| std::fs::remove_file(folder.join("past_16.onnx")).unwrap());
        assert!(message.contains("past_16.onnx: cannot be read"), "{message}");
    }

    #[test]
    fn another_number_of_layers_is_told() {
        let message = refusal(|folder| {
            edit_manifest(folder, |text| {
                text.replace("[1, 2, 4, 8, 16, 32]", "[1, 2, 4, 8, 16, 32, 1]")
            });
        });
        assert!(
            message.contains("decoder.onnx: input `past.6` is missing"),
            "{message}"
        );
        let message = refusal(|folder| {
            edit_manifest(folder, |text| {
                text.replace("[1, 2, 4, 8, 16, 32]", "[1, 2, 4, 16, 8, 32]")
            });
        });
        assert!(
            message.contains("past_8.onnx: input `taps.4` is missing"),
            "{message}"
        );
    }

    #[test]
    fn other_dimensions_are_told_with_both_shapes() {
        let message = refusal(|folder| edit_manifest(folder, |text| text.replace("dims = 16", "dims = 12")));
        assert!(
            message.contains("embedding") && message.contains("16]") && message.contains("12]"),
            "{message}"
        );
    }

    #[test]
    fn a_past_in_the_decoders_place_is_told() {
        let message = refusal(|folder| {
            edit_manifest(folder, |text| {
                let sum = |name: &str| {
                    let after = text.split(&format!("\"{name}.onnx\"")).nth(1).unwrap();
                    let sum = after.split("sha256 = \"").nth(1).unwrap();
                    sum.split('"').next().unwrap().to_string()
                };
                text.replace(&sum("decoder"), &sum("past_1"))
                    .replace("\"decoder.onnx\"", "\"past_1.onnx\"")
            });
        });
        assert!(
            message.contains("past_1.onnx: output `x.0` is missing"),
            "{message}"
        );
    }

    /// The numbers of an npy file of f32.
    fn npy(file: &Path) -> Vec<f32> {
        let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let values = bytes[header..].as_chunks::<4>().0.iter();
        values.map(|value| f32::from_le_bytes(*value)).collect()
    }

    /// `BETWIXT_GOLDEN_MODEL`: a model folder converted of the golden checkpoint; `BETWIXT_GOLDEN_VECTORS`: the folder with what
    /// Magenta's own code gave.
    #[test]
    fn the_golden_model_speaks_as_magentas_code_does() {
        let folders = ["BETWIXT_GOLDEN_MODEL", "BETWIXT_GOLDEN_VECTORS"].map(std::env::var_os);
        let [Some(folder), Some(vectors)] = folders else {
            println!("skipped: BETWIXT_GOLDEN_MODEL and BETWIXT_GOLDEN_VECTORS name no golden model");
            return;
        };
        let (model, vectors) = (load(Path::new(&folder)), PathBuf::from(vectors));
        let kind = if model.manifest().source.contains("averaged") {
            "ema"
        } else {
            "raw"
        };
        let wanted = npy(&vectors.join(format!("probabilities_{kind}.npy")));
        let embedding = npy(&vectors.join(format!("embedding_{kind}.npy")));
        let audio = npy(&vectors.join("audio.npy"));
        let steps = wanted.len() / mu_law::LEVELS;
        let classes: Vec<usize> = audio[..steps]
            .iter()
            .map(|sample| mu_law::class(*sample))
            .collect();
        let logits = teacher_forced(&model, &classes, &embedding);
        let farthest = logits
            .chunks_exact(mu_law::LEVELS)
            .zip(wanted.chunks_exact(mu_law::LEVELS))
            .map(|(logits, wanted)| {
                let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
                let found = logits.iter().map(|logit| f64::from(*logit).exp() / total);
                let far = found
                    .zip(wanted)
                    .map(|(found, wanted)| (found - f64::from(*wanted)).abs());
                far.fold(0.0, f64::max)
            })
            .fold(0.0, f64::max);
        println!("{steps} steps, {kind}: {farthest:.1e} from Magenta's probabilities at most");
        assert!(steps > 0 && farthest < 1e-4, "{farthest}");
    }
}
