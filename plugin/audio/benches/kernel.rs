//! What a second of a note costs in the synthesis kernel.

use betwixt_audio::partials::{PartialsFrames, PartialsLayout, PartialsSynth};
use criterion::{Criterion, criterion_group, criterion_main};

const RATE_HZ: u32 = 48_000;
const HOP: usize = 512;
const FRAMES: usize = 94;

/// The shipped model's layout: half-harmonic slots to 16, harmonics to 64, 32 groups to 400, 64 noise bands.
fn layout() -> PartialsLayout {
    let mut group_edges: Vec<u32> = (0..=32)
        .map(|g| (65.0 * (401.0f64 / 65.0).powf(f64::from(g) / 32.0)).round() as u32)
        .collect();
    group_edges.dedup();
    let noise = (0..64).map(|i| 24_000.0 * i as f32 / 63.0);
    PartialsLayout {
        slots: (1..=32)
            .map(|i| i as f32 / 2.0)
            .chain((17..=64).map(|h| h as f32))
            .collect(),
        group_edges,
        noise_edges_hz: std::iter::once(0.0)
            .chain(noise)
            .chain(std::iter::once(24_000.0))
            .collect(),
        hop_samples: HOP,
        sample_rate_hz: RATE_HZ,
    }
}

fn kernel(criterion: &mut Criterion) {
    let synth = PartialsSynth::new(layout()).unwrap();
    let (columns, slots, bands) = (
        synth.layout().columns(),
        synth.layout().slots.len(),
        synth.layout().bands(),
    );
    let amplitude_db = vec![-40.0; FRAMES * columns];
    let deviation = vec![0.001; FRAMES * slots];
    let cents = vec![3.0; FRAMES];
    let noise_db = vec![-70.0; FRAMES * bands];
    let frames = PartialsFrames {
        amplitude_db: &amplitude_db,
        deviation: &deviation,
        cents: &cents,
        noise_db: &noise_db,
    };
    let mut scratch = synth.scratch();
    for key in [36u8, 60, 84] {
        let pitch = vec![f32::from(key); FRAMES];
        let mut state = synth.begin(1);
        let mut out = vec![0.0; synth.samples(&state, FRAMES)];
        synth
            .render(&mut state, &mut scratch, &frames, &pitch, &mut out)
            .unwrap();
        let mut out = vec![0.0; synth.samples(&state, FRAMES)];
        // 94 frames are 1.003 s: the time in ms is tenths of a percent of real time.
        criterion.bench_function(
            &format!("kernel: 1 s of MIDI key {key}, every partial on"),
            |bencher| {
                bencher.iter(|| {
                    synth
                        .render(&mut state, &mut scratch, &frames, &pitch, &mut out)
                        .unwrap()
                });
            },
        );
    }
}

criterion_group!(benches, kernel);
criterion_main!(benches);
