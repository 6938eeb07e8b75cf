//! The instrument: what a host or a bounce drives, block by block.
//!
//! Runs on the audio thread. Between two events it plays runs of at most 128 samples, voice by voice; nothing in it
//! depends on where blocks or runs are cut.

mod notes;
mod playing;

use std::sync::Arc;

use crate::blend::Blend;
use crate::denormals::FlushDenormals;
use crate::envelope::EnvelopeShape;
use crate::event::{Event, EventKind, NoteAddress, NoteEnd};
use crate::grid::Grid;
use crate::link::{AudioEnd, StreamTag, ToAudio};
use crate::meters::Meters;
use crate::mono::MonoKeys;
use crate::note::PatchView;
use crate::note_table::NoteTable;
use crate::polyphony::Polyphony;
use crate::rates::Rates;
use crate::resampler::Resampler;
use crate::settings::Settings;
use crate::stream::StreamReader;
use crate::timbre::Timbre;
use crate::voice::{Voice, VoiceContext, VoiceScratch, VoiceState};

/// Plays rendered notes and streams under MIDI.
#[derive(Debug)]
pub struct Instrument {
    stock: Stock,
    meters: Arc<Meters>,
    polyphony: Polyphony,
    channels: [Channel; 16],
    /// The pitch of the last note, without bends, where a glide begins.
    last_cents: Option<f64>,
    patch: Option<PatchView>,
    /// Where notes are rendered; none if anywhere.
    grid: Option<Grid>,
    /// Voices that wait are to ask again: there is another patch, or another grid.
    asks_again: bool,
    scratch: VoiceScratch,
    next_tag: u64,
    /// Samples played since the last reset.
    clock: u64,
    /// The longest block that may come, or has come live.
    longest_block_samples: usize,
    /// `None` until the instrument is prepared.
    rates: Option<Rates>,
    /// The smoothed output gain and side level; `None` until the first block.
    levels: Option<(f32, f32)>,
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
#[derive(Clone, Copy, Debug)]
struct Channel {
    bend_semitones: f32,
    sustain: bool,
    /// Of its notes to come.
    pressure: f32,
    slide: f32,
}

impl Channel {
    /// Where all rests.
    const REST: Self = Self {
        bend_semitones: 0.0,
        sustain: false,
        pressure: 0.0,
        slide: 0.5,
    };
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
    /// Tells a note's end; whoever plays or waits for its key is to forget it.
    fn end_note(&mut self, at: usize, address: NoteAddress) {
        let offset_samples = at.min(self.block_samples.saturating_sub(1)) as u32;
        (self.ended)(NoteEnd {
            offset_samples,
            address,
        });
    }

    /// The timbre of notes that nothing moves by itself.
    fn timbre(&self) -> Timbre {
        Timbre {
            blend: self.blend,
            ..self.settings.timbre()
        }
    }
}

impl Instrument {
    /// An instrument at the audio thread's end of a link. Silent until [`prepare`](Self::prepare) was called.
    pub fn new(end: AudioEnd, meters: Arc<Meters>) -> Self {
        Self {
            stock: Stock {
                table: NoteTable::new(),
                end,
                mono: MonoKeys::new(),
            },
            meters,
            polyphony: Polyphony::new(),
            channels: [Channel::REST; 16],
            last_cents: None,
            patch: None,
            grid: None,
            asks_again: false,
            scratch: VoiceScratch::new(),
            next_tag: 0,
            clock: 0,
            longest_block_samples: 0,
            rates: None,
            levels: None,
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
        self.longest_block_samples = 0;
        self.reset();
    }

    /// The longest block that the host will ask for at once. One that cuts its blocks where parameters change says so here;
    /// others' are seen as they come. The longer the block, the later a moving blend is heard.
    pub fn expect_blocks(&mut self, longest_samples: usize) {
        self.longest_block_samples = longest_samples;
    }

    /// Silences everything at once and centres all controllers; no note ends are told.
    ///
    /// # Realtime Safety
    /// This method is realtime-safe.
    pub fn reset(&mut self) {
        for voice in self.polyphony.all() {
            self.stock.leave_tracks(voice);
            *voice = Voice::free();
        }
        self.channels = [Channel::REST; 16];
        self.stock.mono.clear();
        self.last_cents = None;
        self.clock = 0;
        self.levels = None;
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
        self.stock.end.flush();
        self.receive();
        let Some(rates) = self.rates else {
            return Activity::Silent;
        };
        let block_samples = left.len().min(right.len());
        if patience.is_none() {
            self.longest_block_samples = self.longest_block_samples.max(block_samples);
        }
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
            self.play(&mut call, at, &mut left[at..offset], &mut right[at..offset]);
            at = offset;
            self.handle(&mut call, at, event.kind);
        }
        self.play(
            &mut call,
            at,
            &mut left[at..block_samples],
            &mut right[at..block_samples],
        );
        self.clock += block_samples as u64;
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
        while let Some(message) = self.stock.end.receive() {
            match message {
                ToAudio::Grant(note) => self.stock.table.grant(note, &mut self.stock.end),
                ToAudio::Retire(key) => self.stock.table.retire(key, &mut self.stock.end),
                ToAudio::Refuse(key) => self.stock.table.refuse(key, &mut self.stock.end),
                ToAudio::Patch(patch) => {
                    self.patch = Some(patch);
                    // A whole note of sounds that have gone is not worth the wait.
                    self.asks_again |= self.grid.is_some();
                }
                ToAudio::Grid(grid) => {
                    self.asks_again |= self.grid != grid;
                    self.grid = grid;
                }
                ToAudio::Stream { tag, reader } => self.receive_stream(tag, reader),
                ToAudio::RefuseStream(tag) => {
                    for voice in self.polyphony.all() {
                        let mut tracks = voice.tracks.iter_mut().flatten();
                        if tracks.any(|track| track.awaits(tag)) {
                            // Middle and side go together or not at all.
                            let tracks = voice.tracks.iter_mut().flatten();
                            tracks.for_each(|track| track.leave_stream(&mut self.stock.end));
                            self.meters.count_degraded();
                            voice.steering.was_refused();
                        }
                    }
                }
            }
        }
    }

    /// Hands a stream to the voice that asked for it, if it still plays.
    fn receive_stream(&mut self, tag: StreamTag, reader: StreamReader) {
        let mut reader = Some(reader);
        for voice in self.polyphony.all() {
            for track in voice.tracks.iter_mut().flatten() {
                reader = reader.take().and_then(|reader| track.receive(tag, reader));
            }
        }
        if let Some(reader) = reader {
            self.stock.end.give_back_stream(reader);
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
            EventKind::Modulate {
                address,
                target,
                amount,
            } => self.modulate(call, at, address, target, amount),
            EventKind::Pressure { address, value } => self.pressure(call, at, address, value),
            EventKind::Slide { address, value } => self.slide(call, at, address, value),
            EventKind::Blend(blend) => call.blend = blend,
        }
    }

    fn update_meters(&mut self) -> Activity {
        let (mut voices, mut waiting, mut dying, mut streams, mut keys) = (0, 0, 0, 0, 0u128);
        for voice in self.polyphony.all() {
            voices += u32::from(voice.is_live());
            waiting += u32::from(voice.is_waiting());
            dying += u32::from(voice.state == VoiceState::Dying);
            streams += u32::from(voice.is_streaming());
            if voice.held {
                keys |= 1 << voice.key;
            }
        }
        self.meters.set_voices(voices - waiting, waiting);
        self.meters.set_streams(streams);
        self.meters.set_held_keys(keys);
        if voices + dying > 0 {
            self.stock.end.stir();
        }
        if voices - waiting + dying > 0 {
            Activity::Sounding
        } else if waiting > 0 {
            Activity::Waiting
        } else {
            Activity::Silent
        }
    }
}

/// What voices have in common: where their notes are from and go back to, and the keys that one voice plays.
#[derive(Debug)]
struct Stock {
    table: NoteTable,
    end: AudioEnd,
    mono: MonoKeys,
}

impl Stock {
    /// Fades the voice out within 10 ms and tells its end now.
    fn silence(&mut self, voice: &mut Voice, call: &mut Call<'_>, at: usize) {
        if voice.state == VoiceState::Waiting {
            self.finish(voice, call, at);
        } else {
            self.mono.forget(voice.order);
            call.end_note(at, voice.address);
            voice.kill();
        }
    }

    /// Frees the voice, and tells its end unless that was told when it was silenced.
    fn finish(&mut self, voice: &mut Voice, call: &mut Call<'_>, at: usize) {
        if voice.state != VoiceState::Dying {
            self.mono.forget(voice.order);
            call.end_note(at, voice.address);
        }
        self.leave_tracks(voice);
        *voice = Voice::free();
    }

    /// The key is up: into the release, or the sound's own ending. A voice that still waits ends without having sounded.
    fn let_go(&mut self, voice: &mut Voice, call: &mut Call<'_>, at: usize) {
        if voice.state == VoiceState::Waiting {
            self.finish(voice, call, at);
        } else if call.settings.own_ending && !call.settings.is_frozen {
            voice.release_to_ending();
        } else {
            voice.release();
        }
    }

    /// Gives back what a voice plays.
    fn leave_tracks(&mut self, voice: &mut Voice) {
        for mut track in voice.tracks.iter_mut().filter_map(Option::take) {
            track.leave(&mut self.table, &mut self.end);
        }
    }
}
