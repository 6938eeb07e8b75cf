//! Offline playing: a MIDI file and automation through the engine and the voices that the plugin plays with.
//!
//! On the thread of whoever bounces (command line, tests), which may wait for renders. The samples depend on the patch,
//! the score, the settings and the rate alone: not on the block size, the number of workers or the machine's speed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use betwixt_audio::event::{Event, EventKind};
use betwixt_audio::instrument::{Activity, Instrument};
use betwixt_audio::meters::Meters;
use betwixt_audio::settings::Settings;

use crate::automation_curve::AutomationCurve;
use crate::engine::Engine;
use crate::instance::Instance;
use crate::midi_file::{MidiFile, TimedEvent};
use crate::parameter::Parameter;
use crate::patch::Patch;
use crate::patience::OfflinePatience;
use crate::status::ModelStatus;

/// Automated parameters change on this grid, counted from the start of the bounce: for notes struck and for those that sound.
const AUTOMATION_GRID_SAMPLES: u64 = 64;
/// How long the model may take to load.
const MODEL_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the engine may take to do what it was told.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time that voices may sound on after the score: the longest release, and room.
const LONGEST_TAIL_SECONDS: f64 = 12.0;
/// Longest score that is bounced.
const LONGEST_SCORE_SECONDS: f64 = 6.0 * 3600.0;

/// What to play, and how.
#[derive(Debug, Clone)]
pub struct Score {
    /// The notes.
    pub midi: MidiFile,
    /// Everything that is not automated.
    pub settings: Settings,
    /// Parameters that change, each with its values over time.
    pub automation: Vec<(Parameter, AutomationCurve)>,
}

/// Why nothing could be bounced.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BounceError {
    /// There is no model, or no ONNX Runtime to run it with.
    #[error("the model cannot be played: {0}")]
    Model(String),
    /// The model was still not loaded after two minutes.
    #[error("the model was not loaded within {} s", MODEL_TIMEOUT.as_secs())]
    ModelTimeout,
    /// A sound of another model.
    #[error("{0}")]
    Sound(String),
    /// Nothing to play with.
    #[error("all four corners are empty")]
    Empty,
    /// A score of hours.
    #[error("the MIDI file lasts {hours:.1} h; at most {} h are bounced", LONGEST_SCORE_SECONDS / 3600.0)]
    TooLong {
        /// How long it lasts.
        hours: f64,
    },
    /// A rate or block size that makes no sense.
    #[error("the {what} is {found}; expected {expected}")]
    Format {
        /// "rate" or "block size".
        what: &'static str,
        /// What was asked for.
        found: usize,
        /// What can be had.
        expected: &'static str,
    },
}

/// What came of a bounce.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BounceReport {
    /// Seconds of audio.
    pub seconds: f64,
    /// Seconds that it took.
    pub wall_seconds: f64,
    /// Notes of the score.
    pub notes_played: u64,
    /// Notes that had to be rendered; others were there already.
    pub notes_rendered: u64,
    /// Voices that ran out of samples. Always 0 unless a renderer hangs.
    pub underruns: u64,
    /// How often a voice's timbre was followed more coarsely than it should be. Always 0 unless a renderer hangs.
    pub degraded: u64,
    /// Notes that could not be rendered.
    pub notes_refused: u64,
    /// Highest absolute sample.
    pub peak: f32,
}

impl BounceReport {
    /// How many times faster than playing it was.
    pub fn realtime_factor(&self) -> f64 {
        self.seconds / self.wall_seconds.max(1e-9)
    }
}

/// A bounce in progress.
#[derive(Debug)]
pub struct Bounce {
    // Dropped in this order: the instrument's notes go back before the engine's threads end.
    instrument: Instrument,
    patience: OfflinePatience,
    instance: Instance,
    meters: Arc<Meters>,
    score: Score,
    rate_hz: f64,
    /// The score's events and what ends it, by sample.
    events: Vec<(u64, EventKind)>,
    next_event: usize,
    score_end: u64,
    longest_end: u64,
    position: u64,
    is_over: bool,
    left: Vec<f32>,
    right: Vec<f32>,
    /// What [`Bounce::next_block`] hands out: the block without the silence at its end.
    told_left: Vec<f32>,
    told_right: Vec<f32>,
    told_samples: u64,
    /// Silence after the score that is handed out only if a sound follows it.
    withheld_samples: usize,
    due: Vec<Event>,
    began: Instant,
    rendered_before: u64,
    refused_because: Option<String>,
    peak: f32,
}

impl Bounce {
    /// Gets ready: waits until the model is loaded and the sounds are in place.
    ///
    /// # Errors
    /// If there is no model, a sound is another model's, or a size makes no sense.
    pub fn new(
        engine: &Arc<Engine>,
        patch: Patch,
        score: Score,
        rate_hz: u32,
        block_samples: usize,
    ) -> Result<Self, BounceError> {
        let format = |what, found, expected| {
            Err(BounceError::Format {
                what,
                found,
                expected,
            })
        };
        if !(8_000..=384_000).contains(&rate_hz) {
            return format("rate", rate_hz as usize, "8000 to 384000 Hz");
        }
        if !(1..=65_536).contains(&block_samples) {
            return format("block size", block_samples, "1 to 65536 samples");
        }
        let hours = score.midi.length_seconds / 3600.0;
        if score.midi.length_seconds > LONGEST_SCORE_SECONDS {
            return Err(BounceError::TooLong { hours });
        }
        if patch.occupied().count() == 0 {
            return Err(BounceError::Empty);
        }
        let (instance, audio_end) = Instance::new(engine);
        // Before it is active: the model is that of its sounds.
        instance.set_patch(patch.clone());
        instance.activate();
        let tag = wait_for_model(engine)?;
        patch.check_model(&tag).map_err(BounceError::Sound)?;

        let meters = Arc::new(Meters::default());
        let mut instrument = Instrument::new(audio_end, Arc::clone(&meters));
        let rate = f64::from(rate_hz);
        instrument.prepare(rate);
        let score_end = sample_of(score.midi.length_seconds, rate);
        let events = timed_by_sample(&score.midi.events, score_end, rate);
        Ok(Self {
            instrument,
            patience: instance.offline_patience(),
            meters,
            score,
            rate_hz: rate,
            events,
            next_event: 0,
            score_end,
            longest_end: score_end + sample_of(LONGEST_TAIL_SECONDS, rate),
            position: 0,
            is_over: false,
            left: vec![0.0; block_samples],
            right: vec![0.0; block_samples],
            told_left: Vec::with_capacity(block_samples),
            told_right: Vec::with_capacity(block_samples),
            told_samples: 0,
            withheld_samples: 0,
            due: Vec::new(),
            began: Instant::now(),
            rendered_before: engine.status().notes_rendered,
            refused_because: None,
            peak: 0.0,
            instance,
        })
    }

    /// Plays on: left and right, as long as each other, about a block. None at the end, which is the score's or that of
    /// the last sound, whichever is later.
    pub fn next_block(&mut self) -> Option<(&[f32], &[f32])> {
        self.told_left.clear();
        self.told_right.clear();
        while self.told_left.is_empty() && !self.is_over {
            self.play_block();
        }
        let (left, right) = (&self.told_left, &self.told_right);
        self.peak = left
            .iter()
            .chain(right)
            .fold(self.peak, |peak, sample| peak.max(sample.abs()));
        self.told_samples += left.len() as u64;
        (!left.is_empty()).then_some((left, right))
    }

    /// Plays one block, and hands out of it what is not silence after the end.
    fn play_block(&mut self) {
        let length = self.left.len();
        let (begin, end) = (self.position, self.position + length as u64);
        let mut activity = Activity::Silent;
        let mut at = begin;
        while at < end {
            let until = if self.score.automation.is_empty() {
                end
            } else {
                end.min((at / AUTOMATION_GRID_SAMPLES + 1) * AUTOMATION_GRID_SAMPLES)
            };
            activity = self.play(at, until, begin);
            at = until;
        }
        self.position = end;
        let all_played = self.next_event >= self.events.len();
        self.is_over = (all_played && activity == Activity::Silent) || end >= self.longest_end;

        let score_left = (self.score_end.clamp(begin, end) - begin) as usize;
        let is_sound = |sample: &f32| *sample != 0.0;
        let sounds_until = |side: &[f32]| side.iter().rposition(is_sound).map_or(0, |last| last + 1);
        let kept = score_left
            .max(sounds_until(&self.left))
            .max(sounds_until(&self.right));
        if kept > 0 {
            self.told_left.resize(self.withheld_samples, 0.0);
            self.told_right.resize(self.withheld_samples, 0.0);
            self.told_left.extend_from_slice(&self.left[..kept]);
            self.told_right.extend_from_slice(&self.right[..kept]);
            self.withheld_samples = 0;
        }
        self.withheld_samples += length - kept;
    }

    /// Plays from one sample to another within the block that begins at `block_begin`.
    fn play(&mut self, from: u64, until: u64, block_begin: u64) -> Activity {
        // The whole grid cell has the settings of its beginning, wherever a block begins in it.
        let settings = self.settings_at(from / AUTOMATION_GRID_SAMPLES * AUTOMATION_GRID_SAMPLES);
        self.due.clear();
        while let Some(&(sample, kind)) = self.events.get(self.next_event)
            && sample < until
        {
            let offset_samples = (sample - from) as u32;
            self.due.push(Event { offset_samples, kind });
            self.next_event += 1;
        }
        let place = (from - block_begin) as usize..(until - block_begin) as usize;
        self.instrument.process(
            &mut self.left[place.clone()],
            &mut self.right[place],
            &self.due,
            &settings,
            Some(&self.patience),
            &mut |_| {},
        )
    }

    fn settings_at(&self, sample: u64) -> Settings {
        let seconds = sample as f64 / self.rate_hz;
        let mut settings = self.score.settings;
        for (parameter, curve) in &self.score.automation {
            parameter.apply(&mut settings, curve.value_at(seconds));
        }
        settings
    }

    /// How much of the score is played, 0 to 1.
    pub fn progress(&self) -> f32 {
        (self.position as f64 / self.score_end.max(1) as f64).min(1.0) as f32
    }

    /// What came of it so far.
    pub fn report(&mut self) -> BounceReport {
        let wall_seconds = self.began.elapsed().as_secs_f64();
        let engine = self.instance.engine();
        engine.settle(SETTLE_TIMEOUT);
        let status = engine.status();
        let notes_refused = self.meters.refused();
        self.refused_because = status.last_failure.filter(|_| notes_refused > 0);
        let is_note = |(_, kind): &&(u64, EventKind)| matches!(kind, EventKind::NoteOn { .. });
        BounceReport {
            seconds: self.told_samples as f64 / self.rate_hz,
            wall_seconds,
            notes_played: self.events[..self.next_event].iter().filter(is_note).count() as u64,
            notes_rendered: status.notes_rendered - self.rendered_before,
            underruns: self.meters.underruns(),
            degraded: self.meters.degraded(),
            notes_refused,
            peak: self.peak,
        }
    }

    /// Why notes were refused, if any were, as of the last report.
    pub fn refused_because(&self) -> Option<&str> {
        self.refused_because.as_deref()
    }
}

/// Waits until the model is loaded; gives its tag.
fn wait_for_model(engine: &Engine) -> Result<String, BounceError> {
    let until = Instant::now() + MODEL_TIMEOUT;
    while Instant::now() < until {
        engine.settle(SETTLE_TIMEOUT);
        match engine.status().model {
            ModelStatus::Ready { tag, .. } => return Ok(tag),
            ModelStatus::Failed(reason) => return Err(BounceError::Model(reason)),
            ModelStatus::Loading | ModelStatus::NotLoaded => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    Err(BounceError::ModelTimeout)
}

/// The score's events by sample, and after them what lets go of whatever the score still holds.
fn timed_by_sample(events: &[TimedEvent], score_end: u64, rate_hz: f64) -> Vec<(u64, EventKind)> {
    let mut timed: Vec<(u64, EventKind)> = events
        .iter()
        .map(|event| (sample_of(event.seconds, rate_hz).min(score_end), event.kind))
        .collect();
    timed.extend((0..16).map(|channel| (score_end, EventKind::Sustain { channel, down: false })));
    timed.push((score_end, EventKind::AllNotesOff));
    timed
}

fn sample_of(seconds: f64, rate_hz: f64) -> u64 {
    (seconds * rate_hz).round() as u64
}
