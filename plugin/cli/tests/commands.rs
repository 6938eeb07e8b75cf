//! The command `betwixt` as a user runs it: the built program, the shipped model, real files.

mod program;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use betwixt_engine::pitch_detect;
use betwixt_engine::resources::{LIBRARY_NAME, RESOURCES_VARIABLE, Resources};
use program::{betwixt, ok, refused, run};

fn shipped_model() -> PathBuf {
    let found = Resources::find().and_then(|found| found.model("spectral"));
    found.unwrap_or_else(|error| panic!("{error}; `cargo xtask test` puts it in place"))
}

/// A recording of a held tone, or of a plucked one.
fn record(file: &Path, hz: f64, decay: f64) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    for i in 0..(2.5 * 44_100.0) as usize {
        let t = i as f64 / 44_100.0;
        let shape = (t / 0.03).min(1.0) * (-decay * t).exp() * ((2.5 - t) / 0.2).min(1.0);
        let partials: f64 = (1..9)
            .map(|k| (std::f64::consts::TAU * hz * f64::from(k) * t).sin() / f64::from(k))
            .sum();
        for _ in 0..2 {
            writer
                .write_sample((0.25 * shape * partials * f64::from(1 << 23)) as i32)
                .unwrap();
        }
    }
    writer.finalize().unwrap();
}

fn samples(file: &Path) -> (u32, Vec<f32>) {
    let mut reader = hound::WavReader::open(file).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().bits_per_sample), (1, 32));
    (
        reader.spec().sample_rate,
        reader.samples().map(Result::unwrap).collect(),
    )
}

/// The files in a folder, without those that begin with a name given.
fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_recording_is_encoded_and_rendered_in_tune_at_any_pitch() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(&folder.join("held.wav"), 220.0, 0.0);
    record(&folder.join("plucked.wav"), 330.0, 5.0);
    let told = ok(folder, &["encode", "held.wav", "-o", "held.sound"]);
    assert!(told.contains("pitch     57.0"), "{told}");
    ok(
        folder,
        &["encode", "plucked.wav", "--pitch", "64.02", "-o", "plucked.sound"],
    );
    for pitch in [48.0_f32, 60.0, 71.5] {
        let pitch_text = pitch.to_string();
        ok(
            folder,
            &[
                "render",
                "--sound",
                "held.sound",
                "--sound",
                "plucked.sound",
                "--weights",
                "0.7,0.3",
                "--pitch",
                &pitch_text,
                "--seconds",
                "1.5",
                "-o",
                "out.wav",
            ],
        );
        let (rate, samples) = samples(&folder.join("out.wav"));
        assert_eq!((rate, samples.len()), (48_000, 72_000));
        let peak = samples
            .iter()
            .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!((0.02..1.0).contains(&peak), "{peak}");
        let found = pitch_detect::detect(&samples, rate).unwrap();
        assert!((found.midi - pitch).abs() < 0.05, "{pitch}: {found:?}");
    }
    assert_eq!(
        files(folder),
        [
            "held.sound",
            "held.wav",
            "out.wav",
            "plucked.sound",
            "plucked.wav"
        ]
    );
}

#[test]
fn a_held_sound_goes_on_past_its_recording_and_a_plucked_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(&folder.join("held.wav"), 262.0, 0.0);
    record(&folder.join("plucked.wav"), 262.0, 5.0);
    let rms = |samples: &[f32]| (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt();
    for (name, lasts) in [("held", true), ("plucked", false)] {
        let (wav, sound) = (format!("{name}.wav"), format!("{name}.sound"));
        ok(folder, &["encode", &wav, "-o", &sound]);
        ok(
            folder,
            &[
                "render",
                "--sound",
                &sound,
                "--pitch",
                "60",
                "--seconds",
                "6",
                "-o",
                "out.wav",
            ],
        );
        let (_, samples) = samples(&folder.join("out.wav"));
        let (early, late) = (rms(&samples[4_800..19_200]), rms(&samples[240_000..]));
        assert!(early > 0.005, "{name}: {early}");
        assert_eq!(late > 0.3 * early, lasts, "{name}: {early} then {late}");
    }
}

#[test]
fn a_note_rendered_twice_is_the_same_file_and_velocity_changes_its_level() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(&folder.join("a.wav"), 440.0, 1.0);
    ok(folder, &["encode", "a.wav", "-o", "a.sound"]);
    let render = |velocity, out| {
        ok(
            folder,
            &[
                "render",
                "--sound",
                "a.sound",
                "--pitch",
                "69",
                "--velocity",
                velocity,
                "--seconds",
                "1",
                "-o",
                out,
            ],
        );
        std::fs::read(folder.join(out)).unwrap()
    };
    assert_eq!(render("100", "1.wav"), render("100", "2.wav"));
    render("20", "quiet.wav");
    let peak = |name: &str| {
        samples(&folder.join(name))
            .1
            .iter()
            .fold(0.0_f32, |peak, s| peak.max(s.abs()))
    };
    assert!(peak("quiet.wav") < 0.6 * peak("1.wav"));
}

#[test]
fn bad_input_gets_one_sentence_exit_code_2_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(&folder.join("a.wav"), 440.0, 0.0);
    std::fs::write(folder.join("garbage.wav"), [7; 5000]).unwrap();
    std::fs::write(folder.join("silence.wav"), silence()).unwrap();
    std::fs::write(folder.join("garbage.sound"), "no sound").unwrap();
    ok(folder, &["encode", "a.wav", "-o", "a.sound"]);
    let whole = std::fs::read(folder.join("a.sound")).unwrap();
    std::fs::write(folder.join("cut.sound"), &whole[..whole.len() / 2]).unwrap();
    let before = files(folder);
    let render = ["render", "--pitch", "60", "-o", "out.wav", "--sound"];
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["encode", "none.wav", "-o", "out.sound"],
            &["none.wav", "cannot be read"],
        ),
        (
            &["encode", "garbage.wav", "-o", "out.sound"],
            &["garbage.wav", "no audio file"],
        ),
        (
            &["encode", "silence.wav", "-o", "out.sound"],
            &["silence.wav", "only silence"],
        ),
        (
            &["encode", "a.wav", "--pitch", "200", "-o", "out.sound"],
            &["200", "0 to 127"],
        ),
        (
            &["encode", "a.wav", "--pitch", "high", "-o", "out.sound"],
            &["high", "--pitch"],
        ),
        (
            &["encode", "a.wav", "-o", "no/where/out.sound"],
            &["no/where/out.sound", "cannot be written"],
        ),
        (&["encode", "a.wav"], &["--output"]),
        (
            &["encode", "a.wav", "--model", "nowhere", "-o", "out.sound"],
            &["nowhere", "model.toml", "cannot be read"],
        ),
        (
            &[&render[..], &["none.sound"]].concat(),
            &["none.sound", "cannot be read"],
        ),
        (
            &[&render[..], &["garbage.sound"]].concat(),
            &["garbage.sound", "no sound"],
        ),
        (&[&render[..], &["cut.sound"]].concat(), &["cut.sound", "damaged"]),
        (
            &[&render[..], &["a.sound", "--weights", "0.5,0.5"]].concat(),
            &["--weights", "2", "expected 1"],
        ),
        (
            &[&render[..], &["a.sound", "--weights", "0.5"]].concat(),
            &["--weights", "0.5", "sum to 1"],
        ),
        (
            &[&render[..], &["a.sound", "--weights", "a"]].concat(),
            &["--weights"],
        ),
        (
            &[&render[..], &["a.sound", "--velocity", "0"]].concat(),
            &["--velocity", "0"],
        ),
        (
            &[&render[..], &["a.sound", "--seconds", "-1"]].concat(),
            &["--seconds", "-1"],
        ),
        (
            &["render", "--sound", "a.sound", "--pitch", "-3", "-o", "out.wav"],
            &["--pitch", "-3"],
        ),
        (&["render", "--pitch", "60", "-o", "out.wav"], &["--sound"]),
        (&["model", "check", "nowhere"], &["nowhere", "model.toml"]),
        (&["model", "info", "nowhere"], &["nowhere", "model.toml"]),
        (&["model", "bench", "nowhere"], &["nowhere", "model.toml"]),
        (&["encoed", "a.wav"], &["encoed"]),
    ];
    for (args, words) in cases {
        let message = refused(&run(folder, args));
        assert!(
            words.iter().all(|word| message.contains(word)),
            "{args:?}: {message}"
        );
    }
    assert_eq!(files(folder), before);
}

fn silence() -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    (0..48_000).for_each(|_| writer.write_sample(0_i16).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn help_names_every_command_and_option() {
    let folder = tempfile::tempdir().unwrap();
    for (args, words) in [
        (&["--help"][..], &["encode", "render", "bounce", "model"][..]),
        (
            &["encode", "--help"],
            &[
                "RECORDING|FOLDER",
                "--pitch <MIDI>",
                "--output <OUT.sound|DIR>",
                "--model <DIR>",
            ],
        ),
        (
            &["render", "--help"],
            &[
                "--sound <A.sound>",
                "--weights",
                "--pitch",
                "--velocity",
                "--seconds",
                "--model <DIR>",
                "--output <OUT.wav>",
            ],
        ),
        (
            &["bounce", "--help"],
            &[
                "--preset",
                "--midi",
                "--automate",
                "--rate",
                "--block",
                "--output",
            ],
        ),
        (&["model", "--help"], &["info", "check", "bench"]),
        (&["model", "info", "--help"], &["DIR", "--device", "cuda"]),
    ] {
        let help = ok(folder.path(), args);
        assert!(words.iter().all(|word| help.contains(word)), "{args:?}: {help}");
    }
}

#[test]
fn model_info_tells_what_computes_it_and_why_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let model = shipped_model();
    let told = ok(folder.path(), &["model", "info", model.to_str().unwrap()]);
    for word in [
        "spectral",
        "48000 Hz",
        "partials",
        "ONNX Runtime",
        "computed by",
        "not CUDA",
        "not CoreML",
        "not DirectML",
    ] {
        assert!(
            told.contains(word) || told.contains("computed by   CUDA"),
            "{word}: {told}"
        );
    }
    assert!(ok(folder.path(), &["model", "check", model.to_str().unwrap()]).contains("is sound"));
}

/// A folder of resources with the shipped models and a library of one's own.
fn resources_with(library: Option<&[u8]>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spectral = folder.path().join("models/spectral");
    std::fs::create_dir_all(&spectral).unwrap();
    for entry in std::fs::read_dir(shipped_model()).unwrap() {
        let entry = entry.unwrap();
        if entry
            .path()
            .extension()
            .is_some_and(|e| e == OsStr::new("onnx") || e == OsStr::new("toml"))
        {
            std::fs::copy(entry.path(), spectral.join(entry.file_name())).unwrap();
        }
    }
    if let Some(bytes) = library {
        std::fs::write(folder.path().join(LIBRARY_NAME), bytes).unwrap();
    }
    folder
}

/// What `model info` says with those resources.
fn info_with(resources: &Path) -> Output {
    betwixt(resources, &["model", "info"])
        .env(RESOURCES_VARIABLE, resources)
        .output()
        .unwrap()
}

/// The bytes of a library compiled from this source.
fn library(source: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("stub.rs"), folder.path().join("stub.lib"));
    std::fs::write(&input, source).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let status = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=cdylib", "-o"])
        .args([&output, &input])
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(output).unwrap()
}

#[test]
fn a_missing_library_is_named_with_the_place_it_should_be_in() {
    let resources = resources_with(None);
    let message = refused(&info_with(resources.path()));
    assert!(
        message.contains(LIBRARY_NAME) && message.contains(resources.path().to_str().unwrap()),
        "{message}"
    );
}

#[test]
fn a_file_that_is_no_library_and_a_library_that_is_another_are_refused() {
    let resources = resources_with(Some(b"no library"));
    let message = refused(&info_with(resources.path()));
    assert!(message.contains("could not be opened"), "{message}");
    let resources = resources_with(Some(&library(
        "#[unsafe(no_mangle)] pub extern \"C\" fn other() {}",
    )));
    let message = refused(&info_with(resources.path()));
    assert!(message.contains("OrtGetApiBase"), "{message}");
}

#[test]
fn a_library_that_is_too_old_is_refused_with_its_version() {
    // The two functions of OrtApiBase: GetApi, which knows no interface, and GetVersionString.
    let old = r#"
        #[repr(C)]
        pub struct Base { get_api: extern "C" fn(u32) -> *const u8, version: extern "C" fn() -> *const u8 }
        extern "C" fn get_api(_: u32) -> *const u8 { std::ptr::null() }
        extern "C" fn version() -> *const u8 { c"1.17.3".as_ptr().cast() }
        static BASE: Base = Base { get_api, version };
        #[unsafe(no_mangle)] pub extern "C" fn OrtGetApiBase() -> *const Base { &BASE }
    "#;
    let resources = resources_with(Some(&library(old)));
    let message = refused(&info_with(resources.path()));
    assert!(
        message.contains("1.17.3") && message.contains("too old"),
        "{message}"
    );
}

#[test]
fn a_missing_model_is_named() {
    let resources = tempfile::tempdir().unwrap();
    let message = refused(&info_with(resources.path()));
    assert!(message.contains("models/spectral"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn running_a_model_leaves_no_trace_in_the_users_home() {
    // Official builds of ONNX Runtime write a device id there before they send telemetry.
    let home = tempfile::tempdir().unwrap();
    let model = shipped_model();
    let output = betwixt(home.path(), &["model", "check", model.to_str().unwrap()])
        .env("HOME", home.path())
        .env_remove("XDG_CACHE_HOME")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(files(home.path()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    record(&folder.join("a.wav"), 220.0, 0.0);
    ok(folder, &["encode", "a.wav", "-o", "a.sound"]);
    let before = files(folder);
    let args = [
        "render",
        "--sound",
        "a.sound",
        "--pitch",
        "57",
        "--seconds",
        "3600",
        "-o",
        "out.wav",
    ];
    let child = betwixt(folder, &args)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Until samples are being written to the temporary file.
    let start = Instant::now();
    while files(folder) == before {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it never began to write"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    let interrupted = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted: out.wav was not written"));
    assert_eq!(files(folder), before);
}
