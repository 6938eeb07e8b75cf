//! What a note is like, in the words of the NSynth dataset (Engel et al. 2017): ten qualities, three sources, and the names of eleven
//! families.
//!
//! Pure numbers, any thread. A file carries them as tags: a sound's qualities are the dataset's words that stand among its tags,
//! so a person can read and correct them, and files of before have those that somebody wrote. [`measure`] hears seven of the ten
//! in a note's samples; the other three (distortion, multiphonic, reverb) it leaves to people and to the dataset: a single
//! note does not tell a shaped wave from a rich one, a chord from a bell, or a room from a long release.

use crate::embedding::LoopRegion;

/// The dataset's families of instruments, in the order of their numbers.
pub const FAMILIES: [&str; 11] = [
    "bass",
    "brass",
    "flute",
    "guitar",
    "keyboard",
    "mallet",
    "organ",
    "reed",
    "string",
    "synth_lead",
    "vocal",
];

/// One of the dataset's qualities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quality {
    /// Much that is high: see [`measure`], as for the others.
    Bright,
    /// Little that is high.
    Dark,
    /// A shaped, crunching wave. Not measured.
    Distortion,
    /// Most is over before the key is let go.
    FastDecay,
    /// It goes on after the key was let go.
    LongRelease,
    /// Overtones of more than one fundamental. Not measured.
    Multiphonic,
    /// Its level does more than fall.
    NonlinearEnv,
    /// It begins with a loud noise.
    Percussive,
    /// It stands in a room. Not measured.
    Reverb,
    /// Its level moves in a rhythm.
    TempoSynced,
}

impl Quality {
    /// In the order of the dataset's numbers.
    pub const ALL: [Self; 10] = [
        Self::Bright,
        Self::Dark,
        Self::Distortion,
        Self::FastDecay,
        Self::LongRelease,
        Self::Multiphonic,
        Self::NonlinearEnv,
        Self::Percussive,
        Self::Reverb,
        Self::TempoSynced,
    ];

    /// The dataset's word, and the tag.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bright => "bright",
            Self::Dark => "dark",
            Self::Distortion => "distortion",
            Self::FastDecay => "fast_decay",
            Self::LongRelease => "long_release",
            Self::Multiphonic => "multiphonic",
            Self::NonlinearEnv => "nonlinear_env",
            Self::Percussive => "percussive",
            Self::Reverb => "reverb",
            Self::TempoSynced => "tempo-synced",
        }
    }

    /// What a person reads.
    pub fn label(self) -> &'static str {
        match self {
            Self::FastDecay => "fast decay",
            Self::LongRelease => "long release",
            Self::NonlinearEnv => "swelling",
            Self::TempoSynced => "rhythmic",
            other => other.name(),
        }
    }

    /// The quality of a word, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|quality| quality.name().eq_ignore_ascii_case(name))
    }
}

/// A set of qualities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Qualities(u16);

impl Qualities {
    /// Those whose words stand among the tags.
    pub fn of_tags(tags: &[String]) -> Self {
        tags.iter().filter_map(|tag| Quality::from_name(tag)).collect()
    }

    /// Whether it is one of them.
    pub fn contains(self, quality: Quality) -> bool {
        self.0 & 1 << quality as u16 != 0
    }

    /// Those that it has, in the dataset's order.
    pub fn iter(self) -> impl Iterator<Item = Quality> {
        Quality::ALL
            .into_iter()
            .filter(move |quality| self.contains(*quality))
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A bit for each, the first the lowest.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// The set of such bits; those of no quality are left out.
    pub(crate) fn from_bits(bits: u16) -> Self {
        Self(bits & ((1 << Quality::ALL.len()) - 1))
    }
}

impl FromIterator<Quality> for Qualities {
    fn from_iter<T: IntoIterator<Item = Quality>>(qualities: T) -> Self {
        let bits = qualities.into_iter().map(|quality| 1 << quality as u16);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

/// Where a sound comes from, as the dataset has it; a tag as the qualities are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// An instrument that needs no current.
    Acoustic,
    /// One that does.
    Electronic,
    /// A synthesiser.
    Synthetic,
}

impl SourceKind {
    /// In the order of the dataset's numbers.
    pub const ALL: [Self; 3] = [Self::Acoustic, Self::Electronic, Self::Synthetic];

    /// The dataset's word, and the tag.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acoustic => "acoustic",
            Self::Electronic => "electronic",
            Self::Synthetic => "synthetic",
        }
    }

    /// The source whose word stands among the tags; the first of several.
    pub fn of_tags(tags: &[String]) -> Option<Self> {
        tags.iter().find_map(|tag| {
            let mut all = Self::ALL.into_iter();
            all.find(|source| source.name().eq_ignore_ascii_case(tag))
        })
    }
}

/// Adds the words of the qualities that are not among the tags yet.
pub fn add_tags(tags: &mut Vec<String>, qualities: Qualities) {
    let there = Qualities::of_tags(tags);
    let new = qualities.iter().filter(|quality| !there.contains(*quality));
    tags.extend(new.map(|quality| quality.name().to_owned()));
}

/// A note whose mean frequency is this many times its pitch is bright, if it is high too;
const BRIGHT_HARMONIC: f64 = 4.0;
const BRIGHT_HZ: f64 = 1500.0;
/// and one whose is this, dark.
const DARK_HARMONIC: f64 = 1.5;
/// A note that has lost this much when it is let go, or after as long as the dataset holds a key, decays fast;
const FAST_DECAY_DB: f64 = 12.0;
const HELD_SECONDS: f64 = 3.0;
/// one that has lost less than this in the half second after has a long release.
const LONG_RELEASE_DB: f64 = 20.0;
const RELEASE_SECONDS: f64 = 0.5;
/// Nothing is heard of what is quieter when it is let go.
const INAUDIBLE_DB: f64 = -90.0;
/// A level that rises by this, later than the attack may last, does more than fall, if it is not far under the loudest.
const RISE_DB: f64 = 6.0;
const ATTACK_SECONDS: f64 = 0.3;
const RISE_DEPTH_DB: f64 = 40.0;
/// What a beginning is: so long,
const ONSET_SECONDS: f64 = 0.03;
/// loud if it is not further under the loudest,
const ONSET_DB: f64 = 12.0;
/// a noise if this share of it does not come again with any period of the pitch,
const ONSET_NOISE: f64 = 0.25;
/// and a beginning only if by then half of that share is gone, or all of the sound.
const AFTER_SECONDS: f64 = 0.25;
const AFTER_DB: f64 = 30.0;
/// A rhythm comes again after 0.1 to 1 s, as often as the note is held, moves the level by this much,
const RHYTHM_DB: f64 = 6.0;
const RHYTHM_STEP_SECONDS: f64 = 0.01;
const RHYTHM_STEPS: std::ops::RangeInclusive<usize> = 10..=100;
/// and is like itself, and like the time before that, to this degree of correlation.
const RHYTHM_LIKENESS: f64 = 0.7;
const RHYTHM_TWICE: f64 = 0.6;

/// What is heard in a note: `samples` from its beginning on, of -1 to 1; `pitch` a MIDI note number; the key is held for
/// `held_seconds`. Silence is taken to follow the last sample. Levels are of windows of 0.1 s unless said otherwise.
///
/// | quality | measured as |
/// |---|---|
/// | bright | mean frequency, weighted by power, at least 4 times the pitch's, and 1500 Hz |
/// | dark | mean frequency at most 1.5 times the pitch's |
/// | fast_decay | 12 dB or more under the loudest when the key is let go, or after 3 s if that is sooner |
/// | long_release | not so, and 0.5 s after the key is let go less than 20 dB under what it was then |
/// | nonlinear_env | later than 0.3 s after its beginning the level rises by 6 dB or more to within 40 dB of the loudest |
/// | percussive | its first 30 ms are within 12 dB of the loudest, and of their power 25 % or more come again after no time of one to two periods (4 ms at least); 0.25 s later that share has halved, or the level is 30 dB lower |
/// | tempo-synced | held for 2 s or more, the level (in steps of 10 ms, freed of what is slower than 1 s) moves by 6 dB (from the 10th to the 90th of a hundred) and correlates with itself by 0.7 after 0.1 to 1 s, by 0.6 after twice that. Beating and deep tremolo are rhythms too |
/// | distortion, multiphonic, reverb | not measured, never set |
pub fn measure(samples: &[f32], rate_hz: f64, pitch: f32, held_seconds: f64) -> Qualities {
    let note = Note { samples, rate_hz };
    let f0_hz = 440.0 * 2_f64.powf((f64::from(pitch) - 69.0) / 12.0);
    let mean_hz = note.mean_hz();
    let tenths: Vec<f64> = (0..(10.0 * held_seconds).round() as usize)
        .map(|tenth| note.level_db(0.1 * tenth as f64, 0.1))
        .collect();
    let highest = tenths.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let decayed = highest - note.level_db(held_seconds.min(HELD_SECONDS) - 0.1, 0.1) >= FAST_DECAY_DB;
    let before = note.level_db(held_seconds - 0.1, 0.1);
    let lost = before - note.level_db(held_seconds + RELEASE_SECONDS, 0.1);
    let measured = [
        (
            Quality::Bright,
            mean_hz >= BRIGHT_HARMONIC * f0_hz && mean_hz >= BRIGHT_HZ,
        ),
        (Quality::Dark, mean_hz <= DARK_HARMONIC * f0_hz),
        (Quality::FastDecay, decayed),
        (
            Quality::LongRelease,
            before > INAUDIBLE_DB && before > highest - FAST_DECAY_DB && lost < LONG_RELEASE_DB,
        ),
        (Quality::NonlinearEnv, rises(&tenths, highest)),
        (Quality::Percussive, note.begins_with_noise(f0_hz, highest)),
        (Quality::TempoSynced, note.has_rhythm(f0_hz, held_seconds)),
    ];
    measured
        .into_iter()
        .filter_map(|(quality, is_heard)| is_heard.then_some(quality))
        .collect()
}

/// The same for a recording: its key is taken to be let go where its sustain ends, or after 3 s where it has none.
pub fn of_recording(
    samples: &[f32],
    rate_hz: u32,
    pitch: f32,
    sustain: Option<LoopRegion>,
    seconds_per_frame: f64,
) -> Qualities {
    let held = sustain.map_or(HELD_SECONDS, |region| {
        f64::from(region.end_frame) * seconds_per_frame
    });
    measure(samples, f64::from(rate_hz), pitch, held)
}

/// Whether the level, in tenths of a second, rises after the attack.
fn rises(tenths: &[f64], highest: f64) -> bool {
    let floor = highest - RISE_DEPTH_DB;
    let mut lowest = f64::INFINITY;
    let after = tenths.iter().skip((10.0 * ATTACK_SECONDS) as usize);
    after.map(|level| level.max(floor)).any(|level| {
        lowest = lowest.min(level);
        level - lowest >= RISE_DB
    })
}

/// The samples of a note.
struct Note<'a> {
    samples: &'a [f32],
    rate_hz: f64,
}

impl Note<'_> {
    /// The frequency about which its power lies.
    fn mean_hz(&self) -> f64 {
        let all = power(self.samples).max(1e-12);
        let slope: f64 = self
            .samples
            .windows(2)
            .map(|pair| f64::from(pair[1] - pair[0]).powi(2))
            .sum();
        // A sine of frequency w has differences of power 2 (1 - cos w).
        (1.0 - slope / (2.0 * all)).clamp(-1.0, 1.0).acos() * self.rate_hz / std::f64::consts::TAU
    }

    /// A window; what lies past the last sample is left out.
    fn window(&self, begin_seconds: f64, seconds: f64) -> &[f32] {
        let begin = (begin_seconds.max(0.0) * self.rate_hz) as usize;
        let end = begin + (seconds * self.rate_hz) as usize;
        let end = end.min(self.samples.len());
        self.samples.get(begin..end).unwrap_or_default()
    }

    /// The level of a window, silence past the last sample.
    fn level_db(&self, begin_seconds: f64, seconds: f64) -> f64 {
        let mean = power(self.window(begin_seconds, seconds)) / (seconds * self.rate_hz).max(1.0);
        10.0 * (mean + 1e-12).log10()
    }

    fn begins_with_noise(&self, f0_hz: f64, highest_db: f64) -> bool {
        let level = self.level_db(0.0, ONSET_SECONDS);
        let Some(noise) = self.noise_share(0.0, f0_hz).filter(|share| *share >= ONSET_NOISE) else {
            return false;
        };
        let is_over = level - self.level_db(AFTER_SECONDS, ONSET_SECONDS) >= AFTER_DB;
        let has_settled = || {
            self.noise_share(AFTER_SECONDS, f0_hz)
                .is_some_and(|after| after <= 0.5 * noise)
        };
        level > INAUDIBLE_DB && level >= highest_db - ONSET_DB && (is_over || has_settled())
    }

    /// The share of a window's power that comes again after no time of one to two periods; none if the note is too short.
    fn noise_share(&self, begin_seconds: f64, f0_hz: f64) -> Option<f64> {
        let period = self.rate_hz / f0_hz;
        let first = (0.97 * period).max(0.004 * self.rate_hz) as usize;
        let last = first + (1.1 * period).ceil() as usize;
        let length = (ONSET_SECONDS * self.rate_hz) as usize;
        let heard = self.samples.get((begin_seconds * self.rate_hz) as usize..)?;
        let window = heard.get(..length)?;
        heard.get(..last + length)?;
        let own = power(window);
        let likeness = |lag: usize| {
            let later = &heard[lag..lag + length];
            let product: f64 = window
                .iter()
                .zip(later)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            product.max(0.0).powi(2) / (own * power(later)).max(1e-12)
        };
        // What of the power a later time of the same length tells, at best.
        let most = (first..=last).map(likeness).fold(0.0, f64::max);
        Some(1.0 - most.min(1.0))
    }

    fn has_rhythm(&self, f0_hz: f64, held_seconds: f64) -> bool {
        let longest = *RHYTHM_STEPS.end() as f64 * RHYTHM_STEP_SECONDS;
        if held_seconds < 2.0 * longest {
            return false;
        }
        // Of two periods at least, or the wave itself would be the rhythm.
        let window = RHYTHM_STEP_SECONDS.max(2.0 / f0_hz);
        let steps = ((held_seconds - window) / RHYTHM_STEP_SECONDS) as usize;
        let levels: Vec<f64> = (0..steps)
            .map(|step| self.level_db(step as f64 * RHYTHM_STEP_SECONDS, window))
            .collect();
        let floor = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max) - RISE_DEPTH_DB;
        let levels: Vec<f64> = levels.iter().map(|level| level.max(floor)).collect();
        let moved = without_trend(&levels, *RHYTHM_STEPS.end());
        let mut sorted = moved.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100];
        if at(90) - at(10) < RHYTHM_DB {
            return false;
        }
        let likeness: Vec<f64> = (0..=(2 * RHYTHM_STEPS.end()).min(steps / 2))
            .map(|lag| correlation(&moved[..steps - lag], &moved[lag..]))
            .collect();
        let mut beats = RHYTHM_STEPS.filter(|lag| 2 * lag < likeness.len());
        beats.any(|lag| {
            let here = likeness[lag];
            // A peak, not the shoulder of a slow movement.
            here >= RHYTHM_LIKENESS
                && here >= likeness[lag - 1]
                && here >= likeness[lag + 1]
                && likeness[2 * lag] >= RHYTHM_TWICE
        })
    }
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|x| f64::from(*x).powi(2)).sum()
}

/// The values without their mean over the `length` about them.
fn without_trend(values: &[f64], length: usize) -> Vec<f64> {
    let around = |at: usize| &values[at.saturating_sub(length / 2)..values.len().min(at + length / 2 + 1)];
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    (0..values.len())
        .map(|at| values[at] - mean(around(at)))
        .collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt().max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 16_000.0;

    /// 4 s, held for 3: harmonics of `f0_hz` at a level that is a function of time.
    fn note(f0_hz: f64, harmonics: &[f64], level: impl Fn(f64) -> f64) -> Vec<f32> {
        let sample = |n: u32| {
            let t = f64::from(n) / RATE_HZ;
            let sum: f64 = harmonics
                .iter()
                .map(|k| (std::f64::consts::TAU * f0_hz * k * t).sin())
                .sum();
            (0.1 * level(t) * sum) as f32
        };
        (0..64_000).map(sample).collect()
    }

    /// Held, and let go fast.
    fn organ(t: f64) -> f64 {
        if t > 3.0 { (-20.0 * (t - 3.0)).exp() } else { 1.0 }
    }

    fn heard(samples: &[f32], pitch: f32) -> Vec<&'static str> {
        measure(samples, RATE_HZ, pitch, 3.0)
            .iter()
            .map(Quality::name)
            .collect()
    }

    fn noise() -> impl FnMut() -> f64 {
        let mut bits = 1_u64;
        move || {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (bits >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
        }
    }

    #[test]
    fn what_is_high_and_what_is_low_is_heard() {
        assert_eq!(heard(&note(440.0, &[1.0], organ), 69.0), ["dark"]);
        assert_eq!(
            heard(&note(440.0, &[1.0, 6.0, 7.0, 8.0], organ), 69.0),
            ["bright"]
        );
        assert!(heard(&note(440.0, &[1.0, 3.0], organ), 69.0).is_empty());
        assert_eq!(heard(&[], 69.0), ["dark"], "silence has nothing high");
    }

    #[test]
    fn how_a_note_ends_is_heard() {
        let plucked = note(440.0, &[1.0, 3.0], |t| (-t).exp() * organ(t));
        assert_eq!(heard(&plucked, 69.0), ["fast_decay"]);
        let bell = note(
            440.0,
            &[1.0, 3.0],
            |t| if t > 3.0 { (3.0 - t).exp() } else { 1.0 },
        );
        assert_eq!(heard(&bell, 69.0), ["long_release"]);
    }

    #[test]
    fn a_swell_is_no_decay_and_an_attack_is_no_swell() {
        let swell = note(440.0, &[1.0, 3.0], |t| organ(t) * (t / 3.0).min(1.0));
        assert_eq!(heard(&swell, 69.0), ["nonlinear_env"]);
        let attack = note(440.0, &[1.0, 3.0], |t| organ(t) * (t / 0.25).min(1.0));
        assert!(heard(&attack, 69.0).is_empty());
    }

    #[test]
    fn a_rhythm_is_heard_and_vibrato_and_a_low_wave_are_none() {
        let pulsing = |depth: f64, hz: f64| {
            note(440.0, &[1.0, 3.0], move |t| {
                organ(t) * (1.0 - depth * (0.5 + 0.5 * (std::f64::consts::TAU * hz * t).cos()))
            })
        };
        assert!(heard(&pulsing(0.9, 4.0), 69.0).contains(&"tempo-synced"));
        assert!(heard(&pulsing(0.2, 5.5), 69.0).is_empty());
        let low = note(27.5, &[1.0, 2.0, 3.0, 4.0, 5.0], organ);
        assert!(!heard(&low, 21.0).contains(&"tempo-synced"));
    }

    #[test]
    fn a_noise_at_the_beginning_is_heard_and_one_all_along_is_none() {
        for (hz, pitch) in [(55.0, 33.0), (440.0, 69.0), (1760.0, 93.0)] {
            let tone = note(hz, &[1.0, 3.0], organ);
            let mut random = noise();
            let struck: Vec<f32> = tone
                .iter()
                .enumerate()
                .map(|(n, x)| x + (0.3 * (-(n as f64) / 400.0).exp() * random()) as f32)
                .collect();
            let breathy: Vec<f32> = tone.iter().map(|x| x + (0.1 * random()) as f32).collect();
            assert!(heard(&struck, pitch).contains(&"percussive"), "{hz}");
            assert!(!heard(&breathy, pitch).contains(&"percussive"), "{hz}");
            assert!(!heard(&tone, pitch).contains(&"percussive"), "{hz}");
        }
        let mut random = noise();
        let snare: Vec<f32> = (0..16_000)
            .map(|n| (0.5 * (-f64::from(n) / 800.0).exp() * random()) as f32)
            .collect();
        assert!(heard(&snare, 60.0).contains(&"percussive"));
    }

    #[test]
    fn tags_carry_qualities_and_are_not_doubled() {
        let mut tags = vec!["Bright".to_owned(), "mine".to_owned(), "synthetic".to_owned()];
        add_tags(
            &mut tags,
            [Quality::Bright, Quality::TempoSynced].into_iter().collect(),
        );
        assert_eq!(tags, ["Bright", "mine", "synthetic", "tempo-synced"]);
        let qualities = Qualities::of_tags(&tags);
        assert_eq!(
            qualities.iter().collect::<Vec<_>>(),
            [Quality::Bright, Quality::TempoSynced]
        );
        assert_eq!(Qualities::from_bits(qualities.bits()), qualities);
        assert_eq!(SourceKind::of_tags(&tags), Some(SourceKind::Synthetic));
    }
}
