//! What a model's graphs must take and give, and a trial run of each.
//!
//! Background threads only. Every error names the file and the input or output, what was found and what was
//! expected.

use std::ops::Range;
use std::path::Path;

use ort::session::Session;

use super::ModelError;
use super::graph::{Dim, GraphFile, Port, Tensors, check_ports, shape_of};
use super::manifest::{Manifest, PartialsTable, PitchInput};
use crate::decoder::partials::StatePort;
use crate::runtime::provider::{self, Provider};
use crate::runtime::{Runtime, one_line};

/// Loads the encoder and checks it against the manifest.
pub(super) fn check_encoder(
    runtime: &Runtime,
    folder: &Path,
    graph: &GraphFile,
    manifest: &Manifest,
) -> Result<Session, ModelError> {
    let file = folder.join(graph.name());
    let mut session =
        provider::session(runtime, graph, Provider::Cpu).map_err(|reason| ModelError::Graph {
            file: file.clone(),
            reason,
        })?;
    let conditioned = manifest.pitch == PitchInput::Conditioned;
    let mut inputs = vec![Port::new("audio", &[Dim::Free("B"), Dim::Free("samples")])];
    if conditioned {
        inputs.push(Port::new("pitch", &[Dim::Free("B")]));
    }
    let output = Port::new(
        "embedding",
        &[Dim::Free("B"), Dim::Free("frames"), Dim::Fixed(manifest.dims)],
    );
    check_ports(&file, "input", session.inputs(), &inputs)?;
    check_ports(&file, "output", session.outputs(), &[output])?;

    // An odd length: the last, partly filled frame counts.
    let samples = 3 * manifest.embedding_hop_samples + 1;
    let mut trial = Tensors::default();
    let tone = (0..samples).map(|i| 0.1 * (i as f32 * 0.05).sin()).collect();
    trial.push("audio", &[1, samples], tone);
    if conditioned {
        trial.push("pitch", &[1], vec![60.0]);
    }
    try_run(
        &file,
        &mut session,
        &trial,
        &[("embedding", &[1, 4, manifest.dims])],
    )?;
    Ok(session)
}

/// Loads the decoder and checks it against the manifest; gives its states too.
pub(super) fn check_decoder(
    runtime: &Runtime,
    folder: &Path,
    graph: &GraphFile,
    manifest: &Manifest,
    table: &PartialsTable,
) -> Result<(Session, Vec<StatePort>), ModelError> {
    let file = folder.join(graph.name());
    let mut session =
        provider::session(runtime, graph, Provider::Cpu).map_err(|reason| ModelError::Graph {
            file: file.clone(),
            reason,
        })?;
    let states = states(&file, &session)?;
    let frames = [Dim::Free("B"), Dim::Free("F")];
    let rows = |columns| [Dim::Free("B"), Dim::Free("F"), Dim::Fixed(columns)];
    let mut inputs = vec![Port::new("embedding", &rows(manifest.dims))];
    if manifest.pitch == PitchInput::Conditioned {
        inputs.push(Port::new("pitch", &frames));
    }
    let mut outputs = vec![
        Port::new("amplitude_db", &rows(table.amplitude_columns())),
        Port::new("deviation", &rows(table.slots.len())),
        Port::new("cents", &frames),
        Port::new("noise_db", &rows(table.noise_bands())),
    ];
    for state in &states {
        let shape: Vec<_> = std::iter::once(Dim::Free("B"))
            .chain(state.shape.iter().map(|size| Dim::Fixed(*size)))
            .collect();
        inputs.push(Port::new(&state.input, &shape));
        outputs.push(Port::new(&state.output, &shape));
    }
    check_ports(&file, "input", session.inputs(), &inputs)?;
    check_ports(&file, "output", session.outputs(), &outputs)?;

    // Three frames: the smallest first run, and a length that is in no graph by accident.
    let trial = decoder_trial(manifest, &states, 3);
    let mut expected: Vec<(&str, Vec<usize>)> = vec![
        ("amplitude_db", vec![1, 3, table.amplitude_columns()]),
        ("deviation", vec![1, 3, table.slots.len()]),
        ("cents", vec![1, 3]),
        ("noise_db", vec![1, 3, table.noise_bands()]),
    ];
    expected.extend(
        states
            .iter()
            .map(|s| (s.output.as_str(), [&[1], s.shape.as_slice()].concat())),
    );
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, shape)| (*name, shape.as_slice()))
        .collect();
    try_run(&file, &mut session, &trial, &expected)?;
    Ok((session, states))
}

/// The decoder's states: inputs `state.0`, `state.1`, … whose shape is fixed but for the batch.
fn states(file: &Path, session: &Session) -> Result<Vec<StatePort>, ModelError> {
    let count = session
        .inputs()
        .iter()
        .filter(|outlet| outlet.name().starts_with("state."))
        .count();
    (0..count)
        .map(|index| {
            let input = format!("state.{index}");
            let wrong = |found: String| ModelError::Port {
                file: file.into(),
                side: "input",
                port: input.clone(),
                found,
                expected: "f32 [B, …] with every size but the batch's fixed".into(),
            };
            let outlet = session
                .inputs()
                .iter()
                .find(|outlet| outlet.name() == input)
                .ok_or_else(|| {
                    wrong(format!(
                        "missing (the states are numbered from 0 to {})",
                        count - 1
                    ))
                })?;
            let shape = shape_of(outlet).ok_or_else(|| wrong("no tensor".into()))?;
            let fixed: Option<Vec<usize>> = shape.iter().skip(1).map(|d| usize::try_from(*d).ok()).collect();
            let fixed = fixed
                .filter(|sizes| !shape.is_empty() && sizes.iter().all(|size| (1..=1 << 16).contains(size)))
                .filter(|sizes| {
                    sizes
                        .iter()
                        .try_fold(1_usize, |n, s| n.checked_mul(*s))
                        .is_some_and(|n| n <= 1 << 24)
                })
                .ok_or_else(|| wrong(format!("{shape:?}")))?;
            Ok(StatePort {
                output: format!("{input}.next"),
                input,
                shape: fixed,
            })
        })
        .collect()
}

/// Inputs of a typical decoder run: an embedding that moves, from the start of a note.
pub(super) fn decoder_trial(manifest: &Manifest, states: &[StatePort], frames: usize) -> Tensors {
    let mut trial = Tensors::default();
    let embedding = (0..frames * manifest.dims)
        .map(|i| 0.7 * (i as f32 * 0.37).sin())
        .collect();
    trial.push("embedding", &[1, frames, manifest.dims], embedding);
    if manifest.pitch == PitchInput::Conditioned {
        trial.push("pitch", &[1, frames], vec![60.0; frames]);
    }
    for state in states {
        trial.push(
            &state.input,
            &[&[1], state.shape.as_slice()].concat(),
            vec![0.0; state.len()],
        );
    }
    trial
}

/// Whether the notes of a batch get the bits that they get alone, at the lengths of a note's first and later chunks.
pub(super) fn batches_exactly(
    manifest: &Manifest,
    states: &[StatePort],
    session: &mut Session,
    batch: usize,
) -> Result<bool, ort::Error> {
    for frames in [manifest.chunk_frames + 1, manifest.chunk_frames] {
        let together = batch_trial(manifest, states, frames, 0..batch).run(session)?;
        for note in 0..batch {
            let alone = batch_trial(manifest, states, frames, note..note + 1).run(session)?;
            let same = together.iter().zip(alone.iter()).all(|((.., all), (.., own))| {
                let row = all.get(note * own.len()..(note + 1) * own.len());
                row.is_some_and(|row| {
                    row.iter()
                        .map(|x| x.to_bits())
                        .eq(own.iter().map(|x| x.to_bits()))
                })
            });
            if !same {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Some notes of an endless list of different ones, in the middle of their lives.
fn batch_trial(manifest: &Manifest, states: &[StatePort], frames: usize, notes: Range<usize>) -> Tensors {
    let wave = |note: usize, count: usize, step: f32| {
        (0..count).map(move |i| 0.7 * ((i as f32 + 31.0 * note as f32) * step).sin())
    };
    let all = |count: usize, step: f32| {
        notes
            .clone()
            .flat_map(move |note| wave(note, count, step))
            .collect()
    };
    let batch = notes.len();
    let mut trial = Tensors::default();
    trial.push(
        "embedding",
        &[batch, frames, manifest.dims],
        all(frames * manifest.dims, 0.37),
    );
    if manifest.pitch == PitchInput::Conditioned {
        let pitches = notes
            .clone()
            .flat_map(|note| vec![36.5 + 3.0 * note as f32; frames]);
        trial.push("pitch", &[batch, frames], pitches.collect());
    }
    for state in states {
        trial.push(
            &state.input,
            &[&[batch], state.shape.as_slice()].concat(),
            all(state.len(), 0.61),
        );
    }
    trial
}

fn try_run(
    file: &Path,
    session: &mut Session,
    trial: &Tensors,
    expected: &[(&str, &[usize])],
) -> Result<(), ModelError> {
    let failed = |reason: String| ModelError::Trial {
        file: file.into(),
        reason,
    };
    let outputs = trial
        .run(session)
        .map_err(|error| failed(one_line(error.message())))?;
    for (name, shape) in expected {
        let Some((_, found, values)) = outputs.iter().find(|(n, ..)| n == name) else {
            return Err(failed(format!("it gave no `{name}`")));
        };
        if found != *shape {
            return Err(ModelError::Port {
                file: file.into(),
                side: "output",
                port: (*name).to_string(),
                found: format!("{found:?} in a trial run"),
                expected: format!("{shape:?}"),
            });
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(failed(format!("`{name}` holds a value that is not finite")));
        }
    }
    Ok(())
}
