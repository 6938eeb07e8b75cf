//! Which of VST3's note expressions the instrument understands. Main thread.
//!
//! clap-wrapper asks for it by an extension of its own, and offers a VST3 host these expressions; without an answer it
//! would offer none but pressure, which VST3 has as an event of its own. Tuning comes as CLAP's tuning, in semitones,
//! brightness as CLAP's brightness. MIDI's bends, pressure and controllers come beside them, channel by channel, by
//! VST3's MIDI mapping.

use std::ffi::CStr;

use nice_plug::wrapper::clap::clap_plugin;

/// clap-wrapper's name for the extension (its `vst3.h`).
pub(super) const CLAP_PLUGIN_AS_VST3: &CStr = c"clap.plugin-info-as-vst3/0";

/// `clap_plugin_as_vst3` of clap-wrapper 0.14.
#[repr(C)]
pub(super) struct PluginAsVst3 {
    midi_channels: unsafe extern "C" fn(*const clap_plugin, u32) -> u32,
    note_expressions: unsafe extern "C" fn(*const clap_plugin) -> u32,
}

pub(super) static PLUGIN_AS_VST3: PluginAsVst3 = PluginAsVst3 {
    midi_channels,
    note_expressions,
};

/// Bits of `clap_supported_note_expressions`.
const TUNING: u32 = 1 << 2;
const BRIGHTNESS: u32 = 1 << 5;
const PRESSURE: u32 = 1 << 6;

unsafe extern "C" fn midi_channels(_plugin: *const clap_plugin, _note_port: u32) -> u32 {
    16
}

unsafe extern "C" fn note_expressions(_plugin: *const clap_plugin) -> u32 {
    TUNING | BRIGHTNESS | PRESSURE
}
