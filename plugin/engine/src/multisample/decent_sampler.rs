//! DecentSampler's presets read (the developer's guide: `groups`, `group` and `sample`).
//!
//! Pure text. A sample has what is said of it, of its group, or of all groups, in this order. Releases, later turns of a round robin and
//! groups that are switched off are left out without a word; what makes no sense is left out and told by its element.

use crate::multisample::note_name::note_of_value;
use crate::multisample::xml::{Element, elements};
use crate::multisample::zone::{MOST_ZONES, Mapping, MappingError, Zone};

/// A preset's ending.
pub(crate) const PRESET_EXTENSION: &str = "dspreset";
/// The ending of an archive of presets with their samples.
pub(crate) const LIBRARY_EXTENSION: &str = "dslibrary";

/// Reads the text of a preset; `file` is what messages call it.
///
/// # Errors
/// If it is no XML, no preset, or holds no sample.
pub fn parse(text: &str, file: &str) -> Result<Mapping, MappingError> {
    let elements = elements(text, file)?;
    let refuse = |reason: &str| MappingError {
        place: file.into(),
        reason: reason.into(),
    };
    if elements.first().is_none_or(|root| root.name != "DecentSampler") {
        return Err(refuse(
            "is no preset of DecentSampler: expected an element <DecentSampler>",
        ));
    }
    let mut mapping = Mapping::default();
    let (mut groups, mut group) = (None, None);
    for element in &elements {
        match element.name.as_str() {
            "groups" => (groups, group) = (Some(element), None),
            "group" => group = Some(element),
            "sample" => {
                let inside =
                    |about: &Option<&Element>| about.is_some_and(|about| about.depth < element.depth);
                let about = Said {
                    sample: element,
                    group: group.filter(|_| inside(&group)),
                    groups: groups.filter(|_| inside(&groups)),
                };
                match about.zone() {
                    Ok(zone) => mapping.zones.extend(zone),
                    Err(error) => mapping.skipped.push(error.into()),
                }
            }
            _ => {}
        }
        if mapping.zones.len() + mapping.skipped.len() > MOST_ZONES {
            return Err(refuse(&format!("there are more than {MOST_ZONES} samples")));
        }
    }
    if !elements.iter().any(|element| element.name == "sample") {
        return Err(refuse("holds no <sample>"));
    }
    Ok(mapping)
}

/// A sample and what is about it.
struct Said<'a> {
    sample: &'a Element,
    group: Option<&'a Element>,
    groups: Option<&'a Element>,
}

impl Said<'_> {
    fn elements(&self) -> impl Iterator<Item = &Element> {
        [Some(self.sample), self.group, self.groups].into_iter().flatten()
    }

    fn value(&self, name: &str) -> Option<(&Element, &str)> {
        self.elements()
            .find_map(|element| Some((element, element.value(name)?)))
    }

    fn note(&self, name: &str) -> Result<Option<u8>, MappingError> {
        self.value(name).map_or(Ok(None), |(element, value)| {
            note_of_value(value)
                .map(Some)
                .ok_or_else(|| element.refuse(name, value, "a MIDI note number of 0 to 127"))
        })
    }

    fn number(&self, name: &str) -> Result<Option<f64>, MappingError> {
        self.value(name)
            .map_or(Ok(None), |(element, _)| element.number(name))
    }

    /// The sample's zone; none if it sounds under another articulation.
    fn zone(&self) -> Result<Option<Zone>, MappingError> {
        let text = |name: &str| self.value(name).map_or("", |(_, value)| value);
        let is_off = matches!(text("enabled"), "false" | "0");
        let is_release = !matches!(text("trigger"), "" | "attack");
        let is_robin =
            !matches!(text("seqMode"), "" | "always") && self.number("seqPosition")?.unwrap_or(1.0) > 1.0;
        if is_off || is_release || is_robin {
            return Ok(None);
        }
        let path = self.sample.value("path").unwrap_or_default();
        if path.is_empty() {
            return Err(self.sample.refuse("path", path, "the name of a file"));
        }
        let tuning = [
            (Some(self.sample), "tuning"),
            (self.group, "groupTuning"),
            (self.groups, "globalTuning"),
        ];
        let tuning =
            tuning
                .into_iter()
                .try_fold(0.0, |sum, (element, name)| -> Result<f64, MappingError> {
                    let own = element.map_or(Ok(None), |element| element.number(name))?;
                    Ok(sum + own.unwrap_or(0.0))
                })?;
        let keys = (
            self.note("loNote")?.unwrap_or(0),
            self.note("hiNote")?.unwrap_or(127),
        );
        let velocities = (
            self.note("loVel")?.unwrap_or(1),
            self.note("hiVel")?.unwrap_or(127),
        );
        if keys.0 > keys.1 || velocities.0 > velocities.1 {
            let found = format!("{keys:?} and {velocities:?}");
            return Err(self.sample.refuse(
                "loNote to hiVel",
                &found,
                "a lowest that is not above the highest",
            ));
        }
        let frame = |number: Option<f64>| number.filter(|number| *number > 0.0).map(|number| number as u64);
        Ok(Some(Zone {
            sample: path.to_owned(),
            root: self.note("rootNote")?.unwrap_or(60),
            tuning: tuning as f32,
            keys,
            velocities,
            velocity: None,
            frames: (
                frame(self.number("start")?).unwrap_or(0),
                frame(self.number("end")?).map(|last| last + 1),
            ),
            place: self.sample.place.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn samples_inherit_from_their_group_and_from_all_groups() {
        let text = "<DecentSampler><ui/><groups globalTuning=\"0.5\" seqMode=\"round_robin\"><group groupTuning=\"-1\" loVel=\"20\">\
                    <sample path=\"a.wav\" rootNote=\"60\" loNote=\"58\" hiNote=\"62\" tuning=\"0.25\" start=\"10\" end=\"99\"/>\
                    <sample path=\"turn.wav\" rootNote=\"60\" seqPosition=\"2\"/></group>\
                    <group trigger=\"release\"><sample path=\"r.wav\" rootNote=\"60\"/></group>\
                    <group enabled=\"false\"><sample path=\"o.wav\" rootNote=\"60\"/></group>\
                    <group><sample path=\"b.wav\" rootNote=\"C5\" seqPosition=\"1\"/></group></groups></DecentSampler>";
        let mapping = parse(text, "p").unwrap();
        let names: Vec<&str> = mapping.zones.iter().map(|zone| zone.sample.as_str()).collect();
        assert_eq!((names, mapping.skipped), (vec!["a.wav", "b.wav"], vec![]));
        let zone = &mapping.zones[0];
        assert_eq!((zone.root, zone.keys, zone.velocities), (60, (58, 62), (20, 127)));
        assert_eq!((zone.tuning, zone.frames), (-0.25, (10, Some(100))));
        assert_eq!((mapping.zones[1].root, mapping.zones[1].tuning), (72, 0.5));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_element() {
        let text = "<DecentSampler><groups>\n<group hiNote=\"x\">\n<sample path=\"a.wav\"/></group><group><sample/></group></groups></DecentSampler>";
        let told: Vec<String> = parse(text, "p")
            .unwrap()
            .skipped
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            told[0].contains("<group>: `hiNote` is \"x\"; expected a MIDI note number"),
            "{told:?}"
        );
        assert!(
            told[1].contains("<sample>: `path` is \"\"; expected the name of a file"),
            "{told:?}"
        );
        assert!(
            parse("<a/>", "p")
                .unwrap_err()
                .to_string()
                .contains("is no preset")
        );
        assert!(
            parse("<DecentSampler/>", "p")
                .unwrap_err()
                .to_string()
                .contains("holds no <sample>")
        );
    }

    proptest! {
        #[test]
        fn any_preset_is_read_or_refused(
            low in "[0-9]{0,4}", high in ".{0,4}", root in "[0-9a-g#.-]{0,4}", seq in "[0-9.-]{0,3}", tuning in "[0-9eE.+-]{0,6}",
        ) {
            let text = format!(
                "<DecentSampler><groups globalTuning='{tuning}' seqMode='random'><group loNote='{low}'>\
                 <sample path='a.wav' hiNote='{high}' rootNote='{root}' seqPosition='{seq}'/></group></groups></DecentSampler>"
            );
            if let Ok(mapping) = parse(&text, "p") {
                for zone in mapping.zones {
                    prop_assert!(zone.keys.0 <= zone.keys.1 && zone.root <= 127 && zone.tuning.is_finite());
                }
            }
        }
    }
}
