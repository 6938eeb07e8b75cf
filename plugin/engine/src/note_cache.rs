//! The rendered notes of the process, how far each is, and the memory they may take.
//!
//! Owned by the scheduler thread alone; nothing here is locked. All instances share it: a note that one of them had
//! rendered is there for all. What is over the budget goes by least recent use, and never while anyone outside
//! the cache (a voice, an audio thread's table, a ring) holds the note.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use betwixt_audio::note::NoteKey;
use betwixt_audio::rendered_note::RenderedNote;

use crate::instance::InstanceId;
use crate::worker::Job;

/// Memory that rendered notes may take unless the user says otherwise.
pub(crate) const DEFAULT_BUDGET_BYTES: usize = 512 << 20;

/// Names a rendered note in the cache; older ones are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NoteId(u64);

/// The rendered notes of the process.
#[derive(Debug)]
pub(crate) struct NoteCache {
    notes: BTreeMap<NoteId, CachedNote>,
    /// The notes that a new voice may get. Others are out of date (their model or device is gone) and only wait
    /// until nobody reads them.
    current: HashMap<NoteKey, NoteId>,
    next_id: u64,
    budget_bytes: usize,
    bytes: usize,
}

/// How far the rendering of a note is.
#[derive(Debug)]
pub(crate) enum Rendering {
    /// The job waits in the cache for its turn, or until someone wants more of the note.
    Resting(Box<Job>),
    /// A worker has the job.
    Running,
    /// Finished or failed.
    Ended,
}

/// One note of the cache.
#[derive(Debug)]
pub(crate) struct CachedNote {
    /// The samples.
    pub note: Arc<RenderedNote>,
    /// How far they are.
    pub rendering: Rendering,
    /// What of [`NoteCache::bytes`] is this note's.
    bytes: usize,
    /// Instances that were granted it and have not been asked to give it back.
    holders: Vec<InstanceId>,
}

impl CachedNote {
    /// Whether anyone outside the cache and its writer holds the note.
    pub(crate) fn is_held(&self) -> bool {
        let own = match self.rendering {
            Rendering::Ended => 1,
            Rendering::Resting(_) | Rendering::Running => 2,
        };
        Arc::strong_count(&self.note) > own
    }

    /// Whether someone holds it and wants more of it than there is, and no worker is at it.
    pub(crate) fn is_wanting(&self) -> bool {
        matches!(self.rendering, Rendering::Resting(_))
            && self.note.wanted() > self.note.available()
            && self.is_held()
    }

    fn is_running(&self) -> bool {
        matches!(self.rendering, Rendering::Running)
    }
}

impl NoteCache {
    /// An empty cache.
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self { notes: BTreeMap::new(), current: HashMap::new(), next_id: 0, budget_bytes, bytes: 0 }
    }

    /// The note of a key, if it is rendered or being rendered and has not failed.
    pub(crate) fn find(&self, key: &NoteKey) -> Option<&CachedNote> {
        let id = self.current.get(key)?;
        self.notes.get(id).filter(|cached| !cached.note.is_failed())
    }

    /// A note by its name.
    pub(crate) fn get(&self, id: NoteId) -> Option<&CachedNote> {
        self.notes.get(&id)
    }

    /// A note by its name, to be changed.
    pub(crate) fn get_mut(&mut self, id: NoteId) -> Option<&mut CachedNote> {
        self.notes.get_mut(&id)
    }

    /// Takes a new note in; one that was there under its key is out of date from now on.
    pub(crate) fn insert(&mut self, note: Arc<RenderedNote>, job: Box<Job>) -> NoteId {
        let id = NoteId(self.next_id);
        self.next_id += 1;
        let bytes = note.bytes();
        self.bytes += bytes;
        self.current.insert(note.key(), id);
        let cached = CachedNote { note, rendering: Rendering::Resting(job), bytes, holders: Vec::new() };
        self.notes.insert(id, cached);
        id
    }

    /// Remembers that an instance gets the note of a key, and hands the note out.
    pub(crate) fn grant(&mut self, key: &NoteKey, to: InstanceId) -> Option<Arc<RenderedNote>> {
        let cached = self.notes.get_mut(self.current.get(key)?)?;
        if cached.note.is_failed() {
            return None;
        }
        if !cached.holders.contains(&to) {
            cached.holders.push(to);
        }
        Some(cached.note.clone())
    }

    /// Counts a note's memory anew: it has grown.
    pub(crate) fn recount(&mut self, id: NoteId) {
        if let Some(cached) = self.notes.get_mut(&id) {
            let bytes = cached.note.bytes();
            self.bytes = self.bytes - cached.bytes + bytes;
            cached.bytes = bytes;
        }
    }

    /// Makes every note out of date: new requests render anew, voices go on with what they have. Says who is to
    /// give which note back.
    pub(crate) fn outdate_all(&mut self) -> Vec<(InstanceId, NoteKey)> {
        let mut retire = Vec::new();
        for (key, id) in self.current.drain() {
            if let Some(cached) = self.notes.get_mut(&id) {
                retire.extend(cached.holders.drain(..).map(|holder| (holder, key)));
            }
        }
        retire
    }

    /// Forgets an instance that has gone.
    pub(crate) fn forget_instance(&mut self, gone: InstanceId) {
        for cached in self.notes.values_mut() {
            cached.holders.retain(|&holder| holder != gone);
        }
    }

    /// The notes that [are wanting](CachedNote::is_wanting).
    pub(crate) fn wanting(&self) -> impl Iterator<Item = NoteId> {
        self.notes.iter().filter(|(_, cached)| cached.is_wanting()).map(|(id, _)| *id)
    }

    /// Drops what nobody may play any more; while over the budget, the least recently used notes too. Says which
    /// instances are to give back which notes, so that the rest can go as soon as no voice plays it.
    pub(crate) fn evict(&mut self) -> Vec<(InstanceId, NoteKey)> {
        let (notes, current, bytes) = (&mut self.notes, &self.current, &mut self.bytes);
        notes.retain(|id, cached| {
            let outdated = current.get(&cached.note.key()) != Some(id);
            let goes = outdated && !cached.is_held() && !cached.is_running();
            if goes {
                *bytes -= cached.bytes;
            }
            !goes
        });
        let mut retire = Vec::new();
        if self.bytes <= self.budget_bytes {
            return retire;
        }

        let mut by_use: Vec<(u64, NoteId)> =
            self.current.values().filter_map(|id| Some((self.notes.get(id)?.note.last_used(), *id))).collect();
        by_use.sort_unstable();
        let mut over = self.bytes - self.budget_bytes;
        for (_, id) in by_use {
            if over == 0 {
                break;
            }
            let Some(cached) = self.notes.get_mut(&id) else { continue };
            let key = cached.note.key();
            if cached.is_running() {
                continue;
            }
            if !cached.is_held() {
                over = over.saturating_sub(cached.bytes);
                self.bytes -= cached.bytes;
                self.notes.remove(&id);
                self.current.remove(&key);
            } else if !cached.holders.is_empty() {
                // It lies in a table at least: it comes back, unless a voice plays it, before the next pass.
                retire.extend(cached.holders.drain(..).map(|holder| (holder, key)));
                over = over.saturating_sub(cached.bytes);
            }
        }
        retire
    }

    /// Changes the budget; the next [`NoteCache::evict`] comes within it.
    pub(crate) fn set_budget_bytes(&mut self, budget_bytes: usize) {
        self.budget_bytes = budget_bytes;
    }

    /// Memory that the notes may take.
    pub(crate) fn budget_bytes(&self) -> usize {
        self.budget_bytes
    }

    /// Memory that the notes take, those included that only wait to be given back.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of notes that can be played.
    pub(crate) fn len(&self) -> usize {
        self.current.len()
    }
}
