//! The rendered notes the audio thread holds, found by key in constant time.
//!
//! Lives on the audio thread; allocates nothing after it was made and never drops an `Arc`: what it lets go of leaves
//! through [`AudioEnd`]. Open addressing with linear probing and backward-shift deletion (Knuth 6.4, algorithm R), so
//! that no tombstones gather and no rehash ever comes.

use crate::limits::NOTE_TABLE_CAPACITY;
use crate::link::AudioEnd;
use crate::note::NoteKey;
use crate::rendered_note::RenderedNote;
use crate::sync::Arc;

/// Places of the hash index: a power of two, twice the capacity.
const BUCKETS: usize = 2 * NOTE_TABLE_CAPACITY;

/// Marks an empty bucket.
const EMPTY: u16 = u16::MAX;

/// A place in the table. Stays valid while it is [acquired](NoteTable::acquire).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoteSlot(u16);

#[derive(Debug)]
struct Entry {
    key: NoteKey,
    /// `None` while the scheduler has not answered.
    note: Option<Arc<RenderedNote>>,
    /// Voices that wait for it or play it.
    users: u16,
    /// To be given back when no voice uses it.
    retiring: bool,
    /// The scheduler will not deliver it.
    refused: bool,
    /// Used since the eviction's hand last passed.
    recent: bool,
}

/// What a voice can get from a slot.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// Here it is.
    Note(&'a RenderedNote),
    /// The scheduler has not answered yet.
    Awaited,
    /// It will not come.
    Refused,
}

/// The table.
#[derive(Debug)]
pub struct NoteTable {
    buckets: Box<[u16]>,
    entries: Box<[Option<Entry>]>,
    free: Vec<u16>,
    /// Where the search for an entry to evict goes on (the clock algorithm).
    hand: usize,
    /// Notes taken in so far.
    grants: u64,
}

impl NoteTable {
    pub fn new() -> Self {
        Self {
            buckets: vec![EMPTY; BUCKETS].into(),
            entries: (0..NOTE_TABLE_CAPACITY).map(|_| None).collect(),
            free: (0..NOTE_TABLE_CAPACITY as u16).rev().collect(),
            hand: 0,
            grants: 0,
        }
    }

    /// The slot of a key for a voice that wants to play it, requested from the scheduler if it is not here. `None`:
    /// there is no way to get it now.
    pub fn acquire(&mut self, key: NoteKey, end: &mut AudioEnd) -> Option<NoteSlot> {
        let mut found = self.find(key);
        if let Some(slot) = found {
            let entry = self.entry(slot)?;
            if entry.refused || entry.note.as_ref().is_some_and(|note| note.is_failed()) {
                if entry.users > 0 {
                    return None;
                }
                self.remove(slot, end);
                found = None;
            }
        }
        let slot = match found {
            Some(slot) => slot,
            None => {
                let slot = self.insert(key, None, end)?;
                if !end.request(key) {
                    self.remove(slot, end);
                    return None;
                }
                slot
            }
        };
        let entry = self.entry_mut(slot)?;
        entry.users += 1;
        entry.recent = true;
        if let Some(note) = &entry.note {
            note.join();
            note.touch();
        }
        Some(slot)
    }

    /// A voice no longer uses the slot.
    pub fn release(&mut self, slot: NoteSlot, end: &mut AudioEnd) {
        let Some(entry) = self.entry_mut(slot) else { return };
        if entry.users > 0 {
            entry.users -= 1;
            entry.note.iter().for_each(|note| note.leave());
        }
        if entry.users == 0 && (entry.retiring || entry.refused) {
            self.remove(slot, end);
        }
    }

    /// What is in an acquired slot.
    pub fn lookup(&self, slot: NoteSlot) -> Lookup<'_> {
        match self.entry(slot) {
            Some(Entry { note: Some(note), .. }) => Lookup::Note(note),
            Some(Entry { refused: false, .. }) => Lookup::Awaited,
            _ => Lookup::Refused,
        }
    }

    /// Changes whenever a note has come.
    pub fn grants(&self) -> u64 {
        self.grants
    }

    /// Whether a whole note is here that a voice may take.
    pub fn has_whole(&self, key: NoteKey) -> bool {
        let entry = self.find(key).and_then(|slot| self.entry(slot));
        let note = entry
            .filter(|entry| !entry.retiring)
            .and_then(|entry| entry.note.as_ref());
        note.is_some_and(|note| note.is_finished())
    }

    /// Takes a note in; gives it back at once if its key is here already or no room can be made.
    pub fn grant(&mut self, note: Arc<RenderedNote>, end: &mut AudioEnd) {
        self.grants += 1;
        if let Some(slot) = self.find(note.key()) {
            match self.entry_mut(slot) {
                Some(entry) if entry.note.is_none() && !entry.refused => {
                    (0..entry.users).for_each(|_| note.join());
                    entry.note = Some(note);
                }
                _ => end.give_back(note),
            }
        } else {
            let key = note.key();
            // `insert` gives the note back itself if there is no room.
            let _ = self.insert(key, Some(note), end);
        }
    }

    /// Gives a note back as soon as no voice uses it.
    pub fn retire(&mut self, key: NoteKey, end: &mut AudioEnd) {
        let Some(slot) = self.find(key) else { return };
        let Some(entry) = self.entry_mut(slot) else { return };
        if entry.note.is_none() {
            return;
        }
        entry.retiring = true;
        if entry.users == 0 {
            self.remove(slot, end);
        }
    }

    /// The scheduler will not deliver a note: whoever waits for it is told so.
    pub fn refuse(&mut self, key: NoteKey, end: &mut AudioEnd) {
        let Some(slot) = self.find(key) else { return };
        let Some(entry) = self.entry_mut(slot) else { return };
        if entry.note.is_some() {
            return;
        }
        entry.refused = true;
        if entry.users == 0 {
            self.remove(slot, end);
        }
    }

    fn entry(&self, slot: NoteSlot) -> Option<&Entry> {
        self.entries[usize::from(slot.0)].as_ref()
    }

    fn entry_mut(&mut self, slot: NoteSlot) -> Option<&mut Entry> {
        self.entries[usize::from(slot.0)].as_mut()
    }

    fn home(key: NoteKey) -> usize {
        key.seed() as usize % BUCKETS
    }

    /// The bucket that holds a key.
    fn bucket(&self, key: NoteKey) -> Option<usize> {
        let mut bucket = Self::home(key);
        while self.buckets[bucket] != EMPTY {
            if self
                .entry(NoteSlot(self.buckets[bucket]))
                .is_some_and(|entry| entry.key == key)
            {
                return Some(bucket);
            }
            bucket = (bucket + 1) % BUCKETS;
        }
        None
    }

    fn find(&self, key: NoteKey) -> Option<NoteSlot> {
        self.bucket(key).map(|bucket| NoteSlot(self.buckets[bucket]))
    }

    /// Puts a key that is not here into a free place, evicting an unused note if there is none.
    fn insert(
        &mut self,
        key: NoteKey,
        note: Option<Arc<RenderedNote>>,
        end: &mut AudioEnd,
    ) -> Option<NoteSlot> {
        if self.free.is_empty() {
            self.evict_one(end);
        }
        let Some(place) = self.free.pop() else {
            if let Some(note) = note {
                end.give_back(note);
            }
            return None;
        };
        self.entries[usize::from(place)] = Some(Entry {
            key,
            note,
            users: 0,
            retiring: false,
            refused: false,
            recent: true,
        });
        let mut bucket = Self::home(key);
        while self.buckets[bucket] != EMPTY {
            bucket = (bucket + 1) % BUCKETS;
        }
        self.buckets[bucket] = place;
        Some(NoteSlot(place))
    }

    /// Lets go of the first unused note that was not used since the hand passed it last.
    fn evict_one(&mut self, end: &mut AudioEnd) {
        for _ in 0..2 * NOTE_TABLE_CAPACITY {
            let place = self.hand;
            self.hand = (self.hand + 1) % NOTE_TABLE_CAPACITY;
            if let Some(entry) = &mut self.entries[place]
                && entry.users == 0
                && !std::mem::take(&mut entry.recent)
            {
                self.remove(NoteSlot(place as u16), end);
                return;
            }
        }
    }

    /// Takes an entry out, gives its note back, and closes the gap in the index.
    fn remove(&mut self, slot: NoteSlot, end: &mut AudioEnd) {
        let Some(entry) = self.entry(slot) else { return };
        let Some(mut gap) = self.bucket(entry.key) else {
            return;
        };
        let Some(entry) = self.entries[usize::from(slot.0)].take() else {
            return;
        };
        if let Some(note) = entry.note {
            end.give_back(note);
        }
        self.free.push(slot.0);
        self.buckets[gap] = EMPTY;
        let mut bucket = (gap + 1) % BUCKETS;
        while self.buckets[bucket] != EMPTY {
            let home = self
                .entry(NoteSlot(self.buckets[bucket]))
                .map_or(bucket, |entry| Self::home(entry.key));
            // Entries whose home does not lie between the gap and themselves move into the gap.
            let from_home = (bucket + BUCKETS - home) % BUCKETS;
            let from_gap = (bucket + BUCKETS - gap) % BUCKETS;
            if from_home >= from_gap {
                self.buckets[gap] = self.buckets[bucket];
                self.buckets[bucket] = EMPTY;
                gap = bucket;
            }
            bucket = (bucket + 1) % BUCKETS;
        }
    }
}

impl Drop for NoteTable {
    /// With the instrument its voices go too: the notes that they had may be other instruments' as well.
    fn drop(&mut self) {
        for entry in self.entries.iter().flatten() {
            let note = entry.note.iter();
            note.for_each(|note| (0..entry.users).for_each(|_| note.leave()));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::link::{SchedulerEnd, ToScheduler, link};
    use crate::note::test_key as key;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn note(number: i32) -> Arc<RenderedNote> {
        let (writer, note) = RenderedNote::new(key(number), 4, 4, 48_000);
        writer.finish();
        note
    }

    fn returned(audio: &mut AudioEnd, scheduler: &mut SchedulerEnd) -> Vec<i32> {
        audio.flush();
        std::iter::from_fn(|| scheduler.receive())
            .filter_map(|message| match message {
                ToScheduler::Return(note) => Some(note.key().pitch_cents),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_missing_note_is_asked_for_once_whatever_voices_wait() {
        let (mut audio, mut scheduler) = link();
        let mut table = NoteTable::new();
        let first = table.acquire(key(1), &mut audio).unwrap();
        assert_eq!(table.acquire(key(1), &mut audio), Some(first));
        assert!(matches!(scheduler.receive(), Some(ToScheduler::Request(asked)) if asked == key(1)));
        assert!(scheduler.receive().is_none());
        assert!(matches!(table.lookup(first), Lookup::Awaited));
        table.grant(note(1), &mut audio);
        assert!(matches!(table.lookup(first), Lookup::Note(_)));
    }

    #[test]
    fn a_note_is_heard_as_long_as_a_voice_has_it() {
        let (mut audio, _scheduler) = link();
        let mut table = NoteTable::new();
        let early = table.acquire(key(1), &mut audio).unwrap();
        let here = note(1);
        assert!(!here.is_heard(), "it has not come");
        table.grant(Arc::clone(&here), &mut audio);
        assert!(here.is_heard());
        let late = table.acquire(key(1), &mut audio).unwrap();
        table.release(early, &mut audio);
        assert!(here.is_heard());
        table.release(late, &mut audio);
        assert!(!here.is_heard());
        table.acquire(key(1), &mut audio).unwrap();
        drop(table);
        assert!(!here.is_heard(), "the instrument has gone");
    }

    #[test]
    fn a_retired_note_goes_back_when_the_last_voice_lets_go() {
        let (mut audio, mut scheduler) = link();
        let mut table = NoteTable::new();
        table.grant(note(1), &mut audio);
        let slot = table.acquire(key(1), &mut audio).unwrap();
        table.retire(key(1), &mut audio);
        assert!(matches!(table.lookup(slot), Lookup::Note(_)));
        assert!(returned(&mut audio, &mut scheduler).is_empty());
        table.release(slot, &mut audio);
        assert_eq!(returned(&mut audio, &mut scheduler), [1]);
        assert_eq!(table.find(key(1)), None);
    }

    #[test]
    fn a_second_note_of_one_key_goes_straight_back() {
        let (mut audio, mut scheduler) = link();
        let mut table = NoteTable::new();
        table.grant(note(1), &mut audio);
        table.grant(note(1), &mut audio);
        assert_eq!(returned(&mut audio, &mut scheduler), [1]);
    }

    #[test]
    fn a_refused_note_can_be_asked_for_again() {
        let (mut audio, mut scheduler) = link();
        let mut table = NoteTable::new();
        let slot = table.acquire(key(1), &mut audio).unwrap();
        table.refuse(key(1), &mut audio);
        assert!(matches!(table.lookup(slot), Lookup::Refused));
        assert_eq!(table.acquire(key(1), &mut audio), None);
        table.release(slot, &mut audio);
        while scheduler.receive().is_some() {}
        assert!(table.acquire(key(1), &mut audio).is_some());
        assert!(matches!(scheduler.receive(), Some(ToScheduler::Request(_))));
    }

    #[test]
    fn a_failed_note_goes_back_and_is_asked_for_anew() {
        let (mut audio, mut scheduler) = link();
        let mut table = NoteTable::new();
        let (writer, failed) = RenderedNote::new(key(1), 4, 4, 48_000);
        table.grant(failed, &mut audio);
        writer.fail();
        let slot = table.acquire(key(1), &mut audio).unwrap();
        assert!(matches!(table.lookup(slot), Lookup::Awaited));
        assert!(matches!(scheduler.receive(), Some(ToScheduler::Return(_))));
        assert!(matches!(scheduler.receive(), Some(ToScheduler::Request(_))));
    }

    #[test]
    fn a_full_table_lets_go_of_an_unused_note_and_never_of_a_used_one() {
        let (mut audio, mut scheduler) = link();
        let mut table = NoteTable::new();
        for number in 0..NOTE_TABLE_CAPACITY as i32 {
            table.grant(note(number), &mut audio);
        }
        let used = table.acquire(key(0), &mut audio).unwrap();
        table.grant(note(100_000), &mut audio);
        let back = returned(&mut audio, &mut scheduler);
        assert_eq!(back.len(), 1);
        assert_ne!(back[0], 0);
        assert!(matches!(table.lookup(used), Lookup::Note(held) if held.key() == key(0)));
        assert!(table.find(key(100_000)).is_some());
    }

    proptest! {
        #[test]
        fn it_finds_what_a_hash_map_would(steps in prop::collection::vec((0u8..4, 0i32..40), 0..400)) {
            let (mut audio, mut scheduler) = link();
            let mut table = NoteTable::new();
            let mut users: HashMap<i32, Vec<NoteSlot>> = HashMap::new();
            let mut granted = 0usize;
            let mut back = 0usize;
            for (step, number) in steps {
                match step {
                    0 => {
                        table.grant(note(number), &mut audio);
                        granted += 1;
                    }
                    1 => {
                        if let Some(slot) = table.acquire(key(number), &mut audio) {
                            users.entry(number).or_default().push(slot);
                        }
                    }
                    2 => {
                        if let Some(slot) = users.get_mut(&number).and_then(Vec::pop) {
                            table.release(slot, &mut audio);
                        }
                    }
                    _ => table.retire(key(number), &mut audio),
                }
                for (number, slots) in &users {
                    for slot in slots {
                        prop_assert_eq!(table.find(key(*number)), Some(*slot));
                    }
                }
                back += returned(&mut audio, &mut scheduler).len();
            }
            let held = table.entries.iter().flatten().filter(|entry| entry.note.is_some()).count();
            prop_assert_eq!(held + back, granted);
            let indexed = table.buckets.iter().filter(|bucket| **bucket != EMPTY).count();
            prop_assert_eq!(indexed, table.entries.iter().flatten().count());
            prop_assert_eq!(indexed + table.free.len(), NOTE_TABLE_CAPACITY);
        }
    }
}
