//! A DAW that scans its plugins is not held up, and nothing heavy is touched.

use std::time::{Duration, Instant};

use betwixt_tests::bundle::Bundle;
use betwixt_tests::own_process::in_own_process;
use betwixt_tests::plugin::Plugin;
use betwixt_tests::process;
use inotify::{Inotify, WatchMask};

#[test]
fn a_scan_takes_under_twenty_milliseconds() {
    in_own_process(|| {
        // Other work on the machine only adds to it, so the quickest of a few processes tells.
        let scan = || {
            let program = env!("CARGO_BIN_EXE_scan");
            let output = std::process::Command::new(program)
                .arg(Bundle::built().unwrap().clap())
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let micros: u64 = String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse()
                .expect("microseconds");
            Duration::from_micros(micros)
        };
        let mut times: Vec<_> = (0..9).map(|_| scan()).collect();
        times.sort();
        println!("scans: {times:?}");
        assert!(
            times[0] < Duration::from_millis(20),
            "a scan takes {:?}",
            times[0]
        );
    });
}

#[test]
fn a_scan_touches_neither_onnx_runtime_nor_the_model() {
    in_own_process(|| {
        // A copy, for the other tests' processes open the built one while this one watches.
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::built().unwrap().copy_to(folder.path()).unwrap();
        let mut watcher = Inotify::init().unwrap();
        let touched = WatchMask::OPEN | WatchMask::ACCESS;
        watcher.watches().add(bundle.onnx_runtime(), touched).unwrap();
        let mut folders = vec![bundle.models()];
        while let Some(folder) = folders.pop() {
            watcher.watches().add(&folder, touched).unwrap();
            folders.extend(
                std::fs::read_dir(&folder)
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
                    .filter(|p| p.is_dir()),
            );
        }
        let mut buffer = [0; 4096];
        // Walking the folders was ours; what follows is the plugin's.
        let _ = watcher.read_events(&mut buffer);

        let plugin = Plugin::load(&bundle.clap()).unwrap();
        let mut instance = plugin.instance().unwrap();
        assert!(!instance.parameters().is_empty());
        instance.save_state().unwrap();
        // nice-plug has a thread of its own for a process's instances; the engine's come with the first activation.
        let names = process::thread_names().unwrap();
        assert!(
            !names.iter().any(|name| name.starts_with("betwixt")),
            "a scan starts threads: {names:?}"
        );
        drop(instance);
        drop(plugin);
        let files: Vec<_> = match watcher.read_events(&mut buffer) {
            Ok(events) => events
                .map(|event| event.name.map(|name| name.to_os_string()))
                .collect(),
            Err(_) => Vec::new(),
        };
        assert_eq!(files, [], "a scan opens files of the model or ONNX Runtime");
        assert!(
            !process::has_mapped("onnxruntime").unwrap(),
            "a scan maps ONNX Runtime"
        );

        // The watch works: activation opens what a scan leaves alone.
        let plugin = Plugin::load(&bundle.clap()).unwrap();
        let mut instance = plugin.instance().unwrap();
        instance.activate(48_000.0, 256).unwrap();
        let started = Instant::now();
        while !process::has_mapped("onnxruntime").unwrap() {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "activation never loads ONNX Runtime"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(
            watcher.read_events(&mut buffer).unwrap().count() > 0,
            "the watch saw nothing of it"
        );
    });
}
