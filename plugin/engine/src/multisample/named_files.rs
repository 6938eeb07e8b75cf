//! Recordings that are named with their notes: `Piano_C4_v100.wav`, `060-127.wav`, `Cello A#3 mf.flac`, `kalimba_Db5_rr2.wav`.
//!
//! Pure text. Of each name the words are told apart: a note, how hard it was struck, a turn of a round robin; the others name the
//! instrument. A note's octave may mean either of two, unless the name says the key's number too: whoever encodes listens.

use std::collections::{BTreeMap, BTreeSet};

use crate::multisample::note_name::note_of_name;
use crate::multisample::zone::{MOST_ZONES, Mapping, Zone};

/// How hard dynamics are struck, in MIDI's velocities: those of notation, evenly from one to the next, and words of samplers.
const DYNAMICS: [(&str, u8); 18] = [
    ("pppp", 8),
    ("ppp", 16),
    ("pp", 33),
    ("p", 49),
    ("mp", 64),
    ("mf", 80),
    ("f", 96),
    ("ff", 112),
    ("fff", 127),
    ("pianissimo", 33),
    ("forte", 96),
    ("fortissimo", 112),
    ("soft", 40),
    ("quiet", 40),
    ("medium", 80),
    ("med", 80),
    ("hard", 112),
    ("loud", 112),
];
/// Numbers of velocities up to this count layers, where a name has none above: `v1`, `v2`, `v3`.
const MOST_LAYERS: u8 = 16;
/// Keys of files that are numbers and nothing else begin here, at a piano's lowest: below lie takes and tracks.
const LOWEST_BARE_NUMBER: u8 = 21;

/// An instrument that was found among names.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedInstrument {
    /// Its recordings, with octaves as C4 for MIDI note 60 has them.
    pub mapping: Mapping,
    /// Whether the octaves may be others.
    pub octave_is_open: bool,
}

/// What a file's name says.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    instrument: String,
    key: u8,
    /// Whether the key's number is said, and not its name alone.
    is_sure: bool,
    velocity: Option<u8>,
    robin: u32,
}

/// The instruments among the names of audio files in a folder, each of two keys at least, and the names that belong to none. `folder` is
/// what an instrument is called whose files have no other words.
pub fn gather(names: &[String], folder: &str) -> (Vec<NamedInstrument>, Vec<String>) {
    let bare = bare_numbers(names);
    let mut instruments: BTreeMap<String, Vec<(Named, &String)>> = BTreeMap::new();
    let mut singles = Vec::new();
    for name in names.iter().take(MOST_ZONES) {
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
        let named = match &bare {
            Some(keys) => keys.get(name).map(|key| Named {
                instrument: String::new(),
                key: *key,
                is_sure: true,
                velocity: None,
                robin: 0,
            }),
            None => read(stem),
        };
        match named {
            Some(named) => {
                let of = named.instrument.to_lowercase();
                instruments.entry(of).or_default().push((named, name));
            }
            None => singles.push(name.clone()),
        }
    }
    let mut found = Vec::new();
    for notes in instruments.into_values() {
        let keys: BTreeSet<u8> = notes.iter().map(|(named, _)| named.key).collect();
        if keys.len() < 2 {
            singles.extend(notes.iter().map(|(_, name)| (*name).clone()));
        } else {
            found.push(instrument(notes, folder));
        }
    }
    singles.extend(names.iter().skip(MOST_ZONES).cloned());
    singles.sort();
    (found, singles)
}

/// The instrument of some files.
fn instrument(mut notes: Vec<(Named, &String)>, folder: &str) -> NamedInstrument {
    count_layers(&mut notes);
    // Of the turns of a round robin the first.
    notes.sort_by(|(a, a_name), (b, b_name)| {
        let place = |named: &Named| (named.key, named.velocity, named.robin);
        place(a).cmp(&place(b)).then_with(|| a_name.cmp(b_name))
    });
    notes.dedup_by_key(|(named, _)| (named.key, named.velocity));
    let name = match notes.first() {
        Some((named, _)) if !named.instrument.is_empty() => named.instrument.clone(),
        _ => folder.to_owned(),
    };
    let octave_is_open = notes.iter().any(|(named, _)| !named.is_sure);
    let zones = notes.into_iter().map(|(named, file)| Zone {
        sample: file.clone(),
        root: named.key,
        tuning: 0.0,
        keys: (named.key, named.key),
        velocities: named.velocity.map_or((1, 127), |velocity| (velocity, velocity)),
        velocity: named.velocity,
        frames: (0, None),
        place: file.clone(),
    });
    NamedInstrument {
        mapping: Mapping {
            name,
            zones: zones.collect(),
            ..Mapping::default()
        },
        octave_is_open,
    }
}

/// Numbers that count layers become velocities, evenly from the softest to the hardest.
fn count_layers(notes: &mut [(Named, &String)]) {
    let said: BTreeSet<u8> = notes.iter().filter_map(|(named, _)| named.velocity).collect();
    if said.is_empty() || said.iter().any(|velocity| *velocity > MOST_LAYERS) {
        return;
    }
    let layers: Vec<u8> = said.into_iter().collect();
    for (named, _) in notes {
        let rank = layers.iter().position(|layer| Some(*layer) == named.velocity);
        // The middle of its share.
        named.velocity = rank.filter(|_| layers.len() > 1).map(|rank| {
            let share = (2 * rank + 1) as f32 / (2 * layers.len()) as f32;
            (127.0 * share).round() as u8
        });
    }
}

/// The keys of files that are all numbers and nothing else.
fn bare_numbers(names: &[String]) -> Option<BTreeMap<String, u8>> {
    let number = |name: &String| {
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
        let is_number = (1..=3).contains(&stem.len()) && stem.bytes().all(|byte| byte.is_ascii_digit());
        let key = stem
            .parse::<u8>()
            .ok()
            .filter(|key| is_number && (LOWEST_BARE_NUMBER..=127).contains(key));
        Some((name.clone(), key?))
    };
    (names.len() >= 3).then(|| names.iter().map(number).collect())?
}

/// What a name without its ending says; none if it names no note.
fn read(stem: &str) -> Option<Named> {
    let words = words(stem);
    if let Some(named) = numbered(stem, &words) {
        return Some(named);
    }
    let note_at = words.iter().rposition(|word| note_of_name(word).is_some())?;
    let mut key = note_of_name(words[note_at])?;
    let mut taken = BTreeSet::from([note_at]);
    // The number of the same key right before its name, as packs have it.
    let before = note_at
        .checked_sub(1)
        .and_then(|at| Some((at, number(words[at])?)));
    let told = before.filter(|(_, number)| *number <= 127 && number % 12 == u32::from(key) % 12);
    if let Some((at, number)) = told {
        key = number as u8;
        taken.insert(at);
    }
    let (mut velocity, mut robin) = (None, 0);
    for (at, word) in words.iter().enumerate() {
        if taken.contains(&at) {
            continue;
        }
        let struck = velocity_of(word).or_else(|| {
            // Three digits right after the note are a velocity, fewer are a turn.
            let follows = at == note_at + 1 && word.len() == 3;
            number(word)
                .filter(|number| follows && (1..=127).contains(number))
                .and_then(|number| u8::try_from(number).ok())
        });
        if struck.is_some() {
            velocity = struck;
        } else if let Some(turn) = turn_of(word).or_else(|| number(word).filter(|_| at == note_at + 1)) {
            robin = turn;
        } else {
            continue;
        }
        taken.insert(at);
    }
    let left = words.iter().enumerate().filter(|(at, _)| !taken.contains(at));
    let left: Vec<&str> = left.map(|(_, word)| *word).collect();
    Some(Named {
        instrument: left.join(" "),
        key,
        is_sure: told.is_some(),
        velocity,
        robin,
    })
}

/// A name that ends in key and velocity, each of three digits: `060-127`, and the dataset's `flute_acoustic_002-077-100`.
fn numbered(stem: &str, words: &[&str]) -> Option<Named> {
    let [.., key, velocity] = words else {
        return None;
    };
    let is_three = |word: &str| word.len() == 3 && number(word).is_some();
    let tail = format!("{key}-{velocity}");
    let is_whole = words.len() == 2 && (stem == tail || stem == format!("{key}_{velocity}"));
    if !is_three(key) || !is_three(velocity) || !(is_whole || stem.ends_with(&format!("-{tail}"))) {
        return None;
    }
    let key = number(key)
        .and_then(|key| u8::try_from(key).ok())
        .filter(|key| *key <= 127)?;
    let velocity = number(velocity).and_then(|velocity| u8::try_from(velocity).ok());
    let velocity = velocity.filter(|velocity| (1..=127).contains(velocity))?;
    let instrument = stem[..stem.len() - tail.len()].trim_end_matches(['-', '_']);
    Some(Named {
        instrument: instrument.replace('_', " "),
        key,
        is_sure: true,
        velocity: Some(velocity),
        robin: 0,
    })
}

/// The words of a name. A hyphen may be the sign of an octave; a note may stand at a word's end, behind a small letter.
fn words(stem: &str) -> Vec<&str> {
    let pieces = stem.split([' ', '_', ',', '.', '(', ')', '[', ']']);
    let mut words = Vec::new();
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        if note_of_name(piece).is_some() {
            words.push(piece);
            continue;
        }
        for part in piece.split('-').filter(|part| !part.is_empty()) {
            let border = part
                .char_indices()
                .zip(part.chars().skip(1))
                .find_map(|((at, before), letter)| {
                    let next = at + before.len_utf8();
                    let begins = before.is_lowercase() && letter.is_ascii_uppercase();
                    (begins && note_of_name(&part[next..]).is_some()).then_some(next)
                });
            match border {
                Some(border) => words.extend([&part[..border], &part[border..]]),
                None => words.push(part),
            }
        }
    }
    words
}

/// A word of digits.
fn number(word: &str) -> Option<u32> {
    let is_number = (1..=6).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| is_number)
}

/// `v100`, `vel100`, `mf`: how hard.
fn velocity_of(word: &str) -> Option<u8> {
    let word = word.to_lowercase();
    let digits = ["velocity", "vel", "v"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix));
    let said = digits
        .and_then(number)
        .and_then(|number| u8::try_from(number).ok());
    let dynamics = || {
        DYNAMICS
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, velocity)| *velocity)
    };
    said.filter(|velocity| (1..=127).contains(velocity))
        .or_else(dynamics)
}

/// `rr2`, `r2`, `take3`: whose turn.
fn turn_of(word: &str) -> Option<u32> {
    let word = word.to_lowercase();
    let digits = ["rr", "robin", "take", "alt", "r"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix));
    digits.and_then(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Instrument, key, whether it is sure, velocity, turn.
    fn said(stem: &str) -> Option<(String, u8, bool, Option<u8>, u32)> {
        let named = read(stem)?;
        Some((
            named.instrument,
            named.key,
            named.is_sure,
            named.velocity,
            named.robin,
        ))
    }

    #[test]
    fn names_say_note_velocity_and_turn_in_any_order() {
        let says = |stem: &str, instrument: &str, key: u8, is_sure: bool, velocity: Option<u8>, turn: u32| {
            assert_eq!(
                said(stem),
                Some((instrument.into(), key, is_sure, velocity, turn)),
                "{stem}"
            );
        };
        says("Piano_C4_v100", "Piano", 60, false, Some(100), 0);
        says("060-127", "", 60, true, Some(127), 0);
        says("Cello A#3 mf", "Cello", 58, false, Some(80), 0);
        says("kalimba_Db5_rr2", "kalimba", 73, false, None, 2);
        says("far_valley_060-C4_v127_r2", "far valley", 60, true, Some(127), 2);
        says(
            "flute_acoustic_002-077-100",
            "flute acoustic 002",
            77,
            true,
            Some(100),
            0,
        );
        says("Soft Pad C-1", "Pad", 0, false, Some(40), 0);
        says("KalimbaDb5", "Kalimba", 73, false, None, 0);
        says("A2 Bass F#1-02", "A2 Bass", 30, false, None, 2);
        says("Rhodes [E2] (ff)", "Rhodes", 40, false, Some(112), 0);
        says("harp-g3-064", "harp", 55, false, Some(64), 0);
        says("Vel64 Organ c3", "Organ", 48, false, Some(64), 0);
        // Another key's number is a number.
        says("loop_100-C4", "loop 100", 60, false, None, 0);
        for stem in [
            "kick_01",
            "take 12",
            "song",
            "C",
            "120bpm",
            "",
            "x-200-300",
            "060-128",
        ] {
            assert_eq!(said(stem), None, "{stem}");
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn files_of_one_instrument_are_gathered_and_others_left() {
        let files = names(&[
            "Piano C3 p.wav",
            "Piano C4 p rr2.wav",
            "piano C4 p rr1.wav",
            "Piano C4 f.wav",
            "Kick.wav",
            "Bell_A4.wav",
            "Harp D2.flac",
            "Harp D3.flac",
        ]);
        let (instruments, singles) = gather(&files, "folder");
        let found: Vec<(&str, usize)> = instruments
            .iter()
            .map(|one| (one.mapping.name.as_str(), one.mapping.zones.len()))
            .collect();
        assert_eq!(found, [("Harp", 2), ("Piano", 3)]);
        assert_eq!(singles, ["Bell_A4.wav", "Kick.wav"]);
        let piano = &instruments[1].mapping.zones;
        assert_eq!(
            (piano[1].sample.as_str(), piano[1].struck_velocity()),
            ("piano C4 p rr1.wav", 49)
        );
        assert!(instruments[1].octave_is_open);
    }

    #[test]
    fn counted_layers_and_bare_numbers_are_understood() {
        let (instruments, _) = gather(
            &names(&["Gong_C2_v1.wav", "Gong_C2_v2.wav", "Gong_G2_v1.wav"]),
            "folder",
        );
        let velocities: Vec<u8> = instruments[0]
            .mapping
            .zones
            .iter()
            .map(Zone::struck_velocity)
            .collect();
        assert_eq!(velocities, [32, 95, 32]);
        let (instruments, singles) = gather(&names(&["36.wav", "48.wav", "60.wav"]), "Drums");
        assert_eq!(
            (instruments[0].mapping.name.as_str(), singles.len()),
            ("Drums", 0)
        );
        assert_eq!(instruments[0].mapping.zones[1].root, 48);
        let (instruments, singles) = gather(&names(&["01.wav", "02.wav", "03.wav"]), "Takes");
        assert_eq!((instruments.len(), singles.len()), (0, 3));
    }

    proptest! {
        #[test]
        fn every_name_is_in_one_instrument_or_none(
            files in prop::collection::vec("([A-Ca-c ][#b]?[0-9]?[ _.-]?|v[0-9]{1,3}|mf|rr1|[0-9]{1,3}|\u{e9}){0,5}\\.wav", 0..20),
        ) {
            let (instruments, singles) = gather(&files, "folder");
            let gathered: usize = instruments.iter().map(|one| one.mapping.zones.len()).sum();
            prop_assert!(gathered + singles.len() <= files.len());
            for instrument in instruments {
                prop_assert!(instrument.mapping.zones.iter().all(|zone| files.contains(&zone.sample) && zone.root <= 127));
            }
        }
    }
}
