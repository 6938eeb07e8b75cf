//! Notes of factory sounds through the shipped model, by as many decoders as there are cores.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use betwixt_engine::decoder::Decoder;
use betwixt_engine::engine::DEFAULT_MODEL;
use betwixt_engine::model::Model;
use betwixt_engine::note_render::{BlendedNote, NoteRender};
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::Sound;

/// The rate of what is rendered.
pub const RATE_HZ: u32 = 48_000;

/// The folder of the factory's presets, of this checkout.
pub fn factory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets")
}

pub fn model() -> Arc<Model> {
    let folder = Resources::find()
        .and_then(|found| found.model(DEFAULT_MODEL))
        .unwrap_or_else(|error| panic!("{error}; `cargo xtask test` puts it in place"));
    Model::load(&folder, DeviceChoice::Cpu).unwrap()
}

/// So much of a sound's note, held; shorter if it ends by itself.
pub fn note(model: &Model, decoder: &mut dyn Decoder, sound: &Sound, pitch: f32, seconds: f64) -> Vec<f32> {
    let corners = [Some(Arc::new(sound.clone())), None, None, None];
    let manifest = model.manifest();
    let frames = model.frames_per_embedding_frame();
    let note = BlendedNote::new(&corners, [1.0, 0.0, 0.0, 0.0], pitch, manifest.dims, frames)
        .expect("it is a sound of the model's")
        .with_measured_dims(manifest.pitch_dim, manifest.level_dim);
    let mut note = NoteRender::new(note, 1, model.format());
    let length = (seconds * f64::from(RATE_HZ)) as usize;
    let mut samples = Vec::new();
    while samples.len() < length && !note.is_done() {
        samples.extend(note.next_run(decoder, &AtomicBool::new(false)).unwrap());
    }
    samples.truncate(length);
    samples
}

/// What `check` says of each item, those with nothing to say left out. Items are shared among decoders of their own.
pub fn complaints<T: Sync>(
    model: &Arc<Model>,
    items: &[T],
    check: impl Fn(&T, &mut dyn Decoder) -> Vec<String> + Sync,
) -> Vec<String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut decoder = model.decoder().unwrap();
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let complaints = check(item, decoder.as_mut());
                    found.lock().unwrap().extend(complaints);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    found
}
