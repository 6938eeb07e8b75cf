//! Where in its sounds a note is: moved on frame by frame, folded into the loop of each layer that is heard while the key is held,
//! and on to each layer's own ending once it is let go.
//!
//! Pure numbers on the worker threads. Moving on frame by frame, the place does not depend on how runs are cut.

use crate::embedding::LoopRegion;
use crate::sound::LayerView;

/// From a loop to the sound's ending, in embedding frames: 40 ms of the shipped model.
const JOIN_FRAMES: f64 = 1.25;
/// Embedding frames after which a loop's movement is whole: a second of the shipped model.
const SETTLED_FRAMES: f64 = 31.0;
/// How long a note that is rendered whole is held in its loops at least: what is looped in its audio then.
const LEAST_HOLD_SECONDS: f64 = 1.2;

/// A place in time, in embedding frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Playhead {
    /// Since the sounds' beginning, nothing folded.
    position: f64,
    /// Where it was when the key was let go.
    released_at: Option<f64>,
}

/// Where a playhead is in one sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    /// In the sound as it is held.
    pub held: f64,
    /// In its ending, and how much that counts against `held`, 0 to 1; none before the release.
    pub ending: Option<(f64, f32)>,
    /// How much it is held by its loop, 0 to 1: rises from the loop's first turn on.
    pub looping: f32,
}

impl Playhead {
    /// At a place, which may lie a little before the sounds' beginning.
    pub(crate) fn at(position: f64) -> Self {
        Self {
            position,
            released_at: None,
        }
    }

    /// Moves on.
    pub(crate) fn advance(&mut self, embedding_frames: f64) {
        self.position += embedding_frames;
    }

    /// Lets go: from here on the sounds go to their ends. Once is enough.
    pub(crate) fn release(&mut self) {
        self.released_at.get_or_insert(self.position);
    }

    /// Whether the key was let go.
    pub(crate) fn is_released(&self) -> bool {
        self.released_at.is_some()
    }

    /// How far it is from the sounds' beginning.
    pub(crate) fn position(&self) -> f64 {
        self.position
    }

    /// Where it is in a layer of a sound.
    pub(crate) fn place_in(&self, layer: LayerView<'_>) -> Place {
        let Some(region) = layer.loop_region else {
            return Place {
                held: self.position,
                ending: None,
                looping: 0.0,
            };
        };
        let ending = self.released_at.map(|released| {
            let since = self.position - released;
            (end_of(region) + since, (since / JOIN_FRAMES).min(1.0) as f32)
        });
        let looped = (self.position - end_of(region)) / SETTLED_FRAMES;
        Place {
            held: region.fold(self.position),
            ending,
            looping: looped.clamp(0.0, 1.0) as f32 * (1.0 - ending.map_or(0.0, |(_, share)| share)),
        }
    }

    /// Adds `weight` times what a layer of a sound is here to `sum`; says how much it is held by its loop, 0 to 1.
    pub(crate) fn read(&self, layer: LayerView<'_>, weight: f32, sum: &mut [f32]) -> f32 {
        let place = self.place_in(layer);
        let (ending, share) = place.ending.unwrap_or((0.0, 0.0));
        if share < 1.0 {
            layer.embedding.add_at(place.held, weight * (1.0 - share), sum);
        }
        if share > 0.0 {
            layer.embedding.add_at(ending, weight * share, sum);
        }
        place.looping
    }

    /// Where a layer of a sound ends by itself; none while it is held as long as the key.
    pub(crate) fn end_in(&self, layer: LayerView<'_>) -> Option<f64> {
        let frames = layer.embedding.frames() as f64;
        match (layer.loop_region, self.released_at) {
            (None, _) => Some(frames),
            (Some(_), None) => None,
            (Some(region), Some(released)) => Some(released + (frames - end_of(region)).max(JOIN_FRAMES)),
        }
    }
}

/// Which embedding frames a note is held in that is rendered whole: from where all of its sounds are in their loops, until
/// each has been through its own; none if no sound has one.
pub(crate) fn held_through(
    loops: impl Iterator<Item = LoopRegion>,
    seconds_per_frame: f64,
) -> Option<LoopRegion> {
    let extent = loops.fold(None, |extent: Option<(u32, u32)>, region| {
        let (start, end) = extent.unwrap_or((0, 0));
        Some((start.max(region.start_frame), end.max(region.end_frame)))
    });
    extent.map(|(start, end)| {
        let least = (LEAST_HOLD_SECONDS / seconds_per_frame).ceil() as u32;
        LoopRegion {
            start_frame: start + 1,
            end_frame: end.max(start + 1 + least),
        }
    })
}

fn end_of(region: LoopRegion) -> f64 {
    f64::from(region.end_frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blended_note::tests::sound;

    const LOOP: Option<LoopRegion> = Some(LoopRegion {
        start_frame: 10,
        end_frame: 20,
    });

    #[test]
    fn a_held_key_swings_in_the_loop_and_moves_ever_more_of_itself() {
        let sound = sound(30, 0.0, LOOP);
        let layer = sound.layer(0);
        let mut playhead = Playhead::at(15.0);
        assert_eq!(playhead.place_in(layer).held, 15.0);
        playhead.advance(8.0);
        let place = playhead.place_in(layer);
        assert_eq!((place.held, place.ending), (17.0, None));
        assert!(place.looping > 0.05 && place.looping < 0.15);
        playhead.advance(100.0);
        assert_eq!(playhead.place_in(layer).looping, 1.0);
        assert_eq!(playhead.end_in(layer), None);
    }

    #[test]
    fn a_released_key_goes_from_the_loops_end_to_the_sounds_own() {
        let sound = sound(30, 0.0, LOOP);
        let layer = sound.layer(0);
        let mut playhead = Playhead::at(33.0);
        playhead.release();
        assert_eq!(playhead.place_in(layer).ending, Some((20.0, 0.0)));
        playhead.advance(5.0);
        playhead.release();
        let place = playhead.place_in(layer);
        assert_eq!((place.ending, place.looping), (Some((25.0, 1.0)), 0.0));
        assert_eq!(playhead.end_in(layer), Some(43.0));
    }

    #[test]
    fn a_whole_note_is_held_until_each_sound_has_been_through_its_loop() {
        let region = |start_frame, end_frame| LoopRegion {
            start_frame,
            end_frame,
        };
        let held = |loops: &[LoopRegion]| held_through(loops.iter().copied(), 0.1);
        assert_eq!(held(&[region(10, 20), region(4, 50)]), Some(region(11, 50)));
        assert_eq!(held(&[region(10, 20)]), Some(region(11, 23)));
        assert_eq!(held(&[]), None);
    }

    #[test]
    fn a_sound_without_a_loop_knows_no_release() {
        let sound = sound(30, 0.0, None);
        let layer = sound.layer(0);
        let mut playhead = Playhead::at(3.0);
        let held = playhead.place_in(layer);
        playhead.release();
        assert_eq!(playhead.place_in(layer), held);
        assert_eq!(playhead.end_in(layer), Some(30.0));
    }
}
