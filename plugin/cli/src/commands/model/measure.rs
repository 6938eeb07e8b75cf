//! Measuring a model: how long decoding and encoding take, and whether chunks are the whole note.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use betwixt_engine::decoder::{Decoder, DecoderFormat, NoteStart, Run, Snapshot};
use betwixt_engine::note_render::{BlendedNote, NoteRender};

/// Audio in a whole note, and in one to be encoded.
pub const NOTE_SECONDS: f64 = 4.0;
/// The best of so many rounds counts.
const ROUNDS: usize = 3;
/// Length of a round: systems count a thread's time on a core in steps of some milliseconds.
const ROUND: Duration = Duration::from_millis(300);

/// Time of one call of `work`, which is called as often as fills a round: that of the best round.
pub fn best_round(mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    // A first call may be slow, or interrupted: the fastest of some tells how many fill a round.
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work()?;
        fastest = fastest.min(start.elapsed());
    }
    let calls = ROUND.as_nanos() / fastest.as_nanos().max(1) + 1;
    let calls = u32::try_from(calls).unwrap_or(u32::MAX);
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let clock = Clock::start();
        for _ in 0..calls {
            work()?;
        }
        best = best.min(clock.time() / calls);
    }
    Ok(best)
}

/// The time from the start of a note to its first chunk.
pub fn first_chunk(decoder: &mut dyn Decoder, note: &BlendedNote, pitch: f32) -> anyhow::Result<Duration> {
    let mut samples = vec![0.0; decoder.format().chunk_samples];
    best_round(|| {
        let mut state = begin(decoder, pitch);
        render(decoder, &mut state, note, &mut samples)
    })
}

/// Chunks of a whole note.
pub fn whole_chunks(format: DecoderFormat) -> usize {
    let samples = NOTE_SECONDS * f64::from(format.sample_rate_hz);
    (samples / format.chunk_samples as f64).ceil() as usize
}

/// Seconds of audio in a second, all notes in the same runs of so many chunks.
pub fn fixed_runs(
    decoder: &mut dyn Decoder,
    notes: &[(&BlendedNote, f32)],
    chunks: usize,
) -> anyhow::Result<f64> {
    let format = decoder.format();
    let mut samples = vec![vec![0.0; chunks * format.chunk_samples]; notes.len()];
    let mut seconds = 0.0;
    let time = best_round(|| {
        let mut states: Vec<Snapshot> = notes.iter().map(|(_, pitch)| begin(decoder, *pitch)).collect();
        let mut rendered = 0;
        while (rendered as f64) < NOTE_SECONDS * f64::from(format.sample_rate_hz) {
            let mut runs: Vec<Run<'_>> = states
                .iter_mut()
                .zip(&mut samples)
                .zip(notes)
                .map(|((note, samples), (conditioning, _))| Run {
                    note,
                    conditioning: *conditioning,
                    samples,
                })
                .collect();
            decoder.render(&mut runs, &AtomicBool::new(false))?;
            rendered += chunks * format.chunk_samples;
        }
        seconds = notes.len() as f64 * rendered as f64 / f64::from(format.sample_rate_hz);
        Ok(())
    })?;
    Ok(seconds / time.as_secs_f64())
}

/// Seconds of audio in a second, by the schedule of runs that the plugin has.
pub fn as_played(
    decoder: &mut dyn Decoder,
    format: DecoderFormat,
    note: &BlendedNote,
) -> anyhow::Result<f64> {
    let mut seconds = 0.0;
    let time = best_round(|| {
        let mut note = NoteRender::new(note.clone(), 1, format);
        let mut rendered = 0;
        while (rendered as f64) < NOTE_SECONDS * f64::from(format.sample_rate_hz) {
            rendered += note.next_run(decoder, &AtomicBool::new(false))?.len();
        }
        seconds = rendered as f64 / f64::from(format.sample_rate_hz);
        Ok(())
    })?;
    Ok(seconds / time.as_secs_f64())
}

/// How far a note rendered by the chunk is from the note rendered at once: the largest difference against the largest
/// sample. None if they are the same to the bit.
pub fn chunks_against_whole(
    decoder: &mut dyn Decoder,
    format: DecoderFormat,
    note: &BlendedNote,
    pitch: f32,
) -> anyhow::Result<Option<f64>> {
    let chunk_samples = format.chunk_samples;
    let mut whole = vec![0.0; whole_chunks(format) * chunk_samples];
    let mut chunked = whole.clone();
    let mut state = begin(decoder, pitch);
    render(decoder, &mut state, note, &mut whole)?;
    let mut state = begin(decoder, pitch);
    for chunk in chunked.chunks_mut(chunk_samples) {
        render(decoder, &mut state, note, chunk)?;
    }
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0_f32, |most, x| most.max(x.abs()));
    let difference = largest(&mut whole.iter().zip(&chunked).map(|(a, b)| a - b));
    let peak = largest(&mut whole.iter().copied());
    Ok((difference > 0.0).then(|| 20.0 * f64::from(difference / peak).log10()))
}

fn begin(decoder: &dyn Decoder, pitch: f32) -> Snapshot {
    decoder.begin(NoteStart {
        seed: 1,
        pitch,
        temperature: 1.0,
    })
}

fn render(
    decoder: &mut dyn Decoder,
    state: &mut Snapshot,
    note: &BlendedNote,
    samples: &mut [f32],
) -> anyhow::Result<()> {
    Ok(decoder.render(
        &mut [Run {
            note: state,
            conditioning: note,
            samples,
        }],
        &AtomicBool::new(false),
    )?)
}

struct Clock {
    start: Instant,
    core_start: Option<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            core_start: core_time(),
        }
    }

    /// Core time, where the system tells it, or elapsed time.
    fn time(&self) -> Duration {
        let core = core_time().zip(self.core_start).map(|(now, start)| now - start);
        core.unwrap_or_else(|| self.start.elapsed())
    }
}

/// Time that this thread has spent on a core, where the system tells.
fn core_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace()
        .next()?
        .parse()
        .ok()
        .map(Duration::from_nanos)
}
