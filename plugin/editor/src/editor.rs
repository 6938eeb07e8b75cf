//! The plugin's editor as nice-plug wants it: makes a window each time that the host opens one. Main thread.
//!
//! Each window is made anew, with the size that the state has by then.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use baseview::host::Host;
use baseview::{HandlerError, WindowSettings};
use betwixt_audio::meters::Meters;
use betwixt_engine::instance::Instance;
use betwixt_engine::library::Library;
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::{LogicalSize, NativeSize, Size};
use nice_plug::editor::{
    Editor, EditorHandle, HostCallbacks, HostMainThreadCaller, HostMethods, ParentWindowHandle, ResizeHint,
    SizeConstraints, SpawnedEditor,
};
use parking_lot::Mutex;

use crate::controls::Controls;
use crate::egui_window::{self, Repaint};
use crate::keyboard_queue::KeyboardSender;
use crate::librarian::Librarian;
use crate::shelf::Shelf;
use crate::snapshot_reader::SnapshotReader;
use crate::watch::Watch;
use crate::window::{Desk, SharedKeyboard, Window};
use crate::window_state::{MIN_HEIGHT, MIN_WIDTH, WindowState};
use crate::workshop::Workshop;

/// The smallest size of the window.
const MIN_SIZE: LogicalSize<f32> = LogicalSize {
    width: MIN_WIDTH,
    height: MIN_HEIGHT,
};

/// The window may grow and shrink in both directions, down to its smallest size.
const RESIZE_HINT: ResizeHint = ResizeHint {
    size_constraints: SizeConstraints::min_logical_size(MIN_SIZE),
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

/// Opens the instrument's window.
pub struct InstrumentEditor {
    controls: Arc<dyn Controls>,
    instance: Arc<Instance>,
    meters: Arc<Meters>,
    keyboard: SharedKeyboard,
    window: Arc<WindowState>,
    /// Imports and packs go on while no window is open.
    workshop: Arc<Workshop>,
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
        workshop: Arc::default(),
    }
}

impl InstrumentEditor {
    fn window(&self, host: GuiContext, repaint: &Repaint) -> Window {
        let desk = Desk {
            controls: Arc::clone(&self.controls),
            instance: Arc::clone(&self.instance),
            keyboard: Arc::clone(&self.keyboard),
            window: Arc::clone(&self.window),
            workshop: Arc::clone(&self.workshop),
            repaint: repaint.clone(),
            host,
        };
        let (controls, instance, meters) = (&self.controls, &self.instance, &self.meters);
        let workshop = &self.workshop;
        let reader = SnapshotReader::new(
            Arc::clone(controls),
            Arc::clone(instance),
            Arc::clone(meters),
            Arc::clone(workshop),
        );
        let watch = Watch::new(Arc::clone(controls), Arc::clone(instance), Arc::clone(meters));
        let shelf = {
            let (controls, instance, workshop) =
                (Arc::clone(controls), Arc::clone(instance), Arc::clone(workshop));
            move |answers| Shelf::open(Library::find(), controls, instance, workshop, answers)
        };
        let librarian = Librarian::start(shelf, watch, repaint.clone());
        Window::new(desk, reader, librarian)
    }
}

impl Editor for InstrumentEditor {
    type Handle = OpenEditor;

    fn spawn(
        &self,
        parent: Option<ParentWindowHandle>,
        wait_for_parent: bool,
        fallback_scale_factor: Option<f64>,
        gui_context: GuiContext,
        host: Option<HostMethods>,
    ) -> Result<SpawnedEditor<Self::Handle>, Box<dyn Error>> {
        let size = self.window.size();
        let settings = WindowSettings::new()
            .with_title("Betwixt")
            .with_size(LogicalSize::new(size.width, size.height))
            .with_min_size::<LogicalSize<f32>>(MIN_SIZE)
            .with_resizable(true)
            .with_parent(parent.as_ref())
            .with_fallback_scale_factor(fallback_scale_factor)
            .with_wait_for_parent(wait_for_parent);
        let repaint = Repaint::default();
        let content = self.window(gui_context, &repaint);
        let host = host.map(|host| {
            Host::new()
                .with_callbacks(OfHost(host.callbacks))
                .with_main_thread(MainThread(host.main_thread_caller))
        });
        let window = egui_window::open(settings, size.zoom, content, repaint.clone(), host)?;
        Ok(SpawnedEditor {
            handle: OpenEditor { repaint },
            window,
        })
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

/// nice-plug's callbacks as baseview has them: the same, of another crate.
struct OfHost(Box<dyn HostCallbacks>);

impl baseview::host::HostCallbacks for OfHost {
    fn request_resize(&mut self, size: baseview::WindowSize) -> Result<(), HandlerError> {
        self.0
            .request_resize(size.physical.into(), size.scale_factor)
            .map_err(HandlerError::from_boxed)
    }

    fn destroyed(&mut self) {
        self.0.destroyed();
    }
}

/// See [`OfHost`].
struct MainThread(Box<dyn HostMainThreadCaller>);

impl baseview::host::HostMainThreadCaller for MainThread {
    fn call_main_thread(&mut self) {
        self.0.call_main_thread();
    }
}

/// A window that is open, as nice-plug steers it.
#[derive(Debug)]
pub struct OpenEditor {
    repaint: Repaint,
}

impl EditorHandle for OpenEditor {
    type Window = baseview::Window;
    type Error = baseview::Error;

    fn run_until_closed(window: Self::Window) -> Result<(), Self::Error> {
        window.run_until_closed()
    }

    fn set_parent(&self, parent: ParentWindowHandle, window: &Self::Window) -> Result<(), Self::Error> {
        window.set_parent(&parent)
    }

    fn show(&self, window: &Self::Window) -> Result<(), Self::Error> {
        let shown = window.show();
        // The first frame of a window that was hidden is not asked for by all systems.
        self.repaint.request();
        shown
    }

    fn hide(&self, window: &Self::Window) -> Result<(), Self::Error> {
        window.hide()
    }

    fn host_main_thread_callback(&self, window: &Self::Window) {
        window.host_main_thread_callback();
    }

    fn set_size(&self, size: NativeSize<u32>, window: &Self::Window) -> Result<(), Self::Error> {
        window.resize(size)
    }

    fn set_fallback_scale_factor(&self, scale_factor: f64, window: &Self::Window) -> Result<(), Self::Error> {
        window.suggest_fallback_scale_factor(scale_factor)
    }

    fn adjust_size(&self, size: NativeSize<u32>, window: &Self::Window) -> Option<NativeSize<u32>> {
        let now = window.size();
        Some(RESIZE_HINT.adjust_size(
            size,
            NativeSize::from_logical_or_physical(now.logical, now.physical),
            now.scale_factor,
        ))
    }

    fn state_changed(&self) {
        self.repaint.request();
    }

    fn param_value_changed(&self, _id: &str, _normalized_value: f32) {
        self.repaint.request();
    }

    fn param_modulation_changed(&self, _id: &str, _modulation_offset: f32) {
        self.repaint.request();
    }
}
