//! Where things stand in the window, from its size alone. Pure; no room overlaps another at any size the window may have.

use egui::{Pos2, Rect, pos2, vec2};

use crate::window_state::{MIN_HEIGHT, MIN_WIDTH};

/// Room left free at the window's edges.
const MARGIN: f32 = 20.0;
/// Room between two panels.
const GAP: f32 = 12.0;
const BAR_HEIGHT: f32 = 52.0;
const STRIP_HEIGHT: f32 = 28.0;
const CORNER_LABEL_HEIGHT: f32 = 40.0;
/// The corner labels stand this much away from the pad, above and below.
const CORNER_LABEL_GAPS: (f32, f32) = (8.0, 4.0);
/// Height of the tabs over the right half; the panels begin where the pad does.
const TABS_HEIGHT: f32 = CORNER_LABEL_HEIGHT + CORNER_LABEL_GAPS.0;
const FOOTER_HEIGHT: f32 = 22.0;
/// Height of the panels of time, colour and play.
const MOTION_ROW_HEIGHT: f32 = 146.0;
/// Shares of the row that the panels of time, colour and play have.
const MOTION_SHARES: [f32; 3] = [0.3, 0.395, 0.305];

/// The rooms of the window, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    /// Name, preset, device, voices, load.
    pub top_bar: Rect,
    /// The sentence on what is wrong; without height when all is well.
    pub error_strip: Rect,
    /// The blend pad.
    pub pad: Rect,
    /// Labels of the corners A, B, C, D.
    pub corners: [Rect; 4],
    /// Play, sounds, pack.
    pub tabs: Rect,
    /// What the other tabs show in place of the panels.
    pub page: Rect,
    /// The curves of the blend's embedding.
    pub embedding: Rect,
    /// Time, colour, play.
    pub motion: [Rect; 3],
    /// Attack, decay, sustain, release.
    pub envelope: Rect,
    /// Gain, velocity, tuning and the output's level.
    pub level: Rect,
    /// The line above the keyboard.
    pub divider: Rect,
    /// The keys.
    pub keyboard: Rect,
    /// The note under the keys.
    pub footer: Rect,
}

impl Layout {
    /// Lays out a window; one smaller than the smallest is laid out at the smallest and cut off.
    pub fn new(window: Rect, has_error: bool) -> Self {
        let size = window.size().max(vec2(MIN_WIDTH, MIN_HEIGHT));
        let origin = window.min;
        let (width, height) = (size.x, size.y);
        let rect = |x: f32, y: f32, w: f32, h: f32| {
            Rect::from_min_size(origin + vec2(x.round(), y.round()), vec2(w.round(), h.round()))
        };

        let strip_height = if has_error { STRIP_HEIGHT } else { 0.0 };
        let keyboard_height = (height * 0.162).clamp(96.0, 180.0).round();
        let keyboard_top = height - FOOTER_HEIGHT - keyboard_height;
        let divider_top = keyboard_top - 16.0;
        let top = BAR_HEIGHT + strip_height + GAP;
        let bottom = divider_top - GAP;

        let pad_width = (width * 0.375).clamp(320.0, 900.0).round();
        let pad_top = top + CORNER_LABEL_HEIGHT + CORNER_LABEL_GAPS.0;
        let pad_bottom = bottom + GAP / 2.0 - CORNER_LABEL_HEIGHT - CORNER_LABEL_GAPS.1;
        let pad = rect(MARGIN, pad_top, pad_width, pad_bottom - pad_top);
        let label = |is_right: bool, is_bottom: bool| {
            let half = (pad_width - GAP) / 2.0;
            let x = if is_right {
                MARGIN + pad_width - half
            } else {
                MARGIN
            };
            let y = if is_bottom {
                pad_bottom + CORNER_LABEL_GAPS.1
            } else {
                top
            };
            rect(x, y, half, CORNER_LABEL_HEIGHT)
        };

        let right = MARGIN + pad_width + 2.0 * GAP;
        let right_width = width - MARGIN - right;
        let row_height = (height * 0.216).clamp(134.0, 160.0).round();
        let row_top = bottom - row_height;
        let motion_height = MOTION_ROW_HEIGHT.min(row_height);
        let motion_top = row_top - GAP - motion_height;
        let motion_room = right_width - 2.0 * GAP;
        let mut motion_left = right;
        let motion = MOTION_SHARES.map(|share| {
            let panel_width = motion_room * share;
            let panel = rect(motion_left, motion_top, panel_width, motion_height);
            motion_left += panel_width + GAP;
            panel
        });
        let level_width = (right_width * 0.4).clamp(232.0, 300.0);
        Self {
            top_bar: rect(0.0, 0.0, width, BAR_HEIGHT),
            error_strip: rect(0.0, BAR_HEIGHT, width, strip_height),
            pad,
            corners: [
                label(false, false),
                label(true, false),
                label(false, true),
                label(true, true),
            ],
            tabs: rect(right, top, right_width, TABS_HEIGHT),
            page: rect(right, top + TABS_HEIGHT, right_width, bottom - top - TABS_HEIGHT),
            embedding: rect(
                right,
                top + TABS_HEIGHT,
                right_width,
                motion_top - GAP - top - TABS_HEIGHT,
            ),
            motion,
            envelope: rect(right, row_top, right_width - GAP - level_width, row_height),
            level: rect(width - MARGIN - level_width, row_top, level_width, row_height),
            divider: rect(MARGIN, divider_top, width - 2.0 * MARGIN, 1.0),
            keyboard: rect(MARGIN, keyboard_top, width - 2.0 * MARGIN, keyboard_height),
            footer: rect(
                MARGIN,
                height - FOOTER_HEIGHT,
                width - 2.0 * MARGIN,
                FOOTER_HEIGHT,
            ),
        }
    }

    #[cfg(test)]
    fn rooms(&self) -> Vec<Rect> {
        let mut rooms = vec![
            self.top_bar,
            self.pad,
            self.tabs,
            self.embedding,
            self.envelope,
            self.level,
            self.divider,
            self.keyboard,
            self.footer,
        ];
        rooms.extend(self.corners);
        rooms.extend(self.motion);
        if self.error_strip.height() > 0.0 {
            rooms.push(self.error_strip);
        }
        rooms
    }
}

/// A point of a rectangle by its parts of width and height; (0, 0) is the top left.
pub fn within(rect: Rect, x: f32, y: f32) -> Pos2 {
    pos2(rect.left() + rect.width() * x, rect.top() + rect.height() * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [(f32, f32); 6] = [
        (MIN_WIDTH, MIN_HEIGHT),
        (1120.0, 740.0),
        (1600.0, MIN_HEIGHT),
        (900.0, 1400.0),
        (2560.0, 1440.0),
        (4096.0, 4096.0),
    ];

    #[test]
    fn no_room_overlaps_another_and_all_stand_in_the_window() {
        for (width, height) in SIZES {
            for has_error in [false, true] {
                let window = Rect::from_min_size(Pos2::ZERO, vec2(width, height));
                let rooms = Layout::new(window, has_error).rooms();
                for (index, room) in rooms.iter().enumerate() {
                    assert!(window.contains_rect(*room), "{room:?} in {window:?}");
                    assert!(room.is_positive(), "{room:?} in {window:?}");
                    for other in &rooms[..index] {
                        let common = room.intersect(*other);
                        assert!(!common.is_positive(), "{room:?} over {other:?} in {window:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_page_takes_the_place_of_the_panels() {
        for (width, height) in SIZES {
            let layout = Layout::new(Rect::from_min_size(Pos2::ZERO, vec2(width, height)), true);
            for panel in [layout.embedding, layout.envelope, layout.level]
                .into_iter()
                .chain(layout.motion)
            {
                assert!(layout.page.contains_rect(panel), "{panel:?} in {:?}", layout.page);
            }
            assert!(!layout.page.intersect(layout.tabs).is_positive());
            assert!(layout.embedding.height() > 60.0, "{:?}", layout.embedding);
        }
    }

    #[test]
    fn the_designs_size_gives_the_designs_places() {
        let layout = Layout::new(Rect::from_min_size(Pos2::ZERO, vec2(1120.0, 740.0)), false);
        assert_eq!(
            layout.pad,
            Rect::from_min_size(pos2(20.0, 112.0), vec2(420.0, 420.0))
        );
        assert_eq!(layout.keyboard.top(), 598.0);
        assert_eq!(layout.keyboard.height(), 120.0);
        assert_eq!(layout.embedding.left(), 464.0);
        assert_eq!(layout.embedding.top(), layout.pad.top());
        assert_eq!(layout.embedding.right(), 1100.0);
        assert_eq!(layout.envelope.top(), 410.0);
    }

    #[test]
    fn a_window_that_is_too_small_is_laid_out_at_the_smallest_size() {
        let tiny = Rect::from_min_size(Pos2::ZERO, vec2(10.0, 10.0));
        let least = Rect::from_min_size(Pos2::ZERO, vec2(MIN_WIDTH, MIN_HEIGHT));
        assert_eq!(Layout::new(tiny, false), Layout::new(least, false));
    }
}
