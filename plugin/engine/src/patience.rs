//! Waiting for renders, offline only: a bounce gives each voice every sample it needs, whatever the speed.
//!
//! The thread that drives an [`betwixt_audio::instrument::Instrument`] offline blocks here until the scheduler or a worker made
//! something known. Never used by a live audio thread. The wait is bounded: a host that wrongly asks for offline
//! rendering, or a renderer that hangs, costs seconds and not the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use betwixt_audio::instrument::Patience;
use parking_lot::{Condvar, Mutex};

use crate::command_queue::{Command, CommandSender};

/// How long a wait without any news lasts at most.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

/// Counts what was made known: notes granted or refused, chunks published, notes ended.
#[derive(Debug, Default)]
pub(crate) struct News {
    count: Mutex<u64>,
    spread: Condvar,
}

impl News {
    /// Something was made known. Called by the scheduler and the workers.
    pub(crate) fn announce(&self) {
        *self.count.lock() += 1;
        self.spread.notify_all();
    }
}

/// Waits for the engine's news on behalf of one instrument.
#[derive(Debug)]
pub struct OfflinePatience {
    news: Arc<News>,
    scheduler: CommandSender,
    /// The news that its instrument has looked at already.
    seen: AtomicU64,
}

impl OfflinePatience {
    pub(crate) fn new(news: Arc<News>, scheduler: CommandSender) -> Self {
        Self {
            news,
            scheduler,
            seen: AtomicU64::new(0),
        }
    }
}

impl Patience for OfflinePatience {
    /// Blocks until there is news since the last call; false after 10 s without any.
    fn wait_for_news(&self) -> bool {
        // The scheduler looks at the rings now and not at its next tick.
        self.scheduler.send(Command::Poll);
        let mut count = self.news.count.lock();
        let seen = self.seen.load(Ordering::Relaxed);
        let spread = &self.news.spread;
        let silent = spread
            .wait_while_for(&mut count, |count| *count == seen, LONGEST_SILENCE)
            .timed_out();
        self.seen.store(*count, Ordering::Relaxed);
        !silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn news_before_the_wait_is_not_missed_and_news_during_it_wakes() {
        let news = Arc::new(News::default());
        let (sender, receiver) = crate::command_queue::command_queue();
        let patience = OfflinePatience::new(news.clone(), sender);
        news.announce();
        assert!(patience.wait_for_news());
        let teller = thread::spawn(move || {
            // Told to look at the rings by each wait.
            receiver.receive(None).unwrap();
            receiver.receive(None).unwrap();
            news.announce();
        });
        assert!(patience.wait_for_news());
        teller.join().unwrap();
    }
}
