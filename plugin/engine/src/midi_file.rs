//! A Standard MIDI File as a list of events for the instrument, timed in seconds.
//!
//! Read on a background thread or by the command line, never on the audio thread. Formats 0 and 1 are merged into
//! one list through the file's tempo map; metrical and SMPTE timing are both understood. What the instrument
//! knows comes through: notes, the sustain pedal (CC 64), pitch bend with its range (RPN 0), all sound off
//! (CC 120), reset controllers (CC 121), all notes off (CC 123). The rest of the file is skipped.

use std::fs;
use std::path::Path;

use betwixt_audio::event::{EventKind, NoteAddress};
use midly::{Format, MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};

/// Semitones of pitch bend until the file says otherwise (General MIDI's own).
const DEFAULT_BEND_RANGE_SEMITONES: f32 = 2.0;
/// Microseconds of a quarter note until the file says otherwise (120 beats a minute).
const DEFAULT_TEMPO_US: u32 = 500_000;

/// One event and when it happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedEvent {
    /// Seconds from the start of the file.
    pub seconds: f64,
    /// What happens.
    pub kind: EventKind,
}

/// All that a MIDI file says to the instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct MidiFile {
    /// Sorted by time; events at one time are in the file's order.
    pub events: Vec<TimedEvent>,
    /// When the last track ends.
    pub length_seconds: f64,
}

/// Why a MIDI file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MidiFileError {
    /// The file could not be opened.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No MIDI file at all.
    #[error("not a MIDI file: {0}")]
    NotMidi(String),
    /// The file ends inside a chunk.
    #[error("truncated MIDI file: chunk {index} says it holds {expected} bytes, {found} are left")]
    Truncated {
        /// Chunk, the header being 0.
        index: usize,
        /// Bytes its head promises.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A timing that gives no seconds.
    #[error("the MIDI file's division is {0}: expected a number of ticks above 0")]
    Division(u16),
    /// A frame rate that there is not.
    #[error("the MIDI file's frame rate is {0}: expected 24, 25, 29 or 30")]
    FrameRate(u8),
    /// Format 2: several songs in a file.
    #[error("MIDI format 2 (several songs in one file) is not understood: save it as format 0 or 1")]
    SeveralSongs,
}

impl MidiFile {
    /// Reads a `.mid` file.
    ///
    /// # Errors
    /// The file cannot be opened, is none, is cut off, or is of format 2.
    pub fn read(path: &Path) -> Result<Self, MidiFileError> {
        let bytes = fs::read(path).map_err(|source| MidiFileError::Io {
            path: path.display().to_string(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Parses the bytes of a `.mid` file.
    ///
    /// # Errors
    /// As [`MidiFile::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MidiFileError> {
        check_chunks(bytes)?;
        let file = Smf::parse(bytes).map_err(|error| MidiFileError::NotMidi(error.to_string()))?;
        if file.header.format == Format::Sequential && file.tracks.len() > 1 {
            return Err(MidiFileError::SeveralSongs);
        }
        let clock = Clock::new(file.header.timing)?;
        let mut merged = Vec::new();
        let mut end_ticks = 0;
        for track in &file.tracks {
            let mut ticks = 0_u64;
            for event in track {
                ticks += u64::from(event.delta.as_int());
                merged.push((ticks, event.kind));
            }
            end_ticks = end_ticks.max(ticks);
        }
        // Stable: what stands together in the file stays in its order.
        merged.sort_by_key(|&(ticks, _)| ticks);

        let mut clock = clock;
        let mut channels = [ChannelState::default(); 16];
        let mut events = Vec::new();
        for (ticks, kind) in merged {
            let seconds = clock.advance(ticks);
            match kind {
                TrackEventKind::Meta(MetaMessage::Tempo(us)) => clock.set_tempo(us.as_int()),
                TrackEventKind::Midi { channel, message } => {
                    let state = &mut channels[usize::from(channel.as_int())];
                    state.translate(channel.as_int(), message, |kind| {
                        events.push(TimedEvent { seconds, kind })
                    });
                }
                _ => {}
            }
        }
        Ok(Self {
            events,
            length_seconds: clock.advance(end_ticks),
        })
    }
}

/// Ticks to seconds, moving forward only.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// Ticks a quarter note, or none where ticks are fractions of a second.
    ticks_per_quarter: Option<f64>,
    seconds_per_tick: f64,
    at_ticks: u64,
    at_seconds: f64,
}

impl Clock {
    fn new(timing: Timing) -> Result<Self, MidiFileError> {
        let (ticks_per_quarter, seconds_per_tick) = match timing {
            Timing::Metrical(ticks) if ticks.as_int() == 0 => return Err(MidiFileError::Division(0)),
            Timing::Metrical(ticks) => {
                let ticks = f64::from(ticks.as_int());
                (Some(ticks), f64::from(DEFAULT_TEMPO_US) * 1e-6 / ticks)
            }
            Timing::Timecode(_, 0) => return Err(MidiFileError::Division(0)),
            Timing::Timecode(fps, subframes) => (None, 1.0 / f64::from(fps.as_f32()) / f64::from(subframes)),
        };
        Ok(Self {
            ticks_per_quarter,
            seconds_per_tick,
            at_ticks: 0,
            at_seconds: 0.0,
        })
    }

    fn advance(&mut self, ticks: u64) -> f64 {
        self.at_seconds += (ticks - self.at_ticks) as f64 * self.seconds_per_tick;
        self.at_ticks = ticks;
        self.at_seconds
    }

    fn set_tempo(&mut self, us_per_quarter: u32) {
        if let Some(ticks) = self.ticks_per_quarter {
            self.seconds_per_tick = f64::from(us_per_quarter) * 1e-6 / ticks;
        }
    }
}

/// What a channel remembers between messages.
#[derive(Debug, Clone, Copy)]
struct ChannelState {
    /// Registered parameter number chosen by CC 101 and 100; `None` while a non-registered one is.
    parameter: Option<(u8, u8)>,
    bend_range_semitones: f32,
    /// Position of the wheel, -1 to 1.
    bend: f32,
}

impl Default for ChannelState {
    fn default() -> Self {
        Self {
            parameter: Some((127, 127)),
            bend_range_semitones: DEFAULT_BEND_RANGE_SEMITONES,
            bend: 0.0,
        }
    }
}

impl ChannelState {
    fn translate(&mut self, channel: u8, message: MidiMessage, mut emit: impl FnMut(EventKind)) {
        let address = |key: u8| NoteAddress::midi(channel, key);
        match message {
            MidiMessage::NoteOn { key, vel } if vel.as_int() > 0 => emit(EventKind::NoteOn {
                address: address(key.as_int()),
                velocity: f32::from(vel.as_int()) / 127.0,
            }),
            MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
                emit(EventKind::NoteOff {
                    address: address(key.as_int()),
                });
            }
            MidiMessage::PitchBend { bend } => {
                self.bend = bend.as_f32();
                emit(self.pitch_bend(channel));
            }
            MidiMessage::Controller { controller, value } => {
                let value = value.as_int();
                match controller.as_int() {
                    6 if self.parameter == Some((0, 0)) => {
                        self.bend_range_semitones = f32::from(value) + self.bend_range_semitones.fract();
                        emit(self.pitch_bend(channel));
                    }
                    38 if self.parameter == Some((0, 0)) => {
                        let cents = f32::from(value.min(99));
                        self.bend_range_semitones = self.bend_range_semitones.trunc() + cents / 100.0;
                        emit(self.pitch_bend(channel));
                    }
                    64 => emit(EventKind::Sustain {
                        channel,
                        down: value >= 64,
                    }),
                    98 | 99 => self.parameter = None,
                    100 => self.parameter = Some((self.parameter.map_or(127, |(high, _)| high), value)),
                    101 => self.parameter = Some((value, self.parameter.map_or(127, |(_, low)| low))),
                    120 => emit(EventKind::AllSoundOff),
                    121 => {
                        self.bend = 0.0;
                        emit(self.pitch_bend(channel));
                        emit(EventKind::Sustain { channel, down: false });
                    }
                    123 => emit(EventKind::AllNotesOff),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn pitch_bend(&self, channel: u8) -> EventKind {
        EventKind::PitchBend {
            channel,
            semitones: self.bend * self.bend_range_semitones,
        }
    }
}

/// Walks the chunks' heads, so that a file that was cut off is told as such: the parser would take what is left.
fn check_chunks(bytes: &[u8]) -> Result<(), MidiFileError> {
    if !bytes.starts_with(b"MThd") {
        return Err(MidiFileError::NotMidi("expected it to begin with `MThd`".into()));
    }
    let mut rest = bytes;
    let mut index = 0;
    while rest.len() >= 8 {
        let expected = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
        let found = rest.len() - 8;
        if found < expected {
            return Err(MidiFileError::Truncated {
                index,
                expected,
                found,
            });
        }
        // midly negates the frame rate in a byte, which overflows (found by fuzzing).
        if rest.starts_with(b"MThd") && expected >= 6 && rest[12] == 0x80 {
            return Err(MidiFileError::FrameRate(128));
        }
        rest = &rest[8 + expected..];
        index += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use midly::num::{u4, u7, u15, u24, u28};
    use midly::{Header, Track, TrackEvent};
    use proptest::prelude::*;

    fn midi(delta: u32, message: MidiMessage) -> TrackEvent<'static> {
        TrackEvent {
            delta: u28::new(delta),
            kind: TrackEventKind::Midi {
                channel: u4::new(1),
                message,
            },
        }
    }

    fn control(delta: u32, controller: u8, value: u8) -> TrackEvent<'static> {
        midi(
            delta,
            MidiMessage::Controller {
                controller: u7::new(controller),
                value: u7::new(value),
            },
        )
    }

    fn note_on(delta: u32, key: u8, velocity: u8) -> TrackEvent<'static> {
        midi(
            delta,
            MidiMessage::NoteOn {
                key: u7::new(key),
                vel: u7::new(velocity),
            },
        )
    }

    fn meta(delta: u32, message: MetaMessage<'static>) -> TrackEvent<'static> {
        TrackEvent {
            delta: u28::new(delta),
            kind: TrackEventKind::Meta(message),
        }
    }

    fn file(tracks: Vec<Track<'static>>) -> Vec<u8> {
        let smf = Smf {
            header: Header::new(Format::Parallel, Timing::Metrical(u15::new(480))),
            tracks,
        };
        let mut bytes = Vec::new();
        smf.write(&mut bytes).unwrap();
        bytes
    }

    fn song() -> Vec<u8> {
        file(vec![
            vec![
                meta(0, MetaMessage::Tempo(u24::new(500_000))),
                meta(960, MetaMessage::Tempo(u24::new(1_000_000))),
                meta(0, MetaMessage::EndOfTrack),
            ],
            vec![
                note_on(480, 60, 127),
                note_on(960, 60, 0),
                meta(480, MetaMessage::EndOfTrack),
            ],
        ])
    }

    #[test]
    fn the_tempo_map_holds_for_all_tracks() {
        let song = MidiFile::from_bytes(&song()).unwrap();
        let times: Vec<f64> = song.events.iter().map(|event| event.seconds).collect();
        assert_eq!(times, [0.5, 2.0]);
        assert_eq!(song.length_seconds, 3.0);
        assert!(matches!(song.events[0].kind, EventKind::NoteOn { velocity, .. } if velocity == 1.0));
        assert!(matches!(song.events[1].kind, EventKind::NoteOff { .. }));
    }

    #[test]
    fn bend_follows_its_registered_range() {
        let bytes = file(vec![vec![
            midi(
                0,
                MidiMessage::PitchBend {
                    bend: midly::PitchBend(midly::num::u14::new(0)),
                },
            ),
            control(0, 101, 0),
            control(0, 100, 0),
            control(0, 6, 12),
            control(0, 38, 50),
            control(0, 121, 0),
        ]]);
        let bends: Vec<f32> = MidiFile::from_bytes(&bytes)
            .unwrap()
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::PitchBend {
                    channel: 1,
                    semitones,
                } => Some(semitones),
                _ => None,
            })
            .collect();
        assert_eq!(bends, [-2.0, -12.0, -12.5, 0.0]);
    }

    #[test]
    fn pedal_and_panic_controllers_come_through() {
        let bytes = file(vec![vec![
            control(0, 64, 127),
            control(1, 64, 0),
            control(1, 120, 0),
            control(1, 123, 0),
        ]]);
        let kinds: Vec<EventKind> = MidiFile::from_bytes(&bytes)
            .unwrap()
            .events
            .into_iter()
            .map(|e| e.kind)
            .collect();
        assert!(matches!(
            kinds[0],
            EventKind::Sustain {
                channel: 1,
                down: true
            }
        ));
        assert!(matches!(
            kinds[1],
            EventKind::Sustain {
                channel: 1,
                down: false
            }
        ));
        assert!(matches!(kinds[2], EventKind::AllSoundOff));
        assert!(matches!(kinds[3], EventKind::AllNotesOff));
    }

    #[test]
    fn other_files_are_refused_with_a_sentence() {
        let message = |bytes: &[u8]| MidiFile::from_bytes(bytes).unwrap_err().to_string();
        assert_eq!(
            message(b"RIFF"),
            "not a MIDI file: expected it to begin with `MThd`"
        );
        let mut stopped = song();
        stopped[12..14].copy_from_slice(&[0, 0]);
        assert_eq!(
            message(&stopped),
            "the MIDI file's division is 0: expected a number of ticks above 0"
        );
    }

    #[test]
    fn every_truncation_of_a_song_is_refused_or_whole_in_time() {
        let whole = song();
        for cut in 0..whole.len() {
            if let Ok(part) = MidiFile::from_bytes(&whole[..cut]) {
                // Only where a chunk ends does a shorter file make sense.
                assert!(part.events.is_empty(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_frame_rate_that_is_none_is_refused() {
        let mut bytes = b"MThd\0\0\0\x06\0\0\0\x01\x80\x28MTrk\0\0\0\x04\0\xff\x2f\0".to_vec();
        let error = MidiFile::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("frame rate is 128"), "{error}");
        bytes[12] = 0xe7; // 25 frames a second
        assert!(MidiFile::from_bytes(&bytes).is_ok());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = MidiFile::from_bytes(&bytes);
        }

        #[test]
        fn a_damaged_song_never_panics_and_stays_sorted(at in 0..200_usize, value in any::<u8>()) {
            let mut bytes = song();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(song) = MidiFile::from_bytes(&bytes) {
                prop_assert!(song.events.is_sorted_by(|a, b| a.seconds <= b.seconds));
                prop_assert!(song.length_seconds.is_finite());
            }
        }
    }
}
