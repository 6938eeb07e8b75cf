//! The render workers: threads that run decoders and publish chunks, shared by all instances of the process.
//!
//! A worker holds one decoder of the model at a time, made on its own thread. It takes one [`Job`] from the
//! scheduler, renders its next run, publishes the chunks, and gives the job back. A decoder that fails or panics
//! fails that note, with a reason; the worker goes on with a fresh decoder. Workers never see the cache's map.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use betwixt_audio::rendered_note::NoteWriter;
use crossbeam::channel::{Receiver, Sender, unbounded};

use crate::decoder::Decoder;
use crate::model::Model;
use crate::note_cache::NoteId;
use crate::note_render::NoteRender;
use crate::patience::News;
use crate::scheduler::Command;

/// Where workers get their decoders from.
pub(crate) trait DecoderSource: Send + Sync + fmt::Debug {
    /// A decoder for one worker.
    fn decoder(&self) -> Result<Box<dyn Decoder>, String>;
}

impl DecoderSource for Model {
    fn decoder(&self) -> Result<Box<dyn Decoder>, String> {
        Self::decoder(self).map_err(|error| error.to_string())
    }
}

/// A note that is being rendered: all that any worker needs to go on with it.
#[derive(Debug)]
pub(crate) struct Job {
    /// The decoders that fit its state.
    pub source: Arc<dyn DecoderSource>,
    /// How it goes on.
    pub render: NoteRender,
    /// Where its chunks go.
    pub writer: NoteWriter,
}

/// What a worker is told.
#[derive(Debug)]
enum Task {
    /// Have a decoder ready for jobs to come.
    Prepare(Arc<dyn DecoderSource>),
    /// Render the next run.
    Render(NoteId, Box<Job>),
}

/// What came of a task.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The worker, free again.
    pub worker: usize,
    /// What it rendered, none if it only got ready.
    pub run: Option<RunOutcome>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct RunOutcome {
    /// The note.
    pub note: NoteId,
    /// The job, to be gone on with; none once the note has ended.
    pub job: Option<Box<Job>>,
    /// Why the note failed, if it did.
    pub failure: Option<String>,
    /// Samples published.
    pub samples: usize,
    /// Time it took.
    pub busy: Duration,
}

/// The threads.
#[derive(Debug)]
pub(crate) struct Workers {
    tasks: Vec<Sender<Task>>,
    /// Tasks that each worker has not reported yet.
    unreported: Vec<usize>,
    threads: Vec<JoinHandle<()>>,
    cancel: Arc<AtomicBool>,
}

impl Workers {
    /// Starts `count` threads that report to the scheduler.
    pub(crate) fn start(count: usize, scheduler: &Sender<Command>, news: &Arc<News>) -> Self {
        let cancel = Arc::new(AtomicBool::new(false));
        let mut workers = Self {
            tasks: Vec::new(),
            unreported: Vec::new(),
            threads: Vec::new(),
            cancel,
        };
        for index in 0..count {
            let (tasks, receiver) = unbounded();
            let worker = Worker {
                index,
                tasks: receiver,
                scheduler: scheduler.clone(),
                news: Arc::clone(news),
                cancel: Arc::clone(&workers.cancel),
                decoder: None,
            };
            let thread = std::thread::Builder::new().name(format!("betwixt-worker-{index}"));
            // A system without room for another thread renders with those it has.
            if let Ok(handle) = thread.spawn(move || worker.work()) {
                workers.tasks.push(tasks);
                workers.unreported.push(0);
                workers.threads.push(handle);
            }
        }
        workers
    }

    /// Number of threads.
    pub(crate) fn count(&self) -> usize {
        self.tasks.len()
    }

    /// Whether a job would be taken up at once.
    pub(crate) fn has_idle(&self) -> bool {
        self.unreported.contains(&0)
    }

    /// Whether any worker is at something.
    pub(crate) fn is_busy(&self) -> bool {
        self.unreported.iter().any(|count| *count > 0)
    }

    /// Hands a job to a worker that is idle.
    ///
    /// # Errors
    /// Gives the job back if none is.
    pub(crate) fn render(&mut self, note: NoteId, job: Box<Job>) -> Result<(), Box<Job>> {
        let Some(worker) = self.unreported.iter().position(|count| *count == 0) else {
            return Err(job);
        };
        self.unreported[worker] += 1;
        match self.tasks[worker].send(Task::Render(note, job)) {
            Ok(()) => Ok(()),
            Err(refused) => match refused.0 {
                Task::Render(_, job) => Err(job),
                Task::Prepare(_) => unreachable!("only a render was sent"),
            },
        }
    }

    /// Lets every worker make its decoder before the first job comes, those that are busy after their job.
    pub(crate) fn prepare(&mut self, source: &Arc<dyn DecoderSource>) {
        for (tasks, unreported) in self.tasks.iter().zip(&mut self.unreported) {
            if tasks.send(Task::Prepare(Arc::clone(source))).is_ok() {
                *unreported += 1;
            }
        }
    }

    /// A worker has reported a task.
    pub(crate) fn reported(&mut self, worker: usize) {
        if let Some(count) = self.unreported.get_mut(worker) {
            *count = count.saturating_sub(1);
        }
    }

    /// Calls off what is being rendered and waits for the threads' end.
    pub(crate) fn stop(self) {
        self.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        drop(self.tasks);
        for thread in self.threads {
            // A worker catches panics of decoders; one of its own has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// One thread's own things.
struct Worker {
    index: usize,
    tasks: Receiver<Task>,
    scheduler: Sender<Command>,
    news: Arc<News>,
    cancel: Arc<AtomicBool>,
    decoder: Option<(Arc<dyn DecoderSource>, Box<dyn Decoder>)>,
}

impl Worker {
    fn work(mut self) {
        while let Ok(task) = self.tasks.recv() {
            let run = match task {
                Task::Prepare(source) => {
                    // What it cannot prepare fails the first note, which then says why.
                    let _ = self.decoder_of(&source);
                    None
                }
                Task::Render(note, job) => Some(self.render(note, job)),
            };
            let rendered = run.is_some();
            if self
                .scheduler
                .send(Command::Worked(Outcome {
                    worker: self.index,
                    run,
                }))
                .is_err()
            {
                break;
            }
            if rendered {
                self.news.announce();
            }
        }
    }

    fn render(&mut self, note: NoteId, mut job: Box<Job>) -> RunOutcome {
        let began = Instant::now();
        let run = self.run(&mut job);
        let busy = began.elapsed();
        let (samples, failure) = match run {
            Ok(samples) => (samples, None),
            Err(reason) => (0, Some(reason)),
        };
        let job = if failure.is_some() {
            self.decoder = None;
            job.writer.fail();
            None
        } else if job.render.is_done() || job.writer.is_full() {
            job.writer.finish();
            None
        } else {
            Some(job)
        };
        RunOutcome {
            note,
            job,
            failure,
            samples,
            busy,
        }
    }

    /// Renders and publishes the next run; says how many samples it had.
    fn run(&mut self, job: &mut Job) -> Result<usize, String> {
        let source = Arc::clone(&job.source);
        let cancel = Arc::clone(&self.cancel);
        let decoder = self.decoder_of(&source)?;
        let samples = catch_unwind(AssertUnwindSafe(|| job.render.next_run(decoder, &cancel)))
            .map_err(|panic| format!("the decoder panicked: {}", panic_message(&*panic)))?
            .map_err(|error| error.to_string())?;
        let chunk_samples = job.writer.note().chunk_samples();
        let mut published = 0;
        for chunk in samples.chunks(chunk_samples) {
            if job.writer.is_full() {
                break;
            }
            job.writer
                .push(chunk.into())
                .map_err(|error| format!("the decoder's output: {error}"))?;
            published += chunk.len();
        }
        Ok(published)
    }

    /// This worker's decoder of a model, made anew if it has one of another.
    fn decoder_of(&mut self, source: &Arc<dyn DecoderSource>) -> Result<&mut dyn Decoder, String> {
        let fits = self
            .decoder
            .as_ref()
            .is_some_and(|(of, _)| Arc::ptr_eq(of, source));
        if !fits {
            // The old one's memory first: two sessions of a large model might not fit.
            self.decoder = None;
            let made = catch_unwind(AssertUnwindSafe(|| source.decoder()))
                .map_err(|panic| format!("the decoder could not be made: {}", panic_message(&*panic)))??;
            self.decoder = Some((Arc::clone(source), made));
        }
        match &mut self.decoder {
            Some((_, decoder)) => Ok(&mut **decoder),
            None => Err("the decoder is gone".into()),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_string()
}
