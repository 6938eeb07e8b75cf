//! Says of the note port that it takes MPE too, which nice-plug 0.4.2 leaves out. Main thread.
//!
//! CLAP's own events stay what the port prefers: a host that has them sends pressure and slide with the note's id. One
//! that passes a controller's MIDI on may do so as it is; the MPE parameter says how it is read.

use clap_sys::ext::note_ports::{
    CLAP_EXT_NOTE_PORTS, CLAP_NOTE_DIALECT_MIDI_MPE, clap_note_port_info, clap_plugin_note_ports,
};
use nice_plug::wrapper::clap::clap_plugin;

use super::unguarded_extension;

pub(super) static NOTE_PORTS: clap_plugin_note_ports = clap_plugin_note_ports {
    count: Some(count),
    get: Some(get),
};

/// nice-plug's own note ports.
///
/// # Safety
/// `plugin` is a plugin of this library.
unsafe fn inner(plugin: *const clap_plugin) -> Option<&'static clap_plugin_note_ports> {
    // SAFETY: the caller's promise; the table has the type that CLAP gives to this name.
    unsafe { unguarded_extension(plugin, CLAP_EXT_NOTE_PORTS) }
}

unsafe extern "C" fn count(plugin: *const clap_plugin, is_input: bool) -> u32 {
    // SAFETY: hosts call this with a plugin of this library; passed on as it came.
    unsafe {
        inner(plugin)
            .and_then(|ports| ports.count)
            .map_or(0, |count| count(plugin, is_input))
    }
}

unsafe extern "C" fn get(
    plugin: *const clap_plugin,
    index: u32,
    is_input: bool,
    info: *mut clap_note_port_info,
) -> bool {
    // SAFETY: hosts call this with a plugin of this library; passed on as it came.
    let is_known = unsafe {
        inner(plugin)
            .and_then(|ports| ports.get)
            .is_some_and(|get| get(plugin, index, is_input, info))
    };
    if is_known && is_input {
        // SAFETY: nice-plug has just filled in what the host points to.
        unsafe { (*info).supported_dialects |= CLAP_NOTE_DIALECT_MIDI_MPE };
    }
    is_known
}
