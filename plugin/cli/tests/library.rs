//! `betwixt library` as a user runs it: several at once, killed in the middle, with a database that is broken, locked or missing.

mod chance;
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use betwixt_engine::embedding::Embedding;
use betwixt_engine::preset::Preset;
use betwixt_engine::sound::Sound;
use chance::Chance;
use program::{betwixt, ok, refused, run};

const FAMILIES: [&str; 5] = ["flute", "mallet", "string", "organ", "bass"];

/// A library of its own: factory sounds and a preset, and so many sounds of the user's.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn of(sounds: usize) -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["resources/presets/sounds", "user/sounds", "user/presets"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        for n in 0..10 {
            sound(n, "Factory")
                .write(&home.path().join(format!("resources/presets/sounds/f{n}.sound")))
                .unwrap();
        }
        home.add_sounds(0..sounds);
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn user(&self) -> PathBuf {
        self.path().join("user")
    }

    fn add_sounds(&self, numbers: std::ops::Range<usize>) {
        for n in numbers {
            // Not `write`, which waits for the disk each time.
            let file = self.user().join(format!("sounds/u{n}.sound"));
            fs::write(file, sound(n, "User").to_bytes()).unwrap();
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = betwixt(self.path(), &["library"]);
        command
            .args(args)
            .env("BETWIXT_USER", self.user())
            .env("BETWIXT_RESOURCES", self.path().join("resources"));
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The names of what is found.
    fn found(&self, args: &[&str]) -> BTreeSet<String> {
        let all = [args, &["--limit", "1000000"]].concat();
        let told = self.ok(&all);
        let ids = told
            .lines()
            .map(|line| line.split('\t').next().unwrap().to_owned());
        ids.collect()
    }

    fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn database(&self) -> PathBuf {
        let mut files = fs::read_dir(self.user())
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        files
            .find(|path| path.extension().is_some_and(|ending| ending == "sqlite"))
            .expect("the index has a file")
    }
}

/// One of many, made of a factory sound.
fn sound(n: usize, whose: &str) -> Sound {
    let flute = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets/sounds/flute.sound");
    let value = |i: usize| ((n * 31 + i) as f32 * 0.7).sin();
    Sound {
        name: format!("{whose} {n}"),
        family: FAMILIES[n % FAMILIES.len()].into(),
        pitch: 48.0 + (n % 12) as f32,
        loop_region: None,
        embedding: Embedding::new(16, (0..256).map(value).collect()).unwrap(),
        ..Sound::read(&flute).unwrap()
    }
}

/// The whole lines that a process told before it ended.
fn told(child: &mut Child) -> Vec<String> {
    let out = BufReader::new(child.stdout.take().unwrap());
    out.lines().map_while(Result::ok).collect()
}

/// Kills a process a random moment after it told a random number of lines, fewer than `lines`; what it told until then.
fn killed(mut child: Child, chance: &mut Chance, lines: usize) -> Vec<String> {
    let first = (chance.unit() * lines as f64) as usize;
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told: Vec<String> = out.by_ref().take(first).map_while(Result::ok).collect();
    std::thread::sleep(Duration::from_secs_f64(0.01 * chance.unit()));
    child.kill().unwrap();
    told.extend(out.map_while(Result::ok));
    child.wait().unwrap();
    told
}

/// Nothing in the user's folder is half written, and the index says what the files say.
fn assert_whole(home: &Home, sounds: usize) {
    let found = home.found(&["search", "--sounds"]);
    assert_eq!(found.len(), sounds + 10);
    let listed = home.found(&["search", "--presets"]);
    for entry in fs::read_dir(home.user().join("presets")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let preset = Preset::read(&entry.path());
            assert!(preset.is_ok(), "{name}: {preset:?}");
            assert!(listed.contains(&format!("user/{name}")), "{name}");
        }
    }
    assert!(!home.ok(&["rescan"]).contains("not kept"));
}

/// How often each kind of writing is killed: `BETWIXT_LIBRARY_KILLS`, a few times if it is not set.
fn kills() -> usize {
    std::env::var("BETWIXT_LIBRARY_KILLS").map_or(4, |kills| kills.parse().unwrap())
}

#[test]
fn a_rescan_that_is_killed_leaves_an_index_that_the_next_completes() {
    const SOUNDS: usize = 600;
    let mut chance = Chance(1);
    let home = Home::of(SOUNDS);
    let began = Instant::now();
    home.ok(&["rescan"]);
    let whole = began.elapsed();
    for _ in 0..kills() {
        // Every other time from nothing, else with a third of the sounds changed.
        if chance.unit() < 0.5 {
            fs::remove_file(home.database()).unwrap();
        } else {
            home.add_sounds(0..SOUNDS / 3);
        }
        let mut child = home.spawn(&["rescan"]);
        std::thread::sleep(whole.mul_f64(chance.unit()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_whole(&home, SOUNDS);
    }
}

#[test]
fn a_favourite_that_was_told_to_be_one_is_one_after_a_kill() {
    let home = Home::of(300);
    home.ok(&["rescan"]);
    let ids: Vec<String> = (0..300).map(|n| format!("user/u{n}.sound")).collect();
    let mut args = vec!["favourite"];
    args.extend(ids.iter().map(String::as_str));
    home.ok(&args);
    let mut chance = Chance(2);
    let mut is_on = true;
    let mut in_the_middle = 0;
    for _ in 0..kills() {
        is_on = !is_on;
        let before = home.found(&["search", "--favourites"]);
        let mut args = args.clone();
        args.extend((!is_on).then_some("--off"));
        let told = killed(home.spawn(&args), &mut chance, ids.len());
        in_the_middle += usize::from(told.len() < ids.len());
        let after = home.found(&["search", "--favourites"]);
        for id in &ids {
            let is_told = told.contains(id);
            if is_told {
                assert_eq!(after.contains(id), is_on, "{id}");
            }
        }
        // At most the one that was being marked was not told.
        let changed = before
            .symmetric_difference(&after)
            .filter(|id| !told.contains(id));
        assert!(changed.count() <= 1);
        assert_whole(&home, 300);
    }
    assert!(in_the_middle * 2 >= kills(), "{in_the_middle} of {}", kills());
}

#[test]
fn a_preset_that_was_told_to_be_saved_opens_after_a_kill() {
    let home = Home::of(100);
    home.ok(&["rescan"]);
    let mut chance = Chance(3);
    let mut saved = BTreeSet::new();
    for round in 0..kills() {
        let seed = (1000 * (round + 1)).to_string();
        let child = home.spawn(&["random", "--save", "--count", "20", "--seed", &seed]);
        let told = killed(child, &mut chance, 20);
        saved.extend(
            told.iter()
                .map(|line| line.split('\t').next().unwrap().to_owned()),
        );
        let found = home.found(&["search", "--presets"]);
        assert!(found.is_superset(&saved), "{:?}", saved.difference(&found));
        assert_whole(&home, 100);
    }
}

#[test]
fn two_that_write_at_once_lose_nothing() {
    let home = Home::of(200);
    let ids: Vec<String> = (0..60).map(|n| format!("user/u{n}.sound")).collect();
    let favourite = |range: std::ops::Range<usize>| {
        let mut args = vec!["favourite"];
        args.extend(ids[range].iter().map(String::as_str));
        home.spawn(&args)
    };
    // On no index at all: all four make it, fill it and write to it.
    let mut children = [
        favourite(0..30),
        favourite(30..60),
        home.spawn(&["rescan"]),
        home.spawn(&["random", "--save", "--count", "5"]),
    ];
    for child in &mut children {
        told(child);
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(home.found(&["search", "--favourites"]), ids.into_iter().collect());
    assert_eq!(home.found(&["search", "--presets"]).len(), 5);
    assert_whole(&home, 200);
}

#[test]
fn whatever_the_database_is_the_library_is_found() {
    let home = Home::of(50);
    home.ok(&["favourite", "user/u7.sound"]);
    let whole = fs::read(home.database()).unwrap();
    let mut chance = Chance(4);
    let mut garbage = whole.clone();
    for byte in &mut garbage[100..] {
        if chance.unit() < 0.05 {
            *byte = (256.0 * chance.unit()) as u8;
        }
    }
    let noise = (0..whole.len()).map(|_| (256.0 * chance.unit()) as u8).collect();
    let cut = whole[..whole.len() / 2].to_vec();
    for bytes in [noise, garbage, cut, Vec::new(), b"SQLite format 3\0".to_vec()] {
        fs::write(home.database(), bytes).unwrap();
        assert!(
            home.ok(&["search", "user 7", "--sounds"])
                .starts_with("user/u7.sound\t")
        );
        assert_eq!(
            home.found(&["search", "--favourites"]),
            ["user/u7.sound".to_owned()].into()
        );
        assert_whole(&home, 50);
    }
    let database = home.database();
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    assert_eq!(home.found(&["search", "--sounds"]).len(), 60);
    assert!(home.ok(&["rescan"]).contains("the index is not kept"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::of(20);
    let set = |mode| {
        fs::set_permissions(home.user(), fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o555);
    // Root may write all the same.
    let is_kept = fs::write(home.user().join("probe"), "").is_ok();
    assert_eq!(home.found(&["search", "--sounds"]).len(), 30);
    let told = home.ok(&["rescan"]);
    assert_eq!(told.contains("not kept"), !is_kept, "{told}");
    if !is_kept {
        let output = home.command(&["favourite", "user/u1.sound"]).output().unwrap();
        assert!(refused(&output).contains("cannot be written"));
    }
    set(0o755);
}

#[test]
fn similar_sounds_and_filters_are_printed() {
    let home = Home::of(30);
    let told = home.ok(&["similar", "user/u3.sound", "--limit", "4"]);
    let distances: Vec<f32> = told
        .lines()
        .map(|line| line.split('\t').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(distances.len(), 4);
    assert!(distances.is_sorted(), "{told}");
    let flutes = home.found(&["search", "--family", "flute"]);
    assert_eq!(flutes.len(), 8);
    assert!(flutes.contains("factory/f5.sound"));
    for args in [
        &["search", "--quality", "loud"][..],
        &["similar", "user/none.sound"],
        &["favourite", "user/none.sound"],
        &["folders", "--add", "nowhere"],
    ] {
        refused(&home.command(args).output().unwrap());
    }
    fs::create_dir(home.path().join("more")).unwrap();
    sound(99, "More")
        .write(&home.path().join("more/m.sound"))
        .unwrap();
    assert!(home.ok(&["folders", "--add", "more"]).ends_with("more\n"));
    assert_eq!(home.found(&["search", "more"]).len(), 1);
    assert_eq!(home.ok(&["folders", "--remove", "more"]), "");
    assert!(ok(home.path(), &["library", "--help"]).contains("rescan"));
    refused(&run(home.path(), &["library", "dance"]));
    let one = home.ok(&["random", "--seed", "5"]);
    assert_eq!(one, home.ok(&["random", "--seed", "5"]));
    assert!(Preset::from_bytes(one.as_bytes()).is_ok(), "{one}");
}
