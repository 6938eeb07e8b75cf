//! Where the audio of a whole note can be looped: two places in its sustain that are alike.
//!
//! Worker and disk threads. Only notes of a slow model are looped in the audio; others are rendered on while they are held.
//! The loop depends on the samples alone, so a note from the disk has the one that it was kept with.

use std::ops::Range;

use betwixt_audio::note_loop::NoteLoop;
use betwixt_audio::rendered_note::RenderedNote;

/// The fade that hides the jump.
const FADE_MS: usize = 60;
/// The start is sought over the period of the lowest tone that is to join in phase, 30 Hz.
const SEARCH_MS: usize = 34;
/// A longer loop is not less heard to repeat, and a shorter one leaves more of the sustain to its own movement.
const LONGEST_MS: usize = 2_000;

/// The loop of a note that is held within these samples; none where it is too short.
pub(crate) fn find(note: &RenderedNote, held: Range<usize>) -> Option<NoteLoop> {
    let samples_in = |ms: usize| ms * note.sample_rate_hz() as usize / 1000;
    let (fade, search) = (samples_in(FADE_MS), samples_in(SEARCH_MS));
    let end = held.end.min(note.available());
    let earliest = (held.start + fade).max(end.saturating_sub(samples_in(LONGEST_MS)));
    if earliest + search + 3 * fade > end {
        return None;
    }
    let first = earliest - fade;
    let mut samples = vec![0.0; end - first];
    note.read(first, &mut samples);
    let before_end = &samples[samples.len() - fade..];
    let likeness_at = |start: usize| likeness(before_end, &samples[start - first - fade..start - first]);
    let mut best = (earliest, likeness_at(earliest));
    for start in earliest + 1..=earliest + search {
        let alike = likeness_at(start);
        if alike > best.1 {
            best = (start, alike);
        }
    }
    NoteLoop::new(best.0, end, fade, best.1)
}

/// How alike two stretches are: -1 to 1, whatever their levels.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let (mut both, mut of_a, mut of_b) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        both += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    (both / (of_a * of_b).sqrt().max(1e-12)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note_cache::tests::key;

    fn note(sample: impl Fn(usize) -> f32) -> std::sync::Arc<RenderedNote> {
        let (mut writer, note) = RenderedNote::new(key(6000), 16_000, 4, 16_000);
        for chunk in 0..4 {
            writer
                .push((0..16_000).map(|i| sample(16_000 * chunk + i)).collect())
                .unwrap();
        }
        writer.finish();
        note
    }

    #[test]
    fn a_tone_joins_in_phase() {
        for hz in [41.3, 110.0, 523.25] {
            let tone = note(|i| (std::f32::consts::TAU * hz * i as f32 / 16_000.0).sin());
            let found = find(&tone, 8_000..48_000).unwrap();
            let periods = (found.end_sample() - found.start_sample()) as f32 * hz / 16_000.0;
            assert!((periods - periods.round()).abs() < 0.02, "{hz} Hz: {periods}");
            assert_eq!(found.end_sample(), 48_000);
        }
    }

    #[test]
    fn what_is_held_too_shortly_has_no_loop() {
        let silence = note(|_| 0.0);
        assert_eq!(find(&silence, 8_000..9_000), None);
        assert!(
            find(&silence, 8_000..40_000).is_some(),
            "silence is as good as any"
        );
    }
}
