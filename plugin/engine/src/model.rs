//! A model: a folder with a manifest and its graphs, loaded, checked and ready to encode and decode.
//!
//! Loading reads files and runs each graph once: background threads only. A loaded [`Model`] is shared by all
//! threads; each worker takes a [`Decoder`] of its own from it, and the weights stay one copy. What the drivers' decoders
//! are made of is in a file each.
//! A bad model is an error that names the file and field, what was found and what was expected.

mod check;
pub mod graph;
pub mod manifest;
mod partials;
mod step;
mod weights;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::session::Session;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::decoder::{Decoder, DecoderFormat};
use crate::encoder::Encoder;
use crate::runtime::provider::{self, DeviceChoice, Provider, ProviderReport};
use crate::runtime::{Runtime, RuntimeError};
use crate::tuning::Tuner;
use check::check_encoder;
use graph::GraphFile;
use manifest::{Driver, Manifest, ManifestError};
use partials::PartialsModel;
use step::StepModel;

/// The manifest's file name.
pub const MANIFEST_NAME: &str = "model.toml";
/// A manifest is never larger.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
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
    decoder: DriverModel,
    providers: ProviderReport,
    /// The session that the encoder was checked with, for whoever comes first.
    checked_encoder: Mutex<Option<Session>>,
}

/// What a model's decoders are made of, by their driver.
enum DriverModel {
    Partials(PartialsModel),
    Step(StepModel),
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
        section: String,
        /// The file's checksum.
        found: String,
        /// The manifest's.
        expected: String,
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
        let manifest = Manifest::parse(&text).map_err(|source| ModelError::Manifest { file, source })?;
        let runtime = Runtime::get()?;
        let encoder = GraphFile::read(folder, "encoder", &manifest.encoder)?.sharing_weights();
        let encoder_session = check_encoder(runtime, folder, &encoder, &manifest)?;
        let (decoder, providers) = match &manifest.driver {
            Driver::Partials(table) => {
                let (model, providers) = PartialsModel::load(runtime, folder, &manifest, table, device)?;
                (DriverModel::Partials(model), providers)
            }
            Driver::Step(table) => {
                let model = StepModel::load(runtime, folder, &manifest, table)?;
                (DriverModel::Step(model), step::providers(device))
            }
        };
        let hash = Sha256::digest(text.as_bytes());
        Ok(Arc::new(Self {
            id: ModelId(u64::from_le_bytes(std::array::from_fn(|i| hash[i]))),
            manifest,
            folder: folder.to_path_buf(),
            runtime,
            encoder,
            decoder,
            providers,
            checked_encoder: Mutex::new(Some(encoder_session)),
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
        self.manifest.format()
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
        match &self.decoder {
            DriverModel::Partials(model) => model.decoder(self),
            DriverModel::Step(model) => Ok(model.decoder(self.format())),
        }
    }

    /// An encoder. It always computes on the CPU, so that a sound does not depend on the device.
    ///
    /// # Errors
    /// If ONNX Runtime refuses another session.
    pub fn encoder(&self) -> Result<Encoder, ModelError> {
        let taken = self.checked_encoder.lock().take();
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
