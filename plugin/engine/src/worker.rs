//! The render workers: threads that run decoders and publish chunks, shared by all instances of the process.
//!
//! A worker holds its own decoder of the model, made on its own thread. It takes some [`Job`]s from the
//! scheduler, renders the next run of each, together, publishes the chunks, and gives the jobs back. A decoder that fails
//! or panics fails the note at fault, with a reason; the worker goes on with a fresh decoder. Workers never see the
//! cache's map.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, unbounded};

use crate::command_queue::{Command, CommandSender};
use crate::decoder::{DecodeError, Decoder};
use crate::job::{Job, JobId};
use crate::model::Model;
use crate::note_render::NoteRender;
use crate::patience::News;
use crate::urgency::{Allowance, Urgency};

/// Decoders that a worker holds at a time: of the model as it is loaded, and as it was before.
const MOST_DECODERS: usize = 2;

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

/// A job, and how much of it is rendered next.
#[derive(Debug)]
pub(crate) struct Assigned {
    /// Names it.
    pub id: JobId,
    /// What is rendered.
    pub job: Box<Job>,
    /// How much, in chunks.
    pub chunks: usize,
}

/// Jobs of one model whose next runs are rendered together: at least one.
pub(crate) type Batch = Vec<Assigned>;

/// What a worker is told.
#[derive(Debug)]
enum Task {
    /// Have a decoder ready for jobs to come.
    Prepare(Arc<dyn DecoderSource>),
    /// Render the next runs.
    Render(Batch, Urgency),
}

/// What came of a task.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The worker, free again.
    pub worker: usize,
    /// What it rendered, nothing if it only got ready.
    pub runs: Vec<RunOutcome>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct RunOutcome {
    /// What was rendered.
    pub id: JobId,
    /// The job, to be gone on with; none once it has ended.
    pub job: Option<Box<Job>>,
    /// How it stands now, if that is to be kept.
    pub checkpoint: Option<NoteRender>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Samples published.
    pub samples: usize,
    /// Time it took, its share of a batch's.
    pub busy: Duration,
}

/// The threads.
#[derive(Debug)]
pub(crate) struct Workers {
    seats: Vec<Seat>,
    cancel: Arc<AtomicBool>,
}

/// A worker, as the scheduler sees it.
#[derive(Debug)]
struct Seat {
    tasks: Sender<Task>,
    /// Tasks that it has not reported yet.
    unreported: usize,
    thread: JoinHandle<()>,
    /// Whether it was given something that nobody waits for, and may be lent another urgency for it.
    is_in_no_hurry: bool,
    /// Whether that was lent, until the worker has noticed.
    is_lent: Arc<AtomicBool>,
}

impl Workers {
    /// Starts `count` threads that report to the scheduler.
    pub(crate) fn start(count: usize, scheduler: &CommandSender, news: &Arc<News>) -> Self {
        let cancel = Arc::new(AtomicBool::new(false));
        let mut workers = Self {
            seats: Vec::new(),
            cancel,
        };
        for index in 0..count {
            let (tasks, receiver) = unbounded();
            let is_lent = Arc::new(AtomicBool::new(false));
            let worker = Worker {
                index,
                tasks: receiver,
                scheduler: scheduler.clone(),
                news: Arc::clone(news),
                cancel: Arc::clone(&workers.cancel),
                allowance: Allowance::new(Instant::now()),
                is_lent: Arc::clone(&is_lent),
                decoders: Vec::new(),
            };
            let thread = std::thread::Builder::new().name(format!("betwixt-worker-{index}"));
            // A system without room for another thread renders with those it has.
            if let Ok(thread) = thread.spawn(move || worker.work()) {
                workers.seats.push(Seat {
                    tasks,
                    unreported: 0,
                    thread,
                    is_in_no_hurry: false,
                    is_lent,
                });
            }
        }
        workers
    }

    /// Number of threads.
    pub(crate) fn count(&self) -> usize {
        self.seats.len()
    }

    /// Workers that would take up a batch at once.
    pub(crate) fn idle_count(&self) -> usize {
        self.seats.iter().filter(|seat| seat.unreported == 0).count()
    }

    /// Whether any worker is at something.
    pub(crate) fn is_busy(&self) -> bool {
        self.seats.iter().any(|seat| seat.unreported > 0)
    }

    /// Hands a batch to a worker that is idle.
    ///
    /// # Errors
    /// Gives the batch back if none is.
    pub(crate) fn render(&mut self, batch: Batch, urgency: Urgency) -> Result<(), Batch> {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.unreported == 0) else {
            return Err(batch);
        };
        seat.unreported += 1;
        seat.is_in_no_hurry = urgency == Urgency::Ordinary;
        match seat.tasks.send(Task::Render(batch, urgency)) {
            Ok(()) => Ok(()),
            Err(refused) => match refused.0 {
                Task::Render(batch, _) => Err(batch),
                Task::Prepare(_) => unreachable!("only a batch was sent"),
            },
        }
    }

    /// Lets those that are busy with what nobody waits for get on with it: someone does wait for what comes next. One that
    /// renders what is waited for has the urgency that its allowance leaves it.
    pub(crate) fn hurry(&mut self) {
        for seat in &mut self.seats {
            if seat.unreported > 0 && std::mem::take(&mut seat.is_in_no_hurry) {
                Urgency::Sounding.lend(&seat.thread);
                seat.is_lent.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Lets every worker make its decoder before the first job comes, those that are busy after their job.
    pub(crate) fn prepare(&mut self, source: &Arc<dyn DecoderSource>) {
        for seat in &mut self.seats {
            if seat.tasks.send(Task::Prepare(Arc::clone(source))).is_ok() {
                seat.unreported += 1;
            }
        }
    }

    /// A worker has reported a task.
    pub(crate) fn reported(&mut self, worker: usize) {
        if let Some(seat) = self.seats.get_mut(worker) {
            seat.unreported = seat.unreported.saturating_sub(1);
        }
    }

    /// Calls off what is being rendered and waits for the threads' end.
    pub(crate) fn stop(self) {
        self.cancel.store(true, Ordering::Relaxed);
        // All are told before the first is waited for.
        let threads: Vec<JoinHandle<()>> = self.seats.into_iter().map(|seat| seat.thread).collect();
        for thread in threads {
            // A worker catches panics of decoders; one of its own has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// One thread's own things.
struct Worker {
    index: usize,
    tasks: Receiver<Task>,
    scheduler: CommandSender,
    news: Arc<News>,
    cancel: Arc<AtomicBool>,
    allowance: Allowance,
    /// Whether the scheduler has lent it an urgency meanwhile.
    is_lent: Arc<AtomicBool>,
    /// At most [`MOST_DECODERS`], the last used first.
    decoders: Vec<(Arc<dyn DecoderSource>, Box<dyn Decoder>)>,
}

impl Worker {
    fn work(mut self) {
        while let Ok(task) = self.tasks.recv() {
            self.notice_loan();
            let runs = match task {
                Task::Prepare(source) => {
                    self.allowance.enter(Urgency::Ordinary);
                    // The old one's memory first: two sessions of a large model might not fit.
                    self.decoders.clear();
                    // What it cannot prepare fails the first note, which then says why.
                    let _ = self.decoder_of(&source);
                    Vec::new()
                }
                Task::Render(batch, urgency) => {
                    self.allowance.enter(urgency);
                    let began = Instant::now();
                    let runs = self.render(batch);
                    self.notice_loan();
                    self.allowance.spend(began.elapsed());
                    runs
                }
            };
            let rendered = !runs.is_empty();
            let outcome = Outcome {
                worker: self.index,
                runs,
            };
            if !self.scheduler.send(Command::Worked(outcome)) {
                break;
            }
            if rendered {
                self.news.announce();
            }
        }
    }

    fn notice_loan(&mut self) {
        if self.is_lent.swap(false, Ordering::Relaxed) {
            self.allowance.was_lent(Urgency::Sounding);
        }
    }

    fn render(&mut self, mut batch: Batch) -> Vec<RunOutcome> {
        if batch.len() > 1 {
            let before: Vec<NoteRender> = batch.iter().map(|part| part.job.render.clone()).collect();
            let began = Instant::now();
            if let Ok(rendered) = self.run(&mut batch) {
                let busy = began.elapsed() / u32::try_from(batch.len()).unwrap_or(u32::MAX);
                return batch
                    .into_iter()
                    .zip(rendered)
                    .map(|(part, samples)| concluded(part, Ok(samples), busy))
                    .collect();
            }
            // Which of them is at fault shows when each goes alone.
            self.drop_decoder();
            for (part, render) in batch.iter_mut().zip(before) {
                part.job.render = render;
            }
        }
        let alone = |part| {
            let (began, mut one) = (Instant::now(), vec![part]);
            let rendered = self.run(&mut one).map(|mut runs| runs.pop().unwrap_or_default());
            if rendered.is_err() {
                self.drop_decoder();
            }
            concluded(one.remove(0), rendered, began.elapsed())
        };
        batch.into_iter().map(alone).collect()
    }

    /// Renders the next run of each job of a batch.
    fn run(&mut self, batch: &mut Batch) -> Result<Vec<Vec<f32>>, String> {
        let Some(source) = batch.first().map(|part| Arc::clone(&part.job.source)) else {
            return Ok(Vec::new());
        };
        let cancel = Arc::clone(&self.cancel);
        if cancel.load(Ordering::Relaxed) {
            return Err(DecodeError::Cancelled.to_string());
        }
        let decoder = self.decoder_of(&source)?;
        let mut notes: Vec<(&mut NoteRender, usize)> = batch
            .iter_mut()
            .map(|part| {
                part.job.steer();
                (&mut part.job.render, part.chunks)
            })
            .collect();
        catch_unwind(AssertUnwindSafe(|| {
            NoteRender::render_together(&mut notes, decoder, &cancel)
        }))
        .map_err(|panic| format!("the decoder panicked: {}", panic_message(&*panic)))?
        .map_err(|error| error.to_string())
    }

    /// This worker's decoder of a model, made if it has none. While voices go on with what another device began, it has
    /// both.
    fn decoder_of(&mut self, source: &Arc<dyn DecoderSource>) -> Result<&mut dyn Decoder, String> {
        match self.decoders.iter().position(|(of, _)| Arc::ptr_eq(of, source)) {
            Some(at) => self.decoders.swap(0, at),
            None => {
                self.decoders.truncate(MOST_DECODERS - 1);
                let made = catch_unwind(AssertUnwindSafe(|| source.decoder())).map_err(|panic| {
                    format!("the decoder could not be made: {}", panic_message(&*panic))
                })??;
                self.decoders.insert(0, (Arc::clone(source), made));
            }
        }
        match self.decoders.first_mut() {
            Some((_, decoder)) => Ok(&mut **decoder),
            None => Err("the decoder is gone".into()),
        }
    }

    /// Drops the decoder that was last used: it failed, and what it holds is not to be trusted.
    fn drop_decoder(&mut self) {
        if !self.decoders.is_empty() {
            self.decoders.remove(0);
        }
    }
}

/// Publishes what was rendered, and says what has become of the job.
fn concluded(part: Assigned, rendered: Result<Vec<f32>, String>, busy: Duration) -> RunOutcome {
    let Assigned { id, mut job, .. } = part;
    let (samples, failure) = match rendered.and_then(|samples| job.publish(&samples)) {
        Ok(samples) => (samples, None),
        Err(reason) => (0, Some(reason)),
    };
    let mut outcome = RunOutcome {
        id,
        job: None,
        checkpoint: None,
        failure,
        samples,
        busy,
    };
    if outcome.failure.is_some() {
        // A writer that is dropped fails its note or stream.
        drop(job);
    } else if job.is_done() {
        job.finish();
    } else {
        outcome.checkpoint = job.checkpoint();
        outcome.job = Some(job);
    }
    outcome
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_string()
}
