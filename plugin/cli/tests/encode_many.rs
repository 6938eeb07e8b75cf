//! `betwixt encode` of folders as a user runs it: the built program, the shipped model, real files.

mod chance;
mod program;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use betwixt_engine::import::journal::JOURNAL_NAME;
use betwixt_engine::sound::Sound;
use betwixt_engine::whole_file::is_unfinished;
use chance::Chance;
use program::{betwixt, ok, refused, run};

/// Recordings in the folder that is killed.
const RECORDINGS: usize = 24;

/// What a recording is called. Not by its number: files that are named with numbers may be a multisample.
fn name(number: usize) -> String {
    let letter = |digit: usize| char::from(b"hjklmnrstv"[digit]);
    [number / 10, number % 10].map(letter).iter().collect()
}

/// A folder `in` of tones, with a text among them that is called a recording.
fn record(folder: &Path, seconds: f64) {
    let recordings = folder.join("in/deep");
    std::fs::create_dir_all(&recordings).unwrap();
    std::fs::write(folder.join("in/letter.wav"), "this is a letter").unwrap();
    for n in 0..RECORDINGS {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 44_100,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let place = if n % 2 == 0 {
            folder.join("in")
        } else {
            recordings.clone()
        };
        let mut writer = hound::WavWriter::create(place.join(format!("{}.wav", name(n))), spec).unwrap();
        let hz = 440.0 * ((n as f64 - 12.0) / 12.0).exp2();
        for i in 0..(seconds * 44_100.0) as usize {
            let t = i as f64 / 44_100.0;
            let shape = (t / 0.01).min(1.0) * ((seconds - t) / 0.05).min(1.0);
            let partials: f64 = (1..6)
                .map(|k| (std::f64::consts::TAU * hz * f64::from(k) * t).sin() / f64::from(k))
                .sum();
            writer.write_sample((6000.0 * shape * partials) as i16).unwrap();
        }
        writer.finalize().unwrap();
    }
}

/// The sounds of a folder, and when each was written. All else in it is the journal, and what a killed process left.
fn sounds(folder: &Path) -> BTreeMap<String, SystemTime> {
    let mut sounds = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".sound") {
            // Others may be gone again.
            if let Ok(written) = entry.metadata().and_then(|found| found.modified()) {
                sounds.insert(name, written);
            }
        } else {
            assert!(
                name == JOURNAL_NAME || is_unfinished(&entry.file_name()),
                "{name}"
            );
        }
    }
    sounds
}

fn spawn(folder: &Path, output: &str) -> Child {
    let mut command = betwixt(folder, &["encode", "in", "--threads", "2", "-o", output]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until so many sounds are there, or the program has ended.
fn wait_for(child: &mut Child, folder: &Path, goal: usize) {
    let began = Instant::now();
    while sounds(folder).len() < goal && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(120), "it hangs");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_folder_becomes_sounds_and_bad_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(folder, 0.3);
    std::fs::write(folder.join("in/empty.flac"), "").unwrap();
    let output = run(folder, &["encode", "in", "--family", "test", "-o", "out"]);
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with("out: 24 sounds in") && told.contains("0 of which were there"),
        "{told}"
    );
    assert!(told.contains("skipped        2"), "{told}");
    let skipped = String::from_utf8(output.stderr).unwrap();
    assert_eq!(skipped.lines().count(), 2, "{skipped}");
    assert!(
        skipped.contains("skipped: in/letter.wav: is no audio file"),
        "{skipped}"
    );
    assert!(
        skipped.contains("skipped: in/empty.flac: has no bytes"),
        "{skipped}"
    );
    let sound = Sound::read(&folder.join(format!("out/{}.sound", name(7)))).unwrap();
    assert_eq!((sound.name, sound.family.as_str()), (name(7), "test"));
    assert!((sound.pitch - 64.0).abs() < 0.1, "{}", sound.pitch);
    let again = ok(folder, &["encode", "in", "--family", "test", "-o", "out"]);
    assert!(again.contains("24 of which were there"), "{again}");
    assert_eq!(sounds(&folder.join("out")).len(), 24);
}

#[test]
fn what_makes_no_sound_at_all_gets_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir_all(folder.join("empty")).unwrap();
    std::fs::create_dir_all(folder.join("bad")).unwrap();
    std::fs::write(folder.join("bad/a.wav"), "text").unwrap();
    let message = |args: &[&str]| refused(&run(folder, args));
    assert!(message(&["encode", "empty", "-o", "out"]).contains("empty: holds no recording"));
    assert!(message(&["encode", "bad", "-o", "out"]).contains("bad/a.wav: is no audio file"));
    assert!(message(&["encode", "bad", "-o", "bad/a.wav/out"]).contains("cannot be written"));
    assert!(message(&["encode", "bad", "--pitch", "200", "-o", "out"]).contains("0 to 127"));
    assert!(message(&["encode", "bad", "--length", "0", "-o", "out"]).contains("a length of 0 seconds"));
}

/// `kill -9` in the middle, `BETWIXT_IMPORT_KILLS` times (6 if not set): nothing is corrupt, nothing finished is lost or written
/// again, and the next run does the rest.
#[test]
fn an_import_that_was_killed_goes_on_and_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(folder, 0.5);
    ok(folder, &["encode", "in", "-o", "whole"]);
    let whole = |name: &str| std::fs::read(folder.join("whole").join(name)).unwrap();
    let kills = std::env::var("BETWIXT_IMPORT_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let mut chance = Chance(1);
    let (mut killed, mut round, mut in_the_middle) = (0, 0, 0);
    while killed < kills {
        let output = format!("out{round}");
        let out = folder.join(&output);
        round += 1;
        // Until it is whole, or was killed three times.
        for _ in 0..3 {
            let before = sounds(&out);
            let mut child = spawn(folder, &output);
            // A random number of sounds further, and a random moment after.
            wait_for(
                &mut child,
                &out,
                before.len() + 1 + (chance.unit() * 8.0) as usize,
            );
            std::thread::sleep(Duration::from_secs_f64(0.05 * chance.unit()));
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            let after = sounds(&out);
            in_the_middle += usize::from((1..RECORDINGS).contains(&after.len()));
            for (name, written) in &before {
                assert_eq!(after.get(name), Some(written), "{name}");
            }
            for name in after.keys() {
                assert!(std::fs::read(out.join(name)).unwrap() == whole(name), "{name}");
            }
        }
        let left = sounds(&out);
        let told = ok(folder, &["encode", "in", "-o", &output]);
        assert!(told.contains(": 24 sounds in"), "{told}");
        let done = sounds(&out);
        assert!(done.keys().eq(sounds(&folder.join("whole")).keys()), "{done:?}");
        for (name, written) in &left {
            assert_eq!(done.get(name), Some(written), "{name} was written again");
        }
        for name in done.keys() {
            assert!(std::fs::read(out.join(name)).unwrap() == whole(name), "{name}");
        }
        std::fs::remove_dir_all(&out).unwrap();
    }
    assert!(in_the_middle * 2 > killed, "{in_the_middle} of {killed}");
}

#[cfg(unix)]
#[test]
fn an_import_that_was_interrupted_ends_cleanly_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(folder, 2.0);
    let out = folder.join("out");
    let mut child = spawn(folder, "out");
    wait_for(&mut child, &out, 1);
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(
        message.contains("finished sounds are kept in out, and the same command goes on from there"),
        "{message}"
    );
    let kept = sounds(&out).len();
    assert!((1..RECORDINGS).contains(&kept), "{kept}");
    let entries = std::fs::read_dir(&out).unwrap().flatten();
    assert!(
        entries
            .into_iter()
            .all(|entry| !is_unfinished(&entry.file_name()))
    );
    let told = ok(folder, &["encode", "in", "-o", "out"]);
    assert!(told.contains(&format!("{kept} of which were there")), "{told}");
}

#[test]
fn a_mapping_becomes_the_one_sound_that_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(folder, 0.6);
    let (low, high) = (name(0), name(12));
    let mapping = format!(
        "<region> sample={low}.wav key=57\n<region> sample={high}.wav key=69\n<region> sample=gone.wav key=80"
    );
    std::fs::write(folder.join("in/harp.sfz"), mapping).unwrap();
    let told = ok(folder, &["encode", "in/harp.sfz", "-o", "harp.sound"]);
    assert!(told.contains("from      2 recordings"), "{told}");
    let sound = Sound::read(&folder.join("harp.sound")).unwrap();
    assert_eq!((sound.name.as_str(), sound.further.len()), ("harp", 1));
    let told = refused(&run(
        folder,
        &["encode", "in/harp.sfz", "--pitch", "60", "-o", "again.sound"],
    ));
    assert!(told.contains("is a multisample"), "{told}");
    std::fs::copy(folder.join("in/harp.sfz"), folder.join("in/lyre.sfz")).unwrap();
    let told = refused(&run(folder, &["encode", "in", "-o", "again.sound"]));
    assert!(
        told.contains("holds 2 instruments") && !folder.join("again.sound").exists(),
        "{told}"
    );
}
