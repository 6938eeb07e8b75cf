//! A picture of a recording: frequency upwards on a logarithmic scale, time to the right, and the path of the
//! blend drawn over it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use realfft::RealFftPlanner;

use crate::demo_report::BlendPoint;
use crate::picture::{Colour, Picture};

const WIDTH: usize = 1200;
const HEIGHT: usize = 540;
/// Room left of and under the plot for its scales, in pixels.
const MARGIN_LEFT: usize = 46;
const MARGIN_BOTTOM: usize = 20;
const LOWEST_HZ: f64 = 40.0;
const HIGHEST_HZ: f64 = 20_000.0;
/// What lies further under the loudest point is black.
const RANGE_DB: f32 = 78.0;
/// Analysis window: 171 ms at 48 kHz, to tell the partials of a low chord apart.
const WINDOW_SAMPLES: usize = 8192;

/// Pixels of the plot itself.
const PLOT: (usize, usize) = (WIDTH - MARGIN_LEFT, HEIGHT - MARGIN_BOTTOM);

/// Draws the WAV file; the result is a PNG file's content.
pub fn draw(wav: &Path, blend_path: &[BlendPoint]) -> Result<Vec<u8>> {
    let recording = Recording::read(wav)?;
    let mut picture = Picture::new(WIDTH, HEIGHT);
    let levels = levels(&recording);
    for (column, level) in levels.iter().enumerate() {
        for (row, &db) in level.iter().enumerate() {
            let depth = (1.0 + db / RANGE_DB).clamp(0.0, 1.0);
            picture.set(MARGIN_LEFT + column, row, Colour::heat(depth));
        }
    }
    draw_scales(&mut picture, recording.seconds());
    draw_path(&mut picture, recording.seconds(), blend_path);
    picture.to_png()
}

/// A recording mixed to one channel.
struct Recording {
    samples: Vec<f32>,
    rate_hz: f64,
}

impl Recording {
    fn read(wav: &Path) -> Result<Self> {
        let unreadable = || format!("{} can't be read", wav.display());
        let mut reader = hound::WavReader::open(wav).with_context(unreadable)?;
        let format = reader.spec();
        let all: Vec<f32> = match format.sample_format {
            hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>(),
            hound::SampleFormat::Int => {
                let full_scale = 2_f32.powi(i32::from(format.bits_per_sample) - 1);
                reader
                    .samples::<i32>()
                    .map(|sample| sample.map(|value| value as f32 / full_scale))
                    .collect()
            }
        }
        .with_context(unreadable)?;
        let channels = usize::from(format.channels.max(1));
        let samples: Vec<f32> = all
            .chunks_exact(channels)
            .map(|frame| frame.iter().sum::<f32>() / channels as f32)
            .collect();
        if samples.is_empty() {
            bail!("{} holds no samples", wav.display());
        }
        Ok(Self {
            samples,
            rate_hz: f64::from(format.sample_rate),
        })
    }

    fn seconds(&self) -> f64 {
        self.samples.len() as f64 / self.rate_hz
    }
}

/// For each column of the plot, the level of each of its rows from the top, in dB under the loudest.
fn levels(recording: &Recording) -> Vec<Vec<f32>> {
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW_SAMPLES);
    let window: Vec<f32> = (0..WINDOW_SAMPLES)
        .map(|at| 0.5 - 0.5 * (std::f32::consts::TAU * at as f32 / WINDOW_SAMPLES as f32).cos())
        .collect();
    let (columns, rows) = PLOT;
    let bin_hz = recording.rate_hz / WINDOW_SAMPLES as f64;
    // Edges of the rows in bins, from the top down.
    let edges: Vec<f64> = (0..=rows)
        .map(|row| row_frequency_hz(row as f64) / bin_hz)
        .collect();
    let mut spectrum = fft.make_output_vec();
    let mut powers = vec![0.0_f32; spectrum.len()];
    let mut picture = Vec::with_capacity(columns);
    let mut loudest = f32::MIN_POSITIVE;
    for column in 0..columns {
        let centre = (column as f64 + 0.5) / columns as f64 * recording.samples.len() as f64;
        let start = centre as isize - (WINDOW_SAMPLES / 2) as isize;
        let mut input: Vec<f32> = window
            .iter()
            .enumerate()
            .map(|(at, weight)| {
                let index = usize::try_from(start + at as isize).ok();
                weight
                    * index
                        .and_then(|index| recording.samples.get(index))
                        .copied()
                        .unwrap_or(0.0)
            })
            .collect();
        fft.process(&mut input, &mut spectrum)
            .expect("the buffers have the plan's own lengths");
        for (power, bin) in powers.iter_mut().zip(&spectrum) {
            *power = bin.norm_sqr();
        }
        let level: Vec<f32> = edges
            .windows(2)
            .map(|edge| power_between(&powers, edge[1], edge[0]))
            .collect();
        loudest = level.iter().copied().fold(loudest, f32::max);
        picture.push(level);
    }
    for level in picture.iter_mut().flatten() {
        *level = 10.0 * (*level / loudest).max(1e-20).log10();
    }
    picture
}

/// The largest power between two places of the spectrum, in bins; where the two lie between the same
/// bins, what lies between those bins' powers.
fn power_between(powers: &[f32], low: f64, high: f64) -> f32 {
    let (first, last) = (low.ceil() as usize, high.floor() as usize);
    let inside = powers.get(first..=last).unwrap_or_default();
    let middle = (low + high) / 2.0;
    let at = middle.floor() as usize;
    let (Some(&below), Some(&above)) = (powers.get(at), powers.get(at + 1)) else {
        return 0.0;
    };
    let part = (middle - at as f64) as f32;
    let between = below * (1.0 - part) + above * part;
    inside.iter().copied().fold(between, f32::max)
}

/// The frequency at a height of the plot, in rows from the top.
fn row_frequency_hz(row: f64) -> f64 {
    HIGHEST_HZ * (LOWEST_HZ / HIGHEST_HZ).powf(row / PLOT.1 as f64)
}

/// The height of a frequency, in rows from the top.
fn frequency_row(hz: f64) -> f64 {
    PLOT.1 as f64 * (hz / HIGHEST_HZ).ln() / (LOWEST_HZ / HIGHEST_HZ).ln()
}

fn draw_scales(picture: &mut Picture, seconds: f64) {
    for (hz, label) in [(100.0, "100 Hz"), (1_000.0, "1 kHz"), (10_000.0, "10 kHz")] {
        let row = frequency_row(hz);
        picture.line((MARGIN_LEFT as f64, row), (WIDTH as f64, row), Colour::GRID, 0.35);
        picture.text((4, row as usize - 3), label, Colour::LABEL);
    }
    let step = if seconds > 8.0 { 5 } else { 1 };
    for second in (0..=seconds as usize).step_by(step) {
        let column = MARGIN_LEFT as f64 + second as f64 / seconds * PLOT.0 as f64;
        picture.line(
            (column, PLOT.1 as f64),
            (column, PLOT.1 as f64 + 4.0),
            Colour::LABEL,
            1.0,
        );
        let label = format!("{second} s");
        let at = (column as usize).min(WIDTH - Picture::text_width(&label) - 2);
        picture.text((at, PLOT.1 + 8), &label, Colour::LABEL);
    }
}

/// Two lines, the pad's two directions, each over the plot's full height.
fn draw_path(picture: &mut Picture, seconds: f64, path: &[BlendPoint]) {
    let (width, height) = (PLOT.0 as f64, PLOT.1 as f64);
    let inset = 8.0;
    let place = |point: &BlendPoint, value: f64| {
        let column = MARGIN_LEFT as f64 + point.seconds / seconds * width;
        (column, inset + (1.0 - value) * (height - 2.0 * inset))
    };
    let along_x: Vec<_> = path.iter().map(|point| place(point, point.x)).collect();
    let along_y: Vec<_> = path.iter().map(|point| place(point, point.y)).collect();
    let directions = [
        ("blend x", Colour::CORAL, along_x),
        ("blend y", Colour::TEAL, along_y),
    ];
    for (index, (label, colour, places)) in directions.into_iter().enumerate() {
        for pair in places.windows(2) {
            picture.line(pair[0], pair[1], colour, 0.9);
        }
        let top = 8 + index * 14;
        let left = WIDTH - 90;
        picture.line(
            (left as f64, top as f64 + 3.0),
            (left as f64 + 20.0, top as f64 + 3.0),
            colour,
            1.0,
        );
        picture.text((left + 28, top), label, Colour::LABEL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_brightest_at_its_frequency() {
        let rate_hz = 48_000.0;
        let samples = (0..48_000)
            .map(|at| (std::f64::consts::TAU * 440.0 * f64::from(at) / rate_hz).sin() as f32)
            .collect();
        let levels = levels(&Recording { samples, rate_hz });
        let middle = &levels[PLOT.0 / 2];
        let brightest = (0..middle.len())
            .max_by(|&a, &b| middle[a].total_cmp(&middle[b]))
            .unwrap();
        let hz = row_frequency_hz(brightest as f64 + 0.5);
        assert!((hz / 440.0).log2().abs() < 1.0 / 24.0, "{hz} Hz");
        assert!(middle[0] < -60.0, "there is nothing at 20 kHz");
    }

    #[test]
    fn rows_and_frequencies_are_each_other_s_inverse() {
        for hz in [LOWEST_HZ, 440.0, HIGHEST_HZ] {
            assert!((row_frequency_hz(frequency_row(hz)) - hz).abs() < 1e-6);
        }
    }

    #[test]
    fn a_recording_becomes_a_small_png() {
        let home = tempfile::tempdir().unwrap();
        let wav = home.path().join("noise.wav");
        let format = hound::WavSpec {
            channels: 2,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&wav, format).unwrap();
        let mut state = 1_u32;
        for _ in 0..2 * 48_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            writer.write_sample((state >> 18) as i16).unwrap();
        }
        writer.finalize().unwrap();
        let path = [
            BlendPoint {
                seconds: 0.0,
                x: 0.0,
                y: 1.0,
            },
            BlendPoint {
                seconds: 1.0,
                x: 1.0,
                y: 0.0,
            },
        ];
        let png = draw(&wav, &path).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        assert!(
            png.len() < 400_000,
            "{} bytes, for the hardest of recordings",
            png.len()
        );
    }
}
