//! What the user knows of a recording before it is encoded.
//!
//! Plain values, on every thread but the audio thread.

use crate::encode::EncodeError;
use crate::recorded_note::MAX_NOTE_SECONDS;

/// What the user knows of a recording; all else is found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hints {
    /// Its pitch.
    pub pitch: PitchHint,
    /// Where its note begins, in seconds of the file, at least 0; the first note is taken if none.
    pub start_seconds: Option<f64>,
    /// How long its note is, above 0; up to the silence after it or to the next note, [`MAX_NOTE_SECONDS`] at most, if none.
    pub length_seconds: Option<f64>,
}

/// What the user knows of a recording's pitch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum PitchHint {
    /// Nothing.
    #[default]
    Find,
    /// It is this MIDI note number, 0 to 127, fractional.
    Midi(f32),
    /// There is none.
    Unpitched,
}

impl Hints {
    /// All is found but the pitch, if that is given.
    pub fn of_pitch(pitch: Option<f32>) -> Self {
        Self {
            pitch: pitch.map_or(PitchHint::Find, PitchHint::Midi),
            ..Self::default()
        }
    }

    /// Whether they make sense.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check(&self) -> Result<(), EncodeError> {
        if let PitchHint::Midi(found) = self.pitch
            && !(0.0..=127.0).contains(&found)
        {
            return Err(EncodeError::Pitch { found });
        }
        let wrong = |field, found: f64, expected| EncodeError::Seconds {
            field,
            found,
            expected,
        };
        match (self.start_seconds, self.length_seconds) {
            (Some(start), _) if !(0.0..=86_400.0).contains(&start) => {
                Err(wrong("start", start, "0 to 86400 seconds"))
            }
            (_, Some(length)) if !(0.001..=MAX_NOTE_SECONDS).contains(&length) => {
                Err(wrong("length", length, "0.001 to 20 seconds"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_that_make_no_sense_are_named() {
        let told = |hints: Hints| hints.check().map_err(|error| error.to_string());
        assert_eq!(told(Hints::default()), Ok(()));
        let start = |start| Hints {
            start_seconds: Some(start),
            ..Hints::default()
        };
        let length = |length| Hints {
            length_seconds: Some(length),
            ..Hints::default()
        };
        assert!(told(start(-1.0)).unwrap_err().contains("a start of -1 seconds"));
        assert!(told(start(f64::NAN)).unwrap_err().contains("0 to 86400"));
        assert!(told(length(0.0)).unwrap_err().contains("a length of 0 seconds"));
        assert!(told(length(1e9)).unwrap_err().contains("0.001 to 20"));
        assert!(
            told(Hints::of_pitch(Some(128.0)))
                .unwrap_err()
                .contains("0 to 127")
        );
        assert!(told(Hints::of_pitch(Some(f32::NAN))).is_err() && told(length(20.0)).is_ok());
    }
}
