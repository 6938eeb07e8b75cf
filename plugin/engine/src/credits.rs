//! Who made a sound, and what of.
//!
//! Plain data in the header of a `.sound` file, where it may be missing; any thread.

use serde::{Deserialize, Serialize};

/// Sounds that a recipe names at most.
pub const MAX_INGREDIENTS: usize = 256;

/// Who made a sound, and what of; nothing of it is heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    /// Who made the sound, empty if not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// How it came from other sounds; none for one that was encoded from a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
}

/// How a sound came from others by [`arithmetic`](crate::arithmetic).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The expression, as it was written.
    pub expression: String,
    /// What its names meant, in the order in which they first stand in it; at most [`MAX_INGREDIENTS`].
    pub ingredients: Vec<Ingredient>,
}

/// A sound that went into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingredient {
    /// Its name in the expression.
    pub name: String,
    /// What it is called.
    pub sound: String,
    /// Names its contents: its [`SoundId`](crate::sound::SoundId) as 16 hexadecimal digits.
    pub id: String,
    /// Who made it, empty if not known.
    pub author: String,
    /// Its licence, empty if not known.
    pub licence: String,
}

impl Credits {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.author.is_empty() && self.recipe.is_none()
    }

    /// All that is text, to be bounded.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        let recipe = self.recipe.iter().flat_map(|recipe| {
            let ingredients = recipe.ingredients.iter();
            let texts = ingredients.flat_map(|of| [&of.name, &of.sound, &of.id, &of.author, &of.licence]);
            std::iter::once(&recipe.expression).chain(texts)
        });
        std::iter::once(&self.author).chain(recipe)
    }
}
