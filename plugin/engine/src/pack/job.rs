//! The making of a pack in the background: threads, progress, calling off, and going on where an earlier run stopped.
//!
//! See [`crate::pack`] for who may call what. Samples are rendered in the order of the plan; each is written whole before the
//! next is begun by the same thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;

use crate::engine::load_model;
use crate::loaded_model::LoadedModel;
use crate::pace::Pace;
use crate::pack::error::PackError;
use crate::pack::finish::{write_licence, write_mappings};
use crate::pack::folder::PackFolder;
use crate::pack::options::{PackOptions, Shard};
use crate::pack::plan::{Plan, PlannedSample};
use crate::pack::recipe::Recipe;
use crate::pack::render::{SampleError, SampleRenderer};
use crate::patch::Patch;
use crate::preset::Preset;
use crate::runtime::provider::DeviceChoice;

/// What is to be made.
#[derive(Debug, Clone)]
pub struct PackOrder {
    /// How it plays.
    pub preset: Preset,
    /// The sounds of its corners.
    pub patch: Patch,
    /// The pack.
    pub options: PackOptions,
    /// Which part of it.
    pub shard: Shard,
    /// The folder that it becomes; not there, empty, or this very pack.
    pub output: PathBuf,
    /// Folder of the model; none for the shipped one.
    pub model: Option<PathBuf>,
    /// Threads that render, at least 1.
    pub threads: usize,
}

/// What a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackStage {
    /// Loading the model.
    Loading,
    /// Rendering samples.
    Rendering,
    /// Writing what goes around them.
    Finishing,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PackProgress {
    /// What it is at.
    pub stage: PackStage,
    /// Samples that are there.
    pub finished: usize,
    /// Samples that will be; 0 while loading.
    pub total: usize,
    /// Seconds to go, by what the samples took so far; none before the first.
    pub seconds_left: Option<f64>,
    /// Whether it has come to its end, good or bad: [`PackJob::join`] will not wait.
    pub is_over: bool,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct PackReport {
    /// The pack.
    pub folder: PathBuf,
    /// Samples in it.
    pub samples: usize,
    /// Samples that were there from an earlier run.
    pub resumed: usize,
    /// Seconds that it took.
    pub wall_seconds: f64,
}

/// What the threads of a job share.
#[derive(Debug)]
struct Shared {
    cancel: AtomicBool,
    stage: AtomicUsize,
    finished: AtomicUsize,
    resumed: AtomicUsize,
    total: AtomicUsize,
    /// When the first sample was begun.
    began: Mutex<Option<Instant>>,
}

/// A pack in the making.
#[derive(Debug)]
pub struct PackJob {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<PackReport, PackError>>>,
}

impl PackJob {
    /// Begins to make a pack.
    ///
    /// # Errors
    /// If the options make no sense, or the system gives no thread. All else is told by [`PackJob::join`].
    pub fn start(order: PackOrder) -> Result<Self, PackError> {
        order.options.check()?;
        let shared = Arc::new(Shared {
            cancel: AtomicBool::new(false),
            stage: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
            began: Mutex::new(None),
        });
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("betwixt-pack".into())
            .spawn(move || make(&order, &its))
            .map_err(|error| PackError::Render(format!("no thread for the pack: {error}")))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// How far it is.
    pub fn progress(&self) -> PackProgress {
        let shared = &self.shared;
        let finished = shared.finished.load(Ordering::Relaxed);
        let total = shared.total.load(Ordering::Relaxed);
        let rendered = finished.saturating_sub(shared.resumed.load(Ordering::Relaxed));
        let elapsed = shared.began.lock().map(|began| began.elapsed().as_secs_f64());
        let seconds_left = elapsed
            .filter(|_| rendered > 0)
            .map(|elapsed| elapsed / rendered as f64 * total.saturating_sub(finished) as f64);
        PackProgress {
            stage: match shared.stage.load(Ordering::Relaxed) {
                0 => PackStage::Loading,
                1 => PackStage::Rendering,
                _ => PackStage::Finishing,
            },
            finished,
            total,
            seconds_left,
            is_over: self.thread.as_ref().is_none_or(JoinHandle::is_finished),
        }
    }

    /// Calls it off: within a chunk or two it ends with [`PackError::Cancelled`]. What was finished is kept.
    pub fn cancel(&self) {
        self.shared.cancel.store(true, Ordering::Relaxed);
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Why there is no pack.
    pub fn join(mut self) -> Result<PackReport, PackError> {
        let thread = self.thread.take();
        let outcome = thread.map(JoinHandle::join);
        outcome
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(PackError::Render("the rendering of the pack panicked".into())))
    }
}

impl Drop for PackJob {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.cancel();
            // It panicked if this fails, and the panic hook has told.
            let _ = thread.join();
        }
    }
}

/// Makes a pack. On the job's thread.
fn make(order: &PackOrder, shared: &Shared) -> Result<PackReport, PackError> {
    let began = Instant::now();
    // The same samples on every machine of a studio, whatever cards are in them.
    let tag = order
        .patch
        .corners()
        .iter()
        .flatten()
        .next()
        .map(|sound| &*sound.model);
    let model = load_model(
        order.model.clone(),
        tag,
        DeviceChoice::Cpu,
        Some(Pace::Live),
        &shared.cancel,
    )
    .map_err(PackError::Render)?;
    order.patch.check_model(&model.tag).map_err(PackError::Render)?;
    for key in order.options.keys.all() {
        model.check_pitch(&order.patch, key).map_err(PackError::Render)?;
    }
    let recipe = Recipe::new(
        model.tag.clone(),
        order.options.clone(),
        order.preset.clone(),
        &order.patch,
    );
    let plan = Plan::new(&recipe)?;
    let samples: Vec<&PlannedSample> = plan
        .samples
        .iter()
        .enumerate()
        .filter(|(index, _)| order.shard.holds(*index))
        .map(|(_, sample)| sample)
        .collect();
    shared.total.store(samples.len(), Ordering::Relaxed);
    let report = |folder: &Path, resumed| PackReport {
        folder: folder.into(),
        samples: samples.len(),
        resumed,
        wall_seconds: began.elapsed().as_secs_f64(),
    };
    let Some(folder) = PackFolder::open(&order.output, &recipe, order.shard)? else {
        shared.finished.store(samples.len(), Ordering::Relaxed);
        return Ok(report(&order.output, samples.len()));
    };
    let missing: Vec<&PlannedSample> = samples
        .iter()
        .copied()
        .filter(|sample| !folder.has(&sample.name))
        .collect();
    let resumed = samples.len() - missing.len();
    shared.resumed.store(resumed, Ordering::Relaxed);
    shared.finished.store(resumed, Ordering::Relaxed);
    shared.stage.store(1, Ordering::Relaxed);
    *shared.began.lock() = Some(Instant::now());
    let rendered = render_all(order, &model, &recipe, &folder, &missing, shared);
    let finished = rendered.and_then(|()| {
        shared.stage.store(2, Ordering::Relaxed);
        if order.shard == Shard::WHOLE {
            write_mappings(&folder, &recipe, &plan)
        } else {
            write_licence(&folder, &recipe)
        }
    });
    if let Err(error) = finished {
        folder.abandon();
        return Err(error);
    }
    Ok(report(&folder.finish()?, resumed))
}

/// Renders samples on as many threads as were asked for; the first failure stops them all.
fn render_all(
    order: &PackOrder,
    model: &LoadedModel,
    recipe: &Recipe,
    folder: &PackFolder,
    samples: &[&PlannedSample],
    shared: &Shared,
) -> Result<(), PackError> {
    let renderer = SampleRenderer {
        model,
        patch: &order.patch,
        settings: recipe.settings(),
        options: &recipe.options,
    };
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<PackError>> = Mutex::new(None);
    let is_stopped = AtomicBool::new(false);
    let fail = |error| {
        failure.lock().get_or_insert(error);
        is_stopped.store(true, Ordering::Relaxed);
    };
    let work = || {
        let mut decoder = match model.source.decoder() {
            Ok(decoder) => decoder,
            Err(reason) => return fail(PackError::Render(reason)),
        };
        while !is_stopped.load(Ordering::Relaxed) {
            let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            match renderer.render(sample, decoder.as_mut(), &shared.cancel) {
                Ok(bytes) => {
                    if let Err(error) = folder.put_sample(&sample.name, &bytes) {
                        return fail(error);
                    }
                    shared.finished.fetch_add(1, Ordering::Relaxed);
                }
                Err(SampleError::Cancelled) => {
                    return fail(PackError::Cancelled {
                        folder: folder.partial().into(),
                    });
                }
                Err(SampleError::Failed(reason)) => {
                    return fail(PackError::Render(format!("{}: {reason}", sample.name)));
                }
            }
        }
    };
    let threads = order.threads.clamp(1, samples.len().max(1));
    std::thread::scope(|scope| {
        for index in 1..threads {
            let thread = std::thread::Builder::new().name(format!("betwixt-pack-{index}"));
            // With fewer threads it takes longer, and is the same.
            let _ = thread.spawn_scoped(scope, work);
        }
        work();
    });
    failure.into_inner().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::pack::options::PackFormat;

    fn order(output: PathBuf) -> PackOrder {
        let library = Library::find();
        let told = "`cargo xtask setup` puts presets and the model in place";
        let preset = library.preset("far_valley").expect(told);
        PackOrder {
            patch: library.patch(&preset.corners).expect(told),
            preset,
            options: PackOptions {
                seconds: 0.5,
                ..PackOptions::of(PackFormat::Wav)
            },
            shard: Shard::WHOLE,
            output,
            model: None,
            threads: 2,
        }
    }

    #[test]
    fn a_job_tells_how_far_it_is_and_goes_on_after_it_was_called_off() {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("out");
        let job = PackJob::start(order(output.clone())).unwrap();
        let seen = loop {
            let progress = job.progress();
            if progress.finished > 0 {
                break progress;
            }
            assert!(!progress.is_over, "{progress:?}");
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        assert!(seen.stage != PackStage::Loading && seen.total == 21, "{seen:?}");
        assert!(job.progress().seconds_left.is_some_and(|left| left >= 0.0));
        job.cancel();
        match job.join() {
            Err(PackError::Cancelled { folder }) => assert!(folder.is_dir() && !output.exists()),
            // It had only a handful left.
            other => assert_eq!(other.unwrap().samples, 21),
        }
        let report = PackJob::start(order(output.clone())).unwrap().join().unwrap();
        assert!(report.samples == 21 && report.resumed > 0, "{report:?}");
        assert_eq!(std::fs::read_dir(output.join("samples")).unwrap().count(), 21);
    }

    #[test]
    fn a_model_that_is_not_there_is_told_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let job = PackJob::start(PackOrder {
            model: Some(place.path().join("nowhere")),
            ..order(place.path().join("out"))
        });
        let error = job.unwrap().join().unwrap_err().to_string();
        assert!(error.contains("nowhere"), "{error}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
