//! The librarian's work on the factory's library and a user's folder of its own, with the shipped model, without a window.

use std::time::{Duration, Instant};

use betwixt_audio::link::AudioEnd;
use betwixt_engine::engine::Engine;
use betwixt_engine::parameter::{Parameter, ParameterKind};
use betwixt_engine::resources::Resources;
use betwixt_engine::sound::Sound;
use crossbeam::channel::{Receiver, unbounded};
use nice_plug::prelude::{BoolParam, FloatParam, FloatRange, IntParam, IntRange};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;
use crate::host_parameter::HostParameter;

const PATIENCE: Duration = Duration::from_secs(60);

enum Param {
    Continuous(FloatParam),
    Switch(BoolParam),
    Choice(IntParam),
}

/// Parameters at their defaults, and a name.
struct Plugin {
    params: Vec<Param>,
    name: Mutex<Arc<str>>,
}

impl Plugin {
    fn new() -> Self {
        let param = |parameter: Parameter| {
            let (min, max) = parameter.range();
            let default = parameter.default();
            match parameter.kind() {
                ParameterKind::Continuous => Param::Continuous(FloatParam::new(
                    parameter.name(),
                    default,
                    FloatRange::Linear { min, max },
                )),
                ParameterKind::Switch => Param::Switch(BoolParam::new(parameter.name(), default > 0.5)),
                ParameterKind::Choice(_) => {
                    let (min, max) = (min as i32, max as i32);
                    Param::Choice(IntParam::new(
                        parameter.name(),
                        default as i32,
                        IntRange::Linear { min, max },
                    ))
                }
            }
        };
        Self {
            params: Parameter::ALL.map(param).into(),
            name: Mutex::new("".into()),
        }
    }
}

impl Controls for Plugin {
    fn param(&self, parameter: Parameter) -> HostParameter<'_> {
        match &self.params[parameter as usize] {
            Param::Continuous(param) => HostParameter::Continuous(param),
            Param::Switch(param) => HostParameter::Switch(param),
            Param::Choice(param) => HostParameter::Choice(param),
        }
    }

    fn preset_name(&self) -> Arc<str> {
        self.name.lock().clone()
    }

    fn set_preset_name(&self, name: &str) {
        *self.name.lock() = name.into();
    }

    fn notice(&self) -> Option<Arc<str>> {
        None
    }
}

struct Room {
    place: TempDir,
    shelf: Shelf,
    controls: Arc<Plugin>,
    answers: Receiver<Answer>,
    _audio: AudioEnd,
}

impl Room {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let factory = Resources::find()
            .and_then(|resources| resources.presets())
            .unwrap();
        let library = Library::in_folders(&factory, &place.path().join("user"));
        let (instance, audio) = Instance::new(&Engine::shared());
        let controls = Arc::new(Plugin::new());
        let (outgoing, answers) = unbounded();
        let its = Arc::clone(&controls) as Arc<dyn Controls>;
        let mut room = Self {
            place,
            shelf: Shelf::open(library, its, Arc::new(instance), Arc::default(), outgoing),
            controls,
            answers,
            _audio: audio,
        };
        room.shelf.begin();
        room.until(|room| room.shelf.scan.is_none());
        room.answers.try_iter().for_each(drop);
        room
    }

    /// Collects what is finished elsewhere, until something is so.
    fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "it takes too long");
            self.shelf.collect();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn ask(&mut self, request: Request) -> Vec<Answer> {
        self.shelf.carry_out(request);
        self.told()
    }

    fn told(&self) -> Vec<Answer> {
        self.answers
            .try_iter()
            .filter(|answer| !matches!(answer, Answer::Found(_) | Answer::Library(_)))
            .collect()
    }

    /// What the window does with a preset that was read.
    fn load(&mut self, request: Request) -> String {
        let told = self.ask(request);
        let Some(Answer::PresetRead { kept, patch, .. }) = told.into_iter().next() else {
            panic!("no preset was read");
        };
        self.controls.set_preset_name(&kept.preset.name);
        let name = kept.preset.name.clone();
        *self.shelf.workshop.kept.lock() = Some(kept);
        self.ask(Request::SetPatch(patch));
        name
    }

    fn presets(&self, text: &str) -> Vec<String> {
        let query = ListQuery {
            text: text.into(),
            ..ListQuery::presets()
        };
        self.shelf
            .find(query)
            .rows
            .iter()
            .map(|row| row.name.clone())
            .collect()
    }

    fn corner(&self, corner: usize) -> Option<Arc<Sound>> {
        self.shelf.instance.patch().corners()[corner].clone()
    }

    fn save(&mut self, name: &str, replace: bool) -> Vec<Answer> {
        self.ask(Request::SavePreset {
            name: name.into(),
            replace,
        })
    }

    /// A note of a few partials, as a file.
    fn recording(&self, name: &str, hz: f64) -> PathBuf {
        let samples: Vec<f32> = (0..72_000)
            .map(|index| {
                let t = f64::from(index) / 48_000.0;
                let swell = (t / 0.02).min(1.0) * ((1.5 - t) / 0.2).clamp(0.0, 1.0);
                let partials: f64 = (1..6)
                    .map(|k| (std::f64::consts::TAU * hz * f64::from(k) * t).sin() / f64::from(k))
                    .sum();
                (0.2 * swell * partials) as f32
            })
            .collect();
        let file = self.place.path().join(name);
        betwixt_engine::wav::write_mono(&file, 48_000, &samples).unwrap();
        file
    }

    fn import(&mut self, request: Request) -> Vec<Answer> {
        let told = self.ask(request);
        assert!(matches!(told[..], [Answer::Done]), "{told:?}");
        self.until(|room| !room.shelf.workshop.imports.lock().is_busy());
        self.told()
    }
}

#[test]
fn a_preset_of_ones_own_is_saved_renamed_deleted_and_brought_back() {
    let mut room = Room::new();
    room.load(Request::InitPreset);
    assert!(matches!(&room.save("Dusk glass", false)[..], [Answer::Kept(name)] if name == "Dusk glass"));
    assert_eq!(room.presets("dusk gl"), ["Dusk glass"]);
    assert!(matches!(&room.save("Dusk glass", false)[..], [Answer::NameTaken(name)] if name == "Dusk glass"));
    assert!(matches!(&room.save("Dusk glass", true)[..], [Answer::Kept(_)]));
    let renamed = room.ask(Request::RenamePreset("Dawn glass".into()));
    assert!(
        matches!(&renamed[..], [Answer::Kept(name), Answer::Done] if name == "Dawn glass"),
        "{renamed:?}"
    );
    assert!(room.presets("dusk gl").is_empty());
    let deleted = room.ask(Request::DeletePreset);
    assert!(matches!(&deleted[..], [Answer::Deleted(Some(name)), Answer::Done] if name == "Dawn glass"));
    assert!(room.presets("dawn gl").is_empty());
    assert!(matches!(
        room.ask(Request::DeletePreset)[..],
        [Answer::Trouble(_)]
    ));
    assert!(matches!(
        room.ask(Request::RestorePreset)[..],
        [Answer::Deleted(None), Answer::Done]
    ));
    assert_eq!(room.presets("dawn gl"), ["Dawn glass"]);
}

#[test]
fn a_factory_preset_stays_as_it_is() {
    let mut room = Room::new();
    let name = room.load(Request::StepPreset(false));
    for told in [room.save(&name, true), room.ask(Request::DeletePreset)] {
        assert!(matches!(told[..], [Answer::Trouble(_)]), "{told:?}");
    }
    assert_eq!(room.presets(&name)[0], name);
}

#[test]
fn stepping_goes_through_the_list_and_back() {
    let mut room = Room::new();
    let first = room.load(Request::StepPreset(false));
    let second = room.load(Request::StepPreset(false));
    assert_ne!(first, second);
    assert_eq!(room.load(Request::StepPreset(true)), first);
}

#[test]
fn a_preset_by_chance_is_another_for_each_seed_and_the_same_for_one() {
    let mut room = Room::new();
    room.load(Request::InitPreset);
    let mut made = |seed| {
        room.load(Request::RandomPreset(seed));
        room.shelf.instance.patch().id()
    };
    let (first, second) = (made(1), made(2));
    assert_ne!(first, second);
    assert_eq!(made(1), first);
}

#[test]
fn a_picked_sound_is_in_its_corner_and_can_be_undone() {
    let mut room = Room::new();
    room.load(Request::InitPreset);
    let before = room.shelf.instance.patch();
    let rows = room.shelf.find(ListQuery::sounds()).rows;
    let other = rows.iter().find(|row| {
        let present = before.corners()[1].as_ref();
        present.is_none_or(|sound| sound.name != row.name)
    });
    let other = other.unwrap();
    assert!(matches!(
        room.ask(Request::PickSound(1, Some(other.id.clone())))[..],
        [Answer::Done]
    ));
    assert_eq!(room.corner(1).unwrap().name, other.name);
    let now = Moment::now(&*room.controls, &room.shelf.instance, None);
    let undone = room.shelf.workshop.history.lock().undo(now).unwrap();
    assert_eq!(undone.patch.id(), before.id());
    let lost = EntryId::from("user/lost.sound".to_owned());
    assert!(matches!(
        room.ask(Request::PickSound(1, Some(lost)))[..],
        [Answer::Trouble(_)]
    ));
    assert_eq!(room.corner(1).unwrap().name, other.name);
}

#[test]
fn favourites_can_be_asked_for_alone() {
    let mut room = Room::new();
    let rows = room.shelf.find(ListQuery::sounds()).rows;
    room.ask(Request::SetFavourite(rows[2].id.clone(), true));
    let mut query = ListQuery::sounds();
    query.filter.is_favourite = true;
    let found = room.shelf.find(query).rows;
    assert_eq!(found.len(), 1);
    assert!(found[0].is_favourite && found[0].name == rows[2].name);
}

#[test]
fn what_is_like_a_corners_sound_comes_first_to_nearest() {
    let mut room = Room::new();
    let rows = room.shelf.find(ListQuery::sounds()).rows;
    room.ask(Request::PickSound(0, Some(rows[0].id.clone())));
    let query = ListQuery {
        like: Some((Like::Corner(0), rows[0].name.clone())),
        ..ListQuery::sounds()
    };
    let found = room.shelf.find(query).rows;
    assert!(found.len() > 1);
    assert_ne!(
        found.iter().map(|row| &row.name).collect::<Vec<_>>(),
        rows.iter().map(|row| &row.name).collect::<Vec<_>>()
    );
}

#[test]
fn a_recording_becomes_the_sound_of_its_corner_with_its_pitch() {
    let mut room = Room::new();
    room.load(Request::InitPreset);
    let before = room.corner(2).map(|sound| sound.id());
    let file = room.recording("bowl.wav", 220.0);
    let told = room.ask(Request::Open(2, vec![file]));
    assert!(matches!(told[..], [Answer::Done]));
    // The sound before stays until the new one is whole.
    assert_eq!(room.corner(2).map(|sound| sound.id()), before);
    assert!(room.shelf.workshop.imports.lock().views()[2].is_some());
    room.until(|room| !room.shelf.workshop.imports.lock().is_busy());
    assert!(matches!(room.told()[..], [Answer::Done]));
    let sound = room.corner(2).unwrap();
    assert_eq!(sound.name, "bowl");
    assert!((sound.pitch - 57.0).abs() < 0.2, "{}", sound.pitch);
    let known = room
        .shelf
        .workshop
        .imports
        .lock()
        .recording("bowl")
        .cloned()
        .unwrap();
    assert!(
        known.confidence.is_some_and(|confidence| confidence > 0.5),
        "{known:?}"
    );
    assert!(room.shelf.workshop.history.lock().undoable().is_some());
    // It is in the library from now on.
    room.until(|room| room.shelf.scan.is_none());
    let mut query = ListQuery::sounds();
    query.text = "bowl".into();
    assert!(
        room.shelf
            .find(query)
            .rows
            .iter()
            .any(|row| row.name == "bowl" && row.is_user)
    );
}

#[test]
fn a_pitch_is_corrected_by_encoding_the_recording_again() {
    let mut room = Room::new();
    let file = room.recording("cup.wav", 220.0);
    room.import(Request::Open(0, vec![file]));
    let told = room.import(Request::CorrectPitch(0, Some(69.0)));
    assert!(matches!(told[..], [Answer::Done]), "{told:?}");
    assert_eq!(room.corner(0).unwrap().pitch, 69.0);
    let told = room.ask(Request::CorrectPitch(1, Some(69.0)));
    assert!(
        matches!(told[..], [Answer::Done]),
        "an empty corner has nothing to correct: {told:?}"
    );
}

#[test]
fn several_recordings_fill_the_empty_corners_and_a_bad_one_is_told() {
    let mut room = Room::new();
    let rows = room.shelf.find(ListQuery::sounds()).rows;
    room.ask(Request::PickSound(3, Some(rows[0].id.clone())));
    let bad = room.place.path().join("c.wav");
    std::fs::write(&bad, "no recording").unwrap();
    let files = vec![
        room.recording("a.wav", 220.0),
        room.recording("b.wav", 330.0),
        bad,
    ];
    let told = room.import(Request::Open(2, files));
    assert!(
        matches!(&told[..], [Answer::Trouble(why)] if why.contains("c.wav")),
        "{told:?}"
    );
    let name = |corner| room.corner(corner).map(|sound| sound.name.clone());
    assert_eq!(name(2).as_deref(), Some("a"));
    assert_eq!(name(3).as_deref(), Some(&*rows[0].name), "it was not empty");
    assert_eq!(name(0).as_deref(), Some("b"));
}

#[test]
fn a_file_that_is_no_recording_leaves_the_corner_as_it_was() {
    let mut room = Room::new();
    room.load(Request::InitPreset);
    let before = room.corner(0).map(|sound| sound.id());
    let bad = room.place.path().join("letter.wav");
    std::fs::write(&bad, "Dear listener").unwrap();
    let told = room.import(Request::Open(0, vec![bad]));
    assert!(
        matches!(&told[..], [Answer::Trouble(why)] if why.contains("letter.wav")),
        "{told:?}"
    );
    assert_eq!(room.corner(0).map(|sound| sound.id()), before);
}

#[test]
fn a_preset_and_a_sound_that_are_dropped_are_loaded() {
    let mut room = Room::new();
    let factory = Resources::find()
        .and_then(|resources| resources.presets())
        .unwrap();
    let name = room.load(Request::Open(0, vec![factory.join("init.toml")]));
    assert!(!name.is_empty());
    let rows = room.shelf.find(ListQuery::sounds()).rows;
    let told = room.ask(Request::Open(1, vec![rows[3].file.clone()]));
    assert!(matches!(told[..], [Answer::Done]), "{told:?}");
    assert_eq!(room.corner(1).unwrap().name, rows[3].name);
}

#[test]
fn the_preset_of_a_projects_state_is_known_again() {
    let mut room = Room::new();
    let name = room.load(Request::StepPreset(false));
    *room.shelf.workshop.kept.lock() = None;
    room.shelf.recognise();
    let kept = room.shelf.workshop.kept.lock().clone().unwrap();
    assert_eq!(kept.preset.name, name);
    let patch = room.shelf.instance.patch();
    assert!(!kept.differs(patch.id(), &kept.values));
}

#[test]
fn a_pack_is_rendered_beside_and_found_whole() {
    let mut room = Room::new();
    room.load(Request::InitPreset);
    let output = room.place.path().join("packs/init");
    let options = PackOptions {
        seconds: 0.25,
        keys: "60:63:3".parse().unwrap(),
        ..PackOptions::of(betwixt_engine::pack::options::PackFormat::Sfz)
    };
    let told = room.ask(Request::StartPack(options.clone(), output.clone()));
    assert!(matches!(told[..], [Answer::Done]), "{told:?}");
    room.until(|room| !room.shelf.workshop.packs.lock().is_busy());
    let view = room.shelf.workshop.packs.lock().view();
    assert!(
        matches!(&view, crate::pack_bench::PackView::Done { folder, .. } if *folder == output),
        "{view:?}"
    );
    assert_eq!(std::fs::read_dir(output.join("samples")).unwrap().count(), 2);
    // Another pack in its place is refused, in a sentence.
    let other = PackOptions {
        seconds: 0.5,
        ..options
    };
    room.ask(Request::StartPack(other, output));
    room.until(|room| !room.shelf.workshop.packs.lock().is_busy());
    let view = room.shelf.workshop.packs.lock().view();
    assert!(
        matches!(view, crate::pack_bench::PackView::Stopped { .. }),
        "{view:?}"
    );
}
