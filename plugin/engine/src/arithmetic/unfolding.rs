//! How the result of an expression unfolds in time: its sounds read as the blend pad reads them, and put together.
//!
//! Pure numbers, background threads. Sounds of other lengths are held in their loops until each has been through its own, or at
//! their ends, as a note is that is rendered whole ([`playhead`](crate::playhead)).

use std::sync::Arc;

use betwixt_audio::blend::MAX_PUSH;
use betwixt_audio::timbre::PUSH_RANGE;

use super::expression::Tree;
use crate::blended_note::share_of_body;
use crate::embedding::{Embedding, EmbeddingError, LoopRegion};
use crate::encode::MAX_NOTE_SECONDS;
use crate::playhead::{Playhead, held_through};
use crate::sound::Sound;

/// How far beyond its sounds a dimension may come, in parts of what they span: as far as between two sounds on the pad, half a
/// pad beyond the edge and pushed twice as far.
const COLOUR_REACH: f32 = PUSH_RANGE.1 * (0.5 + MAX_PUSH) - 0.5;

/// What a model's embeddings are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Space {
    pub dims: usize,
    pub level_dim: Option<usize>,
    pub pitch_dim: Option<usize>,
    pub seconds_per_frame: f64,
}

/// A tree with its sounds in it.
#[derive(Debug, Clone)]
pub(super) enum Unfolding {
    Sound(Arc<Sound>),
    Blend(Vec<(f32, Unfolding)>),
    Attack {
        from: Box<Unfolding>,
        body: Box<Unfolding>,
        at_seconds: f64,
        join_seconds: f64,
    },
    Swap {
        into: Box<Unfolding>,
        from: Box<Unfolding>,
        dims: Vec<usize>,
    },
}

/// An unfolding frame by frame, and where it can be held.
pub(super) type Unfolded = (Embedding, Option<LoopRegion>);

impl Unfolding {
    /// The tree's, of the sounds that its indices stand for. `dims` gives the dimensions that a swap names.
    pub(super) fn new<E: From<EmbeddingError>>(
        tree: &Tree,
        sounds: &[Arc<Sound>],
        space: &Space,
        dims: &impl Fn(&[super::expression::DimsUse]) -> Result<Vec<usize>, E>,
    ) -> Result<Self, E> {
        let boxed = |tree: &Tree| Self::new(tree, sounds, space, dims).map(Box::new);
        Ok(match tree {
            Tree::Sound(index) => Self::Sound(Arc::clone(&sounds[*index])),
            Tree::Blend(parts) => {
                let parts = parts
                    .iter()
                    .map(|(weight, part)| Ok((*weight, Self::new(part, sounds, space, dims)?)));
                Self::Blend(parts.collect::<Result<_, E>>()?)
            }
            Tree::Attack {
                from,
                body,
                at_seconds,
                join_seconds,
            } => Self::Attack {
                from: boxed(from)?,
                body: boxed(body)?,
                at_seconds: *at_seconds,
                join_seconds: *join_seconds,
            },
            Tree::Swap {
                into,
                from,
                dims: named,
            } => Self::Swap {
                into: boxed(into)?,
                from: boxed(from)?,
                dims: dims(named)?,
            },
            Tree::Reverse(forwards) => Self::new(forwards, sounds, space, dims)?.reversed(space)?,
        })
    }

    /// Frame by frame.
    pub(super) fn unfold(&self, space: &Space) -> Result<Unfolded, EmbeddingError> {
        if let Self::Sound(sound) = self {
            return Ok((sound.embedding.clone(), sound.loop_region));
        }
        let mut loops = Vec::new();
        self.gather_loops(&mut loops);
        let held = held_through(loops.into_iter(), space.seconds_per_frame);
        let most = (2.0 * MAX_NOTE_SECONDS / space.seconds_per_frame) as usize;
        let mut values = Vec::new();
        let mut playhead = Playhead::at(0.0);
        let mut frame = vec![0.0; space.dims];
        for index in 0..most {
            if held.is_some_and(|held| held.end_frame as usize == index) {
                playhead.release();
            }
            let is_over = self.end(&playhead).is_some_and(|end| playhead.position() >= end);
            if is_over && index > 0 {
                break;
            }
            self.read(&playhead, space, &mut frame);
            values.extend_from_slice(&frame);
            playhead.advance(1.0);
        }
        let embedding = Embedding::new(space.dims, values)?;
        let held = held.filter(|held| (held.end_frame as usize) < embedding.frames());
        Ok((embedding, held))
    }

    /// Last frame first, its loop with it.
    fn reversed(&self, space: &Space) -> Result<Self, EmbeddingError> {
        let (embedding, held) = self.unfold(space)?;
        let frames = embedding.values().chunks_exact(space.dims).rev();
        let values: Vec<f32> = frames.flatten().copied().collect();
        let last = (embedding.frames() - 1) as u32;
        Ok(Self::Sound(Arc::new(Sound {
            embedding: Embedding::new(space.dims, values)?,
            loop_region: held.map(|held| LoopRegion {
                start_frame: last - held.end_frame,
                end_frame: last - held.start_frame,
            }),
            ..(**self.first()).clone()
        })))
    }

    /// The vector at a place.
    fn read(&self, at: &Playhead, space: &Space, vector: &mut [f32]) {
        match self {
            Self::Sound(sound) => {
                vector.fill(0.0);
                at.read(sound.layer(0), 1.0, vector);
            }
            Self::Blend(parts) => read_blend(parts, at, space, vector),
            Self::Attack {
                from,
                body,
                at_seconds,
                join_seconds,
            } => {
                body.read(at, space, vector);
                let seconds = (at.position() + 0.5) * space.seconds_per_frame;
                let share = share_of_body(seconds, *at_seconds, *join_seconds);
                if share < 1.0 {
                    let mut attack = vec![0.0; space.dims];
                    from.read(at, space, &mut attack);
                    for (value, attack) in vector.iter_mut().zip(attack) {
                        *value = attack + share * (*value - attack);
                    }
                }
            }
            Self::Swap { into, from, dims } => {
                into.read(at, space, vector);
                let mut other = vec![0.0; space.dims];
                from.read(at, space, &mut other);
                for &dim in dims {
                    vector[dim] = other[dim];
                }
            }
        }
    }

    /// Where it ends by itself; none while it is held. What is subtracted has no say in that.
    fn end(&self, at: &Playhead) -> Option<f64> {
        match self {
            Self::Sound(sound) => at.end_in(sound.layer(0)),
            Self::Blend(parts) => added(parts)
                .map(|part| part.end(at))
                .try_fold(0.0_f64, |longest, end| Some(longest.max(end?))),
            Self::Attack { body, .. } => body.end(at),
            Self::Swap { into, .. } => into.end(at),
        }
    }

    /// The loops of all that is held in it.
    fn gather_loops(&self, loops: &mut Vec<LoopRegion>) {
        match self {
            Self::Sound(sound) => loops.extend(sound.loop_region),
            Self::Blend(parts) => added(parts).for_each(|part| part.gather_loops(loops)),
            Self::Attack { body, .. } => body.gather_loops(loops),
            Self::Swap { into, .. } => into.gather_loops(loops),
        }
    }

    fn first(&self) -> &Arc<Sound> {
        match self {
            Self::Sound(sound) => sound,
            Self::Blend(parts) => parts[0].1.first(),
            Self::Attack { body: of, .. } | Self::Swap { into: of, .. } => of.first(),
        }
    }
}

/// The parts of a blend that are not subtracted.
fn added(parts: &[(f32, Unfolding)]) -> impl Iterator<Item = &Unfolding> {
    parts
        .iter()
        .filter(|(weight, _)| *weight > 0.0)
        .map(|(_, part)| part)
}

/// The weighted sum; level and pitch are the mean of what is added, by weight: what is subtracted changes the colour alone.
fn read_blend(parts: &[(f32, Unfolding)], at: &Playhead, space: &Space, vector: &mut [f32]) {
    vector.fill(0.0);
    let mut one = vec![0.0; space.dims];
    let mut low = vec![f32::INFINITY; space.dims];
    let mut high = vec![f32::NEG_INFINITY; space.dims];
    let measured = [space.level_dim, space.pitch_dim];
    let (mut means, mut sum) = ([0.0; 2], 0.0);
    for (weight, part) in parts {
        part.read(at, space, &mut one);
        for (dim, value) in one.iter().enumerate() {
            vector[dim] += weight * value;
            low[dim] = low[dim].min(*value);
            high[dim] = high[dim].max(*value);
        }
        if *weight > 0.0 {
            sum += weight;
            for (mean, dim) in means.iter_mut().zip(measured) {
                *mean += weight * dim.map_or(0.0, |dim| one[dim]);
            }
        }
    }
    for (dim, value) in vector.iter_mut().enumerate() {
        let reach = COLOUR_REACH * (high[dim] - low[dim]);
        *value = value.clamp(low[dim] - reach, high[dim] + reach);
    }
    for (mean, dim) in means.into_iter().zip(measured) {
        if let Some(dim) = dim {
            vector[dim] = (mean / sum).clamp(-1.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::expression::Expression;
    use proptest::prelude::*;

    /// Level and one colour.
    const SPACE: Space = Space {
        dims: 2,
        level_dim: Some(0),
        pitch_dim: None,
        seconds_per_frame: 0.032,
    };

    fn sound(values: Vec<f32>, loop_region: Option<LoopRegion>) -> Arc<Sound> {
        Arc::new(Sound {
            embedding: Embedding::new(2, values).unwrap(),
            ..crate::blended_note::tests::sound(1, 0.0, loop_region)
        })
    }

    /// The level and the colour, the same throughout.
    fn steady(frames: usize, level: f32, colour: f32, region: Option<(u32, u32)>) -> Arc<Sound> {
        let region = region.map(|(start_frame, end_frame)| LoopRegion {
            start_frame,
            end_frame,
        });
        sound([level, colour].repeat(frames), region)
    }

    fn unfolded(text: &str, sounds: &[Arc<Sound>]) -> Unfolded {
        let expression = Expression::parse(text).unwrap();
        let dims = |_: &[_]| Ok::<_, EmbeddingError>(vec![1]);
        let unfolding = Unfolding::new(expression.tree(), sounds, &SPACE, &dims).unwrap();
        unfolding.unfold(&SPACE).unwrap()
    }

    #[test]
    fn what_is_subtracted_changes_the_colour_and_neither_level_nor_length() {
        let sounds = [
            steady(50, -0.2, 0.1, None),
            steady(90, 0.8, 0.4, Some((10, 80))),
            steady(40, 0.0, 0.2, None),
        ];
        let (embedding, held) = unfolded("a - b + c", &sounds);
        assert_eq!((embedding.frames(), held), (50, None));
        for frame in 0..50 {
            let [level, colour] = *embedding.frame(frame) else {
                panic!("two dimensions")
            };
            assert!(
                (level + 0.1).abs() < 1e-6 && (colour + 0.1).abs() < 1e-6,
                "{level} {colour}"
            );
        }
    }

    #[test]
    fn a_colour_goes_no_farther_beyond_its_sounds_than_on_the_pad() {
        let sounds = [steady(5, 0.0, 0.0, None), steady(5, 0.0, 0.2, None)];
        let (embedding, _) = unfolded("10*a - 9*b", &sounds);
        assert!(
            (embedding.frame(0)[1] + 1.5 * 0.2).abs() < 1e-6,
            "{:?}",
            embedding.frame(0)
        );
        assert_eq!(COLOUR_REACH, 1.5);
    }

    #[test]
    fn the_mean_of_sounds_is_what_the_pad_reads_while_all_are_held_and_after() {
        let ramp = |frames: usize, slope: f32| {
            (0..frames)
                .flat_map(|frame| [0.5 - slope * frame as f32, slope * frame as f32])
                .collect()
        };
        let region = |start_frame, end_frame| {
            Some(LoopRegion {
                start_frame,
                end_frame,
            })
        };
        let sounds = [
            sound(ramp(60, 0.001), region(20, 50)),
            sound(ramp(120, 0.002), region(60, 100)),
        ];
        let (embedding, held) = unfolded("mean(a, b)", &sounds);
        let held = held.unwrap();
        assert_eq!((held.start_frame, held.end_frame), (61, 100));
        assert_eq!(embedding.frames(), 120, "after the longer one's ending");
        let corners = [
            Some(Arc::clone(&sounds[0])),
            Some(Arc::clone(&sounds[1])),
            None,
            None,
        ];
        let note = crate::note_render::BlendedNote::new(&corners, [0.5, 0.5, 0.0, 0.0], 60.0, 2, 1).unwrap();
        let mut read = vec![0.0; 2 * 100];
        crate::decoder::Conditioning::read(&note, 0, &mut read, &mut [0.0; 100]);
        for (ours, pads) in embedding.values().iter().zip(&read) {
            assert!((ours - pads).abs() < 1e-6);
        }
    }

    #[test]
    fn an_attack_goes_over_into_the_body_and_the_body_decides_the_loop() {
        let sounds = [steady(30, 0.3, 1.0, None), steady(90, -0.3, -1.0, Some((20, 70)))];
        let (embedding, held) = unfolded("attack(a, body=b, at_ms=100, crossfade_ms=64)", &sounds);
        assert_eq!(embedding.frame(2), [0.3, 1.0]);
        assert!(embedding.frame(4)[1].abs() < 0.8);
        assert_eq!(embedding.frame(6), [-0.3, -1.0]);
        assert_eq!((embedding.frames(), held.unwrap().end_frame), (90, 70));
    }

    #[test]
    fn backwards_and_backwards_again_is_the_sound() {
        let values: Vec<f32> = (0..80).map(|index| index as f32 / 100.0).collect();
        let region = LoopRegion {
            start_frame: 5,
            end_frame: 30,
        };
        let sounds = [sound(values.clone(), Some(region))];
        let (once, held) = unfolded("reverse(a)", &sounds);
        assert_eq!(once.frame(0), &values[78..]);
        assert_eq!(held.map(|held| (held.start_frame, held.end_frame)), Some((9, 34)));
        let (twice, held) = unfolded("reverse(reverse(a))", &sounds);
        assert_eq!((twice.values(), held), (values.as_slice(), Some(region)));
    }

    #[test]
    fn swapped_dimensions_are_the_others() {
        let sounds = [steady(30, 0.3, 0.5, None), steady(9, -0.3, -0.5, None)];
        let (embedding, _) = unfolded("swap(a, b, 1)", &sounds);
        assert_eq!(
            (embedding.frames(), embedding.frame(20)),
            (30, [0.3, -0.5].as_slice())
        );
    }

    proptest! {
        #[test]
        fn whatever_is_reckoned_is_bounded_and_its_level_lies_between_what_is_added(
            weights in prop::collection::vec(-3.0_f64..3.0, 3), frames in prop::collection::vec(1_usize..60, 3),
            values in prop::collection::vec(-1.0_f32..1.0, 6), is_looped in prop::collection::vec(any::<bool>(), 3),
        ) {
            let sounds: Vec<_> = (0..3).map(|index| {
                let region = (is_looped[index] && frames[index] > 2).then(|| (0, frames[index] as u32 - 2));
                steady(frames[index], values[2 * index], values[2 * index + 1], region)
            }).collect();
            let text = format!("({:.3})*a + ({:.3})*b + ({:.3})*c", weights[0], weights[1], weights[2]);
            if let Ok(expression) = Expression::parse(&text) && expression.names().len() == 3 {
                let (embedding, held) = unfolded(&text, &sounds);
                prop_assert!(held.is_none_or(|held| (held.end_frame as usize) < embedding.frames()));
                let levels = || values.iter().step_by(2).copied();
                let (low, high) = (levels().fold(1.0, f32::min), levels().fold(-1.0, f32::max));
                for frame in embedding.values().chunks_exact(2) {
                    prop_assert!((low - 1e-4..=high + 1e-4).contains(&frame[0]), "{} in {} to {}", frame[0], low, high);
                    prop_assert!(frame[1].abs() <= 4.0);
                }
            }
        }
    }
}
