//! The CLAP entry point, which clap-wrapper's VST3 and Audio Unit call too. Any thread, as CLAP says.
//!
//! The plugin behind it is nice-plug's wrapper (this is what `nice_export_clap!` would export), with
//! some of its functions guarded, because nice-plug 0.4.2
//! - splits a block at a parameter event that lies at or after the block's end: at the end the event is
//!   lost, after it samples are written outside the host's buffer. Ardour sends such events
//!   ([`event_times`]);
//! - cannot refuse a state that is well-formed JSON ([`state_gate`]);
//! - does not say that a note port takes MPE ([`note_ports`]).
//!
//! To clap-wrapper it also says which note expressions a VST3 host may send ([`vst3_expressions`]).
//!
//! Naming the plugin, which is all a scan does, touches no engine, no model and no file.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use clap_sys::ext::note_ports::CLAP_EXT_NOTE_PORTS;
use clap_sys::ext::state::CLAP_EXT_STATE;
use clap_sys::process::{clap_process, clap_process_status};
use nice_plug::wrapper::clap::{
    CLAP_PLUGIN_FACTORY_ID, CLAP_VERSION, PluginDescriptor, Wrapper, clap_host, clap_plugin,
    clap_plugin_descriptor, clap_plugin_entry, clap_plugin_factory,
};
use nice_plug::wrapper::setup_logger;

use crate::plugin::Betwixt;

mod event_times;
mod note_ports;
mod state_gate;
mod vst3_expressions;

/// What a CLAP host, and clap-wrapper inside this library, looks for.
#[allow(non_upper_case_globals)]
#[unsafe(no_mangle)]
#[used]
pub static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init),
    deinit: Some(deinit),
    get_factory: Some(get_factory),
};

static FACTORY: clap_plugin_factory = clap_plugin_factory {
    get_plugin_count: Some(get_plugin_count),
    get_plugin_descriptor: Some(get_plugin_descriptor),
    create_plugin: Some(create_plugin),
};

fn descriptor() -> &'static PluginDescriptor {
    static DESCRIPTOR: OnceLock<PluginDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(PluginDescriptor::for_plugin::<Betwixt>)
}

unsafe extern "C" fn init(_plugin_path: *const c_char) -> bool {
    setup_logger::<Betwixt>();
    true
}

unsafe extern "C" fn deinit() {}

unsafe extern "C" fn get_factory(factory_id: *const c_char) -> *const c_void {
    // SAFETY: a factory id that is not null is a C string (CLAP).
    if !factory_id.is_null() && unsafe { CStr::from_ptr(factory_id) } == CLAP_PLUGIN_FACTORY_ID {
        (&raw const FACTORY).cast()
    } else {
        ptr::null()
    }
}

unsafe extern "C" fn get_plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    1
}

unsafe extern "C" fn get_plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    if index == 0 {
        descriptor().clap_plugin_descriptor()
    } else {
        ptr::null()
    }
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    plugin_id: *const c_char,
) -> *const clap_plugin {
    // SAFETY: a plugin id that is not null is a C string (CLAP).
    if host.is_null() || plugin_id.is_null() || unsafe { CStr::from_ptr(plugin_id) } != descriptor().clap_id()
    {
        return ptr::null();
    }
    // SAFETY: the host outlives the plugins it creates (CLAP).
    let wrapper = unsafe { Wrapper::<Betwixt>::new(host) };
    guard(&mut wrapper.clap_plugin.borrow_mut());
    // SAFETY: the wrapper lives until its own `destroy` takes this reference back.
    unsafe { (*Arc::into_raw(wrapper)).clap_plugin.as_ptr() }
}

type Process = unsafe extern "C" fn(*const clap_plugin, *const clap_process) -> clap_process_status;
type GetExtension = unsafe extern "C" fn(*const clap_plugin, *const c_char) -> *const c_void;

/// nice-plug's own functions, the same for every instance.
#[derive(Clone, Copy)]
struct Unguarded {
    process: Process,
    get_extension: GetExtension,
}

static UNGUARDED: OnceLock<Unguarded> = OnceLock::new();

fn unguarded() -> Unguarded {
    *UNGUARDED
        .get()
        .expect("set before the first plugin is handed out")
}

fn guard(plugin: &mut clap_plugin) {
    let (Some(own_process), Some(own_get_extension)) = (plugin.process, plugin.get_extension) else {
        unreachable!("nice-plug fills in the whole table");
    };
    UNGUARDED.get_or_init(|| Unguarded {
        process: own_process,
        get_extension: own_get_extension,
    });
    plugin.process = Some(process);
    plugin.get_extension = Some(get_extension);
}

unsafe extern "C" fn process(
    plugin: *const clap_plugin,
    process: *const clap_process,
) -> clap_process_status {
    let unguarded = unguarded();
    // SAFETY: a pointer that is not null is a valid process call (CLAP).
    let Some(call) = (unsafe { process.as_ref() }) else {
        // SAFETY: passed on as it came; nice-plug checks for null.
        return unsafe { (unguarded.process)(plugin, process) };
    };
    // SAFETY: the call's events are valid until it ends (CLAP), and the list does not leave it.
    unsafe { event_times::within_block(call, |call| (unguarded.process)(plugin, call)) }
}

unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    // SAFETY: passed on as it came; nice-plug checks for null.
    let extension = unsafe { (unguarded().get_extension)(plugin, id) };
    if extension.is_null() {
        // SAFETY: an id that is not null is a C string (CLAP).
        let is_for_vst3 = !plugin.is_null()
            && !id.is_null()
            && unsafe { CStr::from_ptr(id) } == vst3_expressions::CLAP_PLUGIN_AS_VST3;
        return if is_for_vst3 {
            (&raw const vst3_expressions::PLUGIN_AS_VST3).cast()
        } else {
            ptr::null()
        };
    }
    // SAFETY: nice-plug found the extension, so the id is a C string.
    let id = unsafe { CStr::from_ptr(id) };
    if id == CLAP_EXT_STATE {
        (&raw const state_gate::STATE).cast()
    } else if id == CLAP_EXT_NOTE_PORTS {
        (&raw const note_ports::NOTE_PORTS).cast()
    } else {
        extension
    }
}

/// nice-plug's own extension of this name.
///
/// # Safety
/// `plugin` is a plugin of this library, and `T` the extension's type.
unsafe fn unguarded_extension<T>(plugin: *const clap_plugin, id: &CStr) -> Option<&'static T> {
    // SAFETY: the tables live as long as the plugin, which outlives each call the host makes to it.
    unsafe {
        (unguarded().get_extension)(plugin, id.as_ptr())
            .cast::<T>()
            .as_ref()
    }
}
