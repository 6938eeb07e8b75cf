//! Notes, pedals, wheels and ends, live and offline.

use betwixt_audio::event::{EventKind, NoteAddress};
use betwixt_audio::instrument::{Activity, Instrument};
use betwixt_audio::limits::VOICES;
use betwixt_audio::link::{ToAudio, ToScheduler, link};
use betwixt_audio::note::{NoteKey, Part, PatchView, Strike, VelocityCell};
use betwixt_audio::settings::Settings;
use betwixt_audio::timbre::Timbre;

use crate::workshop::{PATCH, Stage, at, cents_from, jump, off, on, peak};

fn key_in_the_middle(key: u8) -> NoteKey {
    NoteKey {
        patch: PATCH,
        strike: Strike::with(Timbre::default()),
        part: Part::Mid,
        pitch_cents: i32::from(key) * 100,
    }
}

fn hz(midi: f64) -> f64 {
    440.0 * ((midi - 69.0) / 12.0).exp2()
}

#[test]
fn a_hit_plays_from_its_event_s_sample_offline_and_from_the_cache() {
    let mut offline = Stage::new(48_000.0);
    let mut cached = Stage::new(48_000.0);
    cached.workshop.get_mut().render_ahead(key_in_the_middle(60));
    for offset in [0usize, 1, 77, 128, 300] {
        for out in [
            offline.bounce(512, &[at(offset as u32, on(60))]),
            cached.live(512, &[at(offset as u32, on(60))]),
        ] {
            assert!(
                out[..=offset].iter().all(|sample| *sample == 0.0),
                "sound before sample {offset}"
            );
            assert!(
                peak(&out[offset + 1..offset + 4]) > 0.0,
                "no sound after sample {offset}"
            );
        }
        for stage in [&mut offline, &mut cached] {
            stage.bounce(2048, &[at(0, EventKind::AllSoundOff)]);
            assert_eq!(stage.activity, Activity::Silent);
        }
    }
}

#[test]
fn notes_are_in_tune_at_every_host_rate() {
    for host_hz in [44_100.0, 48_000.0, 88_200.0, 96_000.0, 192_000.0] {
        for key in [36, 69, 96] {
            let mut stage = Stage::new(host_hz);
            let out = stage.bounce(host_hz as usize, &[at(0, on(key))]);
            let cents = cents_from(&out[2000..], hz(f64::from(key)), host_hz);
            assert!(cents.abs() < 0.05, "key {key} at {host_hz} Hz: {cents} cents");
        }
    }
}

#[test]
fn bend_expression_and_tuning_add_up_to_the_pitch() {
    let mut stage = Stage::new(44_100.0);
    stage.settings.tuning_cents = 130.0;
    let events = [
        at(
            0,
            EventKind::PitchBend {
                channel: 0,
                semitones: -2.0,
            },
        ),
        at(
            0,
            EventKind::PitchBend {
                channel: 1,
                semitones: 12.0,
            },
        ),
        at(0, on(60)),
        at(
            10,
            EventKind::Tuning {
                address: NoteAddress::midi(0, 60),
                semitones: 0.25,
            },
        ),
    ];
    let out = stage.bounce(44_100, &events);
    let cents = cents_from(&out[6000..], hz(60.0 + 1.3 - 2.0 + 0.25), 44_100.0);
    assert!(cents.abs() < 0.05, "{cents} cents");
}

#[test]
fn a_missing_note_is_silent_until_its_first_chunk_and_the_host_is_kept_awake() {
    let mut stage = Stage::new(48_000.0);
    let out = stage.live(256, &[at(0, on(60))]);
    assert_eq!((peak(&out), stage.activity), (0.0, Activity::Waiting));
    assert_eq!((stage.meters.voices(), stage.meters.waiting_voices()), (0, 1));
    stage.workshop.get_mut().answer();
    assert_eq!(peak(&stage.live(256, &[])), 0.0);
    stage.workshop.get_mut().render(1);
    assert!(peak(&stage.live(256, &[])) > 0.05);
    assert_eq!(stage.activity, Activity::Sounding);
}

#[test]
fn a_key_let_go_before_its_note_came_ends_without_sound() {
    let mut stage = Stage::new(48_000.0);
    stage.live(256, &[at(0, on(60)), at(200, off(60))]);
    assert_eq!(stage.ends, [(200, NoteAddress::midi(0, 60))]);
    stage.work();
    assert_eq!(peak(&stage.live(256, &[])), 0.0);
    assert_eq!(stage.activity, Activity::Silent);
}

#[test]
fn a_voice_that_catches_up_counts_an_underrun_and_resumes() {
    let mut stage = Stage::new(48_000.0);
    stage.live(256, &[at(0, on(60))]);
    stage.workshop.get_mut().answer();
    stage.workshop.get_mut().render(2);
    let mut out = Vec::new();
    // Two chunks, and what it repeats after them.
    (0..25).for_each(|_| out.extend(stage.live(256, &[])));
    assert_eq!(stage.meters.underruns(), 1);
    assert_eq!(stage.activity, Activity::Waiting);
    stage.work();
    (0..4).for_each(|_| out.extend(stage.live(256, &[])));
    assert_eq!(stage.activity, Activity::Sounding);
    assert!(peak(&out[6400..]) > 0.05);
    assert!(jump(&out) < 0.02, "jump of {}", jump(&out));
}

#[test]
fn a_voice_whose_worker_is_late_plays_on_and_meets_what_comes_in_phase() {
    let play = |late_until: usize| {
        let mut stage = Stage::new(48_000.0);
        stage.live(256, &[at(0, on(57))]);
        stage.workshop.get_mut().answer();
        stage.workshop.get_mut().render(2);
        let mut out = Vec::new();
        for block in 0..60 {
            if block >= late_until {
                stage.work();
            }
            out.extend(stage.live(256, &[]));
        }
        (out, stage.meters.underruns(), stage.meters.degraded())
    };
    let (on_time, ..) = play(0);
    // 64 ms after the end of the two chunks.
    let (late, underruns, degraded) = play(20);
    assert_eq!((underruns, degraded), (0, 1));
    let off = late
        .iter()
        .zip(&on_time)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(off < 0.02 * peak(&on_time), "{off}");
    assert!(
        late[12_000..] == on_time[12_000..],
        "and then as if nothing had been"
    );
}

#[test]
fn a_released_note_ends_after_its_release_and_its_end_is_told_once() {
    let mut stage = Stage::new(48_000.0);
    stage.settings.release_ms = 20.0;
    let out = stage.bounce(4096, &[at(0, on(60)), at(1000, off(60))]);
    let [(ended, address)] = stage.ends[..] else {
        panic!("{:?}", stage.ends)
    };
    assert_eq!(address, NoteAddress::midi(0, 60));
    assert!((1940..=1970).contains(&ended), "ended at {ended}");
    assert!(peak(&out[ended - 100..ended]) > 0.0);
    assert_eq!(peak(&out[ended..]), 0.0);
    assert_eq!(stage.activity, Activity::Silent);
}

#[test]
fn the_pedal_holds_what_the_keys_let_go_on_its_channel_only() {
    let mut stage = Stage::new(48_000.0);
    stage.settings.release_ms = 5.0;
    let other = NoteAddress::midi(3, 64);
    let events = [
        at(
            0,
            EventKind::Sustain {
                channel: 0,
                down: true,
            },
        ),
        at(0, on(60)),
        at(
            0,
            EventKind::NoteOn {
                address: other,
                velocity: 0.5,
            },
        ),
        at(500, EventKind::AllNotesOff),
    ];
    stage.bounce(4096, &events);
    assert_eq!(
        stage.ends.iter().map(|(_, address)| *address).collect::<Vec<_>>(),
        [other]
    );
    assert_eq!(stage.meters.held_keys(), 0);
    stage.bounce(
        4096,
        &[at(
            0,
            EventKind::Sustain {
                channel: 0,
                down: false,
            },
        )],
    );
    assert_eq!(stage.ends.len(), 2);
    assert_eq!(stage.activity, Activity::Silent);
}

#[test]
fn a_key_struck_again_under_the_pedal_does_not_pile_up() {
    let mut stage = Stage::new(48_000.0);
    stage.settings.release_ms = 5.0;
    stage.bounce(
        64,
        &[at(
            0,
            EventKind::Sustain {
                channel: 0,
                down: true,
            },
        )],
    );
    for _ in 0..20 {
        stage.bounce(1024, &[at(0, on(60)), at(300, off(60))]);
    }
    assert_eq!(stage.ends.len(), 19);
    assert_eq!(stage.meters.voices(), 1);
}

#[test]
fn one_more_note_than_voices_steals_the_oldest_without_a_click() {
    let mut stage = Stage::new(48_000.0);
    stage.settings.gain = 0.1;
    for key in 0..VOICES as u8 {
        stage.bounce(64, &[at(0, on(20 + key))]);
    }
    assert!(stage.ends.is_empty());
    let before = stage.bounce(2048, &[]);
    let out = stage.bounce(2048, &[at(100, on(100))]);
    assert_eq!(
        stage
            .ends
            .iter()
            .map(|(_, address)| address.key)
            .collect::<Vec<_>>(),
        [Some(20)]
    );
    assert_eq!((stage.meters.voices(), stage.meters.stolen()), (VOICES as u32, 1));
    assert!(jump(&out) < 1.3 * jump(&before));
}

#[test]
fn choked_notes_end_at_once_and_are_silent_after_ten_milliseconds() {
    let mut stage = Stage::new(48_000.0);
    let choke = EventKind::Choke {
        address: NoteAddress::midi(0, 60),
    };
    stage.bounce(1000, &[at(0, on(60)), at(0, on(67))]);
    stage.bounce(1000, &[at(10, choke)]);
    assert_eq!(stage.ends, [(1010, NoteAddress::midi(0, 60))]);
    let out = stage.bounce(2000, &[at(0, EventKind::AllSoundOff)]);
    assert_eq!(stage.ends.len(), 2);
    assert_eq!(peak(&out[490..]), 0.0);
    assert_eq!(stage.activity, Activity::Silent);
}

#[test]
fn named_notes_of_one_key_are_let_go_by_name() {
    let mut stage = Stage::new(48_000.0);
    stage.settings.release_ms = 5.0;
    let named = |id| NoteAddress {
        note_id: Some(id),
        port: Some(0),
        channel: Some(0),
        key: Some(60),
    };
    let strike = |id| EventKind::NoteOn {
        address: named(id),
        velocity: 0.5,
    };
    stage.bounce(
        2048,
        &[
            at(0, strike(1)),
            at(0, strike(2)),
            at(100, EventKind::NoteOff { address: named(1) }),
        ],
    );
    assert_eq!(
        stage.ends.iter().map(|(_, address)| *address).collect::<Vec<_>>(),
        [named(1)]
    );
    assert_eq!(stage.meters.voices(), 1);
}

#[test]
fn a_refused_note_ends_and_lets_the_host_sleep() {
    let mut stage = Stage::new(48_000.0);
    stage.workshop.get_mut().refuses_cents = Some(6000);
    stage.live(256, &[at(0, on(60))]);
    stage.work();
    stage.live(256, &[]);
    assert_eq!(stage.ends, [(256, NoteAddress::midi(0, 60))]);
    assert_eq!((stage.activity, stage.meters.refused()), (Activity::Silent, 1));
    stage.bounce(256, &[at(9, on(60))]);
    assert_eq!(stage.ends.len(), 2);
}

#[test]
fn a_note_that_fails_while_it_sounds_ends_its_voice() {
    let mut stage = Stage::new(48_000.0);
    stage.live(256, &[at(0, on(60))]);
    stage.workshop.get_mut().answer();
    stage.workshop.get_mut().render(2);
    let mut out = stage.live(512, &[]);
    stage.workshop.get_mut().fail_all();
    out.extend(stage.live(4096, &[]));
    assert_eq!((stage.ends.len(), stage.activity), (1, Activity::Silent));
    assert!(jump(&out) < 0.02);
}

#[test]
fn a_note_ends_with_its_audio_while_the_key_is_held() {
    let mut stage = Stage::new(48_000.0);
    stage.workshop.get_mut().note_chunks = 3;
    let out = stage.bounce(4096, &[at(0, on(60))]);
    assert_eq!(stage.ends, [(3 * 1024, NoteAddress::midi(0, 60))]);
    assert!(jump(&out) < 0.02);
}

#[test]
fn without_a_patch_live_notes_end_at_once_and_a_bounce_waits_for_it() {
    let mut stage = Stage::without_patch(48_000.0);
    stage.live(256, &[at(3, on(60))]);
    assert_eq!(stage.ends, [(3, NoteAddress::midi(0, 60))]);
    assert_eq!(stage.activity, Activity::Silent);
    // Nothing to wait for: the workshop says so, and the note ends.
    stage.bounce(256, &[at(3, on(60))]);
    assert_eq!(stage.ends.len(), 2);
    stage.workshop.get_mut().send_patch(PATCH);
    assert!(peak(&stage.bounce(256, &[at(3, on(60))])) > 0.05);
}

#[test]
fn eight_loud_notes_do_not_clip_at_the_default_gain() {
    let mut stage = Stage::new(48_000.0);
    stage.settings = Settings {
        velocity_sensitivity: 0.0,
        ..Settings::default()
    };
    // The workshop's notes are -20 dBFS in their first partial, as levelled sounds are about.
    let chord: Vec<_> = [36, 43, 48, 52, 55, 60, 64, 67].map(|key| at(0, on(key))).into();
    assert!(peak(&stage.bounce(48_000, &chord)) < 1.0);
}

#[test]
fn velocity_changes_the_level_as_far_as_it_may() {
    let level = |velocity_sensitivity: f32, velocity: f32| {
        let mut stage = Stage::new(48_000.0);
        stage.settings.velocity_sensitivity = velocity_sensitivity;
        let strike = EventKind::NoteOn {
            address: NoteAddress::midi(0, 60),
            velocity,
        };
        peak(&stage.bounce(4096, &[at(0, strike)]))
    };
    assert!((level(0.0, 0.1) - level(0.0, 1.0)).abs() < 1e-6);
    assert!((level(1.0, 0.5) / level(1.0, 1.0) - 0.25).abs() < 1e-3);
    assert_eq!(level(1.0, 0.0), 0.0);
}

#[test]
fn an_event_past_the_block_s_end_counts_for_the_next_block() {
    let mut stage = Stage::new(48_000.0);
    assert_eq!(peak(&stage.bounce(256, &[at(256, on(60))])), 0.0);
    let out = stage.bounce(256, &[]);
    assert!(peak(&out[1..4]) > 0.0);
}

#[test]
fn only_sounds_that_differ_by_velocity_are_asked_for_by_it() {
    let asked = |has_velocities, velocity| {
        let (audio, mut scheduler) = link();
        let view = PatchView {
            has_velocities,
            ..PatchView::plain(PATCH)
        };
        scheduler.send(ToAudio::Patch(view)).unwrap();
        let mut instrument = Instrument::new(audio, Default::default());
        instrument.prepare(48_000.0);
        let strike = EventKind::NoteOn {
            address: NoteAddress::midi(0, 60),
            velocity,
        };
        let (mut left, mut right) = ([0.0; 64], [0.0; 64]);
        let settings = Settings::default();
        instrument.process(
            &mut left,
            &mut right,
            &[at(0, strike)],
            &settings,
            None,
            &mut |_| {},
        );
        match scheduler.receive() {
            Some(ToScheduler::Request(key)) => key.strike.velocity,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked(false, 0.3), VelocityCell::NONE);
    assert_eq!(asked(true, 0.3), VelocityCell::of(0.3));
    assert_ne!(asked(true, 0.3), asked(true, 0.9));
}

#[test]
fn an_instrument_that_was_not_prepared_is_silent() {
    let (audio, _scheduler) = link();
    let mut instrument = Instrument::new(audio, Default::default());
    let (mut left, mut right) = ([9.0; 64], [9.0; 64]);
    let activity = instrument.process(
        &mut left,
        &mut right,
        &[at(0, on(60))],
        &Settings::default(),
        None,
        &mut |_| {},
    );
    assert_eq!((activity, left, right), (Activity::Silent, [0.0; 64], [0.0; 64]));
}

#[test]
fn a_reset_silences_everything_and_the_next_note_plays() {
    let mut stage = Stage::new(48_000.0);
    stage.bounce(512, &[at(0, on(60)), at(0, on(64))]);
    stage.instrument.reset();
    assert_eq!(peak(&stage.bounce(512, &[])), 0.0);
    assert_eq!(stage.activity, Activity::Silent);
    assert!(peak(&stage.bounce(512, &[at(0, on(60))])) > 0.05);
}
