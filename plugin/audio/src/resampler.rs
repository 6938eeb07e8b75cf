//! From a rendered note's rate and pitch to the host's: a windowed-sinc resampler.
//!
//! A table for each range of steps (input samples an output sample): the higher the step, the lower the cut-off and
//! the longer the sinc, so that bending up does not alias. Between the table's phases it is linear. The tables are
//! computed once a process, off the audio thread; reading them is realtime-safe.

use std::f64::consts::PI;
use std::sync::OnceLock;

use crate::partials::lobe::bessel_i0;

/// Phases of a table: rows over one input sample. Between so many a straight line is 94 dB exact, and the tables of the
/// usual steps fit into a processor's nearest cache.
const PHASES: usize = 1 << PHASE_BITS;
const PHASE_BITS: u32 = 8;

/// Bits of a position below its phase.
const BETWEEN_BITS: u32 = 32 - PHASE_BITS;

/// Points of the sinc at steps up to 1: flat to 0.38 of the note's rate (18.2 kHz at 48 kHz), images under -80 dB. Larger
/// steps have about as many periods of their longer sincs: 17 kHz in a 44.1 kHz host.
const POINTS: usize = 24;

/// The largest step of each table: up to an octave over a 44.1 kHz host's, two semitones apart. The second is 48 kHz in a
/// 44.1 kHz host.
const STEPS: [f64; 13] = [
    1.0,
    48.0 / 44.1,
    1.22,
    1.37,
    1.54,
    1.73,
    1.94,
    2.18,
    2.6,
    3.1,
    4.0,
    5.66,
    8.0,
];

/// Points that are weighted at a time; every table's points are a multiple.
const LANES: usize = 8;

/// The longest sinc. Steps over 4 are so rare that their images may be louder.
const MAX_POINTS: usize = 96;

/// Samples that a sinc needs before and after its position, at most.
pub const MAX_REACH: usize = MAX_POINTS / 2;

/// The largest step that voices use: six octaves up.
pub const MAX_STEP: f64 = 64.0;

/// Kaiser's parameter for 80 dB.
const KAISER_BETA: f64 = 7.857;

/// The tables for all steps.
#[derive(Debug)]
pub struct Resampler {
    tables: Vec<SincTable>,
}

/// One low-pass: its cut-off is half of the output's rate.
#[derive(Debug)]
pub struct SincTable {
    points: usize,
    /// `PHASES + 1` rows of `points` coefficients.
    rows: Vec<f32>,
    /// Whether the processor has AVX2.
    #[cfg(target_arch = "x86_64")]
    avx2: bool,
}

impl Resampler {
    /// The process's tables (about 1 MB), computed at the first call.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Resampler> = OnceLock::new();
        SHARED.get_or_init(|| Self {
            tables: STEPS.iter().map(|step| SincTable::new(*step)).collect(),
        })
    }

    /// The index of the table for a step. Steps past the last table's use the last.
    pub fn table_index(step: f64) -> u8 {
        let past = STEPS.iter().filter(|most| step > **most * (1.0 + 1e-6)).count();
        past.min(STEPS.len() - 1) as u8
    }

    pub fn table(&self, index: u8) -> &SincTable {
        &self.tables[usize::from(index)]
    }
}

impl SincTable {
    fn new(step: f64) -> Self {
        let points = ((POINTS as f64 * step / LANES as f64).round() as usize * LANES).min(MAX_POINTS);
        let half = points as f64 / 2.0;
        let cutoff = 1.0 / step;
        let mut rows = Vec::with_capacity((PHASES + 1) * points);
        for phase in 0..=PHASES {
            let fraction = phase as f64 / PHASES as f64;
            let row: Vec<f64> = (0..points)
                .map(|point| {
                    let x = point as f64 - (half - 1.0) - fraction;
                    let inside = (1.0 - (x / half).powi(2)).max(0.0);
                    sinc(x * cutoff) * bessel_i0(KAISER_BETA * inside.sqrt())
                })
                .collect();
            // Every phase passes a constant unchanged.
            let sum: f64 = row.iter().sum();
            rows.extend(row.iter().map(|coefficient| (coefficient / sum) as f32));
        }
        Self {
            points,
            rows,
            #[cfg(target_arch = "x86_64")]
            avx2: std::arch::is_x86_feature_detected!("avx2"),
        }
    }

    /// Samples needed before (less one) and after a position.
    pub fn reach(&self) -> usize {
        self.points / 2
    }

    /// Adds to `out` the signal at `position`, `position + increment`, … (32.32 fixed point), each weighted by its gain.
    /// `input` starts `reach - 1` samples before sample 0 of the positions.
    pub fn add_run(&self, input: &[f32], position: u64, increment: u64, gains: &[f32], out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            // SAFETY: the flag is set only where the processor was found to have AVX2.
            return unsafe { self.add_run_avx2(input, position, increment, gains, out) };
        }
        self.add_run_here(input, position, increment, gains, out, sum_lanes);
    }

    /// The same with vectors of eight: the same operations in the same order, so the same bits.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn add_run_avx2(&self, input: &[f32], position: u64, increment: u64, gains: &[f32], out: &mut [f32]) {
        let sum = |lanes: &Lanes| sum_lanes_avx2(lanes);
        self.add_run_here(input, position, increment, gains, out, sum);
    }

    #[inline(always)]
    fn add_run_here(
        &self,
        input: &[f32],
        position: u64,
        increment: u64,
        gains: &[f32],
        out: &mut [f32],
        sum: impl Fn(&Lanes) -> [f32; LANES],
    ) {
        match self.points {
            24 => self.add_run_of::<24>(input, position, increment, gains, out, sum),
            32 => self.add_run_of::<32>(input, position, increment, gains, out, sum),
            40 => self.add_run_of::<40>(input, position, increment, gains, out, sum),
            48 => self.add_run_of::<48>(input, position, increment, gains, out, sum),
            56 => self.add_run_of::<56>(input, position, increment, gains, out, sum),
            64 => self.add_run_of::<64>(input, position, increment, gains, out, sum),
            72 => self.add_run_of::<72>(input, position, increment, gains, out, sum),
            _ => self.add_run_of::<MAX_POINTS>(input, position, increment, gains, out, sum),
        }
    }

    #[inline(always)]
    fn add_run_of<const POINTS: usize>(
        &self,
        input: &[f32],
        mut position: u64,
        increment: u64,
        gains: &[f32],
        out: &mut [f32],
        sum: impl Fn(&Lanes) -> [f32; LANES],
    ) {
        // Lanes of several samples before any is summed up: compilers make better vectors of it.
        let mut lanes = [[0.0; LANES]; LANES];
        for (out, gains) in out.chunks_mut(LANES).zip(gains.chunks(LANES)) {
            for lanes in &mut lanes[..out.len()] {
                let taps = &input[(position >> 32) as usize..];
                let fraction = position as u32;
                let rows = &self.rows[(fraction >> BETWEEN_BITS) as usize * POINTS..];
                let between = (fraction & ((1 << BETWEEN_BITS) - 1)) as f32 / (1 << BETWEEN_BITS) as f32;
                *lanes = interpolate(
                    &taps[..POINTS],
                    &rows[..POINTS],
                    &rows[POINTS..2 * POINTS],
                    between,
                );
                position += increment;
            }
            for ((out, sum), gain) in out.iter_mut().zip(sum(&lanes)).zip(gains) {
                *out += sum * gain;
            }
        }
    }
}

/// Partial sums of eight samples, a row each.
type Lanes = [[f32; LANES]; LANES];

/// Each sample's sum: neighbours first, as processors do.
#[inline(always)]
fn sum_lanes(lanes: &Lanes) -> [f32; LANES] {
    lanes.map(|[a, b, c, d, e, f, g, h]| ((a + b) + (c + d)) + ((e + f) + (g + h)))
}

/// The same eight at a time.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn sum_lanes_avx2(lanes: &Lanes) -> [f32; LANES] {
    use std::arch::x86_64::{
        __m256, _mm256_add_ps, _mm256_hadd_ps, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_storeu_ps,
    };
    // SAFETY: a row is eight numbers, which may lie anywhere.
    let row = |sample: usize| -> __m256 { unsafe { _mm256_loadu_ps(lanes[sample].as_ptr()) } };
    let four = |first: usize| {
        _mm256_hadd_ps(
            _mm256_hadd_ps(row(first), row(first + 1)),
            _mm256_hadd_ps(row(first + 2), row(first + 3)),
        )
    };
    let (early, late) = (four(0), four(4));
    let sums = _mm256_add_ps(
        _mm256_permute2f128_ps::<0x20>(early, late),
        _mm256_permute2f128_ps::<0x31>(early, late),
    );
    let mut out = [0.0; LANES];
    // SAFETY: there is room for eight numbers, anywhere.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// Eight partial sums of the taps, weighted by what lies `between` (0 to 1) two rows. All three are of one length.
#[inline(always)]
fn interpolate(taps: &[f32], row: &[f32], next: &[f32], between: f32) -> [f32; LANES] {
    let (mut low, mut high) = ([0.0f32; LANES], [0.0f32; LANES]);
    let groups = |samples| <[f32]>::as_chunks::<LANES>(samples).0;
    let (taps, row, next) = (groups(taps), groups(row), groups(next));
    for ((taps, row), next) in taps.iter().zip(row).zip(next) {
        low = std::array::from_fn(|lane| low[lane] + taps[lane] * row[lane]);
        high = std::array::from_fn(|lane| high[lane] + taps[lane] * next[lane]);
    }
    std::array::from_fn(|lane| low[lane] + between * (high[lane] - low[lane]))
}

/// sin(pi x) / (pi x), exactly zero at the other whole numbers.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x == x.round() {
        0.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    /// Resamples a cosine of `frequency` cycles an input sample by a constant step.
    fn resample(frequency: f64, step: f64, count: usize) -> Vec<f64> {
        let table = Resampler::shared().table(Resampler::table_index(step));
        let reach = table.reach();
        let input: Vec<f32> = (0..(count as f64 * step) as usize + 2 * reach + 2)
            .map(|n| (TAU * frequency * (n as f64 - (reach as f64 - 1.0))).cos() as f32)
            .collect();
        let increment = (step * 4_294_967_296.0).round() as u64;
        let mut out = vec![0.0; count];
        table.add_run(&input, 0, increment, &vec![1.0; count], &mut out);
        out.into_iter().map(f64::from).collect()
    }

    /// Level of all that is not a sinusoid of `frequency` cycles an output sample, against that sinusoid, in dB; and its
    /// amplitude.
    fn residual(output: &[f64], frequency: f64) -> (f64, f64) {
        // Least squares of cosine and sine.
        let (mut cc, mut ss, mut cs, mut xc, mut xs) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (n, x) in output.iter().enumerate() {
            let (s, c) = (TAU * frequency * n as f64).sin_cos();
            (cc, ss, cs, xc, xs) = (cc + c * c, ss + s * s, cs + c * s, xc + x * c, xs + x * s);
        }
        let det = cc * ss - cs * cs;
        let (a, b) = ((xc * ss - xs * cs) / det, (xs * cc - xc * cs) / det);
        let error = output.iter().enumerate().map(|(n, x)| {
            let (s, c) = (TAU * frequency * n as f64).sin_cos();
            (x - a * c - b * s).powi(2)
        });
        let error = error.sum::<f64>() / output.len() as f64;
        (10.0 * (error / ((a * a + b * b) / 2.0)).log10(), a.hypot(b))
    }

    #[test]
    fn at_the_note_s_own_rate_every_sample_passes_unchanged() {
        let table = Resampler::shared().table(0);
        let input: Vec<f32> = (0..100 + 2 * table.reach())
            .map(|i| (i as f32 * 0.7).sin())
            .collect();
        let mut out = [0.0; 100];
        table.add_run(&input, 0, 1 << 32, &[1.0; 100], &mut out);
        assert_eq!(out, input[table.reach() - 1..][..100]);
    }

    #[test]
    fn wide_vectors_make_the_same_bits() {
        let input: Vec<f32> = (0..3000).map(|i| (i as f32 * 0.7).sin()).collect();
        for table in &Resampler::shared().tables {
            let (mut wide, mut plain) = ([0.0; 500], [0.0; 500]);
            table.add_run(&input, 12_345, 5_000_000_011, &[0.7; 500], &mut wide);
            table.add_run_here(&input, 12_345, 5_000_000_011, &[0.7; 500], &mut plain, sum_lanes);
            assert_eq!(wide, plain);
        }
    }

    #[test]
    fn every_table_has_a_run_of_its_length() {
        for table in &Resampler::shared().tables {
            assert!(
                [24, 32, 40, 48, 56, 64, 72, MAX_POINTS].contains(&table.points),
                "{} points",
                table.points
            );
        }
    }

    #[test]
    fn what_lies_over_the_host_s_half_rate_is_gone() {
        // 30 kHz into 44.1 kHz would be heard at 14.1 kHz; likewise at each upward bend.
        for (step, frequency) in [(1.9, 0.46), (2.0, 0.40), (3.9, 0.3)] {
            let output = resample(frequency, step, 4000);
            let rms = (output.iter().map(|x| x * x).sum::<f64>() / 4000.0).sqrt();
            assert!(
                20.0 * rms.log10() < -75.0,
                "step {step}: {:.1} dB",
                20.0 * rms.log10()
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_sinusoid_stays_one_at_the_right_pitch_with_images_under_80_db(
            cents in -2400.0f64..1200.0,
            host_hz in prop_oneof![Just(44_100.0), Just(48_000.0), Just(88_200.0), Just(96_000.0), Just(192_000.0)],
            part in 0.01f64..0.76,
        ) {
            let step = 48_000.0 / host_hz * (cents / 1200.0f64).exp2();
            // Up to 0.76 of the half rate that both sides share; 0.66 where the next table's cut-off is lower.
            let part = if step > 1.09 { part * 0.87 } else { part };
            let frequency = part * 0.5f64.min(0.5 / step);
            let output = resample(frequency, step, 6000);
            let (db, amplitude) = residual(&output, frequency * step);
            prop_assert!(db < -80.0, "step {step}, frequency {frequency}: residual {db:.1} dB");
            prop_assert!((20.0 * amplitude.log10()).abs() < 0.1, "step {step}, frequency {frequency}: {amplitude}");
        }
    }
}
