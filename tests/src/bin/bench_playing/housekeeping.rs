//! What the instrument costs when nobody plays: opening it, keeping it, and its memory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use betwixt_audio::event::EventKind;
use betwixt_engine::engine::EngineOptions;
use betwixt_tests::bundle::Bundle;
use betwixt_tests::factory;
use betwixt_tests::plugin::Plugin;

use crate::clock;
use crate::figure::{Figure, median_and_worst};
use crate::live::{self, Player, SoundCard};

const OPENINGS: usize = 9;
const IDLE_INSTANCES: usize = 10;
const KEPT_NOTES: u8 = 16;
const KEPT_SECONDS: f64 = 2.0;

/// The built plugin in a host: scan, instance, project.
pub fn opening() -> Result<Vec<Figure>> {
    let clap = Bundle::built()?.clap();
    let scans = repeat(|| scan(&clap))?;
    let plugin = Plugin::load(&clap)?;
    let mut first = plugin.instance()?;
    let state = first.save_state()?;
    let instances = repeat(|| {
        let began = Instant::now();
        plugin.instance()?;
        Ok(began.elapsed())
    })?;
    let projects = repeat(|| {
        let mut instance = plugin.instance()?;
        let began = Instant::now();
        instance.load_state(&state)?;
        Ok(began.elapsed())
    })?;
    let began = Instant::now();
    first.activate(live::RATE_HZ, live::BLOCK)?;
    let activation = began.elapsed().as_secs_f64() * 1e3;
    let figure = |name: &str, times: &[f64], what: &str| {
        let (median, worst) = median_and_worst(times);
        Figure::new(
            name,
            median,
            "ms",
            format!("median of {OPENINGS}, worst {worst:.2} ms; {what}"),
        )
    };
    Ok(vec![
        figure("a scan", &scans, "a process of its own, load to unload"),
        figure("an instance", &instances, "made and dropped"),
        figure(
            "a project's state",
            &projects,
            &format!("{:.1} kB, four sounds", state.len() as f64 / 1e3),
        ),
        Figure::new(
            "the first activation",
            activation,
            "ms",
            "the model loads in the background",
        ),
    ])
}

/// Milliseconds of each of some tries.
fn repeat(mut once: impl FnMut() -> Result<Duration>) -> Result<Vec<f64>> {
    (0..OPENINGS).map(|_| Ok(once()?.as_secs_f64() * 1e3)).collect()
}

/// What the program `scan`, which lies beside this one, says.
fn scan(clap: &Path) -> Result<Duration> {
    let program: PathBuf =
        std::env::current_exe()?.with_file_name(format!("scan{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program)
        .arg(clap)
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    ensure!(output.status.success(), "{} failed", program.display());
    Ok(Duration::from_micros(
        String::from_utf8_lossy(&output.stdout).trim().parse()?,
    ))
}

/// Memory that a second of rendered notes takes, with all that belongs to it.
pub fn memory() -> Result<Vec<Figure>> {
    let engine = live::engine(EngineOptions::default().workers)?;
    let mut player = Player::new(&engine, factory::held_patch()?, live::BLOCK);
    let mut card = SoundCard::start(live::BLOCK);
    let strikes: Vec<EventKind> = (0..KEPT_NOTES).map(|note| live::note_on(48 + note)).collect();
    for block in 0..live::blocks(KEPT_SECONDS, live::BLOCK) {
        card.next_block();
        player.block(if block == 0 { &strikes } else { &[] });
    }
    player.fall_silent(&mut card)?;
    ensure!(
        engine.settle(Duration::from_secs(5)),
        "the engine does not settle"
    );
    let status = engine.status();
    let seconds = status.rendered_samples as f64 / live::RATE_HZ;
    ensure!(seconds > 0.0 && status.streams == 0, "nothing was kept");
    Ok(vec![Figure::new(
        "memory of a cached second",
        status.cache_bytes as f64 / seconds / 1e3,
        "kB",
        format!(
            "{} notes, {seconds:.0} s, with their checkpoints",
            status.notes_cached
        ),
    )])
}

/// What ten instances that nobody plays take of one core: left alone, and asked for silence by a host.
pub fn idling(seconds: f64) -> Result<Vec<Figure>> {
    let engine = live::engine(EngineOptions::default().workers)?;
    let patch = factory::held_patch()?;
    let mut players: Vec<_> = (0..IDLE_INSTANCES)
        .map(|_| Player::new(&engine, patch.clone(), live::BLOCK))
        .collect();
    // Until the engine has gone to its slow pace.
    thread::sleep(Duration::from_secs(3));
    let used = |work: &mut dyn FnMut()| -> Result<f64> {
        let time = || clock::process_time().context("the system does not tell processor time");
        let (began, before) = (Instant::now(), time()?);
        work();
        Ok((time()? - before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0)
    };
    let alone = used(&mut || thread::sleep(Duration::from_secs_f64(seconds)))?;
    let mut card = SoundCard::start(live::BLOCK);
    let asked = used(&mut || {
        for _ in 0..live::blocks(seconds, live::BLOCK) {
            card.next_block();
            players.iter_mut().for_each(|player| {
                player.block(&[]);
            });
        }
    })?;
    let name = |what: &str| format!("{IDLE_INSTANCES} idle instances, {what}");
    Ok(vec![
        Figure::new(
            name("left alone"),
            alone,
            "%",
            format!("of one core, {seconds:.0} s"),
        ),
        Figure::new(
            name("asked for silence"),
            asked,
            "%",
            format!(
                "of one core, {seconds:.0} s, blocks of {}, with the asking",
                live::BLOCK
            ),
        ),
    ])
}
