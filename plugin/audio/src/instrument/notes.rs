//! What keys, pedals and controllers do to voices.
//!
//! Runs on the audio thread.

use super::{Call, Instrument};
use crate::cell_play::CellPlay;
use crate::event::{NoteAddress, Target};
use crate::mono::HeldKey;
use crate::moved::Moved;
use crate::note::{NoteKey, Part, PatchId, Strike, VelocityCell};
use crate::settings::{VoiceMode, unit};
use crate::track::Track;
use crate::voice::{Voice, VoiceState};

/// A legato step wider than this is struck anew: sounds bent further are caricatures.
const WIDEST_LEGATO_CENTS: f64 = 2400.0;
/// A glide from further away begins here: the faster a note is read, the sooner it is over, and the more a worker has to do.
const WIDEST_GLIDE_CENTS: f64 = 1200.0;
/// A legato step without a glide takes this long.
const LEGATO_MS: f32 = 8.0;
/// Width under which a note is struck mono.
const LEAST_WIDTH: f32 = 1e-3;

impl Instrument {
    pub(super) fn note_on(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress, velocity: f32) {
        if call.settings.voice_mode == VoiceMode::Poly {
            self.release_same_key(call, at, address);
            let _ = self.strike(call, at, address, velocity);
            return;
        }
        // The key may be down already: struck again, it is another note.
        let same = NoteAddress {
            note_id: None,
            channel: Some(address.channel.unwrap_or(0).min(15)),
            key: Some(address.key.unwrap_or(60).min(127)),
            ..address
        };
        self.lift(call, at, same);
        let is_legato = call.settings.voice_mode == VoiceMode::Legato && self.stock.mono.last().is_some();
        if let Some(crowded) = self.stock.mono.press(address, velocity) {
            end_unless_sounding(call, at, crowded);
        }
        let voices = self.polyphony.all().iter().enumerate();
        let live = voices.filter(|(_, voice)| voice.is_live());
        match live.max_by_key(|(_, voice)| voice.order) {
            Some((index, _)) => self.follow(call, at, index, is_legato),
            None => self.strike_last(call, at),
        }
    }

    /// Keys of the one voice go up; tells the ends of those that do not sound. The voice of what did sound, if that is among
    /// them.
    fn lift(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress) -> Option<u64> {
        let mut sounding = None;
        while let Some(lifted) = self.stock.mono.lift(address) {
            end_unless_sounding(call, at, lifted);
            sounding = lifted.voice.or(sounding);
        }
        sounding
    }

    /// The one voice goes over to the key struck last: bent there, or let go for a new strike. The end of a note whose key is
    /// still down is told when that goes up.
    fn follow(&mut self, call: &mut Call<'_>, at: usize, index: usize, is_legato: bool) {
        let Some(to) = self.stock.mono.last() else { return };
        let target = base_cents(call, to.address);
        let voice = &mut self.polyphony.all()[index];
        let far = (target - f64::from(voice.rendered_cents())).abs() > WIDEST_LEGATO_CENTS;
        let bends = is_legato && !far && voice.state == VoiceState::Playing && !voice.is_ending && voice.held;
        if !self.stock.mono.leave(voice.order) {
            call.end_note(at, voice.address);
        }
        // It kept a voice of its own while many voices played: that one sounds on.
        if to.voice.is_some() {
            return self.silence_told(index);
        }
        if !bends {
            self.silence_told(index);
            return self.strike_last(call, at);
        }
        let rates = call.context.rates;
        let from = base_cents(call, voice.address) + voice.motion.glide_cents();
        voice.name(to.address);
        let samples = rates.samples(call.settings.glide_ms.max(LEGATO_MS));
        voice.motion.glide_from(from - target, samples as u32);
        voice.follows_at_once = true;
        self.stock.mono.last_sounds(voice.order);
        self.last_cents = Some(target);
    }

    /// Takes a voice for the key of the one voice that was struck last.
    fn strike_last(&mut self, call: &mut Call<'_>, at: usize) {
        let Some(last) = self.stock.mono.last() else {
            return;
        };
        match self.strike(call, at, last.address, last.velocity) {
            Some(voice) => self.stock.mono.last_sounds(voice),
            None => self.stock.mono.drop_last(),
        }
    }

    /// Fades a voice out whose note's end is told already, or will be.
    fn silence_told(&mut self, index: usize) {
        let voice = &mut self.polyphony.all()[index];
        if voice.state == VoiceState::Waiting {
            self.stock.leave_tracks(voice);
            *voice = Voice::free();
        } else {
            voice.kill();
        }
    }

    /// Takes a voice for a new note, and gives its order; none if the note ended at once.
    fn strike(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress, velocity: f32) -> Option<u64> {
        while let (None, Some(patience)) = (self.patch, call.patience) {
            if !patience.wait_for_news() {
                call.patience = None;
            }
            self.receive();
        }
        let Some(patch) = self.patch.filter(|patch| patch.occupied.count() > 0) else {
            call.end_note(at, address);
            return None;
        };
        let channel = self.channels[usize::from(address.channel.unwrap_or(0).min(15))];
        let moved = Moved {
            pressure: channel.pressure,
            slide: channel.slide,
            ..Moved::REST
        };
        let cell = patch.velocity_cell(velocity);
        let Some((key, tracks)) = self.tracks(call, patch.id, cell, address, &moved) else {
            self.meters.count_refused();
            call.end_note(at, address);
            return None;
        };
        if let Some(voice) = self.polyphony.victim() {
            self.meters.count_stolen();
            self.stock.silence(voice, call, at);
        }
        let target = base_cents(call, address);
        // There is one: at most 64 of the 96 voices are live.
        let voice = self.polyphony.place()?;
        self.stock.leave_tracks(voice);
        voice.take(address, key, tracks);
        voice.moved = moved;
        voice.velocity = velocity;
        voice.velocity_gain = call.settings.velocity_gain(velocity);
        voice.struck_at = self.clock + at as u64;
        if let Some(last) = self.last_cents
            && call.settings.glide_ms > 0.0
        {
            let samples = call.context.rates.samples(call.settings.glide_ms);
            let from = (last - target).clamp(-WIDEST_GLIDE_CENTS, WIDEST_GLIDE_CENTS);
            voice.motion.glide_from(from, samples as u32);
        }
        self.last_cents = Some(target);
        Some(voice.order)
    }

    /// The rendered notes of a strike, requested if they are not here; none if there is no way to get them now.
    fn tracks(
        &mut self,
        call: &Call<'_>,
        patch: PatchId,
        velocity: VelocityCell,
        address: NoteAddress,
        moved: &Moved,
    ) -> Option<(NoteKey, [Option<Track>; 2])> {
        // Whole semitones of tuning are rendered, the rest is resampled.
        let tuning = f64::from(call.settings.tuning_cents) / 100.0;
        let semitone = f64::from(address.key.unwrap_or(60).min(127)) + tuning.round();
        if let Some(grid) = self.grid {
            let timbre = moved.timbre(call.timbre(), call.settings);
            let key = grid.key(patch, timbre.blend, semitone);
            let slot = self.stock.table.acquire(key, &mut self.stock.end)?;
            return Some((key, [Some(Track::of_cells(slot, CellPlay::new(key))), None]));
        }
        let key = NoteKey {
            patch,
            strike: Strike {
                velocity,
                ..call.settings.strike(moved.timbre(call.timbre(), call.settings))
            },
            part: Part::Mid,
            pitch_cents: (semitone.clamp(0.0, 127.0) * 100.0) as i32,
        };
        let mid = self.stock.table.acquire(key, &mut self.stock.end)?;
        let is_wide = call.settings.width > LEAST_WIDTH;
        let side = is_wide.then_some(NoteKey {
            part: Part::Side,
            ..key
        });
        let side = side.and_then(|key| self.stock.table.acquire(key, &mut self.stock.end));
        Some((key, [Some(Track::new(mid)), side.map(Track::new)]))
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
                self.stock.let_go(voice, call, at);
            }
        }
    }

    pub(super) fn note_off(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress) {
        let sounding = self.lift(call, at, address);
        let mode = call.settings.voice_mode;
        let index = self
            .polyphony
            .all()
            .iter()
            .position(|voice| voice.is_live() && Some(voice.order) == sounding);
        if let Some(index) = index
            && mode != VoiceMode::Poly
            && self.stock.mono.last().is_some()
        {
            self.follow(call, at, index, mode == VoiceMode::Legato);
        }
        for voice in self.polyphony.matching(address) {
            if voice.held && self.channels[usize::from(voice.channel)].sustain {
                voice.held = false;
                voice.sustained = true;
            } else if voice.held {
                self.stock.let_go(voice, call, at);
            }
        }
    }

    pub(super) fn sustain(&mut self, call: &mut Call<'_>, at: usize, channel: u8, down: bool) {
        self.channels[usize::from(channel)].sustain = down;
        if down {
            return;
        }
        for voice in self.polyphony.all() {
            if voice.is_live() && voice.sustained && voice.channel == channel {
                self.stock.let_go(voice, call, at);
            }
        }
    }

    pub(super) fn choke(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress) {
        self.lift(call, at, address);
        for voice in self.polyphony.matching(address) {
            self.stock.silence(voice, call, at);
        }
    }

    pub(super) fn modulate(
        &mut self,
        call: &mut Call<'_>,
        at: usize,
        address: NoteAddress,
        target: Target,
        amount: f32,
    ) {
        let amount = if amount.is_finite() { amount } else { 0.0 };
        self.change_moved(call, at, address, |moved| moved.offsets[target as usize] = amount);
    }

    pub(super) fn pressure(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress, value: f32) {
        let value = unit(value);
        if let Some(channel) = channel_alone(address) {
            self.channels[usize::from(channel)].pressure = value;
        }
        self.change_moved(call, at, address, |moved| moved.pressure = value);
    }

    pub(super) fn slide(&mut self, call: &mut Call<'_>, at: usize, address: NoteAddress, value: f32) {
        let value = unit(value);
        if let Some(channel) = channel_alone(address) {
            self.channels[usize::from(channel)].slide = value;
        }
        self.change_moved(call, at, address, |moved| moved.slide = value);
    }

    /// Moves what is moved of some notes. One that was struck at this very sample is struck again as it is now: hosts send a
    /// note's modulation right after it.
    fn change_moved(
        &mut self,
        call: &mut Call<'_>,
        at: usize,
        address: NoteAddress,
        change: impl Fn(&mut Moved),
    ) {
        let now = self.clock + at as u64;
        for index in 0..self.polyphony.all().len() {
            let voice = &mut self.polyphony.all()[index];
            if !voice.is_live() || !voice.is_meant_by(address) {
                continue;
            }
            change(&mut voice.moved);
            let is_new = voice.state == VoiceState::Waiting && voice.struck_at == now;
            if let Some(key) = voice.note.filter(|_| is_new) {
                self.ask_anew(call, index, key.patch, key.strike.velocity);
            }
        }
    }

    /// Voices that wait ask again, if what there is to ask for has changed.
    pub(super) fn ask_again(&mut self, call: &Call<'_>) {
        if !std::mem::take(&mut self.asks_again) {
            return;
        }
        let Some(patch) = self.patch else { return };
        for index in 0..self.polyphony.all().len() {
            let voice = &self.polyphony.all()[index];
            if voice.state == VoiceState::Waiting {
                let velocity = patch.velocity_cell(voice.velocity);
                self.ask_anew(call, index, patch.id, velocity);
            }
        }
    }

    /// A voice that has not begun asks for its note as it would be struck now; without room to, it waits on.
    fn ask_anew(&mut self, call: &Call<'_>, index: usize, patch: PatchId, velocity: VelocityCell) {
        let voice = &self.polyphony.all()[index];
        let (moved, own) = (voice.moved, voice.address);
        let Some((key, tracks)) = self.tracks(call, patch, velocity, own, &moved) else {
            return;
        };
        let voice = &mut self.polyphony.all()[index];
        self.stock.leave_tracks(voice);
        (voice.note, voice.tracks) = (Some(key), tracks);
    }
}

/// Tells the end of a note whose key has gone up, unless a voice plays it on.
fn end_unless_sounding(call: &mut Call<'_>, at: usize, key: HeldKey) {
    if key.voice.is_none() {
        call.end_note(at, key.address);
    }
}

/// The pitch of a key without bends and glides, in cents.
fn base_cents(call: &Call<'_>, address: NoteAddress) -> f64 {
    f64::from(address.key.unwrap_or(60).min(127)) * 100.0 + f64::from(call.settings.tuning_cents)
}

/// The channel of an address that names nothing else.
fn channel_alone(address: NoteAddress) -> Option<u8> {
    let is_alone = address.note_id.is_none() && address.key.is_none();
    address.channel.filter(|_| is_alone).map(|channel| channel & 15)
}
