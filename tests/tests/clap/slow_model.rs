//! A model that is slower than it is heard, one of NSynth's kind: its notes are heard when they are whole, and kept on the
//! disk whatever happens to the host.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use betwixt_tests::bundle::Bundle;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::saved_state::SavedState;
use betwixt_tests::score::Score;
use betwixt_tests::spectrum::first_sound;

use crate::stage::{RATE_HZ, plugin};

/// Another model to play, in place of a tiny one with random weights: the golden one, or what one has imported.
const MODEL: &str = "BETWIXT_SLOW_MODEL";
/// Tells a process that it is the host, and where the sound is.
const SOUND: &str = "BETWIXT_TESTS_SLOW_SOUND";
/// Middle C is a pitch of the grid; the others are resampled.
const CHORD: [u16; 3] = [60, 65, 67];
const LIMIT: Duration = Duration::from_secs(600);

/// The user's folders, with the model and a sound that it encoded.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin/engine/tests/fixtures/step/float");
        let from = env::var_os(MODEL).map_or(tiny, PathBuf::from);
        let model = home.path("user/models/slow");
        fs::create_dir_all(&model).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap().path();
            fs::copy(&file, model.join(file.file_name().unwrap())).unwrap();
        }
        write_tone(&home.path("tone.wav"));
        let betwixt = Bundle::built().unwrap().clap().with_file_name("betwixt");
        let encoded = Command::new(&betwixt)
            .args(["encode", "--pitch", "60", "--model"])
            .arg(&model)
            .arg("-o")
            .arg(home.path("tone.sound"))
            .arg(home.path("tone.wav"))
            .env_remove("BETWIXT_RESOURCES")
            .status();
        assert!(encoded.unwrap().success());
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A host that plays the chord until it is heard.
    fn host(&self, test: &str) -> Child {
        Command::new(env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(SOUND, self.path("tone.sound"))
            .env("BETWIXT_USER", self.path("user"))
            .env("BETWIXT_CACHE", self.path("cache"))
            .env_remove("BETWIXT_RESOURCES")
            .spawn()
            .unwrap()
    }

    fn notes(&self) -> Vec<(PathBuf, u64)> {
        notes_in(&self.path("cache"))
    }
}

/// The whole notes on the disk, and each one's inode: a note that is written again gets another.
fn notes_in(cache: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(cache.join("notes")).into_iter().flatten();
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
        .map(|path| (path.clone(), fs::metadata(path).unwrap().ino()))
        .collect();
    found.sort();
    found
}

/// A second of a decaying tone at middle C.
fn write_tone(file: &Path) {
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(file, format).unwrap();
    for i in 0..16_000 {
        let seconds = f64::from(i) / 16_000.0;
        let level = 9000.0 * (-2.0 * seconds).exp();
        wav.write_sample((level * (std::f64::consts::TAU * 261.63 * seconds).sin()) as i16)
            .unwrap();
    }
    wav.finalize().unwrap();
}

/// In the host's process: holds the chord at a sound card's pace until it is heard and all its notes are kept.
fn play(sound: &Path) {
    let plugin = plugin();
    let mut instance = plugin.instance().unwrap();
    let mut state = SavedState::parse(&instance.save_state().unwrap()).unwrap();
    let sound = fs::read(sound).unwrap();
    for corner in 0..4 {
        state.set_corner(corner, (corner == 0).then_some(sound.as_slice()));
    }
    instance.load_state(&state.to_bytes()).unwrap();
    instance.activate(RATE_HZ, 128).unwrap();
    let began = Instant::now();
    let mut keys_down = Score::new(RATE_HZ, 0.25);
    for key in CHORD {
        keys_down.note_on(0, key, 0.8);
    }
    let mut next = keys_down;
    let cache = PathBuf::from(env::var_os("BETWIXT_CACHE").unwrap());
    let mut is_heard = false;
    loop {
        let heard = Recording::of(&mut instance, &next, 128, Pace::SoundCard).unwrap();
        heard.assert_sound_numbers();
        let status = plugin.status().unwrap();
        if !is_heard && first_sound(&heard.left, 1.0e-4).is_some() {
            is_heard = true;
            println!("heard after {:.1} s; {status}", began.elapsed().as_secs_f64());
        }
        if is_heard && notes_in(&cache).len() >= CHORD.len() {
            println!("whole after {:.1} s", began.elapsed().as_secs_f64());
            return;
        }
        assert!(began.elapsed() < LIMIT, "heard: {is_heard}; {status}");
        next = Score::new(RATE_HZ, 0.25);
    }
}

#[test]
fn a_chord_is_heard_when_it_is_whole_and_a_killed_host_loses_no_finished_note() {
    const TEST: &str =
        "slow_model::a_chord_is_heard_when_it_is_whole_and_a_killed_host_loses_no_finished_note";
    if let Some(sound) = env::var_os(SOUND) {
        return play(Path::new(&sound));
    }
    let home = Home::new();
    // Ended as soon as a note is finished, in the middle of the next.
    let mut host = home.host(TEST);
    let began = Instant::now();
    while home.notes().is_empty() {
        assert!(began.elapsed() < LIMIT, "no note is finished");
        thread::sleep(Duration::from_millis(2));
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let finished = home.notes();
    assert!(!finished.is_empty());

    assert!(
        home.host(TEST).wait().unwrap().success(),
        "a second host plays it"
    );
    let after = home.notes();
    assert!(after.len() >= CHORD.len(), "the chord's notes: {after:?}");
    for note in &finished {
        assert!(after.contains(note), "rendered again: {note:?}");
    }
    // From the disk.
    assert!(home.host(TEST).wait().unwrap().success());
    for note in &after {
        assert!(home.notes().contains(note), "rendered again: {note:?}");
    }
}
