//! SFZ read: the part of it that says which recording is played by which keys and velocities (sfzformat.com).
//!
//! Pure text; whoever calls it looks up included files. Headers inherit from global to master, group and region. What sounds only under
//! another articulation (a release, a later turn of a round robin, a switched key, a moved controller) is left out without a
//! word; what makes no sense is left out and told by its line.

use std::collections::BTreeMap;

use crate::multisample::note_name::note_of_value;
use crate::multisample::sfz_text::{Item, SfzText};
use crate::multisample::zone::{MOST_ZONES, Mapping, MappingError, Skipped, Zone};

/// An SFZ file's ending.
pub(crate) const SFZ_EXTENSION: &str = "sfz";

/// Opcodes that are looked at, beside those of controllers.
const OPCODES: [&str; 25] = [
    "sample",
    "key",
    "lokey",
    "hikey",
    "pitch_keycenter",
    "lovel",
    "hivel",
    "tune",
    "pitch",
    "transpose",
    "offset",
    "end",
    "trigger",
    "seq_position",
    "lorand",
    "sw_last",
    "sw_down",
    "sw_up",
    "sw_previous",
    "sw_default",
    "default_path",
    "note_offset",
    "octave_offset",
    "lobend",
    "amplitude",
];
/// Opcodes of controllers, followed by a number: what a region asks of one, each with how many of MIDI's steps are one of its own,
/// and whether the controller is to be there or above, or there or below.
const CONTROLLER_BOUNDS: [(&str, f64, bool); 4] = [
    ("locc", 1.0, true),
    ("hicc", 1.0, false),
    ("lohdcc", 127.0, true),
    ("hihdcc", 127.0, false),
];
/// What the instrument sets one to.
const CONTROLLER_SETTINGS: [(&str, f64); 3] = [("set_cc", 1.0), ("set_hdcc", 127.0), ("set_realcc", 127.0)];
/// The region is struck by one that moves, and by no key.
const CONTROLLER_TRIGGERS: [&str; 4] = ["on_locc", "on_hicc", "on_lohdcc", "on_hihdcc"];
/// What controllers are at unless something is said: volume, pan and expression as players have them, all others 0.
const CONTROLLER_DEFAULTS: [(&str, f64); 3] = [("7", 100.0), ("10", 64.0), ("11", 127.0)];

/// What was said under one header, and on which line.
type Opcodes = BTreeMap<String, (String, String)>;

/// Reads the text of an SFZ file; `file` is what messages call it, `include` gives the text of a file that it names.
///
/// # Errors
/// If there is no region in it, far too many, or what is included cannot be read.
pub fn parse(
    text: &str,
    file: &str,
    include: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Mapping, MappingError> {
    let mut reading = Reading::default();
    SfzText::new(include).read(text, file, &mut |place, item| match item {
        Item::Header(name) => reading.header(name, place),
        Item::Opcode(name, value) => {
            reading.opcode(name, value, place);
            Ok(())
        }
        Item::Stray(word) => {
            let reason = format!("\"{}\" is no opcode; expected `name=value`", word.escape_debug());
            reading.skip(place, reason);
            Ok(())
        }
    })?;
    reading.finish_region()?;
    if reading.regions == 0 {
        return Err(MappingError {
            place: file.into(),
            reason: "is no SFZ instrument: it has no <region>".into(),
        });
    }
    Ok(reading.mapping)
}

/// Where opcodes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Level {
    Control,
    Global,
    Master,
    Group,
    Region,
    /// Effects, curves, samples that are text: none of a mapping's business.
    #[default]
    Elsewhere,
}

/// A text as far as it is read.
#[derive(Debug, Default)]
struct Reading {
    mapping: Mapping,
    level: Level,
    control: Opcodes,
    /// Global, master, group, region.
    levels: [Opcodes; 4],
    region_place: String,
    regions: usize,
}

impl Reading {
    fn header(&mut self, name: &str, place: &str) -> Result<(), MappingError> {
        self.finish_region()?;
        let (level, from) = match name {
            "control" => (Level::Control, 4),
            "global" => (Level::Global, 0),
            "master" => (Level::Master, 1),
            "group" => (Level::Group, 2),
            "region" => (Level::Region, 3),
            _ => (Level::Elsewhere, 4),
        };
        // What is said under a header ends with the next of its kind or above.
        self.levels[from..].iter_mut().for_each(Opcodes::clear);
        self.level = level;
        self.region_place = place.to_owned();
        Ok(())
    }

    fn opcode(&mut self, name: &str, value: &str, place: &str) {
        let is_known = OPCODES.contains(&name) || is_of_controller(name);
        let opcodes = match self.level {
            Level::Control => &mut self.control,
            Level::Global => &mut self.levels[0],
            Level::Master => &mut self.levels[1],
            Level::Group => &mut self.levels[2],
            Level::Region => &mut self.levels[3],
            Level::Elsewhere => return,
        };
        if is_known {
            opcodes.insert(name.to_owned(), (value.to_owned(), place.to_owned()));
        }
    }

    fn skip(&mut self, place: &str, reason: String) {
        // A text that is something else altogether has a word of it a line.
        if self.mapping.skipped.len() < 1000 {
            self.mapping.skipped.push(Skipped {
                place: place.to_owned(),
                reason,
            });
        }
    }

    /// Makes a zone of the region that has just ended, if it is one.
    fn finish_region(&mut self) -> Result<(), MappingError> {
        if self.level != Level::Region {
            return Ok(());
        }
        self.level = Level::Elsewhere;
        self.regions += 1;
        if self.regions > MOST_ZONES {
            return Err(MappingError {
                place: self.region_place.clone(),
                reason: format!("there are more than {MOST_ZONES} regions"),
            });
        }
        match self.zone() {
            Ok(zone) => self.mapping.zones.extend(zone),
            Err(error) => self.skip(&error.place, error.reason),
        }
        Ok(())
    }

    /// What the nearest header says.
    fn said(&self, name: &str) -> Option<(&str, &str)> {
        let found = self.levels.iter().rev().find_map(|level| level.get(name));
        found.map(|(value, place)| (value.as_str(), place.as_str()))
    }

    /// The region's zone; none if it sounds under another articulation.
    fn zone(&self) -> Result<Option<Zone>, MappingError> {
        let text = |name| self.said(name).map_or("", |(value, _)| value);
        let is_other = !matches!(text("trigger"), "" | "attack")
            || self.number("seq_position", 1.0)? > 1.0
            || self.number("lorand", 0.0)? > 0.0
            || self.number("end", 0.0)? < 0.0
            || self.number("amplitude", 100.0)? <= 0.0
            || self.number("lobend", -8192.0)? > 0.0
            || ["sw_down", "sw_up", "sw_previous"]
                .into_iter()
                .any(|name| !text(name).is_empty())
            || self.is_switched_off()?
            || self.is_turned_off()?;
        if is_other {
            return Ok(None);
        }
        let Some((sample, _)) = self.said("sample").filter(|(sample, _)| !sample.is_empty()) else {
            return self.refuse("has no `sample`");
        };
        if sample.starts_with('*') {
            return self.refuse(&format!(
                "has the sample {sample}, which a player makes itself; expected a file"
            ));
        }
        let Some(keys) = self.keys()? else {
            return Ok(None);
        };
        let velocities = (self.velocity("lovel", 1)?, self.velocity("hivel", 127)?);
        if keys.low > keys.high || velocities.0 > velocities.1 {
            return self.refuse("plays no key at any velocity: its highest is below its lowest");
        }
        let tune = self.number("pitch", 0.0)? + self.number("tune", 0.0)?;
        // Some write it under other headers too.
        let of_control = self.control.get("default_path").map(|(path, _)| path.as_str());
        let said = self.said("default_path").map(|(path, _)| path);
        let prefix = said.or(of_control).unwrap_or_default();
        let last = self.number("end", 0.0)?;
        Ok(Some(Zone {
            sample: format!("{prefix}{sample}"),
            root: keys.root,
            tuning: (self.number("transpose", 0.0)? + tune / 100.0) as f32,
            keys: (keys.low, keys.high),
            velocities,
            velocity: None,
            frames: (
                self.number("offset", 0.0)?.max(0.0) as u64,
                (last > 0.0).then_some(last as u64 + 1),
            ),
            place: self.region_place.clone(),
        }))
    }

    fn refuse<T>(&self, reason: &str) -> Result<T, MappingError> {
        Err(MappingError {
            place: self.region_place.clone(),
            reason: format!("the region {reason}"),
        })
    }

    /// The keys of a region, each said by itself or by `key`, the nearest header first; none where none is to play it.
    fn keys(&self) -> Result<Option<Keys<u8>>, MappingError> {
        let mut keys = Keys {
            low: 0,
            high: 127,
            root: 60,
        };
        for level in &self.levels {
            let note = |name: &str| -> Result<Option<i32>, MappingError> {
                level
                    .get(name)
                    .map_or(Ok(None), |said| self.note(name, said).map(Some))
            };
            if let Some(key) = note("key")? {
                keys = Keys {
                    low: key,
                    high: key,
                    root: key,
                };
            }
            keys.low = note("lokey")?.unwrap_or(keys.low);
            keys.high = note("hikey")?.unwrap_or(keys.high);
            keys.root = note("pitch_keycenter")?.unwrap_or(keys.root);
        }
        if keys.high < 0 {
            return Ok(None);
        }
        let bound = |key: i32| key.clamp(0, 127) as u8;
        Ok(Some(Keys {
            low: bound(keys.low),
            high: bound(keys.high),
            root: bound(keys.root),
        }))
    }

    /// A note, moved by what the instrument moves all of them by; -1 is none.
    fn note(&self, name: &str, said: &(String, String)) -> Result<i32, MappingError> {
        let (value, place) = said;
        if value == "-1" {
            return Ok(-1);
        }
        // The recording knows: it is listened to in any case.
        if name == "pitch_keycenter" && value == "sample" {
            return Ok(60);
        }
        let note = note_of_value(value).ok_or_else(|| MappingError {
            place: place.clone(),
            reason: format!(
                "`{name}` is \"{}\"; expected a MIDI note number of 0 to 127, or a note's name such as c#4",
                value.escape_debug()
            ),
        })?;
        let of_control = |name: &str| -> Result<f64, MappingError> {
            let said = self.control.get(name);
            said.map_or(Ok(0.0), |(value, place)| number(name, value, place))
        };
        let moved = of_control("note_offset")? + 12.0 * of_control("octave_offset")?;
        Ok(i32::from(note) + moved.clamp(-127.0, 127.0) as i32)
    }

    fn velocity(&self, name: &str, default: u8) -> Result<u8, MappingError> {
        let value = self.number(name, default.into())?;
        Ok(value.clamp(0.0, 127.0) as u8)
    }

    fn number(&self, name: &str, default: f64) -> Result<f64, MappingError> {
        self.said(name)
            .map_or(Ok(default), |(value, place)| number(name, value, place))
    }

    /// Whether the region is that of a switched key which is not the first.
    fn is_switched_off(&self) -> Result<bool, MappingError> {
        let switch = |name: &str| -> Result<Option<i32>, MappingError> {
            let said = self.said(name);
            let note = said.map(|(value, place)| self.note(name, &(value.to_owned(), place.to_owned())));
            note.transpose()
        };
        let (Some(last), default) = (switch("sw_last")?, switch("sw_default")?) else {
            return Ok(false);
        };
        // Without one that is switched on there is nothing to go by: all are kept, and the first of each key is taken.
        Ok(default.is_some_and(|default| default != last))
    }

    /// Whether the region waits for a controller to be moved.
    fn is_turned_off(&self) -> Result<bool, MappingError> {
        for name in self.levels.iter().flat_map(Opcodes::keys) {
            let Some((value, place)) = self.said(name) else {
                continue;
            };
            if CONTROLLER_TRIGGERS
                .iter()
                .any(|of| controller(name, of).is_some())
            {
                return Ok(true);
            }
            for (of, steps, is_lowest) in CONTROLLER_BOUNDS {
                if let Some(controller) = controller(name, of) {
                    let (bound, is_at) = (
                        steps * number(name, value, place)?,
                        self.controller_at(controller)?,
                    );
                    if is_lowest && is_at < bound || !is_lowest && is_at > bound {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Where a controller is before it is moved, in MIDI's steps.
    fn controller_at(&self, controller: &str) -> Result<f64, MappingError> {
        for (of, steps) in CONTROLLER_SETTINGS {
            let name = format!("{of}{controller}");
            if let Some((value, place)) = self.control.get(&name) {
                return Ok(steps * number(&name, value, place)?);
            }
        }
        let known = CONTROLLER_DEFAULTS.iter().find(|(of, _)| *of == controller);
        Ok(known.map_or(0.0, |(_, at)| *at))
    }
}

/// The number of the controller that an opcode is of, if it is this opcode.
fn controller<'a>(name: &'a str, of: &str) -> Option<&'a str> {
    let number = name.strip_prefix(of)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(number)
}

fn is_of_controller(name: &str) -> bool {
    let bounds = CONTROLLER_BOUNDS.iter().map(|(of, ..)| of);
    let settings = CONTROLLER_SETTINGS.iter().map(|(of, _)| of);
    let mut all = bounds.chain(settings).chain(&CONTROLLER_TRIGGERS);
    all.any(|of| controller(name, of).is_some())
}

/// The keys that play a region, and the one that plays it as it is.
struct Keys<T> {
    low: T,
    high: T,
    root: T,
}

/// A number of any kind that makes sense.
fn number(name: &str, value: &str, place: &str) -> Result<f64, MappingError> {
    let number: Option<f64> = value.parse().ok();
    number
        .filter(|number| number.abs() < 1e12)
        .ok_or_else(|| MappingError {
            place: place.to_owned(),
            reason: format!("`{name}` is \"{}\"; expected a number", value.escape_debug()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Mapping, MappingError> {
        parse(text, "a.sfz", &mut |name| Err(format!("there is no {name}")))
    }

    /// Sample, keys with the root in the middle, velocities.
    type Place = (String, (u8, u8, u8), (u8, u8));

    fn zones(text: &str) -> Vec<Place> {
        let zones = read(text).unwrap().zones;
        let short = |zone: Zone| {
            (
                zone.sample,
                (zone.keys.0, zone.root, zone.keys.1),
                zone.velocities,
            )
        };
        zones.into_iter().map(short).collect()
    }

    #[test]
    fn headers_inherit_and_key_says_all_three() {
        let text = "<control> default_path=Samples/ // where they lie\n\
                    <global> hivel=100 tune=-10\n<master>transpose=1\n<group> lovel=20 key=40\n\
                    <region> sample=a.wav\n<region> sample=b.wav key=c#4 lovel=64 pitch_keycenter=60\n\
                    <group>\n<region> sample=c d.wav lokey=c3 hikey=e3 pitch_keycenter=d3 /* not key=3\n key=4 */\n\
                    <global>default_path=g\\<region>sample=e.wav\n";
        assert_eq!(
            zones(text),
            [
                ("Samples/a.wav".into(), (40, 40, 40), (20, 100)),
                ("Samples/b.wav".into(), (61, 60, 61), (64, 100)),
                ("Samples/c d.wav".into(), (48, 50, 52), (1, 100)),
                ("g\\e.wav".into(), (0, 60, 127), (1, 127)),
            ]
        );
        let tuning: Vec<f32> = read(text).unwrap().zones.iter().map(|zone| zone.tuning).collect();
        assert_eq!(tuning, [0.9, 0.9, 0.9, 0.0]);
        assert_eq!(read(text).unwrap().zones[1].place, "a.sfz line 6");
    }

    #[test]
    fn other_articulations_are_left_out() {
        let text = "<global> sw_default=24\n\
                    <region> sample=on.wav sw_last=24\n<region> sample=1.wav sw_last=25\n\
                    <region> sample=2.wav trigger=release\n<region> sample=3.wav seq_length=2 seq_position=2\n\
                    <region> sample=4.wav lorand=0.5 hirand=1\n<region> sample=5.wav locc64=64\n<region> sample=6.wav end=-1\n\
                    <region> sample=too.wav hicc64=63 seq_length=2 seq_position=1 locc7=90\n<region> sample=7.wav hikey=-1 lokey=-1\n";
        let names: Vec<String> = zones(text).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["on.wav", "too.wav"]);
        assert_eq!(read(text).unwrap().skipped, []);
        // Controllers stand where the instrument sets them.
        let text = "<control> set_cc20=64 set_hdcc200=0.5\n<region> sample=a.wav locc20=64 hicc20=70\n<region> sample=b.wav lohdcc200=0.6\n\
                    <region> sample=c.wav lohdcc200=0.4\n<region> sample=d.wav on_hicc4=1\n";
        let names: Vec<String> = zones(text).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["a.wav", "c.wav"]);
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_line() {
        let text = "<region>\nsample=a.wav\nkey=H4\n<region> sample=*sine\n<region> key=3\nhello\n<region> sample=b.wav lovel=soft\n\
                    <region> sample=c.wav lokey=60 hikey=50\n<region> sample=d.wav\n";
        let mapping = read(text).unwrap();
        assert_eq!(mapping.zones.len(), 1);
        let told: Vec<String> = mapping.skipped.iter().map(Skipped::to_string).collect();
        assert_eq!(
            told,
            [
                "a.sfz line 3: `key` is \"H4\"; expected a MIDI note number of 0 to 127, or a note's name such as c#4",
                "a.sfz line 4: the region has the sample *sine, which a player makes itself; expected a file",
                "a.sfz line 6: \"hello\" is no opcode; expected `name=value`",
                "a.sfz line 5: the region has no `sample`",
                "a.sfz line 7: `lovel` is \"soft\"; expected a number",
                "a.sfz line 8: the region plays no key at any velocity: its highest is below its lowest",
            ]
        );
        assert_eq!(
            read("a letter to a friend").unwrap_err().to_string(),
            "a.sfz: is no SFZ instrument: it has no <region>"
        );
    }

    #[test]
    fn offsets_ends_and_moved_notes_are_kept() {
        let text =
            "<control> note_offset=-12 octave_offset=2\n<region> sample=a.wav key=40 offset=100 end=4999\n";
        let zone = &read(text).unwrap().zones[0];
        assert_eq!((zone.root, zone.frames), (52, (100, Some(5000))));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "(<(region|group|control|global)> ?|sample=[a-z./ ]{0,6} ?|key=[a-g0-9#-]{0,4} |#define \\$[A-Z] [a-z$]{0,3}\n|\\$[A-Z]|//|/\\*|\\*/|=|\n|#include \"x\"| ){0,40}",
        ) {
            if let Ok(mapping) = parse(&text, "a.sfz", &mut |_| Ok("<region>sample=x.wav".into())) {
                for zone in mapping.zones {
                    prop_assert!(zone.keys.0 <= zone.keys.1 && zone.keys.1 <= 127 && zone.root <= 127);
                    prop_assert!(zone.velocities.0 <= zone.velocities.1 && !zone.sample.is_empty());
                }
            }
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&String::from_utf8_lossy(&bytes));
        }
    }
}
