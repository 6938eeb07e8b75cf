//! Held notes with the shipped model: the blend sweeps over the pad, or nothing moves for ten minutes.

use betwixt_engine::automation_curve::AutomationCurve;
use betwixt_engine::engine::EngineOptions;
use betwixt_engine::parameter::{Parameter, ParameterKind};

use crate::stage::{engine, left, patch, patch_of_recordings, play, score};

const RATE_HZ: u32 = 48_000;

fn curve(text: &str) -> AutomationCurve {
    AutomationCurve::from_bytes(text.as_bytes()).unwrap()
}

/// What a smooth signal does not explain of each sample: its distance from the value that band-limited interpolation between
/// the samples around it gives, for what lies under a quarter of the rate.
fn unexplained(samples: &[f32]) -> Vec<f32> {
    const REACH: i64 = 31;
    let taps: Vec<(usize, f64)> = (1..=REACH)
        .step_by(2)
        .map(|n| {
            let x = n as f64 / 2.0;
            let window = (std::f64::consts::PI * n as f64 / (2.0 * (REACH as f64 + 2.0)))
                .cos()
                .powi(2);
            let sinc = (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x);
            (n as usize, sinc * window)
        })
        .collect();
    let sum: f64 = 2.0 * taps.iter().map(|(_, tap)| tap).sum::<f64>();
    let reach = REACH as usize;
    (reach..samples.len() - reach)
        .map(|at| {
            let between: f64 = taps
                .iter()
                .map(|(n, tap)| tap * f64::from(samples[at - n] + samples[at + n]))
                .sum();
            (f64::from(samples[at]) - between / sum) as f32
        })
        .collect()
}

fn peak_db(samples: &[f32]) -> f32 {
    20.0 * samples.iter().fold(1e-9f32, |peak, s| peak.max(s.abs())).log10()
}

/// The whole pad in ten seconds: along each edge and over both diagonals.
fn sweep() -> Vec<(Parameter, AutomationCurve)> {
    vec![
        (
            Parameter::BlendX,
            curve("0,0\n1,0\n3,1\n5,1\n7,0\n9,1\n11,0\n12,0"),
        ),
        (
            Parameter::BlendY,
            curve("0,0\n1,0\n3,0\n5,1\n7,1\n9,0\n11,1\n12,1"),
        ),
    ]
}

#[test]
fn a_sine_swept_over_the_whole_pad_shows_no_step() {
    // Sines recorded at four levels and with four ways of trembling: whatever is between them is smooth.
    let sines = [(1.0, 0.0), (0.5, 4.0), (0.25, 6.5), (0.8, 2.0)].map(|(level, tremble_hz)| {
        let sample = |n| {
            let t = n as f32 / RATE_HZ as f32;
            let swell = 1.0 + 0.2 * (std::f32::consts::TAU * tremble_hz * t).sin();
            let rise = (t / 0.02).min(1.0) * ((4.0 - t) / 0.3).min(1.0);
            0.4 * level * swell * rise * (std::f32::consts::TAU * 440.0 * t).sin()
        };
        (0..4 * RATE_HZ).map(sample).collect()
    });
    let patch = patch_of_recordings(&sines, 69.0);
    let engine = engine(EngineOptions::default());
    let mut score = score(&[(69, 0.0, 12.0)], 12.0);
    let still = left(&play(&engine, patch.clone(), score.clone(), RATE_HZ, 480).0);
    score.automation = sweep();
    let swept = left(&play(&engine, patch, score, RATE_HZ, 480).0);
    let body = |samples: &[f32]| unexplained(&samples[24_000..11 * RATE_HZ as usize]);
    let (still, swept) = (peak_db(&body(&still)), peak_db(&body(&swept)));
    eprintln!("sine: unexplained {swept:.1} dBFS swept, {still:.1} dBFS still");
    assert!(swept < -70.0, "{swept} dBFS; still {still} dBFS");
}

#[test]
fn a_flute_swept_to_its_neighbours_has_no_step_that_it_has_not_at_rest() {
    let patch = patch(["flute.sound", "clarinet.sound", "flute.sound", "clarinet.sound"].map(Some));
    let engine = engine(EngineOptions::default());
    let mut score = score(&[(72, 0.0, 12.0)], 12.0);
    let body = |samples: &[f32]| peak_db(&unexplained(&samples[24_000..11 * RATE_HZ as usize]));
    // At rest in both sounds and between them: breath is noise, noise has steps, and the blend has more of it than either.
    let rests = [0.0, 0.25, 0.5, 0.75, 1.0].map(|x| {
        let mut score = score.clone();
        score.settings.blend.x = x;
        body(&left(&play(&engine, patch.clone(), score, RATE_HZ, 480).0))
    });
    score.automation = sweep();
    let swept = body(&left(&play(&engine, patch, score, RATE_HZ, 480).0));
    let rest = rests.into_iter().fold(f32::MIN, f32::max);
    eprintln!("flute: unexplained {swept:.1} dBFS swept, {rests:.1?} dBFS at rest");
    let beyond = 20.0
        * (10f32.powf(swept / 20.0) - 10f32.powf(rest / 20.0))
            .max(1e-9)
            .log10();
    assert!(
        beyond < -70.0,
        "{beyond} dBFS beyond what it has at rest ({rest} dBFS)"
    );
}

/// The frequency of a partial near `hz`, in cents from it, by its phase over a second.
fn cents_from(samples: &[f32], hz: f64) -> f64 {
    let phase = |from: usize, length: usize| {
        let (mut re, mut im) = (0.0, 0.0);
        for n in 0..length {
            let hann = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / length as f64).cos();
            let (sin, cos) = (std::f64::consts::TAU * hz / f64::from(RATE_HZ) * (from + n) as f64).sin_cos();
            re += hann * f64::from(samples[from + n]) * cos;
            im -= hann * f64::from(samples[from + n]) * sin;
        }
        im.atan2(re) / std::f64::consts::TAU
    };
    let (length, hop) = (4800, 480);
    let mut turned = 0.0;
    let mut last = phase(0, length);
    let hops = (samples.len() - length) / hop;
    for i in 1..=hops {
        let next = phase(i * hop, length);
        let step = next - last;
        turned += step - step.round();
        last = next;
    }
    let off_hz = turned * f64::from(RATE_HZ) / (hops * hop) as f64;
    1200.0 * ((hz + off_hz) / hz).log2()
}

#[test]
fn a_note_held_for_ten_minutes_keeps_its_pitch_and_level_without_a_click() {
    const MINUTES: usize = 10;
    let engine = engine(EngineOptions::default());
    let seconds = 60.0 * MINUTES as f64;
    let patch = patch(["flute.sound", "flute.sound", "flute.sound", "flute.sound"].map(Some));
    let samples = left(
        &play(
            &engine,
            patch,
            score(&[(69, 0.0, seconds)], seconds),
            RATE_HZ,
            4800,
        )
        .0,
    );
    let rate = RATE_HZ as usize;
    // Ten seconds at a time, each with whole swings of the loop and of the seeded movement in it.
    let parts: Vec<&[f32]> = samples[10 * rate..60 * MINUTES * rate - rate]
        .chunks_exact(10 * rate)
        .collect();
    let cents: Vec<f64> = parts.iter().map(|part| cents_from(part, 440.0)).collect();
    let level_db = |part: &&[f32]| {
        10.0 * (part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64).log10()
    };
    let levels: Vec<f64> = parts.iter().map(level_db).collect();
    let spread = |values: &[f64]| {
        let (low, high) = values
            .iter()
            .fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
        high - low
    };
    let clicks: Vec<f32> = parts.iter().map(|part| peak_db(&unexplained(part))).collect();
    let (first, loudest) = (clicks[0], clicks.iter().copied().fold(f32::MIN, f32::max));
    eprintln!(
        "held: pitch within {:.3} cents, level within {:.2} dB, unexplained {first:.1} to {loudest:.1} dBFS",
        spread(&cents),
        spread(&levels)
    );
    assert!(spread(&cents) < 1.0, "{cents:?}");
    assert!(spread(&levels) < 1.0, "{levels:?}");
    assert!(loudest < first + 3.0, "{clicks:?}");
}

#[test]
fn thirty_two_bars_with_automation_of_everything_do_not_depend_on_blocks() {
    let engine = engine(EngineOptions::default());
    let patch = patch(["flute.sound", "violin.sound", "marimba.sound", "clarinet.sound"].map(Some));
    // 32 bars of 4/4 at 120 bpm: a chord a bar, and a line over it.
    let mut notes = Vec::new();
    for bar in 0..32 {
        let (at, root) = (2.0 * f64::from(bar), 45 + [0, 5, 7, 3][bar as usize % 4]);
        notes.extend([0, 7, 16].map(|step| (root + step, at, at + 1.9)));
        notes.extend([0u8, 1, 2].map(|i| {
            (
                root + 24 + 2 * i,
                at + 0.5 * f64::from(i),
                at + 0.5 * f64::from(i) + 0.4,
            )
        }));
    }
    let mut score = score(&notes, 64.0);
    score.automation = Parameter::ALL
        .into_iter()
        .enumerate()
        .map(|(index, parameter)| {
            let (low, high) = parameter.range();
            let default = parameter.default();
            let (a, b) = match parameter.kind() {
                // Between the default and a part of the way to each end; long times stay short.
                ParameterKind::Continuous => {
                    (default + 0.25 * (low - default), default + 0.1 * (high - default))
                }
                // Every switch is on for a while, and every choice goes through all there is.
                ParameterKind::Switch | ParameterKind::Choice(_) => (low, high),
            };
            let period = 3.0 + index as f64 * 0.7;
            let text: Vec<String> = (0..=(64.0 / period) as usize)
                .map(|i| format!("{},{}", i as f64 * period, if i % 2 == 0 { a } else { b }))
                .collect();
            (parameter, curve(&text.join("\n")))
        })
        .collect();
    for rate_hz in [44_100, 48_000, 96_000] {
        let whole = play(&engine, patch.clone(), score.clone(), rate_hz, 2048);
        assert_eq!(whole.1.underruns, 0);
        for block in [32, 333] {
            let other = play(&engine, patch.clone(), score.clone(), rate_hz, block);
            assert!(whole.0 == other.0, "{rate_hz} Hz, blocks of {block}");
        }
    }
}
