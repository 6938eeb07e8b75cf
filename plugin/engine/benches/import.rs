//! What importing costs: a recorded note of four seconds, on one thread, from the file to the sound's file.

use std::sync::atomic::AtomicBool;

use betwixt_engine::audio_file;
use betwixt_engine::encode::{Hints, Label, encode_file};
use betwixt_engine::model::Model;
use betwixt_engine::pitch_detect;
use betwixt_engine::recorded_note::RecordedNote;
use betwixt_engine::resources::Resources;
use betwixt_engine::runtime::provider::DeviceChoice;
use criterion::{Criterion, criterion_group, criterion_main};

/// A held note in stereo at 44.1 kHz, 24 bits.
fn record(file: &std::path::Path) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    for i in 0..4 * 44_100 {
        let t = f64::from(i) / 44_100.0;
        let shape = (t / 0.02).min(1.0) * ((4.0 - t) / 0.2).min(1.0);
        let partials: f64 = (1..12)
            .map(|k| (std::f64::consts::TAU * 220.0 * f64::from(k) * t).sin() / f64::from(k))
            .sum();
        for _ in 0..2 {
            writer
                .write_sample((0.2 * shape * partials * f64::from(1 << 23)) as i32)
                .unwrap();
        }
    }
    writer.finalize().unwrap();
}

fn import(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("note.wav");
    record(&recording);
    let model = Resources::find().and_then(|found| found.model("spectral"));
    let model = Model::load(&model.unwrap(), DeviceChoice::Cpu).unwrap();
    let mut encoder = model.encoder().unwrap();
    let cancel = AtomicBool::new(false);
    let mut group = c.benchmark_group("a recorded note of 4 s");
    group.sample_size(10);
    group.bench_function("import", |b| {
        b.iter(|| {
            let label = Label::default();
            let encoded = encode_file(
                &mut encoder,
                &model.tag(),
                &recording,
                Hints::default(),
                label,
                &mut |_| {},
                &cancel,
            );
            encoded
                .unwrap()
                .sound
                .write(&folder.path().join("note.sound"))
                .unwrap();
        });
    });
    group.bench_function("read", |b| {
        b.iter(|| audio_file::read(&recording, 48_000).unwrap())
    });
    let samples = audio_file::read(&recording, 48_000).unwrap().samples;
    group.bench_function("find the note", |b| {
        b.iter(|| RecordedNote::find(&samples, 48_000, false).unwrap());
    });
    group.bench_function("find the pitch", |b| {
        b.iter(|| pitch_detect::detect(&samples, 48_000).unwrap())
    });
    group.finish();
}

criterion_group!(benches, import);
criterion_main!(benches);
