//! What the scheduler does for a slow model: notes of a grid, looked up on the disk or rendered whole, and granted then.
//!
//! The scheduler's thread. What voices wait for goes first, the latest asked before the others; then each instance's plan, an
//! instance at a time. As many notes are begun as the workers' decoders render at once, and a little more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use betwixt_audio::blend::{Blend, BlendCell};
use betwixt_audio::grid::Grid;
use betwixt_audio::link::ToAudio;
use betwixt_audio::note::{NoteKey, PatchId};
use betwixt_audio::rendered_note::RenderedNote;

use super::{OFFLINE_PAUSE, Scheduler};
use crate::client::Client;
use crate::instance::{InstanceId, Readiness};
use crate::job::JobId;
use crate::note_cache::{NoteCache, NoteId};
use crate::note_store::note_name;
use crate::pace::Pace;
use crate::patch::Patch;
use crate::render_plan::{Focus, RenderPlan};
use crate::urgency::Urgency;
use crate::work_queue::take_note;
use crate::worker::{Assigned, Batch};

/// How often is looked what to render ahead next.
pub(super) const PLAN_INTERVAL: Duration = Duration::from_millis(25);
/// How often an offline render hears that its notes are still being rendered, and for how long without any progress.
const HEARTBEAT: Duration = Duration::from_secs(1);
const LONGEST_RUN: Duration = Duration::from_secs(180);
/// Notes that are looked up or begun beyond what the workers render at once.
const SPARE_NOTES: usize = 2;

impl Scheduler {
    /// Tells an instance whether its notes are those of a grid, with the pitches that the sounds have which it plays, or is
    /// about to.
    pub(super) fn tell_grid(&mut self, id: InstanceId, next: Option<&Patch>) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let grid = self.model.slow().map(|model| {
            let patch = next.or(client.playing().map(|patch| &**patch));
            match patch.filter(|_| model.pitch_is_embedded) {
                None => client.chosen_grid,
                Some(patch) => {
                    let (low, high) = patch.pitch_range();
                    client.chosen_grid.within_pitches(low, high)
                }
            }
        });
        client.grid = grid.unwrap_or(client.chosen_grid);
        client.send(ToAudio::Grid(grid));
    }

    /// A voice waits for a note of a slow model: it is granted once it is whole.
    pub(super) fn request_whole(&mut self, id: InstanceId, key: NoteKey) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let is_known = client.patch(key.patch).is_some();
        if !client.grid.holds(&key) || !is_known {
            // Asked for before the instance heard of the grid: it asks again.
            client.send(ToAudio::Refuse(key));
            self.news.announce();
            return;
        }
        client.last_asked = Some(key);
        client.asked.retain(|asked| *asked != key);
        client.asked.push(key);
        if self
            .cache
            .find(&key)
            .is_some_and(|cached| cached.note.is_finished())
        {
            return self.deliver(key);
        }
        match self.cache.id_of(&key) {
            Some(note) => self.cache.render_whole(note, id, true),
            None => self.look_up(key),
        }
    }

    /// Asks the disk for a note, or begins it where there is none.
    fn look_up(&mut self, key: NoteKey) {
        let Some(model) = self.model.slow() else { return };
        let (name, chunk_samples) = (note_name(model.id, &key), model.format.chunk_samples);
        let asked = self
            .store
            .as_ref()
            .is_some_and(|store| store.load(key, name, chunk_samples));
        if asked {
            self.looked_for.insert(key);
        } else {
            self.begin_whole(key);
        }
    }

    /// The disk has answered.
    pub(super) fn looked_up(&mut self, key: NoteKey, note: Option<Arc<RenderedNote>>) {
        // Meanwhile another model may have been loaded.
        let was_looked_for = self.looked_for.remove(&key);
        let Some(model) = self.model.slow().filter(|_| was_looked_for) else {
            return;
        };
        match note.filter(|note| note.sample_rate_hz() == model.format.sample_rate_hz) {
            Some(note) => {
                self.cache.insert_whole(note, &model.source);
                self.status.notes_from_disk += 1;
                self.deliver(key);
            }
            None => self.begin_whole(key),
        }
    }

    /// Begins a note that is neither in memory nor on the disk, if anyone still wants it.
    fn begin_whole(&mut self, key: NoteKey) {
        let of_asker = self
            .clients
            .iter()
            .find(|(_, client)| client.asked.contains(&key));
        let of_patch = || {
            let mut clients = self.clients.iter();
            clients.find(|(_, client)| client.active && client.current_patch() == Some(key.patch))
        };
        let Some((id, was_asked)) = of_asker
            .map(|(id, _)| (*id, true))
            .or_else(|| of_patch().map(|(id, _)| (*id, false)))
        else {
            return;
        };
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        match Self::begin(&self.model, client, &mut self.cache, key) {
            Ok(note) => {
                self.cache.render_whole(note, id, was_asked);
                client.note_samples = self.cache.get(note).map(|cached| cached.note.capacity_samples());
            }
            Err(reason) => {
                self.status.last_failure = Some(reason);
                self.refuse_whole(key);
                // Nothing of these sounds can be rendered.
                self.clients
                    .values_mut()
                    .filter(|client| client.current_patch() == Some(key.patch))
                    .for_each(|client| client.is_barren = true);
            }
        }
    }

    /// Whoever waits for a note waits in vain.
    fn refuse_whole(&mut self, key: NoteKey) {
        for client in self.clients.values_mut() {
            if client.asked.contains(&key) {
                client.asked.retain(|asked| *asked != key);
                client.send(ToAudio::Refuse(key));
            }
        }
        self.news.announce();
    }

    /// Hands a whole note to all who may play it.
    fn deliver(&mut self, key: NoteKey) {
        for (id, client) in &mut self.clients {
            let wants = client.asked.contains(&key) || client.current_patch() == Some(key.patch);
            if !wants {
                continue;
            }
            client.asked.retain(|asked| *asked != key);
            if let Some(note) = self.cache.grant(&key, *id) {
                client.send(ToAudio::Grant(note));
            }
        }
        self.news.announce();
    }

    /// Hands an instance the whole notes of its sounds that are there already.
    pub(super) fn hand_out_known(&mut self, id: InstanceId) {
        let patch = self.clients.get(&id).and_then(Client::current_patch);
        let Some(patch) = patch.filter(|_| self.model.slow().is_some()) else {
            return;
        };
        for key in self.cache.whole_notes_of(patch) {
            if let (Some(note), Some(client)) = (self.cache.grant(&key, id), self.clients.get_mut(&id)) {
                client.send(ToAudio::Grant(note));
            }
        }
    }

    /// A note of a slow model has come to its end: it is kept, and handed out.
    pub(super) fn whole_ended(&mut self, id: NoteId) {
        let Some(cached) = self.cache.get(id).filter(|cached| cached.is_whole) else {
            return;
        };
        let (note, key) = (Arc::clone(&cached.note), cached.note.key());
        if note.is_failed() {
            return self.refuse_whole(key);
        }
        // One that belongs to a model that has gone is out of date and is not found.
        let is_current = self.cache.id_of(&key) == Some(id);
        let Some(model) = self.model.slow().filter(|_| is_current) else {
            return;
        };
        if let Some(store) = &self.store {
            store.keep(note_name(model.id, &key), note);
        }
        self.cache.call_off_note(id);
        self.deliver(key);
    }

    /// Calls off what was rendered for an instance's old sounds.
    pub(super) fn call_off_whole(&mut self, id: InstanceId) {
        if self.model.slow().is_none() {
            return;
        }
        if let Some(client) = self.clients.get_mut(&id) {
            // Voices that wait ask for the new sounds' notes.
            client.asked.clear();
            (client.plan, client.is_barren) = (None, false);
        }
    }

    /// Begins what the plans say, and hands whole notes to idle workers.
    pub(super) fn render_whole_notes(&mut self, now: Instant) {
        if self.model.slow().is_none() {
            return;
        }
        if now >= self.next_plan {
            self.next_plan = now + PLAN_INTERVAL;
            if now.duration_since(self.last_offline) > OFFLINE_PAUSE {
                self.follow_plans();
            }
        }
        self.give_out_whole();
        let working = self.workers.is_busy() && now.duration_since(self.last_progress) < LONGEST_RUN;
        if working && now >= self.next_heartbeat {
            self.next_heartbeat = now + HEARTBEAT;
            self.news.announce();
        }
    }

    /// Looks up the next notes of each instance's plan, as long as too few are under way.
    fn follow_plans(&mut self) {
        let Some(model) = self.model.slow() else { return };
        let most = self.workers.count() * model.batch_capacity + SPARE_NOTES;
        let mut under_way = self.cache.whole_under_way() + self.looked_for.len();
        let ids: Vec<InstanceId> = self.clients.keys().copied().collect();
        for id in ids {
            self.refresh_plan(id);
            while under_way < most && self.cache.has_room_ahead() {
                let Some(key) = self.next_planned(id) else { break };
                match self.cache.id_of(&key) {
                    Some(note) => self.cache.render_whole(note, id, false),
                    None => self.look_up(key),
                }
                under_way += 1;
            }
        }
    }

    /// Plans anew if the blend, the sounds or the grid have changed. What was begun for another place is rendered to its end first:
    /// under a blend that keeps moving nothing would ever be whole.
    fn refresh_plan(&mut self, id: InstanceId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let patch = client
            .current_patch()
            .filter(|_| client.active && !client.is_barren);
        let is_empty = |patch: PatchId| {
            client
                .patch(patch)
                .is_none_or(|patch| patch.occupied().count() == 0)
        };
        let Some(patch) = patch.filter(|patch| !is_empty(*patch)) else {
            client.plan = None;
            return;
        };
        let shown = client.watch.strike().map(|strike| strike.timbre.blend);
        let asked = client.last_asked.map(|key| key.strike.timbre.blend);
        let blend = shown.or(asked).map_or_else(Blend::default, Blend::from);
        let focus = Focus {
            patch,
            grid: client.grid,
            cell: client.grid.nearest(blend),
            pitch: client.last_pitch(),
        };
        if client.plan.as_ref().map(RenderPlan::focus) != Some(focus) {
            client.plan = Some(RenderPlan::new(focus));
        }
    }

    /// The first note of an instance's plan that is neither there nor under way.
    fn next_planned(&self, id: InstanceId) -> Option<NoteKey> {
        let plan = self.clients.get(&id)?.plan.as_ref()?;
        let is_missing = |key: &&NoteKey| {
            let cached = self.cache.find_any(key);
            !self.looked_for.contains(*key) && cached.is_none_or(|cached| cached.rests_unwanted())
        };
        plan.keys().iter().find(is_missing).copied()
    }

    /// Hands the next whole notes to the workers that are idle, as many at once as a decoder renders together.
    fn give_out_whole(&mut self) {
        let Some(model) = self.model.slow() else { return };
        let (capacity, chunks) = (model.batch_capacity.max(1), model.whole_run_chunks());
        let mut idle = self.workers.idle_count();
        while idle > 0 {
            let asked: Vec<NoteKey> = self
                .clients
                .values()
                .flat_map(|client| client.asked.iter().rev())
                .copied()
                .collect();
            let mut waiting: Vec<(usize, NoteId)> = self
                .cache
                .wanting_whole()
                .map(|(id, key)| {
                    let rank = asked.iter().position(|asked| *asked == key);
                    (rank.unwrap_or(usize::MAX), id)
                })
                .collect();
            if waiting.is_empty() {
                return;
            }
            waiting.sort_unstable();
            let share = waiting.len().div_ceil(idle).min(capacity);
            let batch: Batch = waiting
                .into_iter()
                .take(share)
                .filter_map(|(_, id)| {
                    let job = take_note(&mut self.cache, id)?;
                    let id = JobId::Note(id);
                    Some(Assigned { id, job, chunks })
                })
                .collect();
            if let Err(refused) = self.workers.render(batch, Urgency::Ordinary) {
                for part in refused {
                    self.give_back(part.id, Some(part.job));
                }
                return;
            }
            idle -= 1;
        }
    }

    /// Which keys can be played at once, for the window of an instance.
    pub(super) fn readiness(&self, id: InstanceId, blend: BlendCell) -> Option<Readiness> {
        let client = self.clients.get(&id)?;
        let patch = client.current_patch()?;
        let model = self.model.slow()?;
        let Pace::Ahead { slowness } = model.pace else {
            return None;
        };
        let cell = client.grid.nearest(blend.into());
        let is_whole = |cell, pitch| is_whole(&self.cache, &Grid::key_of(patch, cell, pitch));
        let keys = (0..128).filter(|key| is_whole(cell, client.grid.pitch(f64::from(*key))));
        let last = client.last_pitch();
        let cells = client.grid.cells().enumerate();
        let cells = cells.filter(|(_, cell)| is_whole(*cell, last));
        let missing: Vec<NoteKey> = client
            .grid
            .pitches()
            .filter(|pitch| !is_whole(cell, *pitch))
            .map(|pitch| Grid::key_of(patch, cell, pitch))
            .collect();
        let samples_left: usize = missing
            .iter()
            .map(|key| match self.cache.find(key) {
                Some(cached) => cached.note.capacity_samples() - cached.note.available(),
                None => client
                    .note_samples
                    .unwrap_or(4 * model.format.sample_rate_hz as usize),
            })
            .sum();
        // By what the workers really do, batches and all, once that is known.
        let factor = self.status.realtime_factor.filter(|factor| *factor > 0.0);
        let seconds_per_second = factor.map_or(slowness, |factor| 1.0 / factor);
        let seconds = samples_left as f32 / model.format.sample_rate_hz as f32 * seconds_per_second
            / self.workers.count().max(1) as f32;
        Some(Readiness {
            keys: keys.fold(0, |keys, key| keys | 1 << key),
            grid: Some(client.grid),
            cells: cells.fold(0, |cells, (index, _)| cells | 1 << index),
            pitches_missing: missing.len(),
            seconds_to_go: Some(seconds),
        })
    }
}

fn is_whole(cache: &NoteCache, key: &NoteKey) -> bool {
    cache.find(key).is_some_and(|cached| cached.note.is_finished())
}
