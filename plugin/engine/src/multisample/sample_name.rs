//! The names that mappings give their samples, and the files that they mean.
//!
//! Background threads. A name is taken from where the mapping lies, with slashes of either kind and letters of either case, as samplers on
//! Windows do; one that is absolute or leads out of the folder is refused, and so is a link that does.

use std::path::{Path, PathBuf};

const MOST_CHARS: usize = 1024;
const MOST_PARTS: usize = 32;

/// The parts of a name under the folder that it starts in: `..` leads out of folders that were gone into, and, `above` times, above that
/// folder.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parts(name: &str, above: usize) -> Result<(usize, Vec<String>), String> {
    let refuse = |why: &str| Err(format!("the sample \"{}\" {why}", name.escape_debug()));
    if name.chars().count() > MOST_CHARS {
        return Err(format!("a sample's name has more than {MOST_CHARS} letters"));
    }
    let name = name.replace('\\', "/");
    let is_drive = name.as_bytes().get(1) == Some(&b':');
    if name.starts_with('/') || is_drive {
        return refuse("is named by a whole path; expected one from the mapping's folder");
    }
    let (mut up, mut parts) = (0, Vec::new());
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    up += 1;
                }
            }
            _ if part.contains('\0') => return refuse("holds a letter that no file's name has"),
            _ => parts.push(part.to_owned()),
        }
    }
    if up > above {
        return refuse("lies outside the mapping's folder");
    }
    if parts.is_empty() || parts.len() > MOST_PARTS {
        return refuse("is no file's name");
    }
    Ok((up, parts))
}

/// The file that a name means, from the folder `base`; at most one folder above that.
///
/// # Errors
/// If there is none, or it lies outside; in words.
pub(crate) fn find(base: &Path, name: &str) -> Result<PathBuf, String> {
    let (up, parts) = parts(name, 1)?;
    let base = std::fs::canonicalize(base).map_err(|error| format!("{}: {error}", base.display()))?;
    let root = if up > 0 {
        base.parent().unwrap_or(&base).to_path_buf()
    } else {
        base
    };
    let mut path = root.clone();
    for part in &parts {
        let exact = path.join(part);
        path = if exact.exists() {
            exact
        } else {
            alike(&path, part).ok_or_else(|| format!("there is no file {}", exact.display()))?
        };
    }
    let real = std::fs::canonicalize(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !real.starts_with(&root) {
        return Err(format!("{} leads out of the mapping's folder", path.display()));
    }
    if !real.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    Ok(real)
}

/// What has the same name but for the case of its letters; the first of several.
fn alike(folder: &Path, name: &str) -> Option<PathBuf> {
    let wanted = name.to_lowercase();
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let found = entries.filter(|entry| entry.file_name().to_string_lossy().to_lowercase() == wanted);
    found.map(|entry| entry.path()).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_either_slash_and_case_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let maps = folder.path().join("maps");
        std::fs::create_dir_all(maps.join("Samples/soft")).unwrap();
        std::fs::create_dir_all(folder.path().join("beside")).unwrap();
        std::fs::write(maps.join("Samples/soft/Piano C4.WAV"), "x").unwrap();
        std::fs::write(folder.path().join("beside/a.wav"), "x").unwrap();
        for name in [
            "Samples/soft/Piano C4.WAV",
            "samples\\Soft\\piano c4.wav",
            ".\\Samples//hard/../soft/Piano C4.wav",
        ] {
            let found = find(&maps, name).unwrap();
            assert!(found.ends_with("Samples/soft/Piano C4.WAV"), "{name}: {found:?}");
        }
        assert!(find(&maps, "../beside/a.wav").is_ok(), "libraries lie so");
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (maps, outside) = (folder.path().join("a/maps"), folder.path().join("secret.wav"));
        std::fs::create_dir_all(&maps).unwrap();
        std::fs::write(&outside, "x").unwrap();
        for name in [
            "../../secret.wav",
            "x/../../../secret.wav",
            "/etc/passwd",
            "C:\\secret.wav",
            "\\\\server\\secret.wav",
            "",
            "..",
            "a\0b.wav",
        ] {
            assert!(find(&maps, name).is_err(), "{name}");
        }
        let message = find(&maps, "../../secret.wav").unwrap_err();
        assert_eq!(
            message,
            "the sample \"../../secret.wav\" lies outside the mapping's folder"
        );
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, maps.join("link.wav")).unwrap();
            assert!(find(&maps, "link.wav").unwrap_err().contains("leads out"));
        }
        assert!(
            find(&maps, "nothing.wav")
                .unwrap_err()
                .starts_with("there is no file")
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_inside(name in "[a./\\\\:]{0,20}", above in 0_usize..2) {
            if let Ok((up, parts)) = parts(&name, above) {
                prop_assert!(up <= above);
                prop_assert!(parts.iter().all(|part| part != ".." && !part.contains(['/', '\\'])));
            }
        }
    }
}
