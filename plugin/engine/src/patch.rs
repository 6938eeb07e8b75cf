//! A patch: the sounds of the four corners, and a name for what they sound like.
//!
//! Plain data, shared as `Arc<Patch>`; made on the main thread.

use std::sync::Arc;

use betwixt_audio::blend::CornerMask;
use betwixt_audio::note::{PatchId, PatchView};
use sha2::{Digest, Sha256};

use crate::sound::Sound;

/// The corners' names, in order.
pub const CORNER_NAMES: [&str; 4] = ["A", "B", "C", "D"];

/// What sits in the four corners.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    corners: [Option<Arc<Sound>>; 4],
    id: PatchId,
}

impl Default for Patch {
    /// Four empty corners.
    fn default() -> Self {
        Self::new([None, None, None, None])
    }
}

impl Patch {
    /// A patch of these corners: A top left, B top right, C bottom left, D bottom right.
    pub fn new(corners: [Option<Arc<Sound>>; 4]) -> Self {
        let mut hash = Sha256::new();
        for sound in &corners {
            let id = sound.as_ref().map(|sound| sound.id().0);
            hash.update([u8::from(id.is_some())]);
            hash.update(id.unwrap_or(0).to_le_bytes());
        }
        let hash = hash.finalize();
        Self {
            corners,
            id: PatchId(u64::from_le_bytes(std::array::from_fn(|i| hash[i]))),
        }
    }

    /// This patch with one corner changed.
    pub fn with_corner(&self, corner: usize, sound: Option<Arc<Sound>>) -> Self {
        let mut corners = self.corners.clone();
        if let Some(place) = corners.get_mut(corner) {
            *place = sound;
        }
        Self::new(corners)
    }

    /// The sounds, in the corners' order.
    pub fn corners(&self) -> &[Option<Arc<Sound>>; 4] {
        &self.corners
    }

    /// Names the contents: equal for equal sounds in the same corners. The sounds say which model they are of,
    /// so the name tells models apart too.
    pub fn id(&self) -> PatchId {
        self.id
    }

    /// Which corners hold a sound.
    pub fn occupied(&self) -> CornerMask {
        let bits = self
            .corners
            .iter()
            .enumerate()
            .map(|(corner, sound)| u8::from(sound.is_some()) << corner);
        CornerMask(bits.sum())
    }

    /// What the audio thread is told of it.
    pub fn view(&self) -> PatchView {
        PatchView {
            id: self.id,
            occupied: self.occupied(),
            has_velocities: self.corners.iter().flatten().any(|sound| sound.has_velocities()),
        }
    }

    /// From the highest of its sounds' lowest pitches to the lowest of their highest: where each has an embedding near.
    pub fn pitch_range(&self) -> (f32, f32) {
        let ranges = self.corners.iter().flatten().map(|sound| sound.pitch_range());
        ranges.fold((0.0, 127.0), |(low, high), (lowest, highest)| {
            (low.max(lowest), high.min(highest))
        })
    }

    /// What the first of its sounds was encoded by; none if all corners are empty.
    pub fn model(&self) -> Option<&str> {
        self.corners
            .iter()
            .flatten()
            .next()
            .map(|sound| sound.model.as_str())
    }

    /// Whether a model can play all of it.
    ///
    /// # Errors
    /// Names the first sound that another model encoded: its embedding means nothing to this one.
    pub fn check_model(&self, tag: &str) -> Result<(), String> {
        for (sound, corner) in self.corners.iter().zip(CORNER_NAMES) {
            if let Some(sound) = sound
                && sound.model != tag
            {
                return Err(format!(
                    "corner {corner}: the sound \"{}\" was encoded by the model {}, and {tag} is loaded: one model plays at a time, and that one's folder is to lie in `models` of the \
                     user's folder; or encode its recording again",
                    sound.name, sound.model
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::Credits;
    use crate::embedding::Embedding;

    fn sound(name: &str) -> Arc<Sound> {
        Arc::new(Sound {
            name: name.into(),
            family: String::new(),
            tags: Vec::new(),
            licence: String::new(),
            source: String::new(),
            model: "spectral 1".into(),
            pitch: 60.0,
            gain_db: 0.0,
            velocity: crate::sound::DEFAULT_VELOCITY,
            further: Vec::new(),
            loop_region: None,
            embedding: Embedding::new(2, vec![0.0; 8]).unwrap(),
            credits: Credits::default(),
        })
    }

    #[test]
    fn the_id_names_sounds_and_places() {
        let (flute, bell) = (sound("flute"), sound("bell"));
        let patch = Patch::new([Some(flute.clone()), Some(bell.clone()), None, None]);
        assert_eq!(
            patch.id(),
            Patch::new([Some(sound("flute")), Some(sound("bell")), None, None]).id()
        );
        assert_ne!(
            patch.id(),
            Patch::new([Some(bell), Some(flute.clone()), None, None]).id()
        );
        assert_ne!(
            Patch::default().id(),
            Patch::default().with_corner(3, Some(flute)).id()
        );
        assert_eq!(patch.occupied(), CornerMask(0b0011));
    }

    #[test]
    fn the_audio_thread_hears_of_velocities_only_where_a_sound_has_layers_for_them() {
        let plain = Patch::default().with_corner(0, Some(sound("flute")));
        assert_eq!(
            plain.view(),
            PatchView {
                occupied: CornerMask(1),
                ..PatchView::plain(plain.id())
            }
        );
        let layered = plain.with_corner(2, Some(Arc::new(crate::sound::tests::layered())));
        assert!(layered.view().has_velocities);
    }

    #[test]
    fn a_sound_of_another_model_is_named_with_its_corner() {
        let patch = Patch::default().with_corner(2, Some(sound("flute")));
        assert_eq!(patch.check_model("spectral 1"), Ok(()));
        let message = patch.check_model("spectral 2").unwrap_err();
        assert!(message.starts_with(
            "corner C: the sound \"flute\" was encoded by the model spectral 1, and spectral 2"
        ));
    }
}
