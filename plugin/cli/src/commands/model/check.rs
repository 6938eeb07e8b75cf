//! `betwixt model check`: nothing but yes, or what is wrong.

use std::path::Path;

use betwixt_engine::model::Model;
use betwixt_engine::runtime::provider::DeviceChoice;

/// Loads the model, which checks all of it.
pub fn run(folder: &Path) -> anyhow::Result<()> {
    let model = Model::load(folder, DeviceChoice::Cpu)?;
    println!("{}: model {} is sound", folder.display(), model.tag());
    Ok(())
}
