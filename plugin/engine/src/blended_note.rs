//! What sounds in a note: up to four sounds, what it was struck with, and the vector that they come to at a moment.
//!
//! Plain data and pure numbers, used by the scheduler (makes it) and the workers (read it). Cheap to clone.

use std::sync::Arc;

use betwixt_audio::blend::CornerMask;
use betwixt_audio::note::Strike;
use betwixt_audio::timbre::Timbre;

use crate::decoder::Conditioning;
use crate::embedding::position_of;
use crate::heat::Movement;
use crate::playhead::{Playhead, held_through};
use crate::sound::{DEFAULT_VELOCITY, LayerView, Sound};
use crate::voicing::{Struck, Voicing};

/// A corner with less weight than this is not heard.
const INAUDIBLE_WEIGHT: f32 = 1e-6;
/// How long a note has the beginning of one corner alone, where it was struck so, and how long the blend then takes.
pub(crate) const ATTACK_SECONDS: f64 = 0.06;
pub(crate) const ATTACK_JOIN_SECONDS: f64 = 0.06;
/// What a movement of 1 adds to a dimension at full heat: its rms of 0.45 is what the dimensions of the factory sounds
/// differ by. Partials then wander by 5 to 10 dB, where two sounds differ by 15, and the level by less than 1.
const HEAT_REACH: f32 = 0.9;
/// The same for a note that is held in its loops, without heat.
const LOOP_REACH: f32 = 0.025;
/// Part of a movement that the level takes part in.
const LEVEL_SHARE: f32 = 0.15;

/// Some sounds blended, at one pitch.
#[derive(Debug, Clone)]
pub struct BlendedNote {
    corners: [Option<Arc<Sound>>; 4],
    /// Which layers of each corner's sound are heard.
    voicings: [Voicing; 4],
    has_one_pitch: bool,
    balance: Balance,
    strike: Strike,
    pitch: f32,
    dims: usize,
    frames_per_embedding_frame: usize,
    seconds_per_embedding_frame: f64,
    movement_seed: Option<u64>,
    pitch_dim: Option<usize>,
    level_dim: Option<usize>,
    hold: Option<Hold>,
}

/// How long a note that is rendered whole is held, in decoder frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// From here on all of its sounds are in their loops.
    pub steady_frame: usize,
    /// Here its key is let go.
    pub release_frame: usize,
}

/// Where the corners' weights come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Balance {
    /// From the blend of the timbre.
    Pad,
    /// They are given.
    Fixed([f32; 4]),
}

impl BlendedNote {
    /// Blends the corners by fixed weights; `pitch` is a MIDI note number. None if no corner is heard, or one of
    /// the sounds has other than `dims` dimensions.
    pub fn new(
        corners: &[Option<Arc<Sound>>; 4],
        weights: [f32; 4],
        pitch: f32,
        dims: usize,
        frames_per_embedding_frame: usize,
    ) -> Option<Self> {
        let mut heard = corners.clone();
        for (corner, weight) in heard.iter_mut().zip(weights) {
            if weight.abs() <= INAUDIBLE_WEIGHT {
                *corner = None;
            }
        }
        let note = Self::on_pad(&heard, pitch, dims, frames_per_embedding_frame)?;
        Some(Self {
            balance: Balance::Fixed(weights),
            ..note
        })
    }

    /// Blends the corners by the timbre's place on the pad. None if all are empty, or one of the sounds has other than
    /// `dims` dimensions.
    pub fn on_pad(
        corners: &[Option<Arc<Sound>>; 4],
        pitch: f32,
        dims: usize,
        frames_per_embedding_frame: usize,
    ) -> Option<Self> {
        let mut sounds = corners.iter().flatten().peekable();
        let fits = sounds.peek().is_some() && sounds.all(|sound| sound.embedding.dims() == dims);
        let note = fits.then(|| Self {
            corners: corners.clone(),
            voicings: [Voicing::OWN; 4],
            has_one_pitch: false,
            balance: Balance::Pad,
            strike: Strike::with(Timbre::default()),
            pitch,
            dims,
            frames_per_embedding_frame,
            seconds_per_embedding_frame: 0.032,
            movement_seed: None,
            pitch_dim: None,
            level_dim: None,
            hold: None,
        });
        note.map(Self::voiced)
    }

    /// Hears the layers that lie about its pitch and velocity.
    fn voiced(mut self) -> Self {
        let velocity = self.strike.velocity.velocity();
        let struck = Struck {
            pitch: self.pitch,
            velocity: velocity.map_or(DEFAULT_VELOCITY.into(), |velocity| 127.0 * velocity),
            one_pitch: self.has_one_pitch,
        };
        for (voicing, sound) in self.voicings.iter_mut().zip(&self.corners) {
            *voicing = sound
                .as_ref()
                .map_or(Voicing::OWN, |sound| Voicing::of(sound, struck));
        }
        self
    }

    /// Of a model whose embeddings hold their pitch: of each sound the nearest pitch is heard, and no other.
    #[must_use]
    pub(crate) fn with_embedded_pitch(mut self) -> Self {
        self.has_one_pitch = true;
        self.voiced()
    }

    /// Struck with this, and moved by this seed: notes that differ in their phases alone move alike.
    #[must_use]
    pub fn struck(mut self, strike: Strike, movement_seed: u64) -> Self {
        self.strike = strike;
        self.movement_seed = Some(movement_seed);
        self.voiced()
    }

    /// Of a model whose embeddings hold the pitch's deviation and the level in dimensions of their own: they stay within
    /// -1 to 1, and heat leaves the pitch alone and the level nearly.
    #[must_use]
    pub fn with_measured_dims(mut self, pitch_dim: Option<usize>, level_dim: Option<usize>) -> Self {
        (self.pitch_dim, self.level_dim) = (pitch_dim, level_dim);
        self
    }

    /// Of a model with embedding frames of this length; 32 ms if nothing is said.
    #[must_use]
    pub fn with_embedding_hop(mut self, seconds: f64) -> Self {
        self.seconds_per_embedding_frame = seconds;
        self
    }

    /// Rendered whole, as one that is held until each of its sounds has been through its loop, and then let go.
    #[must_use]
    pub(crate) fn whole(mut self) -> Self {
        let weights = self.weights(&self.struck_timbre(), f64::INFINITY);
        let loops = self.heard(&weights).filter_map(|(layer, _)| layer.loop_region);
        let held = held_through(loops, self.seconds_per_embedding_frame);
        self.hold = held.map(|held| Hold {
            steady_frame: held.start_frame as usize * self.frames_per_embedding_frame,
            release_frame: held.end_frame as usize * self.frames_per_embedding_frame,
        });
        self
    }

    /// When its key is let go, if it is rendered whole and its sounds are held at all.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.hold
    }

    pub(crate) fn pitch(&self) -> f32 {
        self.pitch
    }

    pub(crate) fn dims(&self) -> usize {
        self.dims
    }

    /// How it is to sound until that changes.
    pub(crate) fn struck_timbre(&self) -> Timbre {
        self.strike.timbre.into()
    }

    /// The movements of a note whose own seed is this, unless it was struck with one.
    pub(crate) fn movement(&self, seed: u64) -> Movement {
        Movement::new(self.movement_seed.unwrap_or(seed))
    }

    /// Where a note begins: embedding frames stand in the middle of the decoder frames that they cover.
    pub(crate) fn beginning(&self) -> Playhead {
        let skipped = f64::from(self.strike.start_ms) / 1000.0 / self.seconds_per_embedding_frame;
        Playhead::at(skipped + position_of(0, self.frames_per_embedding_frame))
    }

    /// Embedding frames that a decoder frame moves on by.
    pub(crate) fn rate(&self, timbre: &Timbre, is_released: bool) -> f64 {
        // A key that was let go is to end, frozen or not.
        if timbre.is_frozen && !is_released {
            return 0.0;
        }
        1.0 / (self.frames_per_embedding_frame as f64 * f64::from(timbre.stretch))
    }

    /// Seconds of one decoder frame.
    pub(crate) fn frame_seconds(&self) -> f64 {
        self.seconds_per_embedding_frame / self.frames_per_embedding_frame as f64
    }

    /// The weight of each corner, so many seconds after the note's start.
    pub(crate) fn weights(&self, timbre: &Timbre, seconds: f64) -> [f32; 4] {
        let occupied = self.occupied();
        let mut weights = match self.balance {
            Balance::Pad => timbre.blend.weights(occupied),
            Balance::Fixed(weights) => weights,
        };
        if timbre.push != 1.0 {
            let mean = 1.0 / occupied.count().max(1) as f32;
            for (corner, weight) in weights.iter_mut().enumerate() {
                if occupied.holds(corner) {
                    *weight = mean + timbre.push * (*weight - mean);
                }
            }
        }
        if let Some(corner) = self.strike.attack_from.map(usize::from)
            && occupied.holds(corner)
            && seconds < ATTACK_SECONDS + ATTACK_JOIN_SECONDS
        {
            let body = share_of_body(seconds, ATTACK_SECONDS, ATTACK_JOIN_SECONDS);
            for (index, weight) in weights.iter_mut().enumerate() {
                let alone = if index == corner { 1.0 } else { 0.0 };
                *weight = alone + body * (*weight - alone);
            }
        }
        weights
    }

    /// Where all that is heard of it has ended; none while something of it is held as long as the key.
    pub(crate) fn end(&self, playhead: &Playhead, timbre: &Timbre, seconds: f64) -> Option<f64> {
        if timbre.is_frozen && !playhead.is_released() {
            return None;
        }
        let longest = self
            .heard(&self.weights(timbre, seconds))
            .map(|(layer, _)| playhead.end_in(layer))
            .try_fold(0.0_f64, |longest, end| Some(longest.max(end?)))?;
        Some(longest + position_of(0, self.frames_per_embedding_frame))
    }

    /// The vector that a decoder frame is told.
    pub(crate) fn read_at(
        &self,
        playhead: &Playhead,
        timbre: &Timbre,
        movement: Option<Movement>,
        seconds: f64,
        vector: &mut [f32],
    ) {
        vector.fill(0.0);
        let mut looping = 0.0;
        for (layer, weight) in self.heard(&self.weights(timbre, seconds)) {
            looping += weight.abs() * playhead.read(layer, weight, vector);
        }
        let reach = HEAT_REACH * timbre.heat + LOOP_REACH * looping.min(1.0);
        if let Some(movement) = movement
            && reach > 0.0
        {
            for (dim, value) in vector.iter_mut().enumerate() {
                if Some(dim) != self.pitch_dim {
                    let share = if Some(dim) == self.level_dim {
                        LEVEL_SHARE
                    } else {
                        1.0
                    };
                    *value += share * reach * movement.at(dim, seconds);
                }
            }
        }
        for dim in [self.pitch_dim, self.level_dim].into_iter().flatten() {
            if let Some(value) = vector.get_mut(dim) {
                *value = value.clamp(-1.0, 1.0);
            }
        }
    }

    fn occupied(&self) -> CornerMask {
        let bits = self.corners.iter().enumerate();
        CornerMask(
            bits.map(|(corner, sound)| u8::from(sound.is_some()) << corner)
                .sum(),
        )
    }

    /// The layers of all corners, each with its part of its corner's weight.
    fn heard(&self, weights: &[f32; 4]) -> impl Iterator<Item = (LayerView<'_>, f32)> {
        let corners = self.corners.iter().zip(&self.voicings).zip(*weights);
        corners
            .filter(|(_, weight)| weight.abs() > INAUDIBLE_WEIGHT)
            .filter_map(|((sound, voicing), weight)| Some((sound.as_deref()?, voicing, weight)))
            .flat_map(|(sound, voicing, weight)| {
                let layers = voicing.layers(sound);
                layers.map(move |(layer, share)| (layer, weight * share))
            })
    }
}

/// How much a note is its body, so many seconds after its start, if its attack is another's until `attack_seconds` and goes
/// over in `join_seconds`: 0 to 1, smoothly.
pub(crate) fn share_of_body(seconds: f64, attack_seconds: f64, join_seconds: f64) -> f32 {
    let past = seconds - attack_seconds;
    let t = if past >= join_seconds {
        1.0
    } else {
        (past / join_seconds).max(0.0) as f32
    };
    t * t * (3.0 - 2.0 * t)
}

/// As it was struck and held, from its beginning on, and without movement.
impl Conditioning for BlendedNote {
    fn read(&self, first_frame: usize, embedding: &mut [f32], pitch: &mut [f32]) {
        pitch.fill(self.pitch);
        let timbre = self.struck_timbre();
        for (index, vector) in embedding.chunks_exact_mut(self.dims).enumerate() {
            let frame = (first_frame + index) as f64;
            let mut playhead = self.beginning();
            playhead.advance(frame * self.rate(&timbre, false));
            self.read_at(&playhead, &timbre, None, frame * self.frame_seconds(), vector);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::credits::Credits;
    use crate::embedding::{Embedding, LoopRegion};
    use betwixt_audio::blend::Blend;
    use betwixt_audio::note::VelocityCell;
    use proptest::prelude::*;

    /// A sound of two dimensions that are the same value throughout.
    pub(crate) fn sound(frames: usize, value: f32, loop_region: Option<LoopRegion>) -> Sound {
        Sound {
            name: "test".into(),
            family: String::new(),
            tags: Vec::new(),
            licence: String::new(),
            source: String::new(),
            model: String::new(),
            pitch: 60.0,
            gain_db: 0.0,
            velocity: DEFAULT_VELOCITY,
            further: Vec::new(),
            loop_region,
            embedding: Embedding::new(2, vec![value; frames * 2]).unwrap(),
            credits: Credits::default(),
        }
    }

    const LOOP: Option<LoopRegion> = Some(LoopRegion {
        start_frame: 2,
        end_frame: 5,
    });

    fn corners(values: [Option<(usize, f32, Option<LoopRegion>)>; 4]) -> [Option<Arc<Sound>>; 4] {
        values.map(|corner| corner.map(|(frames, value, region)| Arc::new(sound(frames, value, region))))
    }

    #[test]
    fn the_blend_is_the_weighted_sum_of_the_corners() {
        let corners = corners([Some((8, 1.0, LOOP)), Some((8, -1.0, LOOP)), None, None]);
        let note = BlendedNote::new(&corners, [0.75, 0.25, 0.0, 0.0], 61.5, 2, 3).unwrap();
        let (mut embedding, mut pitch) = ([9.0; 4], [0.0; 2]);
        note.read(1000, &mut embedding, &mut pitch);
        assert_eq!((embedding, pitch), ([0.5; 4], [61.5; 2]));
    }

    #[test]
    fn a_note_hears_the_layers_about_its_pitch_and_velocity() {
        // Soft layers are of 40 / 127 throughout, hard ones of 120 / 127, whatever their pitch.
        let layered = crate::sound::tests::layered();
        let soft = Embedding::new(16, vec![40.0 / 127.0; 16]).unwrap();
        let sound = Sound {
            embedding: soft,
            loop_region: None,
            ..layered
        };
        let corners = [Some(Arc::new(sound)), None, None, None];
        let told = |velocity: VelocityCell| {
            let strike = Strike {
                velocity,
                ..Strike::with(Timbre::default())
            };
            let note = BlendedNote::on_pad(&corners, 66.0, 16, 1)
                .unwrap()
                .struck(strike, 1);
            let (mut embedding, mut pitch) = ([0.0; 16], [0.0; 1]);
            note.read(0, &mut embedding, &mut pitch);
            127.0 * embedding[0]
        };
        for (struck, heard) in [(0.0, 40.0), (0.5, 63.5), (1.0, 120.0)] {
            let told = told(VelocityCell::of(struck));
            assert!((told - heard).abs() < 1e-3, "{struck}: {told}");
        }
        assert!(
            (told(VelocityCell::NONE) - 100.0).abs() < 1e-3,
            "as hard as most notes"
        );
    }

    #[test]
    fn a_note_ends_by_itself_only_if_all_that_is_heard_of_it_does() {
        let end = |corners, weights| {
            let note = BlendedNote::new(&corners, weights, 60.0, 2, 3).unwrap();
            note.end(&note.beginning(), &note.struck_timbre(), 0.0)
                .map(|end| end.round())
        };
        let (short, long, held) = (Some((8, 0.0, None)), Some((10, 0.0, None)), Some((10, 0.0, LOOP)));
        let half = [0.5, 0.5, 0.0, 0.0];
        assert_eq!(end(corners([short, long, None, None]), half), Some(10.0));
        assert_eq!(end(corners([short, held, None, None]), half), None);
        assert_eq!(
            end(corners([short, held, None, None]), [1.0, 0.0, 0.0, 0.0]),
            Some(8.0)
        );
        let none = corners([None, None, None, None]);
        assert!(BlendedNote::new(&none, [0.0; 4], 60.0, 2, 3).is_none());
        assert!(BlendedNote::on_pad(&none, 60.0, 2, 3).is_none());
        assert!(BlendedNote::on_pad(&corners([short, None, None, None]), 60.0, 16, 3).is_none());
    }

    #[test]
    fn push_goes_twice_as_far_from_the_middle_of_the_corners() {
        let corners = corners([Some((8, 1.0, LOOP)), Some((8, 0.0, LOOP)), None, None]);
        let note = BlendedNote::on_pad(&corners, 60.0, 2, 3).unwrap();
        let value = |push| {
            let timbre = Timbre {
                blend: Blend { x: 0.25, y: 0.5 },
                push,
                ..Timbre::default()
            };
            let mut vector = [0.0; 2];
            note.read_at(&note.beginning(), &timbre, None, 0.0, &mut vector);
            vector[0]
        };
        assert_eq!([value(0.0), value(1.0), value(2.0)], [0.5, 0.75, 1.0]);
    }

    #[test]
    fn the_beginning_is_one_corners_and_the_body_the_blends() {
        let corners = corners([Some((8, 1.0, LOOP)), Some((8, 0.0, LOOP)), None, None]);
        let strike = Strike {
            attack_from: Some(1),
            ..Strike::with(Timbre::default())
        };
        let note = BlendedNote::on_pad(&corners, 60.0, 2, 3)
            .unwrap()
            .struck(strike, 1);
        let weight = |seconds| note.weights(&note.struck_timbre(), seconds)[0];
        assert_eq!((weight(0.0), weight(0.059), weight(0.13)), (0.0, 0.0, 0.5));
        assert!(weight(0.09) > 0.2 && weight(0.09) < 0.3);
    }

    #[test]
    fn heat_moves_all_but_the_pitch_and_leaves_the_level_nearly() {
        let corners = corners([Some((8, 0.25, LOOP)), None, None, None]);
        let note = BlendedNote::on_pad(&corners, 60.0, 2, 3).unwrap();
        let timbre = Timbre {
            heat: 1.0,
            ..Timbre::default()
        };
        let moved = |note: &BlendedNote, seconds| {
            let mut vector = [0.0; 2];
            let movement = Some(note.movement(5));
            note.read_at(&note.beginning(), &timbre, movement, seconds, &mut vector);
            vector.map(|value| value - 0.25)
        };
        let plain = moved(&note, 0.4);
        assert!(plain.iter().all(|by| by.abs() > 1e-3), "{plain:?}");
        assert_eq!(moved(&note, 0.4), plain);
        let measured = moved(&note.with_measured_dims(Some(1), Some(0)), 0.4);
        assert_eq!(measured[1], 0.0);
        assert!((measured[0] - LEVEL_SHARE * plain[0]).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn weights_sum_to_one_for_every_timbre_and_moment(
            x in -0.5_f32..1.5, y in -0.5_f32..1.5, push in 0.0_f32..2.0, seconds in 0.0_f64..0.3,
            mask in 1_u8..16, attack in 0_u8..5,
        ) {
            let all = std::array::from_fn(|i| (mask >> i & 1 == 1).then_some((8, 0.0, LOOP)));
            let timbre = Timbre { blend: Blend { x, y }, push, ..Timbre::default() };
            let strike = Strike { attack_from: attack.checked_sub(1), ..Strike::with(timbre) };
            let note = BlendedNote::on_pad(&corners(all), 60.0, 2, 3).unwrap().struck(strike, 1);
            let weights = note.weights(&timbre, seconds);
            prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{weights:?}");
        }
    }
}
