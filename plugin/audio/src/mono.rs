//! The keys that are down while one voice plays them all: the last one sounds, and letting go of it goes back to the one
//! before.
//!
//! Runs on the audio thread; holds what it holds without allocating.

use crate::event::NoteAddress;

/// Keys that are remembered: two hands and a forgotten pedal.
const REMEMBERED_KEYS: usize = 32;

/// A key that is down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldKey {
    pub address: NoteAddress,
    pub velocity: f32,
}

/// The keys, the last one struck at the end.
#[derive(Debug)]
pub struct MonoKeys {
    keys: [Option<HeldKey>; REMEMBERED_KEYS],
    count: usize,
}

impl MonoKeys {
    pub fn new() -> Self {
        Self {
            keys: [None; REMEMBERED_KEYS],
            count: 0,
        }
    }

    /// A key goes down; gives back the oldest if there are too many.
    pub fn press(&mut self, key: HeldKey) -> Option<HeldKey> {
        let crowded = if self.count == REMEMBERED_KEYS {
            self.remove(0)
        } else {
            None
        };
        self.keys[self.count] = Some(key);
        self.count += 1;
        crowded
    }

    /// The one struck last.
    pub fn last(&self) -> Option<HeldKey> {
        self.keys[..self.count].last().copied().flatten()
    }

    /// A key that an address means goes up, the last struck first.
    pub fn lift(&mut self, address: NoteAddress) -> Option<HeldKey> {
        let index = self.keys[..self.count]
            .iter()
            .rposition(|key| key.is_some_and(|key| means(address, key.address)))?;
        self.remove(index)
    }

    /// The end of this very note was told: its key is no longer waited for, nor gone back to.
    pub fn forget(&mut self, address: NoteAddress) {
        let mut keys = self.keys[..self.count].iter().flatten();
        if let Some(index) = keys.position(|key| key.address == address) {
            let _ = self.remove(index);
        }
    }

    /// Whether the key of this very note is down.
    pub fn holds(&self, address: NoteAddress) -> bool {
        let mut keys = self.keys[..self.count].iter().flatten();
        keys.any(|key| key.address == address)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    fn remove(&mut self, index: usize) -> Option<HeldKey> {
        let removed = self.keys[index].take();
        self.keys[index..self.count].rotate_left(1);
        self.count -= 1;
        removed
    }
}

/// Whether an address means a note, whose open channel and key count as 0 and 60.
fn means(address: NoteAddress, note: NoteAddress) -> bool {
    address.matches(&NoteAddress {
        channel: Some(note.channel.unwrap_or(0).min(15)),
        key: Some(note.key.unwrap_or(60).min(127)),
        ..note
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: u8) -> HeldKey {
        HeldKey {
            address: NoteAddress::midi(0, key),
            velocity: 1.0,
        }
    }

    #[test]
    fn letting_go_of_the_last_key_goes_back_to_the_one_before() {
        let mut keys = MonoKeys::new();
        (60..63).for_each(|k| assert_eq!(keys.press(key(k)), None));
        assert_eq!(keys.lift(NoteAddress::midi(0, 61)), Some(key(61)));
        assert_eq!(keys.lift(NoteAddress::midi(0, 62)), Some(key(62)));
        assert_eq!(keys.last(), Some(key(60)));
        assert_eq!(keys.lift(NoteAddress::midi(1, 60)), None);
    }

    #[test]
    fn too_many_keys_push_the_oldest_out() {
        let mut keys = MonoKeys::new();
        (0..32).for_each(|k| assert_eq!(keys.press(key(k)), None));
        assert_eq!(keys.press(key(99)), Some(key(0)));
        assert_eq!((keys.last(), keys.count), (Some(key(99)), 32));
    }
}
