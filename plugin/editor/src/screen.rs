//! What egui draws, brought onto a window's OpenGL surface. Window thread.

use std::sync::Arc;

use baseview::{HandlerError, WindowContext};
use egui::epaint::textures::TexturesDelta;
use egui::{ClippedPrimitive, Rgba};
use egui_glow::glow::{self, HasContext as _};
use egui_glow::{Painter, PainterError};

use crate::theme;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
enum ScreenError {
    #[error("the window was given no OpenGL")]
    NoOpenGl,
    #[error("OpenGL cannot draw the window: {0}")]
    Painter(PainterError),
}

/// The window's surface.
pub(crate) struct Screen {
    gl: Arc<glow::Context>,
    painter: Painter,
}

impl Screen {
    pub(crate) fn new(window: &WindowContext) -> Result<Self, HandlerError> {
        let surface = window.gl_context().ok_or(ScreenError::NoOpenGl)?;
        // SAFETY: this thread is the window's, and no other OpenGL context of it is in use while this one is.
        unsafe { surface.make_current()? };
        // SAFETY: the context whose functions are looked up is current.
        let gl = unsafe { glow::Context::from_loader_function_cstr(|name| surface.get_proc_address(name)) };
        let gl = Arc::new(gl);
        let painter = Painter::new(Arc::clone(&gl), "", None, true).map_err(ScreenError::Painter)?;
        // SAFETY: as above.
        unsafe { surface.make_not_current()? };
        Ok(Self { gl, painter })
    }

    /// The longest side that a texture may have, in pixels.
    pub(crate) fn max_texture_side(&self) -> usize {
        self.painter.max_texture_side()
    }

    /// Draws a frame of `pixels` and shows it.
    pub(crate) fn paint(
        &mut self,
        window: &WindowContext,
        pixels: [u32; 2],
        pixels_per_point: f32,
        shapes: &[ClippedPrimitive],
        textures: &mut TexturesDelta,
    ) -> Result<(), HandlerError> {
        let surface = window.gl_context().ok_or(ScreenError::NoOpenGl)?;
        // SAFETY: this thread is the window's, and no other OpenGL context of it is in use while this one is.
        unsafe { surface.make_current()? };
        let ground = Rgba::from(theme::GROUND);
        // SAFETY: the context is current.
        unsafe {
            self.gl
                .clear_color(ground.r(), ground.g(), ground.b(), ground.a());
            self.gl.clear(glow::COLOR_BUFFER_BIT);
        }
        self.painter
            .paint_and_update_textures(pixels, pixels_per_point, shapes, textures);
        surface.swap_buffers()?;
        // SAFETY: as above.
        unsafe { surface.make_not_current()? };
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.painter.destroy();
    }
}
