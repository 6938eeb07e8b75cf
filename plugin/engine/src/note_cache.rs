//! The rendered notes of the process, how far each is, and the memory they may take.
//!
//! Owned by the scheduler thread alone; nothing here is locked. All instances share it: a note that one of them had
//! rendered is there for all. What is over the budget goes by least recent use, and never while anyone outside
//! the cache (a voice, an audio thread's table, a ring) holds the note. Of each note the cache keeps, too, how its
//! rendering stood every [`CHECKPOINT_CHUNKS`](crate::job::CHECKPOINT_CHUNKS), from where streams go on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use betwixt_audio::note::{NoteKey, PatchId};
use betwixt_audio::rendered_note::RenderedNote;

use crate::instance::InstanceId;
use crate::job::{Job, Sink};
use crate::note_render::NoteRender;
use crate::worker::DecoderSource;

/// Memory that rendered notes may take unless the user says otherwise.
pub(crate) const DEFAULT_BUDGET_BYTES: usize = 512 << 20;

/// Notes that are rendered ahead for one instance and not asked for yet.
const MOST_AHEAD: usize = 24;

/// Time that a granted note may take to the voice that asked for it: the longest blocks of hosts.
const GRANT_TRAVEL: Duration = Duration::from_millis(250);

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
    /// When its rendering was asked for.
    pub begun: Instant,
    /// Until then it may be on its way to the voice that asked for it last.
    travels_until: Instant,
    /// Whether anyone has asked for it: others are rendered ahead, and go first.
    pub was_asked: bool,
    /// Whether it is a slow model's, granted when it is whole.
    pub is_whole: bool,
    /// The instance that it is rendered ahead for, as long as that seems of use.
    ahead_for: Option<InstanceId>,
    /// Where its decoders come from.
    source: Arc<dyn DecoderSource>,
    /// How its rendering stood before its first chunk, and every so many later, in order.
    checkpoints: Vec<NoteRender>,
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

    /// Whether someone hears it, or may soon, and wants more of it than there is, and no worker is at it.
    pub(crate) fn is_wanting(&self) -> bool {
        let is_awaited = || self.is_held() && (self.note.is_heard() || Instant::now() < self.travels_until);
        matches!(self.rendering, Rendering::Resting(_))
            && self.note.wanted() > self.note.available()
            && (self.ahead_for.is_some() || is_awaited())
    }

    /// Whether it was begun, has not come to its end, and nobody has it rendered on.
    pub(crate) fn rests_unwanted(&self) -> bool {
        matches!(self.rendering, Rendering::Resting(_)) && self.ahead_for.is_none()
    }

    /// The instance that it is rendered for: the first that was granted it.
    pub(crate) fn instance(&self) -> Option<InstanceId> {
        self.holders.first().copied().or(self.ahead_for)
    }

    fn is_running(&self) -> bool {
        matches!(self.rendering, Rendering::Running)
    }

    fn count_bytes(&self) -> usize {
        self.note.bytes() + self.checkpoints.iter().map(NoteRender::bytes).sum::<usize>()
    }
}

impl NoteCache {
    /// An empty cache.
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self {
            notes: BTreeMap::new(),
            current: HashMap::new(),
            next_id: 0,
            budget_bytes,
            bytes: 0,
        }
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
        let is_whole = matches!(job.sink, Sink::Whole { .. });
        let (source, checkpoints) = (Arc::clone(&job.source), vec![job.render.clone()]);
        self.take_in(note, is_whole, source, checkpoints, Rendering::Resting(job))
    }

    /// Takes in a slow model's note that came whole from the disk.
    pub(crate) fn insert_whole(&mut self, note: Arc<RenderedNote>, source: &Arc<dyn DecoderSource>) {
        self.take_in(note, true, Arc::clone(source), Vec::new(), Rendering::Ended);
    }

    fn take_in(
        &mut self,
        note: Arc<RenderedNote>,
        is_whole: bool,
        source: Arc<dyn DecoderSource>,
        checkpoints: Vec<NoteRender>,
        rendering: Rendering,
    ) -> NoteId {
        let id = NoteId(self.next_id);
        self.next_id += 1;
        self.current.insert(note.key(), id);
        let begun = Instant::now();
        let mut cached = CachedNote {
            note,
            begun,
            travels_until: begun + GRANT_TRAVEL,
            was_asked: true,
            is_whole,
            ahead_for: None,
            source,
            checkpoints,
            rendering,
            bytes: 0,
            holders: Vec::new(),
        };
        cached.bytes = cached.count_bytes();
        self.bytes += cached.bytes;
        self.notes.insert(id, cached);
        id
    }

    /// The name of a key's note, if it is rendered or being rendered and has not failed.
    pub(crate) fn id_of(&self, key: &NoteKey) -> Option<NoteId> {
        self.find(key)?;
        self.current.get(key).copied()
    }

    /// The note of a key, failed ones too: those are not tried again until they are asked for.
    pub(crate) fn find_any(&self, key: &NoteKey) -> Option<&CachedNote> {
        self.notes.get(self.current.get(key)?)
    }

    /// Has a slow model's note rendered to its end for an instance.
    pub(crate) fn render_whole(&mut self, id: NoteId, instance: InstanceId, was_asked: bool) {
        if let Some(cached) = self.notes.get_mut(&id) {
            cached.ahead_for = Some(instance);
            cached.was_asked = was_asked;
        }
    }

    /// Nobody has the note rendered on.
    pub(crate) fn call_off_note(&mut self, id: NoteId) {
        if let Some(cached) = self.notes.get_mut(&id) {
            cached.ahead_for = None;
        }
    }

    /// A slow model's notes of a patch that are there to be played.
    pub(crate) fn whole_notes_of(&self, patch: PatchId) -> Vec<NoteKey> {
        let mut keys: Vec<(NoteId, NoteKey)> = self
            .current
            .iter()
            .filter(|(key, _)| key.patch == patch)
            .filter(|(_, id)| {
                let cached = self.notes.get(*id);
                cached.is_some_and(|cached| cached.is_whole && cached.note.is_finished())
            })
            .map(|(key, id)| (*id, *key))
            .collect();
        keys.sort_unstable_by_key(|(id, _)| *id);
        keys.into_iter().map(|(_, key)| key).collect()
    }

    /// A slow model's notes that someone has rendered on, and that no worker is at.
    pub(crate) fn wanting_whole(&self) -> impl Iterator<Item = (NoteId, NoteKey)> {
        self.notes
            .iter()
            .filter(|(_, cached)| cached.is_whole && cached.is_wanting())
            .map(|(id, cached)| (*id, cached.note.key()))
    }

    /// A slow model's notes that are being rendered or wait for it.
    pub(crate) fn whole_under_way(&self) -> usize {
        let under_way =
            |cached: &&CachedNote| cached.is_whole && (cached.is_running() || cached.is_wanting());
        self.notes.values().filter(under_way).count()
    }

    /// Remembers that an instance gets the note of a key, and hands the note out.
    pub(crate) fn grant(&mut self, key: &NoteKey, to: InstanceId) -> Option<Arc<RenderedNote>> {
        let cached = self.notes.get_mut(self.current.get(key)?)?;
        if cached.note.is_failed() {
            return None;
        }
        (cached.was_asked, cached.ahead_for) = (true, None);
        cached.travels_until = Instant::now() + GRANT_TRAVEL;
        if !cached.holders.contains(&to) {
            cached.holders.push(to);
        }
        Some(cached.note.clone())
    }

    /// A rendering of a key's note to go on from at a chunk: as near before it as is kept. Also of one that is out of
    /// date; none if there is none, or it failed.
    pub(crate) fn fork(
        &self,
        key: &NoteKey,
        first_chunk: usize,
    ) -> Option<(Arc<dyn DecoderSource>, NoteRender)> {
        let outdated = || self.notes.values().rev().find(|cached| cached.note.key() == *key);
        let cached = self.find(key).or_else(outdated)?;
        if cached.note.is_failed() {
            return None;
        }
        let resting = match &cached.rendering {
            Rendering::Resting(job) => Some(&job.render),
            Rendering::Running | Rendering::Ended => None,
        };
        let nearest = cached
            .checkpoints
            .iter()
            .chain(resting)
            .filter(|render| render.rendered_chunks() <= first_chunk)
            .max_by_key(|render| render.rendered_chunks())?;
        Some((Arc::clone(&cached.source), nearest.clone()))
    }

    /// Renders a note, which was just taken in, ahead for an instance; its oldest of those goes, if they are too many.
    pub(crate) fn render_ahead(&mut self, id: NoteId, instance: InstanceId) {
        let mut ahead = self
            .notes
            .iter()
            .filter(|(_, cached)| cached.ahead_for == Some(instance));
        let oldest = ahead.next().map(|(oldest, _)| *oldest);
        if ahead.count() + 1 >= MOST_AHEAD
            && let Some(oldest) = oldest
            && let Some(cached) = self.notes.get_mut(&oldest)
        {
            cached.ahead_for = None;
            if !cached.is_running() && !cached.is_held() {
                self.bytes -= cached.bytes;
                self.current.remove(&cached.note.key());
                self.notes.remove(&oldest);
            }
        }
        if let Some(cached) = self.notes.get_mut(&id) {
            (cached.was_asked, cached.ahead_for) = (false, Some(instance));
        }
    }

    /// Calls off what is rendered ahead for an instance.
    pub(crate) fn call_off_ahead(&mut self, instance: InstanceId) {
        for cached in self.notes.values_mut() {
            if cached.ahead_for == Some(instance) {
                cached.ahead_for = None;
            }
        }
    }

    /// Whether there is room for notes that may never be asked for: never so much that a used one would have to go.
    pub(crate) fn has_room_ahead(&self) -> bool {
        self.bytes + self.budget_bytes / 8 < self.budget_bytes
    }

    /// Keeps how the rendering of a note stands.
    pub(crate) fn keep(&mut self, id: NoteId, checkpoint: NoteRender) {
        if let Some(cached) = self.notes.get_mut(&id) {
            cached.checkpoints.push(checkpoint);
        }
    }

    /// Counts a note's memory anew: it has grown.
    pub(crate) fn recount(&mut self, id: NoteId) {
        if let Some(cached) = self.notes.get_mut(&id) {
            let bytes = cached.count_bytes();
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
            cached.ahead_for = cached.ahead_for.filter(|&of| of != gone);
        }
    }

    /// The notes that [are wanting](CachedNote::is_wanting) and are heard as they are rendered.
    pub(crate) fn wanting(&self) -> impl Iterator<Item = NoteId> {
        self.notes
            .iter()
            .filter(|(_, cached)| !cached.is_whole && cached.is_wanting())
            .map(|(id, _)| *id)
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

        let use_of = |cached: &CachedNote| (cached.was_asked, cached.note.last_used());
        let mut by_use: Vec<((bool, u64), NoteId)> = self
            .current
            .values()
            .filter_map(|id| Some((use_of(self.notes.get(id)?), *id)))
            .collect();
        by_use.sort_unstable();
        let mut over = self.bytes - self.budget_bytes;
        for (_, id) in by_use {
            if over == 0 {
                break;
            }
            let Some(cached) = self.notes.get_mut(&id) else {
                continue;
            };
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::credits::Credits;
    use crate::decoder::{Decoder, DecoderFormat};
    use crate::embedding::{Embedding, LoopRegion};
    use crate::job::Sink;
    use crate::note_render::BlendedNote;
    use crate::sound::Sound;
    use betwixt_audio::note::{Part, Strike};
    use betwixt_audio::timbre::Timbre;

    const INSTANCE: InstanceId = InstanceId(7);
    const CHUNK: usize = 1000;

    /// Nothing is rendered here.
    #[derive(Debug)]
    struct NoDecoders;

    impl DecoderSource for NoDecoders {
        fn decoder(&self) -> Result<Box<dyn Decoder>, String> {
            Err("none".into())
        }
    }

    pub(crate) fn key(pitch_cents: i32) -> NoteKey {
        NoteKey {
            patch: PatchId(1),
            strike: Strike::with(Timbre::default()),
            part: Part::Mid,
            pitch_cents,
        }
    }

    pub(crate) fn job(key: NoteKey) -> (Arc<RenderedNote>, Box<Job>) {
        let format = DecoderFormat {
            sample_rate_hz: 48_000,
            hop_samples: 500,
            chunk_samples: CHUNK,
            dims: 2,
        };
        let sound = Sound {
            name: String::new(),
            family: String::new(),
            tags: Vec::new(),
            licence: String::new(),
            source: String::new(),
            model: String::new(),
            pitch: 60.0,
            gain_db: 0.0,
            velocity: crate::sound::DEFAULT_VELOCITY,
            further: Vec::new(),
            loop_region: Some(LoopRegion {
                start_frame: 0,
                end_frame: 1,
            }),
            embedding: Embedding::new(2, vec![0.0; 8]).unwrap(),
            credits: Credits::default(),
        };
        let corners = [Some(Arc::new(sound)), None, None, None];
        let blended = BlendedNote::new(&corners, [1.0, 0.0, 0.0, 0.0], 60.0, 2, 3).unwrap();
        let (writer, note) = RenderedNote::new(key, CHUNK, 10, 48_000);
        let render = NoteRender::new(blended, 1, format);
        (
            note,
            Box::new(Job {
                source: Arc::new(NoDecoders),
                render,
                sink: Sink::Note(writer),
            }),
        )
    }

    /// A cache of notes of 4 kB and a little, the first the least recently used.
    fn filled(budget_bytes: usize, notes: i32) -> NoteCache {
        let mut cache = NoteCache::new(budget_bytes);
        for pitch in 0..notes {
            let (note, job) = job(key(pitch));
            let id = cache.insert(note, job);
            let cached = cache.get_mut(id).unwrap();
            if let Rendering::Resting(job) = &mut cached.rendering {
                job.publish(&[0.0; CHUNK]).unwrap();
            }
            cache.recount(id);
        }
        cache
    }

    #[test]
    fn the_least_recently_used_goes_first_until_the_budget_is_met() {
        let mut cache = filled(45_000, 20);
        cache.find(&key(0)).unwrap().note.touch();
        assert_eq!(cache.evict(), []);
        assert!(
            cache.bytes() <= 45_000 && cache.bytes() > 38_000,
            "{} bytes",
            cache.bytes()
        );
        assert!(cache.find(&key(0)).is_some(), "it was used last");
        assert!(cache.find(&key(1)).is_none() && cache.find(&key(19)).is_some());
    }

    #[test]
    fn what_was_rendered_ahead_in_vain_goes_first_and_never_becomes_much() {
        let mut cache = filled(60_000, 10);
        for pitch in 100..104 {
            let (note, job) = job(key(pitch));
            let id = cache.insert(note, job);
            cache.render_ahead(id, INSTANCE);
        }
        assert!(cache.grant(&key(103), INSTANCE).is_some());
        cache.set_budget_bytes(cache.bytes() - 1);
        cache.evict();
        assert!(cache.find(&key(100)).is_none(), "it was not asked for");
        assert!(
            (0..10)
                .chain([103])
                .all(|pitch| cache.find(&key(pitch)).is_some())
        );
        for pitch in 200..300 {
            let (note, job) = job(key(pitch));
            let id = cache.insert(note, job);
            cache.render_ahead(id, INSTANCE);
        }
        assert!(cache.len() <= 13 + MOST_AHEAD, "{}", cache.len());
        assert!(cache.find(&key(299)).is_some() && cache.find(&key(200)).is_none());
    }

    #[test]
    fn what_is_called_off_is_rendered_no_further() {
        let mut cache = NoteCache::new(1 << 20);
        let (note, job) = job(key(0));
        note.want(CHUNK);
        let id = cache.insert(note, job);
        assert_eq!(cache.wanting().count(), 0);
        cache.render_ahead(id, INSTANCE);
        assert_eq!(cache.wanting().count(), 1);
        cache.call_off_ahead(INSTANCE);
        assert_eq!(cache.wanting().count(), 0);
    }

    #[test]
    fn what_a_voice_reads_is_asked_back_and_stays_until_it_comes() {
        let mut cache = filled(0, 3);
        let voice = cache.grant(&key(1), INSTANCE).unwrap();
        assert_eq!(cache.evict(), [(INSTANCE, key(1))]);
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.evict(), [], "asked once");
        assert!(cache.find(&key(1)).is_some());
        drop(voice);
        cache.evict();
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn a_note_that_a_worker_is_at_stays() {
        let mut cache = filled(0, 1);
        let id = cache.current[&key(0)];
        let Rendering::Resting(job) =
            std::mem::replace(&mut cache.get_mut(id).unwrap().rendering, Rendering::Running)
        else {
            panic!("it rests");
        };
        cache.evict();
        assert_eq!(cache.len(), 1);
        cache.get_mut(id).unwrap().rendering = Rendering::Resting(job);
        cache.evict();
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn outdated_notes_are_rendered_anew_and_go_when_nobody_reads_them() {
        let mut cache = filled(1 << 20, 2);
        let voice = cache.grant(&key(0), INSTANCE).unwrap();
        assert_eq!(cache.outdate_all(), [(INSTANCE, key(0))]);
        assert!(cache.find(&key(0)).is_none());
        cache.evict();
        assert!(cache.bytes() > 0, "a voice reads it");
        drop(voice);
        cache.evict();
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn a_failed_note_is_not_found_again() {
        let mut cache = filled(1 << 20, 1);
        let id = cache.current[&key(0)];
        cache.get_mut(id).unwrap().rendering = Rendering::Ended;
        assert!(cache.find(&key(0)).is_none());
        assert!(cache.grant(&key(0), INSTANCE).is_none());
        let (note, job) = job(key(0));
        cache.insert(note, job);
        assert!(cache.grant(&key(0), INSTANCE).is_some());
    }

    #[test]
    fn only_notes_that_a_voice_has_or_that_are_on_their_way_to_one_are_rendered_on() {
        let mut cache = filled(1 << 20, 1);
        let note = Arc::clone(&cache.find(&key(0)).unwrap().note);
        note.want(5 * CHUNK);
        assert_eq!(cache.wanting().count(), 1, "the voice will have it in a moment");
        let id = cache.id_of(&key(0)).unwrap();
        cache.get_mut(id).unwrap().travels_until = Instant::now();
        assert_eq!(
            cache.wanting().count(),
            0,
            "it lies in a table, and nobody plays it"
        );
        note.join();
        assert_eq!(cache.wanting().count(), 1);
        note.leave();
        assert_eq!(cache.wanting().count(), 0, "the voice has gone");
        note.join();
        drop(note);
        assert_eq!(cache.wanting().count(), 0, "so has its instrument");
    }
}
