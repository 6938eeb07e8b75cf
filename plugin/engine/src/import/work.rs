//! The part of an import that takes time: recordings into sounds, on several threads.
//!
//! Each thread has an encoder of its own and takes one source at a time. Which sound gets which name is decided before, so that it
//! does not depend on who is quicker.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::job::Shared;
use super::journal::{ImportKey, Journal};
use super::shelf::{Shelf, file_name, wanted_names};
use super::walk::Source;
use super::{ImportError, ImportOrder, ImportRemark, ImportedSound};
use crate::encode::{EncodeError, Label, UNPITCHED_TAG, encode_file};
use crate::encoder::Encoder;
use crate::model::Model;
use crate::multisample::{Instrument, MultisampleError};
use crate::sound::Sound;

/// What became of one source; none if it was not come to.
pub(super) type Outcome = Option<Result<ImportedSound, ImportRemark>>;

/// Encodes sources onto a shelf until all are done or it is called off: what became of each, and what was left out of multisamples.
///
/// # Errors
/// Only what ends the import: the folder cannot be written to, the model's graph cannot be had.
pub(super) fn encode_sources(
    order: &ImportOrder,
    shared: &Shared,
    model: &Model,
    shelf: Shelf,
    sources: &[Source],
) -> Result<(Vec<Outcome>, Vec<ImportRemark>), ImportError> {
    let work = Work {
        order,
        shared,
        model,
        tag: model.tag(),
        journal: Journal::open(shelf.folder()),
        shelf,
        names: wanted_names(sources.iter().map(Source::name)),
        sources,
        next: AtomicUsize::new(0),
        outcomes: Mutex::new(vec![None; sources.len()]),
        remarks: Mutex::default(),
        stop: Mutex::new(None),
    };
    work.run();
    match work.stop.into_inner() {
        Some(error) => Err(error),
        None => Ok((work.outcomes.into_inner(), work.remarks.into_inner())),
    }
}

/// What the threads that encode have in common.
struct Work<'a> {
    order: &'a ImportOrder,
    shared: &'a Shared,
    model: &'a Model,
    tag: String,
    journal: Journal,
    shelf: Shelf,
    sources: &'a [Source],
    /// Of each source, what its sound's file is to be called.
    names: Vec<String>,
    next: AtomicUsize,
    outcomes: Mutex<Vec<Outcome>>,
    /// What was left out of multisamples.
    remarks: Mutex<Vec<ImportRemark>>,
    /// Why no thread goes on.
    stop: Mutex<Option<ImportError>>,
}

impl Work<'_> {
    fn run(&self) {
        let threads = self.order.threads.clamp(1, self.sources.len().max(1));
        std::thread::scope(|scope| {
            for index in 1..threads {
                let thread = std::thread::Builder::new().name(format!("betwixt-import-{index}"));
                // With fewer threads it takes longer, and is the same.
                let _ = thread.spawn_scoped(scope, || self.encode_all());
            }
            self.encode_all();
        });
    }

    /// Encodes what is left, on one thread.
    fn encode_all(&self) {
        // Only if there is something to encode: with all of it there already, this is most of the work.
        let mut encoder = None;
        while !self.shared.cancel.load(Ordering::Relaxed) && self.stop.lock().is_none() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = self.sources.get(index) else {
                return;
            };
            *self.shared.current.lock() = match source {
                Source::Recording(file) => file
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                Source::Instrument(..) => source.name(),
            };
            let outcome = match self.one(index, source, &mut encoder) {
                Ok(outcome) => outcome,
                Err(error) => {
                    self.stop.lock().get_or_insert(error);
                    return;
                }
            };
            if let Some(outcome) = outcome {
                self.shared.done.fetch_add(1, Ordering::Relaxed);
                let failed = usize::from(outcome.is_err());
                self.shared.failed.fetch_add(failed, Ordering::Relaxed);
                self.outcomes.lock()[index] = Some(outcome);
            }
        }
    }

    /// One source.
    ///
    /// # Errors
    /// Only what ends the import: the folder cannot be written to, the model's graph cannot be had.
    fn one(
        &self,
        index: usize,
        source: &Source,
        encoder: &mut Option<Encoder>,
    ) -> Result<Outcome, ImportError> {
        let path = source.path();
        let failed = |reason: String| {
            Ok(Some(Err(ImportRemark {
                source: path.into(),
                reason,
            })))
        };
        let mut label = self.order.label.clone();
        let mut wanted = self.names[index].clone();
        if self.sources.len() > 1 || label.name.is_empty() {
            label.name = source.name();
        } else {
            wanted = file_name(&label.name);
        }
        let key = match self.key(source, &label) {
            Ok(key) => key,
            Err(error) => return failed(format!("{}: cannot be read: {error}", path.display())),
        };
        if let Some(there) = key.as_ref().and_then(|key| self.is_there(key, path)) {
            return Ok(Some(Ok(there)));
        }
        let encoder = match encoder {
            Some(encoder) => encoder,
            None => encoder.insert(
                self.model
                    .encoder()
                    .map_err(|error| ImportError::Begin(error.to_string()))?,
            ),
        };
        // Nothing that a file can hold should panic; if it does, it is that file's end and no other's.
        let encoded = catch_unwind(AssertUnwindSafe(|| match source {
            Source::Recording(file) => self.recording(file, label, encoder),
            Source::Instrument(_, instrument) => self.instrument(path, instrument, &label, encoder),
        }));
        let (sound, confidence) = match encoded {
            Ok(Ok(Some(encoded))) => encoded,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(reason)) => return failed(reason),
            Err(panic) => {
                let told = words(panic.as_ref());
                return failed(format!("{}: Betwixt failed on it ({told})", path.display()));
            }
        };
        self.shared.encoded.fetch_add(1, Ordering::Relaxed);
        let file = self
            .shelf
            .put(&wanted, &sound)
            .map_err(|source| ImportError::Write {
                file: self.shelf.folder().join(&wanted),
                source,
                finished: self
                    .outcomes
                    .lock()
                    .iter()
                    .flatten()
                    .filter(|one| one.is_ok())
                    .count(),
            })?;
        if let Some(key) = key {
            self.journal.add(key, &file);
        }
        Ok(Some(Ok(ImportedSound {
            source: path.into(),
            file: self.shelf.folder().join(file),
            was_there: false,
            pitch: sound.pitch,
            confidence,
            is_unpitched: is_unpitched(&sound),
        })))
    }

    /// What all that decides about the sound is told apart by; none of what is no file: a pipe is not read to its end.
    fn key(&self, source: &Source, label: &Label) -> std::io::Result<Option<ImportKey>> {
        let hints = self.order.hints;
        match source {
            Source::Recording(file) => match std::fs::metadata(file) {
                Ok(found) if found.is_file() => ImportKey::of(file, &self.tag, hints, label).map(Some),
                _ => Ok(None),
            },
            Source::Instrument(path, instrument) => {
                let mut files = instrument.files();
                files.push(path.clone());
                ImportKey::of_many(&files, &self.tag, hints, label).map(Some)
            }
        }
    }

    /// A recording's sound and how sure its pitch is; none if it was called off.
    fn recording(
        &self,
        file: &Path,
        label: Label,
        encoder: &mut Encoder,
    ) -> Result<Option<(Sound, Option<f32>)>, String> {
        let (hints, cancel) = (self.order.hints, &self.shared.cancel);
        match encode_file(encoder, &self.tag, file, hints, label, &mut |_| {}, cancel) {
            Ok(encoded) => {
                let found = encoded.detected.filter(|_| !encoded.is_unpitched);
                Ok(Some((encoded.sound, found.map(|found| found.confidence))))
            }
            Err(EncodeError::Cancelled) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The same of a multisample; what was left out of it is told.
    fn instrument(
        &self,
        path: &Path,
        instrument: &Instrument,
        label: &Label,
        encoder: &mut Encoder,
    ) -> Result<Option<(Sound, Option<f32>)>, String> {
        let cancel = &self.shared.cancel;
        match instrument.encode(encoder, &self.tag, label, &mut |_, _| {}, cancel) {
            Ok(encoded) => {
                let told = encoded.skipped.iter().map(|skipped| ImportRemark {
                    source: path.into(),
                    reason: skipped.to_string(),
                });
                self.remarks.lock().extend(told);
                Ok(Some((encoded.sound, None)))
            }
            Err(MultisampleError::Cancelled) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The sound that a recording became before, if it still is one. The user may have changed it since: it is theirs.
    fn is_there(&self, key: &ImportKey, recording: &Path) -> Option<ImportedSound> {
        let file = self.shelf.folder().join(self.journal.file(key)?);
        let sound = Sound::read(&file).ok()?;
        Some(ImportedSound {
            source: recording.into(),
            file,
            was_there: true,
            pitch: sound.pitch,
            confidence: None,
            is_unpitched: is_unpitched(&sound),
        })
    }
}

fn is_unpitched(sound: &Sound) -> bool {
    sound.tags.iter().any(|tag| tag == UNPITCHED_TAG)
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason")
}
