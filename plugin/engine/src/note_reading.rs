//! The reading of a note's sounds while its timbre changes: what the decoder is told at each frame of a run.
//!
//! Made by the scheduler, moved on by whichever worker renders the note. What a frame is told depends on the note and on
//! the timbres that it was steered to, chunk by chunk, and not on how runs are cut.

use betwixt_audio::timbre::Timbre;

use crate::blended_note::BlendedNote;
use crate::decoder::Conditioning;
use crate::heat::Movement;
use crate::playhead::Playhead;

/// Summed steps of a playhead that should meet are this close.
const ROUNDING_FRAMES: f64 = 1e-6;

/// A note as far as it is read. Frame f lies at the end of the f-th hop, so that a chunk's last frame is where the next
/// chunk begins.
#[derive(Debug, Clone)]
pub(crate) struct NoteReading {
    note: BlendedNote,
    movement: Movement,
    /// The decoder frame up to which all is settled.
    border: usize,
    /// At the border.
    playhead: Playhead,
    /// The decoder frame at which it was last steered,
    turn: usize,
    /// the timbre that it had there,
    from: Timbre,
    /// and the one that it has so many frames later, and from there on.
    to: Timbre,
    span_frames: usize,
}

impl NoteReading {
    /// Before the note's beginning, as it was struck; `seed` moves it unless it was struck with another.
    pub(crate) fn new(note: BlendedNote, seed: u64) -> Self {
        let timbre = note.struck_timbre();
        Self {
            movement: note.movement(seed),
            border: 0,
            playhead: note.beginning(),
            turn: 0,
            from: timbre,
            to: timbre,
            span_frames: 0,
            note,
        }
    }

    /// From the border on, evenly to this timbre over so many frames; let go of at the border, if it is now.
    pub(crate) fn steer(&mut self, timbre: Timbre, is_released: bool, span_frames: usize) {
        self.from = self.timbre_at(self.border);
        self.turn = self.border;
        self.to = timbre.bounded();
        self.span_frames = span_frames;
        if is_released {
            self.playhead.release();
        }
    }

    /// Settles so many frames more.
    pub(crate) fn move_on(&mut self, frames: usize) {
        let mut playhead = self.playhead;
        for frame in self.border + 1..=self.border + frames {
            self.step(&mut playhead, frame);
        }
        self.playhead = playhead;
        self.border += frames;
    }

    /// Chunks until it has ended by itself, at least 1; none if that is more than `most` away.
    pub(crate) fn chunks_to_end(&self, most: usize, frames_per_chunk: usize) -> Option<usize> {
        let mut playhead = self.playhead;
        for chunk in 1..=most {
            let last = self.border + chunk * frames_per_chunk;
            for frame in last - frames_per_chunk + 1..=last {
                self.step(&mut playhead, frame);
            }
            let end = self
                .note
                .end(&playhead, &self.timbre_at(last), self.seconds(last));
            if end.is_some_and(|end| playhead.position() >= end - ROUNDING_FRAMES) {
                return Some(chunk);
            }
        }
        None
    }

    /// Frames from its border to its end if nothing changes, about; none if it is held as long as the key.
    pub(crate) fn length_frames(&self) -> Option<usize> {
        let mut playhead = self.playhead;
        let held_until = self.note.hold().map_or(self.border, |hold| hold.release_frame);
        for frame in self.border + 1..=held_until {
            self.step(&mut playhead, frame);
        }
        // The beginning of another corner is over by then.
        let end = self.note.end(&playhead, &self.to, f64::INFINITY)?;
        let rate = self.note.rate(&self.to, playhead.is_released());
        let left = ((end - playhead.position()) / rate).ceil().max(0.0) as usize;
        Some(held_until.max(self.border) - self.border + left)
    }

    fn step(&self, playhead: &mut Playhead, frame: usize) {
        if self.note.hold().is_some_and(|hold| hold.release_frame == frame) {
            playhead.release();
        }
        let rate = self.note.rate(&self.timbre_at(frame), playhead.is_released());
        playhead.advance(rate);
    }

    fn timbre_at(&self, frame: usize) -> Timbre {
        let into = frame.saturating_sub(self.turn);
        if into >= self.span_frames {
            self.to
        } else if into == 0 {
            self.from
        } else {
            self.from.towards(self.to, into as f32 / self.span_frames as f32)
        }
    }

    fn seconds(&self, frame: usize) -> f64 {
        frame as f64 * self.note.frame_seconds()
    }
}

impl Conditioning for NoteReading {
    fn read(&self, first_frame: usize, embedding: &mut [f32], pitch: &mut [f32]) {
        pitch.fill(self.note.pitch());
        let mut playhead = self.playhead;
        for frame in self.border + 1..first_frame {
            self.step(&mut playhead, frame);
        }
        for (index, vector) in embedding.chunks_exact_mut(self.note.dims()).enumerate() {
            let frame = first_frame + index;
            if frame > self.border {
                self.step(&mut playhead, frame);
            }
            let (timbre, seconds) = (self.timbre_at(frame), self.seconds(frame));
            self.note
                .read_at(&playhead, &timbre, Some(self.movement), seconds, vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blended_note::Hold;
    use crate::embedding::{Embedding, LoopRegion};
    use crate::sound::Sound;
    use proptest::prelude::*;
    use std::sync::Arc;

    const FRAMES_PER_CHUNK: usize = 2;

    /// A sound whose first value is its embedding frame and whose second is nothing.
    fn ramp(frames: usize, loop_region: Option<LoopRegion>) -> Option<Arc<Sound>> {
        let values = (0..frames).flat_map(|i| [i as f32, 0.0]).collect();
        Some(Arc::new(Sound {
            embedding: Embedding::new(2, values).unwrap(),
            ..crate::blended_note::tests::sound(1, 0.0, loop_region)
        }))
    }

    fn reading(frames: usize, loop_region: Option<LoopRegion>) -> NoteReading {
        let corners = [ramp(frames, loop_region), None, None, None];
        let note = BlendedNote::on_pad(&corners, 60.0, 2, 1).unwrap();
        NoteReading::new(note.with_measured_dims(Some(0), None), 3)
    }

    #[test]
    fn a_whole_note_is_held_through_its_loop_and_goes_on_to_its_ending() {
        let region = LoopRegion {
            start_frame: 10,
            end_frame: 60,
        };
        let corners = [ramp(80, Some(region)), None, None, None];
        let note = BlendedNote::on_pad(&corners, 60.0, 2, 1).unwrap().whole();
        let hold = Hold {
            steady_frame: 11,
            release_frame: 60,
        };
        assert_eq!(note.hold(), Some(hold));
        let mut whole = NoteReading::new(note, 3);
        let frames = whole.length_frames().unwrap();
        assert!((79..=81).contains(&frames), "{frames}");
        let mut chunks = 0;
        while whole.chunks_to_end(1, FRAMES_PER_CHUNK).is_none() {
            whole.move_on(FRAMES_PER_CHUNK);
            chunks += 1;
        }
        let ended = (chunks + 1) * FRAMES_PER_CHUNK;
        assert!(ended.abs_diff(frames) <= FRAMES_PER_CHUNK, "{ended} for {frames}");
        // A loop that is too short to be looped in the audio is swung in for longer.
        let short = [ramp(80, LOOPED), None, None, None];
        let hold = BlendedNote::on_pad(&short, 60.0, 2, 1)
            .unwrap()
            .whole()
            .hold()
            .unwrap();
        assert!(hold.release_frame - hold.steady_frame >= 37, "{hold:?}");
        let ending = [ramp(80, None), None, None, None];
        assert_eq!(
            BlendedNote::on_pad(&ending, 60.0, 2, 1).unwrap().whole().hold(),
            None
        );
    }

    const LOOPED: Option<LoopRegion> = Some(LoopRegion {
        start_frame: 10,
        end_frame: 14,
    });

    /// What the next chunks are told, each with its own timbre.
    fn told(reading: &mut NoteReading, chunks: &[Timbre], is_released: bool) -> Vec<f32> {
        let mut all = Vec::new();
        for timbre in chunks {
            reading.steer(*timbre, is_released, FRAMES_PER_CHUNK);
            all.extend(next(reading, FRAMES_PER_CHUNK));
        }
        all
    }

    /// The first values of the next frames.
    fn next(reading: &mut NoteReading, frames: usize) -> Vec<f32> {
        let (mut embedding, mut pitch) = (vec![0.0; 2 * frames], vec![0.0; frames]);
        // The pitch's dimension is kept within 1: read the sound itself.
        let unbounded = NoteReading {
            note: reading.note.clone().with_measured_dims(None, None),
            ..reading.clone()
        };
        unbounded.read(reading.border + 1, &mut embedding, &mut pitch);
        reading.move_on(frames);
        embedding.iter().step_by(2).copied().collect()
    }

    #[test]
    fn stretch_halves_the_rate_and_freeze_stands_still() {
        let slow = Timbre {
            stretch: 2.0,
            ..Timbre::default()
        };
        let frozen = Timbre {
            is_frozen: true,
            ..Timbre::default()
        };
        let mut reading = reading(100, None);
        assert_eq!(told(&mut reading, &[Timbre::default()], false), [1.0, 2.0]);
        // Half way to half the speed over the first chunk.
        let turning = told(&mut reading, &[slow], false);
        assert!(
            (turning[0] - 2.707).abs() < 1e-3 && (turning[1] - 3.207).abs() < 1e-3,
            "{turning:?}"
        );
        let halved = told(&mut reading, &[slow; 2], false);
        assert!(
            halved
                .windows(2)
                .all(|pair| (pair[1] - pair[0] - 0.5).abs() < 1e-5),
            "{halved:?}"
        );
        let still = told(&mut reading, &[frozen; 3], false);
        assert!(still.iter().all(|value| *value == halved[3]), "{still:?}");
        assert_eq!(reading.chunks_to_end(1000, FRAMES_PER_CHUNK), None);
    }

    #[test]
    fn a_released_note_goes_to_its_own_ending_even_when_frozen() {
        let region = LoopRegion {
            start_frame: 4,
            end_frame: 10,
        };
        let mut reading = reading(20, Some(region));
        let held = told(&mut reading, &[Timbre::default(); 20], false);
        assert!(
            held[10..].iter().all(|value| (4.0 - 0.1..=10.1).contains(value)),
            "{held:?}"
        );
        assert_eq!(reading.chunks_to_end(1000, FRAMES_PER_CHUNK), None);
        let frozen = Timbre {
            is_frozen: true,
            ..Timbre::default()
        };
        let ending = told(&mut reading, &[frozen; 3], true);
        assert!((ending[5] - 16.0).abs() < 0.1, "{ending:?}");
        assert_eq!(reading.chunks_to_end(1000, FRAMES_PER_CHUNK), Some(2));
    }

    #[test]
    fn movement_in_the_loop_begins_gently_and_is_repeatable() {
        let region = LoopRegion {
            start_frame: 4,
            end_frame: 6,
        };
        let way = |seed| {
            let corners = [ramp(20, Some(region)), None, None, None];
            let note = BlendedNote::on_pad(&corners, 60.0, 2, 1).unwrap();
            let reading = NoteReading::new(note, seed);
            let (mut embedding, mut pitch) = (vec![0.0; 400], vec![0.0; 200]);
            reading.read(0, &mut embedding, &mut pitch);
            embedding.iter().skip(1).step_by(2).copied().collect::<Vec<f32>>()
        };
        let first = way(1);
        let largest = |values: &[f32]| values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert_eq!(largest(&first[..7]), 0.0, "before the loop nothing moves");
        assert!(largest(&first[7..12]) < 0.006, "it fades in");
        assert!(
            (0.005..0.04).contains(&largest(&first[60..])),
            "{}",
            largest(&first[60..])
        );
        assert_eq!(first, way(1));
        assert!(first != way(2));
    }

    #[test]
    fn a_note_of_another_speed_is_as_much_longer() {
        let mut reading = reading(40, None);
        assert_eq!(reading.length_frames(), Some(40));
        assert_eq!(reading.chunks_to_end(100, FRAMES_PER_CHUNK), Some(20));
        reading.to.stretch = 0.25;
        assert_eq!(reading.length_frames(), Some(10));
        assert_eq!(reading.chunks_to_end(100, FRAMES_PER_CHUNK), Some(5));
    }

    proptest! {
        #[test]
        fn what_is_told_does_not_depend_on_how_runs_are_cut(
            cuts in prop::collection::vec(1_usize..9, 1..12), stretch in 0.1_f32..10.0, heat in 0.0_f32..1.0,
        ) {
            let region = LoopRegion { start_frame: 4, end_frame: 10 };
            let timbre = Timbre { stretch, heat, ..Timbre::default() };
            let mut cut = reading(20, Some(region));
            cut.steer(timbre, false, 12);
            let mut whole = cut.clone();
            let pieces: Vec<f32> = cuts.iter().flat_map(|frames| next(&mut cut, *frames)).collect();
            let at_once = next(&mut whole, cuts.iter().sum());
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&pieces), bits(&at_once));
        }
    }
}
