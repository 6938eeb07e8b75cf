//! The puck that stands for the blend on the pad. Window thread; paints only.

use egui::{Color32, Mesh, Painter, Pos2, Shape, Stroke, Vec2};

/// Radius of the ring, in points.
const RADIUS: f32 = 17.0;
/// Radius of the dot, in points.
const DOT_RADIUS: f32 = 5.0;
/// How far the glow reaches, in points.
const GLOW_RADIUS: f32 = 62.0;
const GLOW_STEPS: u32 = 48;

/// Whether a pointer takes hold of the puck itself rather than of the pad.
pub fn is_at(puck: Pos2, pointer: Pos2) -> bool {
    puck.distance(pointer) <= RADIUS + 2.0
}

/// Paints the puck with a glow of the blend's colour, stronger while it is held.
pub fn paint(painter: &Painter, puck: Pos2, colour: Color32, is_lit: bool) {
    let strength = if is_lit { 0.55 } else { 0.38 };
    let glow = colour
        .lerp_to_gamma(Color32::WHITE, 0.35)
        .gamma_multiply(strength);
    let mut mesh = Mesh::default();
    // The light falls off with the square of the distance: two rings between the puck and nothing.
    let rings = [(0.0, 1.0), (0.35, 0.48), (0.65, 0.14), (1.0, 0.0)];
    for (distance, light) in rings {
        for step in 0..GLOW_STEPS {
            let angle = std::f32::consts::TAU * step as f32 / GLOW_STEPS as f32;
            let place = puck + Vec2::angled(angle) * GLOW_RADIUS * distance;
            mesh.colored_vertex(place, glow.gamma_multiply(light));
        }
    }
    for ring in 0..rings.len() as u32 - 1 {
        for step in 0..GLOW_STEPS {
            let next = (step + 1) % GLOW_STEPS;
            let (inner, outer) = (ring * GLOW_STEPS, (ring + 1) * GLOW_STEPS);
            mesh.add_triangle(inner + step, inner + next, outer + step);
            mesh.add_triangle(outer + step, inner + next, outer + next);
        }
    }
    painter.add(Shape::mesh(mesh));
    painter.circle_stroke(puck, RADIUS, Stroke::new(2.5, Color32::WHITE));
    painter.circle_filled(puck, DOT_RADIUS, Color32::WHITE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn the_puck_is_taken_inside_its_ring_only() {
        let puck = pos2(100.0, 100.0);
        assert!(is_at(puck, pos2(112.0, 110.0)));
        assert!(!is_at(puck, pos2(125.0, 100.0)));
    }
}
