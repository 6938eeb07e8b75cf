//! `cargo +nightly fuzz run note_names`: whatever files are called, each is of one instrument at most.
#![no_main]

use betwixt_engine::multisample::named_files::gather;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let names: Vec<String> = text.lines().map(str::to_owned).collect();
    let (instruments, singles) = gather(&names, "folder");
    let zones = instruments
        .iter()
        .flat_map(|instrument| &instrument.mapping.zones);
    let count = zones
        .inspect(|zone| assert!(zone.root <= 127 && (1..=127).contains(&zone.struck_velocity())))
        .count();
    assert!(count + singles.len() <= names.len());
});
