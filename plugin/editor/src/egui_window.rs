//! egui in a window of baseview's: frames drawn with OpenGL, and the window's events as egui's input. Window thread.
//!
//! In place of egui-baseview, which throws away what baseview tells of files dragged over the window. Files over the window and
//! files let go come to the content as egui has them (`RawInput::hovered_files`, `RawInput::dropped_files`), with the pointer
//! where they are. Nothing here waits, and the host has every key that no text field wants.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use baseview::dpi::{LogicalPosition, LogicalSize, PhysicalPosition, Size};
use baseview::host::Host;
use baseview::{
    DropData, DropEffect, Event, EventStatus, HandlerError, MouseCursor, MouseEvent, ScrollDelta,
    TimerHandle, WindowContext, WindowEvent, WindowHandler, WindowSettings, WindowSize,
};
use copypasta::{ClipboardContext, ClipboardProvider};
use egui::{Context, Pos2, RawInput, Rect, Ui, pos2, vec2};

use crate::input_events;
use crate::screen::Screen;

/// How often the window looks whether another thread wants it drawn; what moves is drawn more often anyway.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What a window shows.
///
/// Nothing may ask egui for a frame before the first one: on X11, baseview 0.4.2 loses the answer to a request from before
/// the window is on the screen, and never draws again.
pub trait Content: Send + 'static {
    /// Shows a frame.
    fn show(&mut self, ui: &mut Ui);

    /// The window has another size; `logical` and `scale_factor` count the zoom.
    fn resized(&mut self, size: WindowSize);

    /// The content was magnified by [`Context::set_zoom_factor`].
    fn zoomed(&mut self, zoom: f32);
}

/// Asks from any thread for a frame.
#[derive(Debug, Clone, Default)]
pub struct Repaint(Arc<AtomicBool>);

impl Repaint {
    /// A frame will be drawn within a tenth of a second.
    ///
    /// # Realtime Safety
    /// Wait-free.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Makes a window; it is shown by whoever holds it. The size in `settings` is that before the zoom.
///
/// # Errors
/// If the system gives no window or no OpenGL.
pub fn open<C: Content>(
    mut settings: WindowSettings,
    zoom: f32,
    content: C,
    repaint: Repaint,
    host: Option<Host>,
) -> Result<baseview::Window, baseview::Error> {
    if let Size::Logical(size) = settings.size {
        let zoom = f64::from(zoom);
        settings.size = LogicalSize::new(size.width * zoom, size.height * zoom).into();
    }
    let settings = settings.with_gl_config(baseview::gl::GlConfig::default());
    baseview::Window::create_with_host(
        settings,
        move |window| Handler::new(window, zoom, content, repaint),
        host,
    )
}

/// What baseview calls. Each cell is let go before the window is asked for anything, as that may come back here.
struct Handler<C> {
    window: WindowContext,
    context: Context,
    content: RefCell<C>,
    screen: RefCell<Screen>,
    input: RefCell<RawInput>,
    clipboard: RefCell<Option<ClipboardContext>>,
    pointer: Cell<Option<Pos2>>,
    modifiers: Cell<egui::Modifiers>,
    cursor: Cell<MouseCursor>,
    zoom: Cell<f32>,
    /// Before the first frame nothing may ask for one, see [`Content`]; the system does.
    has_drawn: Cell<bool>,
    repaint: Repaint,
    poll: TimerHandle,
    began: Instant,
}

impl<C: Content> Handler<C> {
    fn new(window: WindowContext, zoom: f32, content: C, repaint: Repaint) -> Result<Self, HandlerError> {
        let screen = Screen::new(&window)?;
        let context = Context::default();
        context.set_zoom_factor(zoom);
        let waker = window.waker();
        context.set_request_repaint_callback(move |info| waker.request_redraw_after(info.delay));
        let mut input = RawInput {
            max_texture_side: Some(screen.max_texture_side()),
            ..Default::default()
        };
        let viewport = input.viewports.entry(input.viewport_id).or_default();
        viewport.focused = Some(true);
        Ok(Self {
            poll: window.create_timer(POLL_INTERVAL)?,
            window,
            context,
            content: RefCell::new(content),
            screen: RefCell::new(screen),
            input: RefCell::new(input),
            // Without a clipboard nothing can be copied and pasted, and all else goes on.
            clipboard: RefCell::new(ClipboardContext::new().ok()),
            pointer: Cell::new(None),
            modifiers: Cell::default(),
            cursor: Cell::new(MouseCursor::Default),
            zoom: Cell::new(zoom),
            has_drawn: Cell::new(false),
            repaint,
            began: Instant::now(),
        })
    }

    /// Pixels of a point.
    fn scale(&self, size: WindowSize) -> f32 {
        size.scale_factor as f32 * self.zoom.get()
    }

    fn measure(&self, input: &mut RawInput) {
        let size = self.window.size();
        let scale = self.scale(size);
        let rect = Rect::from_min_size(
            Pos2::ZERO,
            vec2(size.physical.width as f32, size.physical.height as f32) / scale,
        );
        input.screen_rect = Some(rect);
        let viewport = input.viewports.entry(input.viewport_id).or_default();
        viewport.native_pixels_per_point = Some(size.scale_factor as f32);
        viewport.inner_rect = Some(rect);
    }

    fn place(&self, position: PhysicalPosition<f64>) -> Pos2 {
        let scale = self.scale(self.window.size());
        let logical: LogicalPosition<f32> = position.to_logical(scale.into());
        pos2(logical.x, logical.y)
    }

    fn point(&self, place: Option<Pos2>) {
        self.pointer.set(place);
        let event = place.map_or(egui::Event::PointerGone, egui::Event::PointerMoved);
        self.input.borrow_mut().events.push(event);
    }

    fn modify(&self, modifiers: keyboard_types::Modifiers) {
        let modifiers = input_events::modifiers(modifiers);
        if self.modifiers.replace(modifiers) != modifiers {
            let changed = egui::Event::ModifiersChanged(modifiers);
            self.input.borrow_mut().events.push(changed);
        }
    }

    fn click(&self, button: baseview::MouseButton, pressed: bool) {
        if let Some(pos) = self.pointer.get()
            && let Some(button) = input_events::button(button)
        {
            let event = egui::Event::PointerButton {
                pos,
                button,
                pressed,
                modifiers: self.modifiers.get(),
            };
            self.input.borrow_mut().events.push(event);
        }
    }

    fn scroll(&self, delta: ScrollDelta) {
        let (unit, delta) = input_events::wheel(delta);
        self.input.borrow_mut().events.push(egui::Event::MouseWheel {
            unit,
            delta,
            modifiers: self.modifiers.get(),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Unknown,
        });
    }

    /// Files over the window, or let go over it.
    fn drag(&self, position: PhysicalPosition<f64>, data: &DropData, is_let_go: bool) -> EventStatus {
        self.point(Some(self.place(position)));
        let DropData::Files(files) = data else {
            return EventStatus::Ignored;
        };
        let mut input = self.input.borrow_mut();
        input.hovered_files.clear();
        if is_let_go {
            input.dropped_files.extend(files.iter().cloned().map(dropped));
        } else {
            let hovered = files.iter().map(|file| egui::HoveredFile {
                path: Some(file.clone()),
                ..Default::default()
            });
            input.hovered_files.extend(hovered);
        }
        EventStatus::AcceptDrop(DropEffect::Copy)
    }

    fn mouse(&self, event: &MouseEvent) -> EventStatus {
        match event {
            MouseEvent::CursorMoved { position, modifiers } => {
                self.modify(*modifiers);
                self.point(Some(self.place(*position)));
            }
            MouseEvent::ButtonPressed { button, modifiers } => {
                self.modify(*modifiers);
                self.click(*button, true);
            }
            MouseEvent::ButtonReleased { button, modifiers } => {
                self.modify(*modifiers);
                self.click(*button, false);
            }
            MouseEvent::WheelScrolled { delta, modifiers } => {
                self.modify(*modifiers);
                self.scroll(*delta);
            }
            MouseEvent::CursorLeft => self.point(None),
            MouseEvent::DragEntered { position, data, .. } | MouseEvent::DragMoved { position, data, .. } => {
                return self.drag(*position, data, false);
            }
            MouseEvent::DragDropped { position, data, .. } => return self.drag(*position, data, true),
            MouseEvent::DragLeft => {
                self.input.borrow_mut().hovered_files.clear();
                self.point(None);
            }
            _ => {}
        }
        if self.context.egui_is_using_pointer() || self.context.egui_wants_pointer_input() {
            EventStatus::Captured
        } else {
            EventStatus::Ignored
        }
    }

    fn key(&self, event: &keyboard_types::KeyboardEvent) -> EventStatus {
        self.modify(event.modifiers);
        let modifiers = self.modifiers.get();
        let mut paste = || {
            let mut clipboard = self.clipboard.borrow_mut();
            clipboard.as_mut()?.get_contents().ok()
        };
        let events = input_events::key(event, modifiers, &mut paste);
        self.input.borrow_mut().events.extend(events);
        // What no text field wants is the host's: the space bar starts it, and its shortcuts go on working.
        if self.context.egui_wants_keyboard_input() {
            EventStatus::Captured
        } else {
            EventStatus::Ignored
        }
    }

    fn focus(&self, is_focused: bool) {
        let mut input = self.input.borrow_mut();
        input.events.push(egui::Event::WindowFocused(is_focused));
        let id = input.viewport_id;
        input.viewports.entry(id).or_default().focused = Some(is_focused);
    }

    /// What egui wants of the system besides the picture.
    fn carry_out(&self, output: egui::PlatformOutput) -> Result<(), HandlerError> {
        for command in output.commands {
            if let egui::OutputCommand::CopyText(text) = command
                && let Some(clipboard) = self.clipboard.borrow_mut().as_mut()
            {
                // A clipboard that refuses keeps what it had.
                let _ = clipboard.set_contents(text);
            }
        }
        let cursor = input_events::cursor(output.cursor_icon);
        if self.cursor.replace(cursor) != cursor {
            self.window.set_mouse_cursor(cursor)?;
        }
        Ok(())
    }
}

impl<C: Content> WindowHandler for Handler<C> {
    fn draw(&self) -> Result<(), HandlerError> {
        self.has_drawn.set(true);
        let input = {
            let mut input = self.input.borrow_mut();
            input.time = Some(self.began.elapsed().as_secs_f64());
            self.measure(&mut input);
            input.take()
        };
        let points = input.screen_rect.map(|rect| rect.size()).unwrap_or_default();
        let output = {
            let mut content = self.content.borrow_mut();
            self.context.run_ui(input, |ui| content.show(ui))
        };
        let zoom = self.context.zoom_factor();
        if self.zoom.replace(zoom) != zoom {
            self.content.borrow_mut().zoomed(zoom);
            let size = LogicalSize::new(f64::from(points.x * zoom), f64::from(points.y * zoom));
            // A host that keeps the window's size keeps it; the content is magnified within.
            let _ = self.window.resize(size);
        }
        let egui::FullOutput {
            platform_output,
            mut textures_delta,
            shapes,
            pixels_per_point,
            ..
        } = output;
        let size = self.window.size().physical;
        let shapes = self.context.tessellate(shapes, pixels_per_point);
        let painted = self.screen.borrow_mut().paint(
            &self.window,
            [size.width, size.height],
            pixels_per_point,
            &shapes,
            &mut textures_delta,
        );
        // What could not be drawn will not be: the window closes.
        textures_delta.clear();
        painted?;
        self.carry_out(platform_output)
    }

    fn poll(&self) {
        if self.has_drawn.get() && self.repaint.take() {
            self.window.request_redraw();
        }
    }

    fn resized(&self, size: WindowSize) -> Result<(), HandlerError> {
        let scale_factor = size.scale_factor * f64::from(self.zoom.get());
        self.content.borrow_mut().resized(WindowSize {
            physical: size.physical,
            logical: size.physical.to_logical(scale_factor),
            scale_factor,
        });
        Ok(())
    }

    fn on_event(&self, event: Event) -> EventStatus {
        // A window inside a host's gets the keyboard only if it asks.
        if matches!(event, Event::Mouse(MouseEvent::ButtonPressed { .. })) && !self.window.has_focus() {
            // Whoever may not have the keyboard still has the mouse.
            let _ = self.window.focus();
        }
        let status = match event {
            Event::Mouse(event) => self.mouse(&event),
            Event::Keyboard(event) => self.key(&event),
            Event::Window(WindowEvent::Focused) => {
                self.focus(true);
                EventStatus::Captured
            }
            Event::Window(WindowEvent::Unfocused) => {
                self.focus(false);
                EventStatus::Captured
            }
            _ => return EventStatus::Ignored,
        };
        if self.has_drawn.get() {
            self.window.request_redraw();
        }
        status
    }

    fn on_timer(&self, timer: &TimerHandle) {
        if *timer == self.poll {
            self.poll();
        }
    }
}

/// A file that was let go over the window, as egui has it.
pub(crate) fn dropped(file: PathBuf) -> egui::DroppedFileHandle {
    Arc::new(Dropped(file))
}

/// A file by its path alone.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| format!("{}: {error}", self.0.display()))
    }
}
