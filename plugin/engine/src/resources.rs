//! Where the files are that Betwixt comes with: ONNX Runtime's library, the models, the presets.
//!
//! Only looks (no library is opened, no model read), so a plugin scan may call it; not for the audio thread.
//! Found, in this order: the folder named by the environment variable `BETWIXT_RESOURCES` and nothing else if
//! it is set; beside Betwixt's own binary (`betwixt/betwixt.clap`, the standalone, the command); in the bundle
//! around it (`betwixt.vst3/Contents/<arch>/`, with `Contents/Resources`). The binary's own place counts, not
//! the host's: a relative name would be searched beside the DAW.

use std::path::{Path, PathBuf};

/// The environment variable that names the folder to take everything from.
pub const RESOURCES_VARIABLE: &str = "BETWIXT_RESOURCES";

/// The file name of ONNX Runtime's library in a bundle.
pub const LIBRARY_NAME: &str = if cfg!(target_os = "windows") {
    "onnxruntime.dll"
} else if cfg!(target_os = "macos") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// The folders that may hold Betwixt's own files, all absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    folders: Vec<PathBuf>,
}

/// What is not where it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourcesError {
    /// A file or folder is in none of the places it may be in.
    #[error("{what} was not found: expected {name} in {}", list(.searched))]
    Missing {
        /// What it is to the user.
        what: &'static str,
        /// Its file name.
        name: String,
        /// The folders that were searched.
        searched: Vec<PathBuf>,
    },
    /// The system does not tell where the binary lies.
    #[error(
        "Betwixt cannot tell where its own binary lies, so it cannot find its files: set {RESOURCES_VARIABLE}"
    )]
    OwnPlaceUnknown,
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
    folders.join(" or ")
}

impl Resources {
    /// The places for this process's copy of Betwixt.
    ///
    /// # Errors
    /// If the variable is not set and the system does not tell where the binary lies.
    pub fn find() -> Result<Self, ResourcesError> {
        match std::env::var_os(RESOURCES_VARIABLE) {
            Some(folder) if !folder.is_empty() => Ok(Self::in_folder(Path::new(&folder))),
            _ => own_binary()
                .map(|binary| Self::around_binary(&binary))
                .ok_or(ResourcesError::OwnPlaceUnknown),
        }
    }

    /// Everything in one folder.
    pub fn in_folder(folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        Self {
            folders: vec![folder],
        }
    }

    /// The places that belong to a binary: beside it, and in the bundle around it.
    pub fn around_binary(binary: &Path) -> Self {
        let beside = binary.parent().unwrap_or(Path::new("/")).to_path_buf();
        let mut folders = vec![beside.clone()];
        if let Some(contents) = beside.parent().filter(|p| p.ends_with("Contents")) {
            folders.push(contents.join("Resources"));
            folders.push(contents.join("Frameworks"));
        }
        Self { folders }
    }

    /// ONNX Runtime's library, as an absolute path.
    ///
    /// # Errors
    /// If no folder holds it.
    pub fn library(&self) -> Result<PathBuf, ResourcesError> {
        self.entry(LIBRARY_NAME, "the ONNX Runtime library", Path::is_file)
    }

    /// The folder of the models.
    ///
    /// # Errors
    /// If no folder holds it.
    pub fn models(&self) -> Result<PathBuf, ResourcesError> {
        self.entry("models", "the folder of models", Path::is_dir)
    }

    /// The folder of one model, by its name.
    ///
    /// # Errors
    /// If no folder of models holds it.
    pub fn model(&self, name: &str) -> Result<PathBuf, ResourcesError> {
        self.entry(&format!("models/{name}"), "the model", |p| {
            p.join("model.toml").is_file()
        })
    }

    /// The folder of factory sounds and presets.
    ///
    /// # Errors
    /// If no folder holds it.
    pub fn presets(&self) -> Result<PathBuf, ResourcesError> {
        self.entry("presets", "the folder of factory presets", Path::is_dir)
    }

    fn entry(
        &self,
        name: &str,
        what: &'static str,
        is_it: impl Fn(&Path) -> bool,
    ) -> Result<PathBuf, ResourcesError> {
        self.folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| is_it(path))
            .ok_or_else(|| ResourcesError::Missing {
                what,
                name: name.to_string(),
                searched: self.folders.clone(),
            })
    }
}

/// The binary that this code was linked into: the plugin's library inside a host, the program otherwise.
pub(crate) fn own_binary() -> Option<PathBuf> {
    let path = process_path::get_dylib_path()
        .filter(|path| path.is_absolute())
        .or_else(process_path::get_executable_path)?;
    Some(path.canonicalize().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn everything_is_found_beside_a_clap() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("betwixt");
        touch(&root.join(LIBRARY_NAME));
        touch(&root.join("models/spectral/model.toml"));
        touch(&root.join("presets/a.toml"));
        let found = Resources::around_binary(&root.join("betwixt.clap"));
        assert_eq!(found.library().unwrap(), root.join(LIBRARY_NAME));
        assert_eq!(found.model("spectral").unwrap(), root.join("models/spectral"));
        assert_eq!(found.presets().unwrap(), root.join("presets"));
    }

    #[test]
    fn a_vst3_bundle_has_its_library_beside_the_binary_and_models_in_resources() {
        let root = tempfile::tempdir().unwrap();
        let contents = root.path().join("betwixt.vst3/Contents");
        touch(&contents.join("x86_64-linux").join(LIBRARY_NAME));
        touch(&contents.join("Resources/models/spectral/model.toml"));
        let found = Resources::around_binary(&contents.join("x86_64-linux/betwixt.so"));
        assert_eq!(
            found.library().unwrap(),
            contents.join("x86_64-linux").join(LIBRARY_NAME)
        );
        assert_eq!(found.models().unwrap(), contents.join("Resources/models"));
    }

    #[test]
    fn what_is_missing_is_named_with_the_places_searched() {
        let empty = tempfile::tempdir().unwrap();
        let message = Resources::in_folder(empty.path())
            .library()
            .unwrap_err()
            .to_string();
        assert!(message.contains("ONNX Runtime"), "{message}");
        assert!(message.contains(LIBRARY_NAME), "{message}");
        assert!(message.contains(&empty.path().display().to_string()), "{message}");
    }

    #[test]
    fn the_own_binary_is_an_absolute_file() {
        let binary = own_binary().unwrap();
        assert!(binary.is_absolute() && binary.is_file(), "{}", binary.display());
    }
}
