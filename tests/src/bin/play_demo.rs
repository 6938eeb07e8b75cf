//! `play-demo`: a host process that plays twenty seconds through the built plugin and writes down what it took.
//!
//! The phrase is played twice, each time in a process of its own, so that neither finds the other's rendered
//! notes: as fast as it goes, which gives the recording and the speed, and at the pace of a sound card, which
//! gives the underruns.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use betwixt_engine::whole_file;
use betwixt_tests::instance::Instance;
use betwixt_tests::plugin::Plugin;
use betwixt_tests::process;
use betwixt_tests::recording::{Pace, Recording};
use betwixt_tests::score::{Score, ScoreEvent};
use clack_extensions::render::RenderMode;
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

const RATE_HZ: f64 = 48_000.0;
/// What a producer's sound card is set to.
const BLOCK: usize = 256;
/// Eight bars of four beats.
const PHRASE_S: f64 = 20.0;
const BEAT_S: f64 = 0.625;
/// Releases after the last bar.
const TAIL_S: f64 = 1.5;
/// The automation's resolution.
const AUTOMATION_STEP_S: f64 = 0.01;
/// A model that takes longer to load before live playing does not come.
const LOADING_LIMIT: Duration = Duration::from_secs(30);

/// Plays a phrase with a moving blend through the built plugin.
#[derive(Debug, Parser)]
struct Arguments {
    /// The CLAP plugin.
    #[arg(long)]
    clap: PathBuf,
    /// The recording, 32-bit float stereo.
    #[arg(long)]
    out: PathBuf,
    /// The figures, as JSON.
    #[arg(long)]
    report: PathBuf,
    /// Play one way only, in this process.
    #[arg(long)]
    only: Option<Way>,
}

/// A way of playing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// As fast as it goes.
    Offline,
    /// At a sound card's pace.
    Live,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let report = match arguments.only {
        Some(way) => play(&arguments.clap, way, &arguments.out)?,
        None => both(&arguments)?,
    };
    write_whole(
        &arguments.report,
        serde_json::to_string_pretty(&report)?.as_bytes(),
    )
}

/// Plays both ways, each in a child process, and joins their figures.
fn both(arguments: &Arguments) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let run = |way: Way, wav: &Path| -> Result<Value> {
        let report = folder.path().join("report.json");
        let mut child = Command::new(std::env::current_exe()?);
        child
            .arg("--clap")
            .arg(&arguments.clap)
            .arg("--out")
            .arg(wav)
            .arg("--report")
            .arg(&report);
        child
            .arg("--only")
            .arg(way.to_possible_value().context("each way has a name")?.get_name());
        let status = child
            .status()
            .context("the host could not start itself a second time")?;
        ensure!(status.success(), "playing {way:?} failed: {status}");
        Ok(serde_json::from_slice(&std::fs::read(report)?)?)
    };
    println!("Playing {PHRASE_S} s as fast as it goes …");
    let mut report = run(Way::Offline, &arguments.out)?;
    println!("Playing it again at the pace of a sound card …");
    let live = run(Way::Live, &folder.path().join("live.wav"))?;
    let peak = |report: &Value| report["peak_memory_bytes"].as_u64().unwrap_or_default();
    report["peak_memory_bytes"] = peak(&report).max(peak(&live)).into();
    report["underruns"] = live["underruns"].clone();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "not known".to_owned(),
        other => other.to_string(),
    };
    let milliseconds = |value: &Value| format!("{:.2} ms", value.as_f64().unwrap_or_default());
    report["rows"] = json!([
        ["notes played", text(&report["notes_played"])],
        ["model", text(&report["model"])],
        ["device", text(&report["device"])],
        ["live: notes rendered", text(&live["notes_rendered"])],
        [
            format!(
                "live: longest of {} blocks of {:.2} ms",
                live["blocks"],
                BLOCK as f64 / RATE_HZ * 1000.0
            ),
            milliseconds(&live["longest_block_ms"])
        ],
        ["live: blocks that took too long", text(&live["blocks_too_long"])],
        [
            "live: times a moving blend was followed coarsely",
            text(&live["degraded"])
        ],
    ]);
    Ok(report)
}

/// Plays the phrase in this process.
fn play(clap: &Path, way: Way, wav: &Path) -> Result<Value> {
    let plugin = Plugin::load(clap)?;
    let mut instance = plugin.instance()?;
    let score = phrase(&instance)?;
    if way == Way::Offline {
        instance.set_render_mode(RenderMode::Offline)?;
    }
    let started = Instant::now();
    instance.activate(RATE_HZ, BLOCK)?;
    if way == Way::Live {
        wait_for_model(&plugin, &mut instance)?;
    }
    let pace = match way {
        Way::Offline => Pace::Unlimited,
        Way::Live => Pace::SoundCard,
    };
    let recording = Recording::of(&mut instance, &score, BLOCK, pace)?;
    let took_s = started.elapsed().as_secs_f64();
    let status = plugin.status()?;
    let longest = recording.block_times.iter().max().copied().unwrap_or_default();
    let block_s = BLOCK as f64 / RATE_HZ;
    let too_long = recording
        .block_times
        .iter()
        .filter(|time| time.as_secs_f64() > block_s)
        .count();
    write_wav(wav, &recording)?;
    let peak = recording
        .left
        .iter()
        .chain(&recording.right)
        .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    ensure!(peak > 0.0, "the plugin was silent; it says: {status}");
    Ok(json!({
        "plugin": format!("{} {}", plugin.name(), plugin.version()),
        "model": status["model"],
        "device": status["device"],
        "notes_played": score.notes(),
        "notes_rendered": status["notes_rendered"],
        "realtime_factor": score.length_samples() as f64 / RATE_HZ / took_s,
        "underruns": status["underruns"],
        "degraded": status["degraded"],
        "peak_memory_bytes": process::peak_resident_bytes()?,
        "peak_amplitude": peak,
        "blocks": recording.block_times.len(),
        "blocks_too_long": too_long,
        "longest_block_ms": 1000.0 * longest.as_secs_f64(),
        "blend_path": blend_path().into_iter().map(|(time_s, x, y)| [time_s, x, y]).collect::<Vec<_>>(),
    }))
}

/// Runs silent blocks at a sound card's pace until the model is there, as a DAW does between loading a project
/// and the first key.
fn wait_for_model(plugin: &Plugin, instance: &mut Instance) -> Result<()> {
    let silence = Score::new(RATE_HZ, 0.1);
    let started = Instant::now();
    loop {
        Recording::of(instance, &silence, BLOCK, Pace::SoundCard)?;
        let status = plugin.status()?;
        match status["model_state"].as_str() {
            Some("ready") => return Ok(()),
            Some("failed") => bail!("the plugin has no model: {}", status["why"]),
            _ => {}
        }
        ensure!(
            started.elapsed() < LOADING_LIMIT,
            "the model does not load: {status}"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

/// Where the blend is: once round the pad, from the left, by way of the top. Seconds, x, y.
fn blend_path() -> Vec<(f64, f64, f64)> {
    let steps = (PHRASE_S / AUTOMATION_STEP_S) as usize;
    (0..=steps)
        .map(|step| {
            let angle = std::f64::consts::TAU * step as f64 / steps as f64;
            (
                step as f64 * AUTOMATION_STEP_S,
                0.5 - 0.48 * angle.cos(),
                0.5 + 0.48 * angle.sin(),
            )
        })
        .collect()
}

/// Eight bars in A minor: bass, chords, a tune over them, and under the held notes the blend once round the pad.
fn phrase(instance: &Instance) -> Result<Score> {
    const BARS: [(u16, [u16; 4]); 8] = [
        (45, [57, 60, 64, 71]),
        (41, [57, 60, 64, 69]),
        (48, [55, 60, 64, 67]),
        (43, [55, 59, 62, 69]),
        (45, [57, 60, 64, 71]),
        (41, [53, 57, 60, 64]),
        (50, [57, 60, 65, 69]),
        (40, [56, 59, 62, 68]),
    ];
    // Beat, key, length in beats.
    const TUNE: [(f64, u16, f64); 31] = [
        (0.0, 76, 1.5),
        (1.5, 74, 0.5),
        (2.0, 72, 1.0),
        (3.0, 71, 1.0),
        (4.0, 72, 2.0),
        (6.0, 69, 1.0),
        (7.0, 72, 1.0),
        (8.0, 79, 1.5),
        (9.5, 76, 0.5),
        (10.0, 74, 1.0),
        (11.0, 72, 1.0),
        (12.0, 74, 3.0),
        (15.0, 71, 0.5),
        (15.5, 74, 0.5),
        (16.0, 76, 1.0),
        (17.0, 79, 1.0),
        (18.0, 81, 1.5),
        (19.5, 79, 0.5),
        (20.0, 77, 1.0),
        (21.0, 76, 1.0),
        (22.0, 72, 2.0),
        (24.0, 74, 0.5),
        (24.5, 76, 0.5),
        (25.0, 77, 1.0),
        (26.0, 81, 1.0),
        (27.0, 77, 1.0),
        (28.0, 76, 1.0),
        (29.0, 74, 1.0),
        (30.0, 71, 0.5),
        (30.5, 68, 0.5),
        (31.0, 71, 1.0),
    ];
    let mut score = Score::new(RATE_HZ, PHRASE_S + TAIL_S);
    let (x_id, y_id) = (
        instance.parameter("Blend X")?.id,
        instance.parameter("Blend Y")?.id,
    );
    for (time_s, x, y) in blend_path() {
        let at_sample = score.sample_at(time_s);
        score.add(at_sample, ScoreEvent::Parameter { id: x_id, value: x });
        score.add(at_sample, ScoreEvent::Parameter { id: y_id, value: y });
    }
    for (bar, (bass, chord)) in BARS.into_iter().enumerate() {
        let start_s = 4.0 * BEAT_S * bar as f64;
        for (beat, key) in [(0.0, bass), (1.5, bass + 12), (2.0, bass), (3.5, bass + 7)] {
            score.note(key, 0.75, start_s + beat * BEAT_S, 0.45 * BEAT_S);
        }
        for key in chord {
            score.note(key, 0.4, start_s, 3.9 * BEAT_S);
        }
    }
    for (beat, key, beats) in TUNE {
        score.note(key, 0.7, beat * BEAT_S, 0.95 * beats * BEAT_S);
    }
    Ok(score)
}

fn write_wav(path: &Path, recording: &Recording) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: RATE_HZ as u32,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
    for (&left, &right) in recording.left.iter().zip(&recording.right) {
        writer.write_sample(left)?;
        writer.write_sample(right)?;
    }
    writer.finalize()?;
    write_whole(path, bytes.get_ref())
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    whole_file::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
