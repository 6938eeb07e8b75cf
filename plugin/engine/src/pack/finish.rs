//! The last step of a pack: mappings, licence and recipe, when all of its samples are there.
//!
//! On the thread of a pack's job. All that is written follows from the recipe and from the samples' own files: so it is the
//! same for a pack that was rendered at once and one that was put together from shards.

use std::io::BufWriter;

use crate::multisample::bitwig::BITWIG_EXTENSION;
use crate::multisample::decent_sampler::PRESET_EXTENSION;
use crate::multisample::nsynth::LISTING_NAME;
use crate::multisample::sfz::SFZ_EXTENSION;
use crate::pack::error::PackError;
use crate::pack::folder::PackFolder;
use crate::pack::options::PackFormat;
use crate::pack::plan::Plan;
use crate::pack::recipe::Recipe;
use crate::pack::sample_file::{self, SampleInfo};
use crate::pack::{bitwig_multisample, decent_sampler, licence, nsynth_dataset, sfz};
use crate::whole_file;

/// Writes everything but the samples.
///
/// # Errors
/// If a sample is not there, or the system refuses.
pub(crate) fn write_mappings(folder: &PackFolder, recipe: &Recipe, plan: &Plan) -> Result<(), PackError> {
    write_licence(folder, recipe)?;
    let format = recipe.options.format;
    if format == PackFormat::Wav {
        return Ok(());
    }
    if format == PackFormat::Nsynth {
        let text = nsynth_dataset::listing(recipe, plan, |name| folder.sample(name))?;
        return folder.put(LISTING_NAME, text.as_bytes());
    }
    let files: Vec<SampleInfo> = plan
        .samples
        .iter()
        .map(|sample| sample_file::read_info(&folder.sample(&sample.name)))
        .collect::<Result<_, _>>()?;
    for instrument in &plan.instruments {
        let stem = &instrument.stem;
        match format {
            PackFormat::Sfz => {
                let text = sfz::text(recipe, plan, instrument, &files);
                folder.put(&format!("{stem}.{SFZ_EXTENSION}"), text.as_bytes())?;
            }
            PackFormat::DecentSampler => {
                let text = decent_sampler::text(recipe, plan, instrument, &files);
                folder.put(&format!("{stem}.{PRESET_EXTENSION}"), text.as_bytes())?;
            }
            PackFormat::Multisample => {
                let target = folder.pack().join(format!("{stem}.{BITWIG_EXTENSION}"));
                let failed = |error| PackError::write(&target, error);
                let temporary = whole_file::begin(&target).map_err(failed)?;
                let file = BufWriter::new(temporary.reopen().map_err(failed)?);
                let sample = |name: &str| folder.sample(name);
                let written = bitwig_multisample::write(file, recipe, plan, instrument, &files, sample);
                let flushed = written.and_then(|file| file.into_inner().map_err(|error| error.into_error()));
                flushed.map_err(failed)?;
                whole_file::keep(temporary, &target).map_err(failed)?;
            }
            PackFormat::Nsynth | PackFormat::Wav => {}
        }
    }
    Ok(())
}

/// Writes what a shard has besides its samples.
///
/// # Errors
/// If the system refuses.
pub(crate) fn write_licence(folder: &PackFolder, recipe: &Recipe) -> Result<(), PackError> {
    folder.put(licence::LICENCE_NAME, licence::text(recipe).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multisample;
    use crate::multisample::zone::Zone;
    use crate::pack::options::PackOptions;
    use crate::pack::recipe::tests::recipe;
    use crate::pack::sustain::Loop;

    /// File, key, keys and velocities of each sample that is played first, in order.
    type Places = Vec<(String, u8, (u8, u8), (u8, u8))>;

    fn places(zones: &[Zone]) -> Places {
        let places = zones.iter().map(|zone| {
            let name = zone.sample.rsplit('/').next().unwrap_or_default().to_owned();
            (name, zone.root, zone.keys, zone.velocities)
        });
        places.collect()
    }

    #[test]
    fn mappings_are_read_back_as_they_were_planned() {
        for (format, round_robins) in [
            (PackFormat::Sfz, 1),
            (PackFormat::Sfz, 3),
            (PackFormat::DecentSampler, 1),
            (PackFormat::DecentSampler, 3),
            (PackFormat::Multisample, 1),
        ] {
            let recipe = recipe(PackOptions {
                keys: "21:108:7".parse().unwrap(),
                velocities: vec![20, 64, 127],
                round_robins,
                ..PackOptions::of(format)
            });
            let plan = Plan::new(&recipe).unwrap();
            let held = Some(Loop { start: 30, end: 90 });
            let files = vec![SampleInfo { frames: 100, held }; plan.samples.len()];
            let first = plan.samples.iter().filter(|sample| sample.robin == 0);
            let planned: Places = first
                .map(|sample| {
                    (
                        format!("{}.wav", sample.name),
                        sample.key,
                        sample.keys,
                        sample.velocities,
                    )
                })
                .collect();
            let instrument = &plan.instruments[0];
            let read = match format {
                PackFormat::Sfz => {
                    let text = sfz::text(&recipe, &plan, instrument, &files);
                    multisample::sfz::parse(&text, "a.sfz", &mut |_| Err("nothing is included".into()))
                }
                PackFormat::DecentSampler => {
                    let text = decent_sampler::text(&recipe, &plan, instrument, &files);
                    multisample::decent_sampler::parse(&text, "a.dspreset")
                }
                _ => {
                    let folder = tempfile::tempdir().unwrap();
                    let place = |name: &str| folder.path().join(name);
                    for sample in &plan.samples {
                        std::fs::write(place(&sample.name), "x").unwrap();
                    }
                    let target = place("a.multisample");
                    let file = std::fs::File::create(&target).unwrap();
                    bitwig_multisample::write(file, &recipe, &plan, instrument, &files, place).unwrap();
                    let read = multisample::open(&target).unwrap();
                    assert_eq!(read.instruments[0].name, instrument.title);
                    assert_eq!(places(read.instruments[0].zones()), planned);
                    continue;
                }
            };
            let read = read.unwrap();
            assert_eq!(
                (places(&read.zones), read.skipped),
                (planned, vec![]),
                "{format:?}"
            );
            assert!(
                read.zones
                    .iter()
                    .all(|zone| zone.tuning == 0.0 && zone.frames == (0, None))
            );
        }
    }

    #[test]
    fn the_names_of_samples_say_their_keys_and_velocities() {
        let recipe = recipe(PackOptions {
            keys: "21:108:7".parse().unwrap(),
            velocities: vec![20, 64, 127],
            round_robins: 2,
            ..PackOptions::of(PackFormat::Wav)
        });
        let plan = Plan::new(&recipe).unwrap();
        let names: Vec<String> = plan
            .samples
            .iter()
            .map(|sample| format!("{}.wav", sample.name))
            .collect();
        let (instruments, singles) = multisample::named_files::gather(&names, "samples");
        assert_eq!((instruments.len(), singles.len()), (1, 0));
        let first = plan.samples.iter().filter(|sample| sample.robin == 0);
        let planned: Vec<(u8, u8)> = first.map(|sample| (sample.key, sample.velocity)).collect();
        let zones = &instruments[0].mapping.zones;
        let read: Vec<(u8, u8)> = zones
            .iter()
            .map(|zone| (zone.root, zone.struck_velocity()))
            .collect();
        assert_eq!(read, planned);
        assert!(!instruments[0].octave_is_open);
    }
}
