//! A scheduler and its one worker, small enough to be driven step by step.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use betwixt_audio::event::{Event, EventKind, NoteAddress, NoteEnd};
use betwixt_audio::instrument::{Activity, Instrument, Patience};
use betwixt_audio::link::{SchedulerEnd, ToAudio, ToScheduler, link};
use betwixt_audio::meters::Meters;
use betwixt_audio::note::{NoteKey, PatchId, PatchView};
use betwixt_audio::partials::{
    PartialsFrames, PartialsLayout, PartialsScratch, PartialsState, PartialsSynth,
};
use betwixt_audio::rendered_note::{NoteWriter, RenderedNote};
use betwixt_audio::settings::Settings;
use betwixt_audio::stream::{StreamWriter, stream};

pub const PATCH: PatchId = PatchId(42);
pub const RATE_HZ: u32 = 48_000;
pub const CHUNK: usize = 1024;

/// A key's rendering.
struct Job {
    writer: Option<NoteWriter>,
    note: Arc<RenderedNote>,
    state: PartialsState,
}

/// A voice's own rendering.
struct StreamJob {
    writer: StreamWriter,
    state: PartialsState,
    pitch: f32,
    /// Where the last chunk got to.
    brightness: f32,
    /// Where nothing was rendered yet of the frame before a note's first sample.
    is_new: bool,
    /// Chunks since its key was let go.
    released_chunks: usize,
}

/// Answers requests and renders: two partials and some noise, three seconds a note.
pub struct Workshop {
    end: SchedulerEnd,
    /// Messages that the ring had no room for.
    backlog: VecDeque<ToAudio>,
    synth: PartialsSynth,
    scratch: PartialsScratch,
    jobs: HashMap<NoteKey, Job>,
    streams: Vec<StreamJob>,
    /// Whether streams are refused.
    pub refuses_streams: bool,
    /// Chunks until the end of a stream whose key was let go; they go on for ever unless set.
    pub ending_chunks: usize,
    /// Keys it refuses: those with this pitch.
    pub refuses_cents: Option<i32>,
    /// Chunks rendered over all notes.
    pub rendered_chunks: usize,
    pub note_chunks: usize,
}

impl Workshop {
    pub fn new(end: SchedulerEnd) -> Self {
        let layout = PartialsLayout {
            slots: vec![1.0, 2.0],
            group_edges: vec![],
            noise_edges_hz: vec![0.0, 0.0, 24_000.0, 24_000.0],
            hop_samples: 512,
            sample_rate_hz: RATE_HZ,
        };
        let synth = PartialsSynth::new(layout).unwrap();
        Self {
            end,
            backlog: VecDeque::new(),
            scratch: synth.scratch(),
            synth,
            jobs: HashMap::new(),
            streams: Vec::new(),
            refuses_streams: false,
            refuses_cents: None,
            ending_chunks: usize::MAX,
            rendered_chunks: 0,
            note_chunks: 3 * RATE_HZ as usize / CHUNK,
        }
    }

    pub fn send_patch(&mut self, id: PatchId) {
        self.send(ToAudio::Patch(PatchView::plain(id)));
    }

    fn send(&mut self, message: ToAudio) {
        self.backlog.push_back(message);
        while let Some(message) = self.backlog.pop_front() {
            if let Err(message) = self.end.send(message) {
                self.backlog.push_front(message);
                return;
            }
        }
    }

    /// Answers all that the audio thread asked; returns whether it had asked anything.
    pub fn answer(&mut self) -> bool {
        let mut news = false;
        while let Some(message) = self.end.receive() {
            match message {
                ToScheduler::Request(key) => {
                    news = true;
                    if self.refuses_cents == Some(key.pitch_cents) {
                        self.send(ToAudio::Refuse(key));
                    } else {
                        let note = self.job(key).note.clone();
                        // The voice's own asks come only after it has seen the grant.
                        note.want(2 * CHUNK);
                        self.send(ToAudio::Grant(note));
                    }
                }
                ToScheduler::Return(note) => drop(note),
                ToScheduler::Fork { tag, .. } if self.refuses_streams => {
                    news = true;
                    self.send(ToAudio::RefuseStream(tag));
                }
                ToScheduler::Fork {
                    tag,
                    key,
                    first_chunk,
                } => {
                    news = true;
                    let (writer, reader) = stream(first_chunk as usize, CHUNK, RATE_HZ);
                    let mut job = StreamJob {
                        writer,
                        state: self.synth.begin(key.seed()),
                        pitch: key.pitch_midi(),
                        brightness: brightness(key),
                        is_new: true,
                        released_chunks: 0,
                    };
                    for _ in 0..first_chunk {
                        self.render_frames(&mut job, brightness(key));
                    }
                    self.streams.push(job);
                    self.send(ToAudio::Stream { tag, reader });
                }
                ToScheduler::ReturnStream(reader) => drop(reader),
            }
        }
        news
    }

    fn job(&mut self, key: NoteKey) -> &mut Job {
        self.jobs.entry(key).or_insert_with(|| {
            let (writer, note) = RenderedNote::new(key, CHUNK, self.note_chunks, RATE_HZ);
            Job {
                writer: Some(writer),
                note,
                state: self.synth.begin(key.seed()),
            }
        })
    }

    /// Renders up to `chunks` chunks that are wanted, of one note after the other; returns how many.
    pub fn render(&mut self, chunks: usize) -> usize {
        let mut left = chunks;
        let mut keys: Vec<NoteKey> = self.jobs.keys().copied().collect();
        keys.sort_by_key(|key| (key.pitch_cents, key.strike.timbre.blend.x, key.patch));
        for key in keys {
            while left > 0 && self.wants(key) {
                self.render_chunk(key);
                left -= 1;
            }
        }
        let mut streams = std::mem::take(&mut self.streams);
        streams.retain(|job| !job.writer.is_abandoned());
        for job in &mut streams {
            while left > 0
                && job.released_chunks < self.ending_chunks
                && let Some(control) = job.writer.pending()
            {
                job.released_chunks += usize::from(control.is_released);
                let samples: Vec<f32> = (1..=control.chunks)
                    .flat_map(|chunk| {
                        let share = f32::from(chunk) / f32::from(control.chunks);
                        let from = job.brightness;
                        self.render_frames(job, from + share * (control.timbre.blend.x - from))
                    })
                    .collect();
                job.writer.publish(&samples).unwrap();
                left -= 1;
            }
        }
        let (ended, going) = streams
            .into_iter()
            .partition(|job| job.released_chunks >= self.ending_chunks);
        self.streams = going;
        ended.into_iter().for_each(|job: StreamJob| job.writer.finish());
        chunks - left
    }

    /// The next chunk of a stream, which gets as bright as `to` in it.
    fn render_frames(&mut self, job: &mut StreamJob, to: f32) -> Vec<f32> {
        let frames = if std::mem::take(&mut job.is_new) { 3 } else { 2 };
        let from = job.brightness;
        job.brightness = to;
        let at = |frame: usize| from + (to - from) * (frame + 1).saturating_sub(frames - 2) as f32 / 2.0;
        let brightness: Vec<f32> = (0..frames).map(at).collect();
        render(
            &self.synth,
            &mut self.scratch,
            &mut job.state,
            job.pitch,
            &brightness,
        )
    }

    /// Streams that some voice holds.
    pub fn streams(&self) -> usize {
        self.streams
            .iter()
            .filter(|job| !job.writer.is_abandoned())
            .count()
    }

    fn wants(&self, key: NoteKey) -> bool {
        let job = &self.jobs[&key];
        job.writer.is_some() && job.note.available() < job.note.wanted()
    }

    /// Renders a whole note ahead and hands it to the audio thread unasked.
    pub fn render_ahead(&mut self, key: NoteKey) {
        let note = self.job(key).note.clone();
        note.want(usize::MAX);
        while self.wants(key) {
            self.render_chunk(key);
        }
        self.send(ToAudio::Grant(note));
    }

    fn render_chunk(&mut self, key: NoteKey) {
        let job = self.jobs.get_mut(&key).unwrap();
        let Some(mut writer) = job.writer.take() else {
            return;
        };
        let frames = if writer.written_chunks() == 0 { 3 } else { 2 };
        let brightness = vec![brightness(key); frames];
        let pitch = key.pitch_midi();
        let chunk = render(&self.synth, &mut self.scratch, &mut job.state, pitch, &brightness);
        writer.push(chunk.into()).unwrap();
        self.rendered_chunks += 1;
        if writer.is_full() {
            writer.finish();
        } else {
            job.writer = Some(writer);
        }
    }

    /// Gives up every note that is not complete.
    pub fn fail_all(&mut self) {
        for job in self.jobs.values_mut() {
            if let Some(writer) = job.writer.take() {
                writer.fail();
            }
        }
    }

    /// Takes all complete notes back.
    pub fn retire_complete(&mut self) {
        let complete: Vec<NoteKey> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.writer.is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in complete {
            self.jobs.remove(&key);
            self.send(ToAudio::Retire(key));
        }
    }
}

/// How bright a note is struck.
fn brightness(key: NoteKey) -> f32 {
    f32::from(key.strike.timbre.blend.x) / 256.0
}

/// Two partials, the second the stronger the brighter the frame.
fn render(
    synth: &PartialsSynth,
    scratch: &mut PartialsScratch,
    state: &mut PartialsState,
    pitch: f32,
    brightness: &[f32],
) -> Vec<f32> {
    let frames = brightness.len();
    let amplitude_db: Vec<f32> = brightness
        .iter()
        .flat_map(|bright| [-20.0, -40.0 + 20.0 * bright])
        .collect();
    let frames_in = PartialsFrames {
        amplitude_db: &amplitude_db,
        deviation: &[0.0; 6][..2 * frames],
        cents: &[0.0; 3][..frames],
        noise_db: &[-110.0; 6][..2 * frames],
    };
    let mut samples = vec![0.0; synth.samples(state, frames)];
    let pitch = [pitch; 3];
    synth
        .render(state, scratch, &frames_in, &pitch[..frames], &mut samples)
        .unwrap();
    samples
}

/// An offline render's patience: each wait lets the workshop do a little.
pub struct Pace<'a> {
    pub workshop: &'a RefCell<Workshop>,
    /// Chunks rendered at each wait.
    pub chunks: usize,
}

impl Patience for Pace<'_> {
    fn wait_for_news(&self) -> bool {
        let mut workshop = self.workshop.borrow_mut();
        let answered = workshop.answer();
        workshop.render(self.chunks) > 0 || answered
    }
}

/// An instrument with its workshop.
pub struct Stage {
    pub instrument: Instrument,
    pub workshop: RefCell<Workshop>,
    pub meters: Arc<Meters>,
    pub settings: Settings,
    pub ends: Vec<(usize, NoteAddress)>,
    pub played_samples: usize,
    pub activity: Activity,
}

impl Stage {
    pub fn new(host_hz: f64) -> Self {
        let mut stage = Self::without_patch(host_hz);
        stage.workshop.get_mut().send_patch(PATCH);
        stage
    }

    pub fn without_patch(host_hz: f64) -> Self {
        let (audio, scheduler) = link();
        let meters = Arc::new(Meters::default());
        let mut instrument = Instrument::new(audio, meters.clone());
        instrument.prepare(host_hz);
        Self {
            instrument,
            workshop: RefCell::new(Workshop::new(scheduler)),
            meters,
            settings: Settings {
                gain: 1.0,
                velocity_sensitivity: 0.0,
                ..Settings::default()
            },
            ends: Vec::new(),
            played_samples: 0,
            activity: Activity::Silent,
        }
    }

    /// Plays one block as a bounce does.
    pub fn bounce(&mut self, samples: usize, events: &[Event]) -> Vec<f32> {
        self.bounce_at_pace(samples, events, 4)
    }

    pub fn bounce_at_pace(&mut self, samples: usize, events: &[Event], chunks: usize) -> Vec<f32> {
        let (left, right) = self.bounce_wide(samples, events, chunks);
        assert!(left == right);
        left
    }

    /// Left and right.
    pub fn bounce_wide(&mut self, samples: usize, events: &[Event], chunks: usize) -> (Vec<f32>, Vec<f32>) {
        let pace = Pace {
            workshop: &self.workshop,
            chunks,
        };
        let (start, ends) = (self.played_samples, &mut self.ends);
        let (mut left, mut right) = (vec![9.0; samples], vec![9.0; samples]);
        self.activity = self.instrument.process(
            &mut left,
            &mut right,
            events,
            &self.settings,
            Some(&pace),
            &mut |end| {
                ends.push((start + end.offset_samples as usize, end.address));
            },
        );
        self.played_samples += samples;
        (left, right)
    }

    /// Plays one block as a live host does: nobody waits, and the workshop does nothing meanwhile.
    pub fn live(&mut self, samples: usize, events: &[Event]) -> Vec<f32> {
        let (start, ends) = (self.played_samples, &mut self.ends);
        let (mut left, mut right) = (vec![9.0; samples], vec![9.0; samples]);
        let mut told = |end: NoteEnd| ends.push((start + end.offset_samples as usize, end.address));
        self.activity =
            self.instrument
                .process(&mut left, &mut right, events, &self.settings, None, &mut told);
        self.played_samples += samples;
        left
    }

    /// Lets the workshop answer and render all that is wanted.
    pub fn work(&mut self) {
        let workshop = self.workshop.get_mut();
        workshop.answer();
        workshop.render(usize::MAX);
    }
}

pub fn at(offset_samples: u32, kind: EventKind) -> Event {
    Event { offset_samples, kind }
}

pub fn on(key: u8) -> EventKind {
    EventKind::NoteOn {
        address: NoteAddress::midi(0, key),
        velocity: 0.8,
    }
}

pub fn off(key: u8) -> EventKind {
    EventKind::NoteOff {
        address: NoteAddress::midi(0, key),
    }
}

pub fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}

/// The steepest step between two samples.
pub fn jump(samples: &[f32]) -> f32 {
    samples
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .fold(0.0, f32::max)
}

/// How far the strongest partial near `hz` is from it, in cents: by the drift of its phase over the given samples.
pub fn cents_from(samples: &[f32], hz: f64, rate_hz: f64) -> f64 {
    use std::f64::consts::TAU;
    let window = samples.len() / 4;
    let phase = |from: usize| {
        let (mut re, mut im) = (0.0, 0.0);
        for n in 0..window {
            let hann = 0.5 - 0.5 * (TAU * n as f64 / window as f64).cos();
            let (sin, cos) = (TAU * hz / rate_hz * (from + n) as f64).sin_cos();
            re += hann * f64::from(samples[from + n]) * cos;
            im -= hann * f64::from(samples[from + n]) * sin;
        }
        im.atan2(re) / TAU
    };
    // Coarse first, so that the fine drift is under half a cycle.
    let rate = |distance: usize, guess: f64| {
        let drift = phase(distance) - phase(0) - guess * distance as f64;
        guess + (drift - drift.round()) / distance as f64
    };
    let coarse = rate((rate_hz / hz) as usize + 64, 0.0);
    let fine = rate(samples.len() - window, coarse);
    1200.0 * ((hz / rate_hz + fine) / (hz / rate_hz)).log2()
}
