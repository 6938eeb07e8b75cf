//! The last step of a pack: mappings, licence and recipe, when all of its samples are there.
//!
//! On the thread of a pack's job. All that is written follows from the recipe and from the samples' own files: so it is the
//! same for a pack that was rendered at once and one that was put together from shards.

use std::io::BufWriter;

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
        return folder.put(nsynth_dataset::LISTING_NAME, text.as_bytes());
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
                folder.put(&format!("{stem}.sfz"), text.as_bytes())?;
            }
            PackFormat::DecentSampler => {
                let text = decent_sampler::text(recipe, plan, instrument, &files);
                folder.put(&format!("{stem}.dspreset"), text.as_bytes())?;
            }
            PackFormat::Multisample => {
                let target = folder.pack().join(format!("{stem}.multisample"));
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
