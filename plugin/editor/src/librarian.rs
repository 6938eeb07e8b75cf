//! Searches the library, reads sounds and presets and keeps them for the window, and wakes it when there is something new to
//! show. A background thread, one while a window is open.
//!
//! It takes one request after another, so that two picks in a row cannot undo each other, and ends when the window goes,
//! after the last request. Of searches that wait only the last is made. The window asks and collects without waiting. The
//! folders are looked through on a further thread ([`crate::folder_scan`]); imports and packs run on their own, and are brought
//! into effect here when they are done.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::library::entry::EntryId;
use betwixt_engine::pack::options::PackOptions;
use betwixt_engine::patch::Patch;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::egui_window::Repaint;
use crate::history::{Kept, Values};
use crate::list_query::{Found, ListQuery};
use crate::shelf::Shelf;
use crate::snapshot::LibraryView;
use crate::watch::Watch;

/// How often the thread looks whether there is something new to show.
const WATCH_INTERVAL: Duration = Duration::from_millis(40);
/// How often the folders are looked through while a window is open: other programs put files there too.
const RESCAN_INTERVAL: Duration = Duration::from_secs(60);

/// What the window may ask.
#[derive(Debug)]
pub enum Request {
    /// A list of this.
    Search(ListQuery),
    /// Marks an entry as a favourite or takes the mark away.
    SetFavourite(EntryId, bool),
    /// A sound into a corner; `None` empties it.
    PickSound(usize, Option<EntryId>),
    /// Files and folders: sounds for a corner and the empty ones after it, or a preset.
    Open(usize, Vec<PathBuf>),
    /// The recording of the sound in a corner once more, at this MIDI note number, or as one without a pitch.
    CorrectPitch(usize, Option<f32>),
    /// The sound in a corner, with another loop; `None` for no loop.
    SetLoop(usize, Option<LoopRegion>),
    /// A preset of the library.
    ReadPreset(EntryId),
    /// The preset after the present one in the list, or before it.
    StepPreset(bool),
    /// The preset of new instances.
    InitPreset,
    /// A preset made by chance, by this seed.
    RandomPreset(u64),
    /// The present state as a preset of the user's.
    SavePreset {
        /// What it is to be called.
        name: String,
        /// Whether one of the name may be overwritten.
        replace: bool,
    },
    /// Another name for the present preset.
    RenamePreset(String),
    /// The present preset goes.
    DeletePreset,
    /// The one that was deleted last comes back.
    RestorePreset,
    /// These sounds into the corners.
    SetPatch(Arc<Patch>),
    /// A folder whose files are to stand in the lists.
    AddFolder(PathBuf),
    /// A folder whose files are no longer to stand in the lists.
    RemoveFolder(PathBuf),
    /// The folders are to be looked through.
    Rescan,
    /// The present state as a pack.
    StartPack(PackOptions, PathBuf),
    /// The pack that was stopped goes on.
    ResumePack,
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// A list.
    Found(Found),
    /// The library as a whole.
    Library(LibraryView),
    /// A preset is read whole; nothing of it is in effect.
    PresetRead {
        /// The preset, as it is kept.
        kept: Arc<Kept>,
        /// Its sounds.
        patch: Arc<Patch>,
        /// Its parameters.
        values: Box<Values>,
        /// What is being done, as the undo calls it.
        what: String,
    },
    /// The present state is kept as a preset of this name.
    Kept(String),
    /// One of the user's presets has the name already.
    NameTaken(String),
    /// A preset was deleted, and can come back; `None` once it has.
    Deleted(Option<String>),
    /// The last request is in effect.
    Done,
    /// The last request changed nothing, or not all, for this reason; further lines are further reasons.
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
    /// Starts the thread, which opens the library with `open`. `repaint` wakes the window for every answer.
    pub fn start(
        open: impl FnOnce(Sender<Answer>) -> Shelf + Send + 'static,
        watch: Watch,
        repaint: Repaint,
    ) -> Self {
        let (requests, incoming) = unbounded();
        let (outgoing, answers) = unbounded();
        let refusals = outgoing.clone();
        let work = move || serve(open(outgoing), &incoming, watch, &repaint);
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

fn serve(mut shelf: Shelf, incoming: &Receiver<Request>, mut watch: Watch, repaint: &Repaint) {
    shelf.begin();
    repaint.request();
    let mut scanned = Instant::now();
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match incoming.recv_timeout(WATCH_INTERVAL) {
                Ok(request) => waiting.push_back(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        waiting.extend(incoming.try_iter());
        drop_overtaken(&mut waiting);
        if let Some(request) = waiting.pop_front() {
            shelf.carry_out(request);
            repaint.request();
            continue;
        }
        if scanned.elapsed() > RESCAN_INTERVAL {
            scanned = Instant::now();
            shelf.rescan();
        }
        let has_news = shelf.collect();
        if watch.has_changed() || has_news {
            repaint.request();
        }
    }
}

/// Drops each search that another one of the same list follows.
fn drop_overtaken(waiting: &mut VecDeque<Request>) {
    let kind = |request: &Request| match request {
        Request::Search(query) => Some(query.filter.kind),
        _ => None,
    };
    let mut later = Vec::new();
    for index in (0..waiting.len()).rev() {
        let Some(kind) = kind(&waiting[index]) else {
            continue;
        };
        if later.contains(&kind) {
            waiting.remove(index);
        } else {
            later.push(kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str, query: ListQuery) -> Request {
        Request::Search(ListQuery {
            text: text.into(),
            ..query
        })
    }

    #[test]
    fn of_the_searches_that_wait_only_the_last_of_each_list_is_made() {
        let mut waiting = VecDeque::from([
            search("f", ListQuery::sounds()),
            search("p", ListQuery::presets()),
            Request::PickSound(1, None),
            search("fl", ListQuery::sounds()),
            search("flu", ListQuery::sounds()),
        ]);
        drop_overtaken(&mut waiting);
        let texts: Vec<_> = waiting
            .iter()
            .map(|request| match request {
                Request::Search(query) => query.text.as_str(),
                _ => "pick",
            })
            .collect();
        assert_eq!(texts, ["p", "pick", "flu"]);
    }
}
