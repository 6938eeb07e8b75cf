//! Keys played in the window, on their way to the audio thread: a wait-free queue of `Copy` events.
//!
//! The sender belongs to the window thread, the receiver to the audio thread. Neither end waits, locks or allocates after
//! the pair is made. A key is never left sounding: what a full queue refuses is sent again with the next event or
//! frame, and a sender that goes away lets its keys go.

use ringbuf::HeapRb;
use ringbuf::traits::{Consumer, Observer, Producer, Split};

/// Events the queue holds; a hand on a mouse makes a few in a block.
const QUEUE_CAPACITY_EVENTS: usize = 256;

/// A key of the window's keyboard went down or up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyboardEvent {
    /// MIDI note number, 0..=127.
    pub key: u8,
    /// How hard, 0..1; of no meaning when the key goes up.
    pub velocity: f32,
    /// Whether the key went down.
    pub is_down: bool,
}

/// The window's end.
pub struct KeyboardSender {
    queue: ringbuf::HeapProd<KeyboardEvent>,
    /// The velocity of each key that should be down.
    wanted: [Option<f32>; 128],
    /// The keys that the other end has been told are down.
    told: u128,
}

/// The audio thread's end.
pub struct KeyboardReceiver {
    queue: ringbuf::HeapCons<KeyboardEvent>,
}

impl std::fmt::Debug for KeyboardSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyboardSender").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for KeyboardReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyboardReceiver").finish_non_exhaustive()
    }
}

/// Both ends of a new queue.
pub fn keyboard_queue() -> (KeyboardSender, KeyboardReceiver) {
    let (producer, consumer) = HeapRb::new(QUEUE_CAPACITY_EVENTS).split();
    let sender = KeyboardSender {
        queue: producer,
        wanted: [None; 128],
        told: 0,
    };
    (sender, KeyboardReceiver { queue: consumer })
}

impl KeyboardSender {
    /// Presses a key, or strikes it again. Keys above 127 do not exist.
    pub fn press(&mut self, key: u8, velocity: f32) {
        if let Some(wanted) = self.wanted.get_mut(usize::from(key)) {
            *wanted = Some(velocity.clamp(0.0, 1.0));
            self.flush();
        }
    }

    /// Lets a key go.
    pub fn release(&mut self, key: u8) {
        if let Some(wanted) = self.wanted.get_mut(usize::from(key)) {
            *wanted = None;
            self.flush();
        }
    }

    /// Lets every key go.
    pub fn release_all(&mut self) {
        self.wanted = [None; 128];
        self.flush();
    }

    /// Whether any key is down.
    pub fn is_playing(&self) -> bool {
        self.wanted.iter().any(Option::is_some)
    }

    /// Sends what the queue did not take before. Wait-free.
    pub fn flush(&mut self) {
        for key in 0..128_u8 {
            let bit = 1_u128 << key;
            let (velocity, is_down) = match (self.wanted[usize::from(key)], self.told & bit != 0) {
                (Some(velocity), false) => (velocity, true),
                (None, true) => (0.0, false),
                _ => continue,
            };
            if self
                .queue
                .try_push(KeyboardEvent {
                    key,
                    velocity,
                    is_down,
                })
                .is_err()
            {
                return;
            }
            self.told ^= bit;
        }
    }
}

impl KeyboardReceiver {
    /// The next event, oldest first. Real-time safe.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator's adapters have no place on the audio thread"
    )]
    pub fn next(&mut self) -> Option<KeyboardEvent> {
        self.queue.try_pop()
    }

    /// Forgets what was played while nothing listened. Real-time safe.
    pub fn clear(&mut self) {
        self.queue.skip(self.queue.occupied_len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(receiver: &mut KeyboardReceiver) -> Vec<KeyboardEvent> {
        std::iter::from_fn(|| receiver.next()).collect()
    }

    #[test]
    fn a_press_and_a_release_arrive_in_order() {
        let (mut sender, mut receiver) = keyboard_queue();
        sender.press(60, 0.5);
        assert!(sender.is_playing());
        sender.release(60);
        let events: Vec<_> = drain(&mut receiver)
            .iter()
            .map(|event| (event.key, event.is_down))
            .collect();
        assert_eq!(events, [(60, true), (60, false)]);
        assert!(!sender.is_playing());
    }

    #[test]
    fn a_full_queue_leaves_no_key_hanging() {
        let (mut sender, mut receiver) = keyboard_queue();
        for _ in 0..QUEUE_CAPACITY_EVENTS {
            sender.press(64, 1.0);
            sender.release(64);
        }
        sender.press(67, 1.0);
        sender.release_all();
        let mut down = 0_u128;
        for _ in 0..4 {
            for event in drain(&mut receiver) {
                let bit = 1 << event.key;
                down = if event.is_down { down | bit } else { down & !bit };
            }
            sender.flush();
        }
        assert_eq!(down, 0);
    }

    #[test]
    fn a_key_beyond_the_keyboard_is_ignored() {
        let (mut sender, mut receiver) = keyboard_queue();
        sender.press(200, 1.0);
        sender.release(200);
        assert!(drain(&mut receiver).is_empty());
    }

    #[test]
    fn clearing_forgets_what_was_played() {
        let (mut sender, mut receiver) = keyboard_queue();
        sender.press(60, 1.0);
        receiver.clear();
        assert!(drain(&mut receiver).is_empty());
    }
}
