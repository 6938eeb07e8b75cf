//! Reads lists, sounds and presets from the disk for the window, and wakes it when there is something new to show. A
//! background thread, one while a window is open.
//!
//! It takes one request after another, so that two picks in a row cannot undo each other, and ends when the window goes,
//! after the last request. The window asks and collects without waiting.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::instance::Instance;
use betwixt_engine::library::{Library, PresetEntry, SoundEntry};
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::{Preset, SoundRef};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use nice_plug_egui::RepaintNotifier;

use crate::snapshot::{ListRow, pitch_name};
use crate::watch::Watch;

/// How often the thread looks whether there is something new to show.
const WATCH_INTERVAL: Duration = Duration::from_millis(40);

/// What the window may ask.
#[derive(Debug)]
pub enum Request {
    /// The sound at a place of the list, into a corner; `None` empties it.
    PickSound(usize, Option<usize>),
    /// The sound in a corner, with another loop; `None` for no loop.
    SetLoop(usize, Option<LoopRegion>),
    /// The preset at a place of the list.
    ReadPreset(usize),
    /// These sounds into the corners.
    SetPatch(Patch),
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// The lists, once after the window opened.
    Lists {
        /// The sounds to pick from.
        sounds: Arc<[ListRow]>,
        /// The presets to pick from.
        presets: Arc<[ListRow]>,
    },
    /// A preset is read whole; nothing of it is in effect.
    PresetRead(Box<Preset>, Patch),
    /// The last pick is in effect.
    Done,
    /// The last request changed nothing, for this reason.
    Trouble(String),
}

/// The window's end of the thread. Dropping it waits for the last request, as the host may unload the plugin next.
#[derive(Debug)]
pub struct Librarian {
    /// Present until dropped.
    requests: Option<Sender<Request>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl Librarian {
    /// Starts the thread, which lists what there is. `repaint` wakes the window for every answer.
    pub fn start(instance: Arc<Instance>, mut watch: Watch, repaint: RepaintNotifier) -> Self {
        let (requests, incoming) = unbounded();
        let (outgoing, answers) = unbounded();
        let refusals = outgoing.clone();
        let work = move || {
            let library = Library::find();
            let mut shelf = Shelf::new(library, instance);
            let answer = |answer| {
                // A window that has gone needs no answer.
                let _ = outgoing.send(answer);
                repaint.request_repaint();
            };
            answer(shelf.lists());
            loop {
                match incoming.recv_timeout(WATCH_INTERVAL) {
                    Ok(request) => answer(shelf.carry_out(request)),
                    Err(RecvTimeoutError::Timeout) if watch.has_changed() => repaint.request_repaint(),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = thread::Builder::new()
            .name("betwixt-librarian".into())
            .spawn(work);
        let thread = thread
            .inspect_err(|error| {
                let trouble = format!("Sounds cannot be listed: the system gave no thread: {error}");
                let _ = refusals.send(Answer::Trouble(trouble));
            })
            .ok();
        Self {
            requests: Some(requests),
            answers,
            thread,
        }
    }

    /// Asks for something.
    pub fn ask(&self, request: Request) {
        // Without a thread there is nobody to ask; the window has been told.
        let _ = self.requests.as_ref().map(|requests| requests.send(request));
    }

    /// The next answer, if there is one.
    pub fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

impl Drop for Librarian {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to do.
            let _ = thread.join();
        }
    }
}

/// What the thread keeps between requests.
struct Shelf {
    library: Library,
    instance: Arc<Instance>,
    sounds: Vec<SoundEntry>,
    presets: Vec<PresetEntry>,
}

impl Shelf {
    fn new(library: Library, instance: Arc<Instance>) -> Self {
        let sounds = library.sounds();
        let presets = library.presets();
        Self {
            library,
            instance,
            sounds,
            presets,
        }
    }

    fn lists(&self) -> Answer {
        Answer::Lists {
            sounds: self.sounds.iter().map(sound_row).collect(),
            presets: self.presets.iter().map(preset_row).collect(),
        }
    }

    fn carry_out(&mut self, request: Request) -> Answer {
        match request {
            Request::PickSound(corner, None) => {
                self.instance
                    .set_patch(self.instance.patch().with_corner(corner, None));
                Answer::Done
            }
            Request::PickSound(corner, Some(index)) => {
                let Some(entry) = self.sounds.get(index) else {
                    return Answer::Done;
                };
                match self.library.sound(&entry.reference) {
                    Ok(sound) => {
                        self.instance
                            .set_patch(self.instance.patch().with_corner(corner, Some(sound)));
                        Answer::Done
                    }
                    Err(error) => Answer::Trouble(error.to_string()),
                }
            }
            Request::SetLoop(corner, loop_region) => {
                let patch = self.instance.patch();
                if let Some(Some(sound)) = patch.corners().get(corner) {
                    let mut looped = (**sound).clone();
                    looped.set_loop(loop_region);
                    self.instance
                        .set_patch(patch.with_corner(corner, Some(Arc::new(looped))));
                }
                Answer::Done
            }
            Request::ReadPreset(index) => {
                let Some(entry) = self.presets.get(index) else {
                    return Answer::Done;
                };
                match self.library.patch(&entry.preset.corners) {
                    Ok(patch) => Answer::PresetRead(Box::new(entry.preset.clone()), patch),
                    Err(error) => Answer::Trouble(format!("{}: {error}", entry.preset.name)),
                }
            }
            Request::SetPatch(patch) => {
                self.instance.set_patch(patch);
                Answer::Done
            }
        }
    }
}

fn sound_row(entry: &SoundEntry) -> ListRow {
    let mut detail = vec![pitch_name(entry.pitch)];
    if !entry.family.is_empty() {
        detail.insert(0, entry.family.clone());
    }
    if matches!(entry.reference, SoundRef::User(_)) {
        detail.push("yours".into());
    }
    let search = format!("{} {} {}", entry.name, detail.join(" "), entry.tags.join(" ")).to_lowercase();
    ListRow {
        name: entry.name.clone(),
        detail: detail.join(" · "),
        search,
    }
}

fn preset_row(entry: &PresetEntry) -> ListRow {
    let preset = &entry.preset;
    let mut detail = preset.tags.clone();
    detail.truncate(2);
    if entry.is_user {
        detail.push("yours".into());
    }
    let search = format!(
        "{} {} {} {}",
        preset.name,
        preset.description,
        preset.author,
        preset.tags.join(" ")
    );
    ListRow {
        name: preset.name.clone(),
        detail: detail.join(" · "),
        search: search.to_lowercase(),
    }
}
