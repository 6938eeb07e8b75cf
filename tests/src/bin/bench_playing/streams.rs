//! How many held voices follow a blend that never rests, in real time.
//!
//! The whole process, audio thread, scheduler and workers, is kept to as many cores as there are workers.

use std::f32::consts::TAU;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;
use betwixt_audio::blend::Blend;
use betwixt_tests::factory;

use crate::clock;
use crate::figure::Figure;
use crate::live::{self, Player, SoundCard};

/// Once round the pad.
const ROUND_SECONDS: f32 = 10.0;
/// Until the notes are there and all voices stream.
const WARM_UP_SECONDS: f64 = 3.0;
/// Of each try when the most voices are looked for, and of the longer blocks.
const TRY_SECONDS: f64 = 5.0;
const TRIES: [u8; 10] = [4, 8, 12, 16, 20, 24, 32, 40, 48, 64];
const LOWEST_KEY: u8 = 36;

/// Workers, and the voices that they are to keep up with.
const GOALS: [(usize, u8); 2] = [(1, 16), (2, 32)];
/// Blocks that sound cards ask for.
const BLOCKS: [usize; 3] = [live::BLOCK, 512, 1024];

/// What a run showed.
#[derive(Debug, Clone)]
struct Run {
    underruns: u64,
    /// From the strike on: a voice that stays at a coarse blend counts once.
    degraded: u64,
    fewest_streams: u32,
    /// How well the sound card was kept up with.
    kept_up: String,
    cores_used: f64,
}

/// The goals' numbers of voices for `seconds`, and how many it can be, on one core and two.
pub fn measure(seconds: f64, search: bool) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    for (workers, voices) in GOALS {
        if workers > cores {
            continue;
        }
        let kept = keep_to(workers);
        let on = format!("on {workers} core{}", if workers == 1 { "" } else { "s" });
        let on = if kept { on } else { format!("{on} (workers only)") };
        for block in BLOCKS {
            // The goals are for the first; the others tell whether longer ones are as good.
            let seconds = if block == live::BLOCK {
                seconds
            } else {
                seconds.min(TRY_SECONDS)
            };
            let run = run(workers, voices, seconds, block)?;
            let detail = format!(
                "{seconds:.0} s, fewest streams {}, {}, {:.2} cores used",
                run.fewest_streams, run.kept_up, run.cores_used
            );
            let name = |what: &str| format!("{voices} moving voices {on}, blocks of {block}, {what}");
            let underruns = Figure::new(name("underruns"), run.underruns as f64, "", detail.clone());
            let degraded = Figure::new(name("degraded"), run.degraded as f64, "times", detail);
            figures.extend([underruns, degraded]);
        }
        if search {
            figures.extend(most(workers, &on)?);
        }
        keep_to(cores);
    }
    Ok(figures)
}

/// The most voices without an underrun, and without a coarser blend.
fn most(workers: usize, on: &str) -> Result<Vec<Figure>> {
    let (mut gapless, mut exact) = (0, None);
    for voices in TRIES {
        let run = run(workers, voices, TRY_SECONDS, live::BLOCK)?;
        if run.degraded > 0 || run.underruns > 0 {
            exact.get_or_insert(gapless);
        }
        if run.underruns > 0 {
            break;
        }
        gapless = voices;
    }
    let exact = exact.unwrap_or(gapless);
    let detail = format!("{TRY_SECONDS:.0} s each of {TRIES:?}");
    Ok(vec![
        Figure::new(
            format!("most moving voices without a gap {on}"),
            gapless.into(),
            "",
            detail.clone(),
        ),
        Figure::new(
            format!("most moving voices at full resolution {on}"),
            exact.into(),
            "",
            detail,
        ),
    ])
}

fn run(workers: usize, voices: u8, seconds: f64, block_samples: usize) -> Result<Run> {
    let engine = live::engine(workers)?;
    let mut player = Player::new(&engine, factory::held_patch()?, block_samples);
    let keys: Vec<_> = (0..voices)
        .map(|voice| live::note_on(LOWEST_KEY + voice % 64))
        .collect();
    let mut card = SoundCard::start(block_samples);
    let (warm, all) = (
        live::blocks(WARM_UP_SECONDS, block_samples),
        live::blocks(WARM_UP_SECONDS + seconds, block_samples),
    );
    let mut fewest_streams = u32::MAX;
    let mut before = (0, None, Instant::now());
    for block in 0..all {
        card.next_block();
        let turn = (block as f32 * block_samples as f32 / live::RATE_HZ as f32 / ROUND_SECONDS).fract();
        let (y, x) = (TAU * turn).sin_cos();
        player.settings.blend = Blend {
            x: 0.5 + 0.5 * x,
            y: 0.5 + 0.5 * y,
        };
        player.block(if block == 0 { &keys } else { &[] });
        if block == warm {
            before = (player.meters.underruns(), clock::process_time(), Instant::now());
        } else if block > warm {
            fewest_streams = fewest_streams.min(player.meters.streams());
        }
    }
    let used = clock::process_time()
        .zip(before.1)
        .map(|(now, then)| now.saturating_sub(then));
    let run = Run {
        underruns: player.meters.underruns() - before.0,
        degraded: player.meters.degraded(),
        fewest_streams,
        kept_up: card.detail(),
        cores_used: used.map_or(f64::NAN, |used| {
            used.as_secs_f64() / before.2.elapsed().as_secs_f64()
        }),
    };
    eprintln!("  {workers} workers, {voices} voices, blocks of {block_samples}: {run:?}");
    player.fall_silent(&mut card)?;
    Ok(run)
}

/// Keeps the threads that this one starts, and itself, to the first so many cores; false where the system does not.
fn keep_to(cores: usize) -> bool {
    let list = format!("0-{}", cores - 1);
    let this = std::process::id().to_string();
    Command::new("taskset")
        .args(["--cpu-list", "--pid", &list, &this])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
