//! Notes from strike to end, live and in bounces, and what instances share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use betwixt_audio::event::{Event, EventKind, NoteAddress, NoteEnd};
use betwixt_audio::instrument::{Activity, Instrument};
use betwixt_audio::meters::Meters;
use betwixt_audio::settings::Settings;
use betwixt_engine::automation_curve::AutomationCurve;
use betwixt_engine::bounce::{Bounce, BounceError, Score};
use betwixt_engine::engine::EngineOptions;
use betwixt_engine::instance::Instance;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use betwixt_engine::status::ModelStatus;

use crate::stage::{engine, patch, play, rms, score, start};

/// A factory sound that is held as long as its key.
const SUSTAINED: &str = "flute.sound";
/// Another.
const BOWED: &str = "violin.sound";
/// A factory sound that ends by itself.
const PLUCKED: &str = "marimba.sound";

fn four_corners() -> Patch {
    patch([Some(SUSTAINED), Some(BOWED), Some(PLUCKED), Some(SUSTAINED)])
}

fn chords() -> Score {
    let mut score = score(
        &[
            (48, 0.0, 1.2),
            (55, 0.1, 1.3),
            (64, 0.21, 0.9),
            (60, 0.7, 1.0),
            (48, 1.25, 1.5),
        ],
        1.6,
    );
    let curve = |text: &str| AutomationCurve::from_bytes(text.as_bytes()).unwrap();
    score.automation = vec![
        (Parameter::BlendX, curve("0,0\n1.5,1")),
        (Parameter::GainDb, curve("0,-6\n0.5,0\n1.6,-12")),
        (Parameter::ReleaseMs, curve("0,50\n1.6,200")),
    ];
    score
}

#[test]
fn a_bounce_is_the_same_for_any_block_size_and_number_of_workers() {
    let first = play(
        &engine(EngineOptions::default()),
        four_corners(),
        chords(),
        48_000,
        256,
    );
    assert!(rms(&first.0) > 1e-3, "it is silent");
    assert_eq!(first.1.underruns, 0);
    assert_eq!(first.1.notes_refused, 0);
    for (workers, block) in [(1, 256), (1, 32), (3, 1000), (2, 1)] {
        let other = engine(EngineOptions {
            workers,
            ..EngineOptions::default()
        });
        let second = play(&other, four_corners(), chords(), 48_000, block);
        assert_eq!(
            first.0.len(),
            second.0.len(),
            "{workers} workers, blocks of {block}"
        );
        let differs = first
            .0
            .iter()
            .zip(&second.0)
            .position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differs, None, "{workers} workers, blocks of {block}");
    }
}

#[test]
fn a_wide_chord_is_rendered_together_and_sounds_as_with_many_workers() {
    let keys: Vec<(u8, f64, f64)> = (0..14).map(|note| (36 + 4 * note, 0.0, 0.8)).collect();
    let play_with = |workers| {
        let engine = engine(EngineOptions {
            workers,
            ..EngineOptions::default()
        });
        play(&engine, four_corners(), score(&keys, 1.0), 48_000, 64)
    };
    // One worker gets all of them in one batch, seven get two each.
    let (together, report) = play_with(1);
    assert!(rms(&together) > 1e-3 && report.notes_refused == 0);
    assert!(together == play_with(7).0);
}

/// Held chords while everything that can be automated moves.
fn all_that_moves() -> Score {
    let mut score = score(
        &[
            (48, 0.0, 2.4),
            (55, 0.1, 2.2),
            (64, 0.23, 1.6),
            (48, 1.0, 1.3),
            (72, 1.7, 2.3),
        ],
        2.6,
    );
    let curve = |text: &str| AutomationCurve::from_bytes(text.as_bytes()).unwrap();
    score.settings.width = 0.6;
    score.automation = vec![
        (
            Parameter::BlendX,
            curve("0,0\n0.5,0\n1.0,1\n1.3,1\n1.3,0.2\n2.6,0.9"),
        ),
        (Parameter::BlendY, curve("0,0.5\n2.0,1")),
        (Parameter::Heat, curve("0,0\n0.7,0\n1.5,0.8\n2.6,0")),
        (Parameter::Push, curve("0,1\n2.0,2")),
        (Parameter::Stretch, curve("0,1\n1.0,4\n2.0,0.25")),
        (Parameter::Freeze, curve("0,0\n1.4,0\n1.4,1\n1.6,1\n1.6,0")),
        (Parameter::StartMs, curve("0,0\n2.0,300")),
        (Parameter::AttackFrom, curve("0,0\n1.5,0\n1.5,3")),
        (Parameter::Brightness, curve("0,-0.5\n2.6,0.5")),
        (Parameter::GainDb, curve("0,-6\n0.5,0\n1.6,-12")),
        (Parameter::TuningCents, curve("0,-50\n2.6,50")),
        (Parameter::OwnEnding, curve("0,0\n1.8,0\n1.8,1")),
        (Parameter::GlideMs, curve("0,0\n1.0,80")),
    ];
    score
}

#[test]
fn voices_that_follow_everything_sound_the_same_for_any_block_size_and_number_of_workers() {
    let play_with = |workers, block| {
        let engine = engine(EngineOptions {
            workers,
            ..EngineOptions::default()
        });
        play(&engine, four_corners(), all_that_moves(), 48_000, block)
    };
    let (first, report) = play_with(1, 32);
    assert!(rms(&first) > 1e-3, "it is silent");
    assert_eq!(
        (report.underruns, report.degraded, report.notes_refused),
        (0, 0, 0)
    );
    for (workers, block) in [(1, 333), (2, 2048), (3, 333)] {
        let (second, _) = play_with(workers, block);
        assert_eq!(first.len(), second.len(), "{workers} workers, blocks of {block}");
        let differs = first
            .iter()
            .zip(&second)
            .position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differs, None, "{workers} workers, blocks of {block}");
    }
}

#[test]
fn every_rate_bounces_the_same_twice() {
    let engine = engine(EngineOptions::default());
    for rate_hz in [44_100, 96_000] {
        let first = play(&engine, four_corners(), chords(), rate_hz, 512);
        let second = play(&engine, four_corners(), chords(), rate_hz, 100);
        assert!(first.0 == second.0, "{rate_hz} Hz");
        assert!((first.1.seconds - second.1.seconds).abs() < 1e-9);
    }
}

#[test]
fn live_playing_of_rendered_notes_gives_the_samples_of_a_bounce() {
    let (instance, end) = Instance::new(&engine(EngineOptions::default()));
    instance.activate();
    instance.set_patch(four_corners());
    let mut instrument = Instrument::new(end, Arc::new(Meters::default()));
    instrument.prepare(48_000.0);
    let patience = instance.offline_patience();
    let address = NoteAddress::midi(0, 60);
    let mut run = |offline: bool| {
        instrument.reset();
        let mut samples = Vec::new();
        let (mut left, mut right) = ([0.0; 256], [0.0; 256]);
        for block in 0..200 {
            let event = match block {
                0 => Some(Event {
                    offset_samples: 17,
                    kind: EventKind::NoteOn {
                        address,
                        velocity: 1.0,
                    },
                }),
                150 => Some(Event {
                    offset_samples: 3,
                    kind: EventKind::NoteOff { address },
                }),
                _ => None,
            };
            let patience = offline.then_some(&patience as &dyn betwixt_audio::instrument::Patience);
            let events: Vec<Event> = event.into_iter().collect();
            instrument.process(
                &mut left,
                &mut right,
                &events,
                &Settings::default(),
                patience,
                &mut |_| {},
            );
            samples.extend_from_slice(&left);
        }
        samples
    };
    let offline = run(true);
    let live = run(false);
    assert!(rms(&offline) > 1e-3);
    assert!(offline == live);
}

#[test]
fn a_held_note_goes_on_past_its_recording() {
    let sound = patch([Some(SUSTAINED), None, None, None]);
    let recorded = sound.corners()[0].as_ref().unwrap().seconds(0.032);
    assert!(recorded < 5.0, "{recorded} s");
    let (samples, report) = play(
        &engine(EngineOptions::default()),
        sound,
        score(&[(72, 0.0, 9.0)], 9.5),
        48_000,
        512,
    );
    let second = |at: usize| rms(&samples[at * 96_000..][..96_000]);
    assert!(second(8) > 0.3 * second(2), "{} after {}", second(8), second(2));
    assert_eq!(report.underruns, 0);
}

#[test]
fn a_key_that_is_held_longer_than_notes_are_shared_goes_on_without_a_step() {
    let seconds = betwixt_audio::limits::SHARED_NOTE_SECONDS as f64;
    let (samples, report) = play(
        &engine(EngineOptions::default()),
        patch([Some(SUSTAINED), None, None, None]),
        score(&[(60, 0.0, seconds + 4.0)], seconds + 4.5),
        48_000,
        512,
    );
    let left: Vec<f32> = samples.iter().step_by(2).copied().collect();
    let second = |at: usize| &left[at * 48_000..][..48_000];
    let step = |samples: &[f32]| {
        let steps = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        steps.fold(0.0_f32, f32::max)
    };
    let steps: Vec<f32> = (10..seconds as usize + 3).map(|at| step(second(at))).collect();
    let (early, late) = steps.split_at(8);
    let largest = |steps: &[f32]| steps.iter().fold(0.0_f32, |most, step| most.max(*step));
    assert!(largest(late) < 1.5 * largest(early), "{steps:?}");
    let levels: Vec<f32> = (10..seconds as usize + 3)
        .map(|at| 20.0 * rms(second(at)).log10())
        .collect();
    let range = levels.iter().fold((f32::MAX, f32::MIN), |(low, high), level| {
        (low.min(*level), high.max(*level))
    });
    assert!(range.1 - range.0 < 2.0, "{levels:?}");
    assert_eq!((report.underruns, report.degraded), (0, 0));
}

#[test]
fn a_released_key_goes_on_to_the_sounds_own_ending_if_it_is_to() {
    let play_with = |own_ending| {
        let mut score = score(&[(60, 0.0, 1.0)], 1.2);
        score.settings.own_ending = own_ending;
        let patch = patch([Some(BOWED), None, None, None]);
        play(&engine(EngineOptions::default()), patch, score, 48_000, 256).0
    };
    let (envelope, own) = (play_with(false), play_with(true));
    assert!(
        envelope[..2 * 47_000] == own[..2 * 47_000],
        "before the release nothing differs"
    );
    let sound = patch([Some(BOWED), None, None, None]);
    let sound = sound.corners()[0].as_ref().unwrap();
    let ending = sound.embedding.frames() as f64 - f64::from(sound.loop_region.unwrap().end_frame);
    let seconds = own.len() as f64 / 96_000.0;
    assert!(
        (seconds - 1.0 - ending * 0.032).abs() < 0.2,
        "{seconds} s, an ending of {ending} frames"
    );
}

#[test]
fn a_plucked_note_ends_by_itself() {
    let patch = patch([Some(PLUCKED), None, None, None]);
    let sound = patch.corners()[0].as_ref().unwrap();
    assert_eq!(sound.loop_region, None, "{} is looped", sound.name);
    let recorded = sound.seconds(0.032);
    let (samples, _) = play(
        &engine(EngineOptions::default()),
        patch,
        score(&[(60, 0.0, 8.0)], 8.0),
        48_000,
        512,
    );
    assert!(
        samples[(recorded * 96_000.0) as usize + 9_600..]
            .iter()
            .all(|sample| *sample == 0.0)
    );
}

#[test]
fn two_instances_share_one_model_and_its_renders() {
    let engine = engine(EngineOptions::default());
    let mut first = start(&engine, four_corners(), chords(), 48_000, 256);
    let mut second = start(&engine, four_corners(), chords(), 48_000, 256);
    let (mut first_samples, mut second_samples) = (Vec::new(), Vec::new());
    loop {
        let a = first
            .next_block()
            .map(|(left, _)| first_samples.extend_from_slice(left));
        let b = second
            .next_block()
            .map(|(left, _)| second_samples.extend_from_slice(left));
        if a.is_none() && b.is_none() {
            break;
        }
    }
    assert!(first_samples == second_samples);
    assert_eq!(
        second.report().notes_rendered,
        5,
        "both together need each note once"
    );
    assert_eq!(
        play(&engine, four_corners(), chords(), 48_000, 256)
            .1
            .notes_rendered,
        0
    );
}

#[test]
fn notes_stay_within_their_budget_and_what_sounds_is_never_evicted() {
    let budget = 8 << 20;
    let engine = engine(EngineOptions {
        cache_budget_bytes: budget,
        ..EngineOptions::default()
    });
    // A note held all along, under many short ones that fill the budget several times.
    let mut notes = vec![(48, 0.0, 6.0)];
    notes.extend((0..58).map(|i| (36 + i as u8, f64::from(i) * 0.1, f64::from(i) * 0.1 + 0.08)));
    let patch = || patch([Some(SUSTAINED), Some(BOWED), None, None]);
    let (tight, report) = play(&engine, patch(), score(&notes, 6.2), 48_000, 128);
    assert_eq!(report.underruns, 0);
    let deadline = Instant::now() + Duration::from_secs(5);
    while engine.status().cache_bytes > budget && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let status = engine.status();
    assert!(
        status.cache_bytes <= budget,
        "{} of {budget} bytes",
        status.cache_bytes
    );
    assert!(
        status.notes_cached < report.notes_rendered as usize,
        "nothing was evicted"
    );
    let (roomy, _) = play(
        &self::engine(EngineOptions::default()),
        patch(),
        score(&notes, 6.2),
        48_000,
        128,
    );
    assert!(tight == roomy, "eviction changed what is heard");
}

#[test]
fn fifty_instances_come_and_go_while_notes_render() {
    let engine = engine(EngineOptions::default());
    let patch = four_corners();
    let mut left = vec![0.0; 64];
    let mut right = left.clone();
    let mut living: Vec<(Instance, Instrument)> = Vec::new();
    for i in 0..50_u8 {
        let (instance, end) = Instance::new(&engine);
        instance.set_patch(patch.clone());
        instance.activate();
        let mut instrument = Instrument::new(end, Arc::new(Meters::default()));
        instrument.prepare(48_000.0);
        let kind = EventKind::NoteOn {
            address: NoteAddress::midi(0, 30 + i),
            velocity: 1.0,
        };
        let event = Event {
            offset_samples: 0,
            kind,
        };
        instrument.process(
            &mut left,
            &mut right,
            &[event],
            &Settings::default(),
            None,
            &mut |_| {},
        );
        living.push((instance, instrument));
        for (_, instrument) in &mut living {
            instrument.process(
                &mut left,
                &mut right,
                &[],
                &Settings::default(),
                None,
                &mut |_| {},
            );
        }
        if i % 3 == 0 {
            living.remove(living.len() / 2);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    // The instruments outlive their instances here, as an audio thread may.
    let instruments: Vec<Instrument> = living.into_iter().map(|(_, instrument)| instrument).collect();
    let began = Instant::now();
    drop(engine);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "the threads took {:?} to end",
        began.elapsed()
    );
    drop(instruments);
}

#[test]
fn without_a_model_notes_end_and_the_status_says_why() {
    let nowhere = PathBuf::from("/nowhere/spectral");
    let engine = engine(EngineOptions {
        model: Some(nowhere),
        ..EngineOptions::default()
    });
    let error = Bounce::new(&engine, four_corners(), chords(), 48_000, 256).unwrap_err();
    assert!(
        matches!(&error, BounceError::Model(why) if why.contains("/nowhere/spectral")),
        "{error}"
    );

    let (instance, end) = Instance::new(&engine);
    instance.set_patch(four_corners());
    instance.activate();
    assert_eq!(*instance.patch(), four_corners(), "the state is kept");
    let mut instrument = Instrument::new(end, Arc::new(Meters::default()));
    instrument.prepare(48_000.0);
    let (mut left, mut right) = ([0.0; 64], [0.0; 64]);
    let address = NoteAddress::midi(0, 60);
    let on = Event {
        offset_samples: 0,
        kind: EventKind::NoteOn {
            address,
            velocity: 1.0,
        },
    };
    let mut ends: Vec<NoteEnd> = Vec::new();
    instrument.process(
        &mut left,
        &mut right,
        &[on],
        &Settings::default(),
        None,
        &mut |end| ends.push(end),
    );
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut activity = Activity::Waiting;
    while activity != Activity::Silent && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
        activity = instrument.process(
            &mut left,
            &mut right,
            &[],
            &Settings::default(),
            None,
            &mut |end| ends.push(end),
        );
    }
    assert_eq!(ends.len(), 1, "the note's end is told");
    assert!(matches!(engine.status().model, ModelStatus::Failed(why) if why.contains("/nowhere/spectral")));
}

#[test]
fn a_sound_of_another_model_is_refused_in_one_sentence() {
    let patch = four_corners();
    let mut sound = (**patch.corners()[1].as_ref().unwrap()).clone();
    sound.model = "ancient 7".into();
    let patch = patch.with_corner(1, Some(Arc::new(sound)));
    let error = Bounce::new(&engine(EngineOptions::default()), patch, chords(), 48_000, 256).unwrap_err();
    assert!(error.to_string().starts_with("corner B: the sound "), "{error}");
    assert!(error.to_string().contains("ancient 7"), "{error}");
}

#[test]
fn an_instance_that_is_only_made_starts_nothing() {
    let engine = engine(EngineOptions::default());
    let (instance, _end) = Instance::new(&engine);
    instance.set_patch(Patch::default());
    assert_eq!(engine.status().model, ModelStatus::NotLoaded);
    assert!(!engine.settle(Duration::from_secs(1)), "a scheduler runs");
}

#[test]
fn rendered_keys_are_told_to_the_keyboard() {
    let engine = engine(EngineOptions::default());
    let mut bounce = start(
        &engine,
        four_corners(),
        score(&[(60, 0.0, 0.2)], 0.3),
        48_000,
        256,
    );
    while bounce.next_block().is_some() {}
    let (instance, _end) = Instance::new(&engine);
    instance.set_patch(four_corners());
    instance.activate();
    let deadline = Instant::now() + Duration::from_secs(5);
    let settings = Settings::default();
    let strike = settings.strike(settings.timbre());
    while instance.readiness(strike).keys == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(instance.readiness(strike).keys, 1 << 60);
}

#[test]
fn likely_notes_are_rendered_ahead_while_nothing_else_is_asked_for() {
    let engine = engine(EngineOptions::default());
    let (instance, end) = Instance::new(&engine);
    instance.activate();
    instance.set_patch(four_corners());
    let mut instrument = Instrument::new(end, Arc::new(Meters::default()));
    instrument.prepare(48_000.0);
    let settings = Settings::default();
    let strike = settings.strike(settings.timbre());
    let (mut left, mut right) = ([0.0; 64], [0.0; 64]);
    let mut events = vec![Event {
        offset_samples: 0,
        kind: EventKind::NoteOn {
            address: NoteAddress::midi(0, 60),
            velocity: 0.8,
        },
    }];
    let neighbours = 1 << 59 | 1 << 60 | 1 << 61;
    let deadline = Instant::now() + Duration::from_secs(20);
    while instance.readiness(strike).keys & neighbours != neighbours && Instant::now() < deadline {
        instrument.process(&mut left, &mut right, &events, &settings, None, &mut |_| {});
        events.clear();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(instance.readiness(strike).keys & neighbours, neighbours);
    assert_eq!(engine.status().notes_rendered, 1, "only one was asked for");
}
