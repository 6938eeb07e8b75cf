//! Two bounces are one: whatever the block sizes and the workers' speed.

use betwixt_audio::blend::Blend;
use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::instrument::Patience;

use crate::workshop::{Stage, at, off, on, peak};

const SAMPLES: usize = 40_000;

/// Chords, a pedal, a bend, a moving blend, more notes than voices, a choke. Offsets from the start.
fn performance() -> Vec<Event> {
    let mut events = vec![at(
        0,
        EventKind::Sustain {
            channel: 0,
            down: true,
        },
    )];
    for i in 0..90u32 {
        let key = 30 + (i * 7 % 60) as u8;
        events.push(at(
            i * 331,
            EventKind::Blend(Blend {
                x: (i % 4) as f32 / 4.0,
                y: 0.5,
            }),
        ));
        events.push(at(i * 331, on(key)));
        events.push(at(i * 331 + 200, off(key)));
    }
    for i in 0..40u32 {
        let semitones = (i as f32 * 0.3).sin() * 2.0;
        events.push(at(
            5000 + i * 250,
            EventKind::PitchBend {
                channel: 0,
                semitones,
            },
        ));
    }
    events.push(at(
        31_007,
        EventKind::Choke {
            address: NoteAddress::midi(0, 44),
        },
    ));
    events.push(at(
        33_333,
        EventKind::Sustain {
            channel: 0,
            down: false,
        },
    ));
    events.sort_by_key(|event| event.offset_samples);
    events
}

/// The performance in blocks of one size, at one speed of the worker: its samples and its note ends.
fn bounce(host_hz: f64, block: usize, chunks: usize) -> (Vec<f32>, Vec<(usize, NoteAddress)>) {
    let mut stage = Stage::new(host_hz);
    let events = performance();
    let mut out = Vec::new();
    let mut blend = stage.settings.blend;
    while out.len() < SAMPLES {
        let (start, samples) = (out.len(), block.min(SAMPLES - out.len()));
        let inside: Vec<Event> = events
            .iter()
            .filter(|event| (start..start + samples).contains(&(event.offset_samples as usize)))
            .map(|event| at(event.offset_samples - start as u32, event.kind))
            .collect();
        stage.settings.blend = blend;
        out.extend(stage.bounce_at_pace(samples, &inside, chunks));
        for event in &inside {
            if let EventKind::Blend(moved) = event.kind {
                blend = moved;
            }
        }
    }
    assert_eq!(stage.meters.underruns(), 0);
    (out, stage.ends)
}

#[test]
fn blocks_of_any_size_make_the_same_bytes_and_note_ends() {
    for host_hz in [44_100.0, 48_000.0] {
        let first = bounce(host_hz, 512, 8);
        assert!(peak(&first.0) > 0.1);
        for block in [32, 64, 441, 1000, 8192] {
            let again = bounce(host_hz, block, 8);
            assert!(
                first.0 == again.0,
                "samples differ in blocks of {block} at {host_hz} Hz"
            );
            assert_eq!(first.1, again.1);
        }
    }
}

#[test]
fn a_slow_worker_makes_the_same_bytes_as_a_fast_one() {
    let first = bounce(48_000.0, 256, usize::MAX);
    for chunks in [1, 3] {
        assert!(first == bounce(48_000.0, 256, chunks));
    }
}

#[test]
fn what_has_played_before_does_not_change_what_plays_after_a_reset() {
    let mut stage = Stage::new(48_000.0);
    let phrase = [at(0, on(50)), at(100, on(57)), at(900, off(50))];
    let first = stage.bounce(3000, &phrase);
    stage.bounce(
        1234,
        &[
            at(0, on(61)),
            at(
                5,
                EventKind::PitchBend {
                    channel: 0,
                    semitones: 1.0,
                },
            ),
        ],
    );
    stage.instrument.reset();
    assert!(first == stage.bounce(3000, &phrase));
}

#[test]
fn patience_that_gives_up_is_asked_once_a_call() {
    struct Never(std::cell::Cell<usize>);
    impl Patience for Never {
        fn wait_for_news(&self) -> bool {
            self.0.set(self.0.get() + 1);
            false
        }
    }
    let mut stage = Stage::new(48_000.0);
    let never = Never(Default::default());
    let (mut left, mut right) = ([9.0; 2048], [9.0; 2048]);
    let chord = [at(0, on(60)), at(500, on(64)), at(900, on(67))];
    let settings = stage.settings;
    stage.instrument.process(
        &mut left,
        &mut right,
        &chord,
        &settings,
        Some(&never),
        &mut |_| {},
    );
    assert_eq!(never.0.get(), 1);
    assert_eq!(peak(&left), 0.0);
}
