//! The blend pad: a place between four corners, held by a puck. Window thread.
//!
//! The puck is taken by pressing anywhere on the pad; near the puck it is taken where it is, without a jump. Shift moves
//! it finely, a double click puts it back in the middle.

use egui::{Color32, Mesh, Pos2, Rect, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, pos2, vec2};

use betwixt_engine::parameter::Parameter;

use crate::command::{Command, Commands};
use crate::puck;
use crate::snapshot::{GridView, Snapshot};
use crate::theme;

/// What shift divides a movement by.
pub const FINE_DRAG: f32 = 0.1;

/// Rows and columns of the gradient's mesh.
const GRADIENT_STEPS: usize = 28;
/// How opaque a corner's colour is in the corner itself.
const CORNER_OPACITY: f32 = 0.62;
const GRID_LINES: usize = 8;
/// Radius of the dot of a place that a slow model renders, in points.
const CELL_RADIUS: f32 = 3.0;

/// Where on the screen a blend lies; x from left, y from the bottom, each 0..1.
pub fn to_screen(pad: Rect, blend: Vec2) -> Pos2 {
    pos2(
        pad.left() + pad.width() * blend.x,
        pad.bottom() - pad.height() * blend.y,
    )
}

/// The blend of a place on the screen, held within the pad.
pub fn to_blend(pad: Rect, place: Pos2) -> Vec2 {
    vec2(
        (place.x - pad.left()) / pad.width(),
        (pad.bottom() - place.y) / pad.height(),
    )
    .clamp(Vec2::ZERO, Vec2::splat(1.0))
}

/// Shows the pad and takes the puck's movements.
pub fn show(ui: &mut Ui, pad: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    let response = ui.interact(pad, ui.scope_id().with("pad"), Sense::click_and_drag());
    let x = snapshot.parameter(Parameter::BlendX);
    let y = snapshot.parameter(Parameter::BlendY);
    let blend = vec2(x.normalized, y.normalized);
    let puck = to_screen(pad, blend);

    // Between press and release the place under the hand, in blend units, without the clamping at the edges.
    let held = response.id.with("held");
    let pressed = response.is_pointer_button_down_on() && ui.input(|input| input.pointer.primary_pressed());
    let both = [Parameter::BlendX, Parameter::BlendY];
    let set = |commands: &mut Commands, blend: Vec2| {
        commands.push(Command::Set(Parameter::BlendX, blend.x));
        commands.push(Command::Set(Parameter::BlendY, blend.y));
    };
    if pressed && let Some(pointer) = response.interact_pointer_pos() {
        let start = if puck::is_at(puck, pointer) {
            blend
        } else {
            to_blend(pad, pointer)
        };
        ui.data_mut(|data| data.insert_temp(held, start));
        commands.extend(both.map(Command::Begin));
        set(commands, start);
    } else if let Some(place) = ui.data(|data| data.get_temp::<Vec2>(held)) {
        let (delta, is_fine, is_down) = ui.input(|input| {
            (
                input.pointer.delta(),
                input.modifiers.shift,
                input.pointer.primary_down(),
            )
        });
        let scale = if is_fine { FINE_DRAG } else { 1.0 };
        let place = place + vec2(delta.x / pad.width(), -delta.y / pad.height()) * scale;
        if delta != Vec2::ZERO {
            set(commands, place.clamp(Vec2::ZERO, Vec2::splat(1.0)));
        }
        if is_down {
            ui.data_mut(|data| data.insert_temp(held, place));
        } else {
            ui.data_mut(|data| data.remove::<Vec2>(held));
            commands.extend(both.map(Command::End));
        }
    } else if response.clicked()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        // Pressed and released between two frames.
        commands.extend(both.map(Command::Begin));
        set(commands, to_blend(pad, pointer));
        commands.extend(both.map(Command::End));
    }
    if response.double_clicked() {
        commands.extend(both.map(Command::Reset));
    }
    let is_held = ui.data(|data| data.get_temp::<Vec2>(held).is_some());

    paint_ground(ui, pad);
    if let Some(grid) = snapshot.grid {
        paint_cells(ui, pad, grid);
    }
    let modulated = vec2(x.modulated, y.modulated);
    let painter = ui.painter().with_clip_rect(pad);
    if modulated != blend {
        painter.circle_filled(to_screen(pad, modulated), 5.0, Color32::from_white_alpha(191));
    }
    let colour = theme::blend(snapshot.weights);
    puck::paint(&painter, puck, colour, is_held || response.hovered());
    response.on_hover_cursor(egui::CursorIcon::Crosshair);
}

/// The places that a slow model's notes are rendered at: filled where the key struck last is ready.
fn paint_cells(ui: &Ui, pad: Rect, grid: GridView) {
    let painter = ui.painter().with_clip_rect(pad);
    let last = f32::from(grid.side.max(2) - 1);
    for (index, (row, column)) in (0..grid.side)
        .flat_map(|row| (0..grid.side).map(move |column| (row, column)))
        .enumerate()
    {
        // At the edges the dots would be cut in halves.
        let place = to_screen(
            pad.shrink(CELL_RADIUS + 2.0),
            vec2(f32::from(column), f32::from(row)) / last,
        );
        if grid.ready_cells & 1 << index != 0 {
            painter.circle_filled(place, CELL_RADIUS, Color32::from_white_alpha(150));
        } else {
            let line = Stroke::new(1.0, Color32::from_white_alpha(90));
            painter.circle_stroke(place, CELL_RADIUS, line);
        }
    }
}

fn paint_ground(ui: &Ui, pad: Rect) {
    let painter = ui.painter();
    painter.add(Shape::mesh(gradient(pad)));
    // The mesh has hard edges; this line smooths them.
    painter.rect_stroke(
        pad,
        theme::PAD_RADIUS,
        Stroke::new(1.5, theme::GROUND),
        StrokeKind::Middle,
    );
    let line = Stroke::new(0.6, Color32::from_white_alpha(13));
    let inner = pad.shrink(8.0);
    for step in 1..GRID_LINES {
        let part = step as f32 / GRID_LINES as f32;
        painter.vline(pad.left() + pad.width() * part, inner.y_range(), line);
        painter.hline(inner.x_range(), pad.top() + pad.height() * part, line);
    }
}

/// The four corners' colours, each fading to nothing one side away, laid over each other.
fn gradient_at(x: f32, y: f32) -> Color32 {
    let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
    let mut colour = theme::PAD_GROUND;
    for ((corner_x, corner_y), over) in corners.into_iter().zip(theme::CORNERS) {
        let distance = vec2(x - corner_x, y - corner_y).length();
        colour = theme::compose(colour, over, CORNER_OPACITY * (1.0 - distance).max(0.0));
    }
    colour
}

/// How far the rounded corners cut into the pad's left and right edge, `from_edge` points from its top or bottom.
fn corner_inset(from_edge: f32) -> f32 {
    let radius = theme::PAD_RADIUS;
    let rise = (radius - from_edge).clamp(0.0, radius);
    radius - (radius * radius - rise * rise).sqrt()
}

fn gradient(pad: Rect) -> Mesh {
    let radius = theme::PAD_RADIUS;
    let arc_steps = 8;
    // Rows stand close in the rounded corners and evenly between them.
    let arc = |step: usize| {
        let angle = std::f32::consts::FRAC_PI_2 * step as f32 / arc_steps as f32;
        radius * (1.0 - angle.cos())
    };
    let mut rows: Vec<f32> = (0..arc_steps).map(arc).collect();
    let straight = pad.height() - 2.0 * radius;
    rows.extend((0..=GRADIENT_STEPS).map(|step| radius + straight * step as f32 / GRADIENT_STEPS as f32));
    rows.extend((0..arc_steps).rev().map(|step| pad.height() - arc(step)));

    let mut mesh = Mesh::default();
    let columns = GRADIENT_STEPS + 1;
    mesh.reserve_vertices(rows.len() * columns);
    mesh.reserve_triangles(2 * (rows.len() - 1) * GRADIENT_STEPS);
    for &row in &rows {
        let inset = corner_inset(row.min(pad.height() - row));
        for column in 0..columns {
            let part = column as f32 / GRADIENT_STEPS as f32;
            let across = inset + (pad.width() - 2.0 * inset) * part;
            let colour = gradient_at(across / pad.width(), row / pad.height());
            mesh.colored_vertex(pad.min + vec2(across, row), colour);
        }
    }
    for row in 0..rows.len() - 1 {
        for column in 0..GRADIENT_STEPS {
            let corner = (row * columns + column) as u32;
            let below = corner + columns as u32;
            mesh.add_triangle(corner, corner + 1, below);
            mesh.add_triangle(below, corner + 1, below + 1);
        }
    }
    mesh
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAD: Rect = Rect {
        min: pos2(20.0, 112.0),
        max: pos2(440.0, 532.0),
    };

    #[test]
    fn the_corners_of_the_pad_are_the_corners_of_the_blend() {
        assert_eq!(to_blend(PAD, PAD.left_top()), vec2(0.0, 1.0));
        assert_eq!(to_blend(PAD, PAD.right_top()), vec2(1.0, 1.0));
        assert_eq!(to_blend(PAD, PAD.left_bottom()), vec2(0.0, 0.0));
        assert_eq!(to_blend(PAD, PAD.right_bottom()), vec2(1.0, 0.0));
    }

    #[test]
    fn a_blend_comes_back_from_the_screen() {
        for step in 0..=40 {
            let blend = vec2(step as f32 / 40.0, 1.0 - step as f32 / 50.0);
            assert!((to_blend(PAD, to_screen(PAD, blend)) - blend).length() < 1e-5);
        }
    }

    #[test]
    fn a_place_outside_the_pad_is_held_at_its_edge() {
        assert_eq!(to_blend(PAD, pos2(-100.0, 9_000.0)), vec2(0.0, 0.0));
        assert_eq!(to_blend(PAD, pos2(9_000.0, -100.0)), vec2(1.0, 1.0));
    }

    #[test]
    fn the_gradient_stays_inside_the_pad_and_is_whole() {
        let mesh = gradient(PAD);
        assert!(mesh.is_valid());
        assert!(PAD.expand(0.01).contains_rect(mesh.calc_bounds()));
        assert_eq!(mesh.calc_bounds().height(), PAD.height());
    }

    #[test]
    fn each_corner_shows_most_of_its_own_colour() {
        let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
        for (own, (x, y)) in corners.into_iter().enumerate() {
            let expected = theme::compose(theme::PAD_GROUND, theme::CORNERS[own], CORNER_OPACITY);
            assert_eq!(gradient_at(x, y), expected);
        }
    }
}
