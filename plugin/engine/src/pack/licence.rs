//! The licence of a pack: what its sounds and its preset say of theirs, gathered in one text.
//!
//! A pure function of the recipe. Betwixt grants nothing here that the sounds do not.

use std::fmt::Write as _;

use crate::pack::recipe::Recipe;

/// The file's name.
pub(crate) const LICENCE_NAME: &str = "LICENCE.txt";

/// The text of the file.
pub(crate) fn text(recipe: &Recipe) -> String {
    let or_unknown = |text: &str| {
        if text.is_empty() {
            "not stated".to_owned()
        } else {
            text.to_owned()
        }
    };
    let mut text = format!(
        "{}\n\nThe samples of this pack were rendered with Betwixt from the sounds below, by the model {}.\n\
         Whoever passes them on does so under the licences of these sounds.\n",
        recipe.preset.name, recipe.model
    );
    for sound in &recipe.sounds {
        let _ = write!(
            text,
            "\n{}: {}\n  licence: {}\n  source:  {}\n",
            sound.corner,
            sound.name,
            or_unknown(&sound.licence),
            or_unknown(&sound.source)
        );
    }
    let _ = write!(
        text,
        "\nPreset: {}\n  author:  {}\n  licence: {}\n",
        recipe.preset.name,
        or_unknown(&recipe.preset.author),
        or_unknown(&recipe.preset.licence)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{PackFormat, PackOptions};
    use crate::pack::recipe::tests::recipe;

    #[test]
    fn every_sound_is_there_with_its_licence() {
        let mut recipe = recipe(PackOptions::of(PackFormat::Sfz));
        recipe.sounds[1].licence = String::new();
        let text = text(&recipe);
        assert!(
            text.contains("A: sound A\n  licence: MIT\n  source:  somewhere <far>\n"),
            "{text}"
        );
        assert!(text.contains("B: sound B\n  licence: not stated\n"), "{text}");
        assert!(
            text.contains("\n  author:  not stated\n  licence: CC0-1.0\n"),
            "{text}"
        );
    }
}
