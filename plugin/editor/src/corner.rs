//! A corner's label: its sound, family, pitch and part of the blend; a click opens the sound picker. Window thread.
//!
//! While a recording is becoming its sound, the label says how far that is, and the sound before goes on playing.

use egui::{Align2, Painter, Popup, PopupCloseBehavior, Rect, RectAlign, Sense, Ui, pos2, vec2};

use crate::command::{Command, Commands};
use crate::import_bench::ImportView;
use crate::pitch_text;
use crate::snapshot::{CornerView, Snapshot};
use crate::sound_picker;
use crate::theme;

/// Height of the bar that shows how far an import is, in points.
const BAR_HEIGHT: f32 = 3.0;

/// Shows the label of the corner 0..4 (A, B on the top, C, D at the bottom).
pub fn show(ui: &mut Ui, rect: Rect, corner: usize, snapshot: &Snapshot, commands: &mut Commands) {
    let is_right = corner % 2 == 1;
    let response = ui.interact(rect, ui.scope_id().with(("corner", corner)), Sense::click());
    let is_open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
    if response.hovered() || is_open {
        ui.painter().rect_filled(rect, 6.0, theme::PANEL);
    }
    paint(ui, rect, corner, is_right, snapshot);
    if snapshot.imports[corner].is_some() {
        show_cancel(ui, rect, corner, is_right, commands);
    }

    let align = match corner {
        0 => RectAlign::BOTTOM_START,
        1 => RectAlign::BOTTOM_END,
        2 => RectAlign::TOP_START,
        _ => RectAlign::TOP_END,
    };
    Popup::from_toggle_button_response(&response)
        .align(align)
        .gap(4.0)
        .width(sound_picker::WIDTH)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            if sound_picker::show(ui, corner, snapshot, commands) {
                ui.close();
            }
        });
    if !is_open {
        response
            .on_hover_text(hint(snapshot.corners[corner].as_ref()))
            .on_hover_cursor(egui::CursorIcon::PointingHand);
    }
}

/// What stands under the pointer: where the sound's pitch comes from, and what a click does.
fn hint(sound: Option<&CornerView>) -> String {
    let click = "Click to choose the sound of this corner, to open a recording, or to correct its pitch";
    let Some(sound) = sound else {
        return "Click to choose the sound of this corner, or drop a recording on it".into();
    };
    let recorded = match (sound.is_unpitched, sound.confidence) {
        (true, _) => "No pitch was found: other keys play it faster and slower".to_owned(),
        (false, Some(confidence)) => format!(
            "Recorded at {}, {:.0} % sure",
            pitch_text::text(sound.pitch),
            confidence * 100.0
        ),
        (false, None) => format!("Recorded at {}", pitch_text::text(sound.pitch)),
    };
    format!("{recorded}\n{click}")
}

fn paint(ui: &Ui, rect: Rect, corner: usize, is_right: bool, snapshot: &Snapshot) {
    let painter = ui.painter().with_clip_rect(rect);
    let (edge, inwards, align) = if is_right {
        (rect.right_top(), -1.0, Align2::RIGHT_CENTER)
    } else {
        (rect.left_top(), 1.0, Align2::LEFT_CENTER)
    };
    let colour = theme::CORNERS[corner];
    let dot = edge + vec2(6.0 * inwards, 15.0);
    let name_place = edge + vec2(18.0 * inwards, 15.0);
    let detail_place = edge + vec2(18.0 * inwards, 32.0);
    let percent = (snapshot.weights[corner] * 100.0).round();
    if let Some(import) = &snapshot.imports[corner] {
        paint_import(ui, &painter, rect, is_right, import, colour);
        let name = snapshot.corners[corner]
            .as_ref()
            .map_or("Empty", |sound| sound.name.as_str());
        painter.circle_stroke(dot, 4.5, (1.5, colour));
        painter.text(name_place, align, name, theme::semi_bold(14.0), theme::TEXT_MUTED);
        return;
    }
    if let Some(sound) = &snapshot.corners[corner] {
        painter.circle_filled(dot, 5.0, colour);
        painter.text(
            name_place,
            align,
            &sound.name,
            theme::semi_bold(14.0),
            theme::TEXT,
        );
        let pitch = if sound.is_unpitched {
            "no pitch".into()
        } else {
            pitch_text::key_name(sound.pitch)
        };
        let mut parts = vec![pitch, format!("{percent} %")];
        if !sound.family.is_empty() {
            parts.insert(0, sound.family.clone());
        }
        painter.text(
            detail_place,
            align,
            parts.join(" · "),
            theme::regular(11.0),
            theme::TEXT_MUTED,
        );
    } else {
        painter.circle_stroke(dot, 4.5, (1.5, colour));
        painter.text(
            name_place,
            align,
            "Empty",
            theme::semi_bold(14.0),
            theme::TEXT_MUTED,
        );
        painter.text(
            detail_place,
            align,
            "choose a sound, or drop one here",
            theme::regular(11.0),
            theme::TEXT_MUTED,
        );
    }
}

/// What is being done for the corner, and a bar that is as long as it is far.
fn paint_import(
    ui: &Ui,
    painter: &Painter,
    rect: Rect,
    is_right: bool,
    import: &ImportView,
    colour: egui::Color32,
) {
    let left = rect.left() + if is_right { 24.0 } else { 18.0 };
    let room = Rect::from_min_max(
        pos2(left, rect.top() + 24.0),
        pos2(left + rect.width() - 42.0, rect.bottom()),
    );
    let mut job = egui::text::LayoutJob::simple_singleline(
        import.text.clone(),
        theme::regular(11.0),
        theme::TEXT_MUTED,
    );
    job.wrap = egui::text::TextWrapping::truncate_at_width(room.width());
    let galley = painter.layout_job(job);
    let text = if is_right {
        pos2(room.right() - galley.size().x, room.top())
    } else {
        room.min
    };
    painter.galley(text, galley, theme::TEXT_MUTED);
    let bar = Rect::from_min_size(
        pos2(room.left(), rect.bottom() - BAR_HEIGHT),
        vec2(room.width(), BAR_HEIGHT),
    );
    painter.rect_filled(bar, BAR_HEIGHT / 2.0, theme::LINE);
    let (from, to) = import.part.map_or_else(
        || {
            // Nobody knows how far it is: a piece goes to and fro.
            let middle = 0.5 - 0.4 * (2.0 * ui.input(|input| input.time)).cos() as f32;
            (middle - 0.1, middle + 0.1)
        },
        |part| (0.0, part.clamp(0.0, 1.0)),
    );
    let filled = Rect::from_min_max(
        pos2(bar.left() + bar.width() * from, bar.top()),
        pos2(bar.left() + bar.width() * to, bar.bottom()),
    );
    painter.rect_filled(filled, BAR_HEIGHT / 2.0, colour);
}

/// The cross that calls an import off, at the label's inner end.
fn show_cancel(ui: &Ui, rect: Rect, corner: usize, is_right: bool, commands: &mut Commands) {
    let x = if is_right {
        rect.left() + 10.0
    } else {
        rect.right() - 10.0
    };
    let place = Rect::from_center_size(pos2(x, rect.center().y + 8.0), vec2(20.0, 20.0));
    let response = ui.interact(place, ui.scope_id().with(("cancel", corner)), Sense::click());
    let colour = if response.hovered() {
        theme::TEXT
    } else {
        theme::TEXT_MUTED
    };
    let arm = 4.0;
    for (from, to) in [
        (vec2(-arm, -arm), vec2(arm, arm)),
        (vec2(-arm, arm), vec2(arm, -arm)),
    ] {
        ui.painter()
            .line_segment([place.center() + from, place.center() + to], (1.5, colour));
    }
    if response.clicked() {
        commands.push(Command::CancelImport(corner));
    }
    response.on_hover_text("Stop; the sound before stays");
}
