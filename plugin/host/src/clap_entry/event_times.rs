//! Gives each event of a process call a time inside its block. Audio thread: no allocation, no lock.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;

use clap_sys::events::{
    CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_TRANSPORT, clap_event_header, clap_input_events,
};
use clap_sys::process::clap_process;

/// The largest event that is moved, in bytes; the largest of CLAP 1.2, a transport, has 104.
const LARGEST_EVENT_BYTES: usize = 256;

#[repr(C, align(8))]
struct Slot([u8; LARGEST_EVENT_BYTES]);

/// A view of a host's events in which none is later than the block's last sample.
struct EventsInBlock {
    events: *const clap_input_events,
    last_sample: u32,
    /// The moved event that was asked for last. The reader takes what it needs before asking again,
    /// except for the transport, which it keeps.
    moved: UnsafeCell<Slot>,
    moved_transport: UnsafeCell<Slot>,
}

/// Runs `body` on the call with every late event moved to the block's last sample. An event that is
/// late and too large to be moved is left out.
///
/// # Safety
/// The call's events are valid, and `body` keeps no event after it returns, nor any but the last
/// transport while it asks for others.
pub(super) unsafe fn within_block<T>(call: &clap_process, body: impl FnOnce(*const clap_process) -> T) -> T {
    if call.in_events.is_null() {
        return body(call);
    }
    let view = EventsInBlock {
        events: call.in_events,
        last_sample: call.frames_count.saturating_sub(1),
        moved: UnsafeCell::new(Slot([0; LARGEST_EVENT_BYTES])),
        moved_transport: UnsafeCell::new(Slot([0; LARGEST_EVENT_BYTES])),
    };
    let list = clap_input_events {
        ctx: (&raw const view).cast_mut().cast::<c_void>(),
        size: Some(size),
        get: Some(get),
    };
    let mut call = *call;
    call.in_events = &raw const list;
    body(&raw const call)
}

unsafe extern "C" fn size(list: *const clap_input_events) -> u32 {
    // SAFETY: lists with this function are made by `within_block`, whose view is alive.
    let view = unsafe { &*(*list).ctx.cast::<EventsInBlock>() };
    // SAFETY: the host's list is valid for the call.
    unsafe { (*view.events).size.map_or(0, |size| size(view.events)) }
}

unsafe extern "C" fn get(list: *const clap_input_events, index: u32) -> *const clap_event_header {
    // SAFETY: lists with this function are made by `within_block`, whose view is alive.
    let view = unsafe { &*(*list).ctx.cast::<EventsInBlock>() };
    // SAFETY: the host's list is valid for the call.
    let event = unsafe {
        (*view.events)
            .get
            .map_or(ptr::null(), |get| get(view.events, index))
    };
    // SAFETY: an event that is not null is valid for the call.
    let Some(header) = (unsafe { event.as_ref() }) else {
        return ptr::null();
    };
    if header.time <= view.last_sample {
        return event;
    }
    let size = header.size as usize;
    if !(size_of::<clap_event_header>()..=LARGEST_EVENT_BYTES).contains(&size) {
        return ptr::null();
    }
    let is_transport = header.space_id == CLAP_CORE_EVENT_SPACE_ID && header.type_ == CLAP_EVENT_TRANSPORT;
    let slot = if is_transport {
        view.moved_transport.get()
    } else {
        view.moved.get()
    };
    // SAFETY: the event has `size` bytes, which fit the slot; only this thread uses the view, and no
    // reference into the slot exists. A slot is aligned for every event of CLAP.
    unsafe {
        ptr::copy_nonoverlapping(event.cast::<u8>(), slot.cast::<u8>(), size);
        let moved = slot.cast::<clap_event_header>();
        (*moved).time = view.last_sample;
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap_sys::events::{CLAP_EVENT_PARAM_VALUE, clap_event_param_value};

    fn value_event(time: u32, value: f64) -> clap_event_param_value {
        clap_event_param_value {
            header: clap_event_header {
                size: size_of::<clap_event_param_value>() as u32,
                time,
                space_id: CLAP_CORE_EVENT_SPACE_ID,
                type_: CLAP_EVENT_PARAM_VALUE,
                flags: 0,
            },
            param_id: 7,
            cookie: ptr::null_mut(),
            note_id: -1,
            port_index: -1,
            channel: -1,
            key: -1,
            value,
        }
    }

    unsafe extern "C" fn host_size(list: *const clap_input_events) -> u32 {
        // SAFETY: the tests' lists carry a vector of events.
        unsafe { (*(*list).ctx.cast::<Vec<clap_event_param_value>>()).len() as u32 }
    }

    unsafe extern "C" fn host_get(list: *const clap_input_events, index: u32) -> *const clap_event_header {
        // SAFETY: the tests' lists carry a vector of events.
        let events = unsafe { &*(*list).ctx.cast::<Vec<clap_event_param_value>>() };
        events
            .get(index as usize)
            .map_or(ptr::null(), |event| &raw const event.header)
    }

    /// The events that a plugin sees, as (time, value), and whether each is the host's own.
    fn seen(frames: u32, events: &Vec<clap_event_param_value>) -> Vec<(u32, f64, bool)> {
        let list = clap_input_events {
            ctx: ptr::from_ref(events).cast_mut().cast(),
            size: Some(host_size),
            get: Some(host_get),
        };
        let call = clap_process {
            steady_time: 0,
            frames_count: frames,
            transport: ptr::null(),
            audio_inputs: ptr::null(),
            audio_outputs: ptr::null_mut(),
            audio_inputs_count: 0,
            audio_outputs_count: 0,
            in_events: &raw const list,
            out_events: ptr::null(),
        };
        // SAFETY: the events outlive the call, and each is read before the next is asked for.
        unsafe {
            within_block(&call, |call| {
                let list = (*call).in_events;
                let (size, get) = ((*list).size.expect("set"), (*list).get.expect("set"));
                (0..size(list))
                    .filter_map(|index| {
                        let event = get(list, index).cast::<clap_event_param_value>();
                        let own = ptr::from_ref(&events[index as usize]);
                        event
                            .as_ref()
                            .map(|seen| (seen.header.time, seen.value, event == own))
                    })
                    .collect()
            })
        }
    }

    #[test]
    fn late_events_arrive_at_the_last_sample_with_their_value() {
        let events = vec![
            value_event(3, 0.1),
            value_event(63, 0.2),
            value_event(64, 0.3),
            value_event(900, 0.4),
        ];
        assert_eq!(
            seen(64, &events),
            [
                (3, 0.1, true),
                (63, 0.2, true),
                (63, 0.3, false),
                (63, 0.4, false)
            ]
        );
    }

    #[test]
    fn an_empty_block_has_its_events_at_zero() {
        assert_eq!(seen(0, &vec![value_event(5, 0.5)]), [(0, 0.5, false)]);
    }

    #[test]
    fn a_late_event_of_an_impossible_size_is_left_out() {
        let mut large = value_event(64, 0.5);
        large.header.size = 4096;
        let mut small = value_event(64, 0.5);
        small.header.size = 4;
        assert_eq!(
            seen(64, &vec![large, small, value_event(1, 1.0)]),
            [(1, 1.0, true)]
        );
    }
}
