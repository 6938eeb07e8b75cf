//! ONNX Runtime's library, taken from the `onnxruntime` wheel.
//!
//! The wheel comes through pip, pinned to one version and one checksum per platform; pip refuses a
//! file with another checksum. The library is put into `target/resources` under the name it has beside
//! the plugin, and it has been loaded once, alone in its folder, before it is called good.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::platform::System;
use crate::python_env::PythonEnv;
use crate::workspace::Workspace;
use crate::{command, folder};

/// The version that is shipped: the last whose official builds collect no telemetry of their own accord. Later ones
/// write a device id to the user's cache and start an uploading thread as soon as an environment is made.
pub const VERSION: &str = "1.28.0";

/// One platform's wheel. All are those of CPython 3.12: the library in them is the same for every Python.
#[derive(Debug)]
struct Wheel {
    /// As `std::env::consts::OS` and `ARCH` name it.
    machine: (&'static str, &'static str),
    /// pip's name of the platform.
    platform: &'static str,
    sha256: &'static str,
    /// Path inside the wheel.
    library: &'static str,
}

const WHEELS: &[Wheel] = &[
    Wheel {
        machine: ("linux", "x86_64"),
        platform: "manylinux_2_28_x86_64",
        sha256: "0a83bdb70d143cede762b677789bf2a7acca54b3fb82565601d5c30695aa933c",
        library: "onnxruntime/capi/libonnxruntime.so.1.28.0",
    },
    Wheel {
        machine: ("linux", "aarch64"),
        platform: "manylinux_2_28_aarch64",
        sha256: "4e81a23df16e7acb9d51b06d30cc098e49315ef9180f97bc2221d167b4b04d9c",
        library: "onnxruntime/capi/libonnxruntime.so.1.28.0",
    },
    Wheel {
        machine: ("macos", "aarch64"),
        platform: "macosx_14_0_arm64",
        sha256: "26ff0fdd06efb6c155bae95387a09db1a2be89c7a03e4d0bffd5a171cc2826da",
        library: "onnxruntime/capi/libonnxruntime.1.28.0.dylib",
    },
    Wheel {
        machine: ("windows", "x86_64"),
        platform: "win_amd64",
        sha256: "c35064f9b3c43c81c5d5d282091401d0f1ff22796d93ccade4ea2ece5e137ab8",
        library: "onnxruntime/capi/onnxruntime.dll",
    },
    Wheel {
        machine: ("windows", "aarch64"),
        platform: "win_arm64",
        sha256: "e02feeb0165c5f13b4cc954738078d59b90128516ac12b671ee24a530242bf02",
        library: "onnxruntime/capi/onnxruntime.dll",
    },
];

/// The folder of ONNX Runtime's licence and notices, which go with the library.
pub const LICENCES: &str = "licences/onnxruntime";

/// Prints the version that the library given as argument reports: loads it as the plugin does.
const ASK_VERSION: &str = "
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.OrtGetApiBase.restype = ctypes.POINTER(ctypes.c_void_p)
print(ctypes.CFUNCTYPE(ctypes.c_char_p)(library.OrtGetApiBase()[1])().decode())
";

/// Puts the library and its licence into `target/resources`, unless they are there.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let wheel = wheel_for(std::env::consts::OS, std::env::consts::ARCH)?;
    let library = workspace.resources.join(System::this()?.onnxruntime_library());
    let licences = workspace.resources.join(LICENCES);
    // Written last: it says which wheel the library beside it came from.
    let stamp = workspace.resources.join("onnxruntime.sha256");
    let is_there = fs::read_to_string(&stamp).is_ok_and(|from| from.trim() == wheel.sha256);
    if is_there && library.is_file() && licences.is_dir() {
        println!(
            "ONNX Runtime {VERSION}: already in {}.",
            workspace.resources.display()
        );
        return Ok(());
    }
    println!(
        "ONNX Runtime {VERSION}: fetching the wheel for {} by pip.",
        wheel.platform
    );
    folder::remove(&stamp)?;
    let environment = PythonEnv::bare(workspace, "setup")?;
    let work = workspace.target.join("onnxruntime");
    folder::replace(&work, |work| {
        download(&environment, wheel, work)?;
        let unpacked = work.join(wheel.library);
        check_loads(&environment, &unpacked)
    })?;
    folder::replace(&licences, |licences| {
        for file in ["LICENSE", "ThirdPartyNotices.txt"] {
            folder::copy(&work.join("onnxruntime").join(file), &licences.join(file))?;
        }
        Ok(())
    })?;
    let unpacked = work.join(wheel.library);
    let content = fs::read(&unpacked).with_context(|| format!("{} can't be read", unpacked.display()))?;
    folder::write_file(&library, &content)?;
    check_loads(&environment, &library)?;
    folder::remove(&work)?;
    folder::write_file(&stamp, wheel.sha256.as_bytes())
}

fn wheel_for(system: &str, machine: &str) -> Result<&'static Wheel> {
    WHEELS.iter().find(|wheel| wheel.machine == (system, machine)).with_context(|| {
        format!(
            "ONNX Runtime {VERSION} has no build for {system} on {machine}: put a library of version {VERSION} \
             where BETWIXT_RESOURCES points to, and build with cargo itself"
        )
    })
}

fn download(environment: &PythonEnv, wheel: &Wheel, work: &Path) -> Result<()> {
    let requirement = work.join("requirement.txt");
    folder::write_file(
        &requirement,
        format!("onnxruntime=={VERSION} --hash=sha256:{}\n", wheel.sha256).as_bytes(),
    )?;
    let mut download = environment.pip();
    download.args([
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
    ]);
    download.args([
        "--implementation",
        "cp",
        "--python-version",
        "3.12",
        "--abi",
        "cp312",
    ]);
    download
        .args(["--platform", wheel.platform, "--requirement"])
        .arg(&requirement)
        .arg("--dest")
        .arg(work);
    command::run(&mut download).with_context(|| {
        format!(
            "the onnxruntime {VERSION} wheel could not be fetched: check that pip reaches its package index"
        )
    })?;
    let archive = fs::read_dir(work)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .with_context(|| format!("pip left no wheel in {}", work.display()))?;
    command::output(
        Command::new(environment.python())
            .args(["-m", "zipfile", "-e"])
            .arg(&archive)
            .arg(work),
    )?;
    if !work.join(wheel.library).is_file() {
        bail!("{} holds no {}", archive.display(), wheel.library);
    }
    Ok(())
}

fn check_loads(environment: &PythonEnv, library: &Path) -> Result<()> {
    let found = command::output(
        Command::new(environment.python())
            .args(["-c", ASK_VERSION])
            .arg(library),
    )
    .with_context(|| format!("{} does not load on this machine", library.display()))?;
    if found.trim() != VERSION {
        bail!(
            "{} reports version {}, expected {VERSION}",
            library.display(),
            found.trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_of_the_workflow_has_a_wheel() {
        for (system, machine) in [("linux", "x86_64"), ("macos", "aarch64"), ("windows", "x86_64")] {
            assert!(wheel_for(system, machine).is_ok(), "{system} {machine}");
        }
    }

    #[test]
    fn every_wheel_is_pinned_by_a_checksum_and_the_version() {
        for wheel in WHEELS {
            assert_eq!(wheel.sha256.len(), 64, "{}", wheel.platform);
            assert!(
                wheel.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()),
                "{}",
                wheel.platform
            );
            assert!(
                wheel.library.contains(VERSION) || wheel.library.ends_with(".dll"),
                "{}",
                wheel.library
            );
        }
    }

    #[test]
    fn a_platform_without_a_wheel_is_told_what_to_do() {
        let said = wheel_for("macos", "x86_64").unwrap_err().to_string();
        assert!(
            said.contains("macos on x86_64") && said.contains("BETWIXT_RESOURCES"),
            "{said}"
        );
    }
}
