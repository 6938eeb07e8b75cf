//! What the scheduler knows of one instance: its ring, the sounds in its corners, and what it waits for.
//!
//! Owned by the scheduler's thread.

use std::collections::VecDeque;
use std::sync::Arc;

use betwixt_audio::grid::Grid;
use betwixt_audio::link::{SchedulerEnd, ToAudio};
use betwixt_audio::note::{NoteKey, PatchId};

use crate::instance::KeyWatch;
use crate::look_ahead::LookAhead;
use crate::patch::Patch;
use crate::render_plan::RenderPlan;

/// Patches of an instance that are remembered: notes may have been struck before the last change was heard of.
const REMEMBERED_PATCHES: usize = 4;

/// One instance.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its ring.
    pub end: SchedulerEnd,
    /// Whether its audio thread runs.
    pub active: bool,
    /// Asked for before there was a model.
    pub waiting: Vec<NoteKey>,
    /// What its window watches.
    pub watch: Arc<KeyWatch>,
    /// What it may strike next.
    pub ahead: LookAhead,
    /// Where a slow model's notes are rendered, as the user chose.
    pub chosen_grid: Grid,
    /// The same, with the pitches that its sounds have.
    pub grid: Grid,
    /// A slow model's notes that its voices wait for, the latest last.
    pub asked: Vec<NoteKey>,
    /// The one that was asked for last, whether it came or not.
    pub last_asked: Option<NoteKey>,
    /// In which order a slow model's notes are rendered for it; none if there is nothing to render.
    pub plan: Option<RenderPlan>,
    /// Whether none of its sounds' notes can be rendered.
    pub is_barren: bool,
    /// How long its last note was.
    pub note_samples: Option<usize>,
    /// How much it had stirred at the last look.
    stirs: usize,
    /// What its ring had no room for.
    outbox: VecDeque<ToAudio>,
    /// The last few, the current one at the back.
    patches: VecDeque<(PatchId, Arc<Patch>)>,
}

impl Client {
    /// An instance that is not yet active.
    pub(crate) fn new(end: SchedulerEnd, watch: Arc<KeyWatch>) -> Self {
        Self {
            end,
            active: false,
            waiting: Vec::new(),
            watch,
            ahead: LookAhead::default(),
            chosen_grid: Grid::default(),
            grid: Grid::default(),
            asked: Vec::new(),
            last_asked: None,
            plan: None,
            is_barren: false,
            note_samples: None,
            stirs: 0,
            outbox: VecDeque::new(),
            patches: VecDeque::new(),
        }
    }

    /// Whether any voice of it has lived since the last look.
    pub(crate) fn has_stirred(&mut self) -> bool {
        let stirs = self.end.stirs();
        std::mem::replace(&mut self.stirs, stirs) != stirs
    }

    /// Tells its audio thread something, as soon as its ring has room.
    pub(crate) fn send(&mut self, message: ToAudio) {
        self.outbox.push_back(message);
        self.flush();
    }

    /// Sends what there was no room for.
    pub(crate) fn flush(&mut self) {
        while let Some(message) = self.outbox.pop_front() {
            if let Err(message) = self.end.send(message) {
                self.outbox.push_front(message);
                break;
            }
        }
    }

    /// Plays other sounds from now on, and tells its audio thread.
    pub(crate) fn set_patch(&mut self, patch: Arc<Patch>) {
        let view = patch.view();
        let id = view.id;
        self.patches.retain(|(known, _)| *known != id);
        self.patches.push_back((id, patch));
        if self.patches.len() > REMEMBERED_PATCHES {
            self.patches.pop_front();
        }
        self.send(ToAudio::Patch(view));
    }

    /// A patch, if it is remembered.
    pub(crate) fn patch(&self, id: PatchId) -> Option<&Arc<Patch>> {
        let mut patches = self.patches.iter();
        patches.find(|(known, _)| *known == id).map(|(_, patch)| patch)
    }

    /// The grid pitch that was struck last; middle C's before the first.
    pub(crate) fn last_pitch(&self) -> i32 {
        let cents = self.last_asked.map_or(6000, |key| key.pitch_cents);
        self.grid.pitch(f64::from(cents) / 100.0)
    }

    /// The sounds that it plays now.
    pub(crate) fn playing(&self) -> Option<&Arc<Patch>> {
        self.patches.back().map(|(_, patch)| patch)
    }

    /// Names the sounds that it plays now.
    pub(crate) fn current_patch(&self) -> Option<PatchId> {
        self.patches.back().map(|(id, _)| *id)
    }
}
