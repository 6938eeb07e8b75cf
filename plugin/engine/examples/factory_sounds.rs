//! Encodes a folder of recordings into the factory sounds of `presets/sounds`.
//!
//! ```text
//! cargo run --release -p betwixt-engine --example factory_sounds -- RECORDINGS presets/sounds [MODEL]
//! ```
//!
//! `RECORDINGS/recordings.json` lists the recordings with what is known of them: `file`, `name`, `family`, `tags`,
//! `pitch`, `licence`, `source`. `MODEL` is a model's folder, the shipped model's unless given. The same recordings and
//! model give the same bytes. To be run again whenever the model's encoder changes: an embedding means
//! nothing to another.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use betwixt_engine::encode::{Hints, Label, encode_file};
use betwixt_engine::engine::DEFAULT_MODEL;
use betwixt_engine::model::Model;
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;
use serde::Deserialize;

/// What is known of a recording.
#[derive(Debug, Deserialize)]
struct Recording {
    file: String,
    name: String,
    family: String,
    tags: Vec<String>,
    pitch: f32,
    licence: String,
    source: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (recordings, sounds, model) = match arguments.as_slice() {
        [recordings, sounds] => (recordings, sounds, Resources::find()?.model(DEFAULT_MODEL)?),
        [recordings, sounds, model] => (recordings, sounds, model.clone()),
        _ => return Err("expected: RECORDINGS SOUNDS [MODEL]".into()),
    };
    let list: Vec<Recording> = serde_json::from_slice(&std::fs::read(recordings.join("recordings.json"))?)?;
    let model = Model::load(&model, DeviceChoice::Cpu)?;
    let mut encoder = model.encoder()?;
    std::fs::create_dir_all(sounds)?;
    for recording in list {
        let file = recordings.join(&recording.file);
        let label = Label {
            name: recording.name,
            family: recording.family,
            tags: recording.tags,
            licence: recording.licence,
            source: recording.source,
        };
        let cancel = AtomicBool::new(false);
        let encoded = encode_file(
            &mut encoder,
            &model.tag(),
            &file,
            Hints::of_pitch(Some(recording.pitch)),
            label,
            &mut |_| {},
            &cancel,
        )?;
        let sound = sounds.join(Path::new(&recording.file).with_extension("sound"));
        encoded.sound.write(&sound)?;
        println!(
            "{}: {:.2} s, {}",
            sound.display(),
            encoded.seconds,
            if encoded.sound.loop_region.is_some() {
                "looped"
            } else {
                "ends by itself"
            }
        );
    }
    Ok(())
}
