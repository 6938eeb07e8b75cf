//! An import in the background: threads, progress, calling off, and the report.
//!
//! One thread looks for the recordings and loads the model, then it and others [encode](super::work).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;

use super::shelf::Shelf;
use super::walk::Walk;
use super::work::encode_sources;
use super::{ImportError, ImportOrder, ImportReport};
use crate::engine::DEFAULT_MODEL;
use crate::model::Model;
use crate::resources::Resources;
use crate::runtime::provider::DeviceChoice;

/// What an import is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportStage {
    /// Looking for recordings.
    Looking,
    /// Loading the model.
    Loading,
    /// Encoding.
    Encoding,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportProgress {
    /// What it is at.
    pub stage: ImportStage,
    /// Recordings that are done with, for good or bad.
    pub done: usize,
    /// Recordings in all; 0 while looking.
    pub total: usize,
    /// Those that made no sound.
    pub failed: usize,
    /// The file that was begun last; empty before the first.
    pub current: String,
    /// Seconds to go, by what recordings took so far; none before the first is encoded.
    pub seconds_left: Option<f64>,
    /// Whether it has come to its end, good or bad: [`ImportJob::join`] will not wait.
    pub is_over: bool,
}

/// What the threads of a job share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub cancel: AtomicBool,
    stage: AtomicUsize,
    total: AtomicUsize,
    pub done: AtomicUsize,
    pub failed: AtomicUsize,
    /// Recordings that were encoded, rather than found to be there.
    pub encoded: AtomicUsize,
    /// The file that was begun last.
    pub current: Mutex<String>,
    /// When the first recording was begun.
    began: Mutex<Option<Instant>>,
}

/// An import under way.
#[derive(Debug)]
pub struct ImportJob {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<ImportReport, ImportError>>>,
}

impl ImportJob {
    /// Begins an import.
    ///
    /// # Errors
    /// If a hint makes no sense, or the system gives no thread. All else is told by [`ImportJob::join`].
    pub fn start(order: ImportOrder) -> Result<Self, ImportError> {
        order
            .hints
            .check()
            .map_err(|error| ImportError::Begin(error.to_string()))?;
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("betwixt-import".into())
            .spawn(move || import(&order, &its))
            .map_err(|error| ImportError::Begin(format!("no thread for the import: {error}")))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// How far it is.
    pub fn progress(&self) -> ImportProgress {
        let shared = &self.shared;
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let (done, total, encoded) = (count(&shared.done), count(&shared.total), count(&shared.encoded));
        let elapsed = shared.began.lock().map(|began| began.elapsed().as_secs_f64());
        ImportProgress {
            stage: match count(&shared.stage) {
                0 => ImportStage::Looking,
                1 => ImportStage::Loading,
                _ => ImportStage::Encoding,
            },
            done,
            total,
            failed: count(&shared.failed),
            current: shared.current.lock().clone(),
            seconds_left: elapsed
                .filter(|_| encoded > 0)
                .map(|elapsed| elapsed / encoded as f64 * total.saturating_sub(done) as f64),
            is_over: self.thread.as_ref().is_none_or(JoinHandle::is_finished),
        }
    }

    /// Calls it off: it ends within a stage of a recording. What is finished is kept.
    pub fn cancel(&self) {
        self.shared.cancel.store(true, Ordering::Relaxed);
    }

    /// Waits for its end. An import that was called off, or of which recordings failed, has a report too.
    ///
    /// # Errors
    /// Why it could not begin, or not go on.
    pub fn join(mut self) -> Result<ImportReport, ImportError> {
        let outcome = self.thread.take().map(JoinHandle::join);
        outcome
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(ImportError::Begin("the import panicked".into())))
    }
}

impl Drop for ImportJob {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.cancel();
            // It panicked if this fails, and the panic hook has told.
            let _ = thread.join();
        }
    }
}

/// Imports. On the job's thread.
fn import(order: &ImportOrder, shared: &Shared) -> Result<ImportReport, ImportError> {
    let began = Instant::now();
    let Walk {
        sources,
        mut failures,
        mut remarks,
    } = Walk::through(&order.sources, &shared.cancel);
    shared.total.store(sources.len(), Ordering::Relaxed);
    let is_cancelled = || shared.cancel.load(Ordering::Relaxed);
    if sources.is_empty() && failures.is_empty() && !is_cancelled() {
        let named: Vec<String> = order
            .sources
            .iter()
            .map(|source| source.display().to_string())
            .collect();
        return Err(ImportError::Nothing {
            found: named.join(", "),
        });
    }
    shared.stage.store(1, Ordering::Relaxed);
    let shelf = Shelf::open(&order.output).map_err(|source| ImportError::Write {
        file: order.output.clone(),
        source,
        finished: 0,
    })?;
    let model = load(order.model.as_deref())?;
    shared.stage.store(2, Ordering::Relaxed);
    *shared.began.lock() = Some(Instant::now());
    let (outcomes, left_out) = encode_sources(order, shared, &model, shelf, &sources)?;
    remarks.extend(left_out);
    let was_cancelled = is_cancelled() && outcomes.contains(&None);
    let mut sounds = Vec::new();
    for outcome in outcomes.into_iter().flatten() {
        match outcome {
            Ok(sound) => sounds.push(sound),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(ImportReport {
        sounds,
        failures,
        remarks,
        was_cancelled,
        wall_seconds: began.elapsed().as_secs_f64(),
    })
}

fn load(folder: Option<&Path>) -> Result<Arc<Model>, ImportError> {
    let begin = |error: &dyn std::fmt::Display| ImportError::Begin(error.to_string());
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => Resources::find()
            .and_then(|resources| resources.model(DEFAULT_MODEL))
            .map_err(|error| begin(&error))?,
    };
    Model::load(&folder, DeviceChoice::Cpu).map_err(|error| begin(&error))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::encode::Hints;
    use crate::sound::Sound;

    fn tone(file: &Path, hz: f64, seconds: f64) {
        let samples: Vec<f32> = (0..(48_000.0 * seconds) as usize)
            .map(|n| {
                let t = n as f64 / 48_000.0;
                let swell = (t / 0.01).min(1.0) * ((seconds - t) / 0.05).clamp(0.0, 1.0);
                let partials: f64 = (1..6)
                    .map(|k| (std::f64::consts::TAU * hz * f64::from(k) * t).sin() / f64::from(k))
                    .sum();
                (0.2 * swell * partials) as f32
            })
            .collect();
        crate::wav::write_mono(file, 48_000, &samples).unwrap();
    }

    /// A folder `in` of three tones and two bad files.
    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let recordings = root.path().join("in");
        std::fs::create_dir_all(recordings.join("more")).unwrap();
        tone(&recordings.join("a.wav"), 220.0, 0.4);
        tone(&recordings.join("more/a.wav"), 330.0, 0.4);
        tone(&recordings.join("c.wav"), 440.0, 0.4);
        std::fs::write(recordings.join("b.wav"), "a letter").unwrap();
        std::fs::write(recordings.join("d.flac"), "").unwrap();
        root
    }

    fn order(root: &Path) -> ImportOrder {
        ImportOrder {
            threads: 2,
            ..ImportOrder::of(vec![root.join("in")], root.join("out"))
        }
    }

    fn run(order: ImportOrder) -> ImportReport {
        ImportJob::start(order).unwrap().join().unwrap()
    }

    fn sound_names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".sound"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_becomes_sounds_and_its_bad_files_are_told_of() {
        let root = folder();
        let report = run(order(root.path()));
        assert_eq!(
            sound_names(&root.path().join("out")),
            ["a 2.sound", "a.sound", "c.sound"]
        );
        let pitches: Vec<f32> = report.sounds.iter().map(|sound| sound.pitch.round()).collect();
        assert_eq!(pitches, [57.0, 69.0, 64.0]);
        assert!(
            report
                .sounds
                .iter()
                .all(|sound| sound.confidence > Some(0.8) && !sound.was_there)
        );
        let reasons: Vec<&str> = report.failures.iter().map(|failure| &*failure.reason).collect();
        assert!(
            reasons.len() == 2
                && reasons[0].contains("b.wav: is no audio file")
                && reasons[1].contains("d.flac: has no bytes"),
            "{reasons:?}"
        );
        assert!(!report.was_cancelled);
    }

    #[test]
    fn what_is_there_is_not_done_again_and_what_was_deleted_is() {
        let root = folder();
        let out = root.path().join("out");
        let first = run(order(root.path()));
        let written = |name: &str| out.join(name).metadata().unwrap().modified().unwrap();
        let before = written("a.sound");
        std::fs::remove_file(out.join("c.sound")).unwrap();
        let second = run(order(root.path()));
        let there: Vec<bool> = second.sounds.iter().map(|sound| sound.was_there).collect();
        assert_eq!(there, [true, false, true]);
        assert_eq!(written("a.sound"), before);
        let files = |report: &ImportReport| -> Vec<PathBuf> {
            report.sounds.iter().map(|sound| sound.file.clone()).collect()
        };
        assert_eq!(files(&first), files(&second));
        // Without the journal all is encoded again, and found to be there.
        std::fs::remove_file(out.join(super::super::journal::JOURNAL_NAME)).unwrap();
        let third = run(order(root.path()));
        assert_eq!(files(&first), files(&third));
        assert_eq!(sound_names(&out).len(), 3);
        assert_eq!(written("a.sound"), before);
    }

    #[test]
    fn a_sound_that_the_user_changed_is_left_and_another_pitch_makes_another_sound() {
        let root = folder();
        let out = root.path().join("out");
        run(order(root.path()));
        let mut mine = Sound::read(&out.join("c.sound")).unwrap();
        mine.tags.push("mine".into());
        mine.write(&out.join("c.sound")).unwrap();
        assert!(run(order(root.path())).sounds.iter().all(|sound| sound.was_there));
        let mut again = ImportOrder::of(vec![root.path().join("in/c.wav")], out.clone());
        again.hints = Hints::of_pitch(Some(57.0));
        let report = run(again);
        assert_eq!(report.sounds[0].file, out.join("c 2.sound"));
        assert_eq!(
            (report.sounds[0].pitch, report.sounds[0].confidence),
            (57.0, None)
        );
        assert_eq!(Sound::read(&out.join("c.sound")).unwrap(), mine);
    }

    #[test]
    fn one_recording_may_be_given_a_name() {
        let root = folder();
        let mut order = ImportOrder::of(vec![root.path().join("in/c.wav")], root.path().join("out"));
        order.label.name = "Glass: high".into();
        let report = run(order);
        assert!(report.sounds[0].file.ends_with("Glass_ high.sound"), "{report:?}");
        assert_eq!(Sound::read(&report.sounds[0].file).unwrap().name, "Glass: high");
    }

    #[test]
    fn an_import_tells_how_far_it_is_and_goes_on_after_it_was_called_off() {
        let root = tempfile::tempdir().unwrap();
        let recordings = root.path().join("in");
        std::fs::create_dir(&recordings).unwrap();
        for n in 0..12 {
            tone(
                &recordings.join(format!("{n}.wav")),
                200.0 + 20.0 * f64::from(n),
                1.0,
            );
        }
        let order = ImportOrder::of(vec![recordings], root.path().join("out"));
        let job = ImportJob::start(order.clone()).unwrap();
        let seen = loop {
            let progress = job.progress();
            if progress.done > 0 {
                break progress;
            }
            assert!(!progress.is_over, "{progress:?}");
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        assert!(
            seen.stage == ImportStage::Encoding && seen.total == 12,
            "{seen:?}"
        );
        assert!(
            seen.current.ends_with(".wav") && seen.seconds_left.is_some(),
            "{seen:?}"
        );
        job.cancel();
        let report = job.join().unwrap();
        assert!(
            report.was_cancelled && report.sounds.len() < 12,
            "{}",
            report.sounds.len()
        );
        let rest = run(order);
        let there = rest.sounds.iter().filter(|sound| sound.was_there).count();
        assert_eq!((rest.sounds.len(), there), (12, report.sounds.len()));
    }

    #[test]
    fn what_cannot_begin_is_told_in_a_sentence() {
        let root = folder();
        let told = |order: ImportOrder| {
            let started = ImportJob::start(order);
            let error = started.map_or_else(|error| error, |job| job.join().unwrap_err());
            error.to_string()
        };
        std::fs::create_dir(root.path().join("empty")).unwrap();
        let empty = ImportOrder::of(vec![root.path().join("empty")], root.path().join("out"));
        assert!(told(empty).contains("empty: holds no recording; expected WAV"));
        let nowhere = ImportOrder::of(vec![root.path().join("in")], root.path().join("in/b.wav/out"));
        assert!(told(nowhere).contains("cannot be written"));
        let no_model = ImportOrder {
            model: Some(root.path().join("nowhere")),
            ..order(root.path())
        };
        assert!(told(no_model).contains("nowhere"));
        let mut senseless = order(root.path());
        senseless.hints = Hints::of_pitch(Some(-3.0));
        assert!(told(senseless).contains("0 to 127"));
    }

    #[test]
    fn a_file_that_is_not_there_is_a_failure_of_that_file() {
        let root = folder();
        let sources = vec![root.path().join("none.wav"), root.path().join("in/c.wav")];
        let report = run(ImportOrder::of(sources, root.path().join("out")));
        assert_eq!((report.sounds.len(), report.failures.len()), (1, 1));
        assert!(
            report.failures[0].reason.contains("none.wav: cannot be read"),
            "{report:?}"
        );
    }
}
