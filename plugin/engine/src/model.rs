//! A model: a folder with a manifest and two graphs, loaded, checked and ready to encode and decode.
//!
//! Loading reads files and runs each graph once: background threads only. A loaded [`Model`] is shared by all
//! threads; each worker takes a [`Decoder`] of its own from it, and the weights stay one copy.
//! A bad model is an error that names the file and field, what was found and what was expected.

mod check;
pub mod graph;
pub mod manifest;
mod weights;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use betwixt_audio::partials::{PartialsLayout, PartialsSynth};
use ort::session::Session;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::decoder::partials::{PartialsDecoder, PartialsDecoderParts, StatePort};
use crate::decoder::{Decoder, DecoderFormat};
use crate::encoder::Encoder;
use crate::runtime::provider::{self, DeviceChoice, Provider, ProviderReport};
use crate::runtime::{Runtime, RuntimeError};
use crate::tuning::Tuner;
use check::{batches_exactly, check_decoder, check_encoder, decoder_trial};
use graph::GraphFile;
use manifest::{Driver, Manifest, ManifestError, PitchInput};

/// The manifest's file name.
pub const MANIFEST_NAME: &str = "model.toml";
/// A manifest is never larger.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Chunks in the run that providers are tried with.
const TRIAL_CHUNKS: usize = 8;
/// Notes that a decoder computes at once, if its graph gives each of them the bits that it has alone. A graph run of two
/// frames costs little less than one of sixteen notes' two frames costs a note; with more notes nothing is gained.
pub const BATCH_CAPACITY: usize = 16;

/// Names a model's contents: two models with one id render the same samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelId(pub u64);

/// A loaded model.
pub struct Model {
    manifest: Manifest,
    folder: PathBuf,
    id: ModelId,
    runtime: &'static Runtime,
    encoder: GraphFile,
    decoder: GraphFile,
    states: Vec<StatePort>,
    synth: Arc<PartialsSynth>,
    providers: ProviderReport,
    batch_capacity: usize,
    /// The sessions that the graphs were checked with, for whoever comes first.
    checked: Mutex<Checked>,
}

struct Checked {
    encoder: Option<Session>,
    decoder: Option<Session>,
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no ONNX Runtime to run it with.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest is too large or no text.
    #[error("{}: is {found}; expected a text of at most {} kB", .file.display(), MAX_MANIFEST_BYTES / 1024)]
    NotAManifest {
        /// The file.
        file: PathBuf,
        /// What it is.
        found: String,
    },
    /// The manifest is wrong.
    #[error("{}: {source}", .file.display())]
    Manifest {
        /// The file.
        file: PathBuf,
        /// The field.
        source: ManifestError,
    },
    /// A graph's file is another than the manifest means.
    #[error("{}: its SHA-256 is {found}; field `{section}.sha256` of {MANIFEST_NAME} expects {expected}", .file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// The manifest's section.
        section: &'static str,
        /// The file's checksum.
        found: String,
        /// The manifest's.
        expected: String,
    },
    /// A driver that this version does not have.
    #[error("{}: field `decoder.driver` is \"{found}\"; this version of Betwixt plays \"partials\"", .file.display())]
    Driver {
        /// The manifest.
        file: PathBuf,
        /// The driver asked for.
        found: &'static str,
    },
    /// The synthesis kernel cannot use the table of partials.
    #[error("{}: section `partials`: {reason}", .file.display())]
    Partials {
        /// The manifest.
        file: PathBuf,
        /// What the kernel said.
        reason: String,
    },
    /// ONNX Runtime refuses a graph.
    #[error("{}: the graph cannot be loaded: {reason}", .file.display())]
    Graph {
        /// The file.
        file: PathBuf,
        /// What it said.
        reason: String,
    },
    /// An input or output is not as the manifest says.
    #[error("{}: {side} `{port}` is {found}; expected {expected}", .file.display())]
    Port {
        /// The file.
        file: PathBuf,
        /// "input" or "output".
        side: &'static str,
        /// Its name.
        port: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A graph loads, and fails when run.
    #[error("{}: a trial run failed: {reason}", .file.display())]
    Trial {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        reason: String,
    },
}

impl Model {
    /// Loads and checks the model in `folder`, and chooses what computes it.
    ///
    /// # Errors
    /// On the first thing that is wrong with the manifest, the graphs, or ONNX Runtime.
    pub fn load(folder: &Path, device: DeviceChoice) -> Result<Arc<Self>, ModelError> {
        let file = folder.join(MANIFEST_NAME);
        let text = read_manifest(&file)?;
        let manifest = Manifest::parse(&text).map_err(|source| ModelError::Manifest {
            file: file.clone(),
            source,
        })?;
        let Driver::Partials(table) = &manifest.driver else {
            return Err(ModelError::Driver { file, found: "step" });
        };
        let layout = PartialsLayout {
            slots: table.slots.clone(),
            group_edges: table.group_edges.clone(),
            noise_edges_hz: table.noise_edges_hz.clone(),
            hop_samples: manifest.hop_samples,
            sample_rate_hz: manifest.sample_rate_hz,
        };
        let synth = PartialsSynth::new(layout).map_err(|e| ModelError::Partials {
            file,
            reason: e.to_string(),
        })?;

        let runtime = Runtime::get()?;
        let encoder = GraphFile::read(folder, "encoder", &manifest.encoder)?;
        let decoder = GraphFile::read(folder, "decoder", &manifest.decoder)?;
        let encoder_session = check_encoder(runtime, folder, &encoder, &manifest)?;
        let (mut decoder_session, states) = check_decoder(runtime, folder, &decoder, &manifest, table)?;
        let trial_failed = |error: ort::Error| ModelError::Trial {
            file: folder.join(decoder.name()),
            reason: error.message().to_string(),
        };
        let trial = decoder_trial(&manifest, &states, TRIAL_CHUNKS * manifest.chunk_frames);
        let providers = provider::choose(runtime, &decoder, device, &mut decoder_session, &trial)
            .map_err(trial_failed)?;
        if providers.in_use != Provider::Cpu {
            decoder_session = provider::session(runtime, &decoder, providers.in_use).map_err(|reason| {
                ModelError::Graph {
                    file: folder.join(decoder.name()),
                    reason,
                }
            })?;
        }
        let exact = batches_exactly(&manifest, &states, &mut decoder_session, BATCH_CAPACITY)
            .map_err(trial_failed)?;
        let hash = Sha256::digest(text.as_bytes());
        Ok(Arc::new(Self {
            id: ModelId(u64::from_le_bytes(std::array::from_fn(|i| hash[i]))),
            manifest,
            folder: folder.to_path_buf(),
            runtime,
            encoder,
            decoder,
            states,
            synth: Arc::new(synth),
            checked: Mutex::new(Checked {
                encoder: Some(encoder_session),
                decoder: Some(decoder_session),
            }),
            providers,
            batch_capacity: if exact { BATCH_CAPACITY } else { 1 },
        }))
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The folder that it was loaded from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// What a sound says it was encoded by.
    pub fn tag(&self) -> String {
        self.manifest.tag()
    }

    /// Names its contents.
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// What computes its decoder, and why no other does.
    pub fn providers(&self) -> &ProviderReport {
        &self.providers
    }

    /// The sizes that its decoder works in.
    pub fn format(&self) -> DecoderFormat {
        let m = &self.manifest;
        DecoderFormat {
            sample_rate_hz: m.sample_rate_hz,
            hop_samples: m.hop_samples,
            chunk_samples: m.hop_samples * m.chunk_frames,
            dims: m.dims,
        }
    }

    /// Decoder frames in one embedding frame.
    pub fn frames_per_embedding_frame(&self) -> usize {
        self.manifest.embedding_hop_samples / self.manifest.hop_samples
    }

    /// A decoder for one worker.
    ///
    /// # Errors
    /// If the provider in use refuses another session.
    pub fn decoder(&self) -> Result<Box<dyn Decoder>, ModelError> {
        let taken = self.checked.lock().decoder.take();
        let session = match taken {
            Some(session) => session,
            None => self.session(&self.decoder, self.providers.in_use)?,
        };
        Ok(Box::new(PartialsDecoder::new(PartialsDecoderParts {
            session,
            graph: self.decoder.name().into(),
            synth: Arc::clone(&self.synth),
            format: self.format(),
            takes_pitch: self.manifest.pitch == PitchInput::Conditioned,
            batch_capacity: self.batch_capacity,
            states: self.states.clone(),
            partials: match &self.manifest.driver {
                Driver::Partials(table) => table.partials(),
                Driver::Step => 0,
            },
        })))
    }

    /// An encoder. It always computes on the CPU, so that a sound does not depend on the device.
    ///
    /// # Errors
    /// If ONNX Runtime refuses another session.
    pub fn encoder(&self) -> Result<Encoder, ModelError> {
        let taken = self.checked.lock().encoder.take();
        let session = match taken {
            Some(session) => session,
            None => self.session(&self.encoder, Provider::Cpu)?,
        };
        let frames = self.frames_per_embedding_frame();
        let tuner = |dim| Ok::<_, ModelError>(Tuner::new(self.decoder()?, dim, frames));
        let tuner = self.manifest.pitch_dim.map(tuner).transpose()?;
        Ok(Encoder::new(session, self.encoder.name(), &self.manifest, tuner))
    }

    fn session(&self, graph: &GraphFile, provider: Provider) -> Result<Session, ModelError> {
        provider::session(self.runtime, graph, provider).map_err(|reason| ModelError::Graph {
            file: self.folder.join(graph.name()),
            reason,
        })
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("folder", &self.folder)
            .field("id", &self.id)
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}

/// The folder of the model that sounds of this tag were encoded by, among the folders in some others. One whose manifest
/// cannot be read is passed over.
pub(crate) fn folder_of(tag: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let entries = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let mut models: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // By name: what the system lists first is chance.
    models.sort();
    models.into_iter().find(|model| {
        let manifest = read_manifest(&model.join(MANIFEST_NAME)).ok();
        manifest.is_some_and(|text| Manifest::parse(&text).is_ok_and(|manifest| manifest.tag() == tag))
    })
}

fn read_manifest(file: &Path) -> Result<String, ModelError> {
    let read = |source| ModelError::Read {
        file: file.into(),
        source,
    };
    let size = std::fs::metadata(file).map_err(read)?.len();
    if size > MAX_MANIFEST_BYTES {
        return Err(ModelError::NotAManifest {
            file: file.into(),
            found: format!("{} kB", size / 1024),
        });
    }
    let bytes = std::fs::read(file).map_err(read)?;
    String::from_utf8(bytes).map_err(|_| ModelError::NotAManifest {
        file: file.into(),
        found: "no UTF-8".into(),
    })
}

/// The shipped model on the CPU, loaded once for all tests.
#[cfg(test)]
pub(crate) fn shipped() -> Arc<Model> {
    static SHIPPED: std::sync::OnceLock<Arc<Model>> = std::sync::OnceLock::new();
    let load =
        || Model::load(&tests::shipped_folder(), DeviceChoice::Cpu).unwrap_or_else(|error| panic!("{error}"));
    Arc::clone(SHIPPED.get_or_init(load))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::{Conditioning, NoteStart, Run, Snapshot};
    use std::sync::atomic::AtomicBool;

    pub(super) fn shipped_folder() -> PathBuf {
        crate::resources::Resources::find()
            .and_then(|found| found.model("spectral"))
            .unwrap_or_else(|error| panic!("{error}; `cargo xtask test` puts it in place"))
    }

    /// A copy of the shipped model whose manifest was edited.
    fn edited(edit: impl Fn(&str) -> String) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [MANIFEST_NAME, "encoder.onnx", "decoder.onnx"] {
            std::fs::copy(shipped_folder().join(name), folder.path().join(name)).unwrap();
        }
        let manifest = folder.path().join(MANIFEST_NAME);
        let text = std::fs::read_to_string(&manifest).unwrap();
        let changed = edit(&text);
        assert_ne!(changed, text);
        std::fs::write(&manifest, changed).unwrap();
        folder
    }

    fn refusal(folder: &Path) -> String {
        let message = Model::load(folder, DeviceChoice::Cpu).unwrap_err().to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }

    /// An embedding that wanders, the same for every reader.
    struct Wandering;

    impl Conditioning for Wandering {
        fn read(&self, first_frame: usize, embedding: &mut [f32], pitch: &mut [f32]) {
            let dims = embedding.len() / pitch.len();
            for (i, value) in embedding.iter_mut().enumerate() {
                let (frame, dim) = ((first_frame + i / dims) as f32, (i % dims) as f32);
                *value = 0.8 * (frame * 0.05 + dim).sin();
            }
            pitch.fill(57.0);
        }
    }

    fn begin(decoder: &dyn Decoder) -> Snapshot {
        decoder.begin(NoteStart {
            seed: 5,
            pitch: 57.0,
            temperature: 1.0,
        })
    }

    /// Renders the next runs of a note, of these lengths in chunks.
    fn render(decoder: &mut dyn Decoder, note: &mut Snapshot, runs: &[usize]) -> Vec<f32> {
        let mut rendered = Vec::new();
        for chunks in runs {
            let mut samples = vec![0.0; chunks * decoder.format().chunk_samples];
            let run = Run {
                note,
                conditioning: &Wandering,
                samples: &mut samples,
            };
            decoder.render(&mut [run], &AtomicBool::new(false)).unwrap();
            rendered.extend(samples);
        }
        rendered
    }

    fn render_from_start(decoder: &mut dyn Decoder, runs: &[usize]) -> Vec<f32> {
        let mut note = begin(decoder);
        render(decoder, &mut note, runs)
    }

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
        let trial = decoder_trial(&model.manifest, &model.states, 7);
        let mut shared = model.session(&model.decoder, Provider::Cpu).unwrap();
        let mut plain = ort::session::Session::builder(model.runtime.environment())
            .unwrap()
            .with_intra_threads(1)
            .unwrap()
            .commit_from_memory(model.decoder.bytes())
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

    #[test]
    fn a_wrong_checksum_names_file_and_field() {
        let folder = edited(|text| text.to_string() + "\n");
        std::fs::write(folder.path().join("decoder.onnx"), "changed").unwrap();
        let message = refusal(folder.path());
        assert!(
            message.contains("decoder.onnx") && message.contains("`decoder.sha256`"),
            "{message}"
        );
    }

    #[test]
    fn a_graph_of_another_shape_names_the_output_and_both_shapes() {
        let folder = edited(|text| text.replace("dims = 16", "dims = 12"));
        let message = refusal(folder.path());
        assert!(
            message.contains("encoder.onnx: output `embedding` is f32 [any, any, 16]"),
            "{message}"
        );
        assert!(message.contains("expected f32 [B, frames, 12]"), "{message}");
        let folder = edited(|text| text.replace("[0.5, ", "[").replace("slots = [0.5", "slots = ["));
        let message = refusal(folder.path());
        assert!(
            message.contains("decoder.onnx: output `amplitude_db`") && message.contains("112"),
            "{message}"
        );
    }

    #[test]
    fn an_encoder_in_the_decoders_place_is_told_apart() {
        let folder = edited(|text| {
            let encoder = text
                .split("sha256 = \"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_string();
            let decoder = text
                .split("sha256 = \"")
                .nth(2)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_string();
            text.replace(&decoder, &encoder)
                .replace("\"decoder.onnx\"", "\"encoder.onnx\"")
        });
        let message = refusal(folder.path());
        assert!(
            message.contains("input `embedding` is missing (there are: audio, pitch)"),
            "{message}"
        );
    }

    #[test]
    fn a_file_that_is_no_graph_is_refused_even_if_its_checksum_fits() {
        let garbage = b"no graph at all".repeat(100);
        let sum: String = Sha256::digest(&garbage)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let folder = edited(|text| {
            let decoder = text
                .split("sha256 = \"")
                .nth(2)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_string();
            text.replace(&decoder, &sum)
        });
        std::fs::write(folder.path().join("decoder.onnx"), garbage).unwrap();
        let message = refusal(folder.path());
        assert!(
            message.contains("decoder.onnx: the graph cannot be loaded"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_folder_manifest_or_graph_is_named() {
        assert!(refusal(Path::new("/nowhere")).contains("/nowhere/model.toml: cannot be read"));
        let folder = edited(|text| text.replace("\"encoder.onnx\"", "\"other.onnx\""));
        assert!(refusal(folder.path()).contains("other.onnx: cannot be read"));
    }

    #[test]
    fn every_provider_that_is_not_in_use_has_a_reason() {
        let model = Model::load(&shipped_folder(), DeviceChoice::Auto).unwrap();
        let report = model.providers();
        for provider in Provider::ACCELERATORS {
            let refused = report
                .refusals
                .iter()
                .find(|refusal| refusal.provider == provider);
            assert!(
                report.in_use == provider || refused.is_some_and(|r| !r.reason.is_empty()),
                "{report:?}"
            );
        }
    }
}
