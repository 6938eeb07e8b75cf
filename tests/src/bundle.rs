//! Where the built plugin lies. Every test of this crate finds it here, and the Python hosts follow
//! the same rule: the folder named by `BETWIXT_BUNDLE`, or else `target/bundled`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// File name of the ONNX Runtime library in a bundle on this system.
pub const ONNX_RUNTIME: &str = if cfg!(target_os = "windows") {
    "onnxruntime.dll"
} else if cfg!(target_os = "macos") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// The folder `cargo xtask bundle` fills: `betwixt/` (CLAP, standalone, command line and what they
/// need beside them) and `betwixt.vst3/`.
#[derive(Clone, Debug)]
pub struct Bundle {
    folder: PathBuf,
}

impl Bundle {
    /// The bundle this checkout built.
    ///
    /// # Errors
    ///
    /// If there is none; the message says which command makes one.
    pub fn built() -> Result<Self> {
        let folder = match std::env::var_os("BETWIXT_BUNDLE") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bundled"),
        };
        let bundle = Self { folder };
        if !bundle.clap().exists() {
            bail!(
                "no plugin at {}: run `cargo xtask bundle` first, or set BETWIXT_BUNDLE to a bundle's folder",
                bundle.clap().display()
            );
        }
        Ok(bundle)
    }

    /// The CLAP plugin's file.
    pub fn clap(&self) -> PathBuf {
        self.folder.join("betwixt").join("betwixt.clap")
    }

    /// The ONNX Runtime library the CLAP plugin ships with.
    pub fn onnx_runtime(&self) -> PathBuf {
        self.folder.join("betwixt").join(ONNX_RUNTIME)
    }

    /// The models the CLAP plugin ships with.
    pub fn models(&self) -> PathBuf {
        self.folder.join("betwixt").join("models")
    }

    /// The factory sounds and presets the CLAP plugin ships with.
    pub fn presets(&self) -> PathBuf {
        self.folder.join("betwixt").join("presets")
    }

    /// Copies what the CLAP plugin needs into `target`, so that a test can take a part away.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written.
    pub fn copy_to(&self, target: &Path) -> Result<Self> {
        let copy = Self {
            folder: target.to_path_buf(),
        };
        copy_folder(&self.folder.join("betwixt"), &copy.folder.join("betwixt"))?;
        Ok(copy)
    }
}

/// Copies a folder and all in it; a symbolic link becomes what it points to.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target)
                .with_context(|| format!("copying {} to {}", source.display(), target.display()))?;
        }
    }
    Ok(())
}
