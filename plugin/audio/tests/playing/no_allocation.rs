//! `process` neither allocates nor frees, counted by the test's own global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::cells::wander;
use crate::storm::storm;

thread_local! {
    /// Whether this thread is inside `process`.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// Allocator calls of this thread inside `process`.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting calls from watched threads.
struct Counting;

fn count() {
    if WATCHED.get() {
        CALLS.set(CALLS.get() + 1);
    }
}

// SAFETY: every call is passed to the system's allocator as it came; counting touches only constant-initialised,
// destructor-free thread locals, which do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocator calls inside `work` on this thread.
fn calls(work: &mut dyn FnMut()) -> usize {
    let before = CALLS.get();
    WATCHED.set(true);
    work();
    WATCHED.set(false);
    CALLS.get() - before
}

#[test]
fn the_counter_sees_an_allocation_and_a_free() {
    assert_eq!(calls(&mut || drop(std::hint::black_box(Box::new(1)))), 2);
}

#[test]
fn a_storm_of_notes_misses_evictions_and_patch_changes_allocates_and_frees_nothing() {
    let mut total = 0;
    let tally = storm(8_000, |process| total += calls(process));
    assert_eq!(total, 0);
    assert!(tally.sounded && tally.meters.refused() > 0);
}

#[test]
fn voices_that_wander_over_a_grid_while_notes_come_allocate_and_free_nothing() {
    let mut total = 0;
    let sounded = wander(3_000, |process| total += calls(process));
    assert_eq!(total, 0);
    assert!(sounded);
}
