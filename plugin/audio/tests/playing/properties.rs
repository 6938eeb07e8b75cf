//! Any events whatever: one end for every note, no voice stuck, nothing but numbers out.

use betwixt_audio::blend::Blend;
use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::instrument::Activity;
use betwixt_audio::settings::VoiceMode;
use proptest::prelude::*;

use crate::workshop::{Stage, at};

fn address() -> impl Strategy<Value = NoteAddress> {
    let id = prop_oneof![3 => Just(None), 1 => (0i32..6).prop_map(Some)];
    let channel = prop_oneof![3 => Just(Some(0u8)), 1 => any::<Option<u8>>()];
    let key = prop_oneof![6 => (58u8..64).prop_map(Some), 1 => any::<Option<u8>>()];
    (id, prop_oneof![Just(None), Just(Some(0u8))], channel, key).prop_map(|(note_id, port, channel, key)| {
        NoteAddress {
            note_id,
            port,
            channel,
            key,
        }
    })
}

fn kind() -> impl Strategy<Value = EventKind> {
    let number = prop_oneof![4 => -3.0f32..3.0, 1 => any::<f32>()];
    let channel = prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    prop_oneof![
        8 => (address(), number.clone()).prop_map(|(address, velocity)| EventKind::NoteOn { address, velocity }),
        6 => address().prop_map(|address| EventKind::NoteOff { address }),
        1 => address().prop_map(|address| EventKind::Choke { address }),
        1 => (channel.clone(), number.clone())
            .prop_map(|(channel, semitones)| EventKind::PitchBend { channel, semitones }),
        2 => (channel, any::<bool>()).prop_map(|(channel, down)| EventKind::Sustain { channel, down }),
        1 => (address(), number.clone()).prop_map(|(address, semitones)| EventKind::Tuning { address, semitones }),
        1 => (number.clone(), number).prop_map(|(x, y)| EventKind::Blend(Blend { x, y })),
        1 => Just(EventKind::AllNotesOff),
        1 => Just(EventKind::AllSoundOff),
    ]
}

/// A block of up to 400 samples.
#[derive(Clone, Debug)]
struct Block {
    samples: usize,
    events: Vec<Event>,
    voice_mode: VoiceMode,
    /// What the workers do after it (0: nothing, 1: all, 2: fail all, 3: take all back).
    work: u8,
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let event = (0u32..450, kind()).prop_map(|(offset, kind)| at(offset, kind));
    let events = prop::collection::vec(event, 0..12).prop_map(|mut events| {
        events.sort_by_key(|event| event.offset_samples);
        events
    });
    let voice_mode = prop::sample::select(&VoiceMode::ALL[..]);
    let block =
        (0usize..400, events, voice_mode, 0u8..4).prop_map(|(samples, events, voice_mode, work)| Block {
            samples,
            events,
            voice_mode,
            work,
        });
    prop::collection::vec(block, 1..12)
}

/// Addresses in an order that tells equal collections.
fn sorted(mut addresses: Vec<NoteAddress>) -> Vec<NoteAddress> {
    addresses.sort_by_key(|a| (a.note_id, a.port, a.channel, a.key));
    addresses
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_note_ends_once_and_no_voice_is_stuck(blocks in blocks(), offline in any::<bool>(), refuses in any::<bool>()) {
        let mut stage = Stage::new(48_000.0);
        stage.settings.release_ms = 20.0;
        stage.workshop.get_mut().note_chunks = 4;
        if refuses {
            stage.workshop.get_mut().refuses_cents = Some(6000);
        }
        let mut struck = Vec::new();
        for Block { samples, events, voice_mode, work } in blocks {
            stage.settings.voice_mode = voice_mode;
            struck.extend(events.iter().filter_map(|event| match event.kind {
                EventKind::NoteOn { address, .. } => Some(address),
                _ => None,
            }));
            let start = stage.played_samples;
            let ended = stage.ends.len();
            let out = if offline { stage.bounce(samples, &events) } else { stage.live(samples, &events) };
            prop_assert!(out.iter().all(|sample| *sample == 0.0 || sample.is_normal()));
            for (offset, _) in &stage.ends[ended..] {
                prop_assert!((start..(start + samples).max(start + 1)).contains(offset));
            }
            match work {
                0 => {}
                1 => stage.work(),
                2 => stage.workshop.get_mut().fail_all(),
                _ => stage.workshop.get_mut().retire_complete(),
            }
        }
        // All keys and pedals up; the workers go on.
        let mut up: Vec<Event> = (0..16).map(|channel| at(0, EventKind::Sustain { channel, down: false })).collect();
        up.push(at(0, EventKind::NoteOff { address: NoteAddress::ALL }));
        stage.live(64, &up);
        for _ in 0..20 {
            stage.work();
            stage.live(256, &[]);
        }
        prop_assert_eq!(stage.activity, Activity::Silent);
        prop_assert_eq!((stage.meters.voices(), stage.meters.waiting_voices()), (0, 0));
        prop_assert_eq!(stage.meters.held_keys(), 0);
        let ended = stage.ends.iter().map(|(_, address)| *address).collect();
        prop_assert_eq!(sorted(struck), sorted(ended));
    }
}
