//! A preset that nobody made, with taste.
//!
//! A background thread: it reads the sounds that it picks. The same seed on the same library gives the same preset. Taste means:
//!
//! - A, the first sound, is of any family, each as likely as the others, so that the family with most sounds does not win.
//! - B, beside it, is one of its nearest that is not the very same instrument; C, below it, is of another family, and D, beside that, one
//!   of C's nearest. So the pad is a small step one way and a journey the other.
//! - All four were recorded within an octave and a half of each other: no key is far from home in any corner.
//! - How it is played fits the sounds: what is plucked or struck begins at once and rings out, what is held may begin softly.
//! - What makes a sound strange (heat, push, stretch, an attack from one corner) is rest in most presets, and little in the others. What
//!   makes it unplayable by surprise (gain, tuning, voices, glide, MPE, freeze) is never touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::LibraryError;
use super::entry::{Entry, Filter};
use super::index::Index;
use crate::parameter::Parameter;
use crate::patch::Patch;
use crate::preset::{PRESET_FORMAT, Preset, PresetCorners};
use crate::sound::Sound;

/// Pitches that go together lie no further apart, in semitones.
const FARTHEST_SEMITONES: f32 = 18.0;
/// A neighbour is one of so many nearest, the first of which are often the same instrument again.
const NEIGHBOURS: usize = 12;
const TOO_NEAR: usize = 2;
/// Nearer than this it is the same again.
const SAME: f32 = 0.05;

impl Index {
    /// Makes a preset up; nothing is written. Only sounds of `model` are taken, or, if it is none, of the model that most sounds
    /// are of. A sound that no preset can name (of an added folder) is in the patch all the same; saving keeps it.
    ///
    /// # Errors
    /// If there is no sound to choose from, or the chosen cannot be read.
    pub fn random_preset(&self, seed: u64, model: Option<&str>) -> Result<(Preset, Patch), LibraryError> {
        let mut chance = Chance(seed);
        let sounds = self.search("", &Filter::sounds(), usize::MAX);
        let model = model.map_or_else(|| usual_model(&sounds), |model| Some(model.to_owned()));
        let none = || LibraryError::NoSounds { model: model.clone() };
        let of_model = sounds
            .into_iter()
            .filter(|sound| Some(&sound.model) == model.as_ref());
        let mut by_family: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for sound in of_model {
            by_family
                .entry(sound.family.to_lowercase())
                .or_default()
                .push(sound);
        }
        let a = chance.of_families(&by_family, |_| true).ok_or_else(none)?.clone();
        let fits = |entry: &Entry| fits(entry, &a);
        let b = self.neighbour(&mut chance, &a, &fits)?;
        let other = chance.of_families(&by_family, |entry| {
            fits(entry) && !entry.family.eq_ignore_ascii_case(&a.family)
        });
        let c = other.cloned();
        let d = match &c {
            Some(c) => self.neighbour(&mut chance, c, &fits)?,
            None => None,
        };
        let corners = [Some(a), b, c, d];
        let preset = Preset {
            format: PRESET_FORMAT,
            name: name(&corners),
            description: String::new(),
            author: String::new(),
            licence: String::new(),
            tags: tags(&corners),
            corners: references(&corners),
            parameters: parameters(&mut chance, &corners),
        };
        let mut sounds: [Option<Arc<Sound>>; 4] = Default::default();
        for (sound, entry) in sounds.iter_mut().zip(&corners) {
            if let Some(entry) = entry {
                *sound = Some(self.sound(&entry.id)?);
            }
        }
        Ok((preset, Patch::new(sounds)))
    }

    /// A sound that is like another without being it again; none if there is none.
    fn neighbour(
        &self,
        chance: &mut Chance,
        entry: &Entry,
        fits: &dyn Fn(&Entry) -> bool,
    ) -> Result<Option<Entry>, LibraryError> {
        let sound = self.sound(&entry.id)?;
        // Some do not fit.
        let near = self.nearest(&sound, &Filter::sounds(), 4 * NEIGHBOURS);
        let near: Vec<Entry> = near
            .into_iter()
            .filter(|(near, distance)| *distance > SAME && near.id != entry.id && fits(near))
            .map(|(near, _)| near)
            .take(NEIGHBOURS)
            .collect();
        let skipped = TOO_NEAR.min(near.len().saturating_sub(1));
        Ok(chance.of(&near[skipped..]).cloned())
    }
}

/// Whether two sounds can be in one patch.
fn fits(entry: &Entry, first: &Entry) -> bool {
    let apart = entry
        .pitch
        .zip(first.pitch)
        .map_or(0.0, |(one, other)| (one - other).abs());
    entry.id != first.id && apart <= FARTHEST_SEMITONES
}

/// The model that most of the sounds are of; the first by name of several.
fn usual_model(sounds: &[Entry]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for sound in sounds {
        *counts.entry(&sound.model).or_default() += 1;
    }
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    most.map(|(model, _)| model.to_owned())
}

fn references(corners: &[Option<Entry>; 4]) -> PresetCorners {
    let reference = |corner: usize| corners[corner].as_ref().and_then(|entry| entry.id.sound_ref());
    PresetCorners {
        a: reference(0),
        b: reference(1),
        c: reference(2),
        d: reference(3),
    }
}

/// "Flute and Bell": what is at opposite ends, or the one that there is.
fn name(corners: &[Option<Entry>; 4]) -> String {
    let named = |corner: usize| corners[corner].as_ref().map(|entry| entry.name.trim());
    let first = named(0).unwrap_or_default();
    match named(2).or(named(1)) {
        Some(other) if other != first => format!("{first} and {other}"),
        _ => first.to_owned(),
    }
}

/// The families, and that nobody made it.
fn tags(corners: &[Option<Entry>; 4]) -> Vec<String> {
    let mut tags = vec!["random".to_owned()];
    for family in corners.iter().flatten().map(|entry| entry.family.to_lowercase()) {
        if !family.is_empty() && !tags.contains(&family) {
            tags.push(family);
        }
    }
    tags
}

/// How the sounds are played.
fn parameters(chance: &mut Chance, corners: &[Option<Entry>; 4]) -> BTreeMap<String, f32> {
    let all: Vec<&Entry> = corners.iter().flatten().collect();
    let sustained = all.iter().filter(|entry| entry.is_sustained).count();
    let is_struck = 2 * sustained < all.len();
    let mut set = vec![
        // Not in a corner: that would be one sound alone.
        (Parameter::BlendX, chance.within(0.2, 0.8)),
        (Parameter::BlendY, chance.within(0.2, 0.8)),
        (Parameter::Width, chance.within(0.3, 0.9)),
        (Parameter::Brightness, chance.within(-0.25, 0.25)),
    ];
    if is_struck {
        set.push((Parameter::AttackMs, chance.by_ratio(1.0, 8.0)));
        set.push((Parameter::Sustain, 1.0));
        set.push((Parameter::ReleaseMs, chance.by_ratio(150.0, 1200.0)));
    } else {
        set.push((Parameter::AttackMs, chance.by_ratio(5.0, 600.0)));
        set.push((Parameter::DecayMs, chance.by_ratio(150.0, 1500.0)));
        set.push((Parameter::Sustain, chance.within(0.6, 1.0)));
        set.push((Parameter::ReleaseMs, chance.by_ratio(120.0, 2000.0)));
    }
    if chance.happens(0.4) {
        set.push((Parameter::Heat, chance.within(0.03, 0.2)));
    }
    if chance.happens(0.25) {
        set.push((Parameter::Push, chance.within(0.8, 1.25)));
    }
    if chance.happens(0.2) && !is_struck {
        set.push((Parameter::Stretch, chance.by_ratio(0.7, 2.0)));
    }
    let struck: Vec<usize> = (0..4)
        .filter(|corner| corners[*corner].as_ref().is_some_and(|entry| !entry.is_sustained))
        .collect();
    // An attack that is worth having, on what is held.
    if chance.happens(0.3)
        && sustained > 0
        && let Some(corner) = chance.of(&struck)
    {
        set.push((Parameter::AttackFrom, (corner + 1) as f32));
    }
    let rounded = |value: f32| (value * 1000.0).round() / 1000.0;
    set.into_iter()
        .map(|(parameter, value)| (parameter.name().to_owned(), parameter.nearest(rounded(value))))
        .collect()
}

/// A seeded generator: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    /// 0 to 1, without 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit() as f32
    }

    /// Each octave as likely as the others.
    fn by_ratio(&mut self, low: f32, high: f32) -> f32 {
        low * (high / low).powf(self.unit() as f32)
    }

    fn of<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = (self.unit() * from.len() as f64) as usize;
        from.get(at)
    }

    /// One of those that fit, of any family that has such.
    fn of_families<'a>(
        &mut self,
        families: &'a BTreeMap<String, Vec<Entry>>,
        fits: impl Fn(&Entry) -> bool,
    ) -> Option<&'a Entry> {
        let fitting: Vec<Vec<&Entry>> = families
            .values()
            .map(|sounds| sounds.iter().filter(|sound| fits(sound)).collect())
            .filter(|sounds: &Vec<&Entry>| !sounds.is_empty())
            .collect();
        let family = self.of(&fitting)?;
        self.of(family).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::Embedding;
    use crate::library::Library;
    use crate::library::tests::sound_of;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicBool;

    /// Six families of six sounds, each family about a place of its own; one of another model.
    fn index() -> (tempfile::TempDir, Index) {
        let home = tempfile::tempdir().unwrap();
        let sounds = home.path().join("factory/sounds");
        std::fs::create_dir_all(&sounds).unwrap();
        for n in 0..36_u8 {
            let family = f32::from(n / 6);
            let mut sound = sound_of(&format!("Sound {n}"), &format!("family {family}"));
            sound.pitch = 30.0 + 1.5 * f32::from(n);
            sound.embedding = Embedding::new(
                2,
                vec![family + 0.01 * f32::from(n), -family, 0.02 * f32::from(n), 0.1],
            )
            .unwrap();
            sound.write(&sounds.join(format!("{n}.sound"))).unwrap();
        }
        let mut other = sound_of("Other", "other");
        other.model = "another 1".into();
        other.write(&sounds.join("other.sound")).unwrap();
        let library = Library::in_folders(&home.path().join("factory"), &home.path().join("user"));
        let index = Index::open(library);
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        (home, index)
    }

    #[test]
    fn taste_holds_whatever_the_seed() {
        let (_home, index) = index();
        let mut firsts = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let (preset, patch) = index.random_preset(seed, None).unwrap();
            let read = Preset::from_bytes(preset.to_toml().as_bytes()).unwrap();
            assert_eq!(read, preset);
            let sounds: Vec<_> = patch.corners().iter().flatten().collect();
            assert_eq!(sounds.len(), 4, "{seed}");
            assert!(sounds.iter().all(|sound| sound.model == "spectral 1"));
            let pitches = sounds.iter().map(|sound| sound.pitch);
            assert!(
                pitches
                    .clone()
                    .all(|pitch| (pitch - sounds[0].pitch).abs() <= FARTHEST_SEMITONES)
            );
            assert_ne!(sounds[0].family, sounds[2].family);
            assert_ne!(sounds[0].name, sounds[1].name);
            assert!((0.2..=0.8).contains(&preset.parameter(Parameter::BlendX)));
            for untouched in [Parameter::GainDb, Parameter::TuningCents, Parameter::Freeze] {
                assert!(!preset.parameters.contains_key(untouched.name()));
            }
            firsts.insert(sounds[0].family.clone());
        }
        assert_eq!(firsts.len(), 6, "every family comes first at times");
    }

    #[test]
    fn one_seed_is_one_preset() {
        let (_home, index) = index();
        let (first, patch) = index.random_preset(11, None).unwrap();
        let again = index.random_preset(11, None).unwrap();
        assert_eq!((&first, &patch), (&again.0, &again.1));
        assert_ne!(index.random_preset(12, None).unwrap().0, first);
    }

    #[test]
    fn a_library_of_one_sound_is_enough_and_of_none_is_told() {
        let (_home, index) = index();
        let (preset, patch) = index.random_preset(1, Some("another 1")).unwrap();
        assert_eq!(
            (preset.name.as_str(), patch.corners()[1].is_none()),
            ("Other", true)
        );
        let message = index.random_preset(1, Some("no 1")).unwrap_err().to_string();
        assert_eq!(message, "there are no sounds of the model no 1 to choose from");
    }

    proptest! {
        #[test]
        fn chances_stay_in_their_ranges(seed in any::<u64>()) {
            let mut chance = Chance(seed);
            for _ in 0..20 {
                prop_assert!((-0.25..0.25).contains(&chance.within(-0.25, 0.25)));
                prop_assert!((0.999..=8.001).contains(&chance.by_ratio(1.0, 8.0)));
                prop_assert!(chance.of(&[1, 2, 3]).is_some());
            }
            prop_assert!(chance.of::<u8>(&[]).is_none());
        }
    }
}
