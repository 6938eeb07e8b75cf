//! A pack's plan: every sample that it holds, with its name, its place on the keyboard and its file, in a fixed order.
//!
//! A pure function of the recipe. Shards take every N-th sample of this order, so that each has some of every part of the
//! keyboard; the order of the names is the order of the plan.

use betwixt_audio::blend::Blend;

use crate::multisample::note_name::key_name;
use crate::pack::error::PackError;
use crate::pack::nsynth_dataset;
use crate::pack::options::{BlendsAs, PackFormat};
use crate::pack::recipe::Recipe;

/// A pack with more samples is a slip of the pen.
const MOST_SAMPLES: usize = 200_000;

/// All of a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What a sampler opens, each with its own mapping.
    pub instruments: Vec<Instrument>,
    /// The samples of all instruments, one instrument after the other.
    pub samples: Vec<PlannedSample>,
    /// Samples that a key has in turn.
    pub robins: usize,
}

/// One mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Instrument {
    /// Name of its file, without an ending.
    pub stem: String,
    /// What a list shows.
    pub title: String,
    /// Its samples within [`Plan::samples`].
    pub samples: std::ops::Range<usize>,
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedSample {
    /// Name of its file, without an ending.
    pub name: String,
    /// The instrument it belongs to.
    pub instrument: usize,
    /// The place on the pad.
    pub blend: Blend,
    /// The key that it is rendered at.
    pub key: u8,
    /// The keys that play it.
    pub keys: (u8, u8),
    /// The velocity that it is as loud as.
    pub velocity: u8,
    /// The velocities that play it.
    pub velocities: (u8, u8),
    /// Its turn among the samples of its key, from 0.
    pub robin: usize,
    /// Which take of its note it is: takes differ by their seed alone.
    pub take: usize,
}

/// A layer of an instrument: what is played at some velocities, in turn.
struct Layer {
    velocity: u8,
    velocities: (u8, u8),
    /// Blend and take of each turn.
    turns: Vec<(Blend, usize)>,
}

impl Plan {
    /// The plan of a recipe.
    ///
    /// # Errors
    /// If the options make no sense, there is nothing to play, or far too much.
    pub fn new(recipe: &Recipe) -> Result<Self, PackError> {
        let options = &recipe.options;
        options.check()?;
        if recipe.sounds.is_empty() {
            return Err(PackError::Empty);
        }
        let places = options.blends.places(recipe.settings().blend, recipe.occupied());
        let takes = options.round_robins;
        let take_turns = |blend: Blend| (0..takes).map(move |take| (blend, take)).collect::<Vec<_>>();
        let struck = || {
            options
                .velocities
                .iter()
                .copied()
                .zip(nearest_ranges(&options.velocities, 1))
        };
        let instruments: Vec<Vec<Layer>> = match options.blends_as {
            BlendsAs::Presets => places
                .iter()
                .map(|blend| {
                    let layer = |(velocity, velocities)| Layer {
                        velocity,
                        velocities,
                        turns: take_turns(*blend),
                    };
                    struck().map(layer).collect()
                })
                .collect(),
            BlendsAs::RoundRobins => {
                let turns: Vec<(Blend, usize)> = (0..takes)
                    .flat_map(|take| places.iter().map(move |blend| (*blend, take)))
                    .collect();
                let layer = |(velocity, velocities)| Layer {
                    velocity,
                    velocities,
                    turns: turns.clone(),
                };
                vec![struck().map(layer).collect()]
            }
            BlendsAs::Velocities => {
                let count = places.len();
                let border = |index: usize| (index * 127 / count) as u8;
                let layers = places.iter().enumerate().map(|(index, blend)| Layer {
                    velocity: border(index + 1),
                    velocities: (border(index) + 1, border(index + 1)),
                    turns: take_turns(*blend),
                });
                vec![layers.collect()]
            }
        };

        let keys = options.keys.all();
        let per_key: usize = instruments.iter().flatten().map(|layer| layer.turns.len()).sum();
        if per_key * keys.len() > MOST_SAMPLES {
            return Err(PackError::TooMany {
                found: per_key * keys.len(),
                most: MOST_SAMPLES,
            });
        }
        let key_ranges = nearest_ranges(&keys, 0);
        let robins = instruments[0][0].turns.len();
        let mut plan = Self {
            instruments: Vec::new(),
            samples: Vec::new(),
            robins,
        };
        let stem = recipe.stem();
        let instrument_count = instruments.len();
        for (instrument, layers) in instruments.iter().enumerate() {
            let numbered = (instrument_count > 1).then(|| number("_b", instrument + 1, instrument_count));
            let stem = format!("{stem}{}", numbered.unwrap_or_default());
            let title = if instrument_count > 1 {
                let Blend { x, y } = layers[0].turns[0].0;
                format!("{} {} (x {x:.2}, y {y:.2})", recipe.preset.name, instrument + 1)
            } else {
                recipe.preset.name.clone()
            };
            let first = plan.samples.len();
            for (key, keys) in keys.iter().zip(&key_ranges) {
                for layer in layers {
                    for (robin, (blend, take)) in layer.turns.iter().enumerate() {
                        let turn = (robins > 1).then(|| number("_r", robin + 1, robins));
                        let name = if options.format == PackFormat::Nsynth {
                            let of = instrument * robins + robin;
                            nsynth_dataset::note_name(recipe, *blend, of, *key, layer.velocity)
                        } else {
                            let (velocity, turn) = (layer.velocity, turn.unwrap_or_default());
                            format!("{stem}_{key:03}-{}_v{velocity:03}{turn}", key_name(*key))
                        };
                        plan.samples.push(PlannedSample {
                            name,
                            instrument,
                            blend: *blend,
                            key: *key,
                            keys: *keys,
                            velocity: layer.velocity,
                            velocities: layer.velocities,
                            robin,
                            take: *take,
                        });
                    }
                }
            }
            plan.instruments.push(Instrument {
                stem,
                title,
                samples: first..plan.samples.len(),
            });
        }
        Ok(plan)
    }
}

/// The values nearest to each of some rising ones, from `lowest` to 127 without a gap.
fn nearest_ranges(values: &[u8], lowest: u8) -> Vec<(u8, u8)> {
    let between = |one: u8, next: u8| ((u16::from(one) + u16::from(next)) / 2) as u8;
    let borders: Vec<u8> = values.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    (0..values.len())
        .map(|index| {
            let from = index.checked_sub(1).map_or(lowest, |before| borders[before] + 1);
            (from, borders.get(index).copied().unwrap_or(127))
        })
        .collect()
}

/// `_r03`: as many digits as the last of them has, so that names sort.
fn number(prefix: &str, value: usize, last: usize) -> String {
    let digits = last.to_string().len();
    format!("{prefix}{value:0digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{Blends, Keys, PackOptions, Shard};
    use crate::pack::recipe::tests::recipe;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn options() -> impl Strategy<Value = PackOptions> {
        let format = prop_oneof![
            Just(PackFormat::Sfz),
            Just(PackFormat::DecentSampler),
            Just(PackFormat::Multisample),
            Just(PackFormat::Nsynth),
            Just(PackFormat::Wav)
        ];
        let blends = prop_oneof![
            Just(Blends::Preset),
            (1_u16..5, 1_u16..5).prop_map(|(columns, rows)| Blends::Grid { columns, rows }),
            (2_u16..12).prop_map(|places| Blends::Path { places: Some(places) }),
        ];
        let blends_as = prop_oneof![
            Just(BlendsAs::Presets),
            Just(BlendsAs::RoundRobins),
            Just(BlendsAs::Velocities)
        ];
        let velocities = prop::collection::btree_set(1_u8..128, 1..4);
        (
            format,
            blends,
            blends_as,
            velocities,
            0_u8..100,
            0_u8..28,
            1_u8..13,
            1_usize..12,
        )
            .prop_map(
                |(format, blends, blends_as, velocities, lowest, more, step, round_robins)| PackOptions {
                    keys: Keys {
                        lowest,
                        highest: lowest + more,
                        step,
                    },
                    velocities: if blends_as == BlendsAs::Velocities {
                        vec![127]
                    } else {
                        velocities.into_iter().collect()
                    },
                    blends,
                    blends_as,
                    round_robins,
                    ..PackOptions::of(format)
                },
            )
    }

    #[test]
    fn names_say_what_they_are_and_sort_as_they_are_played() {
        let plan = Plan::new(&recipe(PackOptions {
            keys: "60:61:1".parse().unwrap(),
            velocities: vec![40, 100],
            round_robins: 2,
            blends: "path:2".parse().unwrap(),
            ..PackOptions::of(PackFormat::Sfz)
        }))
        .unwrap();
        assert_eq!(plan.samples[0].name, "breath_glass_2_b1_060-C4_v040_r1");
        assert_eq!(plan.samples[15].name, "breath_glass_2_b2_061-C#4_v100_r2");
        assert_eq!(plan.samples.len(), 16);
        let titles: Vec<&str> = plan.instruments.iter().map(|one| one.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "Breath & Glass: 2 1 (x 0.00, y 1.00)",
                "Breath & Glass: 2 2 (x 1.00, y 0.00)"
            ]
        );
    }

    #[test]
    fn blends_become_turns_or_velocities() {
        let plan = |blends_as| {
            Plan::new(&recipe(PackOptions {
                keys: "60".parse().unwrap(),
                blends: "path:4".parse().unwrap(),
                blends_as,
                ..PackOptions::of(PackFormat::Sfz)
            }))
            .unwrap()
        };
        let turns = plan(BlendsAs::RoundRobins);
        assert_eq!((turns.instruments.len(), turns.robins), (1, 4));
        assert_eq!(turns.samples[1].blend, Blend { x: 1.0, y: 1.0 });
        let layers = plan(BlendsAs::Velocities);
        let velocities: Vec<_> = layers.samples.iter().map(|sample| sample.velocities).collect();
        assert_eq!(velocities, [(1, 31), (32, 63), (64, 95), (96, 127)]);
    }

    proptest! {
        #[test]
        fn every_sample_is_in_one_shard_and_no_other(options in options(), of in 1_usize..9) {
            let plan = Plan::new(&recipe(options)).unwrap();
            for index in 0..plan.samples.len() {
                let holders = (1..=of).filter(|shard| Shard { index: *shard, of }.holds(index)).count();
                prop_assert_eq!(holders, 1);
            }
        }

        #[test]
        fn names_are_different_and_sort_in_the_order_of_the_plan(options in options()) {
            let format = options.format;
            let plan = Plan::new(&recipe(options)).unwrap();
            let names: Vec<&str> = plan.samples.iter().map(|sample| sample.name.as_str()).collect();
            prop_assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
            // The dataset's names are given, and put the instrument first.
            if format != PackFormat::Nsynth {
                prop_assert!(names.is_sorted(), "{:?}", names);
            }
        }

        #[test]
        fn every_key_and_velocity_plays_each_turn_of_each_instrument_once(options in options(), key in 0_u8..128, velocity in 1_u8..128) {
            let plan = Plan::new(&recipe(options)).unwrap();
            for instrument in &plan.instruments {
                let played: Vec<usize> = plan.samples[instrument.samples.clone()]
                    .iter()
                    .filter(|sample| (sample.keys.0..=sample.keys.1).contains(&key))
                    .filter(|sample| (sample.velocities.0..=sample.velocities.1).contains(&velocity))
                    .map(|sample| sample.robin)
                    .collect();
                prop_assert_eq!(&played, &(0..plan.robins).collect::<Vec<_>>());
            }
        }

        #[test]
        fn a_sample_plays_its_own_key_and_velocity(options in options()) {
            for sample in Plan::new(&recipe(options)).unwrap().samples {
                prop_assert!((sample.keys.0..=sample.keys.1).contains(&sample.key));
                prop_assert!((sample.velocities.0..=sample.velocities.1).contains(&sample.velocity));
            }
        }
    }
}
