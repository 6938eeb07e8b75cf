//! What a host tells the instrument inside a block, and what it is told back.

use crate::blend::Blend;

/// Something that happens at one sample of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// When, counted from the block's first sample. At or past the block's end: after its last sample.
    pub offset_samples: u32,
    /// What.
    pub kind: EventKind,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventKind {
    /// A key is struck. A wildcard channel, port or key counts as 0, 0 and 60.
    NoteOn {
        /// Names the note in later events.
        address: NoteAddress,
        /// 0 to 1.
        velocity: f32,
    },
    /// A key is let go.
    NoteOff {
        /// The notes meant.
        address: NoteAddress,
    },
    /// Notes are silenced, within 10 ms.
    Choke {
        /// The notes meant.
        address: NoteAddress,
    },
    /// The channel's pitch wheel.
    PitchBend {
        /// MIDI channel, 0 to 15.
        channel: u8,
        /// Up or down from the keys' pitches.
        semitones: f32,
    },
    /// The channel's sustain pedal.
    Sustain {
        /// MIDI channel, 0 to 15.
        channel: u8,
        /// Whether it is down.
        down: bool,
    },
    /// The pitch of single notes (CLAP's tuning expression), over the channel's bend.
    Tuning {
        /// The notes meant.
        address: NoteAddress,
        /// Up or down from the keys' pitches.
        semitones: f32,
    },
    /// Moves one target of single notes (CLAP's polyphonic modulation): replaces the last amount.
    Modulate {
        /// The notes meant.
        address: NoteAddress,
        /// What moves.
        target: Target,
        /// Added to what the settings say, in the target's own unit.
        amount: f32,
    },
    /// How hard keys are pressed after the strike, 0 to 1; moves what [`Settings::pressure`](crate::settings::Settings)
    /// says. Addressed to a channel alone it is also that of the channel's notes to come.
    Pressure {
        /// The notes meant.
        address: NoteAddress,
        /// 0 to 1.
        value: f32,
    },
    /// MPE's third dimension (controller 74) or CLAP's brightness expression, 0 to 1, the middle at rest; moves what
    /// [`Settings::slide`](crate::settings::Settings) says. Addressed to a channel alone it is also that of the channel's
    /// notes to come.
    Slide {
        /// The notes meant.
        address: NoteAddress,
        /// 0 to 1.
        value: f32,
    },
    /// The blend of notes struck from here to the end of the call; the next call starts from its settings.
    /// Sounding notes follow. For callers that do not split blocks where a parameter changes.
    Blend(Blend),
    /// As a note off for every held key; pedals still hold.
    AllNotesOff,
    /// All voices are silenced, within 10 ms.
    AllSoundOff,
}

/// What of a single note can be moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Target {
    /// Nothing.
    #[default]
    None,
    /// Left to right on the pad, in pad widths.
    BlendX,
    /// Bottom to top on the pad, in pad heights.
    BlendY,
    /// Movement of the embedding, 0 to 1.
    Heat,
    /// Tilt of the spectrum, -1 to 1.
    Brightness,
}

impl Target {
    /// Every target, in the order of menus.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::BlendX,
        Self::BlendY,
        Self::Heat,
        Self::Brightness,
    ];
}

/// Names notes as CLAP does: each `None` stands for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NoteAddress {
    /// The host's own name for the note.
    pub note_id: Option<i32>,
    /// The note port.
    pub port: Option<u8>,
    /// MIDI channel, 0 to 15.
    pub channel: Option<u8>,
    /// MIDI key, 0 to 127.
    pub key: Option<u8>,
}

impl NoteAddress {
    /// All notes.
    pub const ALL: Self = Self {
        note_id: None,
        port: None,
        channel: None,
        key: None,
    };

    /// A note as MIDI names it.
    pub fn midi(channel: u8, key: u8) -> Self {
        Self {
            channel: Some(channel),
            key: Some(key),
            ..Self::ALL
        }
    }

    /// Whether one address may mean the other's note: every part is equal, or open on one side.
    pub fn matches(&self, other: &Self) -> bool {
        fn open_or_equal<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        open_or_equal(self.note_id, other.note_id)
            && open_or_equal(self.port, other.port)
            && open_or_equal(self.channel, other.channel)
            && open_or_equal(self.key, other.key)
    }
}

/// A note is over: silent, or, if it was stolen or choked, within 10 ms. Told once for every note on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteEnd {
    /// When, counted from the block's first sample; always inside the block.
    pub offset_samples: u32,
    /// The address of the note on.
    pub address: NoteAddress,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_part_means_every_note_and_a_given_one_only_its_own() {
        let note = NoteAddress {
            note_id: Some(7),
            port: Some(0),
            channel: Some(2),
            key: Some(60),
        };
        assert!(NoteAddress::ALL.matches(&note));
        assert!(NoteAddress::midi(2, 60).matches(&note));
        assert!(!NoteAddress::midi(2, 61).matches(&note));
        assert!(!NoteAddress::midi(3, 60).matches(&note));
        assert!(
            !NoteAddress {
                note_id: Some(8),
                ..NoteAddress::ALL
            }
            .matches(&note)
        );
        assert!(
            NoteAddress {
                note_id: Some(7),
                ..NoteAddress::ALL
            }
            .matches(&note)
        );
    }
}
