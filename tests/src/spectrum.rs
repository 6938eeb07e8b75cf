//! Measuring what a plugin played: pitch, timbre, level, first sound.

use realfft::RealFftPlanner;

/// Zero padding before the transform: makes the parabola through three bins exact to well under
/// a hundredth of a cent for a steady tone.
const PADDING: usize = 4;
/// Bands an octave of [`Timbre`].
const BANDS_PER_OCTAVE: usize = 3;
/// Lowest band centre of [`Timbre`], in Hz.
const LOWEST_BAND_HZ: f64 = 50.0;
/// Bands of [`Timbre`]: up to 12.8 kHz, which every sample rate a host may choose can hold.
const BANDS: usize = 8 * BANDS_PER_OCTAVE + 1;
/// What lies further under a timbre's loudest band is not compared, in dB.
const TIMBRE_FLOOR_DB: f64 = -60.0;

/// Frequency of a MIDI note in twelve-tone equal temperament, A4 (69) = 440 Hz.
pub fn note_hz(note: f64) -> f64 {
    440.0 * ((note - 69.0) / 12.0).exp2()
}

/// Interval from `reference_hz` up to `hz`, in cents.
pub fn cents(hz: f64, reference_hz: f64) -> f64 {
    1200.0 * (hz / reference_hz).log2()
}

/// Root mean square.
pub fn rms(samples: &[f32]) -> f64 {
    let power: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample) * f64::from(sample))
        .sum();
    (power / samples.len().max(1) as f64).sqrt()
}

/// Index of the first sample that is louder than `threshold`, or `None` in silence.
pub fn first_sound(samples: &[f32], threshold: f32) -> Option<usize> {
    samples.iter().position(|sample| sample.abs() > threshold)
}

/// Magnitudes of the transform of `samples` under a Hann window, and the width of a bin in Hz.
fn magnitudes(samples: &[f32], sample_rate_hz: f64, padding: usize) -> (Vec<f64>, f64) {
    let length = samples.len() * padding;
    let mut planner = RealFftPlanner::<f64>::new();
    let transform = planner.plan_fft_forward(length);
    let mut input = transform.make_input_vec();
    let mut output = transform.make_output_vec();
    for (index, (slot, &sample)) in input.iter_mut().zip(samples).enumerate() {
        let phase = std::f64::consts::TAU * (index as f64 + 0.5) / samples.len() as f64;
        *slot = (0.5 - 0.5 * phase.cos()) * f64::from(sample);
    }
    transform
        .process(&mut input, &mut output)
        .expect("buffers made by the plan fit it");
    (
        output.iter().map(|bin| bin.norm()).collect(),
        sample_rate_hz / length as f64,
    )
}

/// Frequency of the strongest partial within a quarter tone of `near_hz`, in Hz, to a small fraction of a cent
/// if it is steady; `None` where nothing stands out of its surroundings by 20 dB.
///
/// `samples` should last some thirty periods or more.
pub fn partial_hz(samples: &[f32], sample_rate_hz: f64, near_hz: f64) -> Option<f64> {
    let (magnitudes, bin_hz) = magnitudes(samples, sample_rate_hz, PADDING);
    let quarter_tone = (50.0_f64 / 1200.0).exp2();
    let lowest = ((near_hz / quarter_tone / bin_hz).floor() as usize).max(1);
    let highest = ((near_hz * quarter_tone / bin_hz).ceil() as usize).min(magnitudes.len().checked_sub(2)?);
    let peak = (lowest..=highest).max_by(|&a, &b| magnitudes[a].total_cmp(&magnitudes[b]))?;
    let mut around: Vec<f64> =
        magnitudes[(near_hz * 0.75 / bin_hz) as usize..=(near_hz * 1.25 / bin_hz) as usize].to_vec();
    around.sort_by(f64::total_cmp);
    let surroundings = around[around.len() / 4];
    let is_summit = magnitudes[peak] >= magnitudes[peak - 1] && magnitudes[peak] >= magnitudes[peak + 1];
    if !is_summit || magnitudes[peak] <= 10.0 * surroundings || magnitudes[peak] == 0.0 {
        return None;
    }
    // A parabola through the logarithms of the three highest bins.
    let [left, summit, right] =
        [peak - 1, peak, peak + 1].map(|bin| magnitudes[bin].max(f64::MIN_POSITIVE).ln());
    let offset = 0.5 * (left - right) / (left - 2.0 * summit + right);
    Some((peak as f64 + offset) * bin_hz)
}

/// How far a MIDI note played by `samples` is from equal temperament, in cents, by its fundamental.
pub fn tuning_cents(samples: &[f32], sample_rate_hz: f64, note: f64) -> Option<f64> {
    let expected = note_hz(note);
    partial_hz(samples, sample_rate_hz, expected).map(|hz| cents(hz, expected))
}

/// The colour of a sound: its power in third-octave bands from 50 Hz to 12.8 kHz, in dB under its
/// loudest band. Level does not matter to it, pitch hardly.
#[derive(Clone, Debug, PartialEq)]
pub struct Timbre {
    bands_db: [f64; BANDS],
}

impl Timbre {
    /// Measures a stretch of sound.
    pub fn of(samples: &[f32], sample_rate_hz: f64) -> Self {
        let (magnitudes, bin_hz) = magnitudes(samples, sample_rate_hz, 1);
        let half_band = (0.5 / BANDS_PER_OCTAVE as f64).exp2();
        let mut bands_db = [f64::NEG_INFINITY; BANDS];
        for (band, level) in bands_db.iter_mut().enumerate() {
            let centre_hz = LOWEST_BAND_HZ * (band as f64 / BANDS_PER_OCTAVE as f64).exp2();
            let bin = |hz: f64| ((hz / bin_hz) as usize).min(magnitudes.len());
            let power: f64 = magnitudes[bin(centre_hz / half_band)..bin(centre_hz * half_band)]
                .iter()
                .map(|magnitude| magnitude * magnitude)
                .sum();
            *level = 10.0 * power.log10();
        }
        let loudest = bands_db.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for level in &mut bands_db {
            *level = if loudest.is_finite() {
                (*level - loudest).max(TIMBRE_FLOOR_DB)
            } else {
                TIMBRE_FLOOR_DB
            };
        }
        Self { bands_db }
    }

    /// Root mean square of the bands' differences, in dB. Two takes of one instrument differ by a
    /// dB or two, a flute from an organ by ten or more.
    pub fn distance_db(&self, other: &Self) -> f64 {
        let squares: f64 = self
            .bands_db
            .iter()
            .zip(&other.bands_db)
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        (squares / BANDS as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harmonics with amplitudes `1 / k^slope`.
    fn tone(hz: f64, sample_rate_hz: f64, seconds: f64, slope: f64) -> Vec<f32> {
        let harmonics = ((0.45 * sample_rate_hz / hz) as usize).min(40);
        (0..(seconds * sample_rate_hz) as usize)
            .map(|index| {
                let phase = std::f64::consts::TAU * hz * index as f64 / sample_rate_hz;
                let sum: f64 = (1..=harmonics)
                    .map(|k| (phase * k as f64).sin() / (k as f64).powf(slope))
                    .sum();
                (0.1 * sum) as f32
            })
            .collect()
    }

    #[test]
    fn a_steady_tone_is_measured_to_a_fiftieth_of_a_cent() {
        for sample_rate_hz in [44_100.0, 48_000.0, 192_000.0] {
            for note in [28.0, 36.3, 60.0, 69.01, 84.5, 96.0] {
                let hz = note_hz(note);
                let found = partial_hz(
                    &tone(hz, sample_rate_hz, 1.0, 1.0),
                    sample_rate_hz,
                    note_hz(note.round()),
                );
                let error = cents(found.expect("a tone stands out"), hz);
                assert!(
                    error.abs() < 0.02,
                    "note {note} at {sample_rate_hz} Hz: off by {error} cents"
                );
            }
        }
    }

    #[test]
    fn vibrato_is_measured_at_its_mean() {
        let (hz, rate) = (440.0, 48_000.0);
        let mut phase = 0.0;
        let samples: Vec<f32> = (0..96_000)
            .map(|index| {
                let swing = 5.0 * (std::f64::consts::TAU * 5.0 * index as f64 / rate).sin();
                phase += std::f64::consts::TAU * hz * (swing / 1200.0_f64).exp2() / rate;
                phase.sin() as f32
            })
            .collect();
        let error = cents(partial_hz(&samples, rate, hz).unwrap(), hz);
        assert!(error.abs() < 0.2, "off by {error} cents");
    }

    #[test]
    fn silence_and_noise_have_no_pitch() {
        assert_eq!(partial_hz(&[0.0; 48_000], 48_000.0, 440.0), None);
        let mut seed = 1_u32;
        let noise: Vec<f32> = (0..48_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 8_388_608.0 - 1.0
            })
            .collect();
        assert_eq!(partial_hz(&noise, 48_000.0, 440.0), None);
    }

    #[test]
    fn a_timbre_ignores_level_and_tells_bright_from_dull() {
        let bright = tone(220.0, 48_000.0, 1.0, 1.0);
        let dull = tone(220.0, 48_000.0, 1.0, 3.0);
        let between = tone(220.0, 48_000.0, 1.0, 2.0);
        let quiet: Vec<f32> = bright.iter().map(|sample| 0.1 * sample).collect();
        let [bright, dull, between, quiet] = [bright, dull, between, quiet].map(|x| Timbre::of(&x, 48_000.0));
        assert!(bright.distance_db(&quiet) < 0.01);
        assert!(bright.distance_db(&dull) > 10.0);
        assert!(bright.distance_db(&between) < bright.distance_db(&dull));
        assert!(dull.distance_db(&between) < bright.distance_db(&dull));
    }

    #[test]
    fn a_timbre_hardly_depends_on_the_sample_rate() {
        let low = Timbre::of(&tone(220.0, 44_100.0, 1.0, 1.0), 44_100.0);
        let high = Timbre::of(&tone(220.0, 192_000.0, 1.0, 1.0), 192_000.0);
        assert!(low.distance_db(&high) < 0.5, "{}", low.distance_db(&high));
    }

    #[test]
    fn the_first_sound_is_found() {
        assert_eq!(first_sound(&[0.0, 1.0e-7, 0.1], 1.0e-6), Some(2));
        assert_eq!(first_sound(&[0.0; 8], 1.0e-6), None);
    }
}
