//! libfluidsynth, the yardstick: loaded through its C API, one note held a voice.

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use libloading::Library;

const LIBRARY: &str = "libfluidsynth.so.3";
pub const SOUND_FONT: &str = "/usr/share/sounds/sf2/FluidR3_GM.sf2";
/// Church organ: it holds, and loops.
const PROGRAM: c_int = 19;
const FOURTH_ORDER: c_int = 4;
const BEND_MIDDLE: f64 = 8192.0;
/// Semitones that the wheel goes either way.
const BEND_RANGE: f64 = 2.0;
/// Gives no sound and takes none: what `FLUID_FAILED` is.
const FAILED: c_int = -1;

type Settings = *mut c_void;
type Synth = *mut c_void;

/// Resolves a function of the library by its name.
macro_rules! function {
    ($library:expr, $name:literal, fn($($argument:ty),*) $(-> $result:ty)?) => {{
        // SAFETY: the signature is that of fluidsynth 2's headers.
        let symbol = unsafe {
            $library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>($name.as_bytes())
        };
        *symbol.with_context(|| format!("{LIBRARY} has no {}", $name))?
    }};
}

/// A synthesiser that holds a chord.
pub struct FluidSynth {
    library: Library,
    settings: Settings,
    synth: Synth,
    write: unsafe extern "C" fn(Synth, c_int, *mut c_void, c_int, c_int, *mut c_void, c_int, c_int) -> c_int,
}

impl FluidSynth {
    /// One that plays at `host_hz`, without effects, with interpolation of the fourth order.
    pub fn new(host_hz: f64) -> Result<Self> {
        ensure!(
            Path::new(SOUND_FONT).exists(),
            "{SOUND_FONT} is not there: the Debian package fluid-soundfont-gm has it"
        );
        // SAFETY: loading it runs the initialisers of a library of the system's.
        let library = unsafe { Library::new(LIBRARY) }
            .with_context(|| format!("{LIBRARY}: the Debian package libfluidsynth3 has it"))?;
        let new_settings = function!(library, "new_fluid_settings", fn() -> Settings);
        let set_int = function!(
            library,
            "fluid_settings_setint",
            fn(Settings, *const c_char, c_int) -> c_int
        );
        let set_num = function!(
            library,
            "fluid_settings_setnum",
            fn(Settings, *const c_char, c_double) -> c_int
        );
        let new_synth = function!(library, "new_fluid_synth", fn(Settings) -> Synth);
        let load = function!(
            library,
            "fluid_synth_sfload",
            fn(Synth, *const c_char, c_int) -> c_int
        );
        let program = function!(
            library,
            "fluid_synth_program_change",
            fn(Synth, c_int, c_int) -> c_int
        );
        let interpolation = function!(
            library,
            "fluid_synth_set_interp_method",
            fn(Synth, c_int, c_int) -> c_int
        );
        let write = function!(
            library,
            "fluid_synth_write_float",
            fn(Synth, c_int, *mut c_void, c_int, c_int, *mut c_void, c_int, c_int) -> c_int
        );
        // SAFETY: no arguments; what it gives is deleted in `drop`.
        let settings = unsafe { new_settings() };
        ensure!(!settings.is_null(), "{LIBRARY} makes no settings");
        let mut fluid = Self {
            library,
            settings,
            synth: std::ptr::null_mut(),
            write,
        };
        for name in [
            c"synth.reverb.active",
            c"synth.chorus.active",
            c"synth.threadsafe-api",
        ] {
            // SAFETY: live settings, a name that ends with a zero.
            unsafe { set_int(settings, name.as_ptr(), 0) };
        }
        // SAFETY: as above.
        unsafe {
            set_int(settings, c"synth.polyphony".as_ptr(), 256);
            set_num(settings, c"synth.sample-rate".as_ptr(), host_hz);
        }
        // SAFETY: live settings, which outlive the synthesiser.
        fluid.synth = unsafe { new_synth(settings) };
        ensure!(!fluid.synth.is_null(), "{LIBRARY} makes no synthesiser");
        let font = CString::new(SOUND_FONT)?;
        // SAFETY: a live synthesiser, a name that ends with a zero.
        let loaded = unsafe { load(fluid.synth, font.as_ptr(), 1) };
        ensure!(loaded != FAILED, "{LIBRARY} does not load {SOUND_FONT}");
        for channel in 0..16 {
            // SAFETY: a live synthesiser.
            let chosen = unsafe { program(fluid.synth, channel, PROGRAM) };
            // Channel 9 is for drums.
            ensure!(chosen != FAILED || channel == 9, "no program {PROGRAM}");
        }
        // SAFETY: a live synthesiser; -1 stands for all channels.
        let set = unsafe { interpolation(fluid.synth, -1, FOURTH_ORDER) };
        ensure!(set != FAILED, "{LIBRARY} does not take fourth order");
        Ok(fluid)
    }

    pub fn version(&self) -> Result<String> {
        let version = function!(self.library, "fluid_version_str", fn() -> *const c_char);
        // SAFETY: a constant text of the library's.
        Ok(unsafe { CStr::from_ptr(version()) }
            .to_string_lossy()
            .into_owned())
    }

    /// Holds these keys, bent.
    pub fn hold(&mut self, keys: impl Iterator<Item = u8>, bend_semitones: f32) -> Result<()> {
        let bend = function!(
            self.library,
            "fluid_synth_pitch_bend",
            fn(Synth, c_int, c_int) -> c_int
        );
        let note_on = function!(
            self.library,
            "fluid_synth_noteon",
            fn(Synth, c_int, c_int, c_int) -> c_int
        );
        let value = BEND_MIDDLE + f64::from(bend_semitones) / BEND_RANGE * BEND_MIDDLE;
        // SAFETY: a live synthesiser.
        unsafe { bend(self.synth, 0, value.round() as c_int) };
        for key in keys {
            // SAFETY: a live synthesiser.
            let struck = unsafe { note_on(self.synth, 0, key.into(), 100) };
            ensure!(struck != FAILED, "{LIBRARY} does not play key {key}");
        }
        Ok(())
    }

    /// Lets go of all at once.
    pub fn silence(&mut self) -> Result<()> {
        let reset = function!(
            self.library,
            "fluid_synth_all_sounds_off",
            fn(Synth, c_int) -> c_int
        );
        // SAFETY: a live synthesiser.
        unsafe { reset(self.synth, 0) };
        Ok(())
    }

    pub fn voices(&self) -> Result<usize> {
        let count = function!(
            self.library,
            "fluid_synth_get_active_voice_count",
            fn(Synth) -> c_int
        );
        // SAFETY: a live synthesiser.
        Ok(usize::try_from(unsafe { count(self.synth) })?)
    }

    pub fn block(&mut self, left: &mut [f32], right: &mut [f32]) {
        let samples = left.len().min(right.len()) as c_int;
        // SAFETY: a live synthesiser, and room for as many samples as are asked for, each by itself.
        unsafe {
            (self.write)(
                self.synth,
                samples,
                left.as_mut_ptr().cast(),
                0,
                1,
                right.as_mut_ptr().cast(),
                0,
                1,
            );
        }
    }
}

impl Drop for FluidSynth {
    fn drop(&mut self) {
        // SAFETY: the signatures are those of fluidsynth 2's headers; both were made by the library, the synthesiser goes
        // before its settings, and nothing uses them afterwards.
        unsafe {
            if let Ok(delete) = self
                .library
                .get::<unsafe extern "C" fn(Synth)>(b"delete_fluid_synth")
                && !self.synth.is_null()
            {
                delete(self.synth);
            }
            if let Ok(delete) = self
                .library
                .get::<unsafe extern "C" fn(Settings)>(b"delete_fluid_settings")
            {
                delete(self.settings);
            }
        }
    }
}
