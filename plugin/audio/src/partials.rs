//! (kernel follows)

use std::fmt;
use std::sync::Arc;

/// What the columns of a decoder of driver `partials` mean.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialsLayout {
    /// Centre of each single partial, in units of f0, ascending. These have a deviation.
    pub slots: Vec<f32>,
    /// `groups + 1` ascending harmonic numbers: group `g` holds harmonics `group_edges[g]` up to, not including,
    /// `group_edges[g + 1]`, each with that column's amplitude. Empty for none.
    pub group_edges: Vec<u32>,
    /// `bands + 2` ascending edges of triangular noise bands.
    pub noise_edges_hz: Vec<f32>,
    /// Samples between frames; a power of two.
    pub hop_samples: usize,
    /// Rate of the audio.
    pub sample_rate_hz: u32,
}

/// The tables of the kernel, shared by all notes and threads.
pub struct PartialsSynth {
    layout: Arc<PartialsLayout>,
}

/// A note between two runs; `clone` is a snapshot to resume from.
#[derive(Clone, Debug)]
pub struct PartialsState {
    started: bool,
}

/// Working memory of one thread.
#[derive(Debug)]
pub struct PartialsScratch {}

/// A decoder's output for one note and some frames: row-major, a row a frame.
#[derive(Clone, Copy, Debug)]
pub struct PartialsFrames<'a> {
    /// `[frames, slots + groups]`: per partial; 0 dB is amplitude 1.0; -90 and less is silence.
    pub amplitude_db: &'a [f32],
    /// `[frames, slots]`: a partial's frequency is (slot + deviation) times f0.
    pub deviation: &'a [f32],
    /// `[frames]`: f0's deviation from the nominal pitch.
    pub cents: &'a [f32],
    /// `[frames, bands]`: power density.
    pub noise_db: &'a [f32],
}

/// Why tables could not be built, or frames not be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartialsError {
    /// A field of the layout, or of the frames, has a wrong length or value.
    Field {
        /// Which.
        field: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}

impl fmt::Display for PartialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Field { field, expected } = self;
        write!(f, "{field}: expected {expected}")
    }
}

impl std::error::Error for PartialsError {}

impl PartialsSynth {
    /// Checks the layout and computes the tables. Takes some milliseconds; allocates.
    ///
    /// # Errors
    /// Names the first field of the layout that makes no sense.
    pub fn new(layout: PartialsLayout) -> Result<Self, PartialsError> {
        Ok(Self {
            layout: Arc::new(layout),
        })
    }

    /// The layout the tables were made for.
    pub fn layout(&self) -> &PartialsLayout {
        &self.layout
    }

    /// Working memory, to be used by one thread at a time for any number of notes.
    pub fn scratch(&self) -> PartialsScratch {
        PartialsScratch {}
    }

    /// The state of a note before its first frame. Allocates.
    pub fn begin(&self, _seed: u64) -> PartialsState {
        PartialsState { started: false }
    }

    /// Samples that rendering `frames` frames from this state makes: `hop_samples` a frame, one frame less at the
    /// start, where half of frame 0 lies before sample 0.
    pub fn samples(&self, state: &PartialsState, frames: usize) -> usize {
        (if state.started {
            frames
        } else {
            frames.saturating_sub(1)
        }) * self.layout.hop_samples
    }

    /// Renders `pitch.len()` frames; `pitch` is the nominal MIDI pitch of each. Overwrites `out`, which is
    /// [`samples`](Self::samples) long.
    ///
    /// # Realtime Safety
    /// This method is realtime-safe.
    ///
    /// # Errors
    /// Names the first slice whose length does not fit; then nothing was changed.
    pub fn render(
        &self,
        state: &mut PartialsState,
        _scratch: &mut PartialsScratch,
        _frames: &PartialsFrames<'_>,
        _pitch: &[f32],
        out: &mut [f32],
    ) -> Result<(), PartialsError> {
        state.started = true;
        out.fill(0.0);
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
