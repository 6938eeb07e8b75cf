//! `Info.plist` of macOS bundles.

use crate::bundle::Names;

/// What a bundle is, for macOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `.vst3`
    Vst3,
    /// `.clap`
    Clap,
    /// `.component`: needs its component listed, or no host sees it.
    AudioUnit,
}

/// The file's text. `executable` is the binary's name in `Contents/MacOS`, `version` is `major.minor.patch`.
pub fn text(names: &Names, kind: Kind, executable: &str, version: &str) -> String {
    let suffix = match kind {
        Kind::Vst3 => "vst3",
        Kind::Clap => "clap",
        Kind::AudioUnit => "component",
    };
    let strings = [
        ("CFBundleExecutable", executable.to_owned()),
        ("CFBundleIdentifier", format!("{}.{suffix}", names.identifier)),
        ("CFBundleInfoDictionaryVersion", "6.0".to_owned()),
        ("CFBundleName", names.name.clone()),
        ("CFBundleDisplayName", names.name.clone()),
        ("CFBundlePackageType", "BNDL".to_owned()),
        ("CFBundleShortVersionString", version.to_owned()),
        ("CFBundleVersion", version.to_owned()),
        ("LSMinimumSystemVersion", "14.0".to_owned()),
    ];
    let mut body: String = strings.iter().map(|(key, value)| string(key, value)).collect();
    body += "  <key>NSHighResolutionCapable</key>\n  <true/>\n";
    if kind == Kind::AudioUnit {
        body += &audio_components(names, version);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n{body}</dict>\n</plist>\n"
    )
}

fn string(key: &str, value: &str) -> String {
    format!("  <key>{key}</key>\n  <string>{value}</string>\n")
}

fn audio_components(names: &Names, version: &str) -> String {
    let name = &names.name;
    let strings = [
        // What `clap_wrapper::export_auv2!` exports.
        ("factoryFunction", "GetPluginFactoryAUV2"),
        ("name", &format!("{name}: {name}")),
        ("description", name),
        ("type", "aumu"),
        ("subtype", &names.audio_unit_subtype),
        ("manufacturer", &names.audio_unit_manufacturer),
    ];
    let strings: String = strings.iter().map(|(key, value)| string(key, value)).collect();
    // One byte each for minor and patch, the rest for major.
    let number = version
        .split('.')
        .fold(0_u32, |sum, part| (sum << 8) | part.parse::<u32>().unwrap_or(0));
    format!(
        "  <key>AudioComponents</key>\n  <array>\n  <dict>\n{strings}  \
         <key>version</key>\n  <integer>{number}</integer>\n  <key>sandboxSafe</key>\n  <true/>\n  </dict>\n  </array>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            name: "Betwixt".into(),
            file: "betwixt".into(),
            identifier: "audio.betwixt".into(),
            audio_unit_subtype: "btwx".into(),
            audio_unit_manufacturer: "Btwx".into(),
        }
    }

    #[test]
    fn only_an_audio_unit_lists_its_component() {
        let unit = text(&names(), Kind::AudioUnit, "betwixt", "1.2.3");
        assert!(
            unit.contains("GetPluginFactoryAUV2") && unit.contains("<integer>66051</integer>"),
            "{unit}"
        );
        assert!(!text(&names(), Kind::Vst3, "betwixt", "1.2.3").contains("AudioComponents"));
    }

    #[test]
    fn every_opened_element_is_closed() {
        let plist = text(&names(), Kind::AudioUnit, "betwixt", "0.1.0");
        for element in ["plist", "dict", "array", "key", "string", "integer"] {
            let opened = plist.matches(&format!("<{element}>")).count()
                + plist.matches(&format!("<{element} ")).count();
            assert_eq!(
                opened,
                plist.matches(&format!("</{element}>")).count(),
                "{element}"
            );
        }
    }
}
