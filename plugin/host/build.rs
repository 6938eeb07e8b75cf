//! Keeps the plugin's library mapped until the process ends.
//!
//! ONNX Runtime and the window's graphics driver hold pointers and threads that outlive the last
//! instance; a host that unloads the library under them would crash.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
