//! What the librarian's thread keeps between requests, and how it carries them out. Its thread alone.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::encode::PitchHint;
use betwixt_engine::import::ImportReport;
use betwixt_engine::instance::Instance;
use betwixt_engine::library::entry::{Entry, EntryId, EntryKind, Filter, Origin};
use betwixt_engine::library::index::Index;
use betwixt_engine::library::preset_files::{DeletedPreset, PresetDraft};
use betwixt_engine::library::{Library, LibraryError};
use betwixt_engine::pack::PackOrder;
use betwixt_engine::pack::options::{PackOptions, Shard};
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::{PRESET_EXTENSION, PRESET_FORMAT, Preset, PresetCorners};
use betwixt_engine::sound::{SOUND_EXTENSION, Sound};
use crossbeam::channel::Sender;

use crate::controls::Controls;
use crate::folder_scan::FolderScan;
use crate::history::{Kept, Moment};
use crate::librarian::{Answer, Request};
use crate::list_query::{Found, Like, ListQuery, ListRow, MOST_ROWS};
use crate::pitch_text;
use crate::snapshot::LibraryView;
use crate::workshop::Workshop;

/// The preset that a new instance has; the user's own goes first.
const INIT_PRESETS: [&str; 2] = ["user/init.toml", "factory/init.toml"];
/// How many reasons are told why files were skipped.
const MOST_REASONS: usize = 24;
/// How many rows are looked through for a preset of a name.
const ROWS_OF_A_NAME: usize = 64;

/// The library, the instance, and what the window was told last.
pub struct Shelf {
    controls: Arc<dyn Controls>,
    instance: Arc<Instance>,
    workshop: Arc<Workshop>,
    index: Arc<Index>,
    answers: Sender<Answer>,
    /// What the lists show: one of sounds and one of presets.
    shown: Vec<ListQuery>,
    scan: Option<FolderScan>,
    /// Files were added while a scan was under way.
    wants_rescan: bool,
    told: LibraryView,
    deleted: Option<DeletedPreset>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

impl Shelf {
    /// Opens the library. Reads and writes files.
    pub fn open(
        library: Library,
        controls: Arc<dyn Controls>,
        instance: Arc<Instance>,
        workshop: Arc<Workshop>,
        answers: Sender<Answer>,
    ) -> Self {
        Self {
            controls,
            instance,
            workshop,
            index: Arc::new(Index::open(library)),
            answers,
            shown: vec![ListQuery::sounds(), ListQuery::presets()],
            scan: None,
            wants_rescan: false,
            told: LibraryView::default(),
            deleted: None,
        }
    }

    /// Shows what there is, and looks for what is new.
    pub(crate) fn begin(&mut self) {
        self.show_lists();
        self.recognise();
        self.tell_library();
        self.rescan();
    }

    /// Carries out a request and tells what came of it.
    pub(crate) fn carry_out(&mut self, request: Request) {
        let done = match request {
            Request::Search(query) => return self.search(query),
            Request::SetFavourite(id, is_favourite) => self.mark(&id, is_favourite),
            Request::PickSound(corner, id) => self.pick(corner, id.as_ref()),
            Request::Open(corner, paths) => self.open_files(corner, paths),
            Request::CorrectPitch(corner, midi) => self.correct_pitch(corner, midi),
            Request::SetLoop(corner, region) => self.set_loop(corner, region),
            Request::ReadPreset(id) => self.read_preset(&id),
            Request::StepPreset(is_back) => self.step_preset(is_back),
            Request::InitPreset => self.init_preset(),
            Request::RandomPreset(seed) => self.random_preset(seed),
            Request::SavePreset { name, replace } => return self.save_preset(&name, replace),
            Request::RenamePreset(name) => self.rename_preset(&name),
            Request::DeletePreset => self.delete_preset(),
            Request::RestorePreset => self.restore_preset(),
            Request::SetPatch(patch) => {
                self.instance.set_patch((*patch).clone());
                return;
            }
            Request::AddFolder(folder) => self.change_folders(|index| index.add_folder(&folder)),
            Request::RemoveFolder(folder) => self.change_folders(|index| index.remove_folder(&folder)),
            Request::Rescan => {
                self.rescan();
                Ok(())
            }
            Request::StartPack(options, output) => self.start_pack(options, output),
            Request::ResumePack => self.workshop.packs.lock().resume().map_err(sentence),
        };
        self.tell(done.map_or_else(Answer::Trouble, |()| Answer::Done));
    }

    /// Brings into effect what was finished elsewhere; true if the window has something new to show.
    pub(crate) fn collect(&mut self) -> bool {
        let finished = self.workshop.imports.lock().finished();
        let has_imported = !finished.is_empty();
        for (corner, outcome) in finished {
            let done = match (corner, outcome) {
                (Some(corner), Ok(report)) => self.take_imported(corner, &report),
                (Some(_), Err(error)) => Err(error.to_string()),
                // It was called off; what it had finished is in the library.
                (None, _) => Ok(()),
            };
            self.tell(done.map_or_else(Answer::Trouble, |()| Answer::Done));
        }
        if has_imported {
            self.rescan();
        }
        let has_packed = self.workshop.packs.lock().settle();
        self.settle_scan();
        let is_busy = self.workshop.imports.lock().is_busy() || self.workshop.packs.lock().is_busy();
        self.tell_scan() || has_imported || has_packed || is_busy
    }

    /// Looks through the folders, beside; once more if that is being done.
    pub(crate) fn rescan(&mut self) {
        if self.scan.is_some() {
            self.wants_rescan = true;
            return;
        }
        match FolderScan::start(Arc::clone(&self.index)) {
            Ok(scan) => self.scan = Some(scan),
            Err(error) => self.tell(Answer::Trouble(format!(
                "The folders cannot be looked through: the system gave no thread: {error}"
            ))),
        }
    }

    fn settle_scan(&mut self) {
        let Some(scan) = self.scan.take_if(|scan| scan.is_over()) else {
            return;
        };
        match scan.join() {
            Some(Ok(report)) if report.has_changed() => {
                self.show_lists();
                self.recognise();
            }
            Some(Err(error)) => self.tell(Answer::Trouble(error.to_string())),
            _ => {}
        }
        self.tell_library();
        if std::mem::take(&mut self.wants_rescan) {
            self.rescan();
        }
    }

    fn tell(&self, answer: Answer) {
        // A window that has gone needs no answer.
        let _ = self.answers.send(answer);
    }

    fn tell_library(&mut self) {
        self.told = self.library_view();
        self.tell(Answer::Library(self.told.clone()));
    }

    /// Tells how far the scan is, if that is other than the last time.
    fn tell_scan(&mut self) -> bool {
        let scan = self.scan.as_ref().map(FolderScan::progress);
        let has_moved = scan.is_some() && scan != self.told.scan;
        if has_moved {
            self.told.scan = scan;
            self.tell(Answer::Library(self.told.clone()));
        }
        has_moved
    }

    fn library_view(&self) -> LibraryView {
        let packs = self.index.library().user_sounds().ok();
        let packs = packs
            .as_deref()
            .and_then(Path::parent)
            .map(|user| user.join("packs"));
        LibraryView {
            families: self.index.families().into(),
            folders: self.index.folders().into(),
            scan: None,
            note: self.index.trouble(),
            packs: packs.unwrap_or_default(),
        }
    }

    fn show_lists(&self) {
        for query in &self.shown {
            self.tell(Answer::Found(self.find(query.clone())));
        }
    }

    fn search(&mut self, query: ListQuery) {
        self.shown.retain(|shown| shown.filter.kind != query.filter.kind);
        self.shown.push(query.clone());
        self.tell(Answer::Found(self.find(query)));
    }

    fn find(&self, query: ListQuery) -> Found {
        let nearest = match &query.like {
            None => None,
            Some((Like::Entry(id), _)) => Some(self.index.nearest_to(id, &query.filter, MOST_ROWS)),
            Some((Like::Corner(corner), _)) => {
                let patch = self.instance.patch();
                let sound = patch.corners().get(*corner).and_then(Option::as_deref);
                sound.map(|sound| self.index.nearest(sound, &query.filter, MOST_ROWS))
            }
        };
        let rows = match nearest {
            Some(nearest) => nearest.iter().map(|(entry, _)| row(entry)).collect(),
            None => {
                let found = self.index.search(&query.text, &query.filter, MOST_ROWS);
                found.iter().map(row).collect()
            }
        };
        Found { query, rows }
    }

    fn mark(&mut self, id: &EntryId, is_favourite: bool) -> Result<(), String> {
        self.index.set_favourite(id, is_favourite).map_err(sentence)?;
        self.show_lists();
        Ok(())
    }

    /// Changes the sounds, so that it can be undone.
    fn change(&self, what: &str, patch: Patch) {
        let kept = self.workshop.kept.lock().clone();
        let before = Moment::now(&*self.controls, &self.instance, kept);
        self.workshop.history.lock().note(what, before);
        self.instance.set_patch(patch);
    }

    fn pick(&self, corner: usize, id: Option<&EntryId>) -> Result<(), String> {
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
    fn open_files(&self, corner: usize, paths: Vec<PathBuf>) -> Result<(), String> {
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

    fn take_imported(&self, corner: usize, report: &ImportReport) -> Result<(), String> {
        let mut read = Vec::new();
        let mut reasons: Vec<String> = report
            .failures
            .iter()
            .map(|failed| failed.reason.clone())
            .collect();
        for imported in report.sounds.iter().take(4) {
            match Sound::read(&imported.file) {
                Ok(sound) => {
                    self.workshop.imports.lock().note_recording(&sound.name, imported);
                    read.push(Arc::new(sound));
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        self.place(corner, &read);
        match &reasons[..] {
            [] => Ok(()),
            [reason] => Err(reason.clone()),
            all => {
                let files = report.sounds.len() + report.failures.len();
                let mut lines = vec![format!(
                    "{} of {files} files were skipped; point here for the reasons",
                    all.len()
                )];
                lines.extend(all.iter().take(MOST_REASONS).cloned());
                if all.len() > MOST_REASONS {
                    lines.push(format!("and {} more", all.len() - MOST_REASONS));
                }
                Err(lines.join("\n"))
            }
        }
    }

    fn correct_pitch(&self, corner: usize, midi: Option<f32>) -> Result<(), String> {
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

    fn set_loop(&self, corner: usize, region: Option<LoopRegion>) -> Result<(), String> {
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

    fn tell_preset(&self, id: Option<EntryId>, is_user: bool, preset: Preset, patch: Patch) {
        let values = Parameter::ALL.map(|parameter| {
            let param = self.controls.param(parameter);
            param.to_normalized(preset.parameter(parameter))
        });
        let what = format!("load {}", preset.name);
        let kept = Kept {
            id,
            is_user,
            preset,
            patch: patch.id(),
            values,
        };
        self.tell(Answer::PresetRead {
            kept: Arc::new(kept),
            patch: Arc::new(patch),
            values: Box::new(values),
            what,
        });
    }

    fn read_preset(&self, id: &EntryId) -> Result<(), String> {
        let (preset, patch) = self.index.preset(id).map_err(|error| format!("{id}: {error}"))?;
        let is_user = self.is_user(id);
        // A preset that is not in the list of the last used ones is still played.
        let _ = self.index.note_used(id);
        self.tell_preset(Some(id.clone()), is_user, preset, patch);
        Ok(())
    }

    fn is_user(&self, id: &EntryId) -> bool {
        self.index
            .entry(id)
            .is_some_and(|entry| entry.origin == Origin::User)
    }

    fn step_preset(&self, is_back: bool) -> Result<(), String> {
        let kept = self.workshop.kept.lock().clone();
        let present = kept.as_ref().and_then(|kept| kept.id.as_ref());
        match self.index.preset_beside(present, is_back) {
            Some(entry) => self.read_preset(&entry.id),
            None => Ok(()),
        }
    }

    fn init_preset(&self) -> Result<(), String> {
        let mut ids = INIT_PRESETS.iter().map(|id| EntryId::from((*id).to_owned()));
        match ids.find(|id| self.index.entry(id).is_some()) {
            Some(id) => self.read_preset(&id),
            None => {
                let library = self.index.library();
                let preset = library.preset("init").map_err(sentence)?;
                let patch = library.patch(&preset.corners).map_err(sentence)?;
                self.tell_preset(None, false, preset, patch);
                Ok(())
            }
        }
    }

    fn random_preset(&self, seed: u64) -> Result<(), String> {
        let patch = self.instance.patch();
        let made = self.index.random_preset(seed, patch.model()).map_err(sentence)?;
        self.tell_preset(None, false, made.0, made.1);
        Ok(())
    }

    /// The plain values of all parameters, within their ranges.
    fn parameters(&self) -> BTreeMap<String, f32> {
        let value = |parameter: Parameter| {
            let (low, high) = parameter.range();
            let plain = self.controls.param(parameter).unmodulated_value();
            (parameter.name().to_owned(), plain.clamp(low, high))
        };
        Parameter::ALL.into_iter().map(value).collect()
    }

    fn save_preset(&mut self, name: &str, replace: bool) {
        let kept = self.workshop.kept.lock().clone();
        let words = kept.map(|kept| kept.preset.clone());
        let (description, author, licence, tags) = words.map_or_else(Default::default, |words| {
            (words.description, words.author, words.licence, words.tags)
        });
        let draft = PresetDraft {
            name: name.trim().to_owned(),
            description,
            author,
            licence,
            tags,
            parameters: self.parameters(),
        };
        let patch = self.instance.patch();
        let answer = match self.index.save_preset(&draft, &patch, replace) {
            Ok(entry) => match self.keep(&entry) {
                Ok(()) => Answer::Kept(entry.name),
                Err(error) => Answer::Trouble(error),
            },
            Err(LibraryError::NameTaken(_)) => Answer::NameTaken(draft.name),
            Err(error) => Answer::Trouble(error.to_string()),
        };
        self.tell(answer);
        self.show_lists();
    }

    /// Notes that the present state is what an entry holds.
    fn keep(&self, entry: &Entry) -> Result<(), String> {
        let (preset, _) = self.index.preset(&entry.id).map_err(sentence)?;
        let now = Moment::now(&*self.controls, &self.instance, None);
        *self.workshop.kept.lock() = Some(Arc::new(Kept {
            id: Some(entry.id.clone()),
            is_user: true,
            preset,
            patch: now.patch.id(),
            values: now.values,
        }));
        Ok(())
    }

    /// The present preset, if it is the user's own.
    fn own_preset(&self) -> Result<(Arc<Kept>, EntryId), String> {
        let kept = self.workshop.kept.lock().clone();
        kept.filter(|kept| kept.is_user)
            .and_then(|kept| kept.id.clone().map(|id| (kept, id)))
            .ok_or_else(|| "Only presets of your own can be renamed and deleted".to_owned())
    }

    fn rename_preset(&mut self, name: &str) -> Result<(), String> {
        let (kept, id) = self.own_preset()?;
        let entry = self.index.rename_preset(&id, name.trim()).map_err(sentence)?;
        let renamed = Kept {
            id: Some(entry.id.clone()),
            preset: Preset {
                name: entry.name.clone(),
                ..kept.preset.clone()
            },
            ..(*kept).clone()
        };
        *self.workshop.kept.lock() = Some(Arc::new(renamed));
        self.tell(Answer::Kept(entry.name));
        self.show_lists();
        Ok(())
    }

    fn delete_preset(&mut self) -> Result<(), String> {
        let (kept, id) = self.own_preset()?;
        self.deleted = Some(self.index.delete_preset(&id).map_err(sentence)?);
        *self.workshop.kept.lock() = None;
        self.tell(Answer::Deleted(Some(kept.preset.name.clone())));
        self.show_lists();
        Ok(())
    }

    fn restore_preset(&mut self) -> Result<(), String> {
        if let Some(deleted) = self.deleted.take() {
            self.index.restore_preset(&deleted).map_err(sentence)?;
            self.tell(Answer::Deleted(None));
            self.recognise();
            self.show_lists();
        }
        Ok(())
    }

    /// Finds the preset of the name that the instance's state has, to tell whether it was changed since.
    fn recognise(&self) {
        let name = self.controls.preset_name();
        if name.is_empty() || self.workshop.kept.lock().is_some() {
            return;
        }
        let mut found = self.index.search(&name, &Filter::presets(), ROWS_OF_A_NAME);
        found.retain(|entry| *entry.name == *name);
        found.sort_by_key(|entry| entry.origin != Origin::User);
        let Some(entry) = found.first() else { return };
        let Ok((preset, patch)) = self.index.preset(&entry.id) else {
            return;
        };
        let values = Parameter::ALL.map(|parameter| {
            let param = self.controls.param(parameter);
            param.to_normalized(preset.parameter(parameter))
        });
        *self.workshop.kept.lock() = Some(Arc::new(Kept {
            id: Some(entry.id.clone()),
            is_user: entry.origin == Origin::User,
            preset,
            patch: patch.id(),
            values,
        }));
    }

    fn change_folders(
        &mut self,
        change: impl FnOnce(&Index) -> Result<(), LibraryError>,
    ) -> Result<(), String> {
        change(&self.index).map_err(sentence)?;
        self.rescan();
        Ok(())
    }

    fn start_pack(&self, options: PackOptions, output: PathBuf) -> Result<(), String> {
        let name = self.controls.preset_name();
        let preset = Preset {
            format: PRESET_FORMAT,
            name: if name.is_empty() {
                "Blend".into()
            } else {
                name.to_string()
            },
            description: String::new(),
            author: String::new(),
            licence: String::new(),
            tags: Vec::new(),
            // The sounds themselves go with the order.
            corners: PresetCorners::default(),
            parameters: self.parameters(),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let order = PackOrder {
            preset,
            patch: (*self.instance.patch()).clone(),
            options,
            shard: Shard::WHOLE,
            output,
            model: None,
            // The project plays meanwhile.
            threads: cores.saturating_sub(1).max(1),
        };
        self.workshop.packs.lock().start(order).map_err(sentence)
    }
}

fn sentence(error: impl ToString) -> String {
    error.to_string()
}

fn row(entry: &Entry) -> ListRow {
    let is_user = entry.origin == Origin::User;
    let mut detail: Vec<String> = match entry.kind {
        EntryKind::Sound => {
            let pitch = entry.pitch.map(pitch_text::key_name);
            let family = Some(entry.family.clone()).filter(|family| !family.is_empty());
            family.into_iter().chain(pitch).collect()
        }
        EntryKind::Preset => entry.tags.iter().take(2).cloned().collect(),
    };
    if is_user {
        detail.push("yours".into());
    }
    let mut about = Vec::new();
    for (label, text) in [
        ("", &entry.description),
        ("Tags: ", &entry.tags.join(", ")),
        ("By ", &entry.author),
        ("Licence: ", &entry.licence),
    ] {
        if !text.is_empty() {
            about.push(format!("{label}{text}"));
        }
    }
    ListRow {
        id: entry.id.clone(),
        name: entry.name.clone(),
        detail: detail.join(" · "),
        about: about.join("\n"),
        is_favourite: entry.is_favourite,
        is_user,
        file: entry.file.clone(),
    }
}

#[cfg(test)]
mod tests;
