//! A CLAP file, loaded: the entry and the one plugin in it.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clack_host::prelude::*;

use crate::instance::Instance;

/// The plugin in a loaded CLAP file. Unloaded with the last clone and instance of it.
#[derive(Clone)]
pub struct Plugin {
    entry: PluginEntry,
    id: CString,
    name: String,
    version: String,
    clap: PathBuf,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads the file and reads its first descriptor: what a scan does.
    ///
    /// # Errors
    ///
    /// If it is not a CLAP file with a plugin in it.
    pub fn load(clap: &Path) -> Result<Self> {
        // SAFETY: loading a library runs its initialisers. This one is the plugin under test, which every
        // host loads the same way; a crash here fails the test in its own process.
        let entry =
            unsafe { PluginEntry::load(clap) }.with_context(|| format!("loading {}", clap.display()))?;
        let factory = entry
            .get_plugin_factory()
            .context("the CLAP file has no plugin factory")?;
        let descriptor = factory
            .plugin_descriptors()
            .next()
            .context("the CLAP file's factory holds no plugin")?;
        let text = |text: Option<&std::ffi::CStr>| text.unwrap_or_default().to_string_lossy().into_owned();
        let id = descriptor
            .id()
            .context("the plugin's descriptor has no id")?
            .to_owned();
        let (name, version) = (text(descriptor.name()), text(descriptor.version()));
        Ok(Self {
            entry,
            id,
            name,
            version,
            clap: clap.to_path_buf(),
        })
    }

    /// Name, as a host shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Version, as the descriptor has it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The plugin's own account of its process, as JSON: the model's state, rendered notes, underruns. CLAP has no
    /// place for it, so the file exports `betwixt_status` for it.
    ///
    /// # Errors
    ///
    /// If the file exports no such function, or what it gives is not JSON.
    pub fn status(&self) -> Result<serde_json::Value> {
        type Status = unsafe extern "C" fn(*mut u8, usize) -> usize;
        // SAFETY: the file is loaded already; loading it again runs nothing.
        let library = unsafe { libloading::Library::new(&self.clap) }?;
        // SAFETY: the plugin exports the function with this signature.
        let status = unsafe { library.get::<Status>(b"betwixt_status") }
            .context("the plugin exports no betwixt_status")?;
        let mut text = vec![0; 4096];
        // SAFETY: the buffer has the capacity that is told.
        let length = unsafe { status(text.as_mut_ptr(), text.len()) };
        let text = text
            .get(..length)
            .with_context(|| format!("a status of {length} bytes"))?;
        Ok(serde_json::from_slice(text)?)
    }

    /// Makes an instance, not yet activated. The calling thread becomes its main thread.
    ///
    /// # Errors
    ///
    /// If the plugin refuses, or lacks parameters or state.
    pub fn instance(&self) -> Result<Instance> {
        Instance::new(&self.entry, &self.id)
    }
}
