//! How a voice sounds: the next samples of its tracks, at its pitch, through its envelope and the fades between.
//!
//! Runs on the audio thread. It reads its [`Track`](crate::track::Track)s while workers still write them; if it catches up it
//! fades out within what is left, pauses, and fades in where it stopped when samples arrive.

use super::{Notes, Voice, VoiceState};
use crate::envelope::EnvelopeShape;
use crate::limits::{END_FADE_MS, LATE_JOIN_MS, LEAD_MS, RUN_SAMPLES, STEERING_SAMPLES, UNDERRUN_FADE_MS};
use crate::motion::{Motion, fixed_point};
use crate::rates::{Rates, guard_samples, note_samples};
use crate::rendered_note::RenderedNote;
use crate::resampler::{MAX_REACH, MAX_STEP, Resampler};
use crate::track::{Listening, Reach};
use crate::track_reader::TrackReader;

/// What is the same for all voices for the length of a `process` call, or longer.
#[derive(Clone, Copy, Debug)]
pub struct VoiceContext {
    pub shape: EnvelopeShape,
    pub rates: Rates,
}

/// Working memory for one run of one voice.
#[derive(Debug)]
pub struct VoiceScratch {
    positions: [u64; RUN_SAMPLES],
    tables: [u8; RUN_SAMPLES],
    gains: [f32; RUN_SAMPLES],
    filtered: [f32; RUN_SAMPLES],
    input: Box<[f32]>,
    spliced: Box<[f32]>,
}

impl VoiceScratch {
    pub fn new() -> Self {
        let input = RUN_SAMPLES * MAX_STEP as usize + 2 * MAX_REACH + 2;
        Self {
            positions: [0; RUN_SAMPLES],
            tables: [0; RUN_SAMPLES],
            gains: [0.0; RUN_SAMPLES],
            filtered: [0.0; RUN_SAMPLES],
            input: vec![0.0; input].into(),
            spliced: vec![0.0; input].into(),
        }
    }
}

/// Where a run of a voice goes: the middle, and what makes it wide.
#[derive(Debug)]
pub struct Buses<'a> {
    pub mid: &'a mut [f32],
    pub side: &'a mut [f32],
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
    /// The note's sample up to which there must be audio when `motion` is here: what is read until the voice looks again, with
    /// all fades.
    pub fn needed_until(&self, motion: &Motion, note_hz: u32, rates: &Rates) -> usize {
        let read = (STEERING_SAMPLES as f64 * motion.largest_step()).ceil() as usize;
        motion.sample() + read + self.reserve_samples(motion, note_hz, rates)
    }

    /// Asks for the audio that the next `samples` need with all fades, and for a lead; returns whether the
    /// former is there.
    pub fn prepare(&self, notes: &Notes<'_>, samples: usize, rates: &Rates) -> bool {
        let step = self.motion.largest_step();
        let at = self.motion.sample();
        let mut ready = true;
        for (track, note) in self.tracks.iter().flatten().zip(notes.iter().flatten()) {
            let reserve = self.reserve_samples(&self.motion, note.sample_rate_hz(), rates);
            let needed = at + (samples as f64 * step).ceil() as usize + reserve;
            let lead = (rates.samples(LEAD_MS) * step) as usize;
            let chunk = note.chunk_samples();
            let wanted = (needed + lead).div_ceil(chunk) * chunk;
            note.want(track.note_until().map_or(wanted, |until| until.min(wanted)));
            ready &= track.is_ready(note, needed);
        }
        ready
    }

    /// Samples of the note that must lie ahead of what is played: for the end's fade, the underrun's and the resampler.
    fn reserve_samples(&self, motion: &Motion, note_hz: u32, rates: &Rates) -> usize {
        note_samples(note_hz, END_FADE_MS) + guard_samples(motion, rates) + 2
    }

    /// Chooses what each track plays from here on; returns how many streams were left for their notes.
    pub fn settle(&mut self, notes: &Notes<'_>, rates: &Rates, may_lapse: bool) -> u32 {
        let position = self.motion.sample();
        let run = (RUN_SAMPLES as f64 * self.motion.largest_step()).ceil() as usize;
        let mut lapses = 0;
        for (track, note) in self.tracks.iter_mut().flatten().zip(notes.iter().flatten()) {
            let by = Listening {
                late_join: note_samples(note.sample_rate_hz(), LATE_JOIN_MS),
                lapse: note_samples(note.sample_rate_hz(), UNDERRUN_FADE_MS),
                guard: run + guard_samples(&self.motion, rates),
                is_silent: self.starved && self.flow == 0.0,
            };
            lapses += u32::from(track.settle(note, position, &by, may_lapse));
        }
        let mut tracks = self.tracks.iter().flatten();
        if self.is_ending && tracks.any(|track| track.has_missed_stream(position)) {
            // The sound's own ending is over; its note would go on as if the key were held.
            self.is_ending = false;
            self.envelope.release();
        }
        lapses
    }

    /// Adds up to [`RUN_SAMPLES`] of the voice to the buses.
    pub fn play(
        &mut self,
        notes: &Notes<'_>,
        former: Option<&RenderedNote>,
        context: &VoiceContext,
        brightness: f32,
        scratch: &mut VoiceScratch,
        buses: &mut Buses<'_>,
    ) -> RunOutcome {
        let count = buses.mid.len().min(RUN_SAMPLES);
        let Some(bounds) = self.bounds(notes, &context.rates) else {
            return RunOutcome::default();
        };
        let step = self.motion.step();
        let increment = fixed_point(step);
        let after = self.motion.position + count as u64 * increment;
        let clear =
            after < bounds.limit && !(bounds.complete && after.saturating_add(bounds.end_fade) >= bounds.end);
        let flowing = self.state == VoiceState::Playing && !self.starved && self.flow == 1.0;
        let is_steady = clear && flowing && self.motion.is_steady();
        let first = self.motion.position;
        let mut outcome = RunOutcome::default();
        let used = if is_steady {
            let used = self.envelope.fill(&context.shape, &mut scratch.gains[..count]);
            for gain in &mut scratch.gains[..used] {
                *gain *= self.velocity_gain;
            }
            self.motion.position += used as u64 * increment;
            outcome.over_at = self.envelope.is_over().then_some(used);
            used
        } else {
            self.plan(context, &bounds, scratch, count, &mut outcome)
        };
        self.steering.advance(count);
        if used == 0 {
            return outcome;
        }
        let VoiceScratch {
            positions,
            tables,
            gains,
            filtered,
            input,
            spliced,
        } = scratch;
        let out = [&mut buses.mid[..used], &mut buses.side[..used]];
        let tracks = self.tracks.iter().zip(notes).zip(out).zip(&mut self.tilts);
        for (((track, note), out), tilt) in tracks {
            let (Some(track), Some(note)) = (track, note) else {
                continue;
            };
            let mut source = TrackReader {
                track,
                note,
                former,
                input,
                spliced,
            };
            let mut sound = |out: &mut [f32]| {
                if is_steady {
                    source.add_steadily(first, step, &gains[..used], out);
                } else {
                    source.add_carefully(&positions[..used], &tables[..used], &gains[..used], out);
                }
            };
            if tilt.is_flat(brightness) {
                sound(out);
            } else {
                let filtered = &mut filtered[..used];
                filtered.fill(0.0);
                sound(filtered);
                tilt.run(
                    brightness,
                    context.rates.host_hz,
                    context.rates.smoothing,
                    filtered,
                );
                for (out, sample) in out.iter_mut().zip(filtered) {
                    *out += *sample;
                }
            }
        }
        outcome
    }

    /// How far the voice may go: as far as the track with the least; none if it has no track.
    fn bounds(&mut self, notes: &Notes<'_>, rates: &Rates) -> Option<Bounds> {
        let position = self.motion.sample();
        let tracks = self.tracks.iter().zip(notes);
        let reaches =
            tracks.filter_map(|(track, note)| Some((track.as_ref()?.reach((*note)?, position), *note)));
        let mut least: Option<Reach> = None;
        let mut note_hz = 48_000;
        for (reach, note) in reaches {
            note_hz = note.map_or(note_hz, RenderedNote::sample_rate_hz);
            least = Some(match least {
                Some(other) if other.available <= reach.available => other,
                _ => reach,
            });
        }
        let Reach {
            is_complete: complete,
            available,
        } = least?;
        // From here on the voice would catch up with the worker before an underrun fade is through.
        let guard = guard_samples(&self.motion, rates);
        let limit = if complete {
            u64::MAX
        } else {
            (available.saturating_sub(guard) as u64) << 32
        };
        // Having caught up, it goes on when another fade's worth has arrived on top of that.
        if self.starved && limit > self.motion.position.saturating_add((guard as u64) << 32) {
            self.starved = false;
        }
        Some(Bounds {
            complete,
            end: (available as u64) << 32,
            end_fade: (note_samples(note_hz, END_FADE_MS) as u64) << 32,
            limit,
        })
    }

    /// Computes position, table and gain of every sample of a run in which the pitch glides, a fade goes on, or the note ends
    /// or is not yet there; returns how many samples it plays.
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
        for i in 0..count {
            let position = self.motion.position;
            if bounds.complete && position >= bounds.end {
                outcome.over_at = Some(i);
                return i;
            }
            if self.starved {
                self.flow = (self.flow - rates.underrun_fall).max(0.0);
            } else if position >= bounds.limit {
                self.starved = true;
                outcome.underruns += 1;
            } else if self.flow < 1.0 {
                self.flow = (self.flow + rates.underrun_fall).min(1.0);
            }
            let mut gain = self.envelope.next(&context.shape) * self.velocity_gain * self.flow;
            if bounds.complete {
                gain *= ((bounds.end - position) as f32 * end_rise).min(1.0);
            }
            if self.state == VoiceState::Dying {
                gain *= self.dying;
                self.dying -= rates.dying_fall;
            }
            let step = self.motion.next_step(rates.smoothing);
            scratch.positions[i] = position;
            scratch.tables[i] = Resampler::table_index(step);
            scratch.gains[i] = gain;
            if !self.starved || self.flow > 0.0 {
                self.motion.move_by(step);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::event::NoteAddress;
    use crate::note_table::NoteSlot;
    use crate::rendered_note::NoteWriter;
    use crate::settings::Settings;
    use crate::sync::Arc;
    use crate::track::Track;

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
        let track = Track::new(NoteSlot::default());
        voice.take(
            NoteAddress::midi(0, 60),
            crate::note::test_key(6000),
            [Some(track), None],
        );
        voice.velocity_gain = 1.0;
        voice.bend(cents, 48_000, &context.rates);
        voice.begin();
        voice
    }

    fn play_run(
        voice: &mut Voice,
        note: &RenderedNote,
        context: &VoiceContext,
        scratch: &mut VoiceScratch,
        out: &mut [f32],
    ) -> RunOutcome {
        let mut side = vec![0.0; out.len()];
        let mut buses = Buses {
            mid: out,
            side: &mut side,
        };
        voice.play(&[Some(note), None], None, context, 0.0, scratch, &mut buses)
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
            let outcome = play_run(voice, note, context, &mut scratch, &mut out);
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
            let runs = |sizes: &[usize]| {
                let mut voice = voice(cents, &context);
                // Also while the pitch glides.
                voice.bend(cents + 100.0, 48_000, &context.rates);
                voice.motion.glide_from(-300.0, 777);
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
            let mut scratch = VoiceScratch::new();
            for _ in 0..10 {
                play_run(&mut steady, &note, &context, &mut scratch, &mut a);
                // A fade that is through changes nothing, but is gone through sample by sample.
                careful.flow = 1.0 - f32::EPSILON;
                play_run(&mut careful, &note, &context, &mut scratch, &mut b);
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
        assert!(!voice.prepare(&[Some(&note), None], 128, &context.rates));
        assert!(
            (24_000..=27_000).contains(&note.wanted()),
            "wanted {}",
            note.wanted()
        );
        push(&mut writer);
        assert!(voice.prepare(&[Some(&note), None], 128, &context.rates));
    }
}
