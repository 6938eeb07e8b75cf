//! The entry point as a host calls it, in this process: what nice-plug's own wrapper would do wrong.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use betwixt::Betwixt;
use betwixt::clap_entry::clap_entry;
use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::events::{
    CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_PARAM_VALUE, clap_event_header, clap_event_param_value,
    clap_input_events, clap_output_events,
};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_plugin_params};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::factory::plugin_factory::{CLAP_PLUGIN_FACTORY_ID, clap_plugin_factory};
use clap_sys::host::clap_host;
use clap_sys::plugin::clap_plugin;
use clap_sys::process::{CLAP_PROCESS_ERROR, clap_process};
use clap_sys::stream::{clap_istream, clap_ostream};
use clap_sys::version::CLAP_VERSION;
use nice_plug::prelude::ClapPlugin;

/// nice-plug numbers parameters by their place in its list; `blend_x` is the first.
const BLEND_X: u32 = 0;

unsafe extern "C" fn no_extension(_: *const clap_host, _: *const c_char) -> *const c_void {
    ptr::null()
}
unsafe extern "C" fn ignore(_: *const clap_host) {}

/// An instance, made and driven by raw calls.
struct Host {
    plugin: *const clap_plugin,
    // The plugin keeps a pointer to it.
    _host: Box<clap_host>,
}

impl Host {
    fn new() -> Self {
        let host = Box::new(clap_host {
            clap_version: CLAP_VERSION,
            host_data: ptr::null_mut(),
            name: c"test".as_ptr(),
            vendor: c"".as_ptr(),
            url: c"".as_ptr(),
            version: c"1".as_ptr(),
            get_extension: Some(no_extension),
            request_restart: Some(ignore),
            request_process: Some(ignore),
            request_callback: Some(ignore),
        });
        let id = CString::new(Betwixt::CLAP_ID).unwrap();
        // SAFETY: called in the order that CLAP asks for, with a host that outlives the plugin.
        let plugin = unsafe {
            assert!((clap_entry.init.unwrap())(c"/nowhere".as_ptr()));
            let factory: *const clap_plugin_factory =
                (clap_entry.get_factory.unwrap())(CLAP_PLUGIN_FACTORY_ID.as_ptr()).cast();
            let plugin = ((*factory).create_plugin.unwrap())(factory, &raw const *host, id.as_ptr());
            assert!(((*plugin).init.unwrap())(plugin));
            plugin
        };
        Self { plugin, _host: host }
    }

    fn extension<T>(&self, id: &CStr) -> &T {
        // SAFETY: the callers name the type that CLAP gives the extension.
        unsafe { &*((*self.plugin).get_extension.unwrap())(self.plugin, id.as_ptr()).cast::<T>() }
    }

    fn parameter_id(&self, index: u32) -> u32 {
        let params: &clap_plugin_params = self.extension(CLAP_EXT_PARAMS);
        // SAFETY: the structure is plain data, filled in by the plugin.
        unsafe {
            let mut info = std::mem::zeroed();
            assert!((params.get_info.unwrap())(self.plugin, index, &raw mut info));
            info.id
        }
    }

    fn value(&self, index: u32) -> f64 {
        let params: &clap_plugin_params = self.extension(CLAP_EXT_PARAMS);
        let mut value = f64::NAN;
        // SAFETY: the value is written once.
        assert!(unsafe {
            (params.get_value.unwrap())(self.plugin, self.parameter_id(index), &raw mut value)
        });
        value
    }

    fn save(&self) -> Vec<u8> {
        unsafe extern "C" fn write(stream: *const clap_ostream, bytes: *const c_void, size: u64) -> i64 {
            // SAFETY: the stream carries a vector, and `size` bytes are there.
            unsafe {
                let written = std::slice::from_raw_parts(bytes.cast::<u8>(), size as usize);
                (*(*stream).ctx.cast::<Vec<u8>>()).extend_from_slice(written);
            }
            size as i64
        }
        let mut bytes = Vec::new();
        let stream = clap_ostream {
            ctx: (&raw mut bytes).cast(),
            write: Some(write),
        };
        let state: &clap_plugin_state = self.extension(CLAP_EXT_STATE);
        // SAFETY: the stream outlives the call.
        assert!(unsafe { (state.save.unwrap())(self.plugin, &raw const stream) });
        bytes
    }

    fn load(&self, bytes: &[u8]) -> bool {
        unsafe extern "C" fn read(stream: *const clap_istream, buffer: *mut c_void, size: u64) -> i64 {
            // SAFETY: the stream carries a slice, and the buffer has room for `size` bytes.
            unsafe {
                let left = &mut *(*stream).ctx.cast::<&[u8]>();
                // In odd pieces, as a host may.
                let count = left.len().min(size as usize).min(1009);
                ptr::copy_nonoverlapping(left.as_ptr(), buffer.cast(), count);
                *left = &left[count..];
                count as i64
            }
        }
        let mut left = bytes;
        let stream = clap_istream {
            ctx: (&raw mut left).cast(),
            read: Some(read),
        };
        let state: &clap_plugin_state = self.extension(CLAP_EXT_STATE);
        // SAFETY: the stream outlives the call.
        unsafe { (state.load.unwrap())(self.plugin, &raw const stream) }
    }

    /// Plays one block of `frames` samples with parameter events of (time, value) for `blend_x`, and gives back the
    /// buffers, which are longer than the block.
    fn play(&self, frames: u32, events: &[(u32, f64)]) -> [Vec<f32>; 2] {
        const CANARY: f32 = 7.0;
        unsafe extern "C" fn size(list: *const clap_input_events) -> u32 {
            // SAFETY: the list carries a vector of events.
            unsafe { (*(*list).ctx.cast::<Vec<clap_event_param_value>>()).len() as u32 }
        }
        unsafe extern "C" fn get(list: *const clap_input_events, index: u32) -> *const clap_event_header {
            // SAFETY: the list carries a vector of events.
            unsafe {
                &raw const (&(*(*list).ctx.cast::<Vec<clap_event_param_value>>()))[index as usize].header
            }
        }
        unsafe extern "C" fn accept(_: *const clap_output_events, _: *const clap_event_header) -> bool {
            true
        }
        let param_id = self.parameter_id(BLEND_X);
        let mut events: Vec<clap_event_param_value> = events
            .iter()
            .map(|&(time, value)| clap_event_param_value {
                header: clap_event_header {
                    size: size_of::<clap_event_param_value>() as u32,
                    time,
                    space_id: CLAP_CORE_EVENT_SPACE_ID,
                    type_: CLAP_EVENT_PARAM_VALUE,
                    flags: 0,
                },
                param_id,
                cookie: ptr::null_mut(),
                note_id: -1,
                port_index: -1,
                channel: -1,
                key: -1,
                value,
            })
            .collect();
        let input = clap_input_events {
            ctx: (&raw mut events).cast(),
            size: Some(size),
            get: Some(get),
        };
        let output = clap_output_events {
            ctx: ptr::null_mut(),
            try_push: Some(accept),
        };
        let mut samples = [
            vec![CANARY; frames as usize + 4096],
            vec![CANARY; frames as usize + 4096],
        ];
        let mut channels = samples.each_mut().map(|channel| channel.as_mut_ptr());
        let mut port = clap_audio_buffer {
            data32: channels.as_mut_ptr(),
            data64: ptr::null_mut(),
            channel_count: 2,
            latency: 0,
            constant_mask: 0,
        };
        let call = clap_process {
            steady_time: 0,
            frames_count: frames,
            transport: ptr::null(),
            audio_inputs: ptr::null(),
            audio_outputs: &raw mut port,
            audio_inputs_count: 0,
            audio_outputs_count: 1,
            in_events: &raw const input,
            out_events: &raw const output,
        };
        // SAFETY: buffers and events outlive the calls, which come in the order that CLAP asks for.
        unsafe {
            let plugin = &*self.plugin;
            assert!((plugin.activate.unwrap())(self.plugin, 48_000.0, 1, frames));
            assert!((plugin.start_processing.unwrap())(self.plugin));
            assert_ne!(
                (plugin.process.unwrap())(self.plugin, &raw const call),
                CLAP_PROCESS_ERROR
            );
            (plugin.stop_processing.unwrap())(self.plugin);
            (plugin.deactivate.unwrap())(self.plugin);
        }
        for channel in &samples {
            let (block, beyond) = channel.split_at(frames as usize);
            assert!(
                block.iter().all(|&sample| sample != CANARY),
                "part of the block was not written"
            );
            assert!(
                beyond.iter().all(|&sample| sample == CANARY),
                "written beyond the block"
            );
        }
        samples
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: the plugin is not active, and this is the last call to it.
        unsafe { ((*self.plugin).destroy.unwrap())(self.plugin) };
    }
}

#[test]
fn automation_at_the_end_of_a_block_arrives_and_nothing_is_written_beyond_it() {
    let host = Host::new();
    for time in [0, 5, 63, 64, 65, 1000, u32::MAX] {
        let value = f64::from(time % 89) / 100.0;
        host.play(64, &[(time, value)]);
        assert!(
            (host.value(BLEND_X) - value).abs() < 1e-6,
            "an event at {time} of 64 was lost"
        );
    }
    host.play(64, &[(10, 0.1), (64, 0.2), (64, 0.3), (70, 0.9)]);
    assert!((host.value(BLEND_X) - 0.9).abs() < 1e-6);
}

#[test]
fn a_refused_state_fails_and_changes_nothing() {
    let host = Host::new();
    host.play(64, &[(0, 0.25)]);
    let state = host.save();
    assert_eq!(host.save(), state, "the same instance saved twice");
    host.play(64, &[(0, 0.75)]);
    let now = host.save();

    let json = |change: &dyn Fn(String) -> String| {
        let text = change(String::from_utf8(state[8..].to_vec()).unwrap());
        [(text.len() as u64).to_le_bytes().as_slice(), text.as_bytes()].concat()
    };
    let replaced = |from: &str, to: &str| {
        let changed = json(&|text| text.replace(from, to));
        assert_ne!(changed, state, "`{from}` is not in the state");
        changed
    };
    let refused = [
        ("nothing", Vec::new()),
        ("a length and no more", state[..8].to_vec()),
        ("all but the last byte", state[..state.len() - 1].to_vec()),
        (
            "a length that lies",
            [u64::MAX.to_le_bytes().as_slice(), &state[8..]].concat(),
        ),
        ("a later format", replaced(r#"\"format\":1"#, r#"\"format\":2"#)),
        ("a missing parameter", replaced("\"blend_x\"", "\"blend_z\"")),
        (
            "a value out of range",
            replaced(r#""blend_x":{"f32":0.25}"#, r#""blend_x":{"f32":2.5}"#),
        ),
        ("no project", replaced("\"project\"", "\"subject\"")),
    ];
    for (what, bytes) in refused {
        assert!(!host.load(&bytes), "{what} was taken for a state");
        assert_eq!(host.save(), now, "{what} changed the instance");
    }
    assert!(host.load(&state));
    assert_eq!(host.save(), state);
    assert!((host.value(BLEND_X) - 0.25).abs() < 1e-6);
}

#[test]
fn only_the_plugin_itself_can_be_made() {
    // SAFETY: called in the order that CLAP asks for.
    unsafe {
        assert!((clap_entry.get_factory.unwrap())(ptr::null()).is_null());
        assert!((clap_entry.get_factory.unwrap())(c"clap.other-factory".as_ptr()).is_null());
        let factory: *const clap_plugin_factory =
            (clap_entry.get_factory.unwrap())(CLAP_PLUGIN_FACTORY_ID.as_ptr()).cast();
        assert_eq!(((*factory).get_plugin_count.unwrap())(factory), 1);
        assert!(((*factory).get_plugin_descriptor.unwrap())(factory, 1).is_null());
        let create = (*factory).create_plugin.unwrap();
        assert!(create(factory, ptr::null(), c"audio.betwixt.betwixt".as_ptr()).is_null());
        assert!(create(factory, ptr::null(), ptr::null()).is_null());
    }
}

#[test]
fn vst3_hosts_are_offered_the_note_expressions_that_are_understood() {
    /// clap-wrapper's `clap_plugin_as_vst3`.
    #[repr(C)]
    struct AsVst3 {
        midi_channels: unsafe extern "C" fn(*const clap_plugin, u32) -> u32,
        note_expressions: unsafe extern "C" fn(*const clap_plugin) -> u32,
    }
    let host = Host::new();
    // SAFETY: the plugin is alive, and the extension of this name has this type.
    let (channels, expressions, unknown) = unsafe {
        let get = (*host.plugin).get_extension.unwrap();
        let as_vst3 = get(host.plugin, c"clap.plugin-info-as-vst3/0".as_ptr()).cast::<AsVst3>();
        (
            ((*as_vst3).midi_channels)(host.plugin, 0),
            ((*as_vst3).note_expressions)(host.plugin),
            get(host.plugin, c"clap.of-another".as_ptr()),
        )
    };
    assert_eq!(channels, 16);
    // Tuning, brightness and pressure.
    assert_eq!(expressions, 1 << 2 | 1 << 5 | 1 << 6);
    assert!(unknown.is_null());
}
