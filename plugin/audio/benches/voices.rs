//! What 64 held voices cost in blocks of 128: the time of an iteration over 8192 is the time a voice and sample.

use betwixt_audio::event::{Event, EventKind, NoteAddress};
use betwixt_audio::instrument::Instrument;
use betwixt_audio::link::{ToAudio, link};
use betwixt_audio::note::{NoteKey, Part, PatchId, PatchView, Strike};
use betwixt_audio::rendered_note::RenderedNote;
use betwixt_audio::settings::Settings;
use betwixt_audio::timbre::Timbre;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const VOICES: u8 = 64;
const BLOCK: usize = 128;
const CHUNK: usize = 1024;
const SECONDS: usize = 30;

fn voices(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("64 voices, block of 128");
    group.throughput(Throughput::Elements(u64::from(VOICES) * BLOCK as u64));
    for (name, host_hz, bend) in [
        ("48 kHz, at the notes' own pitch", 48_000.0, 0.0),
        ("48 kHz, bent by 30 cents", 48_000.0, 0.3),
        ("44.1 kHz", 44_100.0, 0.0),
        ("96 kHz", 96_000.0, 0.0),
    ] {
        let (audio, mut scheduler) = link();
        let mut instrument = Instrument::new(audio, Default::default());
        instrument.prepare(host_hz);
        scheduler
            .send(ToAudio::Patch(PatchView::plain(PatchId(1))))
            .unwrap();
        for key in 0..VOICES {
            let key = NoteKey {
                patch: PatchId(1),
                strike: Strike::with(Timbre::default()),
                part: Part::Mid,
                pitch_cents: i32::from(key + 30) * 100,
            };
            let (mut writer, note) = RenderedNote::new(key, CHUNK, SECONDS * 48_000 / CHUNK, 48_000);
            while !writer.is_full() {
                writer
                    .push((0..CHUNK).map(|n| (n as f32 * 0.1).sin() * 0.1).collect())
                    .unwrap();
            }
            writer.finish();
            scheduler.send(ToAudio::Grant(note)).unwrap();
        }
        let mut strike = vec![Event {
            offset_samples: 0,
            kind: EventKind::PitchBend {
                channel: 0,
                semitones: bend,
            },
        }];
        strike.extend((0..VOICES).map(|key| Event {
            offset_samples: 0,
            kind: EventKind::NoteOn {
                address: NoteAddress::midi(0, key + 30),
                velocity: 0.8,
            },
        }));
        let settings = Settings::default();
        let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        let mut block = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                // Strikes the chord anew before the notes end.
                let restart = block % 7000 == 0;
                if restart {
                    instrument.reset();
                }
                block += 1;
                let events = if restart { &strike[..] } else { &[] };
                instrument.process(&mut left, &mut right, events, &settings, None, &mut |_| {})
            });
        });
    }
    group.finish();
}

criterion_group!(benches, voices);
criterion_main!(benches);
