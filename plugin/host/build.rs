//! What the linker is told.
//!
//! The plugin's library stays mapped until the process ends: ONNX Runtime and the window's graphics driver hold
//! pointers and threads that outlive the last instance; a host that unloads the library under them would crash.
//!
//! clap-wrapper's playing of a VST3 block goes through `src/vst3_block_mode.rs`, which sees the block's mode.

/// `Clap::ProcessAdapter::process(Steinberg::Vst::ProcessData&)`.
const PROCESS: &str = "_ZN4Clap14ProcessAdapter7processERN9Steinberg3Vst11ProcessDataE";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        println!("cargo:rustc-link-arg=-Wl,--wrap={PROCESS}");
    }
}
