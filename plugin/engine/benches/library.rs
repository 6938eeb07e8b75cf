//! What finding costs in a library of 50,000 sounds and presets: as one types, by filters, by likeness, and a rescan.
//!
//! The library is made in a temporary folder at first: 49,000 sounds of 50 frames and 1,000 presets, all different, 180 MB. What reading
//! a file for the first time costs is measured on a library of 5,000.

use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use betwixt_engine::embedding::Embedding;
use betwixt_engine::library::Library;
use betwixt_engine::library::entry::{EntryId, Filter};
use betwixt_engine::library::index::Index;
use betwixt_engine::quality::{FAMILIES, Quality};
use betwixt_engine::sound::Sound;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SOUNDS: u64 = 49_000;
const PRESETS: u64 = 1_000;
/// How many are read anew, ten times and more.
const SMALL: u64 = 5_000;
const FRAMES: usize = 50;
const DIMS: usize = 16;
/// What a list shows at once, and more.
const LIMIT: usize = 200;

const FIRST: [&str; 20] = [
    "Soft", "Dark", "Bright", "Old", "Glass", "Far", "Slow", "Warm", "Thin", "Broken", "Golden", "Night",
    "Air", "Iron", "Paper", "Deep", "Silver", "Quiet", "Sharp", "Wide",
];
const SECOND: [&str; 20] = [
    "Piano", "Flute", "Strings", "Bell", "Choir", "Organ", "Pluck", "Bass", "Lead", "Pad", "Guitar", "Reed",
    "Horn", "Marimba", "Voice", "Sitar", "Harp", "Drum", "Cello", "Kalimba",
];
const TAGS: [&str; 12] = [
    "soft",
    "dark",
    "bright",
    "percussive",
    "fast_decay",
    "long_release",
    "acoustic",
    "synthetic",
    "breathy",
    "plucked",
    "bowed",
    "metallic",
];

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[(self.next() % from.len() as u64) as usize]
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }
}

fn make(user: &Path, sounds: u64, presets: u64) {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets/sounds/flute.sound");
    let base = Sound::read(&base).unwrap();
    std::fs::create_dir_all(user.join("sounds")).unwrap();
    std::fs::create_dir_all(user.join("presets")).unwrap();
    let mut chance = Chance(1);
    for n in 0..sounds {
        let centre: Vec<f32> = (0..DIMS).map(|_| 2.0 * chance.unit() - 1.0).collect();
        let values = (0..FRAMES * DIMS).map(|i| 0.8 * centre[i % DIMS] + 0.2 * chance.unit());
        let values = values.collect();
        let sound = Sound {
            name: format!("{} {} {n}", chance.of(&FIRST), chance.of(&SECOND)),
            family: chance.of(&FAMILIES).into(),
            tags: vec![chance.of(&TAGS).into(), chance.of(&TAGS).into()],
            pitch: 36.0 + 48.0 * chance.unit(),
            loop_region: None,
            embedding: Embedding::new(DIMS, values).unwrap(),
            ..base.clone()
        };
        // Not `Sound::write`, which waits for the disk each time.
        std::fs::write(user.join(format!("sounds/s{n}.sound")), sound.to_bytes()).unwrap();
    }
    for n in 0..presets {
        let text = format!(
            "format = 1\nname = \"{} {} {n}\"\ntags = [\"{}\"]\n[corners]\na = \"user/s{n}.sound\"\n",
            chance.of(&FIRST),
            chance.of(&SECOND),
            chance.of(&TAGS)
        );
        std::fs::write(user.join(format!("presets/p{n}.toml")), text).unwrap();
    }
}

fn rescan(index: &Index) -> usize {
    let report = index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert!(report.unreadable.is_empty() && index.trouble().is_none());
    report.added
}

fn library(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let (user, small) = (home.path().join("user"), home.path().join("small"));
    make(&user, SOUNDS, PRESETS);
    make(&small, SMALL, 0);
    let open_at = |user: &Path| Index::open(Library::in_folders(&home.path().join("factory"), user));
    let open = || open_at(&user);
    // Times of files settle, or they would be read again.
    std::thread::sleep(Duration::from_secs(3));

    let mut group = criterion.benchmark_group("library of 5,000");
    group.sample_size(10).throughput(Throughput::Elements(SMALL));
    group.bench_function("first rescan, all files read", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut time = Duration::ZERO;
            for _ in 0..iterations {
                for entry in std::fs::read_dir(&small).unwrap().flatten() {
                    if entry.file_name().to_string_lossy().contains(".sqlite") {
                        std::fs::remove_file(entry.path()).unwrap();
                    }
                }
                let index = open_at(&small);
                let began = Instant::now();
                assert_eq!(rescan(&index) as u64, SMALL);
                time += began.elapsed();
            }
            time
        });
    });
    group.finish();
    let index = open();
    assert_eq!(rescan(&index) as u64, SOUNDS + PRESETS);
    let mut group = criterion.benchmark_group("library of 50,000");
    group.sample_size(10);
    group.bench_function("rescan, nothing changed", |bencher| {
        bencher.iter(|| rescan(&index))
    });
    group.bench_function("open", |bencher| bencher.iter(|| open().trouble()));
    group.sample_size(50);
    for query in ["s", "so", "piano", "soft pia", "dark bell 4", "zzz"] {
        group.bench_function(format!("search \"{query}\""), |bencher| {
            bencher.iter(|| index.search(black_box(query), &Filter::default(), LIMIT));
        });
    }
    let flutes = Filter {
        family: Some("flute".into()),
        qualities: [Quality::Bright].into_iter().collect(),
        ..Filter::sounds()
    };
    group.bench_function("search \"s\" among bright flutes", |bencher| {
        bencher.iter(|| index.search(black_box("s"), &flutes, LIMIT));
    });
    group.bench_function("list bright flutes", |bencher| {
        bencher.iter(|| index.search("", black_box(&flutes), LIMIT));
    });
    group.bench_function("list the first", |bencher| {
        bencher.iter(|| index.search("", black_box(&Filter::default()), LIMIT));
    });
    let sound = index.sound(&EntryId::from("user/s77.sound".to_owned())).unwrap();
    group.bench_function("the 50 most like one", |bencher| {
        bencher.iter(|| index.nearest(black_box(&sound), &Filter::sounds(), 50));
    });
    group.bench_function("the 50 most like one among bright flutes", |bencher| {
        bencher.iter(|| index.nearest(black_box(&sound), &flutes, 50));
    });
    group.bench_function("families", |bencher| bencher.iter(|| index.families()));
    group.bench_function("a favourite, on the disk", |bencher| {
        let id = EntryId::from("user/s77.sound".to_owned());
        let mut is_on = false;
        bencher.iter(|| {
            is_on = !is_on;
            index.set_favourite(&id, is_on).unwrap();
        });
    });
    group.finish();
    // The first comparison reads the descriptors, which all later ones share.
    criterion.bench_function("library of 50,000/the first comparison of a session", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut time = Duration::ZERO;
            for _ in 0..iterations {
                let index = open();
                let began = Instant::now();
                black_box(index.nearest(&sound, &Filter::sounds(), 50));
                time += began.elapsed();
            }
            time
        });
    });
}

criterion_group!(benches, library);
criterion_main!(benches);
