//! How fast a model is on what computes it: fast enough for voices to wait for it, or not.
//!
//! Measured once, on the thread that loads the model, by rendering a few chunks of a note through the trait that every
//! decoder has. Whatever plays asks for the pace and never for the driver.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::decoder::{Conditioning, DecodeError, Decoder, NoteStart, Run};
use crate::worker::DecoderSource;

/// How a model can be played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// A note is rendered faster than it is heard: voices play it as it comes, and follow a moving blend by themselves.
    Live,
    /// Notes are rendered ahead, whole, at the cells of a grid.
    Ahead {
        /// Seconds that a second of one note takes.
        slowness: f32,
    },
}

/// The least time that is measured, unless so many chunks take less, or one takes more than [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);
const FEWEST_CHUNKS: usize = 4;
const MOST_CHUNKS: usize = 16;

/// Conditioning that stands still in the middle.
struct Still;

impl Conditioning for Still {
    fn read(&self, _: usize, embedding: &mut [f32], pitch: &mut [f32]) {
        embedding.fill(0.0);
        pitch.fill(60.0);
    }
}

impl Pace {
    /// Measures a decoder: by the fastest of a few chunks of one note, so that a machine that is busy with other things
    /// does not make a fast model slow.
    ///
    /// # Errors
    /// The decoder's.
    pub fn measure(decoder: &mut dyn Decoder, cancel: &AtomicBool) -> Result<Self, DecodeError> {
        let format = decoder.format();
        let mut note = decoder.begin(NoteStart {
            seed: 0,
            pitch: 60.0,
            temperature: 1.0,
        });
        let mut samples = vec![0.0; format.chunk_samples];
        let (began, mut fastest, mut chunks) = (Instant::now(), Duration::MAX, 0);
        while chunks < MOST_CHUNKS {
            let chunk_began = Instant::now();
            let run = Run {
                note: &mut note,
                conditioning: &Still,
                samples: &mut samples,
            };
            decoder.render(&mut [run], cancel)?;
            fastest = fastest.min(chunk_began.elapsed());
            chunks += 1;
            let elapsed = began.elapsed();
            if elapsed > LONGEST || (chunks >= FEWEST_CHUNKS && elapsed > SHORTEST) {
                break;
            }
        }
        let heard_seconds = format.chunk_samples as f64 / f64::from(format.sample_rate_hz);
        Ok(Self::of((fastest.as_secs_f64() / heard_seconds) as f32))
    }

    /// The pace of a model that takes so many seconds for a second of a note.
    pub fn of(slowness: f32) -> Self {
        if slowness < 1.0 {
            Self::Live
        } else {
            Self::Ahead { slowness }
        }
    }
}

/// A model's decoders, the first of which was measured and is still there to be used.
#[derive(Debug)]
pub(crate) struct Measured {
    source: Arc<dyn DecoderSource>,
    measured: Mutex<Option<Box<dyn Decoder>>>,
}

impl Measured {
    pub(crate) fn new(source: Arc<dyn DecoderSource>, measured: Box<dyn Decoder>) -> Self {
        Self {
            source,
            measured: Mutex::new(Some(measured)),
        }
    }
}

impl DecoderSource for Measured {
    fn decoder(&self) -> Result<Box<dyn Decoder>, String> {
        let measured = self.measured.lock().take();
        measured.map_or_else(|| self.source.decoder(), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::{DecoderFormat, Snapshot};

    /// Takes so long for a chunk of 10 ms.
    #[derive(Debug)]
    struct Sleepy(Duration);

    impl Decoder for Sleepy {
        fn format(&self) -> DecoderFormat {
            DecoderFormat {
                sample_rate_hz: 16_000,
                hop_samples: 160,
                chunk_samples: 160,
                dims: 2,
            }
        }

        fn batch_capacity(&self) -> usize {
            1
        }

        fn begin(&self, _: NoteStart) -> Snapshot {
            Snapshot::new((), 0)
        }

        fn render(&mut self, _: &mut [Run<'_>], _: &AtomicBool) -> Result<(), DecodeError> {
            std::thread::sleep(self.0);
            Ok(())
        }
    }

    #[test]
    fn a_decoder_that_takes_longer_than_is_heard_is_played_ahead() {
        let pace = |ms| {
            let mut decoder = Sleepy(Duration::from_millis(ms));
            Pace::measure(&mut decoder, &AtomicBool::new(false)).unwrap()
        };
        assert_eq!(pace(0), Pace::Live);
        // Sleeping is never shorter than asked for.
        assert!(matches!(pace(30), Pace::Ahead { slowness } if slowness >= 3.0));
    }

    #[test]
    fn the_shipped_model_is_live() {
        let mut decoder = crate::model::shipped().decoder().unwrap();
        let pace = Pace::measure(decoder.as_mut(), &AtomicBool::new(false)).unwrap();
        assert_eq!(pace, Pace::Live);
    }
}
