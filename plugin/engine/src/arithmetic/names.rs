//! What the names in an expression mean: sounds of the library, files, and what the user bound to a name.
//!
//! Reads files: background threads and the command line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::expression::{Expression, ExpressionError, NameUse};
use crate::library::{Library, LibraryError};
use crate::preset::SoundRef;
use crate::sound::{SOUND_EXTENSION, Sound, SoundError};

/// Where names are looked up: what was bound to one goes first, then the user's sounds, then the factory's, each by its file's
/// name without the ending; then any of both by what it is called, in any case. In quotes also `factory/NAME.sound`,
/// `user/NAME.sound`, or the path of a file.
#[derive(Debug)]
pub struct Names<'a> {
    library: &'a Library,
    bound: BTreeMap<String, Binding>,
}

#[derive(Debug)]
enum Binding {
    File(PathBuf),
    Sound(Arc<Sound>),
}

/// An expression and the sounds that its names mean.
#[derive(Debug, Clone)]
pub struct Bound<'e> {
    expression: &'e Expression,
    sounds: Vec<Arc<Sound>>,
}

impl<'e> Bound<'e> {
    /// The expression.
    pub fn expression(&self) -> &'e Expression {
        self.expression
    }

    /// The sounds of [`Expression::names`], in their order.
    pub fn sounds(&self) -> &[Arc<Sound>] {
        &self.sounds
    }
}

impl<'a> Names<'a> {
    /// The library's names.
    pub fn of(library: &'a Library) -> Self {
        Self {
            library,
            bound: BTreeMap::new(),
        }
    }

    /// And this one, which means the sound in a file.
    #[must_use]
    pub fn with_file(mut self, name: &str, file: &Path) -> Self {
        self.bound.insert(name.into(), Binding::File(file.into()));
        self
    }

    /// And this one, which means this sound: a corner's.
    #[must_use]
    pub fn with_sound(mut self, name: &str, sound: Arc<Sound>) -> Self {
        self.bound.insert(name.into(), Binding::Sound(sound));
        self
    }

    /// Reads the sounds of an expression.
    ///
    /// # Errors
    /// On the first name that means none, or one that cannot be read, with its column.
    pub fn find<'e>(&self, expression: &'e Expression) -> Result<Bound<'e>, ExpressionError> {
        let sounds = expression.uses().iter().map(|named| {
            let found = self.look_up(named);
            found.map_err(|problem| ExpressionError::at(named.column, problem))
        });
        Ok(Bound {
            expression,
            sounds: sounds.collect::<Result<_, _>>()?,
        })
    }

    fn look_up(&self, named: &NameUse) -> Result<Arc<Sound>, String> {
        let name = named.text.as_str();
        match self.bound.get(name) {
            Some(Binding::Sound(sound)) => return Ok(Arc::clone(sound)),
            Some(Binding::File(file)) => return read(file),
            None => {}
        }
        let is_plain = !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']);
        if is_plain {
            let file = format!("{name}.{SOUND_EXTENSION}");
            for reference in [SoundRef::User(file.clone()), SoundRef::Factory(file)] {
                match self.library.sound(&reference) {
                    Ok(sound) => return Ok(sound),
                    Err(error) if is_absence(&error) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            let called = |called: &str| called.to_lowercase() == name.to_lowercase();
            let entries = self.library.sounds();
            if let Some(entry) = entries.iter().find(|entry| called(&entry.name)) {
                return self
                    .library
                    .sound(&entry.reference)
                    .map_err(|error| error.to_string());
            }
        }
        if named.is_quoted {
            if let Ok(reference) = name.parse::<SoundRef>() {
                match self.library.sound(&reference) {
                    Err(error) if is_absence(&error) => {}
                    found => return found.map_err(|error| error.to_string()),
                }
            }
            if !is_plain
                || Path::new(name)
                    .extension()
                    .is_some_and(|ending| ending == SOUND_EXTENSION)
            {
                return read(Path::new(name));
            }
        }
        Err(format!(
            "there is no sound `{name}`; expected the name of one of the library's, or the path of a `.sound` file in quotes"
        ))
    }
}

fn read(file: &Path) -> Result<Arc<Sound>, String> {
    Sound::read(file).map(Arc::new).map_err(|error| error.to_string())
}

/// Whether there is just no such file.
fn is_absence(error: &LibraryError) -> bool {
    match error {
        LibraryError::Sound(SoundError::File { source, .. }) => source.kind() == io::ErrorKind::NotFound,
        LibraryError::NoUserFolder => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        library: Library,
    }

    /// A factory with Flute and Glass Pad, a user's folder with a flute of its own, and one file elsewhere.
    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, name: &str| {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let sound = Sound {
                name: name.into(),
                ..crate::blended_note::tests::sound(3, 0.5, None)
            };
            sound.write(&file).unwrap();
        };
        write("factory/sounds/flute.sound", "Flute");
        write("factory/sounds/glass_pad.sound", "Glass Pad");
        write("user/sounds/flute.sound", "My Flute");
        write("elsewhere/bowl.sound", "Bowl");
        std::fs::write(folder.path().join("user/sounds/broken.sound"), "no sound").unwrap();
        let library = Library::in_folders(&folder.path().join("factory"), &folder.path().join("user"));
        Place { folder, library }
    }

    #[test]
    fn a_name_is_a_file_of_the_users_then_of_the_factorys_then_what_a_sound_is_called() {
        let place = place();
        let path = place.folder.path().join("elsewhere/bowl.sound");
        let names = Names::of(&place.library).with_file("B", &path);
        let called = |text: &str| {
            let expression = Expression::parse(text).unwrap();
            let bound = names.find(&expression).unwrap();
            let called = bound.sounds().iter().map(|sound| sound.name.clone());
            called.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(called("flute + glass_pad + B"), "My Flute, Glass Pad, Bowl");
        assert_eq!(called("'glass pad' + 'factory/flute.sound'"), "Glass Pad, Flute");
        assert_eq!(called(&format!("\"{}\"", path.display())), "Bowl");
        let sound = Arc::new(crate::blended_note::tests::sound(1, 0.0, None));
        let names = Names::of(&place.library).with_sound("flute", sound);
        let expression = Expression::parse("flute").unwrap();
        assert_eq!(names.find(&expression).unwrap().sounds()[0].name, "test");
    }

    #[test]
    fn a_name_that_means_nothing_is_told_with_its_column() {
        let place = place();
        let names = Names::of(&place.library).with_file("gone", Path::new("/nowhere/a.sound"));
        let told = |text: &str| {
            let expression = Expression::parse(text).unwrap();
            names.find(&expression).unwrap_err().to_string()
        };
        assert_eq!(
            told("flute + flut"),
            "column 9: there is no sound `flut`; expected the name of one of the library's, or the path of a `.sound` file in quotes"
        );
        assert!(told("flute + gone").starts_with("column 9: /nowhere/a.sound: cannot be read"));
        assert!(told("flute + broken").contains("is no sound of Betwixt's"));
        assert!(told("'x/y.sound'").starts_with("column 1: x/y.sound: cannot be read"));
    }
}
