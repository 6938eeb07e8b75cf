//! The recordings of an instance that are becoming sounds, each for a corner. Librarian's and window's thread; the work itself
//! runs on threads of its own and goes on while no window is open.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use betwixt_engine::encode::{Hints, PitchHint};
use betwixt_engine::import::{
    ImportError, ImportJob, ImportOrder, ImportProgress, ImportReport, ImportStage, ImportedSound,
};

/// How far the import for a corner is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportView {
    /// What is being done, to what.
    pub text: String,
    /// The part that is done, 0..1; none where that is not known.
    pub part: Option<f32>,
}

/// Where a sound came from, as long as the instance lives: its pitch can be corrected by encoding it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The file that it was encoded from.
    pub source: PathBuf,
    /// How sure the pitch is, 0..1; none if it was given, or there is none.
    pub confidence: Option<f32>,
}

#[derive(Debug)]
struct Running {
    /// None once it is called off.
    corner: Option<usize>,
    name: String,
    job: ImportJob,
}

/// What is being imported, and what was.
#[derive(Debug, Default)]
pub struct ImportBench {
    running: Vec<Running>,
    /// By the names of the sounds.
    recordings: HashMap<String, Recording>,
}

impl ImportBench {
    /// Begins to make sounds of recordings, for a corner; what was being made for it is called off.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        &mut self,
        corner: usize,
        sources: Vec<PathBuf>,
        output: PathBuf,
        pitch: PitchHint,
    ) -> Result<(), ImportError> {
        let name = sources.first().map(|file| file_name(file)).unwrap_or_default();
        let order = ImportOrder {
            hints: Hints {
                pitch,
                ..Default::default()
            },
            ..ImportOrder::of(sources, output)
        };
        let job = ImportJob::start(order)?;
        self.cancel(corner);
        self.running.push(Running {
            corner: Some(corner),
            name,
            job,
        });
        Ok(())
    }

    /// Calls off what is being made for a corner. Its sound stays as it is.
    pub fn cancel(&mut self, corner: usize) {
        for running in &mut self.running {
            if running.corner == Some(corner) {
                running.job.cancel();
                running.corner = None;
            }
        }
    }

    /// How far the corners' imports are.
    pub fn views(&self) -> [Option<ImportView>; 4] {
        std::array::from_fn(|corner| {
            let running = self
                .running
                .iter()
                .find(|running| running.corner == Some(corner))?;
            Some(view(&running.name, &running.job.progress()))
        })
    }

    /// Whether something is being imported.
    pub fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// What has come to its end since the last call, with its corner; without one it was called off.
    pub fn finished(&mut self) -> Vec<(Option<usize>, Result<ImportReport, ImportError>)> {
        let (over, running) = std::mem::take(&mut self.running)
            .into_iter()
            .partition::<Vec<_>, _>(|running| running.job.progress().is_over);
        self.running = running;
        over.into_iter()
            .map(|running| (running.corner, running.job.join()))
            .collect()
    }

    /// Notes where a sound came from.
    pub fn note_recording(&mut self, name: &str, imported: &ImportedSound) {
        let recording = Recording {
            source: imported.source.clone(),
            confidence: imported.confidence,
        };
        self.recordings.insert(name.to_owned(), recording);
    }

    /// Where the sound of a name came from, if it was imported here.
    pub fn recording(&self, name: &str) -> Option<&Recording> {
        self.recordings.get(name)
    }
}

fn file_name(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn view(name: &str, progress: &ImportProgress) -> ImportView {
    let is_single = progress.total < 2;
    let doing = match progress.stage {
        ImportStage::Looking => "looking through",
        ImportStage::Loading => "reading",
        ImportStage::Encoding => "encoding",
    };
    let what = if is_single || progress.current.is_empty() {
        name
    } else {
        &progress.current
    };
    let mut text = format!("{doing} {what}");
    if !is_single {
        text = format!("{text} · {} of {}", progress.done, progress.total);
    }
    if let Some(seconds) = progress.seconds_left.filter(|_| !is_single) {
        text = format!("{text} · {} to go", crate::pack_bench::duration(seconds));
    }
    ImportView {
        text,
        part: (!is_single).then(|| progress.done as f32 / progress.total as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(stage: ImportStage, done: usize, total: usize) -> ImportProgress {
        ImportProgress {
            stage,
            done,
            total,
            failed: 0,
            current: "b.wav".into(),
            seconds_left: Some(75.0),
            is_over: false,
        }
    }

    #[test]
    fn one_recording_is_named_and_many_are_counted() {
        let one = view("a.wav", &progress(ImportStage::Encoding, 0, 1));
        assert_eq!((one.text.as_str(), one.part), ("encoding a.wav", None));
        let many = view("folder", &progress(ImportStage::Encoding, 3, 12));
        assert_eq!(many.text, "encoding b.wav · 3 of 12 · 1:15 to go");
        assert_eq!(many.part, Some(0.25));
    }

    #[test]
    fn a_corner_whose_import_is_called_off_shows_none_and_the_end_is_told_without_it() {
        let place = tempfile::tempdir().unwrap();
        let mut bench = ImportBench::default();
        let missing = place.path().join("missing.wav");
        bench
            .start(2, vec![missing], place.path().join("out"), PitchHint::Find)
            .unwrap();
        bench.cancel(2);
        assert_eq!(bench.views(), [None, None, None, None]);
        let over = loop {
            let over = bench.finished();
            if !over.is_empty() {
                break over;
            }
            std::thread::yield_now();
        };
        assert!(matches!(over[..], [(None, _)]));
        assert!(!bench.is_busy());
    }
}
