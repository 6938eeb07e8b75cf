//! What is played: random notes, pedals, bends, blends and settings, from a seed.

use std::f32::consts::TAU;

use betwixt_audio::blend::Blend;
use betwixt_audio::event::{Event, EventKind, NoteAddress, Target};
use betwixt_audio::settings::{Settings, VoiceMode};
use clap::ValueEnum;

use crate::dice::Dice;
use crate::ledger::Ledger;

const CHANNELS: u8 = 4;

/// How hard it blows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Weather {
    /// Nothing new; what sounds ends.
    #[value(skip)]
    Rest,
    /// As many voices as the machine is to bear without a gap.
    Fair,
    /// More than it can: notes come late, voices are stolen, blends lag.
    Gust,
    /// A bounce: no pace, and every sample is waited for.
    Offline,
}

impl Weather {
    pub const COUNT: usize = 4;
    pub const ALL: [Self; Self::COUNT] = [Self::Rest, Self::Fair, Self::Gust, Self::Offline];
}

/// One instance's player: what its hands do.
#[derive(Debug)]
pub struct Hands {
    pub settings: Settings,
    motion: Motion,
    /// Samples until the blend moves otherwise.
    motion_left: u32,
    /// Where the blend is on its way.
    phase: f32,
}

/// How the blend moves.
#[derive(Debug, Clone, Copy)]
enum Motion {
    Still,
    /// Round the pad, in this many seconds.
    Round(f32),
    /// To one place after another, some ten a second.
    Jumps,
}

impl Hands {
    pub fn new() -> Self {
        Self {
            settings: Settings {
                release_ms: 120.0,
                ..Settings::default()
            },
            motion: Motion::Still,
            motion_left: 0,
            phase: 0.0,
        }
    }

    /// Sets the hands down, so that all ends soon.
    pub fn rest(&mut self, events: &mut Vec<Event>) {
        self.settings = Self::new().settings;
        (self.motion, self.motion_left) = (Motion::Still, 0);
        events.clear();
        let now = |kind| Event {
            offset_samples: 0,
            kind,
        };
        events.extend((0..CHANNELS).map(|channel| now(EventKind::Sustain { channel, down: false })));
        events.push(now(EventKind::AllNotesOff));
    }

    /// What happens in a block of `samples`, in order. In fair weather no more than `voices` sound.
    pub fn play(
        &mut self,
        weather: Weather,
        voices: usize,
        samples: u32,
        dice: &mut Dice,
        ledger: &mut Ledger,
        events: &mut Vec<Event>,
    ) {
        events.clear();
        self.move_blend(samples, dice);
        if dice.one_in(24) {
            self.change_a_setting(dice);
        }
        // About as many events a second, however long the blocks are.
        let (calm, many) = match weather {
            Weather::Gust => (2, 5),
            _ => (6, 2),
        };
        let shares = samples.div_ceil(128);
        let mut count = 0;
        for _ in 0..shares {
            if dice.one_in(calm) {
                count += 1 + dice.below(many);
            }
        }
        let mut offset_samples = 0;
        for _ in 0..count {
            offset_samples = (offset_samples + dice.below(samples / 2 + 1)).min(samples - 1);
            if let Some(kind) = self.event(weather, voices, dice, ledger) {
                events.push(Event { offset_samples, kind });
            }
        }
        // A chord; in a gust more keys at once than there are voices.
        let chord = match weather {
            Weather::Gust if dice.one_in(150) => 80,
            Weather::Fair | Weather::Offline if dice.one_in(100) => self.room(voices, ledger).min(5),
            _ => 0,
        };
        events.extend((0..chord).map(|_| Event {
            offset_samples,
            kind: note_on(dice, ledger),
        }));
    }

    /// Notes that may join those that sound. Wide ones are rendered twice.
    fn room(&self, voices: usize, ledger: &Ledger) -> usize {
        let each = if self.settings.width > 0.0 { 2 } else { 1 };
        (voices / each).saturating_sub(ledger.open())
    }

    fn event(
        &mut self,
        weather: Weather,
        voices: usize,
        dice: &mut Dice,
        ledger: &mut Ledger,
    ) -> Option<EventKind> {
        let has_room = weather == Weather::Gust || self.room(voices, ledger) > 0;
        // In fair weather notes are played as by hands, some a second, and much is moved.
        let (strikes, lets_go) = if weather == Weather::Gust {
            (30, 55)
        } else {
            (10, 18)
        };
        let address = ledger.one_open(dice);
        let channel = dice.below(u32::from(CHANNELS)) as u8;
        let rolled = dice.below(100);
        if rolled < strikes {
            return has_room.then(|| note_on(dice, ledger));
        }
        if rolled < lets_go {
            return Some(EventKind::NoteOff { address });
        }
        Some(match dice.below(45) {
            0 => EventKind::Choke { address },
            1..=8 => EventKind::PitchBend {
                channel,
                semitones: dice.within(-2.0, 2.0),
            },
            9..=12 => EventKind::Tuning {
                address,
                semitones: dice.within(-1.0, 1.0),
            },
            13..=22 => EventKind::Modulate {
                address,
                target: dice.pick(&Target::ALL),
                amount: dice.within(-0.5, 0.5),
            },
            23..=28 => EventKind::Pressure {
                address,
                value: dice.within(0.0, 1.0),
            },
            29..=34 => EventKind::Slide {
                address,
                value: dice.within(0.0, 1.0),
            },
            35..=41 => EventKind::Sustain {
                channel,
                down: dice.one_in(3),
            },
            42..=43 => EventKind::Blend(somewhere(dice)),
            _ if dice.one_in(6) => EventKind::AllSoundOff,
            _ => EventKind::AllNotesOff,
        })
    }

    fn move_blend(&mut self, samples: u32, dice: &mut Dice) {
        if self.motion_left < samples {
            self.motion_left = 24_000 + dice.below(240_000);
            self.motion = match dice.below(5) {
                0 => Motion::Still,
                1 => Motion::Jumps,
                _ => Motion::Round(dice.within(0.5, 20.0)),
            };
        }
        self.motion_left -= samples;
        match self.motion {
            Motion::Still => {}
            Motion::Round(seconds) => {
                self.phase = (self.phase + samples as f32 / (48_000.0 * seconds)).fract();
                let (y, x) = (TAU * self.phase).sin_cos();
                self.settings.blend = Blend {
                    x: 0.5 + 0.5 * x,
                    y: 0.5 + 0.5 * y,
                };
            }
            Motion::Jumps => {
                if dice.one_in((4800 / samples).max(1)) {
                    self.settings.blend = somewhere(dice);
                }
            }
        }
    }

    fn change_a_setting(&mut self, dice: &mut Dice) {
        let at = &mut self.settings;
        match dice.below(22) {
            0 => at.attack_ms = dice.within(0.0, 200.0),
            1 => at.decay_ms = dice.within(2.0, 500.0),
            2 => at.sustain = dice.within(0.2, 1.0),
            3 => at.release_ms = dice.within(2.0, 600.0),
            4 => at.gain = dice.within(0.1, 1.0),
            5 => at.velocity_sensitivity = dice.within(0.0, 1.0),
            6 => at.tuning_cents = dice.within(-100.0, 100.0),
            7 => at.start_ms = dice.within(0.0, 1000.0),
            8 | 9 => at.stretch = dice.within(-3.3, 3.3).exp2(),
            10 => at.is_frozen = dice.one_in(4),
            11 | 12 => at.heat = dice.within(-0.5, 1.0).max(0.0),
            13 => at.push = dice.within(0.0, 2.0),
            14 => at.attack_from = dice.pick(&[None, Some(0), Some(1), Some(2), Some(3)]),
            15 => at.width = dice.within(-1.0, 1.0).max(0.0),
            16 => at.brightness = dice.within(-1.0, 1.0),
            17 => at.own_ending = dice.one_in(3),
            18 => {
                at.voice_mode = dice.pick(&[
                    VoiceMode::Poly,
                    VoiceMode::Poly,
                    VoiceMode::Mono,
                    VoiceMode::Legato,
                ])
            }
            19 => at.glide_ms = dice.within(-100.0, 300.0).max(0.0),
            20 => at.is_mpe = dice.one_in(3),
            _ => {
                at.pressure = dice.pick(&Target::ALL);
                at.slide = dice.pick(&Target::ALL);
            }
        }
    }
}

fn note_on(dice: &mut Dice, ledger: &mut Ledger) -> EventKind {
    let (channel, key) = (dice.below(u32::from(CHANNELS)) as u8, 24 + dice.below(80) as u8);
    let address: NoteAddress = ledger.strike(channel, key, dice);
    EventKind::NoteOn {
        address,
        velocity: dice.within(0.1, 1.0),
    }
}

/// A place on the pad.
fn somewhere(dice: &mut Dice) -> Blend {
    Blend {
        x: dice.within(0.0, 1.0),
        y: dice.within(0.0, 1.0),
    }
}
