//! The rendering of one sample: the note that the plugin plays at this key, dry, made into a file's bytes.
//!
//! On a pack's own threads. A sample is a function of recipe, plan and model alone: of nothing that was rendered before it or
//! beside it. Its key is held for [`HELD_SHARE`] of its length and then let go: a sound that is held by its loop goes on to its
//! own ending. The voice's envelope, filter, glide and gain are left to the sampler.

use std::sync::atomic::AtomicBool;

use betwixt_audio::note::{NoteKey, Part, Strike};
use betwixt_audio::settings::{FULL_WIDTH, Settings};
use betwixt_audio::timbre::Timbre;

use crate::audio_file::resample;
use crate::decoder::{DecodeError, Decoder};
use crate::loaded_model::LoadedModel;
use crate::note_render::NoteRender;
use crate::pack::loudness::loudest_lufs;
use crate::pack::options::{HELD_SHARE, PackFormat, PackOptions};
use crate::pack::plan::PlannedSample;
use crate::pack::sample_file::{SampleFacts, encode};
use crate::pack::sustain;
use crate::patch::Patch;

/// Loudness of a sample struck as hard as can be, of its loudest 400 ms. Sounds are levelled to -20 dBFS rms.
pub const LOUDNESS_LUFS: f64 = -20.0;
/// A sample is made louder or quieter by no more than this: one that is quiet by nature stays so.
pub const MOST_LEVELLING_DB: f64 = 6.0;
/// And never so loud that its peak is higher.
pub const HIGHEST_PEAK_DBFS: f64 = -1.0;

/// A note's first sample is rarely zero.
const FADE_IN_SECONDS: f64 = 0.001;
/// For a note that still sounds where its file ends.
const FADE_OUT_SECONDS: f64 = 0.02;
/// The end of a note that is this much under its peak is left out.
const SILENCE_DB: f64 = -84.0;
/// Chunks that are rendered at once.
const RUN_CHUNKS: usize = 8;

/// All samples of a pack are rendered from.
#[derive(Debug)]
pub(crate) struct SampleRenderer<'a> {
    pub model: &'a LoadedModel,
    pub patch: &'a Patch,
    pub settings: Settings,
    pub options: &'a PackOptions,
}

/// Why a sample could not be rendered.
#[derive(Debug)]
pub(crate) enum SampleError {
    /// It was called off.
    Cancelled,
    /// In words.
    Failed(String),
}

impl From<DecodeError> for SampleError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Cancelled => Self::Cancelled,
            error => Self::Failed(error.to_string()),
        }
    }
}

/// A dry note at the model's rate.
struct DryNote {
    samples: Vec<f32>,
    /// The sample at which its key was let go, if it sounds as long as the key is held.
    held_until: Option<usize>,
}

impl SampleRenderer<'_> {
    /// The bytes of a sample's file.
    pub(crate) fn render(
        &self,
        sample: &PlannedSample,
        decoder: &mut dyn Decoder,
        cancel: &AtomicBool,
    ) -> Result<Vec<u8>, SampleError> {
        let options = self.options;
        let is_nsynth = options.format == PackFormat::Nsynth;
        let note_rate_hz = self.model.format.sample_rate_hz;
        let mid = self.note(sample, Part::Mid, decoder, cancel)?;
        let levelling = levelling_db(&mid.samples, note_rate_hz);
        let rate_ratio = f64::from(options.rate_hz) / f64::from(note_rate_hz);
        let held_until = mid.held_until.map(|at| (at as f64 * rate_ratio).round() as usize);
        let width = FULL_WIDTH * self.settings.width.clamp(0.0, 1.0);
        let at_rate = |samples| resample(samples, note_rate_hz, options.rate_hz);
        let mut channels = if width > 0.0 && !is_nsynth {
            let side = at_rate(self.note(sample, Part::Side, decoder, cancel)?.samples);
            let mid = at_rate(mid.samples);
            let channel = |width: f32| {
                mid.iter()
                    .zip(&side)
                    .map(|(mid, side)| mid + width * side)
                    .collect()
            };
            vec![channel(width), channel(-width)]
        } else {
            vec![at_rate(mid.samples)]
        };

        let length = (options.seconds * f64::from(options.rate_hz)).round() as usize;
        let kept = if is_nsynth {
            length
        } else {
            sounding(&channels).min(length)
        };
        let held = held_until.and_then(|end| {
            // The dataset's notes are recordings: they are not held.
            let held = (!is_nsynth).then(|| sustain::join(&mut channels, end, options.rate_hz));
            held.flatten()
        });
        let kept = kept.max(held.map_or(0, |held| held.end));
        for channel in &mut channels {
            channel.resize(length.max(kept), 0.0);
            channel.truncate(kept);
            fade_edges(channel, options.rate_hz, held.map_or(0, |held| held.end));
        }
        self.level(&mut channels, levelling, sample.velocity);

        let tuning = self.settings.tuning_cents.round().clamp(-50.0, 50.0);
        let facts = SampleFacts {
            key: sample.key,
            fine_tune_cents: tuning as i8,
            keys: sample.keys,
            velocities: sample.velocities,
            held,
        };
        let seed = self.key(sample, Part::Mid).seed() ^ sample.take as u64;
        encode(&channels, options.rate_hz, options.depth, seed, &facts).map_err(SampleError::Failed)
    }

    fn key(&self, sample: &PlannedSample, part: Part) -> NoteKey {
        let timbre = Timbre {
            blend: sample.blend,
            ..self.settings.timbre()
        };
        NoteKey {
            patch: self.patch.id(),
            strike: Strike {
                velocity: self
                    .patch
                    .view()
                    .velocity_cell(f32::from(sample.velocity) / 127.0),
                ..self.settings.strike(timbre)
            },
            part,
            pitch_cents: i32::from(sample.key) * 100,
        }
    }

    /// The note of a sample, held and let go.
    fn note(
        &self,
        sample: &PlannedSample,
        part: Part,
        decoder: &mut dyn Decoder,
        cancel: &AtomicBool,
    ) -> Result<DryNote, SampleError> {
        let key = self.key(sample, part);
        let mut note = self
            .model
            .render(self.patch, key, sample.take)
            .map_err(SampleError::Failed)?;
        let format = note.format();
        let chunks = |seconds: f64| {
            let samples = seconds * f64::from(format.sample_rate_hz);
            (samples / format.chunk_samples as f64).round().max(1.0) as usize
        };
        let is_endless = note.length_samples().is_none();
        let mut samples = Vec::new();
        let held = chunks(self.options.seconds * HELD_SHARE);
        play(&mut note, held, decoder, cancel, &mut samples)?;
        let held_until = (is_endless && !note.is_done()).then_some(samples.len());
        let strike = key.strike;
        note.steer(strike.timbre.into(), true, 1);
        // A chunk more: the file's end may lie in it.
        let all = chunks(self.options.seconds) + 1;
        play(&mut note, all, decoder, cancel, &mut samples)?;
        Ok(DryNote { samples, held_until })
    }

    /// Brings a sample to its loudness, and to what the instrument makes of its velocity.
    fn level(&self, channels: &mut [Vec<f32>], levelling_db: f64, velocity: u8) {
        let peak = channels
            .iter()
            .flatten()
            .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let peak_db = 20.0 * f64::from(peak.max(1e-9)).log10();
        let gain_db = levelling_db.min(HIGHEST_PEAK_DBFS - peak_db);
        let velocity_gain = self.settings.velocity_gain(f32::from(velocity) / 127.0);
        let gain = 10_f64.powf(gain_db / 20.0) as f32 * velocity_gain;
        for sample in channels.iter_mut().flatten() {
            *sample *= gain;
        }
    }
}

/// Renders a note up to so many chunks from its beginning, or to its own end.
fn play(
    note: &mut NoteRender,
    chunks: usize,
    decoder: &mut dyn Decoder,
    cancel: &AtomicBool,
    samples: &mut Vec<f32>,
) -> Result<(), SampleError> {
    while !note.is_done() && note.rendered_chunks() < chunks {
        if cancel.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(SampleError::Cancelled);
        }
        let run = (chunks - note.rendered_chunks()).min(RUN_CHUNKS);
        for run in NoteRender::render_together(&mut [(note, run)], decoder, cancel)? {
            samples.extend(run);
        }
    }
    Ok(())
}

/// What brings a note to the pack's loudness, within bounds.
fn levelling_db(samples: &[f32], rate_hz: u32) -> f64 {
    let off = loudest_lufs(samples, rate_hz).map_or(0.0, |lufs| LOUDNESS_LUFS - lufs);
    off.clamp(-MOST_LEVELLING_DB, MOST_LEVELLING_DB)
}

/// Frames up to which anything is heard.
fn sounding(channels: &[Vec<f32>]) -> usize {
    let highest = |channel: &Vec<f32>| {
        channel
            .iter()
            .fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
    };
    let peak = channels.iter().map(highest).fold(0.0, f32::max);
    let least = peak * 10_f32.powf(SILENCE_DB as f32 / 20.0);
    let last = |channel: &Vec<f32>| channel.iter().rposition(|sample| sample.abs() > least);
    channels.iter().filter_map(last).max().map_or(0, |last| last + 1)
}

/// Both ends of a sample from and to silence; the end only after `loop_end`, which is not to change.
fn fade_edges(channel: &mut [f32], rate_hz: u32, loop_end: usize) {
    let frames = |seconds: f64, most: usize| ((seconds * f64::from(rate_hz)) as usize).min(most);
    let rise = |index: usize, of: usize| {
        (0.5 - 0.5 * (std::f64::consts::PI * index as f64 / of as f64).cos()) as f32
    };
    let fade_in = frames(FADE_IN_SECONDS, channel.len());
    for (index, sample) in channel[..fade_in].iter_mut().enumerate() {
        *sample *= rise(index, fade_in);
    }
    let fade_out = frames(FADE_OUT_SECONDS, channel.len() - loop_end);
    for (index, sample) in channel.iter_mut().rev().take(fade_out).enumerate() {
        *sample *= rise(index, fade_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_rise_from_silence_and_fall_to_it_and_the_loop_stays() {
        let mut channel = vec![1.0; 4_000];
        fade_edges(&mut channel, 48_000, 3_900);
        assert_eq!((channel[0], channel[3_999]), (0.0, 0.0));
        assert!(channel[48..3_900].iter().all(|sample| *sample == 1.0));
        let mut empty: [f32; 0] = [];
        fade_edges(&mut empty, 48_000, 0);
    }

    #[test]
    fn a_quiet_end_is_left_out() {
        let mut channel = vec![0.5; 100];
        channel.extend([1e-6; 50]);
        assert_eq!(sounding(&[channel, vec![0.0; 150]]), 100);
        assert_eq!(sounding(&[vec![0.0; 10]]), 0);
    }

    #[test]
    fn levelling_has_bounds() {
        let tone =
            |level: f32| -> Vec<f32> { (0..48_000).map(|n| level * (n as f32 * 0.13).sin()).collect() };
        assert_eq!(levelling_db(&tone(0.001), 48_000), MOST_LEVELLING_DB);
        assert_eq!(levelling_db(&tone(0.9), 48_000), -MOST_LEVELLING_DB);
        assert!(levelling_db(&tone(0.14), 48_000).abs() < 1.5);
        assert_eq!(levelling_db(&vec![0.0; 48_000], 48_000), 0.0);
    }
}
