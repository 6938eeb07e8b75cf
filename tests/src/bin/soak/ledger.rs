//! Every note that was struck, until its end is told: one note on, one note end.

use betwixt_audio::event::NoteAddress;

use crate::dice::Dice;

/// The notes of one instance.
#[derive(Debug)]
pub struct Ledger {
    open: Vec<NoteAddress>,
    next_id: i32,
    /// Notes struck.
    pub struck: u64,
    /// Ends told, each of a note that was open.
    pub ended: u64,
    /// Ends told of notes that had ended, or never were.
    pub stray: u64,
    /// Notes that an instance was silenced with, of which no end is told: its rate was changed, it was reset, or it went.
    pub silenced: u64,
    /// Notes whose end never came.
    pub lost: u64,
}

impl Ledger {
    pub fn new() -> Self {
        Self {
            open: Vec::with_capacity(1024),
            next_id: 0,
            struck: 0,
            ended: 0,
            stray: 0,
            silenced: 0,
            lost: 0,
        }
    }

    /// Names a new note: mostly with a number of its own, sometimes as MIDI does.
    pub fn strike(&mut self, channel: u8, key: u8, dice: &mut Dice) -> NoteAddress {
        let mut address = NoteAddress::midi(channel, key);
        if !dice.one_in(8) {
            address.note_id = Some(self.next_id);
            self.next_id = self.next_id.wrapping_add(1) & i32::MAX;
        }
        self.open.push(address);
        self.struck += 1;
        address
    }

    /// A note's end was told; false if that note was not open.
    #[must_use]
    pub fn end(&mut self, address: NoteAddress) -> bool {
        let at = self.open.iter().position(|open| *open == address);
        match at {
            Some(at) => {
                self.open.swap_remove(at);
                self.ended += 1;
            }
            None => self.stray += 1,
        }
        at.is_some()
    }

    /// Notes whose end was not yet told.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// One of them; all notes if there is none.
    pub fn one_open(&self, dice: &mut Dice) -> NoteAddress {
        if self.open.is_empty() {
            return NoteAddress::ALL;
        }
        dice.pick(&self.open)
    }

    /// All was silenced at once: no ends will be told.
    pub fn silence(&mut self) {
        self.silenced += self.open.len() as u64;
        self.open.clear();
    }

    /// All is silent: what is still open has been forgotten, and is given.
    pub fn close(&mut self) -> Vec<NoteAddress> {
        self.lost += self.open.len() as u64;
        std::mem::take(&mut self.open)
    }
}
