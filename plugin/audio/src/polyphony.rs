//! The voices, and who must go when they run out.
//!
//! Runs on the audio thread. 64 voices live at once; a stolen or choked one fades in one of 32 spare places, so that a
//! new note never waits for an old one's fade.

use crate::event::NoteAddress;
use crate::limits::{DYING_VOICES, VOICES};
use crate::voice::{Voice, VoiceState};

/// All voices, live, dying and free.
#[derive(Debug)]
pub struct Polyphony {
    voices: Box<[Voice]>,
    next_order: u64,
}

impl Polyphony {
    pub fn new() -> Self {
        Self {
            voices: (0..VOICES + DYING_VOICES).map(|_| Voice::free()).collect(),
            next_order: 0,
        }
    }

    /// All places, free ones too, in an order that never changes.
    pub fn all(&mut self) -> &mut [Voice] {
        &mut self.voices
    }

    /// The live voices of a note.
    pub fn matching(&mut self, address: NoteAddress) -> impl Iterator<Item = &mut Voice> {
        self.voices
            .iter_mut()
            .filter(move |voice| voice.is_live() && voice.is_meant_by(address))
    }

    /// The voice that a new note must push aside: `None` while there are fewer than 64.
    ///
    /// Waiting voices that were let go first, then released ones, then those that only the pedal holds, then held ones;
    /// among these the quietest, in steps of 6 dB, and then the oldest.
    pub fn victim(&mut self) -> Option<&mut Voice> {
        if self.voices.iter().filter(|voice| voice.is_live()).count() < VOICES {
            return None;
        }
        let rank = |voice: &Voice| {
            let hold = u8::from(voice.held) * 2 + u8::from(voice.sustained);
            let loudness = voice.prominence().max(1e-6).log2().round() as i32;
            (hold, loudness, voice.order)
        };
        self.voices
            .iter_mut()
            .filter(|voice| voice.is_live())
            .min_by_key(|voice| rank(voice))
    }

    /// A place for a new voice, younger than all: a free one, or else the dying one that has faded most.
    pub fn place(&mut self) -> Option<&mut Voice> {
        let order = self.next_order;
        self.next_order += 1;
        let rank = |voice: &Voice| match voice.state {
            VoiceState::Free => Some(-1.0),
            VoiceState::Dying => Some(voice.fade()),
            VoiceState::Waiting | VoiceState::Playing => None,
        };
        let ranked = self
            .voices
            .iter_mut()
            .filter_map(|voice| rank(voice).map(|rank| (rank, voice)));
        let (_, voice) = ranked.min_by(|a, b| a.0.total_cmp(&b.0))?;
        voice.order = order;
        Some(voice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::test_key;

    fn take(polyphony: &mut Polyphony, key: u8) {
        let voice = polyphony.place().unwrap();
        voice.take(NoteAddress::midi(0, key), test_key(6000), [None, None]);
        voice.velocity_gain = 1.0;
        voice.begin();
    }

    fn full() -> Polyphony {
        let mut polyphony = Polyphony::new();
        (0..64).for_each(|key| take(&mut polyphony, key));
        polyphony
    }

    #[test]
    fn nobody_is_stolen_while_there_is_room() {
        let mut polyphony = Polyphony::new();
        (0..63).for_each(|key| take(&mut polyphony, key));
        assert!(polyphony.victim().is_none());
        take(&mut polyphony, 63);
        assert!(polyphony.victim().is_some());
    }

    #[test]
    fn among_held_voices_the_oldest_goes() {
        assert_eq!(full().victim().unwrap().key, 0);
    }

    #[test]
    fn a_quiet_voice_goes_before_an_older_loud_one() {
        let mut polyphony = full();
        polyphony.all()[40].velocity_gain = 0.1;
        assert_eq!(polyphony.victim().unwrap().key, 40);
    }

    #[test]
    fn a_released_voice_goes_before_a_pedalled_one_before_a_held_one() {
        let mut polyphony = full();
        polyphony.all()[30].held = false;
        polyphony.all()[30].sustained = true;
        assert_eq!(polyphony.victim().unwrap().key, 30);
        polyphony.all()[50].release();
        assert_eq!(polyphony.victim().unwrap().key, 50);
    }

    #[test]
    fn a_stolen_voice_fades_in_a_spare_place_until_those_run_out_too() {
        let mut polyphony = full();
        for key in 64..64 + 40 {
            polyphony.victim().unwrap().kill();
            take(&mut polyphony, key);
        }
        assert_eq!(
            polyphony.all().iter().filter(|voice| voice.is_live()).count(),
            VOICES
        );
        assert_eq!(
            polyphony
                .all()
                .iter()
                .filter(|voice| voice.state == VoiceState::Dying)
                .count(),
            DYING_VOICES
        );
    }
}
