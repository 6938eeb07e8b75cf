//! The loading of a `partials` decoder: its graph and table checked, the provider that computes it chosen.
//!
//! Background threads only.

use std::path::Path;
use std::sync::Arc;

use betwixt_audio::partials::{PartialsLayout, PartialsSynth};
use ort::session::Session;
use parking_lot::Mutex;

use super::check::{batches_exactly, check_decoder, decoder_trial};
use super::graph::GraphFile;
use super::manifest::{Manifest, PartialsTable, PitchInput};
use super::{MANIFEST_NAME, Model, ModelError};
use crate::decoder::Decoder;
use crate::decoder::partials::{PartialsDecoder, PartialsDecoderParts, StatePort};
use crate::runtime::Runtime;
use crate::runtime::provider::{self, DeviceChoice, Provider, ProviderReport};

/// Chunks in the run that providers are tried with.
const TRIAL_CHUNKS: usize = 8;
/// Notes that a decoder computes at once, if its graph gives each of them the bits that it has alone. A graph run of two
/// frames costs little less than one of sixteen notes' two frames costs a note; with more notes nothing is gained.
const BATCH_CAPACITY: usize = 16;

/// What the decoders of a model are made of.
pub(super) struct PartialsModel {
    graph: GraphFile,
    states: Vec<StatePort>,
    synth: Arc<PartialsSynth>,
    /// Partials that the synthesis keeps the phases of.
    partials: usize,
    batch_capacity: usize,
    /// The session that the graph was checked with, for whoever comes first.
    checked: Mutex<Option<Session>>,
}

impl PartialsModel {
    /// Loads and checks the graph, and chooses what computes it.
    pub(super) fn load(
        runtime: &Runtime,
        folder: &Path,
        manifest: &Manifest,
        table: &PartialsTable,
        device: DeviceChoice,
    ) -> Result<(Self, ProviderReport), ModelError> {
        let layout = PartialsLayout {
            slots: table.slots.clone(),
            group_edges: table.group_edges.clone(),
            noise_edges_hz: table.noise_edges_hz.clone(),
            hop_samples: manifest.hop_samples,
            sample_rate_hz: manifest.sample_rate_hz,
        };
        let synth = PartialsSynth::new(layout).map_err(|error| ModelError::Partials {
            file: folder.join(MANIFEST_NAME),
            reason: error.to_string(),
        })?;
        let graph = GraphFile::read(folder, "decoder", &manifest.decoder)?.sharing_weights();
        let file = folder.join(graph.name());
        let (mut session, states) = check_decoder(runtime, folder, &graph, manifest, table)?;
        let trial_failed = |error: ort::Error| ModelError::Trial {
            file: file.clone(),
            reason: error.message().to_string(),
        };
        let trial = decoder_trial(manifest, &states, TRIAL_CHUNKS * manifest.chunk_frames);
        let providers =
            provider::choose(runtime, &graph, device, &mut session, &trial).map_err(trial_failed)?;
        if providers.in_use != Provider::Cpu {
            session =
                provider::session(runtime, &graph, providers.in_use).map_err(|reason| ModelError::Graph {
                    file: file.clone(),
                    reason,
                })?;
        }
        let exact = batches_exactly(manifest, &states, &mut session, BATCH_CAPACITY).map_err(trial_failed)?;
        let model = Self {
            graph,
            states,
            synth: Arc::new(synth),
            partials: table.partials(),
            batch_capacity: if exact { BATCH_CAPACITY } else { 1 },
            checked: Mutex::new(Some(session)),
        };
        Ok((model, providers))
    }

    /// A decoder for one worker.
    pub(super) fn decoder(&self, model: &Model) -> Result<Box<dyn Decoder>, ModelError> {
        let taken = self.checked.lock().take();
        let session = match taken {
            Some(session) => session,
            None => model.session(&self.graph, model.providers.in_use)?,
        };
        Ok(Box::new(PartialsDecoder::new(PartialsDecoderParts {
            session,
            graph: self.graph.name().into(),
            synth: Arc::clone(&self.synth),
            format: model.format(),
            takes_pitch: model.manifest.pitch == PitchInput::Conditioned,
            batch_capacity: self.batch_capacity,
            states: self.states.clone(),
            partials: self.partials,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DriverModel, shipped};
    use super::*;
    use crate::decoder::rehearsal::{Wandering, begin, render, render_from_start};
    use crate::decoder::{Run, Snapshot};
    use std::sync::atomic::AtomicBool;

    fn farthest(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_note_sounds_and_does_not_depend_on_how_it_is_cut_into_runs() {
        let mut decoder = shipped().decoder().unwrap();
        let whole = render_from_start(&mut *decoder, &[32]);
        assert!(whole.iter().any(|sample| sample.abs() > 1e-3));
        for runs in [vec![1; 32], vec![1, 1, 2, 4, 8, 16], vec![3, 29]] {
            let cut = render_from_start(&mut *decoder, &runs);
            assert!(
                farthest(&whole, &cut) < 1e-4,
                "{runs:?}: {}",
                farthest(&whole, &cut)
            );
        }
    }

    #[test]
    fn two_decoders_give_the_same_bits_and_share_a_note() {
        let model = shipped();
        let (mut one, mut two) = (model.decoder().unwrap(), model.decoder().unwrap());
        let runs = [1, 1, 2, 4, 8];
        let whole = render_from_start(&mut *one, &runs);
        assert_eq!(render_from_start(&mut *two, &runs), whole);
        let mut note = begin(&*one);
        let mut handed_over = render(&mut *one, &mut note, &runs[..2]);
        handed_over.extend(render(&mut *two, &mut note, &runs[2..]));
        assert_eq!(handed_over, whole);
    }

    #[test]
    fn rendering_goes_on_from_a_snapshot_as_if_nothing_had_happened() {
        let mut decoder = shipped().decoder().unwrap();
        let mut note = begin(&*decoder);
        render(&mut *decoder, &mut note, &[1, 2]);
        let mut snapshot = note.clone();
        let went_on = render(&mut *decoder, &mut note, &[1, 4]);
        assert_eq!(render(&mut *decoder, &mut snapshot, &[1, 4]), went_on);
    }

    #[test]
    fn the_notes_of_a_batch_are_what_they_are_alone() {
        let mut decoder = shipped().decoder().unwrap();
        let chunk = decoder.format().chunk_samples;
        let (mut first, mut second) = (begin(&*decoder), begin(&*decoder));
        let ahead = render(&mut *decoder, &mut second, &[2]);
        let (mut a, mut b) = (vec![0.0; 2 * chunk], vec![0.0; chunk]);
        let runs = &mut [
            Run {
                note: &mut first,
                conditioning: &Wandering,
                samples: &mut a,
            },
            Run {
                note: &mut second,
                conditioning: &Wandering,
                samples: &mut b,
            },
        ];
        decoder.render(runs, &AtomicBool::new(false)).unwrap();
        assert_eq!(a, ahead);
        let mut alone = begin(&*decoder);
        assert_eq!(render(&mut *decoder, &mut alone, &[2, 1])[2 * chunk..], b);
    }

    #[test]
    fn the_shipped_decoder_computes_many_notes_at_once_to_the_bit() {
        let mut decoder = shipped().decoder().unwrap();
        assert_eq!(decoder.batch_capacity(), BATCH_CAPACITY);
        // One more than fit, so that one of them goes alone, and one of another length.
        let chunk = decoder.format().chunk_samples;
        let lengths: Vec<usize> = (0..=BATCH_CAPACITY)
            .map(|note| if note == 3 { 2 } else { 1 })
            .collect();
        let mut notes: Vec<Snapshot> = lengths.iter().map(|_| begin(&*decoder)).collect();
        let mut samples: Vec<Vec<f32>> = lengths.iter().map(|chunks| vec![0.0; chunks * chunk]).collect();
        let mut runs: Vec<Run<'_>> = notes
            .iter_mut()
            .zip(&mut samples)
            .map(|(note, samples)| Run {
                note,
                conditioning: &Wandering,
                samples,
            })
            .collect();
        decoder.render(&mut runs, &AtomicBool::new(false)).unwrap();
        for (chunks, samples) in lengths.iter().zip(&samples) {
            assert!(*samples == render_from_start(&mut *decoder, &[*chunks]));
        }
    }

    #[test]
    fn a_session_with_shared_weights_computes_what_one_without_does() {
        let model = shipped();
        let DriverModel::Partials(parts) = &model.decoder else {
            panic!("the shipped model is of another driver")
        };
        let trial = decoder_trial(&model.manifest, &parts.states, 7);
        let mut shared = model.session(&parts.graph, Provider::Cpu).unwrap();
        let mut plain = ort::session::Session::builder(model.runtime.environment())
            .unwrap()
            .with_intra_threads(1)
            .unwrap()
            .commit_from_memory(parts.graph.bytes())
            .unwrap();
        let (shared, plain) = (trial.run(&mut shared).unwrap(), trial.run(&mut plain).unwrap());
        let (output, distance) = plain.farthest(&shared).unwrap();
        assert!(distance < 1e-5, "{output}: {distance}");
    }

    fn render_alone(
        decoder: &mut dyn Decoder,
        mut note: Snapshot,
        samples: usize,
        cancelled: bool,
    ) -> Result<(), crate::decoder::DecodeError> {
        let run = Run {
            note: &mut note,
            conditioning: &Wandering,
            samples: &mut vec![0.0; samples],
        };
        decoder.render(&mut [run], &AtomicBool::new(cancelled))
    }

    #[test]
    fn a_run_that_is_no_whole_number_of_chunks_and_a_foreign_note_are_refused() {
        let mut decoder = shipped().decoder().unwrap();
        let note = begin(&*decoder);
        let error = render_alone(&mut *decoder, note, 1000, false).unwrap_err();
        assert!(error.to_string().contains("1000"), "{error}");
        assert!(render_alone(&mut *decoder, Snapshot::new(3_u8, 1), 1024, false).is_err());
    }

    #[test]
    fn a_cancelled_run_stops() {
        let mut decoder = shipped().decoder().unwrap();
        let note = begin(&*decoder);
        let error = render_alone(&mut *decoder, note, 1024, true).unwrap_err();
        assert!(matches!(error, crate::decoder::DecodeError::Cancelled), "{error}");
    }
}
