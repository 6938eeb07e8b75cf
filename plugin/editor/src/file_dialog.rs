//! The system's file dialog, on a thread of its own: neither the host nor the window ever waits for it.
//!
//! On Linux it is the desktop portal's, or zenity where there is none. It may be open when the window closes; what is chosen
//! then goes nowhere.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use betwixt_engine::audio_file;
use crossbeam::channel::{Receiver, Sender, unbounded};
use rfd::{AsyncFileDialog, FileHandle};

use crate::egui_window::Repaint;

/// The endings of what is many recordings in one instrument.
pub const INSTRUMENT_EXTENSIONS: [&str; 4] = ["sfz", "multisample", "dspreset", "dslibrary"];

/// Nobody closes a dialog sooner than this: it was never there.
const LEAST_SEEN: Duration = Duration::from_millis(250);

/// What a path is chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Recordings, instruments or sounds for a corner and the ones after it.
    Sounds(usize),
    /// A folder of recordings or of an instrument, for a corner.
    FolderOfSounds(usize),
    /// A folder whose sounds and presets are to stand in the lists.
    Library,
    /// The folder that packs go into.
    Packs,
}

/// What the user chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What for.
    pub purpose: Purpose,
    /// The files, or one folder; at least one.
    pub paths: Vec<PathBuf>,
}

type Chosen = Pin<Box<dyn Future<Output = Vec<FileHandle>> + Send>>;

/// Opens dialogs and hands over what was chosen.
#[derive(Debug)]
pub struct FileDialogs {
    outgoing: Sender<Result<Choice, String>>,
    choices: Receiver<Result<Choice, String>>,
    repaint: Repaint,
}

impl FileDialogs {
    /// For one window; `repaint` wakes it for every choice.
    pub fn new(repaint: Repaint) -> Self {
        let (outgoing, choices) = unbounded();
        Self {
            outgoing,
            choices,
            repaint,
        }
    }

    /// Opens a dialog and returns. It is made on this thread, as macOS wants it, and waited for on another.
    ///
    /// # Errors
    /// If the system gives no thread: a sentence.
    pub fn open(&self, purpose: Purpose) -> Result<(), String> {
        let dialog = dialog(purpose);
        let (outgoing, repaint) = (self.outgoing.clone(), self.repaint.clone());
        let wait = move || {
            let opened = Instant::now();
            let paths: Vec<_> = block_on(dialog)
                .into_iter()
                .map(|file| file.path().to_path_buf())
                .collect();
            if let Some(outcome) = outcome(purpose, paths, opened.elapsed()) {
                // A window that has gone needs no file.
                let _ = outgoing.send(outcome);
                repaint.request();
            }
        };
        thread::Builder::new()
            .name("betwixt-dialog".into())
            .spawn(wait)
            .map(drop)
            .map_err(|error| format!("No file can be chosen: the system gave no thread: {error}"))
    }

    /// The next choice, if one was made.
    ///
    /// # Errors
    /// If the system has no dialog: a sentence.
    pub fn choice(&self) -> Option<Result<Choice, String>> {
        self.choices.try_recv().ok()
    }
}

/// What came of a dialog that was open so long; none if the user chose nothing.
fn outcome(purpose: Purpose, paths: Vec<PathBuf>, open: Duration) -> Option<Result<Choice, String>> {
    if !paths.is_empty() {
        return Some(Ok(Choice { purpose, paths }));
    }
    let none = if cfg!(target_os = "linux") {
        "The system showed no file dialog: it needs a desktop portal or zenity. Files can be dropped on the window"
    } else {
        "The system showed no file dialog. Files can be dropped on the window"
    };
    (open < LEAST_SEEN).then(|| Err(none.to_owned()))
}

fn dialog(purpose: Purpose) -> Chosen {
    let dialog = AsyncFileDialog::new();
    let folder = |title: &str| {
        let chosen = dialog.clone().set_title(title).pick_folder();
        Box::pin(async move { chosen.await.into_iter().collect::<Vec<_>>() }) as Chosen
    };
    match purpose {
        Purpose::Sounds(_) => {
            let mut all: Vec<&str> = audio_file::EXTENSIONS.to_vec();
            all.extend(INSTRUMENT_EXTENSIONS);
            all.push(betwixt_engine::sound::SOUND_EXTENSION);
            let chosen = dialog
                .set_title("Open a recording")
                .add_filter("Recordings, instruments and sounds", &all)
                .add_filter("Recordings", &audio_file::EXTENSIONS)
                .add_filter("Instruments", &INSTRUMENT_EXTENSIONS)
                .add_filter("All files", &["*"])
                .pick_files();
            Box::pin(async move { chosen.await.unwrap_or_default() })
        }
        Purpose::FolderOfSounds(_) => folder("Open a folder of recordings"),
        Purpose::Library => folder("A folder of sounds and presets"),
        Purpose::Packs => folder("The folder that packs go into"),
    }
}

/// Sleeps until the dialog is closed.
fn block_on<T>(mut future: Pin<Box<dyn Future<Output = T> + Send>>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_may_be_told_by_another_thread() {
        let (tell, told) = unbounded::<u32>();
        let later = std::future::poll_fn(move |context: &mut Context<'_>| match told.try_recv() {
            Ok(value) => Poll::Ready(value),
            Err(_) => {
                let (waker, tell) = (context.waker().clone(), tell.clone());
                thread::spawn(move || {
                    let _ = tell.send(7);
                    waker.wake();
                });
                Poll::Pending
            }
        });
        assert_eq!(block_on(Box::pin(later)), 7);
    }

    #[test]
    fn a_dialog_that_was_closed_is_no_choice_and_one_that_never_was_is_told() {
        let seen = Duration::from_secs(2);
        assert_eq!(outcome(Purpose::Library, Vec::new(), seen), None);
        let never = outcome(Purpose::Library, Vec::new(), Duration::from_millis(20));
        assert!(matches!(never, Some(Err(why)) if why.contains("dropped on the window")));
        let paths = vec![PathBuf::from("a.wav")];
        let chosen = outcome(Purpose::Sounds(2), paths.clone(), Duration::ZERO);
        let purpose = Purpose::Sounds(2);
        assert_eq!(chosen, Some(Ok(Choice { purpose, paths })));
    }
}
