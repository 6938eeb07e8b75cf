//! Bitwig's and PreSonus's `multisample.xml` read (github.com/bitwig/multisample).
//!
//! Pure text. Of several samples of the same keys and velocities, as round robins are, all are given: the first is taken later.

use crate::multisample::note_name::note_of_value;
use crate::multisample::xml::{Element, elements};
use crate::multisample::zone::{MOST_ZONES, Mapping, MappingError, Zone, plain};

/// The mapping's name in the archive.
pub(crate) const MAPPING_NAME: &str = "multisample.xml";
/// An archive's ending.
pub(crate) const BITWIG_EXTENSION: &str = "multisample";

/// Reads the text of a mapping; `file` is what messages call it.
///
/// # Errors
/// If it is no XML, no multisample, or of no sample that makes sense.
pub fn parse(text: &str, file: &str) -> Result<Mapping, MappingError> {
    let elements = elements(text, file)?;
    let refuse = |reason: &str| MappingError {
        place: file.into(),
        reason: reason.into(),
    };
    let root = elements.first().filter(|root| root.name == "multisample");
    let root = root.ok_or_else(|| refuse("is no multisample: expected an element <multisample>"))?;
    let mut mapping = Mapping {
        name: plain(root.value("name").unwrap_or_default()),
        ..Mapping::default()
    };
    for (index, element) in elements.iter().enumerate() {
        match element.name.as_str() {
            "category" => mapping.family = plain(&element.text).to_lowercase(),
            "creator" => mapping.source = plain(&element.text),
            "keyword" => mapping.tags.push(plain(&element.text).to_lowercase()),
            "sample" => {
                let inside = elements[index + 1..]
                    .iter()
                    .take_while(|next| next.depth > element.depth);
                match zone(element, inside) {
                    Ok(zone) => mapping.zones.push(zone),
                    Err(error) => mapping.skipped.push(error.into()),
                }
            }
            _ => {}
        }
    }
    mapping.tags.retain(|tag| !tag.is_empty());
    mapping.tags.truncate(64);
    if mapping.zones.len() + mapping.skipped.len() > MOST_ZONES {
        return Err(refuse(&format!("there are more than {MOST_ZONES} samples")));
    }
    if mapping.zones.is_empty() && mapping.skipped.is_empty() {
        return Err(refuse("holds no <sample>"));
    }
    Ok(mapping)
}

/// The zone of a sample and the elements in it.
fn zone<'a>(sample: &Element, inside: impl Iterator<Item = &'a Element>) -> Result<Zone, MappingError> {
    let file = sample.value("file").unwrap_or_default();
    if file.is_empty() {
        return Err(sample.refuse("file", file, "the name of a file in the archive"));
    }
    let frame = |name| -> Result<Option<u64>, MappingError> {
        Ok(sample.number(name)?.map(|frame| frame.max(0.0) as u64))
    };
    let mut zone = Zone {
        sample: file.to_owned(),
        root: 60,
        tuning: sample.number("tune")?.unwrap_or(0.0) as f32,
        keys: (0, 127),
        velocities: (1, 127),
        velocity: None,
        frames: (
            frame("sample-start")?.unwrap_or(0),
            frame("sample-stop")?.filter(|stop| *stop > 0),
        ),
        place: sample.place.clone(),
    };
    for element in inside {
        let note = |name: &str, default: u8| match element.value(name) {
            None => Ok(default),
            Some(value) => note_of_value(value)
                .ok_or_else(|| element.refuse(name, value, "a MIDI note number of 0 to 127")),
        };
        match element.name.as_str() {
            "key" => {
                zone.root = note("root", zone.root)?;
                zone.keys = (note("low", 0)?, note("high", 127)?);
                zone.tuning += element.number("tune")?.unwrap_or(0.0) as f32;
            }
            "velocity" => zone.velocities = (note("low", 1)?, note("high", 127)?),
            _ => {}
        }
    }
    let rising = |(low, high): (u8, u8)| low <= high;
    if !rising(zone.keys) || !rising(zone.velocities) {
        let found = format!("{:?} and {:?}", zone.keys, zone.velocities);
        return Err(sample.refuse(
            "key and velocity",
            &found,
            "a lowest that is not above the highest",
        ));
    }
    Ok(zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn samples_in_layers_and_out_of_them_are_read() {
        let text = "<multisample name=\"Old Piano\"><generator>x</generator><category>Piano</category><creator>Ann</creator>\
                    <keywords><keyword>Warm</keyword><keyword/></keywords>\
                    <layer name=\"soft\"><sample file=\"a.wav\" sample-start=\"10.0\" sample-stop=\"900.0\">\
                    <key root=\"60\" low=\"58\" high=\"62\" track=\"1.0\" tune=\"-0.25\"/><velocity low=\"1\" high=\"63\"/><loop mode=\"off\"/></sample></layer>\
                    <sample file=\"b.wav\"><key root=\"67\"/></sample></multisample>";
        let mapping = parse(text, "m").unwrap();
        assert_eq!(
            (mapping.name.as_str(), mapping.family.as_str()),
            ("Old Piano", "piano")
        );
        assert_eq!(
            (mapping.source.as_str(), mapping.tags.as_slice()),
            ("Ann", &["warm".to_owned()][..])
        );
        let zone = &mapping.zones[0];
        assert_eq!((zone.root, zone.keys, zone.velocities), (60, (58, 62), (1, 63)));
        assert_eq!((zone.frames, zone.tuning), ((10, Some(900)), -0.25));
        assert_eq!((mapping.zones[1].root, mapping.zones[1].keys), (67, (0, 127)));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_element() {
        let text = "<multisample>\n<sample file=\"\"/>\n<sample file=\"a.wav\"><key root=\"900\"/></sample>\n\
                    <sample file=\"b.wav\"><key low=\"9\" high=\"3\"/></sample></multisample>";
        let told: Vec<String> = parse(text, "m")
            .unwrap()
            .skipped
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(told.len(), 3);
        assert!(
            told[1].contains("<key>: `root` is \"900\"; expected a MIDI note number of 0 to 127"),
            "{told:?}"
        );
        assert!(
            parse("<dspreset/>", "m")
                .unwrap_err()
                .to_string()
                .contains("is no multisample")
        );
        assert!(
            parse("<multisample/>", "m")
                .unwrap_err()
                .to_string()
                .contains("no <sample>")
        );
    }

    proptest! {
        #[test]
        fn any_mapping_is_read_or_refused(
            low in ".{0,4}", high in "[0-9.]{0,4}", root in "[0-9a-g#.-]{0,4}", stop in "[0-9.eE-]{0,6}",
        ) {
            let text = format!(
                "<multisample><sample file='a.wav' sample-stop='{stop}'><key low='{low}' high='{high}' root='{root}'/></sample></multisample>"
            );
            if let Ok(mapping) = parse(&text, "m") {
                for zone in mapping.zones {
                    prop_assert!(zone.keys.0 <= zone.keys.1 && zone.keys.1 <= 127 && zone.root <= 127);
                }
            }
        }
    }
}
