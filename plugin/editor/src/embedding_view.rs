//! The embedding of the blend as curves over time, one a dimension, and the loop of the sound that is heard most, whose ends
//! are dragged. Window thread.

use egui::{Align2, Color32, CursorIcon, Pos2, Rect, Sense, Stroke, Ui, pos2, vec2};

use betwixt_engine::decoder::Conditioning;
use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::note_render::BlendedNote;
use betwixt_engine::patch::Patch;

use crate::command::{Command, Commands};
use crate::layout::within;
use crate::snapshot::Snapshot;
use crate::theme;

/// Points of a curve; more than the panel can show is of no use.
pub const MAX_POINTS: usize = 320;

/// How near the mouse must be to an end of the loop.
const GRASP: f32 = 5.0;
/// A loop that is made by a click reaches so many frames to both sides of it.
const NEW_LOOP_REACH: usize = 8;

/// The curves, thinned to what a panel can show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddingCurves {
    /// One curve for each dimension; all have the same number of points, at even times. Values -1..1.
    pub curves: Vec<Vec<f32>>,
    /// Embedding frames from the first to the last.
    pub frames: usize,
    /// The loop of the sound that is heard most.
    pub sustain: Sustain,
}

/// Where a held note swings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sustain {
    /// The corner that the sound sits in.
    pub corner: usize,
    /// Its embedding frames.
    pub frames: usize,
    /// Its loop; none for a sound that ends by itself.
    pub region: Option<LoopRegion>,
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
        let (corner, sound) = (0..4)
            .filter_map(|corner| Some((corner, patch.corners()[corner].as_ref()?)))
            .max_by(|a, b| weights[a.0].total_cmp(&weights[b.0]))?;
        let sustain = Sustain {
            corner,
            frames: sound.embedding.frames(),
            region: sound.loop_region,
        };
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
pub fn show(ui: &Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
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
    let frame_x =
        |frame: u32| graph.left() + graph.width() * frame as f32 / (curves.frames - 1).max(1) as f32;
    let region = drag_loop(ui, graph, curves, frame_x, commands);
    let sustain = region.map(|region| {
        let ends = [region.start_frame, region.end_frame].map(frame_x);
        Rect::from_x_y_ranges(ends[0]..=ends[1], graph.y_range()).intersect(graph)
    });
    if let Some(sustain) = sustain {
        painter.rect_filled(sustain, 4.0, Color32::from_white_alpha(13));
        let edge = Stroke::new(1.0, theme::TEXT.gamma_multiply(0.5));
        painter.vline(sustain.left(), sustain.y_range(), edge);
        painter.vline(sustain.right(), sustain.y_range(), edge);
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
    if let Some(sustain) = sustain.filter(|sustain| sustain.width() > 60.0) {
        let label = Rect::from_center_size(sustain.center_bottom() - vec2(0.0, 10.0), vec2(46.0, 15.0));
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

/// The loop as it is shown: while an end is dragged it follows the mouse, and the sound is changed when it is let go, since
/// every change renders all notes anew. A double click takes the loop away, or makes one where it hits.
fn drag_loop(
    ui: &Ui,
    graph: Rect,
    curves: &EmbeddingCurves,
    frame_x: impl Fn(u32) -> f32,
    commands: &mut Commands,
) -> Option<LoopRegion> {
    let Sustain {
        corner,
        frames,
        region,
    } = curves.sustain;
    let last = frames.saturating_sub(1);
    let id = ui.scope_id().with("loop");
    let frame_at = |place: Pos2| {
        let part = (place.x - graph.left()) / graph.width();
        ((part * (curves.frames - 1) as f32).round().max(0.0) as usize).min(last)
    };
    let whole = ui.interact(graph, id, Sense::click());
    if whole.double_clicked()
        && let Some(place) = whole.interact_pointer_pos()
        && last > 0
    {
        let middle = frame_at(place);
        let made = LoopRegion {
            start_frame: middle.saturating_sub(NEW_LOOP_REACH) as u32,
            end_frame: (middle + NEW_LOOP_REACH).min(last) as u32,
        };
        commands.push(Command::SetLoop(corner, region.is_none().then_some(made)));
    }
    let Some(mut region) = region else {
        whole.on_hover_text("Double click: hold this sound here as long as a key is held");
        return None;
    };
    whole.on_hover_text(
        "Drag the ends: where the sound that is heard most swings while a key is held. Double click: it ends by itself",
    );
    let held = id.with("held");
    let ends = [region.start_frame, region.end_frame];
    for (end, frame) in ends.into_iter().enumerate() {
        let grasp = Rect::from_x_y_ranges(frame_x(frame) - GRASP..=frame_x(frame) + GRASP, graph.y_range());
        let response = ui
            .interact(grasp, id.with(end), Sense::drag())
            .on_hover_cursor(CursorIcon::ResizeHorizontal);
        if response.dragged()
            && let Some(place) = response.interact_pointer_pos()
        {
            ui.data_mut(|data| data.insert_temp(held, frame_at(place) as u32));
        }
        if let Some(frame) = ui.data(|data| data.get_temp::<u32>(held))
            && (response.dragged() || response.drag_stopped())
        {
            if end == 0 {
                region.start_frame = frame.min(region.end_frame.saturating_sub(1));
            } else {
                region.end_frame = frame.max(region.start_frame + 1);
            }
        }
        if response.drag_stopped() {
            ui.data_mut(|data| data.remove::<u32>(held));
            if ends != [region.start_frame, region.end_frame] {
                commands.push(Command::SetLoop(corner, Some(region)));
            }
        }
    }
    Some(region)
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
