//! A mapping as far as a sound needs it: which recording is played by which keys and velocities.
//!
//! Plain data. Each reader gives the same, whatever its format says besides.

use crate::sound::DEFAULT_VELOCITY;

/// Zones of one mapping at most; a slip of the pen or a bomb has more.
pub(crate) const MOST_ZONES: usize = 20_000;

/// What of a mapping was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file, and the line or element of it.
    pub place: String,
    /// Why, in words.
    pub reason: String,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// A mapping that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct MappingError {
    /// The file, and the line or element of it.
    pub place: String,
    /// What was found, and what was expected.
    pub reason: String,
}

impl From<MappingError> for Skipped {
    fn from(MappingError { place, reason }: MappingError) -> Self {
        Self { place, reason }
    }
}

/// One instrument as its mapping has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    /// What it is called, empty if nothing is said.
    pub name: String,
    /// Family of instruments, empty if nothing is said.
    pub family: String,
    /// Words to search by.
    pub tags: Vec<String>,
    /// Whether the tags name its qualities, so that none need be measured.
    pub has_qualities: bool,
    /// Where it came from, empty if nothing is said.
    pub source: String,
    /// Its recordings.
    pub zones: Vec<Zone>,
    /// What of it was left out.
    pub skipped: Vec<Skipped>,
}

/// One recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its file, as the mapping names it, from where the mapping lies.
    pub sample: String,
    /// The key that plays it as it is.
    pub root: u8,
    /// By how many semitones it is then raised, to be in tune.
    pub tuning: f32,
    /// The keys that play it.
    pub keys: (u8, u8),
    /// The velocities that play it.
    pub velocities: (u8, u8),
    /// The velocity that it was played at, where that is said.
    pub velocity: Option<u8>,
    /// The first frame of the file that is its, and the one after the last; none for the file's end.
    pub frames: (u64, Option<u64>),
    /// Where the mapping says so.
    pub place: String,
}

impl Zone {
    /// The velocity that it stands for: as it was played, or the middle of those that play it; any, if all do.
    pub fn struck_velocity(&self) -> u8 {
        let (low, high) = (self.velocities.0.max(1), self.velocities.1.clamp(1, 127));
        let middle = if (low, high) == (1, 127) {
            DEFAULT_VELOCITY
        } else {
            (u16::from(low) + u16::from(high)).div_ceil(2) as u8
        };
        self.velocity.unwrap_or(middle).clamp(1, 127)
    }
}

/// A text of a mapping without control characters, no longer than a name is.
pub(crate) fn plain(text: &str) -> String {
    let letters = text
        .trim()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    letters.take(256).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The recording of a key at some velocities.
    pub(crate) fn zone(root: u8, velocities: (u8, u8)) -> Zone {
        Zone {
            sample: format!("{root}-{}.wav", velocities.0),
            root,
            tuning: 0.0,
            keys: (root, root),
            velocities,
            velocity: None,
            frames: (0, None),
            place: format!("zone {root}"),
        }
    }

    #[test]
    fn a_zone_stands_for_the_middle_of_its_velocities_unless_more_is_said() {
        assert_eq!(zone(60, (1, 127)).struck_velocity(), DEFAULT_VELOCITY);
        assert_eq!(zone(60, (0, 127)).struck_velocity(), DEFAULT_VELOCITY);
        assert_eq!(zone(60, (1, 63)).struck_velocity(), 32);
        assert_eq!(zone(60, (120, 127)).struck_velocity(), 124);
        let said = Zone {
            velocity: Some(50),
            ..zone(60, (1, 63))
        };
        assert_eq!(said.struck_velocity(), 50);
    }
}
