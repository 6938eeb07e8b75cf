//! Shards put together: the pack that one machine would have rendered.
//!
//! Background thread or command line. Needs neither the model nor the sounds: each shard carries the recipe. The shards are
//! left as they are.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::pack::error::PackError;
use crate::pack::finish::write_mappings;
use crate::pack::folder::{PackFolder, read_shard, samples_name};
use crate::pack::job::PackReport;
use crate::pack::options::Shard;
use crate::pack::plan::Plan;
use crate::pack::recipe::Recipe;
use crate::pack::sample_file;

/// Makes the pack of all its shards; `tell` hears of each sample, and stops it by saying false.
///
/// # Errors
/// If a shard is missing, of another pack or not whole, or the system refuses.
pub fn merge(
    shards: &[PathBuf],
    output: &Path,
    mut tell: impl FnMut(usize, usize) -> bool,
) -> Result<PackReport, PackError> {
    let began = Instant::now();
    let wrong = |folder: &Path, reason: String| PackError::Shards {
        folder: folder.into(),
        reason,
    };
    let Some(first) = shards.first() else {
        return Err(PackError::MissingShard {
            missing: Shard::WHOLE,
        });
    };
    let recipe = Recipe::read(first)?;
    let of = read_shard(first)?.of;
    let mut folders: Vec<Option<&PathBuf>> = vec![None; of];
    for folder in shards {
        let shard = read_shard(folder)?;
        if Recipe::read(folder)? != recipe || shard.of != of {
            let reason = format!("is of another pack than {}", first.display());
            return Err(wrong(folder, reason));
        }
        if let Some(other) = folders[shard.index - 1].replace(folder) {
            let reason = format!("is shard {shard}, and so is {}", other.display());
            return Err(wrong(folder, reason));
        }
    }
    let mut places = Vec::with_capacity(of);
    for (index, folder) in folders.into_iter().enumerate() {
        let missing = Shard { index: index + 1, of };
        places.push(folder.ok_or(PackError::MissingShard { missing })?);
    }

    let plan = Plan::new(&recipe)?;
    let total = plan.samples.len();
    let report = |folder: PathBuf, resumed| PackReport {
        folder,
        samples: total,
        resumed,
        wall_seconds: began.elapsed().as_secs_f64(),
    };
    let Some(folder) = PackFolder::open(output, &recipe, Shard::WHOLE)? else {
        return Ok(report(output.into(), total));
    };
    let mut resumed = 0;
    let copied = plan.samples.iter().enumerate().try_for_each(|(index, sample)| {
        if folder.has(&sample.name) {
            resumed += 1;
        } else {
            let samples = places[index % of].join(samples_name(recipe.options.format));
            let file = samples.join(format!("{}.wav", sample.name));
            sample_file::read_info(&file)?;
            let bytes = std::fs::read(&file).map_err(|error| PackError::read(&file, error))?;
            folder.put_sample(&sample.name, &bytes)?;
        }
        if tell(index + 1, total) {
            Ok(())
        } else {
            Err(PackError::Cancelled {
                folder: folder.partial().into(),
            })
        }
    });
    if let Err(error) = copied.and_then(|()| write_mappings(&folder, &recipe, &plan)) {
        folder.abandon();
        return Err(error);
    }
    Ok(report(folder.finish()?, resumed))
}
