//! What a voice costs: 64 held notes in blocks of 128, beside libfluidsynth in the same run.
//!
//! Rounds of all contenders take turns, so that the machine is as busy for one as for the other; the best round of each
//! counts, in processor time.

use std::time::Duration;

use anyhow::{Result, ensure};
use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::instrument::Instrument;
use betwixt_audio::link::{SchedulerEnd, ToAudio, link};
use betwixt_audio::note::{NoteKey, Part, PatchId, PatchView, Strike};
use betwixt_audio::rendered_note::RenderedNote;
use betwixt_audio::settings::Settings;
use betwixt_audio::timbre::Timbre;

use crate::clock;
use crate::figure::Figure;
use crate::fluidsynth::FluidSynth;

const VOICES: u8 = 64;
const LOWEST_KEY: u8 = 30;
const BLOCK: usize = 128;
const NOTE_HZ: usize = 48_000;
const CHUNK: usize = 1024;
const NOTE_SECONDS: usize = 6;
/// Blocks of a round; the notes are not over by then at any rate.
const ROUND_BLOCKS: usize = 1600;
const ROUNDS: usize = 9;

/// Host rate, bend in semitones, and what that is called.
const CASES: [(f64, f32, &str); 4] = [
    (48_000.0, 0.0, "48 kHz, at the notes' own pitch"),
    (48_000.0, 0.3, "48 kHz, bent by 30 cents"),
    (44_100.0, 0.0, "44.1 kHz"),
    (96_000.0, 0.0, "96 kHz"),
];

/// Something that holds 64 voices.
trait Contender {
    /// Strikes its voices anew.
    fn strike(&mut self) -> Result<()>;
    fn block(&mut self, left: &mut [f32], right: &mut [f32]);
    fn voices(&self) -> Result<usize>;
    fn name(&self) -> String;
}

/// All cases; ours and theirs.
pub fn measure() -> Result<Vec<Figure>> {
    let mut contenders: Vec<Box<dyn Contender>> = Vec::new();
    for (host_hz, bend, name) in CASES {
        contenders.push(Box::new(Ours::new(host_hz, bend, name)?));
    }
    let mut figures = Vec::new();
    match Theirs::new() {
        Ok(theirs) => contenders.push(Box::new(theirs)),
        Err(why) => eprintln!("without libfluidsynth: {why:#}"),
    }
    let mut best = vec![f64::INFINITY; contenders.len()];
    let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
    for _ in 0..ROUNDS {
        for (contender, best) in contenders.iter_mut().zip(&mut best) {
            contender.strike()?;
            contender.block(&mut left, &mut right);
            let voices = contender.voices()?;
            ensure!(
                left.iter().any(|sample| *sample != 0.0),
                "{} is silent",
                contender.name()
            );
            let began = clock::thread_time();
            (0..ROUND_BLOCKS).for_each(|_| contender.block(&mut left, &mut right));
            let took: Duration = clock::thread_time() - began;
            ensure!(
                contender.voices()? == voices,
                "{}: voices ended",
                contender.name()
            );
            *best = best.min(took.as_nanos() as f64 / (ROUND_BLOCKS * BLOCK * voices) as f64);
        }
    }
    for (contender, best) in contenders.iter().zip(best) {
        let voices = contender.voices()?;
        let detail = format!("{voices} voices, blocks of {BLOCK}, best of {ROUNDS} rounds");
        figures.push(Figure::new(contender.name(), best, "ns", detail));
    }
    Ok(figures)
}

/// Our instrument, with notes that are rendered already.
struct Ours {
    name: &'static str,
    instrument: Instrument,
    strike: Vec<Event>,
    is_struck: bool,
    // Notes live as long as it.
    _scheduler: SchedulerEnd,
}

impl Ours {
    fn new(host_hz: f64, bend: f32, name: &'static str) -> Result<Self> {
        let (audio, mut scheduler) = link();
        let mut instrument = Instrument::new(audio, Default::default());
        instrument.prepare(host_hz);
        let full = |_| anyhow::anyhow!("the ring is full");
        let patch = PatchId(1);
        scheduler
            .send(ToAudio::Patch(PatchView::plain(patch)))
            .map_err(full)?;
        for key in LOWEST_KEY..LOWEST_KEY + VOICES {
            let note = NoteKey {
                patch,
                strike: Strike::with(Timbre::default()),
                part: Part::Mid,
                pitch_cents: i32::from(key) * 100,
            };
            let chunks = NOTE_SECONDS * NOTE_HZ / CHUNK;
            let (mut writer, note) = RenderedNote::new(note, CHUNK, chunks, NOTE_HZ as u32);
            for _ in 0..chunks {
                let sine = (0..CHUNK).map(|n| (n as f32 * 0.1).sin() * 0.1).collect();
                ensure!(writer.push(sine).is_ok(), "a sine is refused");
            }
            writer.finish();
            scheduler.send(ToAudio::Grant(note)).map_err(full)?;
        }
        let mut strike = vec![Event {
            offset_samples: 0,
            kind: EventKind::PitchBend {
                channel: 0,
                semitones: bend,
            },
        }];
        strike.extend((LOWEST_KEY..LOWEST_KEY + VOICES).map(|key| Event {
            offset_samples: 0,
            kind: EventKind::NoteOn {
                address: NoteAddress::midi(0, key),
                velocity: 0.8,
            },
        }));
        Ok(Self {
            name,
            instrument,
            strike,
            is_struck: false,
            _scheduler: scheduler,
        })
    }
}

impl Contender for Ours {
    fn strike(&mut self) -> Result<()> {
        self.instrument.reset();
        self.is_struck = true;
        Ok(())
    }

    fn block(&mut self, left: &mut [f32], right: &mut [f32]) {
        let events: &[Event] = if std::mem::take(&mut self.is_struck) {
            &self.strike
        } else {
            &[]
        };
        self.instrument
            .process(left, right, events, &Settings::default(), None, &mut |_| {});
    }

    fn voices(&self) -> Result<usize> {
        Ok(VOICES.into())
    }

    fn name(&self) -> String {
        format!("a voice and sample, {}", self.name)
    }
}

/// libfluidsynth with as many notes.
struct Theirs {
    fluid: FluidSynth,
    version: String,
}

impl Theirs {
    fn new() -> Result<Self> {
        let fluid = FluidSynth::new(48_000.0)?;
        let version = fluid.version()?;
        Ok(Self { fluid, version })
    }
}

impl Contender for Theirs {
    fn strike(&mut self) -> Result<()> {
        self.fluid.silence()?;
        let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        // What was silenced goes at the next blocks.
        (0..16).for_each(|_| self.fluid.block(&mut left, &mut right));
        self.fluid.hold(LOWEST_KEY..LOWEST_KEY + VOICES, 0.3)
    }

    fn block(&mut self, left: &mut [f32], right: &mut [f32]) {
        self.fluid.block(left, right);
    }

    fn voices(&self) -> Result<usize> {
        self.fluid.voices()
    }

    fn name(&self) -> String {
        format!("libfluidsynth {}, 4th order, 48 kHz, bent", self.version)
    }
}
