//! A pack's recipe: all that its samples and its files follow from, as a text that a person can read.
//!
//! Plain data, background threads. It lies in every pack as `recipe.toml`, names no machine, no path and no date, and is
//! enough to plan the pack and to write its mappings again; two packs with one recipe are the same pack.

use std::path::Path;

use betwixt_audio::blend::CornerMask;
use betwixt_audio::settings::Settings;
use serde::{Deserialize, Serialize};

use crate::pack::error::PackError;
use crate::pack::options::PackOptions;
use crate::patch::{CORNER_NAMES, Patch};
use crate::preset::Preset;

/// The file's name.
pub const RECIPE_NAME: &str = "recipe.toml";
/// Version of the recipe's form.
const RECIPE_FORMAT: u32 = 1;
const MOST_BYTES: u64 = 1 << 20;

/// What a pack is made of, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Version of the recipe's form.
    recipe: u32,
    /// Version of Betwixt: another may render other samples.
    betwixt: String,
    /// Name and version of the model.
    pub model: String,
    /// What was asked for.
    pub options: PackOptions,
    /// The preset that is played.
    pub preset: Preset,
    /// The sounds in its corners, A first.
    pub sounds: Vec<RecipeSound>,
}

/// A sound as far as a pack speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeSound {
    /// A, B, C or D.
    pub corner: String,
    /// What it is called.
    pub name: String,
    /// Family of instruments, empty if not known.
    pub family: String,
    /// Its licence, empty if not known.
    pub licence: String,
    /// Where it came from, empty if not known.
    pub source: String,
    /// Names its contents.
    pub id: String,
}

impl Recipe {
    /// The recipe of a preset with the sounds that it names.
    pub fn new(model: String, options: PackOptions, preset: Preset, patch: &Patch) -> Self {
        let corners = patch.corners().iter().zip(CORNER_NAMES);
        let sounds = corners.filter_map(|(sound, corner)| {
            let sound = sound.as_ref()?;
            Some(RecipeSound {
                corner: corner.into(),
                name: sound.name.clone(),
                family: sound.family.clone(),
                licence: sound.licence.clone(),
                source: sound.source.clone(),
                id: format!("{:016x}", sound.id().0),
            })
        });
        Self {
            recipe: RECIPE_FORMAT,
            betwixt: env!("CARGO_PKG_VERSION").into(),
            model,
            options,
            sounds: sounds.collect(),
            preset,
        }
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string_pretty(self).expect("strings, numbers and tables are TOML");
        format!(
            "# How this pack was made: `betwixt pack` makes it again from the same preset and options.\n{text}"
        )
    }

    /// Reads the recipe of the pack in a folder.
    ///
    /// # Errors
    /// If there is none, or it is of another version of Betwixt.
    pub fn read(folder: &Path) -> Result<Self, PackError> {
        let file = folder.join(RECIPE_NAME);
        let failed = |reason: String| PackError::Content {
            file: file.clone(),
            reason,
        };
        let length = std::fs::metadata(&file)
            .map_err(|error| PackError::read(&file, error))?
            .len();
        if length > MOST_BYTES {
            return Err(failed(format!(
                "has {length} bytes; expected at most {MOST_BYTES}"
            )));
        }
        let bytes = std::fs::read(&file).map_err(|error| PackError::read(&file, error))?;
        Self::from_bytes(&bytes).map_err(failed)
    }

    /// Parses the bytes of a recipe.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())?;
        let recipe: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if recipe.recipe != RECIPE_FORMAT || recipe.betwixt != env!("CARGO_PKG_VERSION") {
            return Err(format!(
                "is of Betwixt {}; this is {}, which may render other samples",
                recipe.betwixt,
                env!("CARGO_PKG_VERSION")
            ));
        }
        recipe.options.check().map_err(|error| error.to_string())?;
        Ok(recipe)
    }

    /// How the preset plays.
    pub fn settings(&self) -> Settings {
        self.preset.settings()
    }

    /// Which corners hold a sound.
    pub fn occupied(&self) -> CornerMask {
        let bits = self.sounds.iter().filter_map(|sound| {
            let corner = CORNER_NAMES.iter().position(|name| *name == sound.corner)?;
            Some(1_u8 << corner)
        });
        CornerMask(bits.fold(0, |mask, bit| mask | bit))
    }

    /// Which of its sounds is heard most at a place on the pad.
    pub fn loudest_at(&self, blend: betwixt_audio::blend::Blend) -> Option<&RecipeSound> {
        let weights = blend.weights(self.occupied());
        let weight_of = |sound: &RecipeSound| {
            let corner = CORNER_NAMES.iter().position(|name| *name == sound.corner);
            corner.map_or(0.0, |corner| weights[corner])
        };
        // The first of those that are equal.
        self.sounds.iter().reduce(|most, sound| {
            if weight_of(sound) > weight_of(most) {
                sound
            } else {
                most
            }
        })
    }

    /// The preset's name as part of a file's: small letters, digits and `_`.
    pub fn stem(&self) -> String {
        let mut stem = String::new();
        for letter in self.preset.name.chars() {
            if letter.is_ascii_alphanumeric() {
                stem.push(letter.to_ascii_lowercase());
            } else if !stem.is_empty() && !stem.ends_with('_') {
                stem.push('_');
            }
            if stem.len() >= 60 {
                break;
            }
        }
        let stem = stem.trim_end_matches('_');
        if stem.is_empty() {
            "pack".into()
        } else {
            stem.into()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::pack::options::PackFormat;
    use proptest::prelude::*;

    /// Of four sounds that nobody has to have.
    pub(crate) fn recipe(options: PackOptions) -> Recipe {
        let text = "format = 1\nname = \"Breath & Glass: 2\"\nlicence = \"CC0-1.0\"\n[corners]\n[parameters]\nrelease_ms = 500.0\n";
        let sound = |corner: &str, family: &str| RecipeSound {
            corner: corner.into(),
            name: format!("sound {corner}"),
            family: family.into(),
            licence: "MIT".into(),
            source: "somewhere <far>".into(),
            id: "0123456789abcdef".into(),
        };
        Recipe {
            recipe: RECIPE_FORMAT,
            betwixt: env!("CARGO_PKG_VERSION").into(),
            model: "spectral 3 (00000000)".into(),
            options,
            preset: Preset::from_bytes(text.as_bytes()).unwrap(),
            sounds: vec![
                sound("A", "woodwind"),
                sound("B", "mallets"),
                sound("C", "bass"),
                sound("D", "voice"),
            ],
        }
    }

    #[test]
    fn a_recipe_reads_what_it_writes() {
        let recipe = recipe(PackOptions::of(PackFormat::Sfz));
        assert_eq!(
            Recipe::from_bytes(recipe.to_toml().as_bytes()),
            Ok(recipe.clone())
        );
        assert_eq!(recipe.stem(), "breath_glass_2");
        assert_eq!(recipe.occupied(), CornerMask::ALL);
        let right = betwixt_audio::blend::Blend { x: 0.9, y: 0.8 };
        assert_eq!(recipe.loudest_at(right).unwrap().corner, "B");
    }

    #[test]
    fn a_recipe_of_another_version_is_told_as_such() {
        let recipe = Recipe {
            betwixt: "9.9.9".into(),
            ..recipe(PackOptions::of(PackFormat::Sfz))
        };
        let message = Recipe::from_bytes(recipe.to_toml().as_bytes()).unwrap_err();
        assert!(message.starts_with("is of Betwixt 9.9.9; this is"), "{message}");
    }

    proptest! {
        #[test]
        fn a_cut_and_damaged_recipe_never_panics(cut in 0..900_usize, at in 0..900_usize, value in any::<u8>()) {
            let mut bytes = recipe(PackOptions::of(PackFormat::Wav)).to_toml().into_bytes();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(cut);
            let _ = Recipe::from_bytes(&bytes);
        }
    }
}
