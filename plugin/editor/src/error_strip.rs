//! The strip that says what is wrong, in the engine's own sentence. Window thread.

use egui::{Align2, Rect, Sense, Ui, vec2};

use crate::command::{Command, Commands};
use crate::theme;

/// Shows the gravest problem; the others stand in the text under the pointer. A click takes away what was read.
pub fn show(ui: &mut Ui, strip: Rect, problems: &[String], commands: &mut Commands) {
    let Some(first) = problems.first() else { return };
    let response = ui.interact(strip, ui.scope_id().with("error_strip"), Sense::click());
    if response.clicked() {
        commands.push(Command::DismissTrouble);
    }
    let painter = ui.painter().with_clip_rect(strip);
    painter.rect_filled(strip, 0.0, theme::compose(theme::GROUND, theme::ACCENT, 0.16));
    let mark = strip.left_center() + vec2(27.0, 0.0);
    painter.circle_filled(mark, 7.0, theme::ACCENT);
    painter.text(
        mark,
        Align2::CENTER_CENTER,
        "!",
        theme::semi_bold(11.0),
        theme::GROUND,
    );
    let mut text = first.clone();
    if problems.len() > 1 {
        text = format!("{text}  (+{})", problems.len() - 1);
    }
    let room = strip.width() - 64.0;
    let place = strip.left_center() + vec2(44.0, 0.0);
    let galley = elided(&painter, text, room);
    painter.galley(place - vec2(0.0, galley.size().y / 2.0), galley, theme::TEXT);
    response.on_hover_ui(|ui| {
        for problem in problems {
            ui.label(problem);
        }
    });
}

fn elided(painter: &egui::Painter, text: String, width: f32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text, theme::regular(12.0), theme::TEXT);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}
