//! The engine, and the instances that come and go over it. The main thread: it stands for the host's, and the user's.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use betwixt_engine::engine::{Engine, EngineOptions};
use betwixt_engine::instance::Instance;
use betwixt_engine::patch::Patch;
use betwixt_engine::sound::Sound;
use betwixt_tests::factory;

use crate::Arguments;
use crate::dice::Dice;
use crate::figures::Figures;
use crate::memory::Memory;
use crate::player::{Desk, Leaving, Player};
use crate::report::Report;
use crate::weather::Weather;

/// Budgets of the note cache, in megabytes: room for a few notes, and for many.
const BUDGETS_MB: [usize; 3] = [6, 24, 64];
/// Time for all to fall silent.
const REST_LIMIT: Duration = Duration::from_secs(40);
/// Patches that users come back to, so that some notes are in the cache.
const PATCHES: usize = 6;

/// An instance and its audio thread.
struct Seat {
    instance: Arc<Instance>,
    desk: Arc<Desk>,
    thread: JoinHandle<Result<()>>,
}

/// All that plays.
pub struct Stage {
    engine: Arc<Engine>,
    sounds: Vec<Arc<Sound>>,
    patches: Vec<Patch>,
    seats: Vec<Seat>,
    voices: usize,
    violate: bool,
    dice: Dice,
    /// Of instances that have gone.
    gone: Figures,
    instances: u64,
    changes: u64,
    evicted: u64,
    number: u64,
    weather: Weather,
    memory: Memory,
    began: Instant,
    minutes: u64,
}

impl Stage {
    /// The engine with the first instances and its model.
    pub fn open(arguments: &Arguments) -> Result<Self> {
        let options = EngineOptions::default();
        let engine = Engine::new(EngineOptions {
            cache_budget_bytes: BUDGETS_MB[0] << 20,
            workers: arguments.workers.unwrap_or(options.workers),
            ..options
        });
        let sounds = factory::sounds()?;
        let mut dice = Dice::new(arguments.seed);
        let patches = (0..PATCHES).map(|_| patch(&sounds, &mut dice)).collect();
        let seats = arguments.instances.max(1);
        let mut stage = Self {
            engine,
            sounds,
            patches,
            seats: Vec::new(),
            voices: arguments.voices.div_ceil(seats),
            violate: arguments.violate,
            dice,
            gone: Figures::default(),
            instances: 0,
            changes: 0,
            evicted: 0,
            number: 1,
            weather: Weather::Rest,
            memory: Memory::new(),
            began: Instant::now(),
            minutes: 0,
        };
        for _ in 0..seats {
            let seat = stage.seat()?;
            stage.seats.push(seat);
        }
        factory::wait_for_model(&stage.engine)?;
        stage.began = Instant::now();
        stage.memory = Memory::new();
        Ok(stage)
    }

    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Plays a weather, and then lets all come to rest.
    pub fn play(&mut self, weather: Weather, lasts: Duration) -> Result<()> {
        self.order(weather);
        let began = Instant::now();
        while began.elapsed() < lasts {
            let pause_ms = if weather == Weather::Gust {
                130
            } else {
                200 + self.dice.below(1000)
            };
            let left = lasts.saturating_sub(began.elapsed());
            thread::sleep(Duration::from_millis(pause_ms.into()).min(left));
            self.change_something()?;
            self.look()?;
        }
        self.order(Weather::Rest);
        let began = Instant::now();
        while !self.seats.iter().all(|seat| seat.desk.has_rested(self.number)) {
            if let Some(at) = self.seats.iter().position(|seat| seat.thread.is_finished()) {
                let seat = self.seats.swap_remove(at);
                self.fold(seat)?;
                return Err(anyhow!("an audio thread ended by itself"));
            }
            ensure!(began.elapsed() < REST_LIMIT, "all does not come to rest");
            thread::sleep(Duration::from_millis(2));
        }
        self.look()
    }

    /// Ends all, and sums up.
    pub fn close(mut self) -> Result<Report> {
        for seat in std::mem::take(&mut self.seats) {
            seat.desk.leave(Leaving::Quietly);
            self.fold(seat)?;
        }
        self.engine.settle(Duration::from_secs(1));
        let status = self.engine.status();
        Ok(Report {
            figures: self.gone,
            instances: self.instances,
            changes: self.changes,
            evicted: self.evicted.max(evicted(&self.engine)),
            notes_rendered: status.notes_rendered,
            notes_failed: status.notes_failed,
            last_failure: status.last_failure,
            length: self.began.elapsed(),
            growth: self.memory.growth(),
        })
    }

    fn order(&mut self, weather: Weather) {
        self.number += 1;
        self.weather = weather;
        for seat in &self.seats {
            seat.desk.order(weather, self.number);
        }
    }

    /// What a user does: a preset, another sound in a corner, more or less memory, an instrument less and one more.
    fn change_something(&mut self) -> Result<()> {
        self.changes += 1;
        let at = self.dice.below(self.seats.len() as u32) as usize;
        match self.dice.below(10) {
            0..=4 => {
                let which = self.dice.below(PATCHES as u32) as usize;
                self.seats[at].instance.set_patch(self.patches[which].clone());
            }
            5..=6 => {
                let sound = self.dice.below(self.sounds.len() as u32) as usize;
                let corner = self.dice.below(4) as usize;
                let sound = Some(Arc::clone(&self.sounds[sound]));
                let instance = &self.seats[at].instance;
                instance.set_patch(instance.patch().with_corner(corner, sound));
            }
            7..=8 => {
                let megabytes = self.dice.pick(&BUDGETS_MB);
                self.engine.set_cache_budget_bytes(megabytes << 20);
            }
            _ => {
                let seat = self.seats.swap_remove(at);
                seat.desk
                    .leave(self.dice.pick(&[Leaving::Quietly, Leaving::Abruptly]));
                self.fold(seat)?;
                let seat = self.seat()?;
                self.seats.push(seat);
            }
        }
        Ok(())
    }

    /// A new instance, playing.
    fn seat(&mut self) -> Result<Seat> {
        self.instances += 1;
        let (instance, end) = Instance::new(&self.engine);
        let which = self.dice.below(PATCHES as u32) as usize;
        instance.set_patch(self.patches[which].clone());
        instance.activate();
        let instance = Arc::new(instance);
        let desk = Arc::new(Desk::new(self.weather, self.number));
        let player = Player::new(
            Arc::clone(&instance),
            end,
            Arc::clone(&desk),
            self.voices,
            self.dice.next(),
            self.violate,
        );
        let thread = thread::Builder::new()
            .name("audio".into())
            .spawn(move || player.play())?;
        Ok(Seat {
            instance,
            desk,
            thread,
        })
    }

    /// Waits for an instance's end, and keeps its figures.
    fn fold(&mut self, seat: Seat) -> Result<()> {
        let ended = seat.thread.join();
        self.gone.add(&seat.desk.figures());
        ended
            .map_err(|_| anyhow!("an audio thread panicked"))?
            .context("an audio thread failed")
    }

    /// Looks at the memory and the cache; a line each minute.
    fn look(&mut self) -> Result<()> {
        self.memory.look()?;
        self.evicted = self.evicted.max(evicted(&self.engine));
        let minutes = self.began.elapsed().as_secs() / 60;
        if minutes > self.minutes {
            self.minutes = minutes;
            let mut all = self.gone.clone();
            self.seats.iter().for_each(|seat| all.add(&seat.desk.figures()));
            println!(
                "{minutes} min: {} blocks, {} notes, {} streams; underruns {} fair, {} gust, {} rest, {} offline; degraded \
                 {}, late calls {}, stray {}, lost {}; {:.0} MB",
                all.blocks + all.offline_blocks,
                all.struck,
                all.streams,
                all.underruns_in(Weather::Fair),
                all.underruns_in(Weather::Gust),
                all.underruns_in(Weather::Rest),
                all.underruns_in(Weather::Offline),
                all.degraded,
                all.late_calls,
                all.stray,
                all.lost,
                self.memory.last_mb()
            );
        }
        Ok(())
    }
}

/// Notes that have gone from the cache.
fn evicted(engine: &Engine) -> u64 {
    let status = engine.status();
    status.notes_rendered.saturating_sub(status.notes_cached as u64)
}

/// Two to four sounds in the corners.
fn patch(sounds: &[Arc<Sound>], dice: &mut Dice) -> Patch {
    let mut corners: [Option<Arc<Sound>>; 4] =
        std::array::from_fn(|_| Some(Arc::clone(&sounds[dice.below(sounds.len() as u32) as usize])));
    for _ in 0..dice.below(3) {
        corners[dice.below(3) as usize] = None;
    }
    Patch::new(corners)
}
