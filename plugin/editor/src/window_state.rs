//! The size of the window, kept by the host in the plugin's state. Any thread but the audio's; lock-free.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::atomic::AtomicCell;
use nice_plug::params::persist::PersistentField;
use serde::{Deserialize, Serialize};

/// Smallest width of the window, in points.
pub const MIN_WIDTH: f32 = 900.0;
/// Smallest height of the window, in points.
pub const MIN_HEIGHT: f32 = 680.0;
/// Largest width and height of the window, in points.
const MAX_SIDE: f32 = 4096.0;
/// What the window may be magnified by.
pub const ZOOMS: [f32; 6] = [0.75, 1.0, 1.25, 1.5, 1.75, 2.0];

/// How large the window is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Points from left to right, before the zoom.
    pub width: f32,
    /// Points from top to bottom, before the zoom.
    pub height: f32,
    /// What a point is magnified by, on top of the system's scale.
    pub zoom: f32,
}

impl Default for WindowSize {
    fn default() -> Self {
        Self {
            width: 1120.0,
            height: 740.0,
            zoom: 1.0,
        }
    }
}

impl WindowSize {
    /// The nearest size that a window may have: what is no number becomes the default.
    pub fn clamped(self) -> Self {
        let default = Self::default();
        let hold = |value: f32, low: f32, high: f32, default: f32| {
            if value.is_finite() {
                value.clamp(low, high)
            } else {
                default
            }
        };
        Self {
            width: hold(self.width, MIN_WIDTH, MAX_SIDE, default.width),
            height: hold(self.height, MIN_HEIGHT, MAX_SIDE, default.height),
            zoom: hold(self.zoom, ZOOMS[0], ZOOMS[ZOOMS.len() - 1], default.zoom),
        }
    }
}

/// The window's size, and whether there is a window.
#[derive(Debug)]
pub struct WindowState {
    size: AtomicCell<WindowSize>,
    /// Pixels of a point before the zoom, as the system had it last.
    system_scale: AtomicCell<f32>,
    is_open: AtomicBool,
}

impl WindowState {
    /// The state of a window that was never opened.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            size: AtomicCell::default(),
            system_scale: AtomicCell::new(1.0),
            is_open: AtomicBool::new(false),
        })
    }

    /// The size that the window has, had, or will open with.
    pub fn size(&self) -> WindowSize {
        self.size.load()
    }

    /// Sets the size that the window will open with next.
    pub fn set_size(&self, size: WindowSize) {
        self.size.store(size.clamped());
    }

    /// Whether the window is open.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Pixels of a point before the zoom, on the screen that the window was on last.
    pub(crate) fn system_scale(&self) -> f32 {
        self.system_scale.load()
    }

    /// Notes the size that the window was given, and the system's scale.
    pub(crate) fn note_size(&self, size: WindowSize, system_scale: f32) {
        self.set_size(size);
        if system_scale.is_finite() && system_scale > 0.0 {
            self.system_scale.store(system_scale);
        }
    }

    pub(crate) fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Release);
    }
}

impl<'a> PersistentField<'a, WindowSize> for WindowState {
    fn set(&self, size: WindowSize) {
        self.set_size(size);
    }

    fn map<F, R>(&self, read: F) -> R
    where
        F: Fn(&WindowSize) -> R,
    {
        read(&self.size())
    }
}

impl<'a> PersistentField<'a, WindowSize> for Arc<WindowState> {
    fn set(&self, size: WindowSize) {
        self.set_size(size);
    }

    fn map<F, R>(&self, read: F) -> R
    where
        F: Fn(&WindowSize) -> R,
    {
        read(&self.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_from_a_damaged_state_becomes_one_that_can_be_opened() {
        let state = WindowState::new();
        for value in [f32::NAN, f32::INFINITY, -1.0, 0.0, 1e30] {
            state.set_size(WindowSize {
                width: value,
                height: value,
                zoom: value,
            });
            let size = state.size();
            assert!(size.width >= MIN_WIDTH && size.width <= MAX_SIDE, "{size:?}");
            assert!(size.height >= MIN_HEIGHT && size.height <= MAX_SIDE, "{size:?}");
            assert!(size.zoom >= 0.75 && size.zoom <= 2.0, "{size:?}");
        }
    }

    #[test]
    fn a_size_survives_the_state() {
        let state = WindowState::new();
        let size = WindowSize {
            width: 1300.0,
            height: 800.0,
            zoom: 1.5,
        };
        PersistentField::set(&state, size);
        assert_eq!(PersistentField::map(&state, |size| *size), size);
    }
}
