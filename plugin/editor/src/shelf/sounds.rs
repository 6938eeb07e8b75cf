//! Sounds: put into corners, read from files, imported, and corrected.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::encode::PitchHint;
use betwixt_engine::import::ImportReport;
use betwixt_engine::library::entry::EntryId;
use betwixt_engine::preset::{PRESET_EXTENSION, Preset};
use betwixt_engine::sound::{SOUND_EXTENSION, Sound};

use super::{Shelf, sentence};

/// How many reasons are told why files were skipped.
const MOST_REASONS: usize = 24;

impl Shelf {
    pub(super) fn pick(&self, corner: usize, id: Option<&EntryId>) -> Result<(), String> {
        let Some(id) = id else {
            self.change("clear a corner", self.instance.patch().with_corner(corner, None));
            return Ok(());
        };
        let sound = self.index.sound(id).map_err(sentence)?;
        let what = format!("pick {}", sound.name);
        self.change(&what, self.instance.patch().with_corner(corner, Some(sound)));
        // A sound that is not in the list of the last used ones is still played.
        let _ = self.index.note_used(id);
        Ok(())
    }

    /// Presets are loaded, sounds go into corners, all else is imported.
    pub(super) fn open_files(&self, corner: usize, paths: Vec<PathBuf>) -> Result<(), String> {
        let has_extension = |path: &Path, wanted: &str| {
            path.extension()
                .and_then(OsStr::to_str)
                .is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
        };
        if let Some(file) = paths.iter().find(|path| has_extension(path, PRESET_EXTENSION)) {
            let preset = Preset::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let patch = self.index.library().patch(&preset.corners).map_err(sentence)?;
            self.tell_preset(None, false, preset, patch);
            return Ok(());
        }
        let (sounds, recordings): (Vec<_>, Vec<_>) = paths
            .into_iter()
            .partition(|path| has_extension(path, SOUND_EXTENSION));
        let read: Vec<_> = sounds.iter().map(|file| Sound::read(file)).collect();
        let (read, failed): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
        let read: Vec<_> = read.into_iter().flatten().map(Arc::new).collect();
        let places = self.place(corner, &read);
        if !recordings.is_empty() {
            // After the sounds, in the first corner that they leave.
            let free = (0..4)
                .map(|step| (corner + step) % 4)
                .find(|place| !places.contains(place));
            self.import(free.unwrap_or(corner), recordings, PitchHint::Find)?;
        }
        match failed.into_iter().find_map(Result::err) {
            Some(error) => Err(error.to_string()),
            None => Ok(()),
        }
    }

    /// Puts sounds into a corner and the empty ones after it; tells which. What finds no place is not in the patch.
    fn place(&self, corner: usize, sounds: &[Arc<Sound>]) -> Vec<usize> {
        let Some(first) = sounds.first() else {
            return Vec::new();
        };
        let mut patch = self.instance.patch().with_corner(corner, Some(Arc::clone(first)));
        let mut places = vec![corner];
        for sound in &sounds[1..] {
            let mut order = (1..4).map(|step| (corner + step) % 4);
            let Some(empty) = order.find(|place| patch.corners()[*place].is_none()) else {
                break;
            };
            patch = patch.with_corner(empty, Some(Arc::clone(sound)));
            places.push(empty);
        }
        self.change(&format!("open {}", first.name), patch);
        places
    }

    fn import(&self, corner: usize, sources: Vec<PathBuf>, pitch: PitchHint) -> Result<(), String> {
        let output = self.index.library().user_sounds().map_err(sentence)?;
        let mut imports = self.workshop.imports.lock();
        imports.start(corner, sources, output, pitch).map_err(sentence)
    }

    pub(super) fn take_imported(&self, corner: usize, report: &ImportReport) -> Result<(), String> {
        let mut read = Vec::new();
        let mut unread = Vec::new();
        for imported in report.sounds.iter().take(4) {
            match Sound::read(&imported.file) {
                Ok(sound) => {
                    self.workshop.imports.lock().note_recording(&sound.name, imported);
                    read.push(Arc::new(sound));
                }
                Err(error) => unread.push(error.to_string()),
            }
        }
        self.place(corner, &read);
        let (failures, remarks) = (&report.failures, &report.remarks);
        let told = failures.iter().chain(remarks).map(|told| told.reason.clone());
        let reasons: Vec<String> = told.chain(unread).collect();
        let (failed, files) = (failures.len(), report.sounds.len() + failures.len());
        let heading = match &reasons[..] {
            [] => return Ok(()),
            [reason] => return Err(reason.clone()),
            all if failed == 0 => format!("{} remarks; point here for them", all.len()),
            _ => format!("{failed} of {files} files were skipped; point here for the reasons"),
        };
        let more = reasons.len().saturating_sub(MOST_REASONS);
        let more = (more > 0).then(|| format!("and {more} more"));
        let lines: Vec<String> = std::iter::once(heading)
            .chain(reasons.into_iter().take(MOST_REASONS))
            .chain(more)
            .collect();
        Err(lines.join("\n"))
    }

    pub(super) fn correct_pitch(&self, corner: usize, midi: Option<f32>) -> Result<(), String> {
        let patch = self.instance.patch();
        let Some(sound) = patch.corners().get(corner).and_then(Option::as_ref) else {
            return Ok(());
        };
        let source = self
            .workshop
            .imports
            .lock()
            .recording(&sound.name)
            .map(|known| known.source.clone());
        let source = source.ok_or_else(|| {
            format!(
                "The recording of \"{}\" is not known any more: open it again to give its pitch",
                sound.name
            )
        })?;
        let pitch = midi.map_or(PitchHint::Unpitched, PitchHint::Midi);
        self.import(corner, vec![source], pitch)
    }

    pub(super) fn set_loop(&self, corner: usize, region: Option<LoopRegion>) -> Result<(), String> {
        let patch = self.instance.patch();
        if let Some(Some(sound)) = patch.corners().get(corner) {
            let mut looped = (**sound).clone();
            looped.set_loop(region);
            self.change(
                "change the loop",
                patch.with_corner(corner, Some(Arc::new(looped))),
            );
        }
        Ok(())
    }
}
