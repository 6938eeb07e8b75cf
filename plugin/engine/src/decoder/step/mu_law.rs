//! NSynth's mu-law: the 256 levels that a `step` decoder hears and speaks in (magenta `models/nsynth/utils.py`).
//!
//! Pure numbers. A level is -128 .. 127; the class that a decoder gives it is 128 more.

use std::sync::LazyLock;

/// Levels there are.
pub const LEVELS: usize = 256;
/// The class of level 0.
const ZERO_CLASS: i32 = 128;
const MU: f64 = 255.0;

/// Audio of each class.
static AUDIO: LazyLock<[f32; LEVELS]> = LazyLock::new(|| {
    std::array::from_fn(|class| {
        let level = class as i32 - ZERO_CLASS;
        // Silence is exactly that; every other level is the middle of what falls on it.
        if level == 0 {
            return 0.0;
        }
        let y = (f64::from(level) + 0.5) * 2.0 / LEVELS as f64;
        (y.signum() / MU * ((1.0 + MU).powf(y.abs()) - 1.0)) as f32
    })
});

/// Audio of a class, in -1 .. 1.
///
/// # Panics
/// If it is none of the [`LEVELS`].
pub fn audio(class: usize) -> f32 {
    AUDIO[class]
}

/// What the network hears of a class: its level in -1 .. 1.
pub fn heard(class: usize) -> f32 {
    (class as i32 - ZERO_CLASS) as f32 / ZERO_CLASS as f32
}

/// The class that audio falls on; what is beyond -1 .. 1 on the outermost.
pub fn class(audio: f32) -> usize {
    let x = f64::from(audio.clamp(-1.0, 1.0));
    let y = x.signum() * (MU * x.abs()).ln_1p() / (1.0 + MU).ln();
    let level = (y * f64::from(ZERO_CLASS)).floor() as i32;
    (level + ZERO_CLASS).clamp(0, LEVELS as i32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_comes_back_as_itself() {
        for level in 0..LEVELS {
            assert_eq!(class(audio(level)), level);
        }
    }

    #[test]
    fn silence_is_heard_as_nothing_and_full_scale_stays_within_the_levels() {
        assert_eq!(heard(class(0.0)), 0.0);
        assert_eq!((class(1.0), class(-1.0), class(7.0)), (255, 0, 255));
        assert!((audio(255) - 0.978_432).abs() < 1e-4, "{}", audio(255));
    }
}
