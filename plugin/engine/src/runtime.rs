//! ONNX Runtime, loaded at run time and once a process.
//!
//! Any thread but the audio thread; the first call takes tens of milliseconds, so not during a plugin scan.
//! The library is opened by its absolute path (a bare name would find another plugin's, or the system's, copy),
//! its telemetry is switched off, and its environment is never torn down: tearing down races its own threads at
//! exit, and a second environment is refused. A missing or too old library is an error in words, and may
//! be tried again later.

pub mod provider;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::available_parallelism;

use ort::environment::GlobalThreadPoolOptions;
use parking_lot::Mutex;

use crate::resources::{Resources, ResourcesError};

/// ONNX Runtime in this process.
#[derive(Debug)]
pub struct Runtime {
    environment: ort::environment::Environment,
    library: PathBuf,
}

/// Why there is no ONNX Runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The library is not there.
    #[error(transparent)]
    Resources(#[from] ResourcesError),
    /// The file is there and is no library, or one for another machine.
    #[error("{}: the ONNX Runtime library could not be opened: {reason}", .library.display())]
    NotLoadable {
        /// The file.
        library: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A library older than the interface that Betwixt was built for.
    #[error("{}: ONNX Runtime {found} is too old; expected 1.{expected} or newer", .library.display())]
    TooOld {
        /// The file.
        library: PathBuf,
        /// Its version.
        found: String,
        /// The oldest minor version that will do.
        expected: u32,
    },
    /// The library opened, and did not start.
    #[error("{}: ONNX Runtime did not start: {reason}", .library.display())]
    NotStarted {
        /// The file.
        library: PathBuf,
        /// What it said.
        reason: String,
    },
}

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

impl Runtime {
    /// The runtime of this process, started if it was not yet, from the library that [`Resources`] finds.
    ///
    /// # Errors
    /// If the library is missing, unfit or too old. A later call tries again.
    pub fn get() -> Result<&'static Self, RuntimeError> {
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        Self::start(&Resources::find()?.library()?)
    }

    /// True once the library is loaded: a scan must leave this false.
    pub fn is_started() -> bool {
        RUNTIME.get().is_some()
    }

    fn start(library: &Path) -> Result<&'static Self, RuntimeError> {
        let _one_at_a_time = STARTING.lock();
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        let not_started = |reason: &str| RuntimeError::NotStarted {
            library: library.into(),
            reason: one_line(reason),
        };
        // No logger, no threads of our making, no tracing: these are shared with every other user of the same
        // library in the process, and a pointer into this plugin would outlive it.
        let environment = open(library)?
            .with_name("betwixt")
            .with_telemetry(false)
            .with_global_thread_pool(thread_pool().map_err(|error| not_started(error.message()))?)
            .build()
            .map_err(|error| not_started(error.message()))?;
        Ok(RUNTIME.get_or_init(|| Self {
            environment,
            library: library.into(),
        }))
    }

    /// The environment that sessions are built in.
    pub fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }

    /// The library in use.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The library's version, such as `1.28.0`.
    pub fn version(&self) -> Option<String> {
        // SAFETY: the library was opened by this path before and is never closed, so nothing of it runs anew, and
        // `OrtGetApiBase` has had this signature since 1.0 (onnxruntime_c_api.h). Its table and string are static.
        unsafe {
            let library = libloading::Library::new(&self.library).ok()?;
            let base: libloading::Symbol<'_, unsafe extern "C" fn() -> *const ort::sys::OrtApiBase> =
                library.get(b"OrtGetApiBase").ok()?;
            let version = (base().as_ref()?.GetVersionString)();
            Some(std::ffi::CStr::from_ptr(version).to_string_lossy().into_owned())
        }
    }
}

/// The library's own threads, for the sessions that compute on many: one pool, for sessions that run in turn would be in the
/// way of each other's waiting threads. They sleep while no such session runs.
fn thread_pool() -> Result<GlobalThreadPoolOptions, ort::Error> {
    GlobalThreadPoolOptions::default()
        .with_intra_threads(available_parallelism().map_or(1, usize::from))?
        .with_inter_threads(1)?
        .with_spin_control(true)?
        .with_flush_to_zero()
}

fn open(library: &Path) -> Result<ort::environment::EnvironmentBuilder, RuntimeError> {
    use ort::LoadDynamicError as Load;
    ort::init_from(library).map_err(|error| match error {
        Load::BadVersion { version_str, .. } => RuntimeError::TooOld {
            library: library.into(),
            found: version_str,
            expected: ort::MINOR_VERSION,
        },
        Load::Dlopen { error, .. } => RuntimeError::NotLoadable {
            library: library.into(),
            reason: one_line(&error.to_string()),
        },
        Load::MissingApi { .. } => RuntimeError::NotLoadable {
            library: library.into(),
            reason: "it exports no OrtGetApiBase, so it is another library".into(),
        },
        Load::InvalidVersionString => RuntimeError::NotLoadable {
            library: library.into(),
            reason: "it does not tell its version".into(),
        },
    })
}

/// The first line of a message that others wrote: errors here are one sentence.
pub(crate) fn one_line(message: &str) -> String {
    message
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no reason given")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> &'static Runtime {
        Runtime::get().unwrap_or_else(|error| panic!("{error}; `cargo xtask test` puts the library in place"))
    }

    #[test]
    fn the_librarys_version_is_one_that_will_do() {
        let version = started().version().unwrap();
        let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
        assert!(minor >= ort::MINOR_VERSION, "{version}");
    }

    #[test]
    fn the_runtime_is_one_for_all_who_ask() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| std::ptr::from_ref(started()) as usize))
            .collect();
        let places: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        assert!(places.iter().all(|place| *place == places[0]));
        assert!(Runtime::is_started());
    }
}
