//! What the scheduler is told, in order, by any thread but the audio threads.
//!
//! A queue under a lock, with a bell: the scheduler wakes some hundred times a second while nothing happens, and a wait
//! that first spins, as channels' do, would cost more than all the rest of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use betwixt_audio::grid::Grid;
use betwixt_audio::link::SchedulerEnd;
use betwixt_audio::note::NoteKey;
use betwixt_audio::rendered_note::RenderedNote;
use crossbeam::channel::Sender;
use parking_lot::{Condvar, Mutex};

use crate::instance::{InstanceId, KeyWatch};
use crate::loaded_model::LoadedModel;
use crate::patch::Patch;
use crate::worker::Outcome;

/// What the scheduler is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// A new instance, not yet active.
    Register {
        /// Names it.
        id: InstanceId,
        /// Its ring.
        end: SchedulerEnd,
        /// What its window watches.
        watch: Arc<KeyWatch>,
    },
    /// An instance has gone.
    Unregister(InstanceId),
    /// An instance's audio thread runs, or no longer does.
    Activate(InstanceId, bool),
    /// An instance plays other sounds from now on.
    SetPatch(InstanceId, Arc<Patch>),
    /// Where a slow model's notes are rendered for an instance.
    SetGrid(InstanceId, Grid),
    /// The disk's answer: a whole note, if it holds it.
    LookedUp(NoteKey, Option<Arc<RenderedNote>>),
    /// The model is to be loaded (again): another device, or another try.
    Reload,
    /// The loader is done.
    Loaded(Result<LoadedModel, String>),
    /// A worker is done with a task.
    Worked(Outcome),
    /// Memory that rendered notes may take.
    SetBudget(usize),
    /// Look at the rings now.
    Poll,
    /// Answer when everything sent before is done with.
    Settle(Sender<()>),
    /// End.
    Stop,
}

#[derive(Debug, Default)]
struct Queue {
    content: Mutex<Content>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    waiting: VecDeque<Command>,
    is_closed: bool,
}

/// Where commands go in. A clone is another.
#[derive(Debug, Clone)]
pub(crate) struct CommandSender(Arc<Queue>);

/// Where commands come out.
#[derive(Debug)]
pub(crate) struct CommandReceiver(Arc<Queue>);

/// Both ends of a new queue.
pub(crate) fn command_queue() -> (CommandSender, CommandReceiver) {
    let queue = Arc::new(Queue::default());
    (CommandSender(Arc::clone(&queue)), CommandReceiver(queue))
}

impl CommandSender {
    /// Tells the scheduler something; false if it is gone.
    pub(crate) fn send(&self, command: Command) -> bool {
        let mut content = self.0.content.lock();
        if content.is_closed {
            return false;
        }
        content.waiting.push_back(command);
        drop(content);
        self.0.bell.notify_one();
        true
    }
}

impl CommandReceiver {
    /// The next command; none if there is none.
    pub(crate) fn try_receive(&self) -> Option<Command> {
        self.0.content.lock().waiting.pop_front()
    }

    /// Waits for the next command, no longer than `timeout` if one is given; then none.
    pub(crate) fn receive(&self, timeout: Option<Duration>) -> Option<Command> {
        let is_empty = |content: &mut Content| content.waiting.is_empty();
        let mut content = self.0.content.lock();
        match timeout {
            Some(timeout) => {
                self.0.bell.wait_while_for(&mut content, is_empty, timeout);
            }
            None => self.0.bell.wait_while(&mut content, is_empty),
        }
        content.waiting.pop_front()
    }
}

impl Drop for CommandReceiver {
    fn drop(&mut self) {
        let left = {
            let mut content = self.0.content.lock();
            content.is_closed = true;
            std::mem::take(&mut content.waiting)
        };
        // Outside the lock: a command may hold what sends another when it goes.
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_arrive_in_order_from_other_threads() {
        let (sender, receiver) = command_queue();
        let teller = std::thread::spawn(move || {
            let other = sender.clone();
            assert!(sender.send(Command::SetBudget(1)));
            assert!(other.send(Command::SetBudget(2)));
        });
        for expected in [1, 2] {
            let command = receiver.receive(None);
            assert!(matches!(command, Some(Command::SetBudget(bytes)) if bytes == expected));
        }
        teller.join().unwrap();
        assert!(receiver.try_receive().is_none());
    }

    #[test]
    fn a_wait_ends_by_itself_and_a_sender_learns_that_nobody_listens() {
        let (sender, receiver) = command_queue();
        assert!(receiver.receive(Some(Duration::from_millis(1))).is_none());
        assert!(sender.send(Command::Poll));
        drop(receiver);
        assert!(!sender.send(Command::Poll));
    }
}
