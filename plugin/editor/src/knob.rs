//! A knob: an arc from the lowest to the highest value, dragged up and down. Window thread.

use egui::{Align2, Color32, CursorIcon, Painter, Pos2, Rect, Sense, Shape, Stroke, Ui, Vec2, pos2, vec2};

use betwixt_engine::parameter::Parameter;

use crate::command::{Command, Commands};
use crate::parameter_drag;
use crate::snapshot::Snapshot;
use crate::theme;
use crate::value_field;

/// Radius of the arc, in points.
const RADIUS: f32 = 19.0;
/// Where the lowest value stands: left of straight down, clockwise from the right as the screen has it.
const START_ANGLE: f32 = 0.75 * std::f32::consts::PI;
/// The whole way of the arc.
const SWEEP: f32 = 1.5 * std::f32::consts::PI;
/// Parts of the range that a point of dragging is worth.
const RANGE_PER_POINT: f32 = 1.0 / 160.0;
/// Points from the top of a knob to the bottom of its value.
pub const HEIGHT: f32 = 84.0;

/// What a knob turns, and how it looks.
#[derive(Debug, Clone, Copy)]
pub struct Knob<'a> {
    /// The parameter.
    pub parameter: Parameter,
    /// The word under the knob.
    pub label: &'a str,
    /// The arc's colour.
    pub colour: Color32,
    /// Where the arc grows from, in parts of the range: 0 for a level, 0.5 for what has two sides.
    pub origin: f32,
}

impl Knob<'_> {
    /// Shows the knob with its top at `top` (the middle of its upper edge).
    pub fn show(self, ui: &mut Ui, top: Pos2, snapshot: &Snapshot, commands: &mut Commands) {
        let view = snapshot.parameter(self.parameter);
        let centre = top + vec2(0.0, RADIUS + 3.0);
        let id = ui.scope_id().with(("knob", self.parameter as usize));
        let face = Rect::from_center_size(centre, Vec2::splat(2.0 * RADIUS + 6.0));
        let response = ui.interact(face, id, Sense::click_and_drag());
        let delta = -response.drag_delta().y * RANGE_PER_POINT;
        parameter_drag::drag(ui, &response, self.parameter, view.normalized, delta, commands);
        if response.double_clicked() {
            commands.push(Command::Reset(self.parameter));
        }
        let is_lit = response.hovered() || response.dragged();
        self.paint(ui.painter(), centre, view.normalized, view.modulated, is_lit);
        response.on_hover_cursor(CursorIcon::ResizeVertical);

        let label = pos2(centre.x, top.y + 55.0);
        ui.painter().text(
            label,
            Align2::CENTER_CENTER,
            self.label,
            theme::regular(11.0),
            theme::TEXT_MUTED,
        );
        let value = Rect::from_center_size(label + vec2(0.0, 17.0), vec2(50.0, 17.0));
        value_field::show(ui, value, self.parameter, snapshot, commands);
    }

    fn paint(&self, painter: &Painter, centre: Pos2, value: f32, modulated: f32, is_lit: bool) {
        let ground = if is_lit {
            theme::compose(theme::LINE, Color32::WHITE, 0.08)
        } else {
            theme::LINE
        };
        painter.extend(arc(centre, 0.0, 1.0, Stroke::new(4.0, ground)));
        let (low, high) = (value.min(self.origin), value.max(self.origin));
        painter.extend(arc(centre, low, high, Stroke::new(4.0, self.colour)));
        let pointer = Vec2::angled(angle(value));
        painter.line_segment(
            [centre + pointer * 7.0, centre + pointer * 13.0],
            Stroke::new(2.0, self.colour),
        );
        if modulated != value {
            painter.circle_filled(
                centre + Vec2::angled(angle(modulated)) * RADIUS,
                2.5,
                Color32::WHITE,
            );
        }
    }
}

fn angle(value: f32) -> f32 {
    START_ANGLE + SWEEP * value
}

/// A piece of a knob's circle with round ends; nothing when it has no length.
fn arc(centre: Pos2, from: f32, to: f32, stroke: Stroke) -> Vec<Shape> {
    if to - from < 1e-3 {
        return Vec::new();
    }
    let steps = ((to - from) * 48.0).ceil().max(2.0) as usize;
    let at = |part: f32| centre + Vec2::angled(angle(part)) * RADIUS;
    let points: Vec<Pos2> = (0..=steps)
        .map(|step| at(from + (to - from) * step as f32 / steps as f32))
        .collect();
    let ends =
        [points[0], points[steps]].map(|end| Shape::circle_filled(end, stroke.width / 2.0, stroke.color));
    let mut shapes = vec![Shape::line(points, stroke)];
    shapes.extend(ends);
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arc_is_open_at_the_bottom() {
        let (low, high) = (Vec2::angled(angle(0.0)), Vec2::angled(angle(1.0)));
        assert!((low.x + high.x).abs() < 1e-6 && low.x < 0.0);
        assert!(low.y > 0.0 && high.y > 0.0);
        assert!((Vec2::angled(angle(0.5)) - vec2(0.0, -1.0)).length() < 1e-6);
    }

    #[test]
    fn an_arc_of_no_length_is_not_drawn() {
        assert!(arc(Pos2::ZERO, 0.5, 0.5, Stroke::new(4.0, Color32::WHITE)).is_empty());
    }
}
