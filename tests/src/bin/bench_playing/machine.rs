//! What the figures were measured on.

use std::fs;
use std::process::Command;

use betwixt_engine::runtime::Runtime;
use serde_json::{Value, json};

/// Processor, load, toolchain, ONNX Runtime.
pub fn describe() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let runtime = Runtime::get().ok().and_then(Runtime::version);
    json!({
        "processor": processor(),
        "cores": cores,
        "load_average": load_average(),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "rustc": rustc(),
        "onnxruntime": runtime,
    })
}

/// Programs that ran or wanted to in the last minute, on average.
pub fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    // Virtual machines name a processor no closer than by its numbers.
    let numbers = ["cpu family", "model\t", "stepping"].map(|name| field(name).unwrap_or_default());
    Some(format!(
        "{} (family {})",
        field("model name")?,
        numbers.join(", ")
    ))
}

/// The compiler on the path, which is the one that built this unless it was changed since.
fn rustc() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned())
}
