//! Refuses a state that is not this plugin's, before any of it is taken over. Main thread.
//!
//! What passes is handed to nice-plug, which sets the parameters and then the project. What does not
//! pass leaves parameters and project as they were, answers the host with failure, and is told in the
//! window.

use std::ffi::c_void;

use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::stream::{clap_istream, clap_ostream};
use nice_plug::wrapper::clap::{Wrapper, clap_plugin};

use super::unguarded_extension;
use crate::plugin::{Betwixt, MainThreadTask};
use crate::project_state::{StateRefused, check_saved_state};

/// A state may not be larger; four sounds of the greatest length need less.
const LARGEST_STATE_BYTES: u64 = 64 * 1024 * 1024;

/// Read in pieces, so that a length that lies does not reserve memory.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) static STATE: clap_plugin_state = clap_plugin_state {
    save: Some(save),
    load: Some(load),
};

unsafe extern "C" fn save(plugin: *const clap_plugin, stream: *const clap_ostream) -> bool {
    // SAFETY: hosts call this with a plugin of this library, whose state table has this type.
    let inner = unsafe { unguarded_extension::<clap_plugin_state>(plugin, CLAP_EXT_STATE) };
    // SAFETY: passed on as it came.
    inner
        .and_then(|state| state.save)
        .is_some_and(|save| unsafe { save(plugin, stream) })
}

unsafe extern "C" fn load(plugin: *const clap_plugin, stream: *const clap_istream) -> bool {
    // SAFETY: a stream that is not null is valid for the call (CLAP).
    let Some(stream) = (unsafe { stream.as_ref() }) else {
        return false;
    };
    // SAFETY: the stream is the host's own.
    let checked = unsafe { read_saved_state(stream) }.and_then(|bytes| {
        check_saved_state(&bytes[LENGTH_BYTES..])?;
        Ok(bytes)
    });
    match checked {
        Ok(bytes) => {
            // SAFETY: hosts call this with a plugin of this library, whose state table has this type.
            let inner = unsafe { unguarded_extension::<clap_plugin_state>(plugin, CLAP_EXT_STATE) };
            let Some(load) = inner.and_then(|state| state.load) else {
                return false;
            };
            let mut unread = Unread(&bytes);
            let stream = clap_istream {
                ctx: (&raw mut unread).cast(),
                read: Some(read_from_memory),
            };
            // SAFETY: the stream and the bytes outlive the call.
            unsafe { load(plugin, &raw const stream) }
        }
        Err(refused) => {
            // SAFETY: a plugin of this library has its wrapper as data until it is destroyed.
            if let Some(wrapper) = unsafe { (*plugin).plugin_data.cast::<Wrapper<Betwixt>>().as_ref() } {
                let run = wrapper.task_executor.lock();
                run(MainThreadTask::TellRefusedState(refused));
            }
            false
        }
    }
}

/// nice-plug puts the length of its JSON before it: 8 bytes, little-endian.
const LENGTH_BYTES: usize = 8;

/// The length and the JSON after it.
///
/// # Safety
/// The stream is valid.
unsafe fn read_saved_state(stream: &clap_istream) -> Result<Vec<u8>, StateRefused> {
    let mut bytes = Vec::new();
    // SAFETY: the caller's promise.
    unsafe { read_up_to(stream, &mut bytes, LENGTH_BYTES)? };
    let Ok(length) = <[u8; LENGTH_BYTES]>::try_from(bytes.as_slice()).map(u64::from_le_bytes) else {
        return Err(StateRefused::Truncated {
            found: bytes.len() as u64,
            expected: 8,
        });
    };
    if length > LARGEST_STATE_BYTES {
        return Err(StateRefused::TooLarge {
            found: length,
            largest: LARGEST_STATE_BYTES,
        });
    }
    // SAFETY: the caller's promise.
    unsafe { read_up_to(stream, &mut bytes, length as usize)? };
    let found = (bytes.len() - LENGTH_BYTES) as u64;
    if found < length {
        return Err(StateRefused::Truncated {
            found,
            expected: length,
        });
    }
    Ok(bytes)
}

/// Appends at most `count` bytes, fewer if the stream ends.
///
/// # Safety
/// The stream is valid.
unsafe fn read_up_to(stream: &clap_istream, bytes: &mut Vec<u8>, count: usize) -> Result<(), StateRefused> {
    let Some(read) = stream.read else {
        return Err(StateRefused::Unreadable);
    };
    let mut piece = vec![0u8; PIECE_BYTES.min(count)];
    let mut left = count;
    while left > 0 {
        let wanted = left.min(piece.len());
        // SAFETY: the buffer has room for the bytes asked for.
        let got = unsafe { read(stream, piece.as_mut_ptr().cast::<c_void>(), wanted as u64) };
        let got = usize::try_from(got)
            .map_err(|_| StateRefused::Unreadable)?
            .min(wanted);
        if got == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..got]);
        left -= got;
    }
    Ok(())
}

/// What a stream over memory has still to give.
struct Unread<'a>(&'a [u8]);

unsafe extern "C" fn read_from_memory(stream: *const clap_istream, buffer: *mut c_void, size: u64) -> i64 {
    // SAFETY: streams with this function are made by `load`, and used by one thread.
    let unread = unsafe { &mut *(*stream).ctx.cast::<Unread<'_>>() };
    let count = unread.0.len().min(usize::try_from(size).unwrap_or(usize::MAX));
    let (given, rest) = unread.0.split_at(count);
    // SAFETY: the reader's buffer has room for `size` bytes.
    unsafe { std::ptr::copy_nonoverlapping(given.as_ptr(), buffer.cast::<u8>(), count) };
    unread.0 = rest;
    count as i64
}
