//! A model that is too slow to be played as it renders: the shipped one, said to be ten times slower than it is heard.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::grid::Grid;
use betwixt_audio::instrument::Instrument;
use betwixt_audio::meters::Meters;
use betwixt_audio::settings::Settings;
use betwixt_engine::automation_curve::AutomationCurve;
use betwixt_engine::engine::{Engine, EngineOptions};
use betwixt_engine::instance::{Instance, Readiness};
use betwixt_engine::note_store::NoteShelf;
use betwixt_engine::pace::Pace;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use betwixt_engine::status::ModelStatus;

use crate::stage::{engine, left, patch, play, rms, score};

/// Names the folder of notes to the process that is killed.
const SHELF_VARIABLE: &str = "BETWIXT_TEST_SHELF";

fn options(folder: Option<&Path>) -> EngineOptions {
    EngineOptions {
        pace: Some(Pace::Ahead { slowness: 10.0 }),
        shelf: folder.map(|folder| NoteShelf {
            folder: folder.to_path_buf(),
            limit_bytes: 1 << 30,
        }),
        ..EngineOptions::default()
    }
}

fn sounds() -> Patch {
    patch(["flute.sound", "violin.sound", "marimba.sound", "violin.sound"].map(Some))
}

/// A live instance with its window open.
struct Live {
    engine: Arc<Engine>,
    instance: Instance,
    instrument: Instrument,
    meters: Arc<Meters>,
    settings: Settings,
}

impl Live {
    fn new(options: EngineOptions) -> Self {
        let engine = engine(options);
        let (instance, end) = Instance::new(&engine);
        instance.set_patch(sounds());
        instance.activate();
        let meters = Arc::new(Meters::default());
        let mut instrument = Instrument::new(end, meters.clone());
        instrument.prepare(48_000.0);
        Self {
            engine,
            instance,
            instrument,
            meters,
            settings: Settings::default(),
        }
    }

    fn readiness(&self) -> Readiness {
        self.instance
            .readiness(self.settings.strike(self.settings.timbre()))
    }

    fn play(&mut self, events: &[Event]) -> Vec<f32> {
        let (mut left, mut right) = (vec![0.0; 480], vec![0.0; 480]);
        self.instrument
            .process(&mut left, &mut right, events, &self.settings, None, &mut |_| {});
        left
    }

    /// Plays blocks until something is so, a minute at most.
    fn until(&mut self, what: &str, is_so: impl Fn(&mut Self, &[f32]) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let heard = self.play(&[]);
            if is_so(self, &heard) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {:?}", self.engine.status());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn on(key: u8) -> Event {
    let address = NoteAddress::midi(0, key);
    let velocity = 0.8;
    Event {
        offset_samples: 0,
        kind: EventKind::NoteOn { address, velocity },
    }
}

#[test]
fn every_key_of_the_blend_is_rendered_ahead_and_told_with_the_time_to_go() {
    let mut live = Live::new(options(None));
    live.until("the grid", |live, _| live.readiness().grid == Some(Grid::new(5)));
    let ModelStatus::Ready { slowness, .. } = live.engine.status().model else {
        panic!("{:?}", live.engine.status());
    };
    assert_eq!(slowness, Some(10.0));
    assert!(live.readiness().seconds_to_go.is_some());
    live.until("all keys", |live, _| live.readiness().keys == u128::MAX);
    let ready = live.readiness();
    assert_eq!((ready.pitches_missing, ready.seconds_to_go), (0, Some(0.0)));
    assert_eq!(ready.cells & 1 << 12, 1 << 12, "the middle one is there");
    live.until("a neighbour", |live, _| live.readiness().cells.count_ones() > 1);
}

#[test]
fn a_struck_key_sounds_once_its_note_is_whole_and_another_blend_as_soon_as_that_is_there() {
    let mut live = Live::new(options(None));
    live.play(&[on(62)]);
    live.until("sound", |_, heard| rms(heard) > 1e-3);
    live.settings.blend.x = 0.0;
    live.settings.blend.y = 1.0;
    live.until("the corner", |live, _| live.readiness().cells & 1 << 20 != 0);
    live.until("sound", |_, heard| rms(heard) > 1e-3);
    assert_eq!(
        live.meters.underruns() + live.meters.refused() + live.meters.degraded(),
        0
    );
    assert_eq!(live.engine.status().streams, 0);
}

#[test]
fn other_sounds_call_off_what_was_rendered_for_the_old() {
    let mut live = Live::new(options(None));
    live.play(&[on(60)]);
    live.instance.set_patch(patch(["violin.sound"; 4].map(Some)));
    live.until("sound", |_, heard| rms(heard) > 1e-3);
    live.until("all keys", |live, _| live.readiness().keys == u128::MAX);
    assert_eq!(live.meters.refused(), 0);
}

#[test]
fn a_bounce_waits_for_cells_and_from_the_disk_is_the_same_without_rendering() {
    let folder = tempfile::tempdir().unwrap();
    let mut score = score(&[(48, 0.0, 2.0), (55, 0.1, 1.9), (62, 0.2, 6.5)], 7.0);
    let curve = |text: &str| AutomationCurve::from_bytes(text.as_bytes()).unwrap();
    score.automation = vec![
        (Parameter::BlendX, curve("0,0\n3,1")),
        (Parameter::BlendY, curve("0,0\n2,1\n3,0.4")),
    ];
    let first = engine(options(Some(folder.path())));
    let (samples, report) = play(&first, sounds(), score.clone(), 48_000, 512);
    assert_eq!((report.notes_refused, report.underruns), (0, 0));
    assert!(rms(&left(&samples)) > 1e-3);
    // A note that is held past its end goes on.
    assert!(rms(&left(&samples)[5 * 48_000..6 * 48_000]) > 1e-3);
    // All is on the disk when the engine has ended.
    drop(first);
    for block in [64, 2048] {
        let again = engine(options(Some(folder.path())));
        let (other, _) = play(&again, sounds(), score.clone(), 48_000, block);
        assert!(samples == other, "blocks of {block}");
        assert_eq!(again.status().rendered_samples, 0);
        assert!(again.status().notes_from_disk > 5);
    }
}

/// The notes of a folder, and what the system calls their contents: another one after a file was written anew.
#[cfg(unix)]
fn notes_in(folder: &Path) -> BTreeMap<String, u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "wav")
        })
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, entry.metadata().unwrap().ino())
        })
        .collect()
}

/// What the killed process does; nothing unless it is that process.
#[test]
fn a_process_that_renders_until_it_is_killed() {
    if let Some(folder) = std::env::var_os(SHELF_VARIABLE) {
        let live = Live::new(options(Some(Path::new(&folder))));
        loop {
            let _ = live.readiness();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
#[cfg(unix)]
fn what_was_finished_before_a_kill_is_whole_and_is_not_rendered_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = BTreeMap::new();
    // Killed three times, each at another moment.
    for finished in [3, 6, 9] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ahead::a_process_that_renders_until_it_is_killed"])
            .env(SHELF_VARIABLE, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while notes_in(folder.path()).len() < finished && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let now = notes_in(folder.path());
        assert!(now.len() >= finished, "{now:?}");
        for (name, contents) in &before {
            assert_eq!(now.get(name), Some(contents), "{name} was rendered again");
        }
        before = now;
    }
    for name in before.keys() {
        let mut wav = hound::WavReader::open(folder.path().join(name)).unwrap();
        assert!(
            wav.samples::<f32>()
                .all(|sample| sample.is_ok_and(f32::is_finite)),
            "{name}"
        );
    }
    // One of them is damaged by other hands.
    let victim = folder.path().join(before.keys().next().unwrap());
    let whole = std::fs::read(&victim).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&victim, &bytes).unwrap();

    let mut live = Live::new(options(Some(folder.path())));
    live.until("all keys", |live, _| live.readiness().keys == u128::MAX);
    let kept = before.len() as u64 - 1;
    let from_disk = live.engine.status().notes_from_disk;
    assert!(from_disk >= kept.min(15), "{from_disk} of {kept}");
    drop(live);
    let after = notes_in(folder.path());
    for (name, contents) in &before {
        if folder.path().join(name) != victim {
            assert_eq!(after.get(name), Some(contents), "{name} was rendered again");
        }
    }
    assert!(
        std::fs::read(&victim).unwrap() == whole,
        "rendered again, it is the same"
    );
}
