//! The NSynth dataset's `examples.json` read (Engel et al. 2017): its notes, gathered by their instruments.
//!
//! Background threads: the whole dataset's listing has 290,000 notes. Each instrument is one mapping, of all its pitches and velocities,
//! with its family, and with its source and those of the qualities that most of its notes have as tags.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::multisample::zone::{Mapping, MappingError, Skipped, Zone, plain};

/// The listing's name.
pub(crate) const LISTING_NAME: &str = "examples.json";
/// The folder of the recordings.
pub(crate) const AUDIO_FOLDER: &str = "audio";
/// Three times the dataset's.
const MOST_NOTES: usize = 1_000_000;
/// Reasons that are told; a listing that is wrong throughout has one a note.
const MOST_TOLD: usize = 1000;

/// A note, as far as it is looked at.
#[derive(Deserialize)]
struct Example {
    #[serde(default)]
    instrument_str: Value,
    #[serde(default)]
    pitch: Value,
    #[serde(default)]
    velocity: Value,
    #[serde(default)]
    qualities_str: Value,
    #[serde(default)]
    instrument_family_str: Value,
    #[serde(default)]
    instrument_source_str: Value,
}

/// An instrument as far as it is gathered.
#[derive(Default)]
struct Gathered {
    mapping: Mapping,
    /// How many of its notes have a quality.
    qualities: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Listing {
    instruments: BTreeMap<String, Gathered>,
    skipped: Vec<Skipped>,
    notes: usize,
}

/// Reads a listing, its instruments by their names; `file` is what messages call it. Notes that make no sense are told in the first.
///
/// # Errors
/// If it is no JSON, no listing, or has far too many notes.
pub fn parse(bytes: &[u8], file: &str) -> Result<Vec<Mapping>, MappingError> {
    let failed = |reason: String| MappingError {
        place: file.into(),
        reason,
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = reader.deserialize_map(Notes(file));
    let listing = read.and_then(|listing| reader.end().map(|()| listing));
    let listing = listing.map_err(|error| failed(format!("is no listing of notes: {error}")))?;
    if listing.instruments.is_empty() && listing.skipped.is_empty() {
        return Err(failed("lists no note".into()));
    }
    let mut mappings: Vec<Mapping> = listing.instruments.into_values().map(Gathered::finish).collect();
    match mappings.first_mut() {
        Some(first) => first.skipped = listing.skipped,
        None => mappings.push(Mapping {
            skipped: listing.skipped,
            ..Mapping::default()
        }),
    }
    Ok(mappings)
}

impl Gathered {
    fn finish(mut self) -> Mapping {
        let notes = self.mapping.zones.len();
        let most = self
            .qualities
            .into_iter()
            .filter(|(_, having)| 2 * having > notes);
        self.mapping.tags.extend(most.map(|(quality, _)| quality));
        self.mapping
    }
}

impl Listing {
    fn add(&mut self, name: &str, example: &Example, file: &str) {
        if let Err(reason) = self.try_add(name, example)
            && self.skipped.len() < MOST_TOLD
        {
            self.skipped.push(Skipped {
                place: format!("{file}, note \"{}\"", plain(name)),
                reason,
            });
        }
    }

    fn try_add(&mut self, name: &str, example: &Example) -> Result<(), String> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':', '\0']) {
            return Err("its name is no file's name".into());
        }
        let number = |field: &str, value: &Value, lowest: u64| {
            let number = value.as_u64().filter(|number| (lowest..=127).contains(number));
            let number = number.and_then(|number| u8::try_from(number).ok());
            number.ok_or_else(|| format!("`{field}` is {}; expected {lowest} to 127", short(value)))
        };
        let (pitch, velocity) = (
            number("pitch", &example.pitch, 0)?,
            number("velocity", &example.velocity, 1)?,
        );
        let text = |value: &Value| plain(value.as_str().unwrap_or_default());
        let instrument = text(&example.instrument_str);
        if instrument.is_empty() {
            let found = short(&example.instrument_str);
            return Err(format!(
                "`instrument_str` is {found}; expected an instrument's name"
            ));
        }
        let (family, source) = (
            text(&example.instrument_family_str),
            text(&example.instrument_source_str),
        );
        let gathered = self
            .instruments
            .entry(instrument.clone())
            .or_insert_with(|| Gathered {
                mapping: Mapping {
                    source: format!("{instrument} of a dataset in NSynth's form"),
                    tags: Vec::from_iter((!source.is_empty()).then_some(source)),
                    name: instrument,
                    has_qualities: true,
                    family,
                    ..Mapping::default()
                },
                ..Gathered::default()
            });
        for quality in example.qualities_str.as_array().into_iter().flatten() {
            let quality = text(quality);
            if !quality.is_empty()
                && (gathered.qualities.len() < 64 || gathered.qualities.contains_key(&quality))
            {
                *gathered.qualities.entry(quality).or_default() += 1;
            }
        }
        gathered.mapping.zones.push(Zone {
            sample: format!("{AUDIO_FOLDER}/{name}.wav"),
            root: pitch,
            tuning: 0.0,
            keys: (pitch, pitch),
            velocities: (velocity, velocity),
            velocity: Some(velocity),
            frames: (0, None),
            place: format!("note \"{name}\""),
        });
        Ok(())
    }
}

/// A value in a message.
fn short(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

/// Takes a listing note by note: all of it at once would be as large again.
struct Notes<'a>(&'a str);

impl<'de> Visitor<'de> for Notes<'_> {
    type Value = Listing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of notes by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut notes: A) -> Result<Listing, A::Error> {
        let mut listing = Listing::default();
        while let Some((name, example)) = notes.next_entry::<String, Example>()? {
            listing.notes += 1;
            if listing.notes > MOST_NOTES {
                return Err(serde::de::Error::custom(format!("more than {MOST_NOTES} notes")));
            }
            listing.add(&name, &example, self.0);
        }
        Ok(listing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notes_are_gathered_by_instrument_with_what_most_of_them_are() {
        let note = |instrument: &str, pitch: u8, velocity: u8, qualities: &str| {
            format!(
                "\"{instrument}-{pitch:03}-{velocity:03}\": {{\"note\": 3, \"instrument_str\": \"{instrument}\", \"pitch\": {pitch}, \
                 \"velocity\": {velocity}, \"qualities_str\": [{qualities}], \"instrument_family_str\": \"bass\", \
                 \"instrument_source_str\": \"synthetic\", \"qualities\": [0, 1]}}"
            )
        };
        let text = format!(
            "{{{}, {}, {}, \"x/y\": {{\"pitch\": 3}}, \"z\": {{\"pitch\": 300, \"velocity\": 1}}}}",
            note("bass_synthetic_033", 22, 100, "\"dark\", \"percussive\""),
            note("bass_synthetic_033", 60, 25, "\"dark\""),
            note("bass_synthetic_007", 40, 127, ""),
        );
        let mappings = parse(text.as_bytes(), "examples.json").unwrap();
        let names: Vec<&str> = mappings.iter().map(|mapping| mapping.name.as_str()).collect();
        assert_eq!(names, ["bass_synthetic_007", "bass_synthetic_033"]);
        let bass = &mappings[1];
        assert_eq!(
            (bass.family.as_str(), bass.tags.join(" ").as_str()),
            ("bass", "synthetic dark")
        );
        assert_eq!(bass.zones[0].sample, "audio/bass_synthetic_033-022-100.wav");
        assert_eq!((bass.zones[1].root, bass.zones[1].struck_velocity()), (60, 25));
        let told: Vec<String> = mappings[0].skipped.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "examples.json, note \"x/y\": its name is no file's name",
                "examples.json, note \"z\": `pitch` is 300; expected 0 to 127",
            ]
        );
    }

    #[test]
    fn what_is_no_listing_is_refused_in_one_line() {
        for text in ["", "[]", "{", "{\"a\": 3}", "{}", "{} x"] {
            let message = parse(text.as_bytes(), "examples.json").unwrap_err().to_string();
            assert!(
                message.starts_with("examples.json: ") && !message.contains('\n'),
                "{message}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_listing_is_read_or_refused(text in "(\\{|\\}|\"a\"|\"pitch\"|\"velocity\"|\"instrument_str\"|: ?|, ?|[0-9]{1,3}|\\[|\\]){0,40}") {
            let _ = parse(text.as_bytes(), "l");
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, "l");
        }
    }
}
