//! One voice for all keys, glides, width, brightness, and what single channels move.

use betwixt_audio::event::{EventKind, NoteAddress, Target};
use betwixt_audio::settings::VoiceMode;

use crate::workshop::{RATE_HZ, Stage, at, cents_from, jump, off, on};

fn stage(mode: VoiceMode) -> Stage {
    let mut stage = Stage::new(f64::from(RATE_HZ));
    stage.settings.voice_mode = mode;
    stage.settings.release_ms = 50.0;
    stage
}

fn hz(key: f64) -> f64 {
    440.0 * ((key - 69.0) / 12.0).exp2()
}

fn is_at(samples: &[f32], key: f64) {
    let cents = cents_from(samples, hz(key), f64::from(RATE_HZ));
    assert!(cents.abs() < 2.0, "{cents} cents from key {key}");
}

#[test]
fn legato_bends_the_one_voice_and_goes_back_to_the_key_still_held() {
    let mut stage = stage(VoiceMode::Legato);
    is_at(&stage.bounce(24_000, &[at(0, on(60))])[8000..], 60.0);
    is_at(&stage.bounce(24_000, &[at(0, on(64))])[8000..], 64.0);
    assert_eq!((stage.meters.voices(), stage.ends.len()), (1, 0));
    is_at(&stage.bounce(24_000, &[at(0, off(64))])[8000..], 60.0);
    assert_eq!(stage.ends, [(48_000, NoteAddress::midi(0, 64))]);
    stage.bounce(24_000, &[at(0, off(60))]);
    assert_eq!(stage.ends.len(), 2);
    assert_eq!(stage.meters.voices(), 0);
}

#[test]
fn mono_strikes_each_note_and_every_note_ends_once() {
    let mut stage = stage(VoiceMode::Mono);
    stage.bounce(12_000, &[at(0, on(60)), at(6000, on(67)), at(9000, on(72))]);
    assert_eq!((stage.meters.voices(), stage.ends.len()), (1, 0));
    stage.bounce(12_000, &[at(0, off(67)), at(3000, off(72))]);
    is_at(&stage.bounce(24_000, &[])[4000..], 60.0);
    stage.bounce(24_000, &[at(0, off(60))]);
    let mut keys: Vec<u8> = stage.ends.iter().filter_map(|(_, address)| address.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [60, 67, 72]);
}

#[test]
fn all_notes_off_ends_every_held_key_once_whatever_the_mode() {
    for mode in VoiceMode::ALL {
        let mut stage = stage(mode);
        stage.bounce(12_000, &[at(0, on(60)), at(500, on(62)), at(900, on(64))]);
        stage.bounce(24_000, &[at(0, EventKind::AllNotesOff)]);
        let mut keys: Vec<u8> = stage.ends.iter().filter_map(|(_, address)| address.key).collect();
        keys.sort_unstable();
        assert_eq!(keys, [60, 62, 64], "{mode:?}");
        assert_eq!(stage.meters.voices(), 0);
    }
}

#[test]
fn a_glide_comes_from_the_last_note_in_its_time_without_a_click() {
    let mut stage = stage(VoiceMode::Poly);
    stage.settings.glide_ms = 200.0;
    stage.bounce(24_000, &[at(0, on(60)), at(12_000, off(60))]);
    let out = stage.bounce(48_000, &[at(0, on(72))]);
    let early = cents_from(&out[4000..5200], hz(66.0), f64::from(RATE_HZ));
    assert!(
        early.abs() < 150.0,
        "{early} cents from the middle at half of the time"
    );
    is_at(&out[12_000..], 72.0);
    assert!(jump(&out[200..]) < 0.02);
}

#[test]
fn width_is_stereo_and_a_mono_sum_loses_less_than_a_decibel() {
    let mut stage = Stage::new(f64::from(RATE_HZ));
    stage.settings.width = 1.0;
    let (left, right) = stage.bounce_wide(48_000, &[at(0, on(60)), at(0, on(67)), at(0, on(76))], 4);
    let power = |samples: &mut dyn Iterator<Item = f32>| samples.map(|s| f64::from(s).powi(2)).sum::<f64>();
    let (l, r) = (
        power(&mut left.iter().copied()),
        power(&mut right.iter().copied()),
    );
    let sum = power(&mut left.iter().zip(&right).map(|(l, r)| 0.5 * (l + r)));
    let difference = power(&mut left.iter().zip(&right).map(|(l, r)| 0.5 * (l - r)));
    let loss_db = 10.0 * (0.5 * (l + r) / sum).log10();
    assert!((0.3..1.0).contains(&loss_db), "{loss_db} dB");
    assert!(difference > 0.1 * sum);
}

#[test]
fn a_bright_voice_has_more_of_its_highs() {
    let high = |brightness: f32| {
        let mut stage = Stage::new(f64::from(RATE_HZ));
        stage.settings.brightness = brightness;
        let out = stage.bounce(24_000, &[at(0, on(115))]);
        out[4000..].iter().fold(0.0f32, |peak, s| peak.max(s.abs()))
    };
    assert!(high(1.0) > 1.5 * high(0.0) && high(-1.0) < 0.7 * high(0.0));
}

#[test]
fn a_channel_alone_moves_its_notes_those_to_come_too() {
    let mut stage = Stage::new(f64::from(RATE_HZ));
    stage.settings.is_mpe = true;
    stage.settings.slide = Target::BlendX;
    let channel = |channel| NoteAddress {
        channel: Some(channel),
        ..NoteAddress::ALL
    };
    let slide = |to, value| EventKind::Slide {
        address: channel(to),
        value,
    };
    let strike = |channel, key| EventKind::NoteOn {
        address: NoteAddress::midi(channel, key),
        velocity: 0.8,
    };
    stage.bounce(
        12_000,
        &[at(0, slide(1, 1.0)), at(0, strike(1, 60)), at(0, strike(2, 64))],
    );
    assert_eq!(stage.meters.streams(), 0, "struck where the channel was");
    stage.bounce(12_000, &[at(0, slide(1, 0.2))]);
    assert_eq!(stage.meters.streams(), 1);
    // The master channel bends all.
    let bend = EventKind::PitchBend {
        channel: 0,
        semitones: 2.0,
    };
    stage.bounce(
        4000,
        &[at(0, bend), at(0, EventKind::Choke { address: channel(1) })],
    );
    is_at(&stage.bounce(24_000, &[])[4000..], 66.0);
}

#[test]
fn a_key_that_is_struck_twice_or_outlives_its_sound_ends_once_each() {
    for mode in [VoiceMode::Mono, VoiceMode::Legato] {
        let mut stage = stage(mode);
        // Without names of their own, the two notes of key 60 are told apart by their order alone.
        stage.bounce(12_000, &[at(0, on(60)), at(4000, on(60)), at(8000, off(60))]);
        stage.bounce(12_000, &[]);
        assert_eq!(stage.ends.len(), 2, "{mode:?}");
        // The workshop's notes end by themselves after three seconds.
        stage.ends.clear();
        stage.bounce(4 * RATE_HZ as usize, &[at(0, on(64))]);
        assert_eq!(stage.ends.len(), 1, "{mode:?}");
        stage.bounce(12_000, &[at(0, off(64))]);
        assert_eq!(stage.ends.len(), 1, "{mode:?}: it had ended");
        stage.bounce(12_000, &[at(0, on(65)), at(4000, off(65))]);
        assert_eq!(stage.ends.len(), 2, "{mode:?}");
    }
}

#[test]
fn a_tail_of_the_same_key_is_not_taken_for_the_key_that_is_down() {
    let mut stage = stage(VoiceMode::Poly);
    stage.settings.release_ms = 3000.0;
    // Tails of keys 60 and 64 sound on while the mode changes.
    stage.bounce(
        8000,
        &[
            at(0, on(60)),
            at(100, on(64)),
            at(4000, off(60)),
            at(4100, off(64)),
        ],
    );
    stage.settings.voice_mode = VoiceMode::Mono;
    stage.bounce(4000, &[at(0, on(60)), at(1000, on(64)), at(2000, on(67))]);
    stage.bounce(4000, &[at(0, off(60)), at(100, off(67)), at(200, off(64))]);
    stage.bounce(4 * RATE_HZ as usize, &[]);
    let mut keys: Vec<u8> = stage.ends.iter().filter_map(|(_, address)| address.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [60, 60, 64, 64, 67]);
}

#[test]
fn a_key_that_kept_its_voice_through_a_change_of_mode_is_not_played_by_a_second() {
    for mode in [VoiceMode::Mono, VoiceMode::Legato] {
        let mut stage = stage(mode);
        stage.bounce(4000, &[at(0, on(60))]);
        stage.settings.voice_mode = VoiceMode::Poly;
        stage.bounce(4000, &[at(0, on(64))]);
        stage.settings.voice_mode = mode;
        stage.bounce(4000, &[at(0, on(67))]);
        stage.bounce(4000, &[at(0, off(67))]);
        assert_eq!(stage.meters.voices(), 1, "{mode:?}: key 60 sounds on");
        stage.bounce(12_000, &[at(0, off(60)), at(100, off(64))]);
        let mut keys: Vec<u8> = stage.ends.iter().filter_map(|(_, address)| address.key).collect();
        keys.sort_unstable();
        assert_eq!(keys, [60, 64, 67], "{mode:?}");
    }
}
