//! The synthesis kernel of driver `partials`: from a decoder's frames (amplitudes, frequencies, noise) to samples.
//!
//! Partials by inverse-FFT overlap-add (Rodet and Depalle 1992) with phases accumulated in double precision: each
//! partial puts a few bins of a precomputed spectral lobe into a frame's spectrum, one inverse FFT makes the frame,
//! and Hann-windowed frames overlap by half. Noise by an inverse FFT of the bands' magnitudes with seeded random
//! phases and a power-complementary window. Frame `t` is centred on sample `hop * t` of the note.
//!
//! A pure function of state and frames: workers run it today, the audio thread could. Rendering in any portions,
//! or on from a cloned state, gives the same bits as rendering at once.

mod generator;
mod layout;
pub(crate) mod lobe;
mod noise;

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};

use generator::Generator;
pub use layout::{PartialsError, PartialsLayout};
use lobe::Lobe;
use noise::NoiseBands;

/// Partials above this share of the sample rate are silent.
const HIGHEST: f64 = 0.49;

/// A partial is silent where its slot reaches over this share of the sample rate at the nominal pitch: the analysis that
/// decoders learn from has no peak to find there.
const HIGHEST_SLOT: f64 = 0.487;

/// Amplitudes under this level are silent.
const SILENCE_DB: f32 = -90.0;

/// The inverse FFT is this many frames long: with twice the samples needed, a lobe of six bins is exact to -110 dB.
const OVERSAMPLING: usize = 2;

/// A decoder's output for one note and some frames: row-major, a row a frame.
#[derive(Clone, Copy, Debug)]
pub struct PartialsFrames<'a> {
    /// `[frames, slots + groups]`: level of a partial; 0 dB is amplitude 1.0, under -90 dB is silence.
    pub amplitude_db: &'a [f32],
    /// `[frames, slots]`: a partial's frequency is (slot + deviation) times f0.
    pub deviation: &'a [f32],
    /// `[frames]`: f0's deviation from the nominal pitch.
    pub cents: &'a [f32],
    /// `[frames, bands]`: power of a bin of a Hann-windowed spectrum, normalised by the window's sum.
    pub noise_db: &'a [f32],
}

/// The tables of the kernel, shared by all notes and threads.
pub struct PartialsSynth {
    layout: PartialsLayout,
    partials: Vec<Partial>,
    lobe: Lobe,
    noise: NoiseBands,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// One partial of the layout.
#[derive(Clone, Copy, Debug)]
struct Partial {
    /// In units of f0.
    centre: f64,
    /// Half way to the next partial.
    slot_end: f64,
    /// The column of its amplitude.
    column: usize,
}

/// A note between two runs. A clone is a snapshot to resume from.
#[derive(Clone, Debug)]
pub struct PartialsState {
    /// Whether frame 0 was rendered.
    started: bool,
    /// Phase of every partial at the last frame's centre, in cycles, 0 to 1.
    phases: Vec<f64>,
    /// Frequency of every partial at the last frame's centre, in cycles a sample.
    frequencies: Vec<f64>,
    /// The last frame's second half.
    tail: Vec<f32>,
    /// The noise's phases come from here.
    generator: Generator,
}

/// Working memory of one thread.
#[derive(Debug)]
pub struct PartialsScratch {
    /// Amplitude of every column.
    amplitudes: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    wave: Vec<f32>,
    fft: Vec<Complex<f32>>,
    noise: noise::NoiseScratch,
    /// One frame: partials and noise, windowed.
    frame: Vec<f32>,
}

impl PartialsSynth {
    /// Checks the layout and computes the tables. Takes some milliseconds; allocates.
    ///
    /// # Errors
    /// Names the first field of the layout that makes no sense.
    pub fn new(layout: PartialsLayout) -> Result<Self, PartialsError> {
        layout.check()?;
        let singles = layout
            .slots
            .iter()
            .enumerate()
            .map(|(column, slot)| (f64::from(*slot), column));
        let groups = layout
            .group_edges
            .windows(2)
            .enumerate()
            .flat_map(|(group, edges)| {
                let column = layout.slots.len() + group;
                (edges[0]..edges[1]).map(move |harmonic| (f64::from(harmonic), column))
            });
        let centres: Vec<(f64, usize)> = singles.chain(groups).collect();
        let partials = centres.iter().enumerate().map(|(i, &(centre, column))| {
            let slot_end = centres
                .get(i + 1)
                .map_or(centre + 0.5, |(next, _)| 0.5 * (centre + next));
            Partial {
                centre,
                slot_end,
                column,
            }
        });
        let frame_samples = 2 * layout.hop_samples;
        let fft_samples = OVERSAMPLING * frame_samples;
        Ok(Self {
            partials: partials.collect(),
            lobe: Lobe::new(frame_samples, fft_samples),
            noise: NoiseBands::new(&layout.noise_edges_hz, frame_samples, layout.sample_rate_hz),
            inverse: RealFftPlanner::new().plan_fft_inverse(fft_samples),
            layout,
        })
    }

    /// The layout the tables were made for.
    pub fn layout(&self) -> &PartialsLayout {
        &self.layout
    }

    /// Working memory, to be used by one thread at a time for any number of notes. Allocates.
    pub fn scratch(&self) -> PartialsScratch {
        PartialsScratch {
            amplitudes: vec![0.0; self.layout.columns()],
            spectrum: self.inverse.make_input_vec(),
            wave: self.inverse.make_output_vec(),
            fft: self.inverse.make_scratch_vec(),
            noise: self.noise.scratch(),
            frame: vec![0.0; 2 * self.layout.hop_samples],
        }
    }

    /// The state of a note before its first frame. Allocates.
    ///
    /// Partials start at random phases, drawn from the seed: a sum of partials that start in phase has its whole energy
    /// in one peak a period, one with random phases stays within about 12 dB of its rms.
    pub fn begin(&self, seed: u64) -> PartialsState {
        let mut generator = Generator::new(seed);
        PartialsState {
            started: false,
            phases: self.partials.iter().map(|_| generator.next_unit()).collect(),
            frequencies: vec![0.0; self.partials.len()],
            tail: vec![0.0; self.layout.hop_samples],
            generator,
        }
    }

    /// Samples that rendering `frames` frames from this state makes: a hop for each frame, one less at the start of a
    /// note, where half of frame 0 lies before sample 0.
    pub fn samples(&self, state: &PartialsState, frames: usize) -> usize {
        (if state.started {
            frames
        } else {
            frames.saturating_sub(1)
        }) * self.layout.hop_samples
    }

    /// Renders `pitch.len()` frames; `pitch` is each frame's nominal pitch as a MIDI note number. Overwrites `out`, which
    /// is [`samples`](Self::samples) long.
    ///
    /// # Realtime Safety
    /// This method is realtime-safe.
    ///
    /// # Errors
    /// Names the first slice whose length does not fit; then nothing was changed.
    pub fn render(
        &self,
        state: &mut PartialsState,
        scratch: &mut PartialsScratch,
        frames: &PartialsFrames<'_>,
        pitch: &[f32],
        out: &mut [f32],
    ) -> Result<(), PartialsError> {
        self.check(state, frames, pitch.len(), out.len())?;
        let (columns, slots, bands) = (
            self.layout.columns(),
            self.layout.slots.len(),
            self.layout.bands(),
        );
        let hop = self.layout.hop_samples;
        let mut hops = out.chunks_exact_mut(hop);
        for (t, pitch) in pitch.iter().enumerate() {
            let hz = 440.0 * ((f64::from(*pitch) - 69.0) / 12.0).exp2();
            let nominal = hz / f64::from(self.layout.sample_rate_hz);
            let f0 = nominal * (f64::from(frames.cents[t]) / 1200.0).exp2();
            let amplitude_db = &frames.amplitude_db[t * columns..][..columns];
            self.partials_frame(
                state,
                scratch,
                amplitude_db,
                &frames.deviation[t * slots..][..slots],
                nominal,
                f0,
            );
            let noise_db = &frames.noise_db[t * bands..][..bands];
            self.noise.add_frame(
                &mut state.generator,
                &mut scratch.noise,
                noise_db,
                &mut scratch.frame,
            );
            let (first, second) = scratch.frame.split_at(hop);
            if state.started {
                for ((out, tail), new) in hops.next().into_iter().flatten().zip(&state.tail).zip(first) {
                    *out = tail + new;
                }
            }
            state.tail.copy_from_slice(second);
            state.started = true;
        }
        Ok(())
    }

    /// Moves every partial on by a hop and writes the windowed frame of their sum into `scratch.frame`. `nominal` and `f0`
    /// are the frame's pitch without and with its cents, in cycles a sample.
    fn partials_frame(
        &self,
        state: &mut PartialsState,
        scratch: &mut PartialsScratch,
        amplitude_db: &[f32],
        deviation: &[f32],
        nominal: f64,
        f0: f64,
    ) {
        for (amplitude, db) in scratch.amplitudes.iter_mut().zip(amplitude_db) {
            // 20 log10(a) = 20 log10(2) log2(a)
            *amplitude = if *db >= SILENCE_DB {
                (db * 0.166_096_4).exp2()
            } else {
                0.0
            };
        }
        let half_hop = 0.5 * self.layout.hop_samples as f64;
        let deviations = deviation.iter().copied().chain(std::iter::repeat(0.0));
        let partials = self.partials.iter().zip(deviations);
        scratch.spectrum.fill(Complex::new(0.0, 0.0));
        for ((partial, deviation), (phase, frequency)) in
            partials.zip(state.phases.iter_mut().zip(&mut state.frequencies))
        {
            let now = (partial.centre + f64::from(deviation)) * f0;
            if !now.is_finite() {
                continue;
            }
            if state.started {
                let moved = *phase + half_hop * (*frequency + now);
                *phase = moved - moved.floor();
            }
            *frequency = now;
            let amplitude = scratch.amplitudes[partial.column];
            let audible = now > 0.0 && now < HIGHEST && partial.slot_end * nominal < HIGHEST_SLOT;
            if amplitude > 0.0 && audible {
                self.lobe.add(&mut scratch.spectrum, amplitude, now, *phase);
            }
        }
        scratch.spectrum[0].im = 0.0;
        // Fails only where a length is wrong or the first or last bin is not real; neither can be.
        let done =
            self.inverse
                .process_with_scratch(&mut scratch.spectrum, &mut scratch.wave, &mut scratch.fft);
        debug_assert!(done.is_ok());
        self.lobe.window(&scratch.wave, &mut scratch.frame);
    }

    fn check(
        &self,
        state: &PartialsState,
        frames: &PartialsFrames<'_>,
        count: usize,
        out_samples: usize,
    ) -> Result<(), PartialsError> {
        let wrong = |field, expected| Err(PartialsError { field, expected });
        if state.phases.len() != self.partials.len() || state.tail.len() != self.layout.hop_samples {
            return wrong("state", "a state that these tables began");
        }
        if frames.amplitude_db.len() != count * self.layout.columns() {
            return wrong("amplitude_db", "a row of slots and groups for each frame");
        }
        if frames.deviation.len() != count * self.layout.slots.len() {
            return wrong("deviation", "a row of slots for each frame");
        }
        if frames.cents.len() != count {
            return wrong("cents", "a number for each frame");
        }
        if frames.noise_db.len() != count * self.layout.bands() {
            return wrong("noise_db", "a row of bands for each frame");
        }
        if out_samples != self.samples(state, count) {
            return wrong("out", "a hop for each frame, without the note's first");
        }
        Ok(())
    }
}

impl fmt::Debug for PartialsSynth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialsSynth")
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{PI, TAU};

    const HOP: usize = 512;

    /// The shipped model's layout: half-harmonic slots to 16, harmonics to 64, 32 groups to 400, 64 bands.
    pub(super) fn layout() -> PartialsLayout {
        let halves = (1..=32).map(|i| i as f32 / 2.0);
        let inner = (0..64).map(|i| 24_000.0 * i as f32 / 63.0);
        let mut group_edges: Vec<u32> = (0..=32)
            .map(|g| (65.0 * (401.0f64 / 65.0).powf(f64::from(g) / 32.0)).round() as u32)
            .collect();
        group_edges.dedup();
        PartialsLayout {
            slots: halves.chain((17..=64).map(|h| h as f32)).collect(),
            group_edges,
            noise_edges_hz: std::iter::once(0.0)
                .chain(inner)
                .chain(std::iter::once(24_000.0))
                .collect(),
            hop_samples: HOP,
            sample_rate_hz: 48_000,
        }
    }

    /// Owned frames of a lively note: moving amplitudes, deviations, vibrato; noise if asked for.
    struct Note {
        amplitude_db: Vec<f32>,
        deviation: Vec<f32>,
        cents: Vec<f32>,
        noise_db: Vec<f32>,
        pitch: Vec<f32>,
    }

    impl Note {
        fn new(pitch: f32, frames: usize, noise: f32) -> Self {
            let layout = layout();
            let at = |t: usize, k: usize| (t * 7 + k * 13) as f32;
            let grid = |columns: usize, f: &dyn Fn(usize, usize) -> f32| {
                (0..frames)
                    .flat_map(|t| (0..columns).map(move |k| (t, k)))
                    .map(|(t, k)| f(t, k))
                    .collect()
            };
            Self {
                amplitude_db: grid(layout.columns(), &|t, k| {
                    if k % 9 == 4 {
                        -100.0
                    } else {
                        -20.0 - 0.3 * k as f32 + 6.0 * (0.1 * at(t, k)).sin()
                    }
                }),
                deviation: grid(layout.slots.len(), &|t, k| 0.01 * (0.05 * at(t, k)).sin()),
                cents: (0..frames).map(|t| 20.0 * (0.3 * t as f32).sin()).collect(),
                noise_db: grid(layout.bands(), &|t, k| noise + 3.0 * (0.2 * at(t, k)).cos()),
                pitch: vec![pitch; frames],
            }
        }

        fn frames(&self, from: usize, to: usize) -> (PartialsFrames<'_>, &[f32]) {
            let count = self.pitch.len();
            let rows = |all: &'_ [f32]| -> std::ops::Range<usize> {
                let columns = all.len() / count;
                from * columns..to * columns
            };
            let frames = PartialsFrames {
                amplitude_db: &self.amplitude_db[rows(&self.amplitude_db)],
                deviation: &self.deviation[rows(&self.deviation)],
                cents: &self.cents[from..to],
                noise_db: &self.noise_db[rows(&self.noise_db)],
            };
            (frames, &self.pitch[from..to])
        }

        fn render(&self, synth: &PartialsSynth, seed: u64, borders: &[usize]) -> Vec<f32> {
            let (mut state, mut scratch) = (synth.begin(seed), synth.scratch());
            let (mut out, mut from) = (Vec::new(), 0);
            for to in borders.iter().copied().chain([self.pitch.len()]) {
                let (frames, pitch) = self.frames(from, to);
                let mut part = vec![9.0; synth.samples(&state, to - from)];
                synth
                    .render(&mut state, &mut scratch, &frames, pitch, &mut part)
                    .unwrap();
                // A snapshot goes on as the original would.
                state = state.clone();
                out.extend(part);
                from = to;
            }
            out
        }

        /// The same sum by direct cosines in double precision, Hann frames overlapped, from the same start phases.
        fn direct(&self, synth: &PartialsSynth, seed: u64) -> Vec<f64> {
            let mut phases = synth.begin(seed).phases;
            let frames = self.pitch.len();
            let (columns, slots) = (synth.layout.columns(), synth.layout.slots.len());
            let mut out = vec![0.0; (frames + 1) * HOP];
            let mut before = vec![0.0; phases.len()];
            for t in 0..frames {
                let midi = f64::from(self.pitch[t]) + f64::from(self.cents[t]) / 100.0;
                let f0 = 440.0 * ((midi - 69.0) / 12.0).exp2() / 48_000.0;
                let nominal = 440.0 * ((f64::from(self.pitch[t]) - 69.0) / 12.0).exp2() / 48_000.0;
                for (
                    k,
                    Partial {
                        centre,
                        slot_end,
                        column,
                    },
                ) in synth.partials.iter().copied().enumerate()
                {
                    let deviation = if k < slots {
                        f64::from(self.deviation[t * slots + k])
                    } else {
                        0.0
                    };
                    let frequency = (centre + deviation) * f0;
                    if t > 0 {
                        phases[k] += 0.5 * HOP as f64 * (before[k] + frequency);
                    }
                    before[k] = frequency;
                    let db = f64::from(self.amplitude_db[t * columns + column]);
                    if db < -90.0 || frequency >= 0.49 || slot_end * nominal >= 0.487 {
                        continue;
                    }
                    let amplitude = 10f64.powf(db / 20.0);
                    for i in 0..2 * HOP {
                        let n = i as f64 - HOP as f64;
                        let hann = 0.5 + 0.5 * (PI * n / HOP as f64).cos();
                        out[t * HOP + i] += amplitude * hann * (TAU * (phases[k] + frequency * n)).cos();
                    }
                }
            }
            out[HOP..frames * HOP].to_vec()
        }
    }

    fn synth() -> PartialsSynth {
        PartialsSynth::new(layout()).unwrap()
    }

    #[test]
    fn the_sum_is_that_of_direct_cosines() {
        let synth = synth();
        for pitch in [24.0, 36.0, 60.3, 84.0, 108.0] {
            let note = Note::new(pitch, 12, -300.0);
            let (out, expected) = (note.render(&synth, 5, &[]), note.direct(&synth, 5));
            assert_eq!(out.len(), expected.len());
            let power: f64 = expected.iter().map(|x| x * x).sum();
            let error: f64 = out
                .iter()
                .zip(&expected)
                .map(|(a, b)| (f64::from(*a) - b).powi(2))
                .sum();
            let db = 10.0 * (error / power).log10();
            println!("pitch {pitch}: error {db:.1} dB");
            assert!(db < -100.0, "pitch {pitch}: error {db:.1} dB");
        }
    }

    /// Little-endian f32s of a file that `models/training` left beside the model.
    fn reference(name: &str, part: &str) -> Vec<f32> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/spectral/reference");
        let path = format!("{folder}/{name}.{part}.f32");
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|value| f32::from_le_bytes(*value))
            .collect()
    }

    #[test]
    fn the_shipped_decoder_s_columns_sound_as_its_trainers_say() {
        let synth = synth();
        // The pitches of reference.json.
        for (name, pitch) in [("flute", 72.5), ("upright_bass", 36.0)] {
            let columns = reference(name, "columns");
            let rows: Vec<&[f32]> = columns.chunks_exact(112 + 80 + 1 + 64).collect();
            let part = |from: usize, to: usize| rows.iter().flat_map(|row| row[from..to].to_vec()).collect();
            let noise_db = vec![-300.0; rows.len() * synth.layout.bands()];
            let pitch = vec![pitch; rows.len()];
            let note = Note {
                amplitude_db: part(0, 112),
                deviation: part(112, 192),
                cents: part(192, 193),
                noise_db,
                pitch,
            };
            let mut state = synth.begin(0);
            for (phase, radians) in state.phases.iter_mut().zip(reference(name, "phases")) {
                *phase = f64::from(radians) / TAU;
            }
            let (frames, pitch) = note.frames(0, rows.len());
            let mut out = vec![0.0; synth.samples(&state, rows.len())];
            synth
                .render(&mut state, &mut synth.scratch(), &frames, pitch, &mut out)
                .unwrap();
            let expected = reference(name, "partials");
            assert_eq!(out.len(), expected.len());
            let square =
                |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x * x)).sum::<f64>();
            let error = square(&mut out.iter().zip(&expected).map(|(a, b)| a - b));
            let db = 10.0 * (error / square(&mut expected.iter().copied())).log10();
            println!("{name}: error {db:.1} dB");
            assert!(db < -90.0, "{name}: error {db:.1} dB");
        }
    }

    #[test]
    fn chunks_of_any_size_are_the_whole_to_the_bit() {
        let synth = synth();
        let note = Note::new(45.0, 40, -60.0);
        let whole = note.render(&synth, 9, &[]);
        assert_eq!(whole.len(), 39 * HOP);
        assert!(whole == note.render(&synth, 9, &[1, 2, 3, 5, 9, 17, 33]));
        assert!(whole == note.render(&synth, 9, &[3, 5, 9, 25]));
        assert!(whole == note.render(&synth, 9, &(1..40).collect::<Vec<_>>()));
    }

    #[test]
    fn a_seed_is_one_sound_and_another_seed_another() {
        let synth = synth();
        let note = Note::new(45.0, 10, -60.0);
        let first = note.render(&synth, 9, &[]);
        assert!(first == note.render(&PartialsSynth::new(layout()).unwrap(), 9, &[]));
        assert!(first != note.render(&synth, 10, &[]));
    }

    #[test]
    fn a_steady_partial_is_in_tune_to_a_hundredth_of_a_cent() {
        let synth = synth();
        for pitch in [21.0f32, 57.0, 69.37, 105.0] {
            let mut note = Note::new(pitch, 200, -300.0);
            note.deviation.fill(0.0);
            note.cents.fill(0.0);
            for (i, db) in note.amplitude_db.iter_mut().enumerate() {
                *db = if i % layout().columns() == 1 { -6.0 } else { -100.0 };
            }
            let out = note.render(&synth, 1, &[]);
            let f0 = 440.0 * ((f64::from(pitch) - 69.0) / 12.0).exp2() / 48_000.0;
            // The phase at the start and at the end, against a cosine of the nominal frequency.
            let phase = |from: usize| {
                let (mut re, mut im) = (0.0, 0.0);
                for n in 0..8192 {
                    let hann = 0.5 - 0.5 * (TAU * f64::from(n) / 8192.0).cos();
                    let (sin, cos) = (TAU * f0 * (from as f64 + f64::from(n))).sin_cos();
                    re += hann * f64::from(out[from + n as usize]) * cos;
                    im -= hann * f64::from(out[from + n as usize]) * sin;
                }
                im.atan2(re) / TAU
            };
            let drift = phase(90_000) - phase(0);
            let cents = 1200.0 / 2f64.ln() * (drift - drift.round()) / (90_000.0 * f0);
            assert!(cents.abs() < 0.01, "pitch {pitch}: {cents} cents");
        }
    }

    #[test]
    fn frames_that_do_not_fit_are_named_and_change_nothing() {
        let synth = synth();
        let note = Note::new(60.0, 4, -60.0);
        let (frames, pitch) = note.frames(0, 4);
        let (mut state, mut scratch) = (synth.begin(0), synth.scratch());
        let mut field = |frames: PartialsFrames<'_>, pitch: &[f32], samples: usize| {
            let error = synth
                .render(&mut state, &mut scratch, &frames, pitch, &mut vec![0.0; samples])
                .unwrap_err();
            assert!(!state.started);
            error.field
        };
        assert_eq!(field(frames, pitch, 4 * HOP), "out");
        assert_eq!(
            field(PartialsFrames { cents: &[], ..frames }, pitch, 3 * HOP),
            "cents"
        );
        assert_eq!(
            field(
                PartialsFrames {
                    deviation: &[0.0; 3],
                    ..frames
                },
                pitch,
                3 * HOP
            ),
            "deviation"
        );
        assert_eq!(
            field(
                PartialsFrames {
                    noise_db: &[0.0; 3],
                    ..frames
                },
                pitch,
                3 * HOP
            ),
            "noise_db"
        );
        assert_eq!(field(frames, &pitch[..3], 2 * HOP), "amplitude_db");
    }

    #[test]
    fn frames_of_a_broken_decoder_never_panic_and_leave_other_partials_alone() {
        let synth = synth();
        let mut note = Note::new(60.0, 6, -60.0);
        note.amplitude_db[7] = f32::NAN;
        note.deviation[9] = f32::NAN;
        note.deviation[90] = -9.0;
        note.deviation[91] = 1e30;
        let out = note.render(&synth, 2, &[]);
        assert!(out.iter().all(|sample| sample.is_finite()));
        note.cents[3] = f32::INFINITY;
        assert_eq!(note.render(&synth, 2, &[]).len(), 5 * HOP);
    }
}
