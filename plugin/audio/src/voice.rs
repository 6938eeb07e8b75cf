//! A voice: plays one rendered note at one key's pitch, through its envelope.
//!
//! Runs on the audio thread. Everything it does is computed sample by sample, so its output does not depend on how a
//! host cuts time into blocks. It reads a note while a worker still writes it; if it catches up it fades out within
//! what is left, pauses, and fades in where it stopped when samples arrive.

use crate::envelope::{Envelope, EnvelopeShape};
use crate::event::NoteAddress;
use crate::limits::{END_FADE_MS, LEAD_MS, RUN_SAMPLES, SMOOTHING_MS, STEAL_FADE_MS, UNDERRUN_FADE_MS};
use crate::note_table::NoteSlot;
use crate::rendered_note::RenderedNote;
use crate::resampler::{MAX_REACH, MAX_STEP, Resampler};

/// One in the 32.32 fixed-point positions.
const ONE: u64 = 1 << 32;

/// What a voice is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceState {
    /// Nothing: the voice can be taken.
    Free,
    /// Silent until its note's first chunk is there.
    Waiting,
    /// Playing its note.
    Playing,
    /// Fading out after it was stolen or choked. Its note's end was told.
    Dying,
}

/// One of the instrument's voices.
#[derive(Clone, Debug)]
pub struct Voice {
    pub state: VoiceState,
    /// As the note-on gave it.
    pub address: NoteAddress,
    pub channel: u8,
    pub key: u8,
    /// Whether its key is down.
    pub held: bool,
    /// Whether its key is up and the pedal holds it.
    pub sustained: bool,
    /// Greater is younger.
    pub order: u64,
    pub slot: NoteSlot,
    /// Of this note alone, over the channel's bend.
    pub tuning_semitones: f32,
    pub envelope: Envelope,
    pub velocity_gain: f32,
    rendered_cents: i32,
    /// In the note, 32.32 fixed point.
    position: u64,
    /// Input samples an output sample: now, and where it glides to.
    step: f64,
    step_goal: f64,
    /// Whether it has caught up with the worker.
    starved: bool,
    /// Underrun fade: 1 when samples flow.
    flow: f32,
    /// Fade of a dying voice, from 1 to 0.
    dying: f32,
}

/// What is the same for all voices for the length of a `process` call, or longer.
#[derive(Clone, Copy, Debug)]
pub struct VoiceContext {
    pub shape: EnvelopeShape,
    pub rates: Rates,
}

/// The host's rate and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub host_hz: f64,
    /// Share of the remaining way that a smoothed value goes in one sample.
    pub smoothing: f64,
    /// Output samples of the underrun fade.
    underrun_samples: f32,
    underrun_fall: f32,
    dying_fall: f32,
}

impl Rates {
    pub fn new(host_hz: f64) -> Self {
        let per_sample = |ms: f32| (1000.0 / (f64::from(ms) * host_hz)) as f32;
        Self {
            host_hz,
            smoothing: 1.0 - (-1000.0 / (f64::from(SMOOTHING_MS) * host_hz)).exp(),
            underrun_samples: (f64::from(UNDERRUN_FADE_MS) * host_hz / 1000.0).ceil() as f32,
            underrun_fall: per_sample(UNDERRUN_FADE_MS),
            dying_fall: per_sample(STEAL_FADE_MS),
        }
    }
}

/// Working memory for one run of one voice.
#[derive(Debug)]
pub struct VoiceScratch {
    positions: [u64; RUN_SAMPLES],
    tables: [u8; RUN_SAMPLES],
    gains: [f32; RUN_SAMPLES],
    input: Box<[f32]>,
}

impl VoiceScratch {
    pub fn new() -> Self {
        let input = RUN_SAMPLES * MAX_STEP as usize + 2 * MAX_REACH + 2;
        Self {
            positions: [0; RUN_SAMPLES],
            tables: [0; RUN_SAMPLES],
            gains: [0.0; RUN_SAMPLES],
            input: vec![0.0; input].into(),
        }
    }
}

/// How a run went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOutcome {
    /// The voice is silent from this sample of the run on, for good.
    pub over_at: Option<usize>,
    /// Times it caught up with its worker.
    pub underruns: u32,
}

impl Voice {
    /// A voice that does nothing.
    pub fn free() -> Self {
        Self {
            state: VoiceState::Free,
            address: NoteAddress::ALL,
            channel: 0,
            key: 0,
            held: false,
            sustained: false,
            order: 0,
            slot: NoteSlot::default(),
            tuning_semitones: 0.0,
            envelope: Envelope::start(),
            velocity_gain: 0.0,
            rendered_cents: 0,
            position: 0,
            step: 1.0,
            step_goal: 1.0,
            starved: false,
            flow: 1.0,
            dying: 1.0,
        }
    }

    /// Whether it counts among the instrument's voices: neither free nor dying.
    pub fn is_live(&self) -> bool {
        matches!(self.state, VoiceState::Waiting | VoiceState::Playing)
    }

    /// Takes the voice for a note rendered at `rendered_cents`, waiting for its first chunk.
    pub fn take(&mut self, address: NoteAddress, slot: NoteSlot, rendered_cents: i32) {
        *self = Self {
            state: VoiceState::Waiting,
            address,
            channel: address.channel.unwrap_or(0).min(15),
            key: address.key.unwrap_or(60).min(127),
            held: true,
            order: self.order,
            slot,
            rendered_cents,
            ..Self::free()
        };
    }

    /// Begins to play at the pitch that [`glide`](Self::glide) was given last, without gliding to it.
    pub fn begin(&mut self) {
        self.state = VoiceState::Playing;
        self.step = self.step_goal;
    }

    /// Lets go of the key: into the envelope's release.
    pub fn release(&mut self) {
        self.held = false;
        self.sustained = false;
        self.envelope.release();
    }

    /// Fades out within 10 ms.
    pub fn kill(&mut self) {
        self.state = VoiceState::Dying;
        self.held = false;
        self.sustained = false;
    }

    /// Sets the pitch to glide to: `cents` from MIDI note 0.
    pub fn glide(&mut self, cents: f64, note_hz: u32, rates: &Rates) {
        let interval = (cents - f64::from(self.rendered_cents)) / 1200.0;
        let step = f64::from(note_hz) / rates.host_hz * interval.exp2();
        self.step_goal = if step.is_finite() {
            step.clamp(1.0 / MAX_STEP, MAX_STEP)
        } else {
            1.0
        };
    }

    /// The loudness a listener would miss, 0 to 1: what a rising voice will reach, what another has.
    pub fn prominence(&self) -> f32 {
        let level = if self.envelope.is_rising() && !self.envelope.is_released() {
            1.0
        } else {
            self.envelope.level()
        };
        level * self.velocity_gain
    }

    /// How far a dying voice has faded, 1 to 0.
    pub fn fade(&self) -> f32 {
        self.dying
    }

    /// Whether it waits: for its first chunk, or for samples after it caught up.
    pub fn is_waiting(&self) -> bool {
        self.state == VoiceState::Waiting || self.is_live() && self.starved
    }

    /// Asks for the audio that the next `samples` need with all fades, and for a lead; returns whether the
    /// former is there.
    pub fn prepare(&self, note: &RenderedNote, samples: usize, rates: &Rates) -> bool {
        let step = self.step.max(self.step_goal);
        let at = (self.position >> 32) as usize;
        let end_fade = self.note_samples(note, END_FADE_MS);
        let needed = at + (samples as f64 * step).ceil() as usize + end_fade + self.guard_samples(rates) + 2;
        let lead = (f64::from(LEAD_MS) / 1000.0 * step * rates.host_hz) as usize;
        let chunk = note.chunk_samples();
        note.want((needed + lead).div_ceil(chunk) * chunk);
        note.is_finished() || note.is_failed() || note.available() >= needed
    }

    /// Samples of the note in a time, at its own rate.
    fn note_samples(&self, note: &RenderedNote, ms: f32) -> usize {
        (f64::from(ms) / 1000.0 * f64::from(note.sample_rate_hz())).ceil() as usize
    }

    /// Samples of the note that must be left for the underrun fade and the resampler.
    fn guard_samples(&self, rates: &Rates) -> usize {
        let step = self.step.max(self.step_goal);
        MAX_REACH + 2 + (f64::from(rates.underrun_samples + 1.0) * step).ceil() as usize
    }

    /// Adds up to [`RUN_SAMPLES`] of the voice to `out`.
    pub fn play(
        &mut self,
        note: &RenderedNote,
        context: &VoiceContext,
        scratch: &mut VoiceScratch,
        out: &mut [f32],
    ) -> RunOutcome {
        let count = out.len().min(RUN_SAMPLES);
        let rates = &context.rates;
        // In this order: a length read after the end was seen is final.
        let complete = note.is_finished() || note.is_failed();
        let available = note.available();
        let end = (available as u64) << 32;
        let end_fade = (self.note_samples(note, END_FADE_MS) as u64) << 32;
        // From here on the voice would catch up with the worker before an underrun fade is through.
        let guard = self.guard_samples(rates);
        let limit = if complete {
            u64::MAX
        } else {
            (available.saturating_sub(guard) as u64) << 32
        };
        // Having caught up, it goes on when another fade's worth has arrived on top of that.
        if self.starved && limit > self.position.saturating_add((guard as u64) << 32) {
            self.starved = false;
        }
        let bounds = Bounds {
            complete,
            end,
            end_fade,
            limit,
        };
        let increment = fixed_point(self.step);
        let after = self.position + count as u64 * increment;
        let clear = after < limit && !(complete && after.saturating_add(end_fade) >= end);
        let flowing = self.state == VoiceState::Playing && !self.starved && self.flow == 1.0;
        if clear && flowing && self.step == self.step_goal {
            self.play_steadily(note, context, increment, scratch, &mut out[..count])
        } else {
            self.play_carefully(note, context, &bounds, scratch, &mut out[..count])
        }
    }

    /// A run in which nothing but the envelope moves: most runs. To the bit what
    /// [`play_carefully`](Self::play_carefully) would make.
    fn play_steadily(
        &mut self,
        note: &RenderedNote,
        context: &VoiceContext,
        increment: u64,
        scratch: &mut VoiceScratch,
        out: &mut [f32],
    ) -> RunOutcome {
        let gains = &mut scratch.gains[..out.len()];
        let used = self.envelope.fill(&context.shape, gains);
        for gain in &mut gains[..used] {
            *gain *= self.velocity_gain;
        }
        let (out, gains) = (&mut out[..used], &gains[..used]);
        let table = Resampler::shared().table(Resampler::table_index(self.step));
        let last = self.position + (used as u64 - 1) * increment;
        let input = read_around(note, self.position, last, table.reach(), &mut scratch.input);
        let fraction = u64::from(self.position as u32);
        if increment == ONE && fraction == 0 {
            // What the resampler would give to the bit: its row of phase 0 is a one among zeros.
            for ((out, input), gain) in out.iter_mut().zip(&input[table.reach() - 1..]).zip(gains) {
                *out += input * gain;
            }
        } else {
            table.add_run(input, fraction, increment, gains, out);
        }
        self.position += used as u64 * increment;
        RunOutcome {
            over_at: self.envelope.is_over().then_some(used),
            underruns: 0,
        }
    }

    /// A run in which the pitch glides, a fade goes on, or the note ends or is not yet there.
    fn play_carefully(
        &mut self,
        note: &RenderedNote,
        context: &VoiceContext,
        bounds: &Bounds,
        scratch: &mut VoiceScratch,
        out: &mut [f32],
    ) -> RunOutcome {
        let mut outcome = RunOutcome::default();
        let used = self.plan(context, bounds, scratch, out.len(), &mut outcome);
        if used == 0 {
            return outcome;
        }
        let (positions, tables) = (&scratch.positions[..used], &scratch.tables[..used]);
        let resampler = Resampler::shared();
        let reach = tables
            .iter()
            .map(|index| resampler.table(*index).reach())
            .max()
            .unwrap_or(MAX_REACH);
        let input = read_around(note, positions[0], positions[used - 1], reach, &mut scratch.input);
        for (i, out) in out[..used].iter_mut().enumerate() {
            let table = resampler.table(tables[i]);
            let from = (positions[i] >> 32) - (positions[0] >> 32);
            let input = &input[from as usize + reach - table.reach()..];
            let fraction = u64::from(positions[i] as u32);
            table.add_run(
                input,
                fraction,
                0,
                &scratch.gains[i..=i],
                std::slice::from_mut(out),
            );
        }
        outcome
    }

    /// Computes position, table and gain of every sample of a run; returns how many samples it plays.
    fn plan(
        &mut self,
        context: &VoiceContext,
        bounds: &Bounds,
        scratch: &mut VoiceScratch,
        count: usize,
        outcome: &mut RunOutcome,
    ) -> usize {
        let rates = &context.rates;
        let end_rise = 1.0 / bounds.end_fade as f32;
        let mut increment = fixed_point(self.step);
        let mut table = Resampler::table_index(self.step);
        for i in 0..count {
            if bounds.complete && self.position >= bounds.end {
                outcome.over_at = Some(i);
                return i;
            }
            if self.starved {
                self.flow = (self.flow - rates.underrun_fall).max(0.0);
            } else if self.position >= bounds.limit {
                self.starved = true;
                outcome.underruns += 1;
            } else if self.flow < 1.0 {
                self.flow = (self.flow + rates.underrun_fall).min(1.0);
            }
            let mut gain = self.envelope.next(&context.shape) * self.velocity_gain * self.flow;
            if bounds.complete {
                gain *= ((bounds.end - self.position) as f32 * end_rise).min(1.0);
            }
            if self.state == VoiceState::Dying {
                gain *= self.dying;
                self.dying -= rates.dying_fall;
            }
            if self.step != self.step_goal {
                self.step += (self.step_goal - self.step) * rates.smoothing;
                if (self.step_goal - self.step).abs() < 1e-9 * self.step_goal {
                    self.step = self.step_goal;
                }
                increment = fixed_point(self.step);
                table = Resampler::table_index(self.step);
            }
            scratch.positions[i] = self.position;
            scratch.tables[i] = table;
            scratch.gains[i] = gain;
            if !self.starved || self.flow > 0.0 {
                self.position += increment;
            }
            if self.envelope.is_over() || self.dying <= 0.0 {
                outcome.over_at = Some(i + 1);
                return i + 1;
            }
        }
        count
    }
}

/// How far a voice may go in its note. Positions are 32.32 fixed point.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Whether the note will not grow any more.
    complete: bool,
    /// Where its samples end now.
    end: u64,
    /// Length of the fade before the end of a complete note.
    end_fade: u64,
    /// Where a voice must begin to fade because the worker is not ahead enough.
    limit: u64,
}

/// The note's samples from `reach - 1` before the first position to `reach` after the last; silence outside of it.
fn read_around<'a>(
    note: &RenderedNote,
    first: u64,
    last: u64,
    reach: usize,
    input: &'a mut [f32],
) -> &'a [f32] {
    let (first, last) = ((first >> 32) as usize, (last >> 32) as usize);
    let input = &mut input[..last - first + 2 * reach];
    let before = (reach - 1).saturating_sub(first);
    input[..before].fill(0.0);
    let read = note.read(first + before - (reach - 1), &mut input[before..]);
    input[before + read..].fill(0.0);
    input
}

/// A step as 32.32 fixed point: 2^-32 of an input sample is 1e-6 cents.
fn fixed_point(step: f64) -> u64 {
    (step * ONE as f64).round() as u64
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::rendered_note::NoteWriter;
    use crate::settings::Settings;
    use crate::sync::Arc;

    const CHUNK: usize = 1024;

    fn pair() -> (NoteWriter, Arc<RenderedNote>) {
        let key = crate::note::test_key(6000);
        RenderedNote::new(key, CHUNK, 100, 48_000)
    }

    /// A chunk of a 375 Hz cosine, which has a whole number of periods in a chunk.
    fn push(writer: &mut NoteWriter) {
        let cosine = |n| (std::f32::consts::TAU * n as f32 / 128.0).cos();
        writer.push((0..CHUNK).map(cosine).collect()).unwrap();
    }

    fn context(host_hz: f64) -> VoiceContext {
        let settings = Settings {
            attack_ms: 0.0,
            ..Settings::default()
        };
        VoiceContext {
            shape: EnvelopeShape::new(&settings, host_hz as f32),
            rates: Rates::new(host_hz),
        }
    }

    fn voice(cents: f64, context: &VoiceContext) -> Voice {
        let mut voice = Voice::free();
        voice.take(NoteAddress::midi(0, 60), NoteSlot::default(), 6000);
        voice.velocity_gain = 1.0;
        voice.glide(cents, 48_000, &context.rates);
        voice.begin();
        voice
    }

    fn play(
        voice: &mut Voice,
        note: &RenderedNote,
        context: &VoiceContext,
        runs: &[usize],
    ) -> (Vec<f32>, RunOutcome) {
        let mut scratch = VoiceScratch::new();
        let mut all = Vec::new();
        let mut total = RunOutcome::default();
        for samples in runs {
            let mut out = vec![0.0; *samples];
            let outcome = voice.play(note, context, &mut scratch, &mut out);
            total.underruns += outcome.underruns;
            total.over_at = total.over_at.or(outcome.over_at.map(|at| all.len() + at));
            all.extend(out);
        }
        (all, total)
    }

    fn jump(samples: &[f32]) -> f32 {
        samples
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn at_its_own_pitch_and_rate_a_voice_plays_the_note_s_samples() {
        let (mut writer, note) = pair();
        (0..4).for_each(|_| push(&mut writer));
        let context = context(48_000.0);
        let (out, outcome) = play(&mut voice(6000.0, &context), &note, &context, &[128; 16]);
        assert_eq!(outcome, RunOutcome::default());
        for (n, sample) in out.iter().enumerate().skip(100) {
            assert_eq!(
                *sample,
                (std::f32::consts::TAU * (n % CHUNK) as f32 / 128.0).cos()
            );
        }
    }

    #[test]
    fn the_cut_into_runs_is_not_heard() {
        let (mut writer, note) = pair();
        (0..8).for_each(|_| push(&mut writer));
        for (host_hz, cents) in [
            (48_000.0, 6000.0),
            (44_100.0, 6000.0),
            (96_000.0, 6130.0),
            (48_000.0, 7300.0),
        ] {
            let context = context(host_hz);
            let start = voice(cents, &context);
            let runs = |sizes: &[usize]| {
                let mut voice = start.clone();
                // Also while the pitch glides.
                voice.glide(cents + 100.0, 48_000, &context.rates);
                play(&mut voice, &note, &context, sizes).0
            };
            let whole = runs(&[128; 10]);
            assert!(whole == runs(&[32; 40]), "host at {host_hz}, {cents} cents");
            assert!(whole == runs(&[1; 1280]), "host at {host_hz}, {cents} cents");
            assert!(whole == runs(&[[100, 3, 25].repeat(10), vec![0]].concat()));
        }
    }

    #[test]
    fn a_steady_run_is_to_the_bit_what_a_careful_one_is() {
        let (mut writer, note) = pair();
        (0..8).for_each(|_| push(&mut writer));
        for (host_hz, cents) in [
            (48_000.0, 6000.0),
            (44_100.0, 6000.0),
            (96_000.0, 6130.0),
            (48_000.0, 7900.0),
        ] {
            let context = context(host_hz);
            let (mut steady, mut careful) = (voice(cents, &context), voice(cents, &context));
            let (mut a, mut b) = ([0.0; 128], [0.0; 128]);
            let bounds = Bounds {
                complete: false,
                end: u64::MAX,
                end_fade: ONE,
                limit: u64::MAX,
            };
            let mut scratch = VoiceScratch::new();
            for _ in 0..10 {
                steady.play(&note, &context, &mut scratch, &mut a);
                careful.play_carefully(&note, &context, &bounds, &mut scratch, &mut b);
            }
            assert!(
                a == b && a.iter().any(|sample| *sample != 0.0),
                "host at {host_hz}, {cents} cents"
            );
        }
    }

    #[test]
    fn a_voice_that_catches_up_fades_and_goes_on_where_it_stopped() {
        let (mut writer, note) = pair();
        (0..2).for_each(|_| push(&mut writer));
        let context = context(48_000.0);
        let mut voice = voice(6000.0, &context);
        let (first, outcome) = play(&mut voice, &note, &context, &[128; 24]);
        assert_eq!(
            outcome,
            RunOutcome {
                over_at: None,
                underruns: 1
            }
        );
        assert!(voice.is_waiting());
        assert!(first[2048..].iter().all(|sample| *sample == 0.0));
        (0..4).for_each(|_| push(&mut writer));
        let (second, outcome) = play(&mut voice, &note, &context, &[128; 8]);
        assert_eq!(outcome, RunOutcome::default());
        assert!(!voice.is_waiting());
        assert!(second[200..].iter().any(|sample| *sample > 0.99));
        // The cosine's own steepest step is 0.049; the fades add 1/96.
        let both = [first, second].concat();
        assert!(jump(&both[64..]) < 0.07, "jump of {}", jump(&both[64..]));
    }

    #[test]
    fn a_finished_note_ends_its_voice_with_a_fade() {
        let (mut writer, note) = pair();
        (0..3).for_each(|_| push(&mut writer));
        writer.finish();
        let context = context(48_000.0);
        let (out, outcome) = play(&mut voice(6000.0, &context), &note, &context, &[128; 40]);
        assert_eq!(
            outcome,
            RunOutcome {
                over_at: Some(3 * CHUNK),
                underruns: 0
            }
        );
        assert!(jump(&out[64..]) < 0.06);
    }

    #[test]
    fn a_failed_note_ends_its_voice_with_a_fade_too() {
        let (mut writer, note) = pair();
        (0..3).for_each(|_| push(&mut writer));
        writer.fail();
        let context = context(44_100.0);
        let (out, outcome) = play(&mut voice(6000.0, &context), &note, &context, &[128; 40]);
        assert!(outcome.over_at.is_some());
        assert!(jump(&out[64..]) < 0.06);
    }

    #[test]
    fn a_killed_voice_is_silent_after_ten_milliseconds_without_a_click() {
        let (mut writer, note) = pair();
        (0..8).for_each(|_| push(&mut writer));
        let context = context(48_000.0);
        let mut voice = voice(6000.0, &context);
        let (before, _) = play(&mut voice, &note, &context, &[128; 4]);
        voice.kill();
        let (after, outcome) = play(&mut voice, &note, &context, &[128; 8]);
        let over = outcome.over_at.unwrap();
        assert!((479..=482).contains(&over), "over at {over}");
        let both = [before, after].concat();
        assert!(jump(&both[64..]) < 0.06);
    }

    #[test]
    fn extreme_pitches_stay_inside_the_working_memory() {
        let (mut writer, note) = pair();
        (0..100).for_each(|_| push(&mut writer));
        writer.finish();
        for (host_hz, cents) in [
            (8_000.0, 18_000.0),
            (8_000.0, 6000.0),
            (192_000.0, -6000.0),
            (768_000.0, 6000.0),
        ] {
            let context = context(host_hz);
            let (out, _) = play(&mut voice(cents, &context), &note, &context, &[128; 20]);
            assert!(out.iter().all(|sample| sample.abs() < 2.0));
        }
    }

    #[test]
    fn a_voice_asks_for_the_audio_it_will_need() {
        let (mut writer, note) = pair();
        let context = context(48_000.0);
        let voice = voice(6000.0, &context);
        assert!(!voice.prepare(&note, 128, &context.rates));
        assert!(
            (24_000..=27_000).contains(&note.wanted()),
            "wanted {}",
            note.wanted()
        );
        push(&mut writer);
        assert!(voice.prepare(&note, 128, &context.rates));
    }
}
