//! What an instance keeps beside its parameters, alive: its sounds in the engine, its window, what the
//! user should be told. Main thread and window; the audio thread never comes here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use betwixt_audio::blend::CornerMask;
use betwixt_audio::settings::Settings;
use betwixt_editor::window_state::WindowState;
use betwixt_engine::instance::Instance;
use betwixt_engine::library::Library;
use nice_plug::params::persist::PersistentField;
use parking_lot::Mutex;

use crate::project_state::ProjectState;

/// The preset that a new instance has the sounds of, by the name of its file. The user's own goes first.
const FIRST_PRESET: &str = "init";

/// An instance's sounds, window and notices.
#[derive(Debug)]
pub struct Project {
    instance: Arc<Instance>,
    window: Arc<WindowState>,
    /// Whether the instance was given its first sounds, by a state or from the factory.
    has_begun: AtomicBool,
    preset_name: Mutex<Arc<str>>,
    notice: Mutex<Option<Arc<str>>>,
}

impl Project {
    /// The project of a new instance, without sounds. Cheap: a scan may create instances.
    pub fn new(instance: Arc<Instance>, window: Arc<WindowState>) -> Self {
        Self {
            instance,
            window,
            has_begun: AtomicBool::new(false),
            preset_name: Mutex::new(Arc::from("")),
            notice: Mutex::default(),
        }
    }

    /// The instance in the engine.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// The size of its window.
    pub fn window(&self) -> &Arc<WindowState> {
        &self.window
    }

    /// The host is about to play: the model is loaded, in the background.
    pub fn activate(&self) {
        self.begin();
        self.instance.activate();
    }

    /// Gives a new instance its first sounds, unless a state or the window did. Reads files, so not when
    /// an instance is made.
    fn begin(&self) {
        if self.has_begun.swap(true, Ordering::AcqRel) || self.instance.patch().occupied() != CornerMask::NONE
        {
            return;
        }
        let library = Library::find();
        let read = library.preset(FIRST_PRESET).and_then(|preset| {
            let patch = library.patch(&preset.corners)?;
            Ok((preset, patch))
        });
        match read {
            Ok((preset, patch)) => {
                self.instance.set_patch(patch);
                // A new instance has every parameter at its default; only such a preset is wholly in effect.
                if preset.settings() == Settings::default() {
                    self.set_preset_name(&preset.name);
                }
            }
            Err(error) => self.set_notice(format!("The first sounds could not be read: {error}.")),
        }
    }

    /// Says something in the window's error strip, until a state is loaded.
    pub fn set_notice(&self, notice: String) {
        *self.notice.lock() = Some(notice.into());
    }

    /// What the error strip says.
    pub fn notice(&self) -> Option<Arc<str>> {
        self.notice.lock().clone()
    }

    /// The preset that the sounds came with; empty if there is none.
    pub fn preset_name(&self) -> Arc<str> {
        self.preset_name.lock().clone()
    }

    /// Notes which preset the sounds came with.
    pub fn set_preset_name(&self, name: &str) {
        *self.preset_name.lock() = name.into();
    }
}

/// Saved and loaded by nice-plug with the parameters, on the main thread.
impl PersistentField<'_, ProjectState> for Arc<Project> {
    fn set(&self, state: ProjectState) {
        // `check_saved_state` has read the same text before; a state that fails here changes nothing.
        let Ok(patch) = state.patch() else { return };
        self.has_begun.store(true, Ordering::Release);
        self.instance.set_patch(patch);
        self.instance.engine().set_device(state.device());
        self.instance.set_grid(state.grid());
        self.window.set_size(state.window());
        self.set_preset_name(state.preset());
        *self.notice.lock() = None;
    }

    fn map<F, R>(&self, read: F) -> R
    where
        F: Fn(&ProjectState) -> R,
    {
        self.begin();
        let patch = self.instance.patch();
        let preset = self.preset_name();
        read(&ProjectState::new(
            &patch,
            &preset,
            self.instance.engine().device(),
            self.window.size(),
            self.instance.grid(),
        ))
    }
}
