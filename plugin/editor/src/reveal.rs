//! Shows a finished file or folder in the system's file manager. Returns at once: what shows it runs beside, on a thread of its own.

use std::path::Path;

/// Shows `path`: a folder is opened, a file is shown in its folder. `fail` is told, on another thread, why nothing came of it.
pub fn reveal(path: &Path, fail: impl FnOnce(String) + Send + 'static) {
    let folder = if path.is_file() { path.parent() } else { Some(path) };
    let Some(folder) = folder.map(Path::to_path_buf) else {
        return;
    };
    let show = move || {
        // Beside itself, the file manager may write to the terminal and live for as long as it likes.
        if let Err(error) = open::that_detached(&folder) {
            fail(format!("{}: cannot be shown: {error}", folder.display()));
        }
    };
    // Without a thread there is no file manager either.
    let _ = std::thread::Builder::new()
        .name("betwixt-reveal".into())
        .spawn(show);
}
