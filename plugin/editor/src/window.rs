//! The open window: each frame it gathers a snapshot, shows it, and carries out what the user asked for. Window thread.
//!
//! One for each time that the window opens. When it closes, keys that it holds go up and gestures that it began end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use betwixt_audio::grid::Grid;
use betwixt_engine::instance::Instance;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::Preset;
use nice_plug::context::gui::GuiContext;
use nice_plug_egui::baseview::{HandlerError, WindowSize as BaseviewSize};
use nice_plug_egui::{Frame, NiceEguiApp};
use parking_lot::Mutex;

use crate::command::{Command, Commands};
use crate::controls::Controls;
use crate::keyboard_queue::KeyboardSender;
use crate::librarian::{Answer, Librarian, Request};
use crate::snapshot::Snapshot;
use crate::snapshot_reader::{Listed, SnapshotReader};
use crate::window_state::{WindowSize, WindowState};
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
}

/// The open window.
pub(crate) struct Window {
    desk: Desk,
    reader: SnapshotReader,
    librarian: Librarian,
    listed: Listed,
    host: Option<GuiContext>,
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
        Self {
            desk,
            reader,
            librarian,
            listed: Listed::default(),
            host: None,
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
                Answer::Lists { sounds, presets } => {
                    self.listed.sounds = sounds;
                    self.listed.presets = presets;
                }
                Answer::PresetRead(preset, patch) => self.apply(&preset, patch),
                Answer::Done => self.listed.trouble = None,
                Answer::Trouble(trouble) => self.listed.trouble = Some(trouble),
            }
        }
    }

    fn apply(&mut self, preset: &Preset, patch: Patch) {
        self.librarian.ask(Request::SetPatch(patch));
        for parameter in Parameter::ALL {
            let param = self.desk.controls.param(parameter);
            let normalized = param.to_normalized(preset.parameter(parameter));
            self.set_whole(parameter, normalized);
        }
        self.desk.controls.set_preset_name(&preset.name);
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
        if let Some(host) = &self.host
            && !self.held.contains(&parameter)
        {
            self.held.push(parameter);
            self.desk.controls.param(parameter).begin(host.param_setter());
        }
    }

    fn set(&self, parameter: Parameter, normalized: f32) {
        if let Some(host) = &self.host {
            let param = self.desk.controls.param(parameter);
            param.set(host.param_setter(), normalized);
        }
    }

    fn end(&mut self, parameter: Parameter) {
        if let Some(host) = &self.host
            && let Some(index) = self.held.iter().position(|held| *held == parameter)
        {
            self.held.swap_remove(index);
            self.desk.controls.param(parameter).end(host.param_setter());
        }
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
                Command::PickSound(corner, sound) => {
                    self.librarian.ask(Request::PickSound(corner, sound));
                }
                Command::SetLoop(corner, region) => {
                    self.librarian.ask(Request::SetLoop(corner, region));
                }
                Command::LoadPreset(index) => self.librarian.ask(Request::ReadPreset(index)),
                Command::SetDevice(choice) => self.desk.instance.engine().set_device(choice),
                Command::SetGrid(side) => self.desk.instance.set_grid(Grid::new(side)),
                Command::SetZoom(zoom) => context.set_zoom_factor(zoom),
            }
        }
    }
}

impl NiceEguiApp for Window {
    fn build(
        &mut self,
        _context: egui::Context,
        host: GuiContext,
        frame: &mut Frame,
    ) -> Result<(), HandlerError> {
        // Nothing here may ask egui for a frame, as setting fonts does: on X11, baseview 0.4.2 loses the answer to a
        // request from before the window is on the screen, and never draws again.
        frame.set_clear_color(theme::GROUND.into());
        self.host = Some(host);
        self.desk.window.set_open(true);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        if !self.has_theme {
            // The fonts are there from the next frame on.
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

    fn zoom_factor_changed(&mut self, zoom: f32) {
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
            if let Some(host) = &self.host {
                self.desk.controls.param(parameter).end(host.param_setter());
            }
        }
        self.desk.window.set_open(false);
    }
}
