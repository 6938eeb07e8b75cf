//! Held notes follow the blend, each in a stream of its own: without a click, in time, and the same in every bounce.

use betwixt_audio::blend::Blend;
use betwixt_audio::event::{EventKind, NoteAddress, Target};
use betwixt_audio::limits::SHARED_NOTE_SECONDS;

use crate::workshop::{RATE_HZ, Stage, at, jump, off, on, peak};

/// Amplitude of a sinusoid of `hz` in some samples, by a Hann window.
fn level(samples: &[f32], hz: f64) -> f64 {
    let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let hann = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / samples.len() as f64).cos();
        let (sin, cos) = (std::f64::consts::TAU * hz / f64::from(RATE_HZ) * n as f64).sin_cos();
        re += hann * f64::from(*sample) * cos;
        im += hann * f64::from(*sample) * sin;
        sum += hann / 2.0;
    }
    re.hypot(im) / sum
}

/// The second partial of A4, which the workshop makes the stronger the further right the blend is.
const SECOND_HZ: f64 = 880.0;

fn stage(x: f32) -> Stage {
    let mut stage = Stage::new(f64::from(RATE_HZ));
    stage.settings.blend = Blend { x, y: 0.5 };
    stage
}

#[test]
fn a_held_note_follows_the_blend() {
    let mut stage = stage(0.0);
    let before = stage.bounce(24_000, &[at(0, on(69))]);
    assert_eq!(stage.meters.streams(), 0);
    stage.settings.blend.x = 1.0;
    let after = stage.bounce(24_000, &[]);
    assert_eq!(stage.meters.streams(), 1);
    let (dull, bright) = (
        level(&before[12_000..], SECOND_HZ),
        level(&after[12_000..], SECOND_HZ),
    );
    assert!(
        (dull - 0.01).abs() < 2e-3 && (bright - 0.1).abs() < 2e-2,
        "{dull} {bright}"
    );
    // No step but those of the two partials themselves: 0.1 at 440 Hz and at 880 Hz.
    let both = [before, after].concat();
    assert!(
        jump(&both[2000..]) < 0.1 * (0.0576 + 0.1152) * 1.02,
        "{}",
        jump(&both[2000..])
    );
    assert_eq!((stage.meters.underruns(), stage.meters.degraded()), (0, 0));
}

#[test]
fn a_jump_of_the_blend_is_heard_within_forty_milliseconds() {
    for moment in (0..2000).step_by(130) {
        let (mut moved, mut still) = (stage(0.0), stage(0.0));
        let start = 20_000 + moment;
        for stage in [&mut moved, &mut still] {
            stage.bounce(start, &[at(0, on(69))]);
        }
        moved.settings.blend.x = 1.0;
        let (a, b) = (moved.bounce(4000, &[]), still.bounce(4000, &[]));
        let first = a.iter().zip(&b).position(|(a, b)| a != b).unwrap();
        let ms = first as f32 / 48.0;
        assert!((10.0..40.0).contains(&ms), "{ms} ms after a jump at {start}");
    }
}

#[test]
fn a_blend_that_rests_is_rendered_once_for_all_again() {
    let mut stage = stage(0.0);
    stage.bounce(20_000, &[at(0, on(69))]);
    stage.settings.blend.x = 0.5;
    stage.bounce(20_000, &[]);
    assert_eq!(stage.workshop.borrow().streams(), 1);
    stage.bounce(20_000, &[at(0, off(69)), at(12_000, on(69))]);
    assert_eq!((stage.meters.streams(), stage.ends.len()), (0, 1));
    stage.workshop.borrow_mut().answer();
    assert_eq!(stage.workshop.borrow().streams(), 0, "the stream was given back");
}

#[test]
fn a_move_too_small_to_hear_makes_no_stream() {
    let mut stage = stage(0.5);
    stage.bounce(10_000, &[at(0, on(69))]);
    stage.settings.blend.x = 0.5005;
    stage.bounce(10_000, &[]);
    assert_eq!(stage.meters.streams(), 0);
}

#[test]
fn a_note_moved_alone_leaves_the_others_alone() {
    let mut stage = stage(0.0);
    let address = NoteAddress::midi(0, 69);
    stage.bounce(10_000, &[at(0, on(69)), at(0, on(74))]);
    let modulate = |amount| EventKind::Modulate {
        address,
        target: Target::BlendX,
        amount,
    };
    let out = stage.bounce(30_000, &[at(0, modulate(1.0))]);
    assert_eq!(stage.meters.streams(), 1);
    let other_hz = 2.0 * 440.0 * (5.0f64 / 12.0).exp2();
    assert!(level(&out[15_000..], SECOND_HZ) > 0.08);
    assert!(level(&out[15_000..], other_hz) < 0.013);
    let out = stage.bounce(30_000, &[at(0, modulate(0.0))]);
    assert!(level(&out[15_000..], SECOND_HZ) < 0.013);
}

#[test]
fn a_note_modulated_at_its_own_sample_is_struck_so() {
    let mut stage = stage(0.0);
    let modulate = EventKind::Modulate {
        address: NoteAddress::midi(0, 69),
        target: Target::BlendX,
        amount: 1.0,
    };
    let out = stage.bounce(12_000, &[at(100, on(69)), at(100, modulate)]);
    assert!(level(&out[400..1400], SECOND_HZ) > 0.08);
    assert_eq!(stage.meters.streams(), 0, "it needs none");
}

#[test]
fn a_note_held_longer_than_its_rendering_goes_on_unheard() {
    let mut stage = stage(0.5);
    stage.workshop.get_mut().note_chunks = (SHARED_NOTE_SECONDS + 2) * RATE_HZ as usize / 1024;
    stage.bounce(48_000, &[at(0, on(69))]);
    let mut steepest = 0.0f32;
    for _ in 1..SHARED_NOTE_SECONDS + 10 {
        steepest = steepest.max(jump(&stage.bounce(48_000, &[])));
    }
    assert_eq!(stage.meters.streams(), 1);
    assert!(steepest < (0.1 * 0.0576 + 0.0316 * 0.1152) * 1.02, "{steepest}");
}

#[test]
fn a_stream_that_comes_late_is_faded_over_to_and_nothing_is_missing() {
    let mut stage = stage(0.0);
    stage.live(0, &[at(0, on(69))]);
    let mut all = Vec::new();
    for block in 0..400 {
        if block == 100 {
            stage.settings.blend.x = 1.0;
        }
        // The worker is away for 150 ms just after the blend has moved, but has rendered the note ahead.
        if !(101..157).contains(&block) {
            stage.work();
        }
        all.extend(stage.live(128, &[]));
    }
    assert_eq!(stage.meters.underruns(), 0);
    assert_eq!(stage.meters.streams(), 1);
    let end = &all[all.len() - 9000..];
    assert!(level(end, SECOND_HZ) > 0.08);
    assert!(
        jump(&all[4000..]) < 0.1 * (0.0576 + 0.1152) * 1.05,
        "{}",
        jump(&all[4000..])
    );
}

#[test]
fn a_stream_that_runs_dry_gives_way_to_its_note_and_comes_back() {
    let mut stage = stage(0.0);
    stage.live(0, &[at(0, on(69))]);
    let mut all = Vec::new();
    for block in 0..600 {
        if block == 100 {
            stage.settings.blend.x = 1.0;
        }
        if !(200..240).contains(&block) {
            stage.work();
        }
        all.extend(stage.live(128, &[]));
    }
    assert_eq!(stage.meters.underruns(), 0);
    assert!(stage.meters.degraded() > 0, "it is told");
    assert_eq!(stage.meters.streams(), 1, "it came back");
    assert!(all[4000..].chunks(480).all(|part| peak(part) > 0.05), "no gap");
    assert!(
        jump(&all[4000..]) < 0.1 * (0.0576 + 0.1152) * 1.1,
        "{}",
        jump(&all[4000..])
    );
}

#[test]
fn a_stream_that_runs_dry_past_its_note_repeats_its_last_periods_and_comes_back() {
    let mut stage = stage(0.0);
    stage.live(0, &[at(0, on(69))]);
    let mut all = Vec::new();
    for block in 0..900 {
        if block == 100 {
            stage.settings.blend.x = 1.0;
        }
        // The note was rendered half a second ahead; here the stream is far past it, and its worker away for 55 ms.
        if !(600..621).contains(&block) {
            stage.work();
        }
        all.extend(stage.live(128, &[]));
    }
    assert_eq!(stage.meters.underruns(), 0);
    assert!(stage.meters.degraded() > 0, "it is told");
    assert_eq!(stage.meters.streams(), 1, "it came back");
    assert!(
        all[300 * 128..].chunks(480).all(|part| peak(part) > 0.15),
        "no gap"
    );
    assert!(
        jump(&all[4000..]) < 0.1 * (0.0576 + 0.1152) * 1.1,
        "{}",
        jump(&all[4000..])
    );
    let held = &all[600 * 128..640 * 128];
    assert!(
        level(held, SECOND_HZ) > 0.09,
        "it sounds as it did: {}",
        level(held, SECOND_HZ)
    );
}

#[test]
fn a_stream_that_stays_away_is_waited_for_in_silence_and_comes_back() {
    for (from, semitones) in [(600, 0.0), (601, 0.0), (605, 24.0), (607, -24.0)] {
        let mut stage = stage(0.0);
        let bend = EventKind::PitchBend {
            channel: 0,
            semitones,
        };
        stage.live(0, &[at(0, bend), at(0, on(69))]);
        let mut all = Vec::new();
        for block in 0..1200 {
            if block == 100 {
                stage.settings.blend.x = 1.0;
            }
            // Away for a third of a second.
            if !(from..from + 125).contains(&block) {
                stage.work();
            }
            all.extend(stage.live(128, &[]));
        }
        // Two octaves down, a quarter of the time has passed for the sound.
        let underruns = if semitones < 0.0 { 0 } else { 1 };
        assert_eq!(stage.meters.underruns(), underruns, "from block {from}");
        assert_eq!(stage.meters.waiting_voices(), 0, "from block {from}");
        assert!(peak(&all[800 * 128..]) > 0.15, "it came back");
        let partials = 0.1 * (0.0576 + 0.1152) * f64::from(semitones / 12.0).exp2() as f32;
        assert!(
            jump(&all[4000..]) < partials * 1.1,
            "{} from block {from}",
            jump(&all[4000..])
        );
        stage.live(128, &[at(0, off(69))]);
        (0..200).for_each(|_| drop(stage.live(128, &[])));
        assert_eq!(stage.ends.len(), 1, "from block {from}");
    }
}

#[test]
fn a_stream_that_comes_as_its_echo_ends_is_heard() {
    for away in 120..180 {
        let mut stage = stage(0.0);
        stage.live(0, &[at(0, on(69))]);
        let mut all = Vec::new();
        for block in 0..2800 {
            if block == 400 {
                stage.settings.blend.x = 1.0;
            }
            // What is there lasts for some 20 of these blocks, its echo for 120.
            if !(2400..2400 + away).contains(&block) {
                stage.work();
            }
            all.extend(stage.live(32, &[]));
        }
        assert_eq!(stage.meters.waiting_voices(), 0, "away for {away} blocks");
        assert!(peak(&all[2700 * 32..]) > 0.15, "away for {away} blocks");
        assert!(
            jump(&all[4000..]) < 0.1 * (0.0576 + 0.1152) * 1.1,
            "{}, away for {away} blocks",
            jump(&all[4000..])
        );
    }
}

#[test]
fn a_released_key_whose_ending_comes_too_late_ends_by_its_envelope() {
    for away in [0, 40, 100, 200] {
        let mut stage = stage(0.0);
        stage.settings.own_ending = true;
        stage.workshop.get_mut().ending_chunks = 4;
        stage.live(0, &[at(0, on(69))]);
        // Half a second of the note is rendered ahead.
        for _ in 0..100 {
            stage.work();
            stage.live(128, &[]);
        }
        stage.live(128, &[at(0, off(69))]);
        (0..away).for_each(|_| drop(stage.live(128, &[])));
        for _ in 0..400 {
            stage.work();
            stage.live(128, &[]);
        }
        assert_eq!(stage.ends.len(), 1, "away for {away} blocks");
    }
}

#[test]
fn where_streams_are_refused_the_note_plays_on_as_it_was() {
    let mut stage = stage(0.0);
    stage.settings.width = 0.5;
    stage.workshop.get_mut().refuses_streams = true;
    stage.bounce_wide(10_000, &[at(0, on(69))], 4);
    stage.settings.blend.x = 1.0;
    let (left, right) = stage.bounce_wide(20_000, &[], 4);
    let out: Vec<f32> = left.iter().zip(right).map(|(l, r)| 0.5 * (l + r)).collect();
    assert!(level(&out[8000..], 440.0) > 0.09 && level(&out[8000..], SECOND_HZ) < 0.013);
    assert!(stage.meters.degraded() > 0);
}

#[test]
fn a_bounce_of_moving_blends_waits_for_every_chunk() {
    let bounce = |block: usize, chunks: usize| {
        let mut stage = stage(0.0);
        let mut out = stage.bounce_at_pace(0, &[at(0, on(50)), at(0, on(57)), at(0, on(69))], chunks);
        while out.len() < 60_000 {
            // The blend moves on a grid of 480 samples, wherever blocks begin.
            let from = out.len();
            let until = (from + block).min((from / 480 + 1) * 480);
            stage.settings.blend.x = 0.5 - 0.5 * ((from / 480) as f32 * 0.05).cos();
            out.extend(stage.bounce_at_pace(until - from, &[], chunks));
        }
        assert_eq!((stage.meters.underruns(), stage.meters.degraded()), (0, 0));
        out
    };
    let whole = bounce(480, 1000);
    assert!(whole == bounce(37, 1));
    assert!(whole == bounce(128, 3));
}

#[test]
fn in_long_blocks_a_chunk_is_asked_for_a_block_before() {
    for block in [64, 333, 400, 512, 777, 1024, 4096] {
        let mut stage = stage(0.0);
        // The note is rendered ahead.
        stage.live(0, &[at(0, on(69))]);
        for _ in 0..3 {
            stage.work();
            stage.live(64, &[]);
        }
        let mut all = Vec::new();
        let mut step = 0.0f32;
        while all.len() < 120_000 {
            step += block as f32 / 20_000.0;
            stage.settings.blend.x = 0.5 - 0.5 * step.cos();
            all.extend(stage.live(block, &[]));
            // A worker does its work between two blocks.
            stage.work();
        }
        assert_eq!(stage.meters.underruns(), 0, "blocks of {block}");
        assert_eq!(stage.meters.streams(), 1, "blocks of {block}");
        assert!(
            jump(&all[8000..]) < 0.1 * (0.0576 + 0.1152) * 1.05,
            "blocks of {block}: {}",
            jump(&all[8000..])
        );
    }
}
