//! `betwixt bounce` as a shell runs it.

use std::path::Path;
use std::process::{Command, Output};

/// A preset of factory sounds, one chord, and half a second of blend.
struct Inputs {
    folder: tempfile::TempDir,
}

impl Inputs {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chord.mid"), chord()).unwrap();
        std::fs::write(folder.path().join("x.csv"), "seconds,value\n0,0\n0.5,1\n").unwrap();
        Self { folder }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    /// Runs `betwixt bounce` with these arguments, in the folder.
    fn bounce(&self, arguments: &[&str]) -> Output {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let resources = root.join("target/resources").canonicalize();
        Command::new(env!("CARGO_BIN_EXE_betwixt"))
            .arg("bounce")
            .args(arguments)
            .env(
                "BETWIXT_RESOURCES",
                resources.expect("`cargo xtask setup` fills target/resources"),
            )
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }
}

/// C, E and G for half a second at 120 beats a minute.
fn chord() -> Vec<u8> {
    let mut track = Vec::new();
    for key in [60, 64, 67] {
        track.extend([0, 0x90, key, 100]);
    }
    track.extend([0x83, 0x60, 0x80, 60, 0]);
    for key in [64, 67] {
        track.extend([0, 0x80, key, 0]);
    }
    track.extend([0, 0xff, 0x2f, 0]);
    let mut file = b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0MTrk".to_vec();
    file.extend((track.len() as u32).to_be_bytes());
    file.extend(track);
    file
}

#[test]
fn two_bounces_are_one_file_whatever_the_block_size() {
    let inputs = Inputs::new();
    for (block, output) in [("64", "a.wav"), ("1000", "b.wav")] {
        let arguments = [
            "--preset",
            "init",
            "--midi",
            "chord.mid",
            "--automate",
            "blend_x=x.csv",
            "--block",
            block,
        ];
        let ran = inputs.bounce(&[&arguments[..], &["-o", output]].concat());
        let told = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert!(
            told.contains("notes played     3") && told.contains("underruns        0"),
            "{told}"
        );
    }
    assert!(inputs.read("a.wav") == inputs.read("b.wav"));
    let mut wav = hound::WavReader::open(inputs.folder.path().join("a.wav")).unwrap();
    assert_eq!((wav.spec().channels, wav.spec().sample_rate), (2, 48_000));
    let loudest = wav
        .samples::<f32>()
        .map(|sample| sample.unwrap().abs())
        .fold(0.0, f32::max);
    assert!(loudest > 0.01, "it is silent");
}

#[test]
fn bad_input_ends_with_one_sentence_and_leaves_nothing() {
    let inputs = Inputs::new();
    inputs.write("cut.mid", &chord()[..30]);
    inputs.write("broken.csv", "0,0\n1,much\n");
    inputs.write("far.csv", "0,0\n1,3\n");
    inputs.write(
        "wrong.toml",
        "format = 1\nname = \"Wrong\"\n[corners]\na = \"factory/none.sound\"\n",
    );
    let before = inputs.files();
    let cases: [(&[&str], &str); 8] = [
        (
            &["--preset", "nothing", "--midi", "chord.mid"],
            "there is no preset named nothing",
        ),
        (
            &["--preset", "chord.mid", "--midi", "chord.mid"],
            "chord.mid: not a preset",
        ),
        (&["--preset", "wrong.toml", "--midi", "chord.mid"], "corner A"),
        (
            &["--preset", "init", "--midi", "cut.mid"],
            "cut.mid: truncated MIDI file",
        ),
        (&["--preset", "init", "--midi", "none.mid"], "none.mid"),
        (
            &[
                "--preset",
                "init",
                "--midi",
                "chord.mid",
                "--automate",
                "blend_x=broken.csv",
            ],
            "broken.csv: line 2",
        ),
        (
            &[
                "--preset",
                "init",
                "--midi",
                "chord.mid",
                "--automate",
                "blend_x=far.csv",
            ],
            "expected values from 0 to 1",
        ),
        (
            &["--preset", "init", "--midi", "chord.mid", "--rate", "7"],
            "the rate is 7",
        ),
    ];
    for (arguments, expected) in cases {
        let ran = inputs.bounce(&[arguments, &["-o", "out.wav"]].concat());
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert_eq!(told.trim().lines().count(), 1, "{told}");
        assert_eq!(inputs.files(), before, "{arguments:?} left something behind");
    }
}
