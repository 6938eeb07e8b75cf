//! `cargo +nightly fuzz run query`: nothing that is typed, and no family that is asked for, is an error to the database. An error
//! makes the index anew, which [`Index::wants_rescan`] tells.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use betwixt_engine::library::Library;
use betwixt_engine::library::entry::Filter;
use betwixt_engine::library::index::Index;
use libfuzzer_sys::fuzz_target;

/// The factory's sounds and presets, in memory.
static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../presets");
    let index = Index::open(Library::in_folders(&presets, Path::new("/dev/null/none")));
    index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert!(!index.search("flute", &Filter::default(), 9).is_empty());
    index
});

fuzz_target!(|text: &str| {
    let (query, family) = text.split_once('\n').unwrap_or((text, ""));
    let filter = Filter {
        family: (!family.is_empty()).then(|| family.to_owned()),
        ..Filter::default()
    };
    INDEX.search(query, &filter, 9);
    assert!(!INDEX.wants_rescan(), "{query:?} {family:?}");
});
