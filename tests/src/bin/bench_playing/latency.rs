//! How long a player waits: for the first sample of a note that nobody has rendered, and for a jump of the blend.

use anyhow::{Result, ensure};
use betwixt_audio::blend::Blend;
use betwixt_engine::engine::EngineOptions;
use betwixt_tests::factory;

use crate::figure::{Figure, median_and_worst};
use crate::live::{self, BLOCK, Player, RATE_HZ, SoundCard};

/// Silence before a cold note: the engine has gone to its slow pace by then.
const IDLE_SECONDS: f64 = 2.3;
/// Longest wait.
const PATIENCE_SECONDS: f64 = 2.0;
/// Difference that counts as heard, against the peak before the jump.
const HEARD: f32 = 0.01;
const KEYS: [u8; 5] = [43, 50, 57, 64, 72];
/// The golden ratio's part: its multiples lie evenly in 0 to 1.
const GOLDEN: f64 = 0.618_033_988_75;

/// From the strike of a note that is not in the cache to its first sample.
pub fn cold_note(rounds: u32) -> Result<Vec<Figure>> {
    let engine = live::engine(EngineOptions::default().workers)?;
    let mut player = Player::new(&engine, factory::held_patch()?, BLOCK);
    let mut card = SoundCard::start(BLOCK);
    let mut times_ms = Vec::new();
    for round in 0..rounds {
        for _ in 0..live::blocks(IDLE_SECONDS, BLOCK) {
            card.next_block();
            player.block(&[]);
        }
        // A blend for each, so that no key is ready.
        let even = |step: f64| (f64::from(round + 1) * step).fract() as f32;
        player.settings.blend = Blend {
            x: even(GOLDEN),
            y: even(GOLDEN * GOLDEN),
        };
        let key = 36 + (round * 7 % 48) as u8;
        let mut waited = 0;
        let first = loop {
            card.next_block();
            let strike = [live::note_on(key)];
            player.block(if waited == 0 { &strike } else { &[] });
            if let Some(at) = player.left.iter().position(|sample| *sample != 0.0) {
                break waited * BLOCK + at;
            }
            waited += 1;
            ensure!(
                waited < live::blocks(PATIENCE_SECONDS, BLOCK) as usize,
                "a note never begins"
            );
        };
        times_ms.push(first as f64 / RATE_HZ * 1e3);
        player.fall_silent(&mut card)?;
    }
    let (median, worst) = median_and_worst(&times_ms);
    let detail = format!(
        "{rounds} notes after {IDLE_SECONDS} s of silence, blocks of {BLOCK}, {}",
        card.detail()
    );
    Ok(vec![
        Figure::new(
            "a cold note to its first sample, median",
            median,
            "ms",
            detail.clone(),
        ),
        Figure::new("a cold note to its first sample, worst", worst, "ms", detail),
    ])
}

/// From a jump of a held note's blend to the first sample that differs from a twin's whose blend rests.
pub fn blend_jump(rounds: u32) -> Result<Vec<Figure>> {
    let engine = live::engine(EngineOptions::default().workers)?;
    let patch = factory::held_patch()?;
    let mut one = Player::new(&engine, patch.clone(), BLOCK);
    let mut twin = Player::new(&engine, patch, BLOCK);
    let mut card = SoundCard::start(BLOCK);
    let (rest, there) = (Blend { x: 0.2, y: 0.2 }, Blend { x: 0.9, y: 0.8 });
    let (mut changed_ms, mut heard_ms) = (Vec::new(), Vec::new());
    (one.settings.blend, twin.settings.blend) = (rest, rest);
    for key in KEYS {
        // Both have the note then, and begin it at the same sample.
        play_both(&mut one, &mut twin, &mut card, key, 1.5)?;
        one.fall_silent(&mut card)?;
        twin.fall_silent(&mut card)?;
    }
    for round in 0..rounds {
        let key = KEYS[round as usize % KEYS.len()];
        one.settings.blend = rest;
        // Anywhere in a chunk.
        let seconds = 0.3 + 0.3 * (f64::from(round) * GOLDEN).fract();
        let peak = play_both(&mut one, &mut twin, &mut card, key, seconds)?;
        one.settings.blend = there;
        let (mut changed, mut heard) = (None, None);
        for block in 0..live::blocks(PATIENCE_SECONDS, BLOCK) as usize {
            card.next_block();
            one.block(&[]);
            twin.block(&[]);
            let differs = |by: f32| {
                let mut pairs = one.left.iter().zip(&twin.left);
                let at = pairs.position(|(a, b)| (a - b).abs() > by);
                at.map(|at| (block * BLOCK + at) as f64 / RATE_HZ * 1e3)
            };
            changed = changed.or_else(|| differs(0.0));
            heard = heard.or_else(|| differs(HEARD * peak));
            if heard.is_some() {
                break;
            }
        }
        ensure!(
            changed.is_some() && heard.is_some(),
            "a jump of the blend is not heard"
        );
        changed_ms.extend(changed);
        heard_ms.extend(heard);
        one.fall_silent(&mut card)?;
        twin.fall_silent(&mut card)?;
    }
    let detail = format!(
        "{rounds} jumps, blocks of {BLOCK}, {}, {} times degraded",
        card.detail(),
        one.meters.degraded()
    );
    let (changed, changed_worst) = median_and_worst(&changed_ms);
    let (heard, heard_worst) = median_and_worst(&heard_ms);
    let figure =
        |what: &str, value| Figure::new(format!("a blend jump to {what}"), value, "ms", detail.clone());
    Ok(vec![
        figure("the first changed sample, median", changed),
        figure("the first changed sample, worst", changed_worst),
        figure("a change at -40 dB, median", heard),
        figure("a change at -40 dB, worst", heard_worst),
    ])
}

/// Strikes a key in both and plays on; they must sound alike. Gives the peak of it.
fn play_both(
    one: &mut Player,
    twin: &mut Player,
    card: &mut SoundCard,
    key: u8,
    seconds: f64,
) -> Result<f32> {
    let mut peak = 0.0_f32;
    let mut differs = false;
    for block in 0..live::blocks(seconds, BLOCK) {
        card.next_block();
        let strike = [live::note_on(key)];
        let events = if block == 0 { &strike[..] } else { &[] };
        one.block(events);
        twin.block(events);
        differs = one.left != twin.left;
        peak = one.left.iter().fold(peak, |peak, sample| peak.max(sample.abs()));
    }
    // When the note is cold they may begin at different samples.
    ensure!(!differs || seconds > 1.0, "twins do not sound alike");
    Ok(peak)
}
