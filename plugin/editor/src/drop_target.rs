//! Files that are dragged over the window: shows where they will go, and asks for them when they are let go. Window thread.
//!
//! Over a quarter of the pad or a corner's label they go to that corner; elsewhere to the first empty one, or to the nearest if
//! none is. A preset is loaded, wherever it is let go.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use egui::{Align2, LayerId, Order, Pos2, Rect, Stroke, StrokeKind, Ui, vec2};

use betwixt_engine::preset::PRESET_EXTENSION;

use crate::command::{Command, Commands};
use crate::layout::Layout;
use crate::snapshot::Snapshot;
use crate::sound_picker::CORNER_NAMES;
use crate::theme;

/// The corner that what is let go at `place` is for.
fn corner_at(layout: &Layout, place: Pos2, snapshot: &Snapshot) -> usize {
    let own = (0..4).find(|corner| {
        quarter(layout.pad, *corner).contains(place) || layout.corners[*corner].contains(place)
    });
    let is_empty = |corner: &usize| snapshot.corners[*corner].is_none();
    let nearest = || {
        let far = |corner: &usize| tip(layout.pad, *corner).distance(place);
        (0..4).min_by(|one, other| far(one).total_cmp(&far(other)))
    };
    own.or_else(|| (0..4).find(is_empty))
        .or_else(nearest)
        .unwrap_or(0)
}

/// The corner's own point of the pad.
fn tip(pad: Rect, corner: usize) -> Pos2 {
    [
        pad.left_top(),
        pad.right_top(),
        pad.left_bottom(),
        pad.right_bottom(),
    ][corner]
}

/// The quarter of the pad that is nearest to a corner.
fn quarter(pad: Rect, corner: usize) -> Rect {
    Rect::from_two_pos(tip(pad, corner), pad.center())
}

fn is_preset(path: &Path) -> bool {
    path.extension()
        .and_then(OsStr::to_str)
        .is_some_and(|extension| extension.eq_ignore_ascii_case(PRESET_EXTENSION))
}

/// Takes what was let go, and shows where what is held over the window would go.
pub fn show(ui: &Ui, layout: &Layout, snapshot: &Snapshot, commands: &mut Commands) {
    let (hovered, dropped, pointer) = ui.input(|input| {
        let hovered: Vec<PathBuf> = input
            .raw
            .hovered_files
            .iter()
            .filter_map(|file| file.path.clone())
            .collect();
        let dropped: Vec<PathBuf> = input
            .raw
            .dropped_files
            .iter()
            .map(|file| file.path().to_path_buf())
            .collect();
        (hovered, dropped, input.pointer.latest_pos())
    });
    let corner = corner_at(layout, pointer.unwrap_or(layout.pad.center()), snapshot);
    if !dropped.is_empty() {
        commands.push(Command::Open(corner, dropped));
    } else if let Some(first) = hovered.first() {
        paint(ui, layout, corner, first, hovered.len());
    }
}

fn paint(ui: &Ui, layout: &Layout, corner: usize, first: &Path, count: usize) {
    let painter = ui
        .ctx()
        .layer_painter(LayerId::new(Order::Foreground, egui::Id::unique("drop")));
    let name = first.file_name().unwrap_or_default().to_string_lossy();
    let (place, colour, text) = if is_preset(first) {
        (layout.pad, theme::CORNERS[3], format!("Load the preset {name}"))
    } else {
        let letter = CORNER_NAMES[corner];
        let text = match count {
            1 => format!("{name} into corner {letter}"),
            count => format!("{count} files into corner {letter} and the empty ones"),
        };
        (quarter(layout.pad, corner), theme::CORNERS[corner], text)
    };
    painter.rect(
        place.shrink(4.0),
        theme::PAD_RADIUS,
        colour.gamma_multiply(0.25),
        Stroke::new(2.5, colour),
        StrokeKind::Inside,
    );
    let galley = {
        let mut job =
            egui::text::LayoutJob::simple(text, theme::medium(13.0), theme::TEXT, place.width() - 40.0);
        job.halign = egui::Align::Center;
        painter.layout_job(job)
    };
    let room = Rect::from_center_size(place.center(), galley.size() + vec2(20.0, 14.0));
    painter.rect_filled(room, 6.0, theme::GROUND.gamma_multiply(0.85));
    let top = Align2::CENTER_CENTER.anchor_size(room.center(), galley.size());
    painter.galley(egui::pos2(room.center().x, top.top()), galley, theme::TEXT);
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;
    use crate::snapshot::CornerView;

    fn layout() -> Layout {
        Layout::new(Rect::from_min_size(Pos2::ZERO, vec2(1120.0, 740.0)), false)
    }

    fn filled(corners: [bool; 4]) -> Snapshot {
        Snapshot {
            corners: corners.map(|is_filled| is_filled.then(CornerView::default)),
            ..Default::default()
        }
    }

    #[test]
    fn a_quarter_of_the_pad_and_a_label_are_their_corners() {
        let (layout, full) = (layout(), filled([true; 4]));
        for corner in 0..4 {
            let inside = tip(layout.pad, corner).lerp(layout.pad.center(), 0.4);
            assert_eq!(corner_at(&layout, inside, &full), corner);
            assert_eq!(corner_at(&layout, layout.corners[corner].center(), &full), corner);
        }
    }

    #[test]
    fn elsewhere_the_first_empty_corner_takes_it_and_the_nearest_if_none_is() {
        let layout = layout();
        let keys = layout.keyboard.right_center();
        assert_eq!(corner_at(&layout, keys, &filled([true, false, true, false])), 1);
        assert_eq!(corner_at(&layout, keys, &filled([true; 4])), 3);
        assert_eq!(corner_at(&layout, pos2(2.0, 60.0), &filled([true; 4])), 0);
    }

    #[test]
    fn presets_are_known_by_their_ending() {
        assert!(is_preset(Path::new("a/Dusk.TOML")));
        assert!(!is_preset(Path::new("toml")) && !is_preset(Path::new("a.toml.wav")));
    }
}
