//! A model as an argument: a folder, or the shipped model where none is given.

use std::path::{Path, PathBuf};

use betwixt_engine::engine::DEFAULT_MODEL;
use betwixt_engine::resources::{Resources, ResourcesError};

/// The folder of the model that is meant.
///
/// # Errors
/// If none was given and the shipped one is not there.
pub fn folder(given: Option<&Path>) -> Result<PathBuf, ResourcesError> {
    match given {
        Some(folder) => Ok(folder.to_path_buf()),
        None => Resources::find()?.model(DEFAULT_MODEL),
    }
}
