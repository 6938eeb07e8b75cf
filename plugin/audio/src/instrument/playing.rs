//! How voices get their audio, and become sound.
//!
//! Runs on the audio thread.

use super::{Call, Instrument};
use crate::cell_play::Stage;
use crate::event::Target;
use crate::limits::{LONGEST_LEAD_SAMPLES, RUN_SAMPLES, STREAM_LEAD_MS};
use crate::link::{AudioEnd, StreamTag};
use crate::meters::Meters;
use crate::moved::Moved;
use crate::note::{NoteKey, Part};
use crate::rates::Rates;
use crate::settings::{FULL_WIDTH, Settings};
use crate::stream::StreamControl;
use crate::timbre::{Timbre, TimbreCell};
use crate::track::Track;
use crate::voice::{Buses, Notes, Voice, VoiceState};

impl Instrument {
    /// Adds the voices, from sample `at` of the block on, to the buses.
    pub(super) fn play(&mut self, call: &mut Call<'_>, at: usize, mid: &mut [f32], side: &mut [f32]) {
        let runs = mid.chunks_mut(RUN_SAMPLES).zip(side.chunks_mut(RUN_SAMPLES));
        for (run, (mid, side)) in runs.enumerate() {
            let at = at + run * RUN_SAMPLES;
            self.await_samples(call, mid.len());
            for voice in self.polyphony.all() {
                if voice.state == VoiceState::Free {
                    continue;
                }
                let former = voice.former(&self.stock.table);
                let over_at = match voice.notes(&self.stock.table) {
                    Ok(notes) if voice.state != VoiceState::Waiting => {
                        let lapses = voice.settle(&notes, &call.context.rates, call.patience.is_none());
                        (0..lapses).for_each(|_| self.meters.count_degraded());
                        let brightness =
                            call.settings.brightness + voice.moved.amount(Target::Brightness, call.settings);
                        let mut buses = Buses { mid, side };
                        let outcome = voice.play(
                            &notes,
                            former,
                            &call.context,
                            brightness,
                            &mut self.scratch,
                            &mut buses,
                        );
                        (0..outcome.underruns).for_each(|_| self.meters.count_underrun());
                        outcome.over_at
                    }
                    Ok(notes) => is_hopeless(voice, &notes, &self.meters),
                    Err(_) => {
                        self.meters.count_refused();
                        Some(0)
                    }
                };
                if let Some(over_at) = over_at {
                    self.stock.finish(voice, call, at + over_at);
                }
            }
        }
    }

    /// Begins the voices whose notes are there, says what is to be rendered for the next run, and asks for it; with patience,
    /// waits until it is there.
    fn await_samples(&mut self, call: &mut Call<'_>, samples: usize) {
        let timbre = Moved::REST.timbre(call.timbre(), call.settings);
        let common = (timbre, TimbreCell::from(timbre));
        let lead_samples = self.lead_samples(call);
        loop {
            self.ask_again(call);
            let mut ready = true;
            for voice in self.polyphony.all() {
                if voice.state == VoiceState::Free {
                    continue;
                }
                if voice.state == VoiceState::Waiting
                    && let Some(grid) = self.grid
                {
                    let own = voice.moved.timbre(call.timbre(), call.settings);
                    let mut stage = Stage {
                        table: &mut self.stock.table,
                        end: &mut self.stock.end,
                        grid,
                        is_live: call.patience.is_none(),
                    };
                    voice.await_cell(own.blend, &mut stage);
                }
                let Ok(notes) = voice.notes(&self.stock.table) else {
                    continue;
                };
                let Some(note_hz) = notes[0]
                    .map(|note| note.sample_rate_hz())
                    .filter(|_| voice.has(&notes))
                else {
                    ready = false;
                    continue;
                };
                let channel = usize::from(voice.channel);
                let mut bend = self.channels[channel].bend_semitones;
                if call.settings.is_mpe && channel != 0 {
                    bend += self.channels[0].bend_semitones;
                }
                let semitones = f32::from(voice.key) + bend + voice.tuning_semitones;
                let cents = f64::from(semitones) * 100.0 + f64::from(call.settings.tuning_cents);
                let rates = call.context.rates;
                voice.bend(cents, note_hz, &rates);
                if std::mem::take(&mut voice.follows_at_once) {
                    voice.motion.arrive();
                }
                if voice.state == VoiceState::Waiting {
                    if notes.iter().flatten().any(|note| note.available() == 0) {
                        ready &= notes
                            .iter()
                            .flatten()
                            .any(|note| note.is_finished() || note.is_failed());
                        let _ = voice.prepare(&notes, samples, &rates);
                        continue;
                    }
                    voice.begin_cell(call.settings.start_ms, note_hz);
                    voice.begin();
                }
                let (timbre, cell) = if voice.moved == Moved::REST {
                    common
                } else {
                    let own = voice.moved.timbre(call.timbre(), call.settings);
                    (own, TimbreCell::from(own))
                };
                if voice.is_ending && call.settings.is_frozen {
                    // Frozen, a sound has no ending of its own.
                    voice.is_ending = false;
                    voice.envelope.release();
                }
                if voice.plays_cells() {
                    if let Some(grid) = self.grid {
                        let mut stage = Stage {
                            table: &mut self.stock.table,
                            end: &mut self.stock.end,
                            grid,
                            is_live: call.patience.is_none(),
                        };
                        ready &= voice.follow_cells(timbre.blend, samples, note_hz, &rates, &mut stage);
                    }
                    continue;
                }
                let mut steer = Steer {
                    timbre,
                    cell,
                    rates,
                    lead_samples,
                    is_live: call.patience.is_none(),
                    end: &mut self.stock.end,
                    meters: &self.meters,
                    next_tag: &mut self.next_tag,
                };
                steer.look_ahead(voice, &notes, samples);
                ready &= voice.prepare(&notes, samples, &rates);
            }
            let Some(patience) = call.patience else { return };
            if ready {
                return;
            }
            self.stock.end.flush();
            if !patience.wait_for_news() {
                call.patience = None;
            }
            self.receive();
        }
    }

    /// Output samples that a worker has for a chunk of a stream. A block is played in a moment, so live it must have been
    /// asked for a block before; offline it is waited for, and blocks must make no difference.
    fn lead_samples(&self, call: &Call<'_>) -> f64 {
        let least = call.context.rates.samples(STREAM_LEAD_MS);
        if call.patience.is_some() {
            return least;
        }
        least.max(self.longest_block_samples.min(LONGEST_LEAD_SAMPLES) as f64)
    }

    /// Makes left and right of middle and side, applies the gain, and drops what is subnormal or not a number.
    pub(super) fn put_out(
        &mut self,
        left: &mut [f32],
        right: &mut [f32],
        settings: &Settings,
        rates: &Rates,
    ) {
        let bounded = |value: f32, highest: f32| {
            if value.is_finite() {
                value.clamp(0.0, highest)
            } else {
                0.0
            }
        };
        let gain_goal = bounded(settings.gain, f32::MAX);
        let width_goal = FULL_WIDTH * bounded(settings.width, 1.0);
        let smoothing = rates.smoothing as f32;
        let glide = |value: &mut f32, goal: f32| {
            if *value != goal {
                *value += (goal - *value) * smoothing;
                if (goal - *value).abs() < 1e-6 {
                    *value = goal;
                }
            }
        };
        let (mut gain, mut width) = self.levels.unwrap_or((gain_goal, width_goal));
        let (mut peak_left, mut peak_right) = (0.0f32, 0.0f32);
        for (left, right) in left.iter_mut().zip(right) {
            glide(&mut gain, gain_goal);
            glide(&mut width, width_goal);
            let (mid, side) = (*left * gain, *right * gain * width);
            let clean = |sample: f32| if sample.is_normal() { sample } else { 0.0 };
            (*left, *right) = (clean(mid + side), clean(mid - side));
            peak_left = peak_left.max(left.abs());
            peak_right = peak_right.max(right.abs());
        }
        self.levels = Some((gain, width));
        self.meters.raise_peaks(peak_left, peak_right);
    }
}

/// A voice whose note has ended before it began.
fn is_hopeless(voice: &Voice, notes: &Notes<'_>, meters: &Meters) -> Option<usize> {
    let hopeless = voice.has(notes)
        && notes
            .iter()
            .flatten()
            // In this order: a length read after the end was seen is final.
            .any(|note| (note.is_finished() || note.is_failed()) && note.available() == 0);
    hopeless.then(|| {
        meters.count_refused();
        0
    })
}

/// What steering a voice needs of the instrument.
struct Steer<'a> {
    timbre: Timbre,
    cell: TimbreCell,
    rates: Rates,
    /// Output samples that a worker has for a chunk.
    lead_samples: f64,
    /// Nobody waits for workers: they may be late.
    is_live: bool,
    end: &'a mut AudioEnd,
    meters: &'a Meters,
    next_tag: &'a mut u64,
}

impl Steer<'_> {
    /// Says what each chunk that falls due in the next `samples` is to sound like.
    fn look_ahead(&mut self, voice: &mut Voice, notes: &Notes<'_>, samples: usize) {
        let (Some(note), Some(key)) = (notes[0], voice.note) else {
            return;
        };
        let (note_hz, chunk_samples) = (note.sample_rate_hz(), note.chunk_samples());
        let (mut ahead, mut looked) = (voice.motion, 0);
        while let Some(at) = voice.steering.next_look(samples) {
            ahead.advance(at - looked, self.rates.smoothing);
            looked = at;
            let needed = voice.needed_until(&ahead, note_hz, &self.rates);
            let own_samples = |host_samples: f64| (host_samples * ahead.largest_step()).ceil() as usize;
            let (lead, least_lead) = (
                own_samples(self.lead_samples),
                own_samples(self.rates.samples(STREAM_LEAD_MS)),
            );
            while let Some(chunk) = voice.steering.due(needed + lead, chunk_samples) {
                if voice.tracks.iter().flatten().any(|track| track.is_forked()) {
                    if !self.control(voice, needed) {
                        // Offline, the worker is waited for and then told.
                        return voice.steering.look_again();
                    }
                } else if voice.steering.must_fork(
                    key.strike.timbre,
                    self.cell,
                    voice.is_ending,
                    note_hz,
                    chunk_samples,
                ) {
                    // Live, the answer comes at the next block, which then asks for the one after.
                    let first = if self.is_live && lead > least_lead {
                        chunk.max((needed + 2 * lead).div_ceil(chunk_samples))
                    } else {
                        chunk
                    };
                    (chunk..first).for_each(|_| voice.steering.pass());
                    self.fork(voice, key, first, chunk_samples);
                } else {
                    voice.steering.pass();
                }
            }
        }
    }

    /// Leaves the rendered notes at a chunk's border.
    fn fork(&mut self, voice: &mut Voice, key: NoteKey, chunk: usize, chunk_samples: usize) {
        let mut asked = true;
        for (track, part) in voice.tracks.iter_mut().zip([Part::Mid, Part::Side]) {
            let Some(track) = track else { continue };
            let tag = StreamTag(*self.next_tag);
            *self.next_tag += 1;
            asked = asked && self.end.fork(tag, NoteKey { part, ..key }, chunk as u32);
            if asked {
                track.fork(tag, chunk * chunk_samples);
            }
        }
        if asked {
            let _ = self.control(voice, 0);
        } else {
            self.give_up(voice);
        }
    }

    /// Says what the chunks that are due are to sound like, while audio up to `needed` should be there; `false` if the worker
    /// is so far behind that there is no room to.
    fn control(&mut self, voice: &mut Voice, needed: usize) -> bool {
        let mut tracks = voice.tracks.iter().flatten();
        if !tracks.all(Track::takes_control) {
            if voice.tracks.iter().flatten().any(Track::awaits_stream) {
                self.give_up(voice);
            }
            return false;
        }
        let mut tracks = voice.tracks.iter().flatten();
        let is_behind = tracks.any(|track| track.is_behind(needed));
        if self.is_live && is_behind {
            if voice.steering.is_late() {
                self.meters.count_degraded();
            }
        } else if self.is_live {
            voice.steering.is_in_time();
        }
        let control = StreamControl {
            timbre: self.timbre,
            is_released: voice.is_ending,
            chunks: voice.steering.stride_chunks(),
        };
        voice
            .tracks
            .iter_mut()
            .flatten()
            .for_each(|track| track.control(control));
        voice.steering.sent();
        true
    }

    /// Goes on with the rendered notes.
    fn give_up(&mut self, voice: &mut Voice) {
        self.meters.count_degraded();
        voice
            .tracks
            .iter_mut()
            .flatten()
            .for_each(|track| track.leave_stream(self.end));
        voice.steering.was_refused();
    }
}
