//! How urgent the calling thread's work is to the system: what a sounding voice waits for goes before all ordinary threads,
//! right behind the host's audio thread.
//!
//! Linux, where the user may (`rtprio` in `limits.conf`, as audio distributions set it): the two lowest real-time
//! priorities, below those of JACK's and PipeWire's clients. Elsewhere, and where it is not granted, all threads are
//! ordinary ones.
//!
//! A thread that computes without end at a real-time priority would make the kernel hold all of them back, the host's
//! audio thread too (`sched_rt_runtime_us`: 95 % of a second). So a worker has an [`Allowance`], and is ordinary when it
//! has spent it.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Who waits for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Nobody yet, or nobody who hears: all that is rendered ahead, and offline.
    Ordinary,
    /// A sounding voice.
    Sounding,
    /// Whoever hands out the sounding voices' work: short, and before it.
    Handing,
}

impl Urgency {
    /// Makes it the calling thread's; threads that it starts are ordinary ones. False where it is not granted.
    pub(crate) fn enter(self) -> bool {
        #[cfg(target_os = "linux")]
        {
            // SAFETY: the calling thread lives.
            unsafe { self.give(libc::pthread_self()) }
        }
        #[cfg(not(target_os = "linux"))]
        {
            self == Self::Ordinary
        }
    }

    /// Makes it another thread's, until that [enters](Self::enter) one itself.
    #[cfg_attr(not(target_os = "linux"), allow(unused_variables, clippy::unused_self))]
    pub(crate) fn lend(self, thread: &JoinHandle<()>) {
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::thread::JoinHandleExt;
            // Not granted, the thread stays what it is.
            // SAFETY: a thread that was not joined, which takes its handle, may still be named.
            let _ = unsafe { self.give(thread.as_pthread_t()) };
        }
    }

    /// # Safety
    /// The thread must not have been joined.
    #[cfg(target_os = "linux")]
    unsafe fn give(self, thread: libc::pthread_t) -> bool {
        let (policy, priority) = match self {
            Self::Ordinary => (libc::SCHED_OTHER, 0),
            Self::Sounding => (libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, 1),
            Self::Handing => (libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, 2),
        };
        let parameters = libc::sched_param {
            sched_priority: priority,
        };
        // SAFETY: the thread may be named, says the caller; the parameters outlive the call, which only reads them.
        unsafe { libc::pthread_setschedparam(thread, policy, &raw const parameters) == 0 }
    }
}

/// What an allowance is of.
const SPAN: Duration = Duration::from_millis(100);
/// Of each span a worker may be at real-time priority: leaves the kernel's limit alone even if all cores' workers do.
const ALLOWED: Duration = Duration::from_millis(70);

/// How much a worker computes for sounding voices, and its urgency by that.
#[derive(Debug)]
pub(crate) struct Allowance {
    now: Urgency,
    /// Not asked for again once refused.
    is_granted: bool,
    began: Instant,
    spent: Duration,
}

impl Allowance {
    /// Of a thread that is ordinary.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            now: Urgency::Ordinary,
            is_granted: true,
            began: now,
            spent: Duration::ZERO,
        }
    }

    /// What the thread is to be for work of this urgency that begins now.
    fn of(&mut self, work: Urgency, now: Instant) -> Urgency {
        if now.duration_since(self.began) >= SPAN {
            (self.began, self.spent) = (now, Duration::ZERO);
        }
        if self.spent < ALLOWED {
            work
        } else {
            Urgency::Ordinary
        }
    }

    /// Makes the calling thread what it is to be for this work.
    pub(crate) fn enter(&mut self, work: Urgency) {
        let next = self.of(work, Instant::now());
        if self.is_granted && next != self.now {
            self.is_granted = next.enter();
            self.now = next;
        }
    }

    /// The calling thread was [lent](Urgency::lend) this meanwhile: its work counts, and what comes next enters its own.
    pub(crate) fn was_lent(&mut self, urgency: Urgency) {
        self.now = urgency;
    }

    /// Such work has been done.
    pub(crate) fn spend(&mut self, busy: Duration) {
        if self.now != Urgency::Ordinary {
            self.spent += busy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_never_rests_is_ordinary_for_the_rest_of_the_span() {
        let began = Instant::now();
        let mut allowance = Allowance::new(began);
        allowance.now = Urgency::Sounding;
        assert_eq!(allowance.of(Urgency::Sounding, began), Urgency::Sounding);
        allowance.spend(ALLOWED);
        let soon = began + ALLOWED;
        assert_eq!(allowance.of(Urgency::Sounding, soon), Urgency::Ordinary);
        assert_eq!(
            allowance.of(Urgency::Sounding, began + SPAN),
            Urgency::Sounding,
            "a new span has a new allowance"
        );
    }

    #[test]
    fn ordinary_work_costs_no_allowance() {
        let began = Instant::now();
        let mut allowance = Allowance::new(began);
        allowance.spend(SPAN);
        assert_eq!(allowance.of(Urgency::Sounding, began), Urgency::Sounding);
    }

    #[test]
    fn work_at_a_lent_urgency_counts() {
        let began = Instant::now();
        let mut allowance = Allowance::new(began);
        allowance.was_lent(Urgency::Sounding);
        allowance.spend(ALLOWED);
        assert_eq!(allowance.of(Urgency::Sounding, began), Urgency::Ordinary);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_has_the_urgency_that_it_is_granted_and_its_children_do_not() {
        fn policy() -> i32 {
            // SAFETY: 0 names the calling thread.
            unsafe { libc::sched_getscheduler(0) & !libc::SCHED_RESET_ON_FORK }
        }
        std::thread::spawn(|| {
            let granted = Urgency::Sounding.enter();
            let expected = if granted {
                libc::SCHED_RR
            } else {
                libc::SCHED_OTHER
            };
            assert_eq!(policy(), expected);
            let (lent, waits) = std::sync::mpsc::channel::<()>();
            let other = std::thread::spawn(move || {
                waits.recv().unwrap();
                let of_lender = policy();
                Urgency::Ordinary.enter();
                assert_eq!((of_lender, policy()), (expected, libc::SCHED_OTHER));
            });
            Urgency::Sounding.lend(&other);
            lent.send(()).unwrap();
            other.join().unwrap();
            let child = std::thread::spawn(policy).join().unwrap();
            assert_eq!(child, libc::SCHED_OTHER);
            Urgency::Ordinary.enter();
            assert_eq!(policy(), libc::SCHED_OTHER);
        })
        .join()
        .unwrap();
    }
}
