//! `betwixt pack` as a user runs it: the built program, the shipped model, a factory preset, real files.

mod chance;
mod program;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use betwixt_engine::pitch_detect;
use chance::Chance;
use program::{betwixt, ok, refused, run};

/// Woodwind, voices, a plucked and a bowed string.
const PRESET: &str = "far_valley";
/// Sounds of this preset are all held.
const HELD_PRESET: &str = "string_machine";

/// A command line of words, with what else is to stand in it.
fn pack<'a>(words: &'a str, output: &'a str) -> Vec<&'a str> {
    pack_of(PRESET, words, output)
}

/// The same of another preset.
fn pack_of<'a>(preset: &'a str, words: &'a str, output: &'a str) -> Vec<&'a str> {
    let mut args = vec!["pack", "--preset", preset];
    args.extend(words.split_whitespace());
    args.extend(["-o", output]);
    args
}

/// Every file under a folder, by its path in it.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn names(folder: &Path) -> Vec<String> {
    tree(folder).into_keys().collect()
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (tree(one), tree(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{name} differs");
    }
}

/// The first channel of a WAV, its rate, and its `smpl` chunk's key and loop, read without the engine.
struct Sample {
    rate_hz: u32,
    samples: Vec<f32>,
    key: u32,
    held: Option<(usize, usize)>,
}

fn sample(file: &Path) -> Sample {
    let bytes = std::fs::read(file).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut key, mut held) = (12, 0, None);
    while at + 8 <= bytes.len() {
        let (name, size) = (&bytes[at..at + 4], word(at + 4) as usize);
        if name == b"smpl" {
            key = word(at + 8 + 12);
            held = (word(at + 8 + 28) > 0).then(|| (word(at + 52) as usize, word(at + 56) as usize + 1));
        }
        at += 8 + size + size % 2;
    }
    assert_eq!(at, bytes.len(), "chunks fill the file");
    let mut reader = hound::WavReader::open(file).unwrap();
    let spec = reader.spec();
    let samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples().map(Result::unwrap).collect(),
        hound::SampleFormat::Int => {
            let full = (1_u32 << (spec.bits_per_sample - 1)) as f32;
            reader
                .samples::<i32>()
                .map(|sample| sample.unwrap() as f32 / full)
                .collect()
        }
    };
    let channels = usize::from(spec.channels);
    Sample {
        rate_hz: spec.sample_rate,
        samples: samples.into_iter().step_by(channels).collect(),
        key,
        held,
    }
}

fn db(ratio: f32) -> f32 {
    20.0 * ratio.max(1e-9).log10()
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}

#[test]
fn every_format_holds_its_samples_in_tune_with_a_licence_and_a_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let words = "--keys 48:72:12 --seconds 1";
    let stems = [
        "far_valley_048-C3_v127",
        "far_valley_060-C4_v127",
        "far_valley_072-C5_v127",
    ];
    for (format, mapping) in [
        ("sfz", Some("far_valley.sfz")),
        ("decentsampler", Some("far_valley.dspreset")),
        ("wav", None),
    ] {
        let words = format!("--format {format} {words}");
        let told = ok(folder, &pack(&words, format));
        assert!(
            told.starts_with(&format!("{format}: 3 samples in")) || told.contains("3 samples in"),
            "{told}"
        );
        let mut expected: Vec<String> = stems.iter().map(|stem| format!("samples/{stem}.wav")).collect();
        expected.extend(["LICENCE.txt".to_owned(), "recipe.toml".to_owned()]);
        expected.extend(mapping.map(str::to_owned));
        expected.sort();
        assert_eq!(names(&folder.join(format)), expected);
        for (stem, key) in stems.iter().zip([48, 60, 72]) {
            let sample = sample(&folder.join(format).join(format!("samples/{stem}.wav")));
            assert_eq!((sample.rate_hz, sample.key), (48_000, key));
            let found = pitch_detect::detect(&sample.samples, sample.rate_hz).unwrap();
            assert!((found.midi - key as f32).abs() < 0.2, "{stem}: {found:?}");
            assert!(peak(&sample.samples) <= 0.9, "{stem}");
        }
        if let Some(mapping) = mapping {
            let text = std::fs::read_to_string(folder.join(format).join(mapping)).unwrap();
            assert!(
                stems.iter().all(|stem| text.contains(&format!("{stem}.wav"))),
                "{text}"
            );
        }
    }
    // The samples are the same whatever stands around them.
    let samples = |format: &str| tree(&folder.join(format).join("samples"));
    assert!(samples("sfz") == samples("wav"));

    ok(
        folder,
        &pack(&format!("--format multisample {words}"), "multisample"),
    );
    let archive = ["LICENCE.txt", "far_valley.multisample", "recipe.toml"];
    assert_eq!(names(&folder.join("multisample")), archive);
    let licence = std::fs::read_to_string(folder.join("wav/LICENCE.txt")).unwrap();
    assert!(
        licence.contains("licence: ") && !licence.contains(&*folder.to_string_lossy()),
        "{licence}"
    );
}

#[test]
fn a_pack_in_the_form_of_nsynth_is_as_its_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let words = "--format nsynth --keys 60:64:4 --velocities 50,100 --blends 2x1";
    ok(folder, &pack(words, "out"));
    let files = names(&folder.join("out"));
    assert_eq!(files.len(), 3 + 8, "{files:?}");
    let listing = std::fs::read_to_string(folder.join("out/examples.json")).unwrap();
    for file in files.iter().filter_map(|name| name.strip_prefix("audio/")) {
        let sample = sample(&folder.join("out/audio").join(file));
        assert_eq!(
            (sample.rate_hz, sample.samples.len(), sample.held),
            (16_000, 64_000, None)
        );
        let name = file.strip_suffix(".wav").unwrap();
        assert!(listing.contains(&format!("\"{name}\": {{")), "{name}");
        assert!(listing.contains(&format!("\"note_str\": \"{name}\"")), "{name}");
    }
    assert!(
        refused(&run(folder, &pack("--format nsynth --rate 48000", "x")))
            .starts_with("error: --rate is 48000")
    );
}

#[test]
fn loops_are_held_without_a_step_and_at_one_level() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut loops = 0;
    for (depth, seconds) in [("16", "2"), ("24", "4")] {
        let words =
            format!("--format wav --keys 36:84:12 --velocities 40,127 --depth {depth} --seconds {seconds}");
        ok(folder, &pack_of(HELD_PRESET, &words, depth));
        let samples = folder.join(depth).join("samples");
        for name in names(&samples) {
            let Sample { samples, held, .. } = sample(&samples.join(&name));
            let (start, end) = held.unwrap_or_else(|| panic!("{name} has no loop"));
            loops += 1;
            let loudest = peak(&samples[start..end]);
            // Where playing goes back, what was before the end is what was before the start.
            let step = (1..=8).map(|back| (samples[end - back] - samples[start - back]).abs());
            let step = step.fold(0.0, f32::max);
            assert!(db(step / loudest) < -70.0, "{name}: {} dB", db(step / loudest));
            // And what a click is heard by, the bend of the curve, is no sharper there than within the loop.
            let bend = |a: f32, b: f32, c: f32| (a - 2.0 * b + c).abs();
            let within = samples[start..end]
                .windows(3)
                .map(|w| bend(w[0], w[1], w[2]))
                .fold(0.0, f32::max);
            let seam = bend(samples[end - 2], samples[end - 1], samples[start]).max(bend(
                samples[end - 1],
                samples[start],
                samples[start + 1],
            ));
            assert!(seam <= within, "{name}: {seam} {within}");
            let level = |from: usize| {
                let heard = &samples[from..from + 2400];
                10.0 * (heard.iter().map(|x| x * x).sum::<f32>() / 2400.0).log10()
            };
            let dip = level(end - 3600) - level(start - 2400);
            assert!(dip.abs() < 4.0, "{name}: {dip} dB where it is joined");
        }
    }
    assert_eq!(loops, 20);
}

#[test]
fn loudness_is_even_over_the_keys_and_follows_the_velocity() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let words = "--format wav --keys 36:84:12 --velocities 40,127 --seconds 2";
    ok(folder, &pack_of(HELD_PRESET, words, "out"));
    let samples = folder.join("out/samples");
    let level = |name: &str| {
        let Sample { samples, .. } = sample(&samples.join(name));
        let heard = &samples[24_000..48_000];
        10.0 * (heard.iter().map(|x| x * x).sum::<f32>() / heard.len() as f32).log10()
    };
    let all = names(&samples);
    let (soft, hard): (Vec<&String>, Vec<&String>) = all.iter().partition(|name| name.contains("_v040"));
    let levels: Vec<f32> = hard.iter().map(|name| level(name)).collect();
    let (low, high) = levels.iter().fold((0.0_f32, -100.0_f32), |(low, high), level| {
        (low.min(*level), high.max(*level))
    });
    // Loudness is weighted by the ear, level is not.
    assert!(high - low < 6.0, "{levels:?}");
    // 1 - s + s v² with the preset's s of 0.7, if it has the usual one.
    let below = level(hard[2]) - level(soft[2]);
    assert!((3.0..20.0).contains(&below), "{below}");
}

#[test]
fn takes_differ_and_the_first_is_the_note_without_others() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    ok(
        folder,
        &pack("--format sfz --keys 60 --seconds 1 --round-robins 3", "three"),
    );
    ok(folder, &pack("--format sfz --keys 60 --seconds 1", "one"));
    let takes = tree(&folder.join("three/samples"));
    let takes: Vec<&Vec<u8>> = takes.values().collect();
    assert_eq!(takes.len(), 3);
    assert!(takes[0] != takes[1] && takes[1] != takes[2]);
    let one = tree(&folder.join("one/samples"));
    assert!(one.values().next() == Some(takes[0]));
    let text = std::fs::read_to_string(folder.join("three/far_valley.sfz")).unwrap();
    assert!(
        text.contains("seq_length=3") && text.contains("seq_position=3"),
        "{text}"
    );
}

#[test]
fn shards_merged_are_the_pack_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for format in ["sfz", "multisample", "nsynth"] {
        let seconds = if format == "nsynth" { "" } else { "--seconds 0.5" };
        let words = format!("--format {format} {seconds} --keys 48:72:8 --blends 2x2 --velocities 60,120");
        let whole = format!("{format}.whole");
        ok(folder, &pack(&words, &whole));
        let shards: Vec<String> = (1..=3).map(|index| format!("{format}.{index}")).collect();
        for (index, shard) in shards.iter().enumerate() {
            let words = format!("{words} --threads {} --shard {}/3", index + 1, index + 1);
            ok(folder, &pack(&words, shard));
        }
        let merge = |shards: &[&String], output: &str| {
            let mut args = vec!["pack".to_owned(), "--merge".into()];
            args.extend(shards.iter().map(|shard| (*shard).clone()));
            args.extend(["-o".into(), output.into()]);
            args
        };
        let run = |args: Vec<String>| {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            run(folder, &args)
        };
        let [one, two, three] = &shards[..] else {
            unreachable!()
        };
        let merged = format!("{format}.merged");
        let missing = run(merge(&[three, one], &merged));
        let message = String::from_utf8(missing.stderr).unwrap();
        assert_eq!(
            message,
            "error: shard 2/3 was not given; expected all 3 of them\n"
        );
        let twice = run(merge(&[one, two, one], &merged));
        assert!(
            String::from_utf8(twice.stderr)
                .unwrap()
                .contains("is shard 1/3, and so is")
        );
        assert!(run(merge(&[two, three, one], &merged)).status.success());
        assert_same(&folder.join(&whole), &folder.join(&merged));
    }
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert_eq!(left.len(), 15, "and nothing is left beside them");
}

#[test]
fn a_pack_that_is_there_is_not_made_again_and_another_is_not_written_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let words = "--format wav --keys 60 --seconds 0.5";
    ok(folder, &pack(words, "out"));
    assert!(ok(folder, &pack(words, "out")).contains("all of which were there"));
    let before = tree(folder);
    let message = refused(&run(folder, &pack("--format wav --keys 62 --seconds 0.5", "out")));
    assert!(
        message.contains("out: is there already and is not this pack"),
        "{message}"
    );
    std::fs::write(folder.join("file"), "mine").unwrap();
    assert!(refused(&run(folder, &pack(words, "file"))).contains("is there already"));
    assert!(refused(&run(folder, &pack(words, "file/out"))).contains("cannot be written"));
    std::fs::remove_file(folder.join("file")).unwrap();
    assert!(tree(folder) == before);
}

#[test]
fn bad_input_gets_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let message = |words: &str| refused(&run(folder, &pack(words, "out")));
    assert!(message("--format sf2").contains("sfz, decentsampler, multisample, nsynth or wav"));
    assert!(message("--format sfz --keys 36-96").contains("LOWEST:HIGHEST:STEP"));
    assert!(message("--format sfz --velocities 90,20").contains("rising numbers"));
    assert!(message("--format sfz --shard 3/2").contains("I/N with I from 1 to N"));
    assert!(message("--format sfz --depth 32").contains("16, 24 or 32f"));
    assert!(message("--format sfz --seconds 1000").contains("--seconds is 1000"));
    assert!(refused(&run(folder, &["pack", "-o", "out"])).contains("--preset"));
    assert!(refused(&run(folder, &["pack", "--merge", "nowhere", "-o", "out"])).contains("cannot be read"));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

/// What is killed in the middle: so long that there is a middle.
const LONG: &str = "--format sfz --keys 36:84:2 --seconds 1 --threads 2";

fn spawn(folder: &Path, output: &str) -> Child {
    let mut command = betwixt(folder, &pack(LONG, output));
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The finished samples of a pack in the making, and when each was written.
fn finished(folder: &Path, output: &str) -> BTreeMap<String, SystemTime> {
    let samples = folder.join(format!("{output}.partial/pack/samples"));
    let entries = std::fs::read_dir(samples).into_iter().flatten().flatten();
    let samples = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Others may be gone again.
        let written = entry.metadata().ok()?.modified().ok()?;
        name.ends_with(".wav").then_some((name, written))
    });
    samples.collect()
}

/// `kill -9` in the middle, `BETWIXT_PACK_KILLS` times (6 if not set): nothing is corrupt, nothing finished is rendered again.
#[test]
fn a_pack_that_was_killed_goes_on_and_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    ok(folder, &pack(LONG, "whole"));
    let kills = std::env::var("BETWIXT_PACK_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let mut chance = Chance(1);
    let (mut killed, mut round, mut in_the_middle) = (0, 0, 0);
    while killed < kills {
        let output = format!("out{round}");
        round += 1;
        // Until it is whole, or was killed three times.
        for _ in 0..3 {
            let before = finished(folder, &output);
            let mut child = spawn(folder, &output);
            // A random number of samples further, and a random moment after.
            let goal = before.len() + 1 + (chance.unit() * 8.0) as usize;
            let began = Instant::now();
            while finished(folder, &output).len() < goal && child.try_wait().unwrap().is_none() {
                assert!(began.elapsed() < Duration::from_secs(120), "it hangs");
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_secs_f64(0.05 * chance.unit()));
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            let after = finished(folder, &output);
            in_the_middle += usize::from(!after.is_empty());
            assert!(
                folder.join(&output).exists()
                    || before
                        .iter()
                        .all(|(name, written)| after.get(name) == Some(written))
            );
        }
        let left = finished(folder, &output);
        let told = ok(folder, &pack(LONG, &output));
        if !left.is_empty() {
            let there = match left.len() {
                25 => "all".to_string(),
                some => some.to_string(),
            };
            assert!(
                told.contains(&format!("25 samples, {there} of which were there")),
                "{told}"
            );
            for (name, written) in left {
                let file = folder.join(&output).join("samples").join(&name);
                assert_eq!(
                    file.metadata().unwrap().modified().unwrap(),
                    written,
                    "{name} was rendered again"
                );
            }
        }
        assert_same(&folder.join("whole"), &folder.join(&output));
        std::fs::remove_dir_all(folder.join(&output)).unwrap();
    }
    assert!(in_the_middle * 2 > killed, "{in_the_middle} of {killed}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_pack_that_was_interrupted_says_where_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let child = betwixt(folder, &pack(LONG, "out"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while finished(folder, "out").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(120), "it hangs");
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(
        message.contains("out.partial, and the same command goes on from there"),
        "{message}"
    );
    assert!(!folder.join("out").exists() && folder.join("out.partial").exists());
    assert!(ok(folder, &pack(LONG, "out")).contains("of which were there"));
    assert!(!folder.join("out.partial").exists());
}
