//! The embedding of the blend as curves over time, one a dimension. Window thread; paints only.

use egui::{Align2, Color32, Rect, Stroke, Ui, pos2, vec2};

use betwixt_engine::decoder::Conditioning;
use betwixt_engine::note_render::BlendedNote;
use betwixt_engine::patch::Patch;

use crate::layout::within;
use crate::snapshot::Snapshot;
use crate::theme;

/// Points of a curve; more than the panel can show is of no use.
pub const MAX_POINTS: usize = 320;

/// The curves, thinned to what a panel can show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddingCurves {
    /// One curve for each dimension; all have the same number of points, at even times. Values -1..1.
    pub curves: Vec<Vec<f32>>,
    /// Embedding frames from the first to the last.
    pub frames: usize,
    /// The sustain loop, in parts of the whole time.
    pub sustain: Option<(f32, f32)>,
}

impl EmbeddingCurves {
    /// The curves of a blend, read as a note that is held would read them; none if no corner is heard.
    pub fn of_blend(patch: &Patch, weights: [f32; 4]) -> Option<Self> {
        let heard = || {
            let pairs = patch.corners().iter().zip(weights);
            pairs
                .filter(|(_, weight)| *weight != 0.0)
                .filter_map(|(sound, weight)| Some((sound.as_ref()?, weight)))
        };
        let frames = heard().map(|(sound, _)| sound.embedding.frames()).max()?;
        let dims = heard().next()?.0.embedding.dims();
        let blend = BlendedNote::new(patch.corners(), weights, 60.0, dims, 1)?;
        let points = frames.min(MAX_POINTS);
        let mut curves = vec![Vec::with_capacity(points); dims];
        let mut vector = vec![0.0; dims];
        for point in 0..points {
            let frame = point * (frames - 1) / (points - 1).max(1);
            blend.read(frame, &mut vector, &mut [0.0]);
            for (curve, value) in curves.iter_mut().zip(&vector) {
                curve.push(*value);
            }
        }
        // Each sound has a loop of its own; the picture shows that of the sound that is heard most.
        let last = (frames - 1).max(1) as f32;
        let (loudest, _) = heard().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let sustain = loudest.loop_region.map(|region| {
            (
                region.start_frame as f32 / last,
                (region.end_frame as f32 / last).min(1.0),
            )
        });
        Some(Self {
            curves,
            frames,
            sustain,
        })
    }

    /// The largest value of all curves, without its sign.
    fn span(&self) -> f32 {
        self.curves
            .iter()
            .flatten()
            .fold(0.0_f32, |span, value| span.max(value.abs()))
    }
}

/// Shows the panel.
pub fn show(ui: &Ui, panel: Rect, snapshot: &Snapshot) {
    theme::panel(ui.painter(), panel, "Embedding of the blend");
    let graph = Rect::from_min_max(panel.min + vec2(12.0, 32.0), panel.max - vec2(12.0, 12.0));
    let Some(curves) = &snapshot.embedding else {
        ui.painter().text(
            graph.center(),
            Align2::CENTER_CENTER,
            "Put a sound into a corner to begin",
            theme::regular(13.0),
            theme::TEXT_MUTED,
        );
        return;
    };
    let painter = ui.painter();
    painter.text(
        pos2(panel.right() - 14.0, panel.top() + 16.0),
        Align2::RIGHT_CENTER,
        format!("{} × {} frames", curves.curves.len(), curves.frames),
        theme::regular(11.0),
        theme::TEXT_MUTED,
    );
    if let Some((from, to)) = curves.sustain {
        let region = Rect::from_min_max(within(graph, from, 0.0), within(graph, to, 1.0));
        painter.rect_filled(region, 4.0, Color32::from_white_alpha(13));
        let edge = Stroke::new(1.0, theme::TEXT.gamma_multiply(0.5));
        painter.vline(region.left(), region.y_range(), edge);
        painter.vline(region.right(), region.y_range(), edge);
    }
    // The curves fill the panel however quiet they are, but a flat embedding stays flat.
    let half = 1.0 / (2.0 * curves.span().max(0.25));
    let count = curves.curves.len();
    for (dimension, values) in curves.curves.iter().enumerate() {
        let last = values.len().saturating_sub(1).max(1) as f32;
        let place = |(index, value): (usize, &f32)| within(graph, index as f32 / last, 0.5 - value * half);
        let points = values.iter().enumerate().map(place).collect();
        let colour = theme::dimension(dimension, count).gamma_multiply(0.9);
        painter.line(points, Stroke::new(1.4, colour));
    }
    if let Some((from, to)) = curves.sustain
        && (to - from) * graph.width() > 60.0
    {
        let label = Rect::from_center_size(
            within(graph, (from + to) / 2.0, 1.0) - vec2(0.0, 10.0),
            vec2(46.0, 15.0),
        );
        painter.rect_filled(label, 7.5, theme::PANEL);
        painter.text(
            label.center(),
            Align2::CENTER_CENTER,
            "sustain",
            theme::regular(10.0),
            theme::TEXT_MUTED,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_is_the_largest_swing_of_any_curve() {
        let curves = EmbeddingCurves {
            curves: vec![vec![0.1, -0.8], vec![0.5, 0.2]],
            ..Default::default()
        };
        assert_eq!(curves.span(), 0.8);
        assert_eq!(EmbeddingCurves::default().span(), 0.0);
    }
}
