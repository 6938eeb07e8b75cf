//! A sound: what sits in a corner. An embedding, or layers of them, with what is known of it, and no audio.
//!
//! Plain data, shared as `Arc<Sound>` by every thread but the audio thread; `file` is what it is as bytes.

mod file;

use sha2::{Digest, Sha256};

use crate::credits::Credits;
use crate::embedding::{Embedding, LoopRegion};

pub(crate) use file::MAX_TEXT_CHARS;
pub use file::{SOUND_VERSION, SoundContentError, SoundError};

/// The velocity of a recording of which nothing is said, 1 to 127.
pub const DEFAULT_VELOCITY: u8 = 100;
/// The extension of a sound's file.
pub const SOUND_EXTENSION: &str = "sound";

/// What sits in a corner.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// What the user calls it.
    pub name: String,
    /// Family of instruments ("flute", "bass"), empty if not known.
    pub family: String,
    /// Words to search by.
    pub tags: Vec<String>,
    /// Licence of the sound, empty if not known.
    pub licence: String,
    /// Where the recording came from, empty if not known.
    pub source: String,
    /// Name and version of the model that encoded it: an embedding means nothing to another.
    pub model: String,
    /// The pitch that it was recorded at, as a MIDI note number.
    pub pitch: f32,
    /// The gain that brought the recording to the model's level.
    pub gain_db: f32,
    /// The embedding frames that a held note swings between; none for a sound that ends by itself.
    pub loop_region: Option<LoopRegion>,
    /// How it unfolds.
    pub embedding: Embedding,
    /// The velocity that its own embedding was recorded at, 1 to 127.
    pub velocity: u8,
    /// How it unfolds at other pitches and velocities; empty where one recording stands for all of them.
    pub further: Vec<Layer>,
    /// Who made it, and what of.
    pub credits: Credits,
}

/// How a sound unfolds at another pitch or velocity than its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The pitch, as a MIDI note number.
    pub pitch: f32,
    /// The velocity, 1 to 127.
    pub velocity: u8,
    /// The embedding frames that a held note swings between; none if it ends by itself.
    pub loop_region: Option<LoopRegion>,
    /// How the sound unfolds there.
    pub embedding: Embedding,
}

/// One of a sound's layers: its own embedding, or a further one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerView<'a> {
    pub pitch: f32,
    pub velocity: u8,
    pub loop_region: Option<LoopRegion>,
    pub embedding: &'a Embedding,
}

/// Names a sound's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SoundId(pub u64);

impl Sound {
    /// Its layers: its own embedding is the first.
    pub(crate) fn layers(&self) -> impl Iterator<Item = LayerView<'_>> {
        (0..=self.further.len()).map(|index| self.layer(index))
    }

    /// One of its layers, 0 for its own embedding, which also stands for one that there is not.
    pub(crate) fn layer(&self, index: usize) -> LayerView<'_> {
        match index.checked_sub(1).and_then(|further| self.further.get(further)) {
            Some(layer) => LayerView {
                pitch: layer.pitch,
                velocity: layer.velocity,
                loop_region: layer.loop_region,
                embedding: &layer.embedding,
            },
            None => LayerView {
                pitch: self.pitch,
                velocity: self.velocity,
                loop_region: self.loop_region,
                embedding: &self.embedding,
            },
        }
    }

    /// The nearest of its pitches; its own of two that are as near.
    pub(crate) fn nearest_pitch(&self, pitch: f32) -> f32 {
        let far = |of: &f32| (of - pitch).abs();
        let all = self.layers().map(|layer| layer.pitch);
        all.min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(self.pitch)
    }

    /// Whether it is another when it is struck harder.
    pub fn has_velocities(&self) -> bool {
        self.further.iter().any(|layer| layer.velocity != self.velocity)
    }

    /// Holds it between other frames, or no longer: all of its layers, but for those that are too short for it.
    pub fn set_loop(&mut self, region: Option<LoopRegion>) {
        for layer in &mut self.further {
            let frames = layer.embedding.frames();
            if region.is_none_or(|region| (region.end_frame as usize) < frames) {
                layer.loop_region = region;
            }
        }
        self.loop_region = region;
    }

    /// The lowest and the highest pitch that it has an embedding at.
    pub fn pitch_range(&self) -> (f32, f32) {
        let further = self.further.iter().map(|further| further.pitch);
        further.fold((self.pitch, self.pitch), |(low, high), pitch| {
            (low.min(pitch), high.max(pitch))
        })
    }

    /// Names the contents: two sounds with one id sound the same.
    pub fn id(&self) -> SoundId {
        let hash = Sha256::digest(self.to_bytes());
        SoundId(u64::from_le_bytes(std::array::from_fn(|i| hash[i])))
    }

    /// Length of the embedding at `embedding_hop_seconds` a frame.
    pub fn seconds(&self, embedding_hop_seconds: f64) -> f64 {
        self.embedding.frames() as f64 * embedding_hop_seconds
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(super) fn sound() -> Sound {
        Sound {
            name: "flute, low \u{266d}".into(),
            family: "flute".into(),
            tags: vec!["soft".into(), "breathy".into()],
            licence: "MIT".into(),
            source: "a recording".into(),
            model: "spectral 1".into(),
            pitch: 60.25,
            gain_db: -3.5,
            loop_region: Some(LoopRegion {
                start_frame: 3,
                end_frame: 9,
            }),
            embedding: Embedding::new(16, (0..160).map(|i| (i as f32).sin()).collect()).unwrap(),
            velocity: DEFAULT_VELOCITY,
            further: Vec::new(),
            credits: Credits::default(),
        }
    }

    /// The same at two pitches more.
    pub(super) fn pitched() -> Sound {
        let own = sound();
        let further = [48.0, 72.0].map(|pitch| Layer {
            pitch,
            velocity: own.velocity,
            loop_region: own.loop_region,
            embedding: Embedding::new(16, (0..160).map(|i| (i as f32 + pitch).sin()).collect()).unwrap(),
        });
        Sound {
            further: further.into(),
            ..own
        }
    }

    /// Layers of recordings of their own: two pitches, each soft and hard.
    pub(crate) fn layered() -> Sound {
        let layer = |pitch: f32, velocity: u8, frames: u32| Layer {
            pitch,
            velocity,
            loop_region: (frames > 8).then_some(LoopRegion {
                start_frame: 2,
                end_frame: frames - 1,
            }),
            embedding: Embedding::new(16, vec![f32::from(velocity) / 127.0; 16 * frames as usize]).unwrap(),
        };
        Sound {
            velocity: 40,
            further: vec![layer(60.25, 120, 7), layer(72.0, 40, 30), layer(72.0, 120, 12)],
            ..sound()
        }
    }

    #[test]
    fn the_nearest_pitch_is_found() {
        for (pitch, nearest) in [
            (30.0, 48.0),
            (55.0, 60.25),
            (60.0, 60.25),
            (67.0, 72.0),
            (90.0, 72.0),
        ] {
            assert_eq!(pitched().nearest_pitch(pitch), nearest);
        }
        assert_eq!(pitched().pitch_range(), (48.0, 72.0));
    }

    #[test]
    fn another_loop_is_that_of_all_layers_that_are_long_enough() {
        let region = Some(LoopRegion {
            start_frame: 1,
            end_frame: 8,
        });
        let mut sound = layered();
        sound.set_loop(region);
        let loops: Vec<_> = sound.layers().map(|layer| layer.loop_region).collect();
        assert_eq!(loops, [region, None, region, region]);
        assert!(Sound::from_bytes(&sound.to_bytes()).is_ok());
        sound.set_loop(None);
        assert!(sound.layers().all(|layer| layer.loop_region.is_none()));
    }
}
