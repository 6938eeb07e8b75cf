//! Which recordings of an instrument become layers of its sound: enough that none is read far from where it was played, and no more.
//!
//! Pure. A sampler of each semitone has many times what an embedding needs: between two pitches some semitones apart both are heard.

use std::collections::BTreeMap;

use crate::multisample::zone::Zone;

/// Pitches that are encoded at most, and how near to one another at least, in semitones.
pub(crate) const MOST_PITCHES: usize = 16;
const LEAST_SPACING: u8 = 3;
/// With this no more of all keys are left than that.
const WIDEST_SPACING: u8 = 16;
/// Velocities of a pitch at most.
pub(crate) const MOST_VELOCITIES: usize = 4;

/// The zones to encode, by their places in the list, in the order of their pitches and velocities.
pub(crate) fn choose(zones: &[Zone]) -> Vec<usize> {
    // Of several recordings of one key and velocity (round robins, microphones) the first.
    let mut pitches: BTreeMap<u8, BTreeMap<u8, usize>> = BTreeMap::new();
    for (index, zone) in zones.iter().enumerate() {
        let velocities = pitches.entry(zone.root).or_default();
        velocities.entry(zone.struck_velocity()).or_insert(index);
    }
    let roots: Vec<u8> = pitches.keys().copied().collect();
    let chosen = spaced(&roots).into_iter().filter_map(|root| pitches.get(&root));
    let layers = chosen.flat_map(|velocities| {
        let all: Vec<usize> = velocities.values().copied().collect();
        let count = all.len().min(MOST_VELOCITIES);
        // The softest and the hardest among them.
        (0..count).map(move |layer| all[(layer * (all.len() - 1)).checked_div(count - 1).unwrap_or(0)])
    });
    layers.collect()
}

/// As many of some rising keys as are not too near to one another, the lowest and the highest among them.
fn spaced(keys: &[u8]) -> Vec<u8> {
    for spacing in LEAST_SPACING..=WIDEST_SPACING {
        let mut chosen: Vec<u8> = Vec::new();
        for key in keys {
            if chosen.last().is_none_or(|last| key - last >= spacing) {
                chosen.push(*key);
            }
        }
        if let Some(highest) = keys.last()
            && chosen.last() != Some(highest)
        {
            // In place of its neighbour, unless that would leave a gap behind.
            if chosen.len() > 1 && highest - chosen[chosen.len() - 2] <= 2 * spacing {
                chosen.pop();
            }
            chosen.push(*highest);
        }
        if chosen.len() <= MOST_PITCHES {
            return chosen;
        }
    }
    keys.iter().take(1).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multisample::zone::tests::zone;
    use proptest::prelude::*;

    #[test]
    fn a_piano_of_all_keys_and_many_layers_becomes_a_few() {
        let zones: Vec<Zone> = (21..=108)
            .flat_map(|key| (0..12).map(move |layer| zone(key, (10 * layer + 1, 10 * layer + 10))))
            .collect();
        let chosen = choose(&zones);
        assert!(
            chosen.len() <= MOST_PITCHES * MOST_VELOCITIES && chosen.len() >= 40,
            "{}",
            chosen.len()
        );
        let roots: Vec<u8> = chosen.iter().map(|index| zones[*index].root).collect();
        assert_eq!((roots[0], *roots.last().unwrap()), (21, 108));
        let of_lowest: Vec<u8> = chosen[..4]
            .iter()
            .map(|index| zones[*index].velocities.0)
            .collect();
        assert_eq!(of_lowest, [1, 31, 71, 111]);
    }

    #[test]
    fn what_is_sparse_is_taken_whole_and_doubles_once() {
        let zones = [
            zone(60, (64, 127)),
            zone(48, (1, 63)),
            zone(60, (64, 127)),
            zone(60, (1, 63)),
            zone(72, (1, 127)),
        ];
        assert_eq!(choose(&zones), [1, 3, 0, 4]);
        assert_eq!(choose(&[]), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn the_choice_is_bounded_and_reaches_from_the_lowest_to_the_highest(
            keys in prop::collection::btree_set(0_u8..128, 1..128),
        ) {
            let keys: Vec<u8> = keys.into_iter().collect();
            let chosen = spaced(&keys);
            prop_assert!(chosen.len() <= MOST_PITCHES && chosen.is_sorted_by(|a, b| a < b));
            prop_assert!(chosen.iter().all(|key| keys.contains(key)));
            prop_assert_eq!((chosen.first(), chosen.last()), (keys.first(), keys.last()));
            // No key is far from a chosen one that has chosen neighbours nearer than an octave anyway.
            for key in &keys {
                let nearest = chosen.iter().map(|one| one.abs_diff(*key)).min().unwrap();
                prop_assert!(nearest <= 9, "{} of {:?} from {:?}", key, keys, chosen);
            }
        }
    }
}
