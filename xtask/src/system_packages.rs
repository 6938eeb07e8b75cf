//! Debian packages that the build and the tests need.
//!
//! On another system nothing is installed: the names are printed, so that one can look for their
//! counterparts when the build stops.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command;

/// What building the plugin and running the demo takes.
pub const BUILD: &[&str] = &[
    "g++",
    "libasound2-dev",
    "libgl1-mesa-dev",
    "libjack-jackd2-dev",
    "libx11-dev",
    "libx11-xcb-dev",
    "libxcb-dri2-0-dev",
    "libxcb-icccm4-dev",
    "libxcb1-dev",
    "libxcursor-dev",
    "libxkbcommon-dev",
    "libxkbcommon-x11-dev",
    "libxrandr-dev",
    "pkg-config",
    "python3",
    "python3-venv",
];

/// A screen for hosts that open the plugin's window on a machine without one.
pub const SCREEN: &[&str] = &["libegl1", "libgl1", "libgl1-mesa-dri", "xauth", "xvfb"];

/// Hosts and small tools that the tests drive, on top of [`BUILD`] and [`SCREEN`].
pub const TEST: &[&str] = &["ardour", "imagemagick", "xdotool"];

/// What playing is measured beside, on top of [`BUILD`].
pub const BENCH: &[&str] = &["fluid-soundfont-gm", "libfluidsynth3"];

/// The instruments that models are trained on, and what plays them, on top of [`BUILD`].
pub const TRAINING: &[&str] = &[
    "fluid-soundfont-gm",
    "libfluidsynth3",
    "musescore-general-soundfont-lossless",
];

/// Installs those of `packages` that are missing.
///
/// # Errors
/// When some are missing and this user may not install them (the message is the line to type), or
/// when `apt-get` fails.
pub fn ensure(packages: &[&str]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if command::find_program("dpkg-query").is_none() {
        println!(
            "This is not a Debian system: the counterparts of {} are needed.",
            packages.join(" ")
        );
        return Ok(());
    }
    let missing = missing(packages)?;
    if missing.is_empty() {
        println!("System packages: all {} are installed.", packages.len());
        return Ok(());
    }
    let Some(right) = Right::of_this_user() else {
        bail!(
            "Debian packages that this user may not install are missing: type \
             `sudo apt-get update && sudo apt-get install --no-install-recommends --yes {}` and start again",
            missing.join(" ")
        );
    };
    println!("System packages: installing {}.", missing.join(" "));
    let refused = || {
        format!(
            "Debian packages {} could not be installed by apt-get",
            missing.join(" ")
        )
    };
    command::run(right.apt_get().arg("--quiet=2").arg("update")).with_context(refused)?;
    let mut install = right.apt_get();
    install
        .args(["--quiet=2", "install", "--no-install-recommends", "--yes"])
        .args(&missing);
    command::run(install.stdout(Stdio::null())).with_context(refused)
}

fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    // It exits with 1 when a name is unknown, and still prints the others.
    let output = Command::new("dpkg-query")
        .args([
            "--show",
            "--showformat",
            "${db:Status-Status} ${binary:Package}\n",
        ])
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .context("`dpkg-query` could not be started")?;
    let installed = installed_names(&String::from_utf8_lossy(&output.stdout));
    Ok(packages
        .iter()
        .copied()
        .filter(|name| !installed.iter().any(|found| found == name))
        .collect())
}

fn installed_names(listing: &str) -> Vec<String> {
    let name = |line: &str| {
        let package = line.strip_prefix("installed ")?;
        Some(package.split(':').next().unwrap_or(package).to_owned())
    };
    listing.lines().filter_map(name).collect()
}

/// How this user may install packages.
#[derive(Debug, Clone, Copy)]
enum Right {
    Root,
    Sudo,
}

impl Right {
    fn of_this_user() -> Option<Self> {
        let is_root = command::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
        if is_root {
            return Some(Self::Root);
        }
        // `-n`: never asks for a password.
        command::output(Command::new("sudo").args(["-n", "true"]))
            .is_ok()
            .then_some(Self::Sudo)
    }

    fn apt_get(self) -> Command {
        let mut command = match self {
            Self::Root => Command::new("env"),
            Self::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "env"]);
                sudo
            }
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count_whatever_their_architecture() {
        let listing = "installed libx11-dev:amd64\nconfig-files libasound2-dev:amd64\ninstalled g++\n";
        assert_eq!(installed_names(listing), ["libx11-dev", "g++"]);
    }

    #[test]
    fn no_package_is_listed_twice() {
        let mut all: Vec<_> = [BUILD, SCREEN, TEST, TRAINING].concat();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
