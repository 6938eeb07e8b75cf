//! Turns a host's notes and MIDI into the instrument's events, and ended notes back. Audio thread: plain
//! values, no allocation.
//!
//! A host names notes by any of note id, channel and key; what it leaves open is a wildcard and matches
//! everything. Notes and expressions come as CLAP events (from VST3 by way of clap-wrapper) or as MIDI.
//! Keys of the window are a second port, so that neither side ends the other's notes, and the host is
//! told only of its own.
//!
//! Pressure and slide of single notes are taken at any time; those of a whole channel only while MPE is on, as its
//! channels are notes. MPE is switched on by its parameter alone: there is one zone, with channel 1 as its master and
//! all others as members, and the messages by which a controller would set up zones and bend ranges (RPN 6 and RPN 0)
//! are not read. The master's bend is for all notes; its pressure and slide are for those on its own channel.

use betwixt_audio::event::{Event, EventKind, NoteAddress, NoteEnd, Target};
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

/// MPE's third dimension (MPE 1.0, section 2.5).
const SLIDE_CONTROLLER: u8 = 74;

/// The channel whose messages are for all notes of an MPE zone.
const MASTER_CHANNEL: u8 = 0;

/// How events are to be read: what the parameters say for the length of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// How far a full pitch bend goes: any, or with MPE the master channel's.
    pub bend_range_semitones: f32,
    /// How far one of a member channel goes; `None` while MPE is off.
    pub member_bend_range_semitones: Option<f32>,
    /// What each target is modulated by for all notes, in its own unit. A note's own modulation comes in its place,
    /// not on top of it (CLAP), so it is taken off again.
    pub modulated: [f32; Target::ALL.len()],
    /// What the whole range of each target is in its own unit.
    pub ranges: [f32; Target::ALL.len()],
}

impl Reading {
    fn is_mpe(&self) -> bool {
        self.member_bend_range_semitones.is_some()
    }

    fn bend_range_semitones(&self, channel: u8) -> f32 {
        self.member_bend_range_semitones
            .filter(|_| channel != MASTER_CHANNEL)
            .unwrap_or(self.bend_range_semitones)
    }
}

/// Gives `push` the instrument's events for one of the host's, if it has a meaning for the instrument.
///
/// `block_samples` is the length of the block that the event's time lies in: hosts that send times out
/// of order have them moved into it.
pub fn translate<S>(
    event: NoteEvent<S>,
    block_samples: usize,
    reading: &Reading,
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
        NoteEvent::PolyModulation {
            voice_id,
            poly_modulation_id,
            normalized_offset,
            ..
        } if normalized_offset.is_finite() => {
            let index = poly_modulation_id as usize;
            if let Some(&target) = Target::ALL.get(index) {
                push(EventKind::Modulate {
                    address: NoteAddress {
                        note_id: Some(voice_id),
                        port: Some(HOST_PORT),
                        ..NoteAddress::ALL
                    },
                    target,
                    amount: normalized_offset * reading.ranges[index] - reading.modulated[index],
                });
            }
        }
        NoteEvent::PolyPressure {
            voice_id,
            channel,
            key,
            pressure,
            ..
        } if !pressure.is_nan() => {
            push(EventKind::Pressure {
                address: address(voice_id, channel, key),
                value: pressure.clamp(0.0, 1.0),
            });
        }
        NoteEvent::PolyBrightness {
            voice_id,
            channel,
            key,
            brightness,
            ..
        } if !brightness.is_nan() => {
            push(EventKind::Slide {
                address: address(voice_id, channel, key),
                value: brightness.clamp(0.0, 1.0),
            });
        }
        NoteEvent::MidiChannelPressure {
            channel, pressure, ..
        } if reading.is_mpe() => {
            push(EventKind::Pressure {
                address: whole_channel(channel),
                value: pressure.min(1.0),
            });
        }
        NoteEvent::MidiPitchBend { channel, value, .. } => {
            push(EventKind::PitchBend {
                channel,
                semitones: 2.0 * (centred(value, BEND_MIDDLE) - 0.5) * reading.bend_range_semitones(channel),
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
            SLIDE_CONTROLLER if reading.is_mpe() => {
                push(EventKind::Slide {
                    address: whole_channel(channel),
                    value: centred(value, CONTROLLER_MIDDLE),
                });
            }
            control_change::ALL_SOUND_OFF => push(EventKind::AllSoundOff),
            control_change::RESET_ALL_CONTROLLERS => {
                push(EventKind::PitchBend {
                    channel,
                    semitones: 0.0,
                });
                push(EventKind::Sustain { channel, down: false });
                // Pressure too, but not controller 74 (MIDI RP-015).
                if reading.is_mpe() {
                    push(EventKind::Pressure {
                        address: whole_channel(channel),
                        value: 0.0,
                    });
                }
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

/// All of the host's notes on a channel, those to come among them.
fn whole_channel(channel: u8) -> NoteAddress {
    NoteAddress {
        port: Some(HOST_PORT),
        channel: Some(channel),
        ..NoteAddress::ALL
    }
}

/// The middle of MIDI's 14 bits, 8192 of 16383: not a half.
const BEND_MIDDLE: f32 = 8192.0 / 16383.0;

/// The middle of MIDI's 7 bits, 64 of 127.
const CONTROLLER_MIDDLE: f32 = 64.0 / 127.0;

/// A wheel of 0 to 1 that rests at `middle`, as one that rests at a half: the two halves have their own scale, so that
/// an untouched wheel does nothing. What is not a number is untouched.
fn centred(value: f32, middle: f32) -> f32 {
    if value.is_nan() {
        0.5
    } else if value >= middle {
        0.5 + 0.5 * (value.min(1.0) - middle) / (1.0 - middle)
    } else {
        0.5 * value.max(0.0) / middle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Reading = Reading {
        bend_range_semitones: 2.0,
        member_bend_range_semitones: None,
        modulated: [0.0; Target::ALL.len()],
        ranges: [0.0, 1.0, 1.0, 1.0, 2.0],
    };

    const MPE: Reading = Reading {
        member_bend_range_semitones: Some(48.0),
        ..PLAIN
    };

    fn read(event: NoteEvent<()>, reading: &Reading) -> Vec<Event> {
        let mut events = Vec::new();
        translate(event, 64, reading, |event| events.push(event));
        events
    }

    fn events(event: NoteEvent<()>) -> Vec<Event> {
        read(event, &PLAIN)
    }

    fn midi_by(bytes: &[u8], reading: &Reading) -> Vec<Event> {
        NoteEvent::<()>::from_midi(5, bytes).map_or(Vec::new(), |event| read(event, reading))
    }

    fn midi(bytes: [u8; 3]) -> Vec<Event> {
        midi_by(&bytes, &PLAIN)
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
    fn a_notes_own_modulation_is_in_the_targets_unit_and_replaces_that_of_all_notes() {
        let modulation = |target: Target, normalized_offset| NoteEvent::PolyModulation {
            timing: 5,
            voice_id: 77,
            poly_modulation_id: Target::ALL.iter().position(|other| *other == target).unwrap() as u32,
            normalized_offset,
        };
        let address = NoteAddress {
            note_id: Some(77),
            ..on_host_port(NoteAddress::ALL)
        };
        let moved = |target, amount| {
            only(EventKind::Modulate {
                address,
                target,
                amount,
            })
        };
        assert_eq!(
            events(modulation(Target::BlendX, -0.25)),
            moved(Target::BlendX, -0.25)
        );
        // From one end of the range to the other is 2 in the unit of the brightness.
        assert_eq!(
            events(modulation(Target::Brightness, 0.5)),
            moved(Target::Brightness, 1.0)
        );
        let reading = Reading {
            modulated: [0.0, 0.0, 0.25, 0.0, 0.0],
            ..PLAIN
        };
        let modulated = read(modulation(Target::BlendY, 0.5), &reading);
        assert_eq!(modulated, moved(Target::BlendY, 0.25));
    }

    #[test]
    fn expressions_of_single_notes_are_taken_with_and_without_mpe() {
        let address = NoteAddress {
            note_id: Some(7),
            ..on_host_port(NoteAddress::midi(1, 64))
        };
        let (voice_id, channel, key) = (VoiceID::ID(7), Channel::Number(1), Key::Number(64));
        for reading in [PLAIN, MPE] {
            let pressure = NoteEvent::PolyPressure {
                timing: 5,
                voice_id,
                channel,
                key,
                pressure: 0.75,
            };
            assert_eq!(
                read(pressure, &reading),
                only(EventKind::Pressure { address, value: 0.75 })
            );
            let brightness = NoteEvent::PolyBrightness {
                timing: 5,
                voice_id,
                channel,
                key,
                brightness: 0.5,
            };
            assert_eq!(
                read(brightness, &reading),
                only(EventKind::Slide { address, value: 0.5 })
            );
            let key_pressure = EventKind::Pressure {
                address: on_host_port(NoteAddress::midi(2, 60)),
                value: 1.0,
            };
            assert_eq!(midi_by(&[0xa2, 60, 127], &reading), only(key_pressure));
        }
    }

    #[test]
    fn a_channels_pressure_and_slide_are_taken_only_with_mpe() {
        // Of two bytes, as a keyboard sends it to the standalone, and of three, as CLAP and VST3 hosts do.
        for bytes in [&[0xd3, 127][..], &[0xd3, 127, 0]] {
            assert_eq!(midi_by(bytes, &PLAIN), []);
            let pressure = EventKind::Pressure {
                address: whole_channel(3),
                value: 1.0,
            };
            assert_eq!(midi_by(bytes, &MPE), only(pressure));
        }
        assert_eq!(midi([0xb3, SLIDE_CONTROLLER, 127]), []);
        for (byte, value) in [(0, 0.0), (64, 0.5), (127, 1.0)] {
            let slide = EventKind::Slide {
                address: whole_channel(3),
                value,
            };
            assert_eq!(midi_by(&[0xb3, SLIDE_CONTROLLER, byte], &MPE), only(slide));
        }
        assert_eq!(
            midi_by(&[0xb3, control_change::RESET_ALL_CONTROLLERS, 0], &MPE).len(),
            3
        );
    }

    #[test]
    fn with_mpe_members_bend_by_their_own_range_and_the_master_by_the_other() {
        for (channel, reading, range) in [(0, MPE, 2.0), (1, MPE, 48.0), (15, MPE, 48.0), (1, PLAIN, 2.0)] {
            let bend = EventKind::PitchBend {
                channel,
                semitones: range,
            };
            assert_eq!(midi_by(&[0xe0 | channel, 127, 127], &reading), only(bend));
        }
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
        fn any_midi_message_gives_events_inside_the_block(
            bytes: [u8; 3], timing: u32, block in 0usize..4096, is_mpe: bool,
        ) {
            let (reading, range) = if is_mpe { (MPE, 48.0) } else { (PLAIN, 2.0) };
            if let Ok(event) = NoteEvent::<()>::from_midi(timing, &bytes) {
                translate(event, block, &reading, |event| {
                    assert!((event.offset_samples as usize) < block.max(1));
                    match event.kind {
                        EventKind::PitchBend { semitones, .. } => {
                            assert!((-range..=range).contains(&semitones));
                        }
                        EventKind::Pressure { value, .. } | EventKind::Slide { value, .. } => {
                            assert!((0.0..=1.0).contains(&value));
                        }
                        _ => {}
                    }
                });
            }
        }

        #[test]
        fn any_expression_is_within_its_range_or_left_out(value: f32, modulated: f32) {
            let (voice_id, channel, key) = (VoiceID::ID(3), Channel::Wildcard, Key::Wildcard);
            let pressure = NoteEvent::PolyPressure { timing: 0, voice_id, channel, key, pressure: value };
            let slide = NoteEvent::PolyBrightness { timing: 0, voice_id, channel, key, brightness: value };
            for event in read(pressure, &PLAIN).into_iter().chain(read(slide, &PLAIN)) {
                let (EventKind::Pressure { value, .. } | EventKind::Slide { value, .. }) = event.kind else {
                    panic!("{event:?}")
                };
                prop_assert!((0.0..=1.0).contains(&value));
            }
            let modulation = NoteEvent::PolyModulation {
                timing: 0, voice_id: 3, poly_modulation_id: 9, normalized_offset: modulated,
            };
            prop_assert_eq!(read(modulation, &PLAIN), []);
        }
    }
}
