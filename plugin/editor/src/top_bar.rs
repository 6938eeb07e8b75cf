//! The bar at the top: the name, the preset, undo, the device, the voices, the load, the zoom. Window thread.

use egui::{
    Align2, Color32, Popup, Rect, RectAlign, RichText, Sense, Stroke, StrokeKind, Ui, Vec2, pos2, vec2,
};

use crate::command::{Command, Commands};
use crate::device_menu;
use crate::preset_bar;
use crate::snapshot::Snapshot;
use crate::theme;
use crate::window_state::ZOOMS;

/// Shows the bar.
pub fn show(ui: &mut Ui, bar: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    ui.painter().rect_filled(bar, 0.0, theme::PANEL);
    let middle = bar.center().y;
    ui.painter().text(
        pos2(bar.left() + 22.0, middle),
        Align2::LEFT_CENTER,
        "betwixt",
        theme::semi_bold(20.0),
        theme::TEXT,
    );

    let right = bar.right();
    let gear = Rect::from_center_size(pos2(right - 28.0, middle), Vec2::splat(28.0));
    let load = Rect::from_min_size(pos2(right - 120.0, middle - 5.0), vec2(70.0, 10.0));
    let voices = pos2(right - 134.0, middle);
    let device_width = 150.0;
    let device = Rect::from_min_size(
        pos2(right - 224.0 - device_width, middle - 13.0),
        vec2(device_width, 26.0),
    );
    let redo = Rect::from_center_size(pos2(device.left() - 30.0, middle), vec2(28.0, 28.0));
    let undo = redo.translate(vec2(-28.0, 0.0));
    let preset_left = bar.left() + (bar.width() - 790.0).clamp(140.0, 330.0);
    let preset_right = (preset_left + 330.0).min(undo.left() - 12.0);
    let preset = Rect::from_min_max(
        pos2(preset_left, middle - 15.0),
        pos2(preset_right, middle + 15.0),
    );

    preset_bar::show(ui, preset, snapshot, commands);
    let history = &snapshot.preset;
    show_step(ui, undo, "Undo", history.undo.as_deref(), Command::Undo, commands);
    show_step(ui, redo, "Redo", history.redo.as_deref(), Command::Redo, commands);
    device_menu::show(ui, device, snapshot, commands);
    let text = match (snapshot.voices, snapshot.waiting_voices) {
        (1, 0) => "1 voice".to_owned(),
        (voices, 0) => format!("{voices} voices"),
        (voices, waiting) => format!("{voices} + {waiting}"),
    };
    let voices = ui.painter().text(
        voices,
        Align2::RIGHT_CENTER,
        text,
        theme::regular(12.0),
        theme::TEXT_MUTED,
    );
    ui.interact(voices.expand(4.0), ui.scope_id().with("voices"), Sense::hover())
        .on_hover_text(format!(
            "{} voices sound, {} of them moving by themselves; {} wait for their first samples, {} notes are being \
             rendered",
            snapshot.voices, snapshot.streams, snapshot.waiting_voices, snapshot.rendering
        ));
    show_load(ui, load, snapshot.load);
    show_zoom(ui, gear, snapshot.zoom, commands);
}

/// The arrow that undoes or does again `what`, if there is anything.
fn show_step(ui: &Ui, rect: Rect, verb: &str, what: Option<&str>, command: Command, commands: &mut Commands) {
    let is_back = command == Command::Undo;
    let response = ui.interact(rect, ui.scope_id().with(("history", is_back)), Sense::click());
    let colour = match (what, response.hovered()) {
        (None, _) => theme::LINE,
        (Some(_), false) => theme::TEXT_MUTED,
        (Some(_), true) => theme::TEXT,
    };
    paint_step(ui, rect.center(), is_back, colour);
    let Some(what) = what else { return };
    if response.clicked() {
        commands.push(command);
    }
    response
        .on_hover_text(format!("{verb}: {what}"))
        .on_hover_cursor(egui::CursorIcon::PointingHand);
}

/// An arrow that turns back to the left, or on to the right.
fn paint_step(ui: &Ui, centre: egui::Pos2, is_back: bool, colour: Color32) {
    let side = if is_back { 1.0 } else { -1.0 };
    let at = |x: f32, y: f32| centre + vec2(x * side, y);
    let stroke = Stroke::new(1.7, colour);
    // From the tip along the upper edge and down round the right end.
    let mut points = vec![at(-6.0, -2.5), at(1.5, -2.5)];
    points.extend((0..=8).map(|step| {
        let angle = std::f32::consts::PI * (step as f32 / 8.0 - 0.5);
        at(1.5 + 3.75 * angle.cos(), 1.25 + 3.75 * angle.sin())
    }));
    points.push(at(-1.5, 5.0));
    let painter = ui.painter();
    painter.add(egui::Shape::line(points, stroke));
    painter.line_segment([at(-6.0, -2.5), at(-2.8, -5.7)], stroke);
    painter.line_segment([at(-6.0, -2.5), at(-2.8, 0.7)], stroke);
}

fn show_load(ui: &mut Ui, rect: Rect, load: f32) {
    let load = load.clamp(0.0, 1.0);
    let painter = ui.painter();
    let line = Stroke::new(1.0, theme::LINE);
    painter.rect(rect, 5.0, theme::GROUND, line, StrokeKind::Inside);
    let inner = rect.shrink(1.0);
    // A filled piece narrower than its own rounding cannot be drawn round: it begins at the height of the bar.
    let width = if load > 0.005 {
        (inner.width() * load).max(inner.height())
    } else {
        0.0
    };
    let colour = match load {
        load if load > 0.9 => theme::ACCENT,
        load if load > 0.7 => theme::WAITING,
        _ => theme::GOOD,
    };
    painter.rect_filled(
        Rect::from_min_size(inner.min, vec2(width, inner.height())),
        4.0,
        colour,
    );
    ui.interact(rect.expand(4.0), ui.scope_id().with("load"), Sense::hover())
        .on_hover_text(format!(
            "Playing takes {:.1} % of the audio thread's time",
            load * 100.0
        ));
}

fn show_zoom(ui: &mut Ui, rect: Rect, zoom: f32, commands: &mut Commands) {
    let response = ui.interact(rect, ui.scope_id().with("zoom"), Sense::click());
    let colour = if response.hovered() {
        theme::TEXT
    } else {
        theme::TEXT_MUTED
    };
    paint_gear(ui, rect.center(), colour);
    Popup::menu(&response)
        .align(RectAlign::BOTTOM_END)
        .gap(6.0)
        .width(120.0)
        .show(|ui| {
            ui.label(RichText::new("Window").color(theme::TEXT_MUTED));
            for step in ZOOMS {
                let text = RichText::new(format!("{:.0} %", step * 100.0)).color(theme::TEXT);
                if ui.radio((step - zoom).abs() < 0.01, text).clicked() {
                    commands.push(Command::SetZoom(step));
                    ui.close();
                }
            }
        });
    response.on_hover_cursor(egui::CursorIcon::PointingHand);
}

fn paint_gear(ui: &Ui, centre: egui::Pos2, colour: Color32) {
    let painter = ui.painter();
    for tooth in 0..8 {
        let direction = Vec2::angled(std::f32::consts::TAU * tooth as f32 / 8.0);
        painter.line_segment(
            [centre + direction * 4.5, centre + direction * 7.5],
            Stroke::new(2.4, colour),
        );
    }
    painter.circle_stroke(centre, 4.4, Stroke::new(2.0, colour));
}
