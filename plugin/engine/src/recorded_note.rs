//! Where the note is in a recording: after the silence before it, up to the silence after it or to the next note.
//!
//! Pure numbers, background threads. A note that follows is told by a gap before it, by a jump of the level, or by another
//! pitch that stays. A tremolo, a vibrato, beats and a slow swell are all one note: each rule below says what it asks for beyond
//! what those do.

use std::ops::Range;

use crate::pitch_detect::{self, FramePitch};

/// Longer notes are cut: nothing in them changes any more.
pub const MAX_NOTE_SECONDS: f64 = 20.0;

/// The note begins where the level first comes this close to the loudest.
const ONSET_DB: f64 = -50.0;
/// After the note there is nothing louder than this under the loudest.
const END_DB: f64 = -70.0;
/// A recording quieter than this holds only silence.
const SILENCE_DBFS: f64 = -90.0;
/// Blocks in which beginning and end are looked for.
const BLOCK_SECONDS: f64 = 0.001;

/// What comes before the note reaches this level under the loudest is its lead.
const LEAD_DB: f64 = -20.0;
/// A lead shorter than this is the note's attack.
const LEAD_SECONDS: f64 = 0.15;
/// A lead whose first half is as even as this is the noise of a room; an attack rises.
const EVEN_DB: f64 = 6.0;
/// A note stands out of the noise before it by this.
const ABOVE_NOISE_DB: f64 = 8.0;

/// Step of the levels in which the next note is looked for.
const LEVEL_HOP_SECONDS: f64 = 0.01;
/// Their window: longer than a period of the lowest notes.
const LEVEL_WINDOW_SECONDS: f64 = 0.04;
/// Nothing that comes sooner after a note's beginning is another note.
const SHORTEST_SECONDS: f64 = 0.2;
/// A note follows only where it is as loud as this, against the loudest so far: echoes and noises are quieter.
const NEXT_DB: f64 = -25.0;
/// A gap is this far under the loudest so far…
const GAP_DB: f64 = -40.0;
/// …for as long as this: deep tremolo is shorter.
const GAP_SECONDS: f64 = 0.06;
/// A note that is struck into a sounding one rises by this within a window…
const STRIKE_DB: f64 = 8.0;
/// …and stands above all of the time before it, in which a tremolo would have been as loud,…
const RECENT_SECONDS: f64 = 0.3;
/// …by this.
const ABOVE_RECENT_DB: f64 = 4.0;
/// If it is louder than all before by more than this, what was before was no note but its beginning.
const LEAP_DB: f64 = 10.0;

/// After a gap, what is louder than all before by more than this is the first note: what was before was a noise.
const PRELUDE_DB: f64 = 20.0;

/// Step between the pitches that are compared.
const PITCH_HOP_SECONDS: f64 = 0.06;
/// A pitch stays if so many in a row agree…
const STEADY_FRAMES: usize = 4;
/// …within this…
const STEADY_SEMITONES: f64 = 0.4;
/// …and each is as clear as this: bells, whose partials outlive each other, are not.
const STEADY_CLARITY: f64 = 0.9;
/// Two pitches farther apart than this are two notes.
const STEP_SEMITONES: f64 = 0.75;
/// Frames that a pitch takes to change, because frames overlap.
const CHANGE_FRAMES: usize = 4;
/// Steps that a sound makes by itself when its partials change their balance: to its harmonics, and back.
const HARMONIC_STEPS: [f64; 6] = [12.0, 19.02, 24.0, 27.86, 31.02, 36.0];
const HARMONIC_TOLERANCE: f64 = 0.35;
/// The last frame that is clear may hold so much of the next note.
const MIXED_SECONDS: f64 = 0.05;

/// Why a note ends where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteEnd {
    /// It has died away, or the recording ends.
    Silence,
    /// Another note begins.
    NextNote,
    /// It goes on for longer than [`MAX_NOTE_SECONDS`].
    Limit,
    /// The user said so.
    Given,
}

/// A note in a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedNote {
    /// Its samples.
    pub samples: Range<usize>,
    /// Why they end.
    pub end: NoteEnd,
}

impl RecordedNote {
    /// The first note of a recording; none if there is nothing but silence. With `takes_all` the whole is one note, whatever is in it.
    pub fn find(samples: &[f32], sample_rate_hz: u32, takes_all: bool) -> Option<Self> {
        let mut whole = without_silence(samples, sample_rate_hz)?;
        if takes_all {
            let end = if whole.end == samples.len() {
                NoteEnd::Given
            } else {
                NoteEnd::Silence
            };
            return Some(Self { samples: whole, end });
        }
        let longest = (MAX_NOTE_SECONDS * f64::from(sample_rate_hz)) as usize;
        let (length, reason) = loop {
            let end = whole.end.min(whole.start + longest);
            match next_note(&samples[whole.start..end], sample_rate_hz) {
                Some(next) if next.was_prelude => whole.start += next.at,
                Some(next) => break (next.at, NoteEnd::NextNote),
                None if end < whole.end => break (end - whole.start, NoteEnd::Limit),
                None => break (end - whole.start, NoteEnd::Silence),
            }
        };
        // In a rest before the next note, this one has ended sooner.
        let range = whole.start..whole.start + length;
        let own = without_silence(&samples[range.clone()], sample_rate_hz)?;
        let is_over = own.end < length;
        Some(Self {
            samples: range.start + own.start..range.start + own.end,
            end: if is_over { NoteEnd::Silence } else { reason },
        })
    }
}

/// A recording without the silence, or the even noise, before its beginning, and without what is after its end.
fn without_silence(samples: &[f32], sample_rate_hz: u32) -> Option<Range<usize>> {
    let block = ((BLOCK_SECONDS * f64::from(sample_rate_hz)) as usize).max(1);
    let levels: Vec<f64> = samples.chunks(block).map(rms_db).collect();
    let loudest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if loudest < SILENCE_DBFS {
        return None;
    }
    let first = levels.iter().position(|level| *level > loudest + ONSET_DB)?;
    let last = levels.iter().rposition(|level| *level > loudest + END_DB)?;
    let first = first + noise_blocks(&levels[first..=last], loudest);
    Some(first * block..samples.len().min((last + 1) * block))
}

/// Blocks of even noise that a note comes out of, 0 if it has none before it.
fn noise_blocks(levels: &[f64], loudest: f64) -> usize {
    let Some(lead) = levels.iter().position(|level| *level > loudest + LEAD_DB) else {
        return 0;
    };
    if (lead as f64) * BLOCK_SECONDS < LEAD_SECONDS {
        return 0;
    }
    // Levels of single blocks jump about: of twenty, they do not.
    let smooth: Vec<f64> = levels[..lead].chunks(20).map(mean_db).collect();
    let half = &smooth[..smooth.len().div_ceil(2)];
    let (low, high) = half
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), level| {
            (low.min(*level), high.max(*level))
        });
    if high - low > EVEN_DB {
        return 0;
    }
    let risen = |level: &f64| *level > mean_db(half) + ABOVE_NOISE_DB;
    // What stands out of the noise, and does so until the note is there.
    let noise = smooth
        .iter()
        .rposition(|level| !risen(level))
        .map_or(0, |last| last + 1);
    (noise * 20).min(lead)
}

/// The mean of levels, by power.
fn mean_db(levels: &[f64]) -> f64 {
    let power: f64 = levels.iter().map(|level| 10_f64.powf(level / 10.0)).sum();
    10.0 * (power / levels.len() as f64).log10()
}

/// A note that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NextNote {
    /// Its first sample; never 0.
    at: usize,
    /// Whether what was before it was none: a noise so quiet that it only came before the note.
    was_prelude: bool,
}

/// Where another note begins in one that begins at the first sample, if one does.
fn next_note(samples: &[f32], sample_rate_hz: u32) -> Option<NextNote> {
    let rate = f64::from(sample_rate_hz);
    let by_level = next_by_level(samples, rate);
    // What comes after that need not be looked at.
    let until = by_level.map_or(samples.len(), |next| next.at);
    let by_pitch = next_by_pitch(&samples[..until], sample_rate_hz);
    by_pitch.or(by_level).filter(|next| next.at > 0)
}

/// A note after a gap, or struck into the one that sounds.
fn next_by_level(samples: &[f32], rate: f64) -> Option<NextNote> {
    let hop = ((LEVEL_HOP_SECONDS * rate) as usize).max(1);
    let fine: Vec<f64> = samples.chunks(hop).map(rms_db).collect();
    let blocks = |seconds: f64| (seconds / LEVEL_HOP_SECONDS).round() as usize;
    let window = blocks(LEVEL_WINDOW_SECONDS);
    // Level of the window that begins at a block.
    let levels: Vec<f64> = fine.windows(window).map(mean_db).collect();
    let mut loudest = f64::NEG_INFINITY;
    let (mut quiet_blocks, mut gap_end) = (0, None);
    for at in window..levels.len() {
        loudest = loudest.max(levels[at - window]);
        if fine[at] < loudest + GAP_DB {
            quiet_blocks += 1;
            gap_end = None;
            continue;
        }
        if quiet_blocks >= blocks(GAP_SECONDS) {
            gap_end = Some(at);
        }
        quiet_blocks = 0;
        let ahead = levels[at];
        if at < blocks(SHORTEST_SECONDS) || ahead < loudest + NEXT_DB {
            continue;
        }
        if let Some(end) = gap_end {
            return Some(NextNote {
                at: (end - 1) * hop,
                was_prelude: ahead > loudest + PRELUDE_DB,
            });
        }
        let recent = levels[at.saturating_sub(blocks(RECENT_SECONDS))..=at - window]
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        if ahead > levels[at - window] + STRIKE_DB
            && ahead > recent + ABOVE_RECENT_DB
            && ahead < loudest + LEAP_DB
        {
            // The jump is somewhere in the window.
            let jump = (at..at + window)
                .max_by(|a, b| rise(&fine, *a).total_cmp(&rise(&fine, *b)))
                .unwrap_or(at);
            return Some(NextNote {
                at: (jump - 1) * hop,
                was_prelude: false,
            });
        }
    }
    None
}

/// By how much a block is louder than the one before.
fn rise(levels: &[f64], at: usize) -> f64 {
    levels[at] - levels[at - 1]
}

/// A note that follows without a gap, by its pitch.
fn next_by_pitch(samples: &[f32], sample_rate_hz: u32) -> Option<NextNote> {
    let rate = f64::from(sample_rate_hz);
    let frames = pitch_detect::frames(samples, sample_rate_hz, PITCH_HOP_SECONDS);
    let loudest = frames
        .iter()
        .map(|frame| frame.level_db)
        .fold(f64::NEG_INFINITY, f64::max);
    for end in STEADY_FRAMES..=frames.len().checked_sub(STEADY_FRAMES + CHANGE_FRAMES)? {
        let Some(before) = steady(&frames[end - STEADY_FRAMES..end]) else {
            continue;
        };
        let goes_on = |(midi, clarity): (f64, f64)| {
            clarity >= STEADY_CLARITY && (midi - before).abs() <= 0.5 * STEP_SEMITONES
        };
        if frames[end].pitch.is_some_and(goes_on) {
            continue;
        }
        let later = &frames[end + CHANGE_FRAMES..end + CHANGE_FRAMES + STEADY_FRAMES];
        let is_loud = later.iter().all(|frame| frame.level_db > loudest + NEXT_DB);
        if let Some(after) = steady(later)
            && is_loud
            && is_step((after - before).abs())
        {
            let steady_end = frames[end - 1].start + pitch_detect::frame_samples(sample_rate_hz);
            return Some(NextNote {
                at: steady_end.saturating_sub((MIXED_SECONDS * rate) as usize),
                was_prelude: false,
            });
        }
    }
    None
}

/// The pitch of frames that agree on one.
fn steady(frames: &[FramePitch]) -> Option<f64> {
    let mut pitches = Vec::with_capacity(frames.len());
    for frame in frames {
        let (midi, clarity) = frame.pitch?;
        if clarity < STEADY_CLARITY {
            return None;
        }
        pitches.push(midi);
    }
    pitches.sort_by(f64::total_cmp);
    let spread = pitches.last()? - pitches.first()?;
    (spread <= STEADY_SEMITONES).then_some(pitches[pitches.len() / 2])
}

/// Whether two notes are so many semitones apart, rather than one that changes its colour.
fn is_step(semitones: f64) -> bool {
    semitones >= STEP_SEMITONES
        && HARMONIC_STEPS
            .iter()
            .all(|step| (semitones - step).abs() > HARMONIC_TOLERANCE)
}

/// The rms of samples, in dB of full scale.
pub(crate) fn rms_db(samples: &[f32]) -> f64 {
    let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * (power + 1e-20).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: u32 = 48_000;

    /// A tone whose pitch and level are functions of time.
    fn tone(seconds: f64, midi: impl Fn(f64) -> f64, level: impl Fn(f64) -> f64) -> Vec<f32> {
        let mut phase = 0.0_f64;
        (0..(seconds * f64::from(RATE)) as usize)
            .map(|n| {
                let t = n as f64 / f64::from(RATE);
                phase += 440.0 * ((midi(t) - 69.0) / 12.0).exp2() / f64::from(RATE);
                let sum: f64 = (1..9)
                    .map(|k| (std::f64::consts::TAU * f64::from(k) * phase).sin() / f64::from(k))
                    .sum();
                (0.3 * level(t) * sum) as f32
            })
            .collect()
    }

    fn noise(seconds: f64, level: f32) -> Vec<f32> {
        let mut state = 9_u32;
        (0..(seconds * f64::from(RATE)) as usize)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                level * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
            })
            .collect()
    }

    /// Start and end in seconds, and why it ends.
    fn found(samples: &[f32]) -> (f64, f64, NoteEnd) {
        let note = RecordedNote::find(samples, RATE, false).unwrap();
        let seconds = |n: usize| n as f64 / f64::from(RATE);
        (seconds(note.samples.start), seconds(note.samples.end), note.end)
    }

    /// Quickly up at 0, quickly down at the end.
    fn held(seconds: f64) -> impl Fn(f64) -> f64 {
        move |t| (t / 0.01).min(1.0) * ((seconds - t) / 0.03).clamp(0.0, 1.0)
    }

    #[test]
    fn a_note_alone_is_found_whole() {
        let note = tone(2.0, |_| 60.0, held(2.0));
        let samples = [vec![0.0; 24_000], note, vec![0.0; 48_000]].concat();
        let (start, end, why) = found(&samples);
        assert!(
            (start - 0.5).abs() < 0.005 && (end - 2.5).abs() < 0.01,
            "{start} {end}"
        );
        assert_eq!(why, NoteEnd::Silence);
    }

    #[test]
    fn of_a_scale_with_gaps_the_first_note_is_taken() {
        let mut samples = vec![0.0; 4800];
        for midi in [48.0, 50.0, 52.0, 53.0] {
            samples.extend(tone(1.0, |_| midi, held(1.0)));
            samples.extend(vec![0.0; 9600]);
        }
        let (start, end, _) = found(&samples);
        assert!(
            (start - 0.1).abs() < 0.005 && (end - 1.1).abs() < 0.02,
            "{start} {end}"
        );
    }

    #[test]
    fn of_struck_notes_that_ring_on_the_first_is_taken() {
        let mut samples = Vec::new();
        for midi in [60.0, 60.0, 67.0] {
            samples.extend(tone(0.9, |_| midi, |t| (t / 0.003).min(1.0) * (-3.0 * t).exp()));
        }
        let (start, end, why) = found(&samples);
        assert!(start < 0.01 && (end - 0.9).abs() < 0.03, "{start} {end}");
        assert_eq!(why, NoteEnd::NextNote);
    }

    #[test]
    fn of_notes_that_are_tied_the_first_is_taken() {
        for step in [1.0, -2.0, 5.0, 7.0, -9.0] {
            let samples = tone(3.0, |t| if t < 1.2 { 62.0 } else { 62.0 + step }, held(3.0));
            let (start, end, why) = found(&samples);
            assert!(
                start < 0.01 && (1.05..1.22).contains(&end),
                "{step}: {start} {end}"
            );
            assert_eq!(why, NoteEnd::NextNote, "{step}");
        }
    }

    #[test]
    fn tremolo_vibrato_beats_swells_and_slow_decay_are_one_note() {
        let beat = |hz: f64| move |t: f64| held(4.0)(t) * (std::f64::consts::PI * hz * t + 0.3).cos().abs();
        let shapes: Vec<(&str, Vec<f32>)> = vec![
            (
                "tremolo",
                tone(
                    4.0,
                    |_| 57.0,
                    |t| held(4.0)(t) * (1.0 - 0.9 * (0.5 + 0.5 * (30.0 * t).sin())),
                ),
            ),
            ("vibrato", tone(4.0, |t| 69.0 + 0.8 * (35.0 * t).sin(), held(4.0))),
            ("beats", tone(4.0, |_| 45.0, beat(3.0))),
            ("slow beats", tone(4.0, |_| 45.0, beat(0.7))),
            (
                "swell",
                tone(4.0, |_| 50.0, |t| (t / 3.0).min(1.0).powi(2) * held(4.0)(t)),
            ),
            (
                "decay",
                tone(
                    4.0,
                    |_| 64.0,
                    |t| (t / 0.002).min(1.0) * (-1.5 * t).exp() * held(4.0)(t),
                ),
            ),
            ("low", tone(4.0, |_| 24.0, held(4.0))),
            (
                "octave",
                tone(4.0, |t| if t < 2.0 { 60.0 } else { 72.0 }, held(4.0)),
            ),
        ];
        for (what, samples) in shapes {
            let (_, end, why) = found(&samples);
            assert!(end > 3.7 && why == NoteEnd::Silence, "{what}: {end} {why:?}");
        }
        let mut breath = noise(0.4, 0.02);
        breath.extend(tone(2.0, |_| 74.0, held(2.0)));
        let (_, end, why) = found(&breath);
        assert!(end > 2.3 && why == NoteEnd::Silence, "breath: {end} {why:?}");
    }

    #[test]
    fn a_quiet_noise_before_the_note_is_not_taken_for_it() {
        let mut samples = noise(0.05, 0.01);
        samples.extend(vec![0.0; 24_000]);
        samples.extend(tone(1.0, |_| 60.0, held(1.0)));
        let (start, end, _) = found(&samples);
        assert!((start - 0.55).abs() < 0.02 && end > 1.5, "{start} {end}");
    }

    #[test]
    fn even_noise_before_a_note_is_cut_and_a_swell_is_not() {
        let mut samples = noise(1.0, 0.004);
        samples.extend(tone(2.0, |_| 60.0, held(2.0)));
        let (start, ..) = found(&samples);
        assert!((0.95..1.03).contains(&start), "{start}");
        let swell = tone(3.0, |_| 60.0, |t| (t / 2.0).min(1.0) * held(3.0)(t));
        let (start, ..) = found(&swell);
        assert!(start < 0.05, "{start}");
    }

    #[test]
    fn a_note_without_end_is_cut_and_one_that_is_given_is_not_looked_into() {
        let samples = tone(25.0, |_| 60.0, |_| 1.0);
        let (_, end, why) = found(&samples);
        assert!(
            (end - MAX_NOTE_SECONDS).abs() < 0.01 && why == NoteEnd::Limit,
            "{end}"
        );
        let scale = tone(2.0, |t| 60.0 + (2.0 * t).floor(), held(2.0));
        let note = RecordedNote::find(&scale, RATE, true).unwrap();
        assert!(
            note.samples.len() > 95_000 && note.end == NoteEnd::Given,
            "{note:?}"
        );
    }

    #[test]
    fn silence_holds_no_note() {
        assert_eq!(RecordedNote::find(&[0.0; 9600], RATE, false), None);
        assert_eq!(RecordedNote::find(&[], RATE, false), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_recorded_the_note_lies_in_it(
            rate in 1000_u32..200_000,
            samples in prop::collection::vec(prop_oneof![Just(0.0_f32), -1.0_f32..1.0, Just(1e6)], 0..6000),
        ) {
            if let Some(note) = RecordedNote::find(&samples, rate, false) {
                prop_assert!(note.samples.start < note.samples.end && note.samples.end <= samples.len());
            }
        }
    }
}
