//! The instrument: what a host or a bounce drives, block by block.
//!
//! Runs on the audio thread. Between two events it plays runs of at most 128 samples, voice by voice; nothing in it
//! depends on where blocks or runs are cut.

use std::sync::Arc;

use crate::blend::{Blend, CornerMask};
use crate::denormals::FlushDenormals;
use crate::envelope::EnvelopeShape;
use crate::event::{Event, EventKind, NoteAddress, NoteEnd};
use crate::limits::RUN_SAMPLES;
use crate::link::{AudioEnd, ToAudio};
use crate::meters::Meters;
use crate::note::{NoteKey, Part, PatchId};
use crate::note_table::{Lookup, NoteTable};
use crate::polyphony::Polyphony;
use crate::resampler::Resampler;
use crate::settings::Settings;
use crate::timbre::Timbre;
use crate::voice::{Rates, Voice, VoiceContext, VoiceScratch, VoiceState};

/// Plays rendered notes under MIDI.
#[derive(Debug)]
pub struct Instrument {
    end: AudioEnd,
    meters: Arc<Meters>,
    table: NoteTable,
    polyphony: Polyphony,
    channels: [Channel; 16],
    patch: Option<(PatchId, CornerMask)>,
    scratch: VoiceScratch,
    /// `None` until the instrument is prepared.
    rates: Option<Rates>,
    /// The smoothed output gain; `None` until the first block.
    gain: Option<f32>,
}

/// What the instrument is doing after a block. Only [`Silent`](Self::Silent) lets a host stop calling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A voice sounds.
    Sounding,
    /// Nothing sounds, but a voice waits for its note.
    Waiting,
    /// Nothing sounds and nothing is awaited.
    Silent,
}

/// How an offline render waits for workers. Implemented outside this crate: waiting is a system call.
pub trait Patience {
    /// Blocks until a worker or the scheduler has published something since the last call returned (at once, if
    /// that already happened), or gives up after a bounded time and says `false`.
    fn wait_for_news(&self) -> bool;
}

/// A MIDI channel's controllers.
#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    bend_semitones: f32,
    sustain: bool,
}

/// What lasts for one `process` call.
struct Call<'a> {
    settings: &'a Settings,
    context: VoiceContext,
    blend: Blend,
    /// Gone once it gave up: a call waits in vain only once.
    patience: Option<&'a dyn Patience>,
    ended: &'a mut dyn FnMut(NoteEnd),
    block_samples: usize,
}

impl Call<'_> {
    fn end_note(&mut self, at: usize, address: NoteAddress) {
        let offset_samples = at.min(self.block_samples.saturating_sub(1)) as u32;
        (self.ended)(NoteEnd {
            offset_samples,
            address,
        });
    }
}

impl Instrument {
    /// An instrument at the audio thread's end of a link. Silent until [`prepare`](Self::prepare) was called.
    pub fn new(end: AudioEnd, meters: Arc<Meters>) -> Self {
        Self {
            end,
            meters,
            table: NoteTable::new(),
            polyphony: Polyphony::new(),
            channels: [Channel::default(); 16],
            patch: None,
            scratch: VoiceScratch::new(),
            rates: None,
            gain: None,
        }
    }

    /// Sets the host's rate and silences everything. May allocate and take some milliseconds. Blocks of any size may
    /// follow.
    pub fn prepare(&mut self, sample_rate_hz: f64) {
        let _ = Resampler::shared();
        let known = sample_rate_hz.is_finite() && sample_rate_hz > 0.0;
        self.rates = Some(Rates::new(if known {
            sample_rate_hz.clamp(1_000.0, 1e6)
        } else {
            48_000.0
        }));
        self.reset();
    }

    /// Silences everything at once and centres all controllers; no note ends are told.
    ///
    /// # Realtime Safety
    /// This method is realtime-safe.
    pub fn reset(&mut self) {
        for voice in self.polyphony.all() {
            if voice.state != VoiceState::Free {
                self.table.release(voice.slot, &mut self.end);
                *voice = Voice::free();
            }
        }
        self.channels = [Channel::default(); 16];
        self.gain = None;
        self.meters.set_voices(0, 0);
        self.meters.set_held_keys(0);
    }

    /// Plays one block: overwrites `left` and `right` (of one length), and tells each note's end to `ended`.
    ///
    /// `events` are sorted by offset. With `patience` (offline only) voices get every sample they need, and the
    /// output is the same whatever the block sizes and the workers' speed; without, a missing note is silent until
    /// its first chunk is there.
    ///
    /// # Realtime Safety
    /// Without `patience` this method is realtime-safe.
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn process(
        &mut self,
        left: &mut [f32],
        right: &mut [f32],
        events: &[Event],
        settings: &Settings,
        patience: Option<&dyn Patience>,
        ended: &mut dyn FnMut(NoteEnd),
    ) -> Activity {
        let _flush = FlushDenormals::enter();
        left.fill(0.0);
        right.fill(0.0);
        self.end.flush();
        self.receive();
        let Some(rates) = self.rates else {
            return Activity::Silent;
        };
        let block_samples = left.len().min(right.len());
        let context = VoiceContext {
            shape: EnvelopeShape::new(settings, rates.host_hz as f32),
            rates,
        };
        let mut call = Call {
            settings,
            context,
            blend: settings.blend,
            patience,
            ended,
            block_samples,
        };
        let mut at = 0;
        for event in events {
            let offset = (event.offset_samples as usize).clamp(at, block_samples);
            self.play(&mut call, at, &mut left[at..offset]);
            at = offset;
            self.handle(&mut call, at, event.kind);
        }
        self.play(&mut call, at, &mut left[at..block_samples]);
        self.put_out(
            &mut left[..block_samples],
            &mut right[..block_samples],
            settings,
            &rates,
        );
        self.update_meters()
    }

    /// Takes in what the scheduler sent.
    fn receive(&mut self) {
        while let Some(message) = self.end.receive() {
            match message {
                ToAudio::Grant(note) => self.table.grant(note, &mut self.end),
                ToAudio::Retire(key) => self.table.retire(key, &mut self.end),
                ToAudio::Refuse(key) => self.table.refuse(key, &mut self.end),
                ToAudio::Patch { id, occupied } => self.patch = Some((id, occupied)),
                ToAudio::Stream { reader, .. } => self.end.give_back_stream(reader),
                ToAudio::RefuseStream(_) => {}
            }
        }
    }

    fn handle(&mut self, call: &mut Call<'_>, at: usize, kind: EventKind) {
        match kind {
            EventKind::NoteOn { address, velocity } => self.note_on(call, at, address, velocity),
            EventKind::NoteOff { address } => self.note_off(call, at, address),
            EventKind::AllNotesOff => self.note_off(call, at, NoteAddress::ALL),
            EventKind::Choke { address } => self.choke(call, at, address),
            EventKind::AllSoundOff => self.choke(call, at, NoteAddress::ALL),
            EventKind::PitchBend { channel, semitones } => {
                self.channels[usize::from(channel & 15)].bend_semitones = semitones;
            }
            EventKind::Sustain { channel, down } => self.sustain(call, at, channel & 15, down),
            EventKind::Tuning { address, semitones } => {
                for voice in self.polyphony.matching(address) {
                    voice.tuning_semitones = semitones;
                }
            }
            EventKind::Blend(blend) => call.blend = blend,
            EventKind::Modulate { .. } | EventKind::Pressure { .. } | EventKind::Slide { .. } => {}
        }
    }

    fn note_on(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress, velocity: f32) {
        self.release_same_key(call, at, address);
        while let (None, Some(patience)) = (self.patch, call.patience) {
            if !patience.wait_for_news() {
                call.patience = None;
            }
            self.receive();
        }
        let Some((patch, _)) = self.patch.filter(|(_, occupied)| occupied.count() > 0) else {
            return call.end_note(at, address);
        };
        // Whole semitones of tuning are rendered, the rest is resampled.
        let tuning = f64::from(call.settings.tuning_cents) / 100.0;
        let semitone = f64::from(address.key.unwrap_or(60).min(127)) + tuning.round();
        let pitch_cents = (semitone.clamp(0.0, 127.0) * 100.0) as i32;
        let key = NoteKey {
            patch,
            strike: call.settings.strike(Timbre {
                blend: call.blend,
                ..call.settings.timbre()
            }),
            part: Part::Mid,
            pitch_cents,
        };
        let Some(slot) = self.table.acquire(key, &mut self.end) else {
            self.meters.count_refused();
            return call.end_note(at, address);
        };
        if let Some(voice) = self.polyphony.victim() {
            self.meters.count_stolen();
            silence(voice, &mut self.table, &mut self.end, call, at);
        }
        // There is one: at most 64 of the 96 voices are live.
        let Some(voice) = self.polyphony.place() else {
            return;
        };
        if voice.state == VoiceState::Dying {
            self.table.release(voice.slot, &mut self.end);
        }
        voice.take(address, slot, pitch_cents);
        voice.velocity_gain = call.settings.velocity_gain(velocity);
    }

    /// A key that is struck again lets go of what the pedal still holds of it, and of a note without a name of its own.
    fn release_same_key(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress) {
        let key = NoteAddress {
            note_id: None,
            port: address.port,
            channel: Some(address.channel.unwrap_or(0).min(15)),
            key: Some(address.key.unwrap_or(60).min(127)),
        };
        for voice in self.polyphony.matching(key) {
            let same_name = voice.address.matches(&NoteAddress {
                note_id: address.note_id,
                ..NoteAddress::ALL
            });
            if voice.sustained || voice.held && same_name {
                let_go(voice, &mut self.table, &mut self.end, call, at);
            }
        }
    }

    fn note_off(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress) {
        for voice in self.polyphony.matching(address) {
            if voice.held && self.channels[usize::from(voice.channel)].sustain {
                voice.held = false;
                voice.sustained = true;
            } else if voice.held {
                let_go(voice, &mut self.table, &mut self.end, call, at);
            }
        }
    }

    fn sustain(&mut self, call: &mut Call<'_>, at: usize, channel: u8, down: bool) {
        self.channels[usize::from(channel)].sustain = down;
        if down {
            return;
        }
        for voice in self.polyphony.all() {
            if voice.is_live() && voice.sustained && voice.channel == channel {
                let_go(voice, &mut self.table, &mut self.end, call, at);
            }
        }
    }

    fn choke(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress) {
        for voice in self.polyphony.matching(address) {
            silence(voice, &mut self.table, &mut self.end, call, at);
        }
    }

    /// Adds the voices, from sample `at` of the block on, to `out`.
    fn play(&mut self, call: &mut Call<'_>, at: usize, out: &mut [f32]) {
        for (run, out) in out.chunks_mut(RUN_SAMPLES).enumerate() {
            let at = at + run * RUN_SAMPLES;
            self.await_samples(call, out.len());
            for voice in self.polyphony.all() {
                if voice.state == VoiceState::Free {
                    continue;
                }
                let over_at = play_voice(
                    voice,
                    &self.table,
                    &self.meters,
                    &call.context,
                    &mut self.scratch,
                    out,
                );
                if let Some(over_at) = over_at {
                    finish(voice, &mut self.table, &mut self.end, call, at + over_at);
                }
            }
        }
    }

    /// Asks workers for what the next run needs; with patience, waits until it is there.
    fn await_samples(&mut self, call: &mut Call<'_>, samples: usize) {
        loop {
            let mut ready = true;
            for voice in self.polyphony.all() {
                if voice.state == VoiceState::Free {
                    continue;
                }
                match self.table.lookup(voice.slot) {
                    Lookup::Note(note) => {
                        let bend = self.channels[usize::from(voice.channel)].bend_semitones;
                        let semitones = f32::from(voice.key) + bend + voice.tuning_semitones;
                        let cents = f64::from(semitones) * 100.0 + f64::from(call.settings.tuning_cents);
                        voice.glide(cents, note.sample_rate_hz(), &call.context.rates);
                        ready &= voice.prepare(note, samples, &call.context.rates);
                    }
                    Lookup::Awaited => ready = false,
                    Lookup::Refused => {}
                }
            }
            let Some(patience) = call.patience else { return };
            if ready {
                return;
            }
            self.end.flush();
            if !patience.wait_for_news() {
                call.patience = None;
            }
            self.receive();
        }
    }

    /// Applies the gain, drops what is subnormal or not a number, and copies left to right.
    fn put_out(&mut self, left: &mut [f32], right: &mut [f32], settings: &Settings, rates: &Rates) {
        let goal = if settings.gain.is_finite() {
            settings.gain.max(0.0)
        } else {
            0.0
        };
        let mut gain = self.gain.unwrap_or(goal);
        let mut peak = 0.0f32;
        for (left, right) in left.iter_mut().zip(right) {
            if gain != goal {
                gain += (goal - gain) * rates.smoothing as f32;
                if (goal - gain).abs() < 1e-6 {
                    gain = goal;
                }
            }
            let sample = *left * gain;
            *left = if sample.is_normal() { sample } else { 0.0 };
            *right = *left;
            peak = peak.max(left.abs());
        }
        self.gain = Some(gain);
        self.meters.raise_peaks(peak, peak);
    }

    fn update_meters(&mut self) -> Activity {
        let (mut voices, mut waiting, mut dying, mut keys) = (0, 0, 0, 0u128);
        for voice in self.polyphony.all() {
            voices += u32::from(voice.is_live());
            waiting += u32::from(voice.is_waiting());
            dying += u32::from(voice.state == VoiceState::Dying);
            if voice.held {
                keys |= 1 << voice.key;
            }
        }
        self.meters.set_voices(voices - waiting, waiting);
        self.meters.set_held_keys(keys);
        if voices - waiting + dying > 0 {
            Activity::Sounding
        } else if waiting > 0 {
            Activity::Waiting
        } else {
            Activity::Silent
        }
    }
}

/// Adds one run of a voice to `out`; returns where it was over, if it was.
fn play_voice(
    voice: &mut Voice,
    table: &NoteTable,
    meters: &Meters,
    context: &VoiceContext,
    scratch: &mut VoiceScratch,
    out: &mut [f32],
) -> Option<usize> {
    let note = match table.lookup(voice.slot) {
        Lookup::Note(note) => note,
        Lookup::Awaited => return None,
        Lookup::Refused => {
            meters.count_refused();
            return Some(0);
        }
    };
    if voice.state == VoiceState::Waiting {
        // In this order: a length read after the end was seen is final.
        let complete = note.is_finished() || note.is_failed();
        if note.available() > 0 {
            voice.begin();
        } else if complete {
            meters.count_refused();
            return Some(0);
        } else {
            return None;
        }
    }
    let outcome = voice.play(note, context, scratch, out);
    for _ in 0..outcome.underruns {
        meters.count_underrun();
    }
    outcome.over_at
}

/// The key is up: into the release. A voice that still waits ends without having sounded.
fn let_go(voice: &mut Voice, table: &mut NoteTable, end: &mut AudioEnd, call: &mut Call<'_>, at: usize) {
    if voice.state == VoiceState::Waiting {
        finish(voice, table, end, call, at);
    } else {
        voice.release();
    }
}

/// Fades the voice out within 10 ms and tells its end now.
fn silence(voice: &mut Voice, table: &mut NoteTable, end: &mut AudioEnd, call: &mut Call<'_>, at: usize) {
    if voice.state == VoiceState::Waiting {
        finish(voice, table, end, call, at);
    } else {
        call.end_note(at, voice.address);
        voice.kill();
    }
}

/// Frees the voice, and tells its end unless that was told when it was silenced.
fn finish(voice: &mut Voice, table: &mut NoteTable, end: &mut AudioEnd, call: &mut Call<'_>, at: usize) {
    if voice.state != VoiceState::Dying {
        call.end_note(at, voice.address);
    }
    table.release(voice.slot, end);
    *voice = Voice::free();
}
