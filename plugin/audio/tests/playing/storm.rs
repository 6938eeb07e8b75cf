//! A storm: an audio thread at full speed, a scheduler on another thread that misses, fails, evicts and changes patches.
//!
//! Under RealtimeSanitizer `process` stops the test at the first allocation, lock or blocking system call, with a stack:
//! ```sh
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg rtsan -Zsanitizer=realtime" CARGO_TARGET_DIR=target/rtsan \
//!     cargo test --release --target x86_64-unknown-linux-gnu -p betwixt-audio --test playing storm
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use betwixt_audio::blend::Blend;
use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::instrument::{Activity, Instrument};
use betwixt_audio::link::link;
use betwixt_audio::meters::Meters;
use betwixt_audio::note::PatchId;
use betwixt_audio::settings::Settings;

use crate::workshop::{Workshop, at};

/// The audio thread is at most this far ahead of the scheduler.
const BLOCKS_A_ROUND: usize = 16;

/// What a storm did.
#[derive(Debug, Default)]
pub struct Tally {
    pub struck: usize,
    pub ended: usize,
    pub sounded: bool,
    pub rendered_chunks: usize,
    pub meters: Arc<Meters>,
}

/// A few numbers without a pattern, always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Plays `blocks` blocks through `process`, which is called inside `watched`.
pub fn storm(blocks: usize, mut watched: impl FnMut(&mut dyn FnMut())) -> Tally {
    let (audio, scheduler) = link();
    let meters = Arc::new(Meters::default());
    let mut instrument = Instrument::new(audio, meters.clone());
    instrument.prepare(44_100.0);
    let stop = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicUsize::new(0));
    let scheduler = {
        let (stop, rounds) = (stop.clone(), rounds.clone());
        std::thread::spawn(move || {
            let mut workshop = Workshop::new(scheduler);
            workshop.note_chunks = 40;
            workshop.refuses_cents = Some(6100);
            let mut dice = Dice(2);
            workshop.send_patch(PatchId(0));
            while !stop.load(Ordering::Relaxed) {
                workshop.answer();
                match dice.roll(40) {
                    0 => workshop.fail_all(),
                    1..=4 => workshop.retire_complete(),
                    5 => workshop.send_patch(PatchId(dice.roll(3))),
                    _ => drop(workshop.render(6)),
                }
                rounds.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_micros(20));
            }
            workshop.rendered_chunks
        })
    };
    let mut dice = Dice(1);
    let mut tally = Tally {
        meters,
        ..Tally::default()
    };
    let (mut left, mut right) = (vec![0.0; 512], vec![0.0; 512]);
    let mut events: Vec<Event> = Vec::new();
    for block in 0..blocks + 400 {
        let samples = 1 + dice.roll(512) as usize;
        events.clear();
        for _ in 0..if block < blocks { dice.roll(8) } else { 0 } {
            let address = NoteAddress::midi(dice.roll(3) as u8, 36 + dice.roll(60) as u8);
            let kind = match dice.roll(12) {
                0..=6 => EventKind::NoteOn {
                    address,
                    velocity: 0.8,
                },
                7..=8 => EventKind::NoteOff { address },
                9 => EventKind::Sustain {
                    channel: 0,
                    down: dice.roll(2) == 0,
                },
                10 => EventKind::PitchBend {
                    channel: 0,
                    semitones: dice.roll(400) as f32 / 100.0 - 2.0,
                },
                _ => EventKind::Blend(Blend {
                    x: dice.roll(5) as f32 / 4.0,
                    y: 0.5,
                }),
            };
            tally.struck += usize::from(matches!(kind, EventKind::NoteOn { .. }));
            events.push(at(dice.roll(512) as u32, kind));
        }
        if block == blocks {
            events.push(at(
                0,
                EventKind::Sustain {
                    channel: 0,
                    down: false,
                },
            ));
            events.push(at(
                0,
                EventKind::NoteOff {
                    address: NoteAddress::ALL,
                },
            ));
        }
        let settings = Settings {
            attack_ms: dice.roll(20) as f32,
            release_ms: 50.0,
            ..Settings::default()
        };
        let mut activity = Activity::Silent;
        watched(&mut || {
            let (left, right) = (&mut left[..samples], &mut right[..samples]);
            activity = instrument.process(left, right, &events, &settings, None, &mut |_| tally.ended += 1);
        });
        tally.sounded |= activity == Activity::Sounding;
        assert!(left.iter().all(|sample| sample.is_finite()));
        // However busy the machine is, the scheduler gets its turns.
        while rounds.load(Ordering::Relaxed) < block / BLOCKS_A_ROUND {
            std::thread::yield_now();
        }
    }
    stop.store(true, Ordering::Relaxed);
    tally.rendered_chunks = scheduler.join().unwrap();
    tally
}

#[test]
fn in_a_storm_every_note_ends_once() {
    let tally = storm(if cfg!(debug_assertions) { 2_000 } else { 20_000 }, |process| {
        process()
    });
    println!("{tally:?}");
    assert_eq!(tally.struck, tally.ended);
    assert!(tally.sounded && tally.rendered_chunks > 100);
    assert!(tally.meters.stolen() > 0 && tally.meters.refused() > 0);
}
