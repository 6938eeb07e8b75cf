//! Finding the pitch of a recorded note: the McLeod pitch method over many frames, and a vote.
//!
//! Pure numbers, background threads. After P. McLeod, G. Wyvill, "A smarter way to find pitch" (ICMC 2005): the
//! normalised square difference function of a frame, and the first of its peaks that is nearly the highest.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Lowest pitch looked for.
pub const MIN_HZ: f64 = 25.0;
/// Highest pitch looked for.
pub const MAX_HZ: f64 = 4800.0;
/// Below this confidence a pitch is a guess.
pub const MIN_CONFIDENCE: f32 = 0.5;

/// Length of a frame: more than four periods of the lowest pitch.
const FRAME_SECONDS: f64 = 0.17;
/// Time between frames.
const HOP_SECONDS: f64 = 0.04;
/// The attack is noisy and often sharp: frames start after it where the note is long enough.
const ATTACK_SECONDS: f64 = 0.06;
/// Frames that take part.
const MAX_FRAMES: usize = 48;
/// Frames quieter than the loudest by more than this do not take part.
const QUIET_DB: f64 = 30.0;
/// The first peak this close to the highest is the period.
const PEAK_RATIO: f64 = 0.93;
/// Peaks below this are no sign of a period.
const MIN_CLARITY: f64 = 0.3;
/// Frames that agree this closely vote for one pitch.
const AGREEMENT_SEMITONES: f64 = 0.5;

/// A pitch and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectedPitch {
    /// MIDI note number, fractional; 69 is 440 Hz.
    pub midi: f32,
    /// 0 (noise) to 1 (every frame is periodic and all agree).
    pub confidence: f32,
}

/// What is heard of the pitch in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FramePitch {
    /// The frame's first sample.
    pub start: usize,
    /// Its level, in dB of full scale.
    pub level_db: f64,
    /// MIDI note number and clarity (0 to 1); none where nothing repeats.
    pub pitch: Option<(f64, f64)>,
}

/// Samples of a frame.
pub(crate) fn frame_samples(sample_rate_hz: u32) -> usize {
    ((FRAME_SECONDS * f64::from(sample_rate_hz)) as usize).max(1)
}

/// The pitch of every frame that lies within the samples, `hop_seconds` after the one before.
pub(crate) fn frames(samples: &[f32], sample_rate_hz: u32, hop_seconds: f64) -> Vec<FramePitch> {
    let rate = f64::from(sample_rate_hz);
    let mut analyser = Analyser::new(frame_samples(sample_rate_hz), rate);
    samples
        .windows(frame_samples(sample_rate_hz))
        .enumerate()
        .step_by(((hop_seconds * rate) as usize).max(1))
        .map(|(start, frame)| {
            let power = frame.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / frame.len() as f64;
            FramePitch {
                start,
                level_db: 10.0 * (power + 1e-20).log10(),
                pitch: (power > 1e-12)
                    .then(|| analyser.period(frame))
                    .flatten()
                    .map(|(period, clarity)| (midi_of_hz(rate / period), clarity)),
            }
        })
        .collect()
}

/// The MIDI note number of a frequency.
pub fn midi_of_hz(hz: f64) -> f64 {
    69.0 + 12.0 * (hz / 440.0).log2()
}

/// Finds the pitch of one note; none if no frame is periodic.
pub fn detect(samples: &[f32], sample_rate_hz: u32) -> Option<DetectedPitch> {
    let rate = f64::from(sample_rate_hz);
    let frame = frame_samples(sample_rate_hz);
    let hop = ((HOP_SECONDS * rate) as usize).max(1);
    let mut padded;
    let samples = if samples.len() < frame {
        // A short blip still has a period: silence after it changes none of its peaks' places.
        padded = samples.to_vec();
        padded.resize(frame, 0.0);
        &padded
    } else {
        samples
    };
    let first = ((ATTACK_SECONDS * rate) as usize).min(samples.len() - frame);
    let starts: Vec<usize> = (first..=samples.len() - frame).step_by(hop).collect();
    let energy = |start: usize| {
        samples[start..start + frame]
            .iter()
            .map(|s| f64::from(*s).powi(2))
            .sum::<f64>()
    };
    let energies: Vec<f64> = starts.iter().map(|start| energy(*start)).collect();
    let loudest = energies.iter().copied().fold(0.0, f64::max);
    if loudest <= 1e-12 * frame as f64 {
        return None;
    }
    let mut analyser = Analyser::new(frame, rate);
    let votes: Vec<(f64, f64)> = starts
        .iter()
        .zip(&energies)
        .filter(|(_, energy)| **energy > loudest * 10_f64.powf(-QUIET_DB / 10.0))
        .take(MAX_FRAMES)
        .filter_map(|(start, _)| analyser.period(&samples[*start..start + frame]))
        .map(|(period, clarity)| (midi_of_hz(rate / period), clarity))
        .collect();
    vote(votes)
}

/// The pitch that most of the votes (pitch, weight) agree on.
fn vote(mut votes: Vec<(f64, f64)>) -> Option<DetectedPitch> {
    let total: f64 = votes.iter().map(|(_, weight)| weight).sum();
    votes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut passed = 0.0;
    let median = votes.iter().find(|(_, weight)| {
        passed += weight;
        passed >= total / 2.0
    })?;
    let agree: Vec<_> = votes
        .iter()
        .filter(|(pitch, _)| (pitch - median.0).abs() < AGREEMENT_SEMITONES)
        .collect();
    let weight: f64 = agree.iter().map(|(_, weight)| weight).sum();
    let midi = agree.iter().map(|(pitch, weight)| pitch * weight).sum::<f64>() / weight;
    let clarity = weight / agree.len() as f64;
    Some(DetectedPitch {
        midi: midi as f32,
        confidence: (clarity * weight / total) as f32,
    })
}

/// The periods of frames of one length.
struct Analyser {
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    min_lag: usize,
    max_lag: usize,
}

impl Analyser {
    fn new(frame: usize, rate: f64) -> Self {
        let max_lag = ((rate / MIN_HZ).ceil() as usize).min(frame / 2);
        let size = (frame + max_lag + 1).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        Self {
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
            min_lag: ((rate / MAX_HZ) as usize).max(2),
            max_lag,
        }
    }

    /// The period of a frame in samples, and the height of its peak.
    fn period(&mut self, frame: &[f32]) -> Option<(f64, f64)> {
        let function = self.square_difference(frame);
        let peaks = peaks(&function);
        let highest = peaks.iter().map(|(_, height)| *height).fold(0.0, f64::max);
        let (lag, height) = *peaks
            .iter()
            .find(|(lag, height)| *height >= PEAK_RATIO * highest && *lag >= self.min_lag as f64 - 0.5)
            .filter(|(_, height)| *height >= MIN_CLARITY)?;
        Some((refined(lag, height, &peaks), height.min(1.0)))
    }

    /// The normalised square difference function for lags 0 to `max_lag`: 1 where the frame repeats.
    fn square_difference(&self, frame: &[f32]) -> Vec<f64> {
        let mut padded = self.forward.make_input_vec();
        for (padded, sample) in padded.iter_mut().zip(frame) {
            *padded = f64::from(*sample);
        }
        let mut spectrum = self.forward.make_output_vec();
        let mut correlation = self.inverse.make_output_vec();
        self.forward
            .process(&mut padded, &mut spectrum)
            .expect("the buffers are the plan's own");
        for bin in &mut spectrum {
            *bin = realfft::num_complex::Complex::new(bin.norm_sqr(), 0.0);
        }
        self.inverse
            .process(&mut spectrum, &mut correlation)
            .expect("the spectrum of a power is real at both ends");
        let scale = 1.0 / correlation.len() as f64;
        let square = |i: usize| f64::from(frame[i]).powi(2);
        let mut energy = 2.0 * frame.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        let floor = 1e-9 * energy;
        (0..=self.max_lag)
            .map(|lag| {
                if lag > 0 {
                    energy -= square(lag - 1) + square(frame.len() - lag);
                }
                2.0 * scale * correlation[lag] / energy.max(floor)
            })
            .collect()
    }
}

/// The highest point of each stretch above zero after the first, by parabolas: (lag, height).
fn peaks(function: &[f64]) -> Vec<(f64, f64)> {
    let mut peaks = Vec::new();
    let Some(mut at) = function.iter().position(|value| *value <= 0.0) else {
        return peaks;
    };
    while at < function.len() {
        let Some(rise) = function[at..]
            .iter()
            .position(|value| *value > 0.0)
            .map(|n| at + n)
        else {
            break;
        };
        let fall = function[rise..]
            .iter()
            .position(|value| *value <= 0.0)
            .map_or(function.len(), |n| rise + n);
        if let Some(top) = (rise..fall).max_by(|a, b| function[*a].total_cmp(&function[*b]))
            && top > 0
            && top + 1 < function.len()
        {
            peaks.push(parabola(function, top));
        }
        at = fall;
    }
    peaks
}

fn parabola(function: &[f64], top: usize) -> (f64, f64) {
    let (left, middle, right) = (function[top - 1], function[top], function[top + 1]);
    let curve = left - 2.0 * middle + right;
    if curve >= 0.0 {
        return (top as f64, middle);
    }
    let offset = (0.5 * (left - right) / curve).clamp(-1.0, 1.0);
    (top as f64 + offset, middle - 0.25 * (left - right) * offset)
}

/// The period from the latest peak that still is a whole number of periods away: the later, the finer.
fn refined(period: f64, height: f64, peaks: &[(f64, f64)]) -> f64 {
    let mut best = period;
    for &(lag, peak) in peaks {
        let count = (lag / best).round();
        if count >= 2.0 && peak >= 0.9 * height && (lag / count - best).abs() < 0.25 * best / count {
            best = lag / count;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: u32 = 48_000;

    /// A tone of partials that fall by `tilt_db` an octave, with vibrato, decay and noise.
    fn tone(midi: f64, tilt_db: f64, odd_only: bool, decay: f64, noise: f64, seed: u64) -> Vec<f32> {
        let f0 = 440.0 * 2_f64.powf((midi - 69.0) / 12.0);
        let mut state = seed | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let partials: Vec<(f64, f64, f64)> = (1..=40)
            .filter(|k| !(odd_only && k % 2 == 0))
            .map(|k| {
                (
                    f64::from(k) * f0,
                    10_f64.powf(-tilt_db * f64::from(k).log2() / 20.0),
                    random() * std::f64::consts::TAU,
                )
            })
            .filter(|(hz, ..)| *hz < 22_000.0)
            .collect();
        (0..RATE as usize)
            .map(|i| {
                let t = i as f64 / f64::from(RATE);
                let sum: f64 = partials
                    .iter()
                    .map(|(hz, gain, phase)| gain * (std::f64::consts::TAU * hz * t + phase).sin())
                    .sum();
                (0.2 * sum * (-decay * t).exp() + noise * random()) as f32
            })
            .collect()
    }

    #[test]
    fn nineteen_of_twenty_tones_are_found_within_20_cents() {
        let mut found = 0;
        let mut asked = 0;
        let mut missed = Vec::new();
        for midi in (24..=105).step_by(3) {
            for (shape, (tilt, odd, decay, noise)) in [
                (3.0, false, 0.0, 0.0),
                (9.0, false, 4.0, 0.002),
                (6.0, true, 0.5, 0.01),
                (24.0, false, 1.0, 0.005),
            ]
            .into_iter()
            .enumerate()
            {
                let midi = f64::from(midi) + 0.13 * shape as f64;
                let pitch = detect(&tone(midi, tilt, odd, decay, noise, 7 + shape as u64), RATE);
                asked += 1;
                match pitch {
                    Some(p) if (f64::from(p.midi) - midi).abs() < 0.2 && p.confidence > MIN_CONFIDENCE => {
                        found += 1
                    }
                    other => missed.push((midi, shape, other)),
                }
            }
        }
        assert!(found * 20 >= asked * 19, "{found} of {asked}; {missed:?}");
    }

    #[test]
    fn noise_and_silence_have_no_confident_pitch() {
        let noise = tone(60.0, 0.0, false, 1000.0, 0.5, 3);
        assert!(detect(&noise[4800..], RATE).is_none_or(|p| p.confidence < MIN_CONFIDENCE));
        assert_eq!(detect(&[0.0; 48_000], RATE), None);
        assert_eq!(detect(&[], RATE), None);
    }

    #[test]
    fn a_single_octave_error_in_a_frame_is_outvoted() {
        let pitch = vote(vec![(60.0, 0.9), (60.1, 0.9), (72.0, 0.95), (59.9, 0.9)]).unwrap();
        assert!((pitch.midi - 60.0).abs() < 0.01, "{pitch:?}");
        assert!(pitch.confidence < 0.8, "{pitch:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_rate_and_length_is_taken(rate in 8000_u32..200_000, length in 0_usize..20_000) {
            let samples: Vec<f32> = (0..length).map(|i| (i as f32 * 0.07).sin()).collect();
            if let Some(pitch) = detect(&samples, rate) {
                prop_assert!(pitch.midi.is_finite() && (0.0..=1.001).contains(&pitch.confidence));
            }
        }
    }
}
