//! Colours, type and sizes of the window, as in `design/editor.svg`. Window thread; plain data.

use std::sync::Arc;

use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Stroke, TextStyle, Visuals, vec2,
};

/// The window's ground.
pub const GROUND: Color32 = Color32::from_rgb(0x14, 0x16, 0x1a);
/// Top bar and panels.
pub const PANEL: Color32 = Color32::from_rgb(0x1c, 0x1f, 0x25);
/// Lines around fields, dividers, the unfilled part of a knob.
pub const LINE: Color32 = Color32::from_rgb(0x2b, 0x30, 0x38);
/// What a row or a field is filled with under the pointer.
pub const HOVER: Color32 = Color32::from_rgb(0x25, 0x29, 0x31);
/// The ground under the pad's gradient.
pub const PAD_GROUND: Color32 = Color32::from_rgb(0x10, 0x12, 0x16);
/// Names and values.
pub const TEXT: Color32 = Color32::from_rgb(0xe8, 0xe6, 0xe1);
/// Labels and notes beside them.
pub const TEXT_MUTED: Color32 = Color32::from_rgb(0x8b, 0x90, 0x99);
/// A white key whose note is rendered.
pub const KEY_READY: Color32 = Color32::from_rgb(0xd9, 0xd6, 0xcf);
/// A white key whose note is not rendered.
pub const KEY_WAITING: Color32 = Color32::from_rgb(0x6b, 0x6f, 0x76);
/// A black key whose note is rendered.
pub const BLACK_KEY_READY: Color32 = Color32::from_rgb(0x17, 0x19, 0x1d);
/// A black key whose note is not rendered.
pub const BLACK_KEY_WAITING: Color32 = Color32::from_rgb(0x38, 0x3b, 0x41);

/// The colours of the corners A (top left), B (top right), C (bottom left), D (bottom right).
pub const CORNERS: [Color32; 4] = [
    Color32::from_rgb(0xff, 0x7a, 0x66),
    Color32::from_rgb(0xf4, 0xc1, 0x52),
    Color32::from_rgb(0x4c, 0xc9, 0xb0),
    Color32::from_rgb(0x9a, 0x86, 0xff),
];
/// The colour of what the user holds: envelope, meters in the red, errors.
pub const ACCENT: Color32 = CORNERS[0];
/// Something is not there yet.
pub const WAITING: Color32 = CORNERS[1];
/// All is well.
pub const GOOD: Color32 = CORNERS[2];

/// Corner radius of the pad, in points.
pub const PAD_RADIUS: f32 = 14.0;
/// Corner radius of the panels, in points.
pub const PANEL_RADIUS: u8 = 8;

const MEDIUM: &str = "Inter Medium";
const SEMI_BOLD: &str = "Inter SemiBold";

/// Text of a weight of 400.
pub fn regular(size: f32) -> FontId {
    FontId::proportional(size)
}

/// Text of a weight of 500.
pub fn medium(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(MEDIUM.into()))
}

/// Text of a weight of 600.
pub fn semi_bold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(SEMI_BOLD.into()))
}

/// The line colour of one of the dimensions of the embedding: a circle of hues at one lightness.
pub fn dimension(index: usize, count: usize) -> Color32 {
    let hue = 6.0 * index as f32 / count.max(1) as f32;
    let sector = hue as usize % 6;
    let fraction = hue.fract();
    let (low, high) = (0x6d as f32, 0xf2 as f32);
    let rising = low + (high - low) * fraction;
    let falling = high - (high - low) * fraction;
    let [r, g, b] = [
        [high, rising, low],
        [falling, high, low],
        [low, high, rising],
        [low, falling, high],
        [rising, low, high],
        [high, low, falling],
    ][sector];
    Color32::from_rgb(r as u8, g as u8, b as u8)
}

/// The corners' colours mixed by the weights of a blend; grey when no corner holds a sound.
pub fn blend(weights: [f32; 4]) -> Color32 {
    let sum: f32 = weights.iter().map(|weight| weight.max(0.0)).sum();
    if sum <= 0.0 {
        return TEXT_MUTED;
    }
    let channel = |read: fn(&Color32) -> u8| {
        let mixed: f32 = CORNERS
            .iter()
            .zip(weights)
            .map(|(colour, weight)| f32::from(read(colour)) * weight.max(0.0) / sum)
            .sum();
        mixed.round() as u8
    };
    Color32::from_rgb(channel(Color32::r), channel(Color32::g), channel(Color32::b))
}

/// `over` laid on `under` with `opacity` (0..1), as SVG composes: in the stored, gamma-coded values.
pub fn compose(under: Color32, over: Color32, opacity: f32) -> Color32 {
    under.lerp_to_gamma(over, opacity.clamp(0.0, 1.0))
}

/// Paints a panel with its title.
pub fn panel(painter: &egui::Painter, rect: egui::Rect, title: &str) {
    painter.rect_filled(rect, CornerRadius::same(PANEL_RADIUS), PANEL);
    let place = rect.min + vec2(14.0, 16.0);
    painter.text(place, egui::Align2::LEFT_CENTER, title, regular(12.0), TEXT_MUTED);
}

/// Paints a star with five points, filled or as a line.
pub fn star(painter: &egui::Painter, centre: egui::Pos2, radius: f32, is_filled: bool, colour: Color32) {
    let point = |index: usize| {
        let angle = std::f32::consts::PI * (index as f32 / 5.0 - 0.5);
        let reach = if index.is_multiple_of(2) {
            radius
        } else {
            0.45 * radius
        };
        centre + egui::Vec2::angled(angle) * reach
    };
    let points: Vec<egui::Pos2> = (0..10).map(point).collect();
    if is_filled {
        // A star is not convex: its five points and what is between them are drawn one by one.
        for tip in (0..10).step_by(2) {
            let corners = vec![
                points[(tip + 9) % 10],
                points[tip],
                points[(tip + 1) % 10],
                centre,
            ];
            painter.add(egui::Shape::convex_polygon(corners, colour, Stroke::NONE));
        }
    } else {
        painter.add(egui::Shape::closed_line(points, Stroke::new(1.2, colour)));
    }
}

/// Paints a button of a word or two and tells whether it was clicked; one that is not enabled only stands there.
pub fn button(ui: &mut egui::Ui, text: &str, is_enabled: bool) -> egui::Response {
    let colour = if is_enabled { TEXT } else { TEXT_MUTED };
    let text = egui::RichText::new(text).size(12.0).color(colour);
    ui.add_enabled(is_enabled, egui::Button::new(text))
}

/// Paints a word that is on or off, such as a filter, and tells whether it was clicked.
pub fn chip(ui: &mut egui::Ui, text: &str, is_on: bool) -> egui::Response {
    let (fill, line, colour) = if is_on {
        (compose(PANEL, CORNERS[3], 0.35), CORNERS[3], TEXT)
    } else {
        (GROUND, LINE, TEXT_MUTED)
    };
    let text = egui::RichText::new(text).size(11.0).color(colour);
    ui.add(
        egui::Button::new(text)
            .fill(fill)
            .stroke(Stroke::new(1.0, line))
            .corner_radius(10),
    )
}

/// Gives a new window its fonts and its style.
pub fn install(context: &egui::Context) {
    context.set_fonts(fonts());
    context.set_theme(egui::Theme::Dark);
    context.style_mut_of(egui::Theme::Dark, |style| {
        style.visuals = visuals();
        style.text_styles = [
            (TextStyle::Small, regular(10.0)),
            (TextStyle::Body, regular(12.0)),
            (TextStyle::Button, regular(12.0)),
            (TextStyle::Heading, semi_bold(14.0)),
            (TextStyle::Monospace, FontId::monospace(12.0)),
        ]
        .into();
        style.spacing.item_spacing = vec2(8.0, 4.0);
        style.spacing.menu_margin = egui::Margin::same(10);
        style.spacing.button_padding = vec2(10.0, 4.0);
        style.spacing.scroll = egui::style::ScrollStyle::thin();
        style.interaction.selectable_labels = false;
        style.interaction.tooltip_delay = 0.35;
    });
    context.options_mut(|options| {
        // Shortcuts belong to the host: the zoom has its place in the menu of the top bar.
        options.zoom_with_keyboard = false;
        options.quit_shortcuts.clear();
    });
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let fallback = fonts
        .families
        .get(&FontFamily::Proportional)
        .cloned()
        .unwrap_or_default();
    let faces: [(&str, FontFamily, &'static [u8]); 3] = [
        (
            "Inter",
            FontFamily::Proportional,
            include_bytes!("../fonts/Inter-Regular.otf"),
        ),
        (
            MEDIUM,
            FontFamily::Name(MEDIUM.into()),
            include_bytes!("../fonts/Inter-Medium.otf"),
        ),
        (
            SEMI_BOLD,
            FontFamily::Name(SEMI_BOLD.into()),
            include_bytes!("../fonts/Inter-SemiBold.otf"),
        ),
    ];
    for (name, family, bytes) in faces {
        fonts
            .font_data
            .insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        let mut names = vec![name.to_owned()];
        names.extend(fallback.iter().cloned());
        fonts.families.insert(family, names);
    }
    fonts
}

fn visuals() -> Visuals {
    let mut visuals = Visuals::dark();
    let radius = CornerRadius::same(6);
    visuals.panel_fill = GROUND;
    visuals.window_fill = PANEL;
    visuals.window_stroke = Stroke::new(1.0, LINE);
    visuals.window_corner_radius = CornerRadius::same(PANEL_RADIUS);
    visuals.menu_corner_radius = CornerRadius::same(PANEL_RADIUS);
    visuals.extreme_bg_color = GROUND;
    visuals.faint_bg_color = HOVER;
    visuals.override_text_color = None;
    visuals.selection.bg_fill = compose(PANEL, CORNERS[3], 0.45);
    visuals.selection.stroke = Stroke::new(1.0, CORNERS[3]);
    visuals.error_fg_color = ACCENT;
    visuals.warn_fg_color = WAITING;
    let widgets = &mut visuals.widgets;
    for (widget, fill, text) in [
        (&mut widgets.noninteractive, PANEL, TEXT),
        (&mut widgets.inactive, GROUND, TEXT),
        (&mut widgets.hovered, HOVER, TEXT),
        (&mut widgets.active, LINE, TEXT),
        (&mut widgets.open, HOVER, TEXT),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, LINE);
        widget.fg_stroke = Stroke::new(1.0, text);
        widget.corner_radius = radius;
        widget.expansion = 0.0;
    }
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blend_that_is_all_one_corner_has_its_colour() {
        for corner in 0..4 {
            let mut weights = [0.0; 4];
            weights[corner] = 1.0;
            assert_eq!(blend(weights), CORNERS[corner]);
        }
    }

    #[test]
    fn an_empty_pad_is_grey() {
        assert_eq!(blend([0.0; 4]), TEXT_MUTED);
    }

    #[test]
    fn the_dimensions_have_the_hues_of_the_design() {
        assert_eq!(dimension(0, 16), Color32::from_rgb(0xf2, 0x6d, 0x6d));
        assert_eq!(dimension(8, 16), Color32::from_rgb(0x6d, 0xf2, 0xf2));
    }
}
