//! What files and folders are called on the system this task runs on.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The three systems that plugins are bundled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Any Linux with glibc.
    Linux,
    /// macOS 14 or later.
    MacOs,
    /// Windows 10 or later.
    Windows,
}

impl System {
    /// The one this task runs on.
    pub fn this() -> Result<Self> {
        match std::env::consts::OS {
            "linux" => Ok(Self::Linux),
            "macos" => Ok(Self::MacOs),
            "windows" => Ok(Self::Windows),
            other => bail!("bundles are made on Linux, macOS and Windows; this is {other}"),
        }
    }

    /// The file name that ONNX Runtime's library has beside the plugin.
    pub fn onnxruntime_library(self) -> &'static str {
        match self {
            Self::Linux => "libonnxruntime.so",
            Self::MacOs => "libonnxruntime.dylib",
            Self::Windows => "onnxruntime.dll",
        }
    }

    /// What cargo calls the plugin's library.
    pub fn built_plugin(self, stem: &str) -> String {
        match self {
            Self::Linux => format!("lib{stem}.so"),
            Self::MacOs => format!("lib{stem}.dylib"),
            Self::Windows => format!("{stem}.dll"),
        }
    }

    /// A program's file name.
    pub fn program(self, stem: &str) -> String {
        if self == Self::Windows {
            format!("{stem}.exe")
        } else {
            stem.to_owned()
        }
    }

    /// The folder under `Contents` that holds a VST3's binary, and the binary's name
    /// (VST 3 documentation, "Plug-in format structure").
    pub fn vst3_binary(self, stem: &str) -> (String, String) {
        let machine = match (self, std::env::consts::ARCH) {
            (Self::Windows, "aarch64") => "arm64",
            (_, machine) => machine,
        };
        match self {
            Self::Linux => (format!("{machine}-linux"), format!("{stem}.so")),
            Self::MacOs => ("MacOS".to_owned(), stem.to_owned()),
            Self::Windows => (format!("{machine}-win"), format!("{stem}.vst3")),
        }
    }

    /// Where this user's VST3 and CLAP plugins live.
    pub fn plugin_folders(self) -> Result<PluginFolders> {
        let variable = if self == Self::Windows {
            "LOCALAPPDATA"
        } else {
            "HOME"
        };
        let base = std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .with_context(|| {
                format!("the environment variable {variable} is not set: there is no place to install to")
            })?;
        let (vst3, clap) = match self {
            Self::Linux => (".vst3", ".clap"),
            Self::MacOs => ("Library/Audio/Plug-Ins/VST3", "Library/Audio/Plug-Ins/CLAP"),
            Self::Windows => ("Programs/Common/VST3", "Programs/Common/CLAP"),
        };
        Ok(PluginFolders {
            vst3: base.join(vst3),
            clap: base.join(clap),
        })
    }
}

/// A user's plugin folders.
#[derive(Debug, Clone)]
pub struct PluginFolders {
    /// Holds `*.vst3` bundles.
    pub vst3: PathBuf,
    /// Holds `*.clap`, also in folders of their own.
    pub clap: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vst3_binary_lies_where_hosts_look() {
        let (folder, file) = System::Linux.vst3_binary("betwixt");
        assert_eq!(folder, format!("{}-linux", std::env::consts::ARCH));
        assert_eq!(file, "betwixt.so");
        assert_eq!(
            System::MacOs.vst3_binary("betwixt"),
            ("MacOS".to_owned(), "betwixt".to_owned())
        );
    }
}
