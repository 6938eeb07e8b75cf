//! The open window: each frame it gathers a snapshot, shows it, and carries out what the user asked for. Window thread.
//!
//! One for each time that the window opens. When it closes, keys that it holds go up and gestures that it began end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baseview::WindowSize as BaseviewSize;
use betwixt_audio::grid::Grid;
use betwixt_engine::instance::Instance;
use betwixt_engine::library::entry::Filter;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use nice_plug::context::gui::GuiContext;
use parking_lot::Mutex;

use crate::command::{Command, Commands};
use crate::controls::Controls;
use crate::egui_window::{Content, Repaint};
use crate::file_dialog::{Choice, FileDialogs, Purpose};
use crate::history::{Kept, Moment, Values};
use crate::keyboard_queue::KeyboardSender;
use crate::librarian::{Answer, Librarian, Request};
use crate::reveal::reveal;
use crate::snapshot::Snapshot;
use crate::snapshot_reader::{Listed, SnapshotReader};
use crate::window_state::{WindowSize, WindowState};
use crate::workshop::Workshop;
use crate::{theme, view};

/// Time between two frames while something moves.
const LIVELY_FRAME: Duration = Duration::from_millis(33);
/// Time between two frames while nothing does; what changes by itself wakes the window ([`crate::watch`]).
const IDLE_FRAME: Duration = Duration::from_secs(1);
/// How long frames go on in quick succession after the last change: the engine answers some tens of milliseconds late.
const AFTERMATH: Duration = Duration::from_millis(300);

/// The end of the keyboard's queue, handed from window to window; only ever locked by the one that is open.
pub(crate) type SharedKeyboard = Arc<Mutex<KeyboardSender>>;

/// What the window carries commands out with.
pub(crate) struct Desk {
    pub(crate) controls: Arc<dyn Controls>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) keyboard: SharedKeyboard,
    pub(crate) window: Arc<WindowState>,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) repaint: Repaint,
    pub(crate) host: GuiContext,
}

/// The open window.
pub(crate) struct Window {
    desk: Desk,
    reader: SnapshotReader,
    librarian: Librarian,
    listed: Listed,
    dialogs: FileDialogs,
    /// What went wrong on a thread that nobody waits for.
    troubles: Arc<Mutex<Option<String>>>,
    has_theme: bool,
    /// Parameters whose gesture has begun and not ended.
    held: Vec<Parameter>,
    last_frame: Instant,
    last_snapshot: Snapshot,
    last_change: Instant,
    zoom: f32,
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").finish_non_exhaustive()
    }
}

impl Window {
    pub(crate) fn new(desk: Desk, reader: SnapshotReader, librarian: Librarian) -> Self {
        let zoom = desk.window.size().zoom;
        desk.window.set_open(true);
        Self {
            dialogs: FileDialogs::new(desk.repaint.clone()),
            desk,
            reader,
            librarian,
            listed: Listed::default(),
            troubles: Arc::default(),
            has_theme: false,
            held: Vec::new(),
            last_frame: Instant::now(),
            last_snapshot: Snapshot::default(),
            last_change: Instant::now(),
            zoom,
        }
    }

    fn collect_answers(&mut self) {
        while let Some(answer) = self.librarian.answer() {
            match answer {
                Answer::Found(found) => {
                    if found.query.filter.kind == Filter::presets().kind {
                        self.listed.presets = found;
                    } else {
                        self.listed.sounds = found;
                    }
                }
                Answer::Library(library) => self.listed.library = library,
                Answer::PresetRead {
                    kept,
                    patch,
                    values,
                    what,
                } => self.apply(kept, patch, &values, &what),
                Answer::Kept(name) => {
                    self.desk.controls.set_preset_name(&name);
                    self.listed.taken_name = None;
                    self.listed.trouble = None;
                }
                Answer::NameTaken(name) => self.listed.taken_name = Some(name),
                Answer::Deleted(name) => self.listed.deleted = name,
                Answer::Done => self.listed.trouble = None,
                Answer::Trouble(trouble) => self.listed.trouble = Some(trouble),
            }
        }
        if let Some(trouble) = self.troubles.lock().take() {
            self.listed.trouble = Some(trouble);
        }
        while let Some(choice) = self.dialogs.choice() {
            let Choice { purpose, paths } = match choice {
                Ok(choice) => choice,
                Err(trouble) => {
                    self.listed.trouble = Some(trouble);
                    continue;
                }
            };
            match purpose {
                Purpose::Sounds(corner) | Purpose::FolderOfSounds(corner) => {
                    self.librarian.ask(Request::Open(corner, paths));
                }
                Purpose::Library => {
                    for folder in paths {
                        self.librarian.ask(Request::AddFolder(folder));
                    }
                }
                Purpose::Packs => self.listed.packs = paths.into_iter().next(),
            }
        }
    }

    fn now(&self) -> Moment {
        let kept = self.desk.workshop.kept.lock().clone();
        Moment::now(&*self.desk.controls, &self.desk.instance, kept)
    }

    fn apply(&mut self, kept: Arc<Kept>, patch: Arc<Patch>, values: &Values, what: &str) {
        let before = self.now();
        self.desk.workshop.history.lock().note(what, before);
        let name = kept.preset.name.as_str().into();
        self.become_like(Moment {
            patch,
            values: *values,
            name,
            kept: Some(kept),
        });
        self.listed.taken_name = None;
    }

    /// Everything as it was at a moment.
    fn become_like(&mut self, moment: Moment) {
        self.librarian.ask(Request::SetPatch(moment.patch));
        for (parameter, normalized) in Parameter::ALL.into_iter().zip(moment.values) {
            self.set_whole(parameter, normalized);
        }
        self.desk.controls.set_preset_name(&moment.name);
        *self.desk.workshop.kept.lock() = moment.kept;
    }

    /// A gesture of one value.
    fn set_whole(&mut self, parameter: Parameter, normalized: f32) {
        let was_held = self.held.contains(&parameter);
        if !was_held {
            self.begin(parameter);
        }
        self.set(parameter, normalized);
        if !was_held {
            self.end(parameter);
        }
    }

    fn begin(&mut self, parameter: Parameter) {
        if !self.held.contains(&parameter) {
            self.held.push(parameter);
            let param = self.desk.controls.param(parameter);
            param.begin(self.desk.host.param_setter());
        }
    }

    fn set(&self, parameter: Parameter, normalized: f32) {
        let param = self.desk.controls.param(parameter);
        param.set(self.desk.host.param_setter(), normalized);
    }

    fn end(&mut self, parameter: Parameter) {
        if let Some(index) = self.held.iter().position(|held| *held == parameter) {
            self.held.swap_remove(index);
            let param = self.desk.controls.param(parameter);
            param.end(self.desk.host.param_setter());
        }
    }

    fn reveal(&self, path: &std::path::Path) {
        let (troubles, repaint) = (Arc::clone(&self.troubles), self.desk.repaint.clone());
        reveal(path, move |trouble| {
            *troubles.lock() = Some(trouble);
            repaint.request();
        });
    }

    fn carry_out(&mut self, context: &egui::Context, commands: Commands) {
        for command in commands {
            match command {
                Command::Begin(parameter) => self.begin(parameter),
                Command::Set(parameter, normalized) => self.set(parameter, normalized),
                Command::End(parameter) => self.end(parameter),
                Command::Type(parameter, text) => {
                    let param = self.desk.controls.param(parameter);
                    if let Some(normalized) = param.from_text(&text) {
                        self.set_whole(parameter, normalized.clamp(0.0, 1.0));
                    }
                }
                Command::Reset(parameter) => {
                    let default = self.desk.controls.param(parameter).default_normalized();
                    self.set_whole(parameter, default);
                }
                Command::Press(key, velocity) => self.desk.keyboard.lock().press(key, velocity),
                Command::Release(key) => self.desk.keyboard.lock().release(key),
                Command::Search(query) => self.librarian.ask(Request::Search(query)),
                Command::SetFavourite(id, is_favourite) => {
                    self.librarian.ask(Request::SetFavourite(id, is_favourite));
                }
                Command::PickSound(corner, id) => self.librarian.ask(Request::PickSound(corner, id)),
                Command::Open(corner, paths) => self.librarian.ask(Request::Open(corner, paths)),
                Command::CancelImport(corner) => self.desk.workshop.imports.lock().cancel(corner),
                Command::CorrectPitch(corner, midi) => {
                    self.librarian.ask(Request::CorrectPitch(corner, midi));
                }
                Command::SetLoop(corner, region) => {
                    self.librarian.ask(Request::SetLoop(corner, region));
                }
                Command::Choose(purpose) => {
                    if let Err(trouble) = self.dialogs.open(purpose) {
                        self.listed.trouble = Some(trouble);
                    }
                }
                Command::RemoveFolder(folder) => self.librarian.ask(Request::RemoveFolder(folder)),
                Command::Rescan => self.librarian.ask(Request::Rescan),
                Command::LoadPreset(id) => self.librarian.ask(Request::ReadPreset(id)),
                Command::StepPreset { is_back } => self.librarian.ask(Request::StepPreset(is_back)),
                Command::SavePreset { name, replace } => {
                    self.listed.taken_name = None;
                    self.librarian.ask(Request::SavePreset { name, replace });
                }
                Command::RenamePreset(name) => self.librarian.ask(Request::RenamePreset(name)),
                Command::DeletePreset => self.librarian.ask(Request::DeletePreset),
                Command::RestorePreset => self.librarian.ask(Request::RestorePreset),
                Command::InitPreset => self.librarian.ask(Request::InitPreset),
                Command::RandomPreset => self.librarian.ask(Request::RandomPreset(seed())),
                Command::Undo => {
                    let now = self.now();
                    let before = self.desk.workshop.history.lock().undo(now);
                    if let Some(before) = before {
                        self.become_like(before);
                    }
                }
                Command::Redo => {
                    let now = self.now();
                    let after = self.desk.workshop.history.lock().redo(now);
                    if let Some(after) = after {
                        self.become_like(after);
                    }
                }
                Command::StartPack(options, output) => {
                    self.librarian.ask(Request::StartPack(options, output));
                }
                Command::ResumePack => self.librarian.ask(Request::ResumePack),
                Command::CancelPack => self.desk.workshop.packs.lock().cancel(),
                Command::Reveal(path) => self.reveal(&path),
                Command::DismissTrouble => self.listed.trouble = None,
                Command::SetDevice(choice) => self.desk.instance.engine().set_device(choice),
                Command::SetGrid(side) => self.desk.instance.set_grid(Grid::new(side)),
                Command::SetZoom(zoom) => context.set_zoom_factor(zoom),
            }
        }
    }
}

/// A seed for a preset made by chance: the time, as the user wants another one each time.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}

impl Content for Window {
    fn show(&mut self, ui: &mut egui::Ui) {
        if !self.has_theme {
            // Not before the first frame, see `Content`. The fonts are there from the next one on.
            theme::install(ui.ctx());
            ui.ctx().request_repaint();
            self.has_theme = true;
            return;
        }
        self.collect_answers();
        let seconds = self.last_frame.elapsed().as_secs_f32();
        self.last_frame = Instant::now();
        let snapshot = self.reader.read(seconds, self.zoom, &self.listed);
        // The load trembles with every block; alone it is no reason to draw.
        self.last_snapshot.load = snapshot.load;
        if snapshot != self.last_snapshot {
            self.last_change = Instant::now();
        }
        let mut commands = Commands::new();
        view::show(ui, &snapshot, &mut commands);
        let is_busy = !commands.is_empty() || !self.held.is_empty();
        self.carry_out(ui.ctx(), commands);
        self.desk.keyboard.lock().flush();
        let is_lively = is_busy || snapshot.is_lively() || self.last_change.elapsed() < AFTERMATH;
        self.last_snapshot = snapshot;
        ui.ctx()
            .request_repaint_after(if is_lively { LIVELY_FRAME } else { IDLE_FRAME });
    }

    fn resized(&mut self, size: BaseviewSize) {
        self.desk.window.note_size(
            WindowSize {
                width: size.logical.width as f32,
                height: size.logical.height as f32,
                zoom: self.zoom,
            },
            size.scale_factor as f32 / self.zoom,
        );
    }

    fn zoomed(&mut self, zoom: f32) {
        self.zoom = zoom;
        self.desk.window.set_size(WindowSize {
            zoom,
            ..self.desk.window.size()
        });
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.desk.keyboard.lock().release_all();
        for parameter in std::mem::take(&mut self.held) {
            let param = self.desk.controls.param(parameter);
            param.end(self.desk.host.param_setter());
        }
        self.desk.window.set_open(false);
    }
}
