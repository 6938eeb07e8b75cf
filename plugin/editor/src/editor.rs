//! The plugin's editor as nice-plug wants it: makes a window each time that the host opens one. Main thread.
//!
//! Over nice-plug-egui's own editor, which takes its size once and for all when it is made: here each window is made anew,
//! with the size that the state has by then.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use betwixt_audio::meters::Meters;
use betwixt_engine::instance::Instance;
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::{LogicalSize, NativeSize, Size};
use nice_plug::editor::{
    Editor, HostMethods, ParentWindowHandle, ResizeHint, SizeConstraints, SpawnedEditor,
};
use nice_plug_egui::{
    EguiEditorHandle, EguiEditorState, EguiNiceSettings, RepaintNotifier, create_egui_editor,
};
use parking_lot::Mutex;

use crate::controls::Controls;
use crate::keyboard_queue::KeyboardSender;
use crate::librarian::Librarian;
use crate::snapshot_reader::SnapshotReader;
use crate::watch::Watch;
use crate::window::{Desk, SharedKeyboard, Window};
use crate::window_state::{MIN_HEIGHT, MIN_WIDTH, WindowState};

/// The window may grow and shrink in both directions, down to its smallest size.
const RESIZE_HINT: ResizeHint = ResizeHint {
    size_constraints: SizeConstraints::min_logical_size(LogicalSize {
        width: MIN_WIDTH,
        height: MIN_HEIGHT,
    }),
    ..ResizeHint::RESIZABLE
};

/// What the host crate gives to the window.
pub struct EditorParts {
    /// Parameters, preset name, notices.
    pub controls: Arc<dyn Controls>,
    /// The instance's place with the engine.
    pub instance: Arc<Instance>,
    /// The audio thread's meters.
    pub meters: Arc<Meters>,
    /// The way of played keys to the audio thread.
    pub keyboard: KeyboardSender,
    /// The size, which the state keeps.
    pub window: Arc<WindowState>,
}

impl fmt::Debug for EditorParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EditorParts").finish_non_exhaustive()
    }
}

/// How often the window looks whether the host has changed something. The first look must not come before the window
/// is on the screen (see `Window::build`); what moves is drawn more often anyway.
const REPAINT_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Opens the instrument's window.
pub struct InstrumentEditor {
    controls: Arc<dyn Controls>,
    instance: Arc<Instance>,
    meters: Arc<Meters>,
    keyboard: SharedKeyboard,
    window: Arc<WindowState>,
}

impl fmt::Debug for InstrumentEditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentEditor").finish_non_exhaustive()
    }
}

/// The editor of one plugin instance. Starts no thread and reads no file before a window opens.
pub fn create_editor(parts: EditorParts) -> InstrumentEditor {
    let EditorParts {
        controls,
        instance,
        meters,
        keyboard,
        window,
    } = parts;
    InstrumentEditor {
        controls,
        instance,
        meters,
        keyboard: Arc::new(Mutex::new(keyboard)),
        window,
    }
}

impl InstrumentEditor {
    fn open(&self, repaint: RepaintNotifier) -> Window {
        let desk = Desk {
            controls: Arc::clone(&self.controls),
            instance: Arc::clone(&self.instance),
            keyboard: Arc::clone(&self.keyboard),
            window: Arc::clone(&self.window),
        };
        let (controls, instance, meters) = (&self.controls, &self.instance, &self.meters);
        let reader = SnapshotReader::new(Arc::clone(controls), Arc::clone(instance), Arc::clone(meters));
        let watch = Watch::new(Arc::clone(controls), Arc::clone(instance), Arc::clone(meters));
        Window::new(
            desk,
            reader,
            Librarian::start(Arc::clone(instance), watch, repaint),
        )
    }
}

impl Editor for InstrumentEditor {
    type Handle = EguiEditorHandle;

    fn spawn(
        &self,
        parent: Option<ParentWindowHandle>,
        wait_for_parent: bool,
        fallback_scale_factor: Option<f64>,
        gui_context: GuiContext,
        host: Option<HostMethods>,
    ) -> Result<SpawnedEditor<Self::Handle>, Box<dyn Error>> {
        let size = self.window.size();
        let state = EguiEditorState::from_size(LogicalSize::new(size.width, size.height), size.zoom);
        let repaint = RepaintNotifier::new();
        let settings = EguiNiceSettings::new()
            .with_tile("Betwixt")
            .with_resize_hint(RESIZE_HINT)
            .with_repaint_poll_interval(REPAINT_POLL_INTERVAL);
        let window = self.open(repaint.clone());
        let editor =
            create_egui_editor(state, repaint, settings, window).ok_or("there is no window to open")?;
        editor.spawn(parent, wait_for_parent, fallback_scale_factor, gui_context, host)
    }

    fn size(&self) -> NativeSize<u32> {
        let size = self.window.size();
        let scale = size.zoom * self.window.system_scale();
        NativeSize::from_size(
            Size::Logical(LogicalSize::new(size.width.into(), size.height.into())),
            scale.into(),
        )
    }

    fn resize_hint(&self) -> ResizeHint {
        RESIZE_HINT
    }
}
