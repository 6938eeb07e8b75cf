//! An audio thread with an instrument, at a sound card's pace. It looks at its desk before each block.
//!
//! Only [`Instrument::process`] is watched by the sanitizer; what is around it stands for the host.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use betwixt_audio::event::{Event, NoteEnd};
use betwixt_audio::instrument::{Activity, Instrument, Patience};
use betwixt_audio::link::AudioEnd;
use betwixt_audio::meters::Meters;
use betwixt_engine::instance::Instance;
use betwixt_tests::audio_priority;

use crate::dice::Dice;
use crate::figures::{Figures, WorstBlock};
use crate::ledger::Ledger;
use crate::unwatched::Unwatched;
use crate::violation;
use crate::weather::{Hands, Weather};

const RATES_HZ: [f64; 3] = [44_100.0, 48_000.0, 96_000.0];
const LARGEST_BLOCK: usize = 1024;
/// Time for the last notes' releases and renders.
const QUIET_LIMIT: Duration = Duration::from_secs(20);
/// Note ends that one block may tell.
const MOST_ENDS: usize = 4096;

/// What lies between the main thread and a player.
#[derive(Debug)]
pub struct Desk {
    /// The weather, in the lowest bits, and its number.
    order: AtomicU64,
    /// The number of the rest that the player has come to.
    rested: AtomicU64,
    leaving: AtomicU8,
    figures: Mutex<Figures>,
}

/// Whether the player is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Leaving {
    No = 0,
    /// When all has ended.
    Quietly = 1,
    /// Now, whatever sounds.
    Abruptly = 2,
}

impl Desk {
    pub fn new(weather: Weather, number: u64) -> Self {
        Self {
            order: AtomicU64::new(number << 2 | weather as u64),
            rested: AtomicU64::new(0),
            leaving: AtomicU8::new(Leaving::No as u8),
            figures: Mutex::default(),
        }
    }

    /// Tells what comes.
    pub fn order(&self, weather: Weather, number: u64) {
        self.order.store(number << 2 | weather as u64, Ordering::Release);
    }

    /// Whether all has ended in the rest of this number.
    pub fn has_rested(&self, number: u64) -> bool {
        self.rested.load(Ordering::Acquire) == number
    }

    pub fn leave(&self, how: Leaving) {
        self.leaving.store(how as u8, Ordering::Release);
    }

    /// What was counted so far.
    pub fn figures(&self) -> Figures {
        self.figures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn weather(&self) -> (Weather, u64) {
        let order = self.order.load(Ordering::Acquire);
        (Weather::ALL[(order & 3) as usize], order >> 2)
    }

    fn leaving(&self) -> Leaving {
        match self.leaving.load(Ordering::Acquire) {
            0 => Leaving::No,
            1 => Leaving::Quietly,
            _ => Leaving::Abruptly,
        }
    }
}

/// An instance's audio thread.
pub struct Player {
    instance: Arc<Instance>,
    instrument: Instrument,
    meters: Arc<Meters>,
    desk: Arc<Desk>,
    /// Voices in fair weather.
    voices: usize,
    /// Break the promise: allocate in the callback.
    violate: bool,
    dice: Dice,
    hands: Hands,
    ledger: Ledger,
    figures: Figures,
    ends: Vec<NoteEnd>,
    rate_hz: f64,
    due: Instant,
    streams: u32,
    /// Whether the last weather was a gust, whose notes may still lack samples in the rest after it.
    after_gust: bool,
}

impl Player {
    pub fn new(
        instance: Arc<Instance>,
        end: AudioEnd,
        desk: Arc<Desk>,
        voices: usize,
        seed: u64,
        violate: bool,
    ) -> Self {
        let meters = Arc::new(Meters::default());
        let mut dice = Dice::new(seed);
        let rate_hz = dice.pick(&RATES_HZ);
        let mut instrument = Instrument::new(end, Arc::clone(&meters));
        instrument.prepare(rate_hz);
        Self {
            instance,
            instrument,
            meters,
            desk,
            voices,
            violate,
            dice,
            hands: Hands::new(),
            ledger: Ledger::new(),
            figures: Figures::default(),
            ends: Vec::with_capacity(MOST_ENDS),
            rate_hz,
            due: Instant::now(),
            streams: 0,
            after_gust: false,
        }
    }

    /// Plays until told to leave.
    pub fn play(mut self) -> Result<()> {
        self.figures.ordinary_threads += u64::from(!audio_priority::take());
        let mut events = Vec::with_capacity(2048);
        let mut last_rest = 0;
        self.due = Instant::now();
        loop {
            let (weather, number) = self.desk.weather();
            let leaving = self.desk.leaving();
            if leaving == Leaving::Abruptly {
                self.ledger.silence();
                self.publish();
                break;
            }
            if weather == Weather::Rest || leaving == Leaving::Quietly {
                if last_rest == number && leaving == Leaving::No {
                    thread::sleep(Duration::from_millis(1));
                    self.due = Instant::now();
                    continue;
                }
                self.rest(&mut events)?;
                self.publish();
                if leaving == Leaving::Quietly {
                    break;
                }
                if self.dice.one_in(2) {
                    self.change_rate();
                }
                last_rest = number;
                self.desk.rested.store(number, Ordering::Release);
                continue;
            }
            self.after_gust = weather == Weather::Gust;
            let samples = 16 + self.dice.below(LARGEST_BLOCK as u32 - 15);
            self.hands.play(
                weather,
                self.voices,
                samples,
                &mut self.dice,
                &mut self.ledger,
                &mut events,
            );
            self.block(weather, samples as usize, &events)?;
            self.publish();
            // Hosts also silence an instrument, or change its rate, while it plays.
            if weather != Weather::Offline && self.dice.one_in(3000) {
                self.ledger.silence();
                self.change_rate();
            } else if self.dice.one_in(3000) {
                self.ledger.silence();
                self.instrument.reset();
            }
        }
        self.instance.deactivate();
        Ok(())
    }

    /// Lets all end, and closes the ledger.
    fn rest(&mut self, events: &mut Vec<Event>) -> Result<()> {
        self.hands.rest(events);
        let mut activity = self.block(Weather::Rest, 256, events)?;
        let began = Instant::now();
        while activity != Activity::Silent {
            ensure!(
                began.elapsed() < QUIET_LIMIT,
                "an instrument does not fall silent: {activity:?}, {} notes open",
                self.ledger.open()
            );
            activity = self.block(Weather::Rest, 256, &[])?;
        }
        for lost in self.ledger.close() {
            eprintln!(
                "at rest after block {} and never ended: {lost:?}",
                self.figures.blocks
            );
        }
        Ok(())
    }

    /// As a host does it: audio stops, the plugin is prepared anew.
    fn change_rate(&mut self) {
        self.instance.deactivate();
        self.rate_hz = self.dice.pick(&RATES_HZ);
        self.instrument.prepare(self.rate_hz);
        self.instance.activate();
        self.figures.rate_changes += 1;
        self.due = Instant::now();
    }

    /// One block through the instrument, at its time.
    fn block(&mut self, weather: Weather, samples: usize, events: &[Event]) -> Result<Activity> {
        let plays = Duration::from_secs_f64(samples as f64 / self.rate_hz);
        let is_live = weather != Weather::Offline;
        if is_live {
            self.await_turn(plays);
        }
        let patience = Unwatched(self.instance.offline_patience());
        let patience = (!is_live).then_some(&patience as &dyn Patience);
        let mut channels = [[0.0_f32; LARGEST_BLOCK]; 2];
        let [left, right] = &mut channels;
        let (left, right) = (&mut left[..samples], &mut right[..samples]);
        let (violate, ends) = (self.violate, &mut self.ends);
        ends.clear();
        let mut untold = 0_u64;
        let began = Instant::now();
        let activity =
            self.instrument
                .process(left, right, events, &self.hands.settings, patience, &mut |end| {
                    if ends.len() < MOST_ENDS {
                        ends.push(end);
                    } else {
                        untold += 1;
                    }
                    if violate {
                        violation::allocate(end);
                    }
                });
        let took = began.elapsed();
        ensure!(untold == 0, "{untold} note ends more than a block may tell");
        for end in &self.ends {
            ensure!(
                (end.offset_samples as usize) < samples,
                "a note ends at {} of {samples} samples",
                end.offset_samples
            );
            if !self.ledger.end(end.address) {
                eprintln!(
                    "an end too many in block {}, {weather:?}, {:?}: {end:?}",
                    self.figures.blocks, self.hands.settings.voice_mode
                );
            }
        }
        self.count(weather, took, plays, left, right);
        Ok(activity)
    }

    /// Waits until the sound card would ask for the block. A call that comes late does not make the next ones early: a
    /// sound card drops what it lacked.
    fn await_turn(&mut self, plays: Duration) {
        let now = Instant::now();
        if now > self.due + plays {
            self.figures.late_calls += 1;
            self.due = now;
        }
        thread::sleep(self.due.saturating_duration_since(now));
        self.due += plays;
    }

    fn count(&mut self, weather: Weather, took: Duration, plays: Duration, left: &[f32], right: &[f32]) {
        let figures = &mut self.figures;
        if weather == Weather::Offline {
            figures.offline_blocks += 1;
        } else {
            figures.blocks += 1;
            figures.live += plays;
            figures.worst_block = figures.worst_block.or(WorstBlock { took, plays });
        }
        let streams = self.meters.streams();
        figures.streams += u64::from(streams.saturating_sub(self.streams));
        self.streams = streams;
        figures.waiting_blocks += u64::from(self.meters.waiting_voices() > 0);
        let known: u64 = figures.underruns.iter().sum();
        let blamed = match weather {
            Weather::Rest if self.after_gust => Weather::Gust,
            weather => weather,
        };
        figures.underruns[blamed as usize] += self.meters.underruns() - known;
        figures.degraded = self.meters.degraded();
        figures.refused = self.meters.refused();
        figures.stolen = self.meters.stolen();
        for sample in left.iter().chain(right) {
            if !sample.is_finite() {
                figures.not_finite += 1;
            }
            figures.peak = figures.peak.max(sample.abs());
        }
    }

    /// Leaves the figures on the desk.
    fn publish(&mut self) {
        let (figures, ledger) = (&mut self.figures, &self.ledger);
        figures.struck = ledger.struck;
        figures.ended = ledger.ended;
        figures.stray = ledger.stray;
        figures.silenced = ledger.silenced;
        figures.lost = ledger.lost;
        *self.desk.figures.lock().unwrap_or_else(PoisonError::into_inner) = figures.clone();
    }
}
