//! What the librarian's thread keeps between requests, and how it carries them out: here those of lists and folders, in `sounds` those of
//! corners, in `presets` those of presets. Its thread alone.

mod presets;
mod sounds;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use betwixt_engine::instance::Instance;
use betwixt_engine::library::entry::{Entry, EntryId, EntryKind, Origin};
use betwixt_engine::library::index::Index;
use betwixt_engine::library::preset_files::DeletedPreset;
use betwixt_engine::library::{Library, LibraryError};
use betwixt_engine::pack::PackOrder;
use betwixt_engine::pack::options::{PackOptions, Shard};
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::{PRESET_FORMAT, Preset, PresetCorners};
use crossbeam::channel::Sender;

use crate::controls::Controls;
use crate::folder_scan::FolderScan;
use crate::history::Moment;
use crate::librarian::{Answer, Request};
use crate::list_query::{Found, Like, ListQuery, ListRow, MOST_ROWS};
use crate::pitch_text;
use crate::snapshot::LibraryView;
use crate::workshop::Workshop;

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
