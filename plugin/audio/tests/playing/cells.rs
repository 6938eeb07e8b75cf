//! Notes of a slow model: whole ones of a grid, the nearest played, cross-faded as the blend moves.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use betwixt_audio::blend::{Blend, BlendCell};
use betwixt_audio::event::{Event, EventKind};
use betwixt_audio::grid::{Grid, grid_pitch};
use betwixt_audio::instrument::{Activity, Instrument, Patience};
use betwixt_audio::link::{SchedulerEnd, ToAudio, ToScheduler, link};
use betwixt_audio::meters::Meters;
use betwixt_audio::note::{NoteKey, PatchId, PatchView};
use betwixt_audio::note_loop::NoteLoop;
use betwixt_audio::rendered_note::RenderedNote;
use betwixt_audio::settings::Settings;

use crate::workshop::{PATCH, at, cents_from, jump, off, on, peak};

/// The model's rate, and its notes: two seconds, held for one and a half.
const NOTE_HZ: u32 = 16_000;
const NOTE_SAMPLES: usize = 32_000;
const LOOP: (usize, usize, usize) = (12_000, 24_000, 1_600);
const HOST_HZ: f64 = 48_000.0;

/// Gives out whole notes as it is told: cosines, the louder the farther right their cell lies.
struct Shelf {
    end: SchedulerEnd,
    asked: Vec<NoteKey>,
    given: BTreeSet<(i32, i16, i16)>,
    /// Every asked note is given at once.
    is_full: bool,
}

fn level(cell: BlendCell) -> f32 {
    0.1 + 0.4 * f32::from(cell.x) / 256.0
}

fn note(key: NoteKey) -> Arc<RenderedNote> {
    let (mut writer, note) = RenderedNote::new(key, 1000, NOTE_SAMPLES / 1000, NOTE_HZ);
    // Whole periods in the loop: 10 Hz is one in 1600 samples.
    let hz = (440.0 * 2f64.powf(f64::from(key.pitch_cents) / 1200.0 - 69.0 / 12.0) / 10.0).round() * 10.0;
    let level = level(key.strike.timbre.blend);
    for chunk in 0..NOTE_SAMPLES / 1000 {
        let sample = |i: usize| {
            let t = (1000 * chunk + i) as f64 / f64::from(NOTE_HZ);
            let ending = if t > 1.6 { (2.0 - t) / 0.4 } else { 1.0 };
            level * (ending * (std::f64::consts::TAU * hz * t).cos()) as f32
        };
        writer.push((0..1000).map(sample).collect()).unwrap();
    }
    writer.finish_looped(NoteLoop::new(LOOP.0, LOOP.1, LOOP.2, 1.0));
    note
}

impl Shelf {
    fn answer(&mut self) -> bool {
        let mut news = false;
        while let Some(message) = self.end.receive() {
            if let ToScheduler::Request(key) = message {
                news = true;
                self.asked.push(key);
                if self.is_full {
                    self.give(key);
                }
            }
        }
        news
    }

    fn give(&mut self, key: NoteKey) {
        let cell = key.strike.timbre.blend;
        if self.given.insert((key.pitch_cents, cell.x, cell.y)) {
            self.end.send(ToAudio::Grant(note(key))).unwrap();
        }
    }
}

/// An offline render that has one asked note at each wait.
struct OneByOne<'a>(&'a RefCell<Shelf>);

impl Patience for OneByOne<'_> {
    fn wait_for_news(&self) -> bool {
        let mut shelf = self.0.borrow_mut();
        let news = shelf.answer();
        let missing = shelf.asked.pop();
        missing.into_iter().for_each(|key| shelf.give(key));
        news || missing.is_some()
    }
}

struct Rig {
    instrument: Instrument,
    shelf: RefCell<Shelf>,
    meters: Arc<Meters>,
    settings: Settings,
    activity: Activity,
}

impl Rig {
    fn new(is_full: bool) -> Self {
        let (audio, mut end) = link();
        end.send(ToAudio::Grid(Some(Grid::new(5)))).unwrap();
        end.send(ToAudio::Patch(PatchView::plain(PATCH))).unwrap();
        let meters = Arc::new(Meters::default());
        let mut instrument = Instrument::new(audio, meters.clone());
        instrument.prepare(HOST_HZ);
        Self {
            instrument,
            meters,
            shelf: RefCell::new(Shelf {
                end,
                asked: Vec::new(),
                given: BTreeSet::new(),
                is_full,
            }),
            settings: Settings {
                gain: 1.0,
                velocity_sensitivity: 0.0,
                ..Settings::default()
            },
            activity: Activity::Silent,
        }
    }

    fn blend(&mut self, x: f32, y: f32) {
        self.settings.blend = Blend { x, y };
    }

    fn key(&self, x: f32, y: f32, pitch: i32) -> NoteKey {
        Grid::new(5).key(PATCH, Blend { x, y }, f64::from(pitch))
    }

    fn give(&self, x: f32, y: f32, pitch: i32) {
        self.shelf.borrow_mut().give(self.key(x, y, pitch));
    }

    /// A block as a live host asks for it, and the shelf's answers after it.
    fn live(&mut self, samples: usize, events: &[Event]) -> Vec<f32> {
        let left = self.process(samples, events, false);
        self.shelf.borrow_mut().answer();
        left
    }

    fn process(&mut self, samples: usize, events: &[Event], waits: bool) -> Vec<f32> {
        let (mut left, mut right) = (vec![9.0; samples], vec![9.0; samples]);
        let patience = OneByOne(&self.shelf);
        let patience = waits.then_some(&patience as &dyn Patience);
        self.activity = self.instrument.process(
            &mut left,
            &mut right,
            events,
            &self.settings,
            patience,
            &mut |_| {},
        );
        assert!(left == right, "whole notes are mono");
        left
    }
}

#[test]
fn a_note_waits_until_it_is_whole_and_is_at_its_keys_pitch() {
    let mut rig = Rig::new(false);
    assert_eq!(peak(&rig.live(4800, &[at(0, on(62))])), 0.0);
    assert_eq!(rig.activity, Activity::Waiting);
    let asked = rig.shelf.borrow().asked.clone();
    assert_eq!(
        asked,
        [rig.key(0.5, 0.5, 64)],
        "62 is two below a pitch of the grid"
    );
    assert!(grid_pitch(62.0) == 64);
    rig.give(0.5, 0.5, 64);
    let heard = rig.live(24_000, &[]);
    assert!((peak(&heard) - 0.3).abs() < 0.01, "{}", peak(&heard));
    let whole_hz = (440.0 * 2f64.powf((64.0 - 69.0) / 12.0) / 10.0).round() * 10.0;
    let cents = cents_from(&heard[4800..], whole_hz * 2f64.powf(-2.0 / 12.0), HOST_HZ);
    assert!(cents.abs() < 1.0, "{cents}");
}

#[test]
fn the_nearest_rendered_cell_is_heard_until_the_wanted_one_is_there() {
    let mut rig = Rig::new(false);
    rig.give(0.0, 0.5, 60);
    rig.give(1.0, 0.5, 60);
    rig.blend(0.7, 0.5);
    rig.live(64, &[]);
    let far = rig.live(9_600, &[at(0, on(60))]);
    assert!((peak(&far[4800..]) - level(rig.key(1.0, 0.5, 60).strike.timbre.blend)).abs() < 0.01);
    rig.give(0.75, 0.5, 60);
    let joined = rig.live(9_600, &[]);
    let wanted = level(rig.key(0.75, 0.5, 60).strike.timbre.blend);
    assert!(
        (peak(&joined[4800..]) - wanted).abs() < 0.01,
        "{}",
        peak(&joined[4800..])
    );
    assert_eq!(rig.meters.underruns() + rig.meters.refused(), 0);
}

#[test]
fn a_moving_blend_goes_from_cell_to_cell_without_a_step() {
    let mut rig = Rig::new(true);
    rig.blend(0.0, 0.0);
    rig.live(64, &[at(0, on(60))]);
    let still = rig.live(24_000, &[]);
    let mut swept = Vec::new();
    for step in 0..=200 {
        rig.blend(step as f32 / 200.0, 0.0);
        swept.extend(rig.live(240, &[]));
    }
    let end = rig.live(4_800, &[]);
    assert!((peak(&end) - 0.5).abs() < 0.01, "it arrives: {}", peak(&end));
    // The steepest step of a cosine five times as loud as at the beginning, and no more: 1.42 where alike notes are faded.
    let limit = 1.42 * 5.0 * jump(&still[4800..]);
    assert!(jump(&swept) < limit, "{} of {limit}", jump(&swept));
    let asked = rig.shelf.borrow().asked.len();
    assert_eq!(asked, 5, "each cell once");
}

#[test]
fn a_key_held_past_the_end_hears_the_loop_and_one_let_go_can_go_to_the_ending() {
    let mut rig = Rig::new(true);
    rig.live(64, &[at(0, on(60))]);
    rig.live(10 * 48_000, &[]);
    let held = rig.live(48_000, &[]);
    assert!(
        (peak(&held) - 0.3).abs() < 0.01 && jump(&held) < 0.02,
        "{}",
        jump(&held)
    );
    assert!(
        held.chunks(4800).all(|part| peak(part) > 0.29),
        "no hole in any lap"
    );
    rig.settings.own_ending = true;
    let ended = rig.live(48_000, &[at(0, off(60))]);
    assert!(peak(&ended[..4800]) > 0.2 && peak(&ended[30_000..]) == 0.0);
    assert!(jump(&ended) < 0.03);
    assert_eq!(rig.activity, Activity::Silent);
}

#[test]
fn a_start_further_in_and_a_release_by_the_envelope_need_no_other_note() {
    let mut rig = Rig::new(true);
    rig.settings.start_ms = 1700.0;
    rig.live(64, &[at(0, on(60))]);
    let begun = rig.live(4_800, &[]);
    assert!(peak(&begun) > 0.1, "it is in the loop");
    let released = rig.live(24_000, &[at(0, off(60))]);
    assert!(peak(&released[20_000..]) == 0.0 && rig.activity == Activity::Silent);
    assert_eq!(rig.shelf.borrow().asked.len(), 1);
}

#[test]
fn a_voice_that_waits_asks_again_for_other_sounds_and_for_another_grid() {
    let mut rig = Rig::new(false);
    rig.live(64, &[at(0, on(60))]);
    let other = PatchId(7);
    rig.shelf
        .borrow_mut()
        .end
        .send(ToAudio::Patch(PatchView::plain(other)))
        .unwrap();
    rig.live(64, &[]);
    assert_eq!(rig.shelf.borrow().asked[1].patch, other);
    rig.blend(0.4, 0.5);
    rig.shelf
        .borrow_mut()
        .end
        .send(ToAudio::Grid(Some(Grid::new(11))))
        .unwrap();
    rig.live(64, &[]);
    let asked = rig.shelf.borrow().asked[2];
    assert_eq!(asked, Grid::new(11).key(other, Blend { x: 0.4, y: 0.5 }, 60.0));
    rig.shelf.borrow_mut().give(asked);
    assert!(peak(&rig.live(4_800, &[])) > 0.1);
}

/// Chords over a wandering blend, with glides, late releases and ends, in blocks of one size.
fn bounced(block: usize) -> Vec<f32> {
    let mut rig = Rig::new(false);
    let mut events: Vec<(usize, EventKind)> = Vec::new();
    for i in 0..12 {
        let begin = 9_001 * i;
        let key = 40 + (7 * i % 30) as u8;
        events.push((begin, on(key)));
        events.push((begin + 20_000, off(key)));
        let channel = 0;
        let semitones = if i % 2 == 0 { 2.0 } else { -1.0 };
        events.push((begin + 700, EventKind::PitchBend { channel, semitones }));
    }
    for i in 0..260 {
        let place = i as f32 * 0.11;
        let blend = Blend {
            x: 0.5 + 0.5 * place.sin(),
            y: 0.5 + 0.5 * (0.7 * place).cos(),
        };
        events.push((500 * i, EventKind::Blend(blend)));
    }
    events.sort_by_key(|(sample, _)| *sample);
    let mut out = Vec::new();
    while out.len() < 130_000 {
        let begin = out.len();
        let end = (begin + block).min(130_000);
        // The blend of an event lasts for its call: settings carry it on.
        let due: Vec<Event> = events
            .iter()
            .filter(|(sample, _)| (begin..end).contains(sample))
            .map(|(sample, kind)| at((sample - begin) as u32, *kind))
            .collect();
        rig.settings.own_ending = true;
        out.extend(rig.process(end - begin, &due, true));
        if let Some((_, EventKind::Blend(blend))) = events
            .iter()
            .rev()
            .find(|(sample, kind)| *sample < end && matches!(kind, EventKind::Blend(_)))
        {
            rig.settings.blend = *blend;
        }
    }
    out
}

#[test]
fn a_bounce_waits_for_every_cell_and_is_the_same_for_any_block_size() {
    let whole = bounced(130_000);
    assert!(peak(&whole) > 0.3);
    for block in [1, 32, 333, 2048] {
        let other = bounced(block);
        let differs = whole
            .iter()
            .zip(&other)
            .position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differs, None, "blocks of {block}");
    }
}

/// Live blocks under a moving blend while notes come late; says whether it sounded. `process` is told of each block.
pub fn wander(blocks: usize, mut process: impl FnMut(&mut dyn FnMut())) -> bool {
    let mut rig = Rig::new(false);
    let mut sounded = false;
    let (mut left, mut right) = ([0.0; 64], [0.0; 64]);
    for block in 0..blocks {
        let key = 36 + (block * 5 % 40) as u8;
        let mut events = Vec::with_capacity(2);
        if block % 20 == 0 {
            events.push(at(0, on(key)));
        } else if block % 20 == 17 {
            events.push(at(3, off(36 + ((block - 17) * 5 % 40) as u8)));
        }
        rig.blend(
            (block as f32 * 0.01).sin().abs(),
            (block as f32 * 0.017).cos().abs(),
        );
        rig.settings.own_ending = block % 300 > 150;
        let (instrument, settings) = (&mut rig.instrument, &rig.settings);
        process(&mut || {
            let _ = instrument.process(&mut left, &mut right, &events, settings, None, &mut |_| {});
        });
        sounded |= peak(&left) > 0.05;
        let mut shelf = rig.shelf.borrow_mut();
        shelf.answer();
        if block % 7 == 0
            && let Some(key) = shelf.asked.pop()
        {
            shelf.give(key);
        }
    }
    sounded
}
