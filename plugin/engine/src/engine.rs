//! The engine: one a process, shared by all instances of the plugin.
//!
//! Made and used on main threads, the window and the command line; never on the audio thread. It is nothing but a
//! place to send commands to until the first instance is activated; then the scheduler, the workers and the loading of the
//! model start. When the last `Arc` goes, all of its threads are called off and joined, so that a host may unload the
//! plugin. ONNX Runtime's environment alone stays.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::bounded;
use parking_lot::Mutex;

use crate::command_queue::{Command, CommandSender, command_queue};
use crate::instance::InstanceId;
use crate::library;
use crate::loaded_model::{LoadedModel, Loader};
use crate::model::manifest::PitchInput;
use crate::model::{Model, folder_of};
use crate::note_cache::DEFAULT_BUDGET_BYTES;
use crate::note_store::NoteShelf;
use crate::pace::{Measured, Pace};
use crate::patience::{News, OfflinePatience};
use crate::resources::Resources;
use crate::runtime::provider::DeviceChoice;
use crate::scheduler::{Scheduler, SchedulerParts};
use crate::status::{EngineStatus, ModelStatus, StatusBoard};
use crate::worker::DecoderSource;

/// The model that is played unless another is named.
pub const DEFAULT_MODEL: &str = "spectral";

/// The engine that all instances of the process share.
static SHARED: Mutex<Weak<Engine>> = Mutex::new(Weak::new());

/// How an engine differs from the process's own.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineOptions {
    /// Folder of the model; none for the shipped one.
    pub model: Option<PathBuf>,
    /// What computes it.
    pub device: DeviceChoice,
    /// Render threads.
    pub workers: usize,
    /// Memory that rendered notes may take.
    pub cache_budget_bytes: usize,
    /// How the model is played, whatever it is measured at; none for what is measured.
    pub pace: Option<Pace>,
    /// Where a slow model's notes are kept on the disk; none for nowhere.
    pub shelf: Option<NoteShelf>,
}

impl Default for EngineOptions {
    /// The shipped model, a worker a core but one, half a gigabyte of notes, those of a slow model in the user's folder.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Self {
            model: None,
            device: DeviceChoice::Auto,
            workers: cores.saturating_sub(1).max(1),
            cache_budget_bytes: DEFAULT_BUDGET_BYTES,
            pace: None,
            shelf: NoteShelf::find(),
        }
    }
}

/// Models, threads and rendered notes.
#[derive(Debug)]
pub struct Engine {
    commands: CommandSender,
    device: Arc<Mutex<DeviceChoice>>,
    news: Arc<News>,
    board: Arc<StatusBoard>,
    instances: AtomicU64,
    scheduler: Mutex<SchedulerThread>,
}

/// The scheduler, before and after it was started.
enum SchedulerThread {
    Waiting(Box<SchedulerParts>),
    Running(JoinHandle<()>),
    /// The system gave no thread.
    Failed,
}

impl std::fmt::Debug for SchedulerThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Waiting(_) => "Waiting",
            Self::Running(_) => "Running",
            Self::Failed => "Failed",
        })
    }
}

impl Engine {
    /// The engine of this process.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock();
        shared.upgrade().unwrap_or_else(|| {
            let engine = Self::new(EngineOptions::default());
            *shared = Arc::downgrade(&engine);
            engine
        })
    }

    /// An engine of its own, for the command line and tests. Starts nothing.
    pub fn new(options: EngineOptions) -> Arc<Self> {
        let device = Arc::new(Mutex::new(options.device));
        let chosen = Arc::clone(&device);
        let (folder, pace) = (options.model.clone(), options.pace);
        let loader: Loader =
            Arc::new(move |tag, cancel| load_model(folder.clone(), tag, *chosen.lock(), pace, cancel));
        Self::with_loader(options, device, loader)
    }

    pub(crate) fn with_loader(
        options: EngineOptions,
        device: Arc<Mutex<DeviceChoice>>,
        loader: Loader,
    ) -> Arc<Self> {
        let (commands, receiver) = command_queue();
        let news = Arc::new(News::default());
        let board = Arc::new(StatusBoard::default());
        board.write(&EngineStatus {
            cache_budget_bytes: options.cache_budget_bytes,
            ..EngineStatus::default()
        });
        let parts = SchedulerParts {
            commands: receiver,
            own_commands: commands.clone(),
            loader,
            news: Arc::clone(&news),
            board: Arc::clone(&board),
            workers: options.workers.max(1),
            budget_bytes: options.cache_budget_bytes,
            shelf: options.shelf,
        };
        Arc::new(Self {
            commands,
            device,
            news,
            board,
            instances: AtomicU64::new(0),
            scheduler: Mutex::new(SchedulerThread::Waiting(Box::new(parts))),
        })
    }

    /// Chooses what computes the model; one that is loaded is loaded again, in the background.
    pub fn set_device(&self, device: DeviceChoice) {
        if std::mem::replace(&mut *self.device.lock(), device) != device {
            self.send(Command::Reload);
        }
    }

    /// What was chosen to compute the model. [`Engine::status`] tells what really does.
    pub fn device(&self) -> DeviceChoice {
        *self.device.lock()
    }

    /// Changes the memory that rendered notes may take.
    pub fn set_cache_budget_bytes(&self, bytes: usize) {
        self.send(Command::SetBudget(bytes));
    }

    /// What the engine says of itself; up to 50 ms old.
    pub fn status(&self) -> EngineStatus {
        self.board.read()
    }

    /// Waits until all that the engine was told before is done with, and its status is fresh; false if that took
    /// longer than `timeout` or nothing runs.
    pub fn settle(&self, timeout: Duration) -> bool {
        if !matches!(*self.scheduler.lock(), SchedulerThread::Running(_)) {
            return false;
        }
        let (reply, settled) = bounded(1);
        self.send(Command::Settle(reply));
        settled.recv_timeout(timeout).is_ok()
    }

    /// Starts the scheduler and the workers, once.
    pub(crate) fn start(&self) {
        let mut scheduler = self.scheduler.lock();
        if !matches!(*scheduler, SchedulerThread::Waiting(_)) {
            return;
        }
        let SchedulerThread::Waiting(parts) = std::mem::replace(&mut *scheduler, SchedulerThread::Failed)
        else {
            return;
        };
        let thread = std::thread::Builder::new().name("betwixt-scheduler".into());
        match thread.spawn(move || Scheduler::new(*parts).run()) {
            Ok(handle) => *scheduler = SchedulerThread::Running(handle),
            Err(error) => {
                let mut status = self.board.read();
                status.model = ModelStatus::Failed(format!("no thread for the scheduler: {error}"));
                self.board.write(&status);
            }
        }
    }

    pub(crate) fn send(&self, command: Command) {
        // Without a scheduler nobody plays, and nobody has to know.
        self.commands.send(command);
    }

    pub(crate) fn next_instance(&self) -> InstanceId {
        InstanceId(self.instances.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn offline_patience(&self) -> OfflinePatience {
        OfflinePatience::new(Arc::clone(&self.news), self.commands.clone())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let SchedulerThread::Running(thread) =
            std::mem::replace(self.scheduler.get_mut(), SchedulerThread::Failed)
        {
            self.send(Command::Stop);
            // It panicked if this fails, and the panic hook has told.
            let _ = thread.join();
        }
    }
}

/// Loads the model of a folder; without one the model of a tag, the user's before the shipped; and where there is none, the
/// shipped one. On the loader's thread, or that of a pack.
pub(crate) fn load_model(
    folder: Option<PathBuf>,
    tag: Option<&str>,
    device: DeviceChoice,
    pace: Option<Pace>,
    cancel: &AtomicBool,
) -> Result<LoadedModel, String> {
    let folder = match folder {
        Some(folder) => folder,
        None => {
            let resources = Resources::find().map_err(|error| error.to_string())?;
            let of_user = library::user_folder().map(|folder| folder.join("models"));
            let folders: Vec<PathBuf> = of_user.into_iter().chain(resources.models()).collect();
            match tag.and_then(|tag| folder_of(tag, &folders)) {
                Some(folder) => folder,
                None => resources
                    .model(DEFAULT_MODEL)
                    .map_err(|error| error.to_string())?,
            }
        }
    };
    let model = Model::load(&folder, device).map_err(|error| error.to_string())?;
    let mut decoder = model.decoder().map_err(|error| error.to_string())?;
    let batch_capacity = decoder.batch_capacity();
    let pace = match pace {
        Some(pace) => pace,
        // A decoder that fails says why with the first note.
        None => match Pace::measure(decoder.as_mut(), cancel).unwrap_or(Pace::Live) {
            // It can render some pitches only, and voices resample those.
            Pace::Live if model.manifest().pitch == PitchInput::Embedded => Pace::Ahead { slowness: 1.0 },
            measured => measured,
        },
    };
    let providers = model.providers();
    let report = ModelStatus::Ready {
        tag: model.tag(),
        device: providers.in_use,
        refusals: providers.refusals.clone(),
        slowness: match pace {
            Pace::Live => None,
            Pace::Ahead { slowness } => Some(slowness),
        },
    };
    Ok(LoadedModel {
        format: model.format(),
        id: model.id().0,
        pace,
        batch_capacity,
        pitch_is_embedded: model.manifest().pitch == PitchInput::Embedded,
        frames_per_embedding_frame: model.frames_per_embedding_frame(),
        pitch_dim: model.manifest().pitch_dim,
        level_dim: model.manifest().level_dim,
        tag: model.tag(),
        report,
        source: Arc::new(Measured::new(model as Arc<dyn DecoderSource>, decoder)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::Credits;
    use crate::decoder::{DecodeError, Decoder, DecoderFormat, NoteStart, Run, Snapshot};
    use crate::embedding::{Embedding, LoopRegion};
    use crate::instance::Instance;
    use crate::patch::Patch;
    use crate::sound::Sound;
    use betwixt_audio::event::{Event, EventKind, NoteAddress, NoteEnd};
    use betwixt_audio::instrument::{Activity, Instrument};
    use betwixt_audio::meters::Meters;
    use betwixt_audio::settings::Settings;
    use std::sync::atomic::AtomicBool;

    /// The shipped model's decoders, which panic at key 61 and fail at key 62.
    /// While [`BROKEN`] all of them fail.
    #[derive(Debug)]
    struct Faulty(Arc<dyn DecoderSource>);

    #[derive(Debug)]
    struct FaultyDecoder(Box<dyn Decoder>);

    static BROKEN: AtomicBool = AtomicBool::new(false);

    impl DecoderSource for Faulty {
        fn decoder(&self) -> Result<Box<dyn Decoder>, String> {
            Ok(Box::new(FaultyDecoder(self.0.decoder()?)))
        }
    }

    impl Decoder for FaultyDecoder {
        fn format(&self) -> DecoderFormat {
            self.0.format()
        }

        fn batch_capacity(&self) -> usize {
            self.0.batch_capacity()
        }

        fn begin(&self, start: NoteStart) -> Snapshot {
            self.0.begin(start)
        }

        fn render(&mut self, runs: &mut [Run<'_>], cancel: &AtomicBool) -> Result<(), DecodeError> {
            let (mut embedding, mut pitch) = (vec![0.0; self.format().dims], [0.0]);
            runs[0].conditioning.read(0, &mut embedding, &mut pitch);
            assert!(pitch[0] != 61.0, "key 61");
            if pitch[0] == 62.0 || BROKEN.load(Ordering::Relaxed) {
                return Err(DecodeError::ForeignSnapshot);
            }
            self.0.render(runs, cancel)
        }
    }

    #[test]
    fn a_decoder_that_fails_or_panics_costs_its_note_and_nothing_else() {
        let loader: Loader = Arc::new(|tag, cancel| {
            let mut model = load_model(None, tag, DeviceChoice::Cpu, None, cancel)?;
            model.source = Arc::new(Faulty(model.source));
            Ok(model)
        });
        let engine = Engine::with_loader(
            EngineOptions {
                workers: 2,
                ..EngineOptions::default()
            },
            Arc::default(),
            loader,
        );
        let (instance, end) = Instance::new(&engine);
        instance.activate();
        while engine.status().model == ModelStatus::Loading {
            std::thread::sleep(Duration::from_millis(5));
        }
        let ModelStatus::Ready { tag, .. } = engine.status().model else {
            panic!(
                "{:?}; `cargo xtask setup` puts ONNX Runtime and the model in place",
                engine.status().model
            );
        };
        let sound = Sound {
            name: "test".into(),
            family: String::new(),
            tags: Vec::new(),
            licence: String::new(),
            source: String::new(),
            model: tag,
            pitch: 60.0,
            gain_db: 0.0,
            velocity: crate::sound::DEFAULT_VELOCITY,
            further: Vec::new(),
            loop_region: Some(LoopRegion {
                start_frame: 2,
                end_frame: 20,
            }),
            embedding: Embedding::new(16, (0..16 * 24).map(|i| (i as f32).sin()).collect()).unwrap(),
            credits: Credits::default(),
        };
        instance.set_patch(Patch::default().with_corner(0, Some(Arc::new(sound))));
        let mut instrument = Instrument::new(end, Arc::new(Meters::default()));
        instrument.prepare(48_000.0);
        let patience = instance.offline_patience();
        let mut strike = |key: u8, breaks_at: Option<i32>| {
            let on = EventKind::NoteOn {
                address: NoteAddress::midi(0, key),
                velocity: 1.0,
            };
            let (mut left, mut right) = ([0.0; 128], [0.0; 128]);
            let mut ended: Vec<NoteEnd> = Vec::new();
            let mut activity = Activity::Silent;
            for block in 0..20 {
                let moves = breaks_at.is_some_and(|at| block >= at);
                BROKEN.store(moves, Ordering::Relaxed);
                let events: Vec<Event> = (block == 0)
                    .then_some(Event {
                        offset_samples: 0,
                        kind: on,
                    })
                    .into_iter()
                    .collect();
                let settings = Settings {
                    heat: if moves { 1.0 } else { 0.0 },
                    ..Settings::default()
                };
                activity = instrument.process(
                    &mut left,
                    &mut right,
                    &events,
                    &settings,
                    Some(&patience),
                    &mut |end| ended.push(end),
                );
            }
            BROKEN.store(false, Ordering::Relaxed);
            instrument.reset();
            (activity, ended.len())
        };
        assert_eq!(strike(60, None), (Activity::Sounding, 0));
        assert_eq!(strike(61, None), (Activity::Silent, 1), "the panic ends its note");
        assert!(engine.settle(Duration::from_secs(5)));
        let reason = engine.status().last_failure.unwrap();
        assert!(
            reason.contains("panicked") && reason.contains("key 61"),
            "{reason}"
        );
        assert_eq!(strike(62, None), (Activity::Silent, 1), "the error ends its note");
        assert_eq!(strike(63, None), (Activity::Sounding, 0));
        assert!(engine.settle(Duration::from_secs(5)));
        assert_eq!(engine.status().notes_failed, 2);
        strike(64, Some(10));
        assert!(engine.settle(Duration::from_secs(5)));
        assert!(engine.status().notes_failed > 2, "the stream failed and told");
        assert_eq!(strike(65, None), (Activity::Sounding, 0), "and nothing else");
    }

    #[test]
    fn the_engine_of_the_process_is_one_and_ends_with_its_last_user() {
        let first = Engine::shared();
        assert!(Arc::ptr_eq(&first, &Engine::shared()));
        let weak = Arc::downgrade(&first);
        drop(first);
        assert!(weak.upgrade().is_none());
    }
}
