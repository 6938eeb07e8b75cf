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
    /// The voice that plays it, by its order; none while another key's note sounds in its stead.
    pub voice: Option<u64>,
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
    pub fn press(&mut self, address: NoteAddress, velocity: f32) -> Option<HeldKey> {
        let crowded = if self.count == REMEMBERED_KEYS {
            self.remove(0)
        } else {
            None
        };
        self.keys[self.count] = Some(HeldKey {
            address,
            velocity,
            voice: None,
        });
        self.count += 1;
        crowded
    }

    /// The one struck last.
    pub fn last(&self) -> Option<HeldKey> {
        self.keys[..self.count].last().copied().flatten()
    }

    /// A voice plays the key struck last.
    pub fn last_sounds(&mut self, voice: u64) {
        if let Some(Some(last)) = self.keys[..self.count].last_mut() {
            last.voice = Some(voice);
        }
    }

    /// Nothing plays the key struck last, and its end was told.
    pub fn drop_last(&mut self) {
        if self.count > 0 {
            let _ = self.remove(self.count - 1);
        }
    }

    /// A key that an address means goes up, the last struck first.
    pub fn lift(&mut self, address: NoteAddress) -> Option<HeldKey> {
        let index = self.keys[..self.count]
            .iter()
            .rposition(|key| key.is_some_and(|key| means(address, key.address)))?;
        self.remove(index)
    }

    /// A voice leaves its key for another; says whether that key is still down.
    pub fn leave(&mut self, voice: u64) -> bool {
        let mut keys = self.keys[..self.count].iter_mut().flatten();
        let left = keys.find(|key| key.voice == Some(voice));
        left.map(|key| key.voice = None).is_some()
    }

    /// The end of a voice's note was told: its key is no longer waited for, nor gone back to.
    pub fn forget(&mut self, voice: u64) {
        let keys = &self.keys[..self.count];
        if let Some(index) = keys
            .iter()
            .position(|key| key.is_some_and(|key| key.voice == Some(voice)))
        {
            let _ = self.remove(index);
        }
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

    fn address(key: u8) -> NoteAddress {
        NoteAddress::midi(0, key)
    }

    fn pressed(keys: std::ops::Range<u8>) -> MonoKeys {
        let mut mono = MonoKeys::new();
        keys.for_each(|key| assert_eq!(mono.press(address(key), 1.0), None));
        mono
    }

    #[test]
    fn letting_go_of_the_last_key_goes_back_to_the_one_before() {
        let mut keys = pressed(60..63);
        assert_eq!(keys.lift(address(61)).unwrap().address, address(61));
        assert_eq!(keys.lift(address(62)).unwrap().address, address(62));
        assert_eq!(keys.last().unwrap().address, address(60));
        assert_eq!(keys.lift(NoteAddress::midi(1, 60)), None);
    }

    #[test]
    fn a_voice_that_goes_over_to_another_key_leaves_the_old_one_down() {
        let mut keys = pressed(60..61);
        keys.last_sounds(7);
        assert_eq!(keys.press(address(64), 1.0), None);
        assert!(keys.leave(7) && !keys.leave(7));
        keys.last_sounds(7);
        keys.forget(7);
        assert_eq!(keys.last().unwrap().address, address(60));
    }

    #[test]
    fn too_many_keys_push_the_oldest_out() {
        let mut keys = pressed(0..32);
        assert_eq!(keys.press(address(99), 1.0).unwrap().address, address(0));
        assert_eq!((keys.last().unwrap().address, keys.count), (address(99), 32));
    }
}
