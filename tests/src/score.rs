//! What a host plays to the plugin: notes, controllers and automation on a time line in samples.

use clack_host::events::Match;
use clack_host::events::event_types::{
    MidiEvent, NoteChokeEvent, NoteExpressionEvent, NoteExpressionType, NoteOffEvent, NoteOnEvent,
    ParamModEvent, ParamValueEvent,
};
use clack_host::events::io::EventBuffer;
use clack_host::prelude::*;
use clack_host::utils::ClapId;

/// One event of a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScoreEvent {
    /// A key goes down; `note_id` is the host's own number for the note.
    NoteOn {
        /// Host's number.
        note_id: u32,
        /// MIDI key.
        key: u16,
        /// 0..1
        velocity: f64,
    },
    /// The key of that note goes up.
    NoteOff {
        /// Host's number.
        note_id: u32,
        /// MIDI key.
        key: u16,
    },
    /// The note ends at once.
    Choke {
        /// Host's number.
        note_id: u32,
        /// MIDI key.
        key: u16,
    },
    /// A MIDI message, e.g. a controller.
    Midi([u8; 3]),
    /// An expression of one note.
    Expression {
        /// Host's number.
        note_id: u32,
        /// MIDI key.
        key: u16,
        /// Which.
        kind: NoteExpressionType,
        /// In the expression's range.
        value: f64,
    },
    /// A parameter is modulated, for one note or for all.
    Modulation {
        /// Whose.
        id: ClapId,
        /// Host's number of the note; `None` for all.
        note_id: Option<u32>,
        /// Added to the value, in the parameter's range.
        amount: f64,
    },
    /// A parameter takes a value.
    Parameter {
        /// Whose.
        id: ClapId,
        /// In the parameter's range.
        value: f64,
    },
}

/// Events on a time line, and how long to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    sample_rate_hz: f64,
    length_samples: usize,
    /// Sorted by time; of one time, in the order they were added.
    events: Vec<(usize, ScoreEvent)>,
    notes: u32,
}

impl Score {
    /// An empty score of `seconds`.
    pub fn new(sample_rate_hz: f64, seconds: f64) -> Self {
        let length_samples = (seconds * sample_rate_hz).round() as usize;
        Self {
            sample_rate_hz,
            length_samples,
            events: Vec::new(),
            notes: 0,
        }
    }

    /// Samples a second.
    pub fn sample_rate_hz(&self) -> f64 {
        self.sample_rate_hz
    }

    /// Length in samples.
    pub fn length_samples(&self) -> usize {
        self.length_samples
    }

    /// Note ons so far.
    pub fn notes(&self) -> u32 {
        self.notes
    }

    /// The events, by time in samples.
    pub fn events(&self) -> &[(usize, ScoreEvent)] {
        &self.events
    }

    /// Index of the sample at a time in seconds.
    pub fn sample_at(&self, seconds: f64) -> usize {
        (seconds * self.sample_rate_hz).round() as usize
    }

    /// Adds an event at a sample.
    pub fn add(&mut self, at_sample: usize, event: ScoreEvent) -> &mut Self {
        let position = self.events.partition_point(|&(time, _)| time <= at_sample);
        self.events.insert(position, (at_sample, event));
        self
    }

    /// A key goes down at a sample and stays down; gives the note's number.
    pub fn note_on(&mut self, at_sample: usize, key: u16, velocity: f64) -> u32 {
        let note_id = self.notes;
        self.notes += 1;
        self.add(
            at_sample,
            ScoreEvent::NoteOn {
                note_id,
                key,
                velocity,
            },
        );
        note_id
    }

    /// A note from `start_s` for `length_s` seconds; gives its number.
    pub fn note(&mut self, key: u16, velocity: f64, start_s: f64, length_s: f64) -> u32 {
        let note_id = self.note_on(self.sample_at(start_s), key, velocity);
        self.add(
            self.sample_at(start_s + length_s),
            ScoreEvent::NoteOff { note_id, key },
        );
        note_id
    }

    /// A parameter moves in a straight line, with a point each `step_s` seconds, both ends included.
    pub fn ramp(&mut self, id: ClapId, from: (f64, f64), to: (f64, f64), step_s: f64) -> &mut Self {
        let steps = ((to.0 - from.0) / step_s).round().max(1.0) as usize;
        for step in 0..=steps {
            let share = step as f64 / steps as f64;
            let seconds = from.0 + share * (to.0 - from.0);
            let value = from.1 + share * (to.1 - from.1);
            self.add(self.sample_at(seconds), ScoreEvent::Parameter { id, value });
        }
        self
    }

    /// The events from `start` up to `end` (in samples), with times counted from `start`.
    pub(crate) fn block(&self, start: usize, end: usize, buffer: &mut EventBuffer) {
        buffer.clear();
        let first = self.events.partition_point(|&(time, _)| time < start);
        for &(time, event) in self.events[first..].iter().take_while(|&&(time, _)| time < end) {
            let offset = u32::try_from(time - start).expect("a block is shorter than 2^32 samples");
            let note = |note_id: u32, key: u16| Pckn::new(0_u16, 0_u16, key, note_id);
            match event {
                ScoreEvent::NoteOn {
                    note_id,
                    key,
                    velocity,
                } => {
                    buffer.push(&NoteOnEvent::new(offset, note(note_id, key), velocity));
                }
                ScoreEvent::NoteOff { note_id, key } => {
                    buffer.push(&NoteOffEvent::new(offset, note(note_id, key), 0.0));
                }
                ScoreEvent::Choke { note_id, key } => {
                    buffer.push(&NoteChokeEvent::new(offset, note(note_id, key)));
                }
                ScoreEvent::Midi(message) => buffer.push(&MidiEvent::new(offset, 0, message)),
                ScoreEvent::Expression {
                    note_id,
                    key,
                    kind,
                    value,
                } => {
                    buffer.push(&NoteExpressionEvent::new(offset, note(note_id, key), kind, value));
                }
                ScoreEvent::Modulation { id, note_id, amount } => {
                    let mut notes = Pckn::match_all();
                    if let Some(note_id) = note_id {
                        notes.note_id = Match::Specific(note_id);
                    }
                    buffer.push(&ParamModEvent::new(offset, id, notes, amount));
                }
                ScoreEvent::Parameter { id, value } => {
                    buffer.push(&ParamValueEvent::new(offset, id, Pckn::match_all(), value));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_hold_each_event_once_and_in_order() {
        let mut score = Score::new(48_000.0, 0.1);
        score.note(60, 1.0, 0.0, 0.05);
        score.note(64, 1.0, 0.0, 0.0999);
        score.ramp(ClapId::new(7), (0.0, 0.0), (0.1, 1.0), 0.001);
        for size in [1, 32, 333, 4800] {
            let (mut times, mut buffer) = (Vec::new(), EventBuffer::new());
            for start in (0..score.length_samples()).step_by(size) {
                score.block(start, (start + size).min(score.length_samples()), &mut buffer);
                times.extend(buffer.iter().map(|event| start + event.header().time() as usize));
            }
            let expected: Vec<_> = score
                .events()
                .iter()
                .map(|&(time, _)| time)
                .filter(|&time| time < 4800)
                .collect();
            assert_eq!(times, expected, "blocks of {size}");
        }
    }
}
