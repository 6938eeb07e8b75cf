//! The pack that an instance is rendering, and what came of the last one. Librarian's and window's thread; the rendering runs on
//! threads of its own and goes on while no window is open.

use std::path::PathBuf;

use betwixt_engine::pack::error::PackError;
use betwixt_engine::pack::job::PackStage;
use betwixt_engine::pack::{PackJob, PackOrder, PackProgress, PackReport};

/// How it stands with packs.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum PackView {
    /// Nothing was asked for yet.
    #[default]
    Idle,
    /// One is being rendered.
    Running {
        /// What is being done, how far it is and how long it will take.
        text: String,
        /// The part that is done, 0..1.
        part: f32,
        /// It will stop within moments.
        is_stopping: bool,
    },
    /// It is there.
    Done {
        /// Where.
        folder: PathBuf,
        /// What is in it.
        text: String,
    },
    /// It was called off or failed.
    Stopped {
        /// Why, in a sentence.
        why: String,
        /// Whether it can go on from where it stopped.
        can_resume: bool,
    },
}

impl PackView {
    /// Whether one is being rendered.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}

#[derive(Debug, Default)]
enum Outcome {
    #[default]
    None,
    Done(PackReport),
    Stopped(String),
}

/// The pack in the making and the one before.
#[derive(Debug, Default)]
pub struct PackBench {
    running: Option<PackJob>,
    is_stopping: bool,
    order: Option<PackOrder>,
    outcome: Outcome,
}

impl PackBench {
    /// Begins a pack, unless one is in the making.
    ///
    /// # Errors
    /// If the options make no sense, or the system gives no thread.
    pub fn start(&mut self, order: PackOrder) -> Result<(), PackError> {
        if self.running.is_none() {
            self.running = Some(PackJob::start(order.clone())?);
            self.order = Some(order);
            self.is_stopping = false;
            self.outcome = Outcome::None;
        }
        Ok(())
    }

    /// Goes on with what was stopped: the same preset, however it was changed since.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn resume(&mut self) -> Result<(), PackError> {
        self.order.clone().map_or(Ok(()), |order| self.start(order))
    }

    /// Calls it off; what is finished is kept.
    pub fn cancel(&mut self) {
        if let Some(job) = &self.running {
            job.cancel();
            self.is_stopping = true;
        }
    }

    /// Whether one is in the making.
    pub fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Takes the outcome of a job that is over; true if there was one.
    pub fn settle(&mut self) -> bool {
        let Some(job) = self.running.take_if(|job| job.progress().is_over) else {
            return false;
        };
        self.outcome = match job.join() {
            Ok(report) => Outcome::Done(report),
            Err(PackError::Cancelled { .. }) => Outcome::Stopped("Stopped; what is rendered is kept.".into()),
            Err(error) => Outcome::Stopped(error.to_string()),
        };
        true
    }

    /// What the window shows.
    pub fn view(&self) -> PackView {
        if let Some(job) = &self.running {
            let progress = job.progress();
            let total = progress.total.max(1) as f32;
            return PackView::Running {
                text: running_text(&progress, self.is_stopping),
                part: progress.finished as f32 / total,
                is_stopping: self.is_stopping,
            };
        }
        match &self.outcome {
            Outcome::None => PackView::Idle,
            Outcome::Done(report) => PackView::Done {
                folder: report.folder.clone(),
                text: if report.resumed > 0 {
                    format!(
                        "{} samples, {} of them from before",
                        report.samples, report.resumed
                    )
                } else {
                    format!("{} samples in {}", report.samples, duration(report.wall_seconds))
                },
            },
            Outcome::Stopped(why) => PackView::Stopped {
                why: why.clone(),
                can_resume: self.order.is_some(),
            },
        }
    }
}

fn running_text(progress: &PackProgress, is_stopping: bool) -> String {
    if is_stopping {
        return "stopping".into();
    }
    match progress.stage {
        PackStage::Loading => "loading the model".into(),
        PackStage::Finishing => "writing the mapping".into(),
        PackStage::Rendering => {
            let count = format!("{} of {} samples", progress.finished, progress.total);
            match progress.seconds_left {
                Some(seconds) => format!("{count} · {} to go", duration(seconds)),
                None => count,
            }
        }
    }
}

/// Minutes and seconds, with hours where there are any.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_hours_only_where_there_are_any() {
        assert_eq!(duration(0.2), "0:01");
        assert_eq!(duration(75.0), "1:15");
        assert_eq!(duration(7322.0), "2:02:02");
        assert_eq!(duration(-3.0), "0:00");
    }

    #[test]
    fn the_time_to_go_is_told_once_it_is_known() {
        let mut progress = PackProgress {
            stage: PackStage::Rendering,
            finished: 3,
            total: 21,
            seconds_left: None,
            is_over: false,
        };
        assert_eq!(running_text(&progress, false), "3 of 21 samples");
        progress.seconds_left = Some(65.0);
        assert_eq!(running_text(&progress, false), "3 of 21 samples · 1:05 to go");
        assert_eq!(running_text(&progress, true), "stopping");
    }

    #[test]
    fn nothing_to_resume_is_nothing_to_do() {
        let mut bench = PackBench::default();
        assert!(bench.resume().is_ok() && !bench.is_busy() && !bench.settle());
        assert_eq!(bench.view(), PackView::Idle);
    }
}
