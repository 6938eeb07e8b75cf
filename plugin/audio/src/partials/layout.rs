//! What a decoder's columns mean, as its manifest says; checked before any table is made of it.

/// What the columns of a decoder of driver `partials` mean.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialsLayout {
    /// Centre of each single partial, in units of f0, ascending. These have a deviation.
    pub slots: Vec<f32>,
    /// `groups + 1` ascending harmonic numbers: group `g` holds harmonics `group_edges[g]` up to, not including,
    /// `group_edges[g + 1]`, each with that column's amplitude. Empty for none.
    pub group_edges: Vec<u32>,
    /// `bands + 2` ascending edges of triangular noise bands: band `i` rises from edge `i` to edge `i + 1` and falls to
    /// edge `i + 2`.
    pub noise_edges_hz: Vec<f32>,
    /// Samples between frames; a power of two, 16 to 8192.
    pub hop_samples: usize,
    /// Rate of the audio.
    pub sample_rate_hz: u32,
}

impl PartialsLayout {
    /// Columns of `amplitude_db`.
    pub fn columns(&self) -> usize {
        self.slots.len() + self.group_edges.len().saturating_sub(1)
    }

    /// Columns of `noise_db`.
    pub fn bands(&self) -> usize {
        self.noise_edges_hz.len().saturating_sub(2)
    }

    /// Whether a kernel can be made of it.
    pub(super) fn check(&self) -> Result<(), PartialsError> {
        let ascending = |edges: &[f32]| edges.windows(2).all(|pair| pair[0] <= pair[1]);
        let half_rate_hz = self.sample_rate_hz as f32 / 2.0;
        let wrong = |field, expected| Err(PartialsError { field, expected });
        if !(self.hop_samples.is_power_of_two() && (16..=8192).contains(&self.hop_samples)) {
            return wrong("hop", "a power of two from 16 to 8192");
        }
        if !(8_000..=384_000).contains(&self.sample_rate_hz) {
            return wrong("sample_rate", "8000 to 384000 Hz");
        }
        if self.slots.is_empty() || self.slots.len() > 4096 {
            return wrong("slots", "1 to 4096 numbers");
        }
        if !(self.slots[0] > 0.0 && self.slots.iter().all(|slot| slot.is_finite()) && ascending(&self.slots))
        {
            return wrong("slots", "positive, ascending numbers");
        }
        if self.group_edges.len() == 1 || !self.group_edges.windows(2).all(|pair| pair[0] < pair[1]) {
            return wrong("group_edges", "none, or at least two ascending whole numbers");
        }
        if self.group_edges.last().is_some_and(|last| *last > 4096) {
            return wrong("group_edges", "harmonic numbers up to 4096");
        }
        let edges = &self.noise_edges_hz;
        if !(3..=4096).contains(&edges.len()) || !ascending(edges) {
            return wrong("noise_edges_hz", "3 to 4096 ascending numbers");
        }
        if !edges.iter().all(|edge| (0.0..=half_rate_hz).contains(edge)) {
            return wrong("noise_edges_hz", "0 Hz to half the sample rate");
        }
        Ok(())
    }
}

/// A field of the layout, or a slice given to [`PartialsSynth::render`], that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct PartialsError {
    /// Which field or slice.
    pub field: &'static str,
    /// What was expected of it.
    pub expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partials::PartialsSynth;
    use proptest::prelude::*;

    fn layout() -> PartialsLayout {
        PartialsLayout {
            slots: vec![0.5, 1.0, 2.0],
            group_edges: vec![3, 5, 9],
            noise_edges_hz: vec![0.0, 0.0, 12_000.0, 24_000.0, 24_000.0],
            hop_samples: 512,
            sample_rate_hz: 48_000,
        }
    }

    #[test]
    fn columns_are_slots_then_groups() {
        assert_eq!((layout().columns(), layout().bands()), (5, 3));
        assert_eq!(
            PartialsLayout {
                group_edges: vec![],
                ..layout()
            }
            .columns(),
            3
        );
    }

    #[test]
    fn a_wrong_field_is_named() {
        let named = |wrong: PartialsLayout| PartialsSynth::new(wrong).err().map(|error| error.field);
        assert_eq!(named(layout()), None);
        assert_eq!(
            named(PartialsLayout {
                hop_samples: 500,
                ..layout()
            }),
            Some("hop")
        );
        assert_eq!(
            named(PartialsLayout {
                sample_rate_hz: 0,
                ..layout()
            }),
            Some("sample_rate")
        );
        assert_eq!(
            named(PartialsLayout {
                slots: vec![1.0, f32::NAN],
                ..layout()
            }),
            Some("slots")
        );
        assert_eq!(
            named(PartialsLayout {
                group_edges: vec![5, 5],
                ..layout()
            }),
            Some("group_edges")
        );
        let noise_edges_hz = vec![0.0, 30_000.0, 40_000.0];
        assert_eq!(
            named(PartialsLayout {
                noise_edges_hz,
                ..layout()
            }),
            Some("noise_edges_hz")
        );
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_works_but_never_panics(
            slots in prop::collection::vec(any::<f32>(), 0..5),
            group_edges in prop::collection::vec(0u32..6000, 0..5),
            noise_edges_hz in prop::collection::vec(prop_oneof![any::<f32>(), 0.0f32..24_000.0], 0..6),
            hop_samples in prop_oneof![any::<usize>(), Just(16), Just(64)],
        ) {
            let garbage = PartialsLayout { slots, group_edges, noise_edges_hz, hop_samples, sample_rate_hz: 48_000 };
            let _ = PartialsSynth::new(garbage);
        }
    }
}
