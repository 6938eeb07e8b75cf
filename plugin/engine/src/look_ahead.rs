//! What an instance may strike next: notes that are rendered ahead while the workers have nothing else.
//!
//! Owned by the scheduler's thread, one an instance. A guess costs nothing but idle time: it is dropped as soon as the
//! instance strikes with something else, and what was rendered in vain is the first to be evicted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use betwixt_audio::blend::BlendCell;
use betwixt_audio::note::{NoteKey, PatchId, Strike};

/// Keys about the struck one that are likely to follow, in semitones.
const NEIGHBOURS: [i32; 6] = [1, -1, 2, -2, 12, -12];
/// Guesses that are kept.
const MOST_GUESSES: usize = 24;
/// A blend that moved no farther than this from one note to the next is thought to go on as it went.
const SLOW_MOVE_CELLS: i32 = 24;
/// Nothing is guessed while notes are being struck.
const SETTLING: Duration = Duration::from_millis(30);

/// The guesses of one instance.
#[derive(Debug, Default)]
pub(crate) struct LookAhead {
    struck: Option<(NoteKey, Instant)>,
    guesses: VecDeque<NoteKey>,
}

impl LookAhead {
    /// A note was asked for. Says whether guesses for other sounds or strikes are void now.
    pub(crate) fn struck(&mut self, key: NoteKey, now: Instant) -> bool {
        let last = self.struck.replace((key, now)).map(|(last, _)| last);
        let is_alike = |last: NoteKey| last.patch == key.patch && last.strike == key.strike;
        let turned = last.is_some_and(|last| !is_alike(last));
        if turned {
            self.guesses.clear();
        }
        let next_blend = last.and_then(|last| travelled(last, key));
        let neighbours = NEIGHBOURS.map(|semitones| NoteKey {
            pitch_cents: key.pitch_cents + 100 * semitones,
            ..key
        });
        let likely = neighbours
            .into_iter()
            .filter(|guess| (0..=12_700).contains(&guess.pitch_cents));
        for guess in next_blend.into_iter().chain(likely) {
            if !self.guesses.contains(&guess) {
                self.guesses.push_back(guess);
            }
        }
        while self.guesses.len() > MOST_GUESSES {
            self.guesses.pop_front();
        }
        turned
    }

    /// What the last note of these sounds was struck with.
    pub(crate) fn last_strike(&self, patch: PatchId) -> Option<Strike> {
        let (key, _) = self.struck?;
        (key.patch == patch).then_some(key.strike)
    }

    /// The next guess, once the player has paused.
    pub(crate) fn next(&mut self, now: Instant) -> Option<NoteKey> {
        let (_, when) = self.struck?;
        (now.saturating_duration_since(when) >= SETTLING)
            .then(|| self.guesses.pop_front())
            .flatten()
    }
}

/// The key's note at the blend that comes next, if the blend moves slowly and all else is the same.
fn travelled(last: NoteKey, key: NoteKey) -> Option<NoteKey> {
    let (from, to) = (last.strike.timbre.blend, key.strike.timbre.blend);
    let (x, y) = (
        i32::from(to.x) - i32::from(from.x),
        i32::from(to.y) - i32::from(from.y),
    );
    let is_slow = (x, y) != (0, 0) && x.abs().max(y.abs()) <= SLOW_MOVE_CELLS;
    let mut next = key;
    next.strike.timbre.blend = BlendCell {
        x: (i32::from(to.x) + x).clamp(0, i32::from(BlendCell::STEPS)) as i16,
        y: (i32::from(to.y) + y).clamp(0, i32::from(BlendCell::STEPS)) as i16,
    };
    let mut back = next;
    back.strike.timbre.blend = from;
    let alike = last.patch == key.patch && back.strike == last.strike;
    (is_slow && alike && next != key).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note_cache::tests::key;

    fn guesses(ahead: &mut LookAhead, now: Instant) -> Vec<NoteKey> {
        std::iter::from_fn(|| ahead.next(now)).collect()
    }

    #[test]
    fn neighbours_are_guessed_once_the_player_pauses() {
        let (mut ahead, now) = (LookAhead::default(), Instant::now());
        assert!(!ahead.struck(key(6000), now));
        assert_eq!(ahead.last_strike(key(6000).patch), Some(key(6000).strike));
        assert_eq!(ahead.last_strike(PatchId(9)), None);
        assert_eq!(guesses(&mut ahead, now), []);
        let found: Vec<i32> = guesses(&mut ahead, now + SETTLING)
            .iter()
            .map(|guess| guess.pitch_cents)
            .collect();
        assert_eq!(found, [6100, 5900, 6200, 5800, 7200, 4800]);
        assert!(!ahead.struck(key(12_700), now));
        assert!(
            guesses(&mut ahead, now + SETTLING)
                .iter()
                .all(|guess| guess.pitch_cents <= 12_700)
        );
    }

    #[test]
    fn a_blend_that_moves_slowly_is_thought_to_go_on_and_a_leap_is_not() {
        let (mut ahead, now) = (LookAhead::default(), Instant::now());
        let at = |x: i16| {
            let mut key = key(6000);
            key.strike.timbre.blend = BlendCell { x, y: 10 };
            key
        };
        ahead.struck(at(20), now);
        assert!(ahead.struck(at(30), now), "the old guesses are void");
        assert_eq!(ahead.next(now + SETTLING), Some(at(40)));
        assert!(ahead.struck(at(200), now));
        assert!(
            guesses(&mut ahead, now + SETTLING)
                .iter()
                .all(|guess| guess.strike == at(200).strike)
        );
    }
}
