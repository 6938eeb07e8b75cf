//! Turns a host's notes and MIDI into the instrument's events, and ended notes back. Audio thread: plain
//! values, no allocation.
//!
//! A host names notes by any of note id, channel and key; what it leaves open is a wildcard and matches
//! everything. Notes and expressions come as CLAP events (from VST3 by way of clap-wrapper) or as MIDI.
//! Keys of the window are a second port, so that neither side ends the other's notes, and the host is
//! told only of its own.

use betwixt_audio::event::{Event, EventKind, NoteAddress, NoteEnd};
use betwixt_editor::keyboard_queue::KeyboardEvent;
use nice_plug::midi::{Channel, Key, NoteEvent, VoiceID, control_change};

/// A pedal at or over the middle is down (MIDI 1.0).
const PEDAL_DOWN: f32 = 64.0 / 127.0;

/// The port of the host's notes. nice-plug leaves the port out: there is one.
const HOST_PORT: u8 = 0;

/// The port of the window's keyboard.
const WINDOW_PORT: u8 = 1;

/// MIDI's channel mode messages from here on also let go of all notes (MIDI 1.0, mode messages).
const MODE_MESSAGES: std::ops::RangeInclusive<u8> =
    control_change::ALL_NOTES_OFF..=control_change::POLY_MODE_ON;

/// Gives `push` the instrument's events for one of the host's, if it has a meaning for the instrument.
///
/// `block_samples` is the length of the block that the event's time lies in: hosts that send times out
/// of order have them moved into it. `bend_range_semitones` is how far a full pitch bend goes.
pub fn translate<S>(
    event: NoteEvent<S>,
    block_samples: usize,
    bend_range_semitones: f32,
    mut push: impl FnMut(Event),
) {
    let last_sample = u32::try_from(block_samples.saturating_sub(1)).unwrap_or(u32::MAX);
    let offset_samples = event.timing().min(last_sample);
    let mut push = |kind| push(Event { offset_samples, kind });
    match event {
        // A note without a key has no pitch: there is nothing to play.
        NoteEvent::NoteOn {
            voice_id,
            channel,
            key,
            velocity,
            ..
        } if !key.is_wildcard() => {
            let velocity = if velocity.is_nan() {
                0.0
            } else {
                velocity.clamp(0.0, 1.0)
            };
            push(EventKind::NoteOn {
                address: address(voice_id, channel, key),
                velocity,
            });
        }
        NoteEvent::NoteOff {
            voice_id,
            channel,
            key,
            ..
        } => {
            push(EventKind::NoteOff {
                address: address(voice_id, channel, key),
            });
        }
        NoteEvent::Choke {
            voice_id,
            channel,
            key,
            ..
        } => {
            push(EventKind::Choke {
                address: address(voice_id, channel, key),
            });
        }
        NoteEvent::PolyTuning {
            voice_id,
            channel,
            key,
            tuning,
            ..
        } if tuning.is_finite() => {
            push(EventKind::Tuning {
                address: address(voice_id, channel, key),
                semitones: tuning,
            });
        }
        NoteEvent::MidiPitchBend { channel, value, .. } => {
            push(EventKind::PitchBend {
                channel,
                semitones: bend(value) * bend_range_semitones,
            });
        }
        NoteEvent::MidiCC {
            channel, cc, value, ..
        } => match cc {
            control_change::DAMPER_PEDAL => {
                push(EventKind::Sustain {
                    channel,
                    down: value >= PEDAL_DOWN,
                });
            }
            control_change::ALL_SOUND_OFF => push(EventKind::AllSoundOff),
            control_change::RESET_ALL_CONTROLLERS => {
                push(EventKind::PitchBend {
                    channel,
                    semitones: 0.0,
                });
                push(EventKind::Sustain { channel, down: false });
            }
            cc if MODE_MESSAGES.contains(&cc) => push(EventKind::AllNotesOff),
            _ => {}
        },
        _ => {}
    }
}

/// A key of the window's keyboard, at the block's first sample.
pub fn window_key(event: KeyboardEvent) -> Event {
    let address = NoteAddress {
        port: Some(WINDOW_PORT),
        ..NoteAddress::midi(0, event.key)
    };
    let kind = if event.is_down {
        EventKind::NoteOn {
            address,
            velocity: event.velocity,
        }
    } else {
        EventKind::NoteOff { address }
    };
    Event {
        offset_samples: 0,
        kind,
    }
}

/// Tells the host that a note's voice has died; nothing if the note was not the host's.
pub fn note_ended<S>(end: NoteEnd) -> Option<NoteEvent<S>> {
    (end.address.port == Some(HOST_PORT)).then_some(NoteEvent::VoiceTerminated {
        timing: end.offset_samples,
        voice_id: end.address.note_id.map_or(VoiceID::Wildcard, VoiceID::ID),
        channel: end.address.channel.map_or(Channel::Wildcard, Channel::Number),
        key: end.address.key.map_or(Key::Wildcard, Key::Number),
    })
}

/// `VoiceID::id_or_fallback` would drop the id, so the parts are taken one by one.
fn address(voice_id: VoiceID, channel: Channel, key: Key) -> NoteAddress {
    NoteAddress {
        note_id: voice_id.id(),
        port: Some(HOST_PORT),
        channel: channel.number(),
        key: key.number(),
    }
}

/// A bend of 0..1 as -1..1. The middle of MIDI's 14 bits is 8192 of 16383, not a half: the two halves
/// have their own scale, so that an untouched wheel bends by nothing.
fn bend(value: f32) -> f32 {
    const MIDDLE: f32 = 8192.0 / 16383.0;
    if value.is_nan() {
        0.0
    } else if value >= MIDDLE {
        (value.min(1.0) - MIDDLE) / (1.0 - MIDDLE)
    } else {
        (value.max(0.0) - MIDDLE) / MIDDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(event: NoteEvent<()>) -> Vec<Event> {
        let mut events = Vec::new();
        translate(event, 64, 2.0, |event| events.push(event));
        events
    }

    fn midi(bytes: [u8; 3]) -> Vec<Event> {
        NoteEvent::<()>::from_midi(5, &bytes).map_or(Vec::new(), events)
    }

    fn on_host_port(address: NoteAddress) -> NoteAddress {
        NoteAddress {
            port: Some(HOST_PORT),
            ..address
        }
    }

    fn only(kind: EventKind) -> Vec<Event> {
        vec![Event {
            offset_samples: 5,
            kind,
        }]
    }

    #[test]
    fn a_note_keeps_the_id_that_the_host_gave_it() {
        let on = NoteEvent::NoteOn {
            timing: 5,
            voice_id: VoiceID::ID(77),
            channel: Channel::Number(3),
            key: Key::Number(60),
            velocity: 0.5,
        };
        let address = NoteAddress {
            note_id: Some(77),
            ..on_host_port(NoteAddress::midi(3, 60))
        };
        assert_eq!(
            events(on),
            only(EventKind::NoteOn {
                address,
                velocity: 0.5
            })
        );
    }

    #[test]
    fn what_a_host_leaves_open_stays_open() {
        let off = NoteEvent::Choke {
            timing: 5,
            voice_id: VoiceID::Wildcard,
            channel: Channel::Wildcard,
            key: Key::Number(60),
        };
        let address = NoteAddress {
            key: Some(60),
            ..on_host_port(NoteAddress::ALL)
        };
        assert_eq!(events(off), only(EventKind::Choke { address }));
    }

    #[test]
    fn a_note_on_without_a_key_plays_nothing() {
        let on = NoteEvent::NoteOn {
            timing: 0,
            voice_id: VoiceID::ID(1),
            channel: Channel::Number(0),
            key: Key::Wildcard,
            velocity: 1.0,
        };
        assert_eq!(events(on), []);
    }

    #[test]
    fn an_untouched_wheel_bends_by_nothing_and_a_full_one_by_the_range() {
        let bend = |lsb, msb| match midi([0xe2, lsb, msb])[..] {
            [
                Event {
                    kind:
                        EventKind::PitchBend {
                            channel: 2,
                            semitones,
                        },
                    ..
                },
            ] => semitones,
            ref other => panic!("{other:?}"),
        };
        assert_eq!(bend(0, 64), 0.0);
        assert_eq!(bend(127, 127), 2.0);
        assert_eq!(bend(0, 0), -2.0);
    }

    #[test]
    fn midi_controllers_that_end_notes_are_understood() {
        assert_eq!(midi([0xb0, 120, 0]), only(EventKind::AllSoundOff));
        assert_eq!(midi([0xb0, 123, 0]), only(EventKind::AllNotesOff));
        assert_eq!(
            midi([0xb1, 64, 64]),
            only(EventKind::Sustain {
                channel: 1,
                down: true
            })
        );
        assert_eq!(
            midi([0xb1, 64, 63]),
            only(EventKind::Sustain {
                channel: 1,
                down: false
            })
        );
        assert_eq!(midi([0xb1, 121, 0]).len(), 2);
        assert_eq!(midi([0xb1, 7, 100]), []);
    }

    #[test]
    fn an_ended_note_is_named_as_it_was_struck() {
        let address = NoteAddress {
            note_id: Some(7),
            ..on_host_port(NoteAddress::midi(1, 64))
        };
        assert_eq!(
            note_ended::<()>(NoteEnd {
                offset_samples: 9,
                address
            }),
            Some(NoteEvent::VoiceTerminated {
                timing: 9,
                voice_id: VoiceID::ID(7),
                channel: Channel::Number(1),
                key: Key::Number(64),
            })
        );
    }

    #[test]
    fn the_window_and_the_host_do_not_end_each_others_notes() {
        let pressed = window_key(KeyboardEvent {
            key: 60,
            velocity: 1.0,
            is_down: true,
        });
        let EventKind::NoteOn { address: window, .. } = pressed.kind else {
            panic!("{pressed:?}")
        };
        let [
            Event {
                kind: EventKind::NoteOff { address: host },
                ..
            },
        ] = midi([0x80, 60, 0])[..]
        else {
            panic!("a note off")
        };
        assert!(!window.matches(&host));
        assert_eq!(
            note_ended::<()>(NoteEnd {
                offset_samples: 0,
                address: window
            }),
            None
        );
    }

    proptest! {
        #[test]
        fn any_midi_message_gives_events_inside_the_block(bytes: [u8; 3], timing: u32, block in 0usize..4096) {
            if let Ok(event) = NoteEvent::<()>::from_midi(timing, &bytes) {
                translate(event, block, 2.0, |event| {
                    assert!((event.offset_samples as usize) < block.max(1));
                    if let EventKind::PitchBend { semitones, .. } = event.kind {
                        assert!((-2.0..=2.0).contains(&semitones));
                    }
                });
            }
        }
    }
}
