//! The scheduler: one thread a process between the audio threads and the render workers.
//!
//! It owns the note cache's map and the table of streams. About every millisecond while voices live it looks at the
//! instances' rings and at what the streams ask for, answers requests, hands the most urgent jobs to idle workers, evicts
//! what is over the budget, and frees what the audio threads return. While nothing sounds it looks less often, and while no
//! instance is active it sleeps. It never runs a model and never waits for one. `model_choice` is which model it has loaded,
//! `whole_notes` what it does for one that renders notes slower than they play.

mod model_choice;
mod whole_notes;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use betwixt_audio::limits::STREAMS;
use betwixt_audio::link::{StreamTag, ToAudio, ToScheduler};
use betwixt_audio::note::{NoteKey, Part, PatchId, Strike, VelocityCell};
use betwixt_audio::stream;

use crate::client::Client;
use crate::command_queue::{Command, CommandReceiver, CommandSender};
use crate::instance::{InstanceId, Readiness};
use crate::job::{Job, JobId, Sink};
use crate::loaded_model::{Loader, ModelSlot};
use crate::look_ahead::LookAhead;
use crate::note_cache::{NoteCache, NoteId, Rendering};
use crate::note_store::{NoteShelf, NoteStore};
use crate::patience::News;
use crate::status::{EngineStatus, StatusBoard};
use crate::stream_table::StreamTable;
use crate::urgency::Urgency;
use crate::work_queue::WorkQueue;
use crate::worker::{RunOutcome, Workers};

/// How often the rings are looked at while voices live.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// The same once nothing has sounded for [`IDLE_AFTER`], and for [`ASLEEP_AFTER`].
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(4);
const ASLEEP_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// After this nobody is about to play on.
const IDLE_AFTER: Duration = Duration::from_secs(2);
/// After this nobody plays.
const ASLEEP_AFTER: Duration = Duration::from_secs(30);
/// After the last sign of offline rendering nothing is rendered ahead for so long: it plays what the score says.
const OFFLINE_PAUSE: Duration = Duration::from_secs(1);
/// And so long nothing is urgent: whoever bounces waits for a note however long it takes.
const OFFLINE_CALM: Duration = Duration::from_millis(100);
/// How often all notes are looked through for ones that someone wants more of. A voice asks half a second ahead.
const SCAN_INTERVAL: Duration = Duration::from_millis(10);
/// How often the budget is looked after, so that instances have time to give notes back in between.
const EVICTION_INTERVAL: Duration = Duration::from_millis(20);
/// How often the status and the watched keys are told.
const STATUS_INTERVAL: Duration = Duration::from_millis(50);

/// The thread's own things.
pub(crate) struct Scheduler {
    commands: CommandReceiver,
    own_commands: CommandSender,
    loader: Loader,
    news: Arc<News>,
    board: Arc<StatusBoard>,
    status: EngineStatus,
    cache: NoteCache,
    clients: BTreeMap<InstanceId, Client>,
    streams: StreamTable,
    workers: Workers,
    model: ModelSlot,
    /// The model that the sounds were encoded by which it was last loaded for.
    wanted_model: Option<String>,
    /// Models that sounds were encoded by and that are not there, as far as was looked.
    absent_models: HashSet<String>,
    /// Load once more when the current loading is done: the device was changed meanwhile.
    reload: bool,
    queue: WorkQueue,
    rendered_samples: u64,
    busy: Duration,
    next_scan: Instant,
    next_eviction: Instant,
    next_status: Instant,
    /// Calls the loading of a model off.
    no_loading: Arc<AtomicBool>,
    /// Where a slow model's notes are kept; none before there is one.
    store: Option<NoteStore>,
    shelf: Option<NoteShelf>,
    /// A slow model's notes that the disk was asked for.
    looked_for: HashSet<NoteKey>,
    next_plan: Instant,
    next_heartbeat: Instant,
    /// When a worker last gave something back.
    last_progress: Instant,
    last_stir: Instant,
    last_offline: Instant,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}

/// What a scheduler is made of.
pub(crate) struct SchedulerParts {
    pub commands: CommandReceiver,
    pub own_commands: CommandSender,
    pub loader: Loader,
    pub news: Arc<News>,
    pub board: Arc<StatusBoard>,
    pub workers: usize,
    pub budget_bytes: usize,
    /// Where a slow model's notes are kept, if anywhere.
    pub shelf: Option<NoteShelf>,
}

impl Scheduler {
    /// Starts the workers; runs on the scheduler's thread.
    pub(crate) fn new(parts: SchedulerParts) -> Self {
        let workers = Workers::start(parts.workers, &parts.own_commands, &parts.news);
        let now = Instant::now();
        let mut status = parts.board.read();
        status.workers = workers.count();
        Self {
            commands: parts.commands,
            own_commands: parts.own_commands,
            loader: parts.loader,
            news: parts.news,
            board: parts.board,
            status,
            cache: NoteCache::new(parts.budget_bytes),
            clients: BTreeMap::new(),
            streams: StreamTable::default(),
            workers,
            model: ModelSlot::NotLoaded,
            wanted_model: None,
            absent_models: HashSet::new(),
            reload: false,
            queue: WorkQueue::default(),
            rendered_samples: 0,
            busy: Duration::ZERO,
            next_scan: now,
            next_eviction: now,
            next_status: now,
            no_loading: Arc::default(),
            store: None,
            shelf: parts.shelf,
            looked_for: HashSet::new(),
            next_plan: now,
            next_heartbeat: now,
            last_progress: now,
            last_stir: now,
            last_offline: now,
        }
    }

    /// Runs until told to stop.
    pub(crate) fn run(mut self) {
        // Not granted, it is an ordinary thread.
        let _ = Urgency::Handing.enter();
        loop {
            let awake = self.workers.is_busy() || self.clients.values().any(|client| client.active);
            let command = if awake {
                self.commands.receive(Some(self.poll_interval()))
            } else {
                // Whoever went last may have held what is over the budget.
                self.evict();
                self.tell_status();
                self.commands.receive(None)
            };
            let mut settled = Vec::new();
            let mut next = command;
            let mut stop = false;
            while let Some(command) = next {
                match command {
                    Command::Stop => stop = true,
                    Command::Settle(reply) => settled.push(reply),
                    command => self.handle(command),
                }
                next = self.commands.try_receive();
            }
            if stop {
                break;
            }
            self.tick();
            if !settled.is_empty() {
                self.tell_status();
                for reply in settled {
                    // Whoever asked may have given up.
                    let _ = reply.send(());
                }
            }
        }
        self.end();
    }

    fn poll_interval(&self) -> Duration {
        let silent = self.last_stir.elapsed();
        // Nobody waits for a worker's next answer where a note takes minutes.
        let awaits_worker = self.workers.is_busy() && self.model.slow().is_none();
        if awaits_worker || self.streams.len() > 0 || silent < IDLE_AFTER {
            POLL_INTERVAL
        } else if silent < ASLEEP_AFTER {
            IDLE_POLL_INTERVAL
        } else {
            ASLEEP_POLL_INTERVAL
        }
    }

    fn end(self) {
        self.no_loading.store(true, Ordering::Relaxed);
        self.workers.stop();
        if let Some(store) = self.store {
            store.stop();
        }
        if let ModelSlot::Loading(thread) = self.model {
            let _ = thread.join();
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Register { id, end, watch } => {
                self.clients.insert(id, Client::new(end, watch));
            }
            Command::Unregister(id) => {
                self.clients.remove(&id);
                self.cache.forget_instance(id);
                self.streams.forget_instance(id);
            }
            Command::Activate(id, active) => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.active = active;
                }
                if active {
                    // One that was not there may have come.
                    self.absent_models.clear();
                    self.choose_model();
                }
                if active && matches!(self.model, ModelSlot::NotLoaded | ModelSlot::Failed) {
                    self.load();
                }
                self.tell_grid(id, None);
                self.hand_out_known(id);
            }
            Command::SetGrid(id, grid) => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.chosen_grid = grid;
                }
                self.tell_grid(id, None);
            }
            Command::LookedUp(key, note) => self.looked_up(key, note),
            Command::SetPatch(id, patch) => {
                self.cache.call_off_ahead(id);
                self.call_off_whole(id);
                self.tell_grid(id, Some(&patch));
                if let Some(client) = self.clients.get_mut(&id) {
                    client.ahead = LookAhead::default();
                    client.set_patch(patch);
                }
                self.choose_model();
                self.hand_out_known(id);
            }
            Command::Reload => match self.model {
                ModelSlot::NotLoaded => {}
                ModelSlot::Loading(_) => self.reload = true,
                ModelSlot::Ready(_) | ModelSlot::Failed => self.load(),
            },
            Command::Loaded(result) => self.loaded(result),
            Command::Worked(outcome) => {
                self.workers.reported(outcome.worker);
                self.last_progress = Instant::now();
                for run in outcome.runs {
                    self.ran(run);
                }
            }
            Command::SetBudget(bytes) => {
                self.cache.set_budget_bytes(bytes);
                self.next_eviction = Instant::now();
            }
            Command::Poll => {
                self.next_scan = Instant::now();
                self.last_offline = self.next_scan;
            }
            Command::Settle(_) | Command::Stop => {}
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let ids: Vec<InstanceId> = self.clients.keys().copied().collect();
        for id in ids {
            if self.clients.get_mut(&id).is_some_and(Client::has_stirred) {
                self.last_stir = now;
            }
            while let Some(message) = self.clients.get_mut(&id).and_then(|client| client.end.receive()) {
                match message {
                    ToScheduler::Request(key) => self.request(id, key),
                    // Freed here if it was the last, and never on the audio thread.
                    ToScheduler::Return(note) => drop(note),
                    ToScheduler::Fork {
                        tag,
                        key,
                        first_chunk,
                    } => self.fork(id, tag, &key, first_chunk as usize),
                    // Its job goes at the next look.
                    ToScheduler::ReturnStream(reader) => drop(reader),
                }
            }
            if let Some(client) = self.clients.get_mut(&id) {
                client.flush();
            }
        }
        if now >= self.next_scan {
            self.next_scan = now + SCAN_INTERVAL;
            self.queue.scan(&self.cache);
        }
        self.streams.look(now);
        self.give_out_work(now);
        self.render_whole_notes(now);
        if self.model.slow().is_none()
            && self.workers.idle_count() > 0
            && now.duration_since(self.last_offline) > OFFLINE_PAUSE
        {
            self.look_ahead(now);
        }
        if now >= self.next_eviction {
            self.next_eviction = now + EVICTION_INTERVAL;
            self.evict();
        }
        if now >= self.next_status {
            self.tell_status();
        }
    }

    /// Comes within the budget, as far as notes are not played, and asks for the rest back.
    fn evict(&mut self) {
        for (holder, key) in self.cache.evict() {
            if let Some(client) = self.clients.get_mut(&holder) {
                client.send(ToAudio::Retire(key));
            }
        }
    }

    /// Grants a note that is there, begins one that can be made, and refuses the rest.
    fn request(&mut self, id: InstanceId, key: NoteKey) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if matches!(self.model, ModelSlot::Loading(_)) {
            client.waiting.push(key);
            return;
        }
        if self.model.slow().is_some() {
            return self.request_whole(id, key);
        }
        if client.ahead.struck(key, Instant::now()) {
            self.cache.call_off_ahead(id);
        }
        let ahead = self.cache.find(&key).filter(|cached| !cached.was_asked);
        if ahead.is_some_and(|cached| cached.note.available() > 0) {
            self.status.notes_rendered += 1;
        }
        if self.cache.find(&key).is_none()
            && let Err(reason) = Self::begin(&self.model, client, &mut self.cache, key)
        {
            self.status.last_failure = Some(reason);
            client.send(ToAudio::Refuse(key));
            self.news.announce();
            return;
        }
        match self.cache.grant(&key, id) {
            Some(note) => client.send(ToAudio::Grant(note)),
            None => client.send(ToAudio::Refuse(key)),
        }
        self.next_scan = Instant::now();
        self.news.announce();
    }

    /// Puts a new note into the cache, to be rendered.
    fn begin(
        model: &ModelSlot,
        client: &Client,
        cache: &mut NoteCache,
        key: NoteKey,
    ) -> Result<NoteId, String> {
        let ModelSlot::Ready(model) = model else {
            return Err("there is no model".into());
        };
        let patch = client
            .patch(key.patch)
            .ok_or("a note of sounds that are no longer in the corners was asked for")?;
        let (note, job) = model.begin(patch, key)?;
        Ok(cache.insert(note, Box::new(job)))
    }

    /// Begins notes that may be asked for, one of each instance, while the workers have nothing else.
    fn look_ahead(&mut self, now: Instant) {
        for (id, client) in &mut self.clients {
            let Some(key) = client.ahead.next(now) else {
                continue;
            };
            if self.cache.find(&key).is_some() || !self.cache.has_room_ahead() {
                continue;
            }
            // A guess that cannot be made is none.
            if let Ok(note) = Self::begin(&self.model, client, &mut self.cache, key) {
                self.cache.render_ahead(note, *id);
                self.queue.push(note);
            }
        }
        self.give_out_work(now);
    }

    /// Begins a stream from a chunk of a note, or refuses it.
    fn fork(&mut self, id: InstanceId, tag: StreamTag, key: &NoteKey, first_chunk: usize) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let rendering = self.cache.fork(key, first_chunk);
        match rendering.filter(|_| self.streams.count_of(id) < STREAMS) {
            Some((source, render)) => {
                let format = render.format();
                let (writer, reader) =
                    stream::stream(first_chunk, format.chunk_samples, format.sample_rate_hz);
                let sink = Sink::Stream { writer, first_chunk };
                let job = Job { source, render, sink };
                self.streams.insert(id, Box::new(job));
                client.send(ToAudio::Stream { tag, reader });
            }
            None => client.send(ToAudio::RefuseStream(tag)),
        }
        self.news.announce();
    }

    /// Hands the most urgent jobs to the workers that are idle.
    fn give_out_work(&mut self, now: Instant) {
        let mut idle = self.workers.idle_count();
        let is_live = now.duration_since(self.last_offline) > OFFLINE_CALM;
        while idle > 0
            && let Some((batch, is_due)) =
                self.queue
                    .next_batch(&mut self.cache, &mut self.streams, idle, now)
        {
            let urgency = if is_due && is_live {
                Urgency::Sounding
            } else {
                Urgency::Ordinary
            };
            if let Err(refused) = self.workers.render(batch, urgency) {
                for part in refused {
                    self.give_back(part.id, Some(part.job));
                }
                break;
            }
            idle -= 1;
        }
        if idle == 0 && is_live && self.queue.has_due(&self.cache, &self.streams, now) {
            self.workers.hurry();
        }
    }

    /// Takes a job back from a worker.
    fn ran(&mut self, run: RunOutcome) {
        self.rendered_samples += run.samples as u64;
        self.status.rendered_samples += run.samples as u64;
        self.busy += run.busy;
        if let Some(reason) = run.failure {
            self.status.notes_failed += 1;
            self.status.last_failure = Some(reason);
        }
        if let JobId::Note(note) = run.id
            && let Some(cached) = self.cache.get_mut(note)
        {
            if cached.was_asked && cached.note.available() <= run.samples && run.samples > 0 {
                self.status.notes_rendered += 1;
            }
            if let Some(checkpoint) = run.checkpoint {
                self.cache.keep(note, checkpoint);
            }
        }
        let ended = run.job.is_none();
        self.give_back(run.id, run.job);
        if let (JobId::Note(note), true) = (run.id, ended) {
            self.whole_ended(note);
        }
    }

    /// Lets a job rest where it belongs; none has ended.
    fn give_back(&mut self, id: JobId, job: Option<Box<Job>>) {
        match id {
            JobId::Stream(stream) => self.streams.give_back(stream, job),
            JobId::Note(note) => {
                let Some(cached) = self.cache.get_mut(note) else {
                    return;
                };
                cached.rendering = job.map_or(Rendering::Ended, Rendering::Resting);
                if !cached.is_whole && cached.is_wanting() {
                    self.queue.push(note);
                }
                self.cache.recount(note);
            }
        }
    }

    /// Tells the status and the watched keys to whoever looks.
    fn tell_status(&mut self) {
        self.next_status = Instant::now() + STATUS_INTERVAL;
        let status = &mut self.status;
        status.cache_bytes = self.cache.bytes();
        status.cache_budget_bytes = self.cache.budget_bytes();
        status.notes_cached = self.cache.len();
        status.streams = self.streams.len();
        status.rendering = self.queue.len() + self.cache.whole_under_way();
        if let ModelSlot::Ready(model) = &self.model
            && !self.busy.is_zero()
        {
            let seconds = self.rendered_samples as f64 / f64::from(model.format.sample_rate_hz);
            status.realtime_factor = Some((seconds / self.busy.as_secs_f64()) as f32);
        }
        self.board.write(status);
        for (id, client) in &self.clients {
            if let (Some(strike), Some(patch)) = (client.watch.strike(), client.current_patch()) {
                let of_grid = self.readiness(*id, strike.timbre.blend);
                // Whoever asks is about to strike as hard as they last did.
                let last = client.ahead.last_strike(patch);
                let strike = Strike {
                    velocity: last.map_or(VelocityCell::NONE, |last| last.velocity),
                    ..strike
                };
                client.watch.tell(of_grid.unwrap_or_else(|| Readiness {
                    keys: ready_keys(&self.cache, patch, strike),
                    ..Readiness::default()
                }));
            }
        }
    }
}

/// Which keys' notes have begun to be there: bit `k` is MIDI key `k`.
fn ready_keys(cache: &NoteCache, patch: PatchId, strike: Strike) -> u128 {
    (0..128)
        .filter(|key| {
            cache
                .find(&NoteKey {
                    patch,
                    strike,
                    part: Part::Mid,
                    pitch_cents: key * 100,
                })
                .is_some_and(|cached| cached.note.available() > 0)
        })
        .fold(0, |keys, key| keys | 1 << key)
}
