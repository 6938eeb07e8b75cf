//! `betwixt library`: finds sounds and presets, and keeps the index of them up to date.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use betwixt_engine::library::Library;
use betwixt_engine::library::entry::{Entry, EntryId, Filter};
use betwixt_engine::library::index::Index;
use betwixt_engine::library::preset_files::PresetDraft;
use betwixt_engine::library::rescan::{RescanProgress, RescanReport};
use betwixt_engine::quality::{Quality, SourceKind};

use crate::progress;

/// Finds sounds and presets, marks favourites, and keeps the index of them.
#[derive(Debug, clap::Args)]
pub struct LibraryArgs {
    #[command(subcommand)]
    command: LibraryCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LibraryCommand {
    /// Brings the index up to date with the folders, and lists files that cannot be read.
    Rescan,
    /// Lists what has every word of the query, each as the beginning of a word of name, family, tags or author; best first.
    Search {
        /// What would be typed; all if nothing is.
        query: Vec<String>,
        #[command(flatten)]
        filter: FilterOptions,
    },
    /// Lists the sounds that are most like one, nearest first, with the distance.
    Similar {
        /// A sound: as `search` names it, or a file.
        #[arg(value_name = "SOUND")]
        sound: String,
        #[command(flatten)]
        filter: FilterOptions,
    },
    /// Marks sounds and presets as favourites, and tells each that is on the disk.
    Favourite {
        /// As `search` names them.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// Takes the marks away.
        #[arg(long)]
        off: bool,
    },
    /// Lists the further folders, after adding and removing some.
    Folders {
        /// A folder to look for sounds and presets in.
        #[arg(long, value_name = "DIR")]
        add: Vec<PathBuf>,
        /// One to look in no more.
        #[arg(long, value_name = "DIR")]
        remove: Vec<PathBuf>,
    },
    /// Makes a preset up, with taste, and shows it.
    Random {
        /// Which one: the same number on the same library makes the same preset.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// How many, with the seeds that follow.
        #[arg(long, default_value_t = 1, value_name = "N")]
        count: u64,
        /// Saves it among your presets, and tells each that is on the disk.
        #[arg(long)]
        save: bool,
    },
}

#[derive(Debug, clap::Args)]
struct FilterOptions {
    /// Only sounds.
    #[arg(long, conflicts_with = "presets")]
    sounds: bool,
    /// Only presets.
    #[arg(long)]
    presets: bool,
    /// Only this family of instruments.
    #[arg(long)]
    family: Option<String>,
    /// Only what has this quality, such as `bright`; may be given several times.
    #[arg(long = "quality", value_name = "QUALITY", value_parser = quality)]
    qualities: Vec<Quality>,
    /// Only from this source: `acoustic`, `electronic` or `synthetic`.
    #[arg(long, value_parser = source)]
    source: Option<SourceKind>,
    /// Only favourites.
    #[arg(long)]
    favourites: bool,
    /// At most so many.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
}

fn quality(name: &str) -> Result<Quality, String> {
    Quality::from_name(name)
        .ok_or_else(|| format!("expected one of {}", Quality::ALL.map(Quality::name).join(", ")))
}

fn source(name: &str) -> Result<SourceKind, String> {
    SourceKind::of_tags(&[name.to_owned()]).ok_or_else(|| {
        format!(
            "expected one of {}",
            SourceKind::ALL.map(SourceKind::name).join(", ")
        )
    })
}

impl FilterOptions {
    fn filter(&self) -> Filter {
        let kind = match (self.sounds, self.presets) {
            (true, _) => Filter::sounds(),
            (_, true) => Filter::presets(),
            _ => Filter::default(),
        };
        Filter {
            family: self.family.clone(),
            qualities: self.qualities.iter().copied().collect(),
            source: self.source,
            is_favourite: self.favourites,
            ..kind
        }
    }
}

/// Runs the command that was asked for.
///
/// # Errors
/// One sentence on what is wrong with which file.
pub fn run(args: &LibraryArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let index = Index::open(Library::find());
    match &args.command {
        LibraryCommand::Rescan => {
            let report = rescan(&index, interrupted)?;
            println!(
                "{} new, {} changed, {} gone, {} as they were",
                report.added, report.changed, report.removed, report.unchanged
            );
            for (_, reason) in &report.unreadable {
                println!("{reason}");
            }
            if let Some(trouble) = index.trouble() {
                println!("the index is not kept: {trouble}");
            }
        }
        LibraryCommand::Search { query, filter } => {
            rescan(&index, interrupted)?;
            let found = index.search(&query.join(" "), &filter.filter(), filter.limit);
            found.iter().for_each(|entry| println!("{}", line(entry)));
        }
        LibraryCommand::Similar { sound, filter } => {
            rescan(&index, interrupted)?;
            let sound = index.sound(&EntryId::from(sound.clone()))?;
            for (entry, distance) in index.nearest(&sound, &filter.filter(), filter.limit) {
                println!("{distance:.3}\t{}", line(&entry));
            }
        }
        LibraryCommand::Favourite { ids, off } => {
            rescan(&index, interrupted)?;
            for id in ids {
                called_off(interrupted)?;
                let id = EntryId::from(id.clone());
                if index.entry(&id).is_none() {
                    bail!("there is nothing named {id} in the library");
                }
                index.set_favourite(&id, !off)?;
                println!("{id}");
            }
        }
        LibraryCommand::Folders { add, remove } => {
            add.iter().try_for_each(|folder| index.add_folder(folder))?;
            remove.iter().try_for_each(|folder| index.remove_folder(folder))?;
            index
                .folders()
                .iter()
                .for_each(|folder| println!("{}", folder.display()));
        }
        LibraryCommand::Random { seed, count, save } => {
            rescan(&index, interrupted)?;
            for seed in *seed..seed.saturating_add(*count) {
                called_off(interrupted)?;
                random(&index, seed, *save)?;
            }
        }
    }
    Ok(())
}

fn called_off(interrupted: &AtomicBool) -> anyhow::Result<()> {
    if interrupted.load(Ordering::Relaxed) {
        bail!("interrupted; what was told is done");
    }
    Ok(())
}

fn rescan(index: &Index, interrupted: &AtomicBool) -> anyhow::Result<RescanReport> {
    let bar = progress::bar(0, "reading");
    let mut shown = |progress: RescanProgress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    };
    let report = index.rescan(&mut shown, interrupted);
    bar.finish_and_clear();
    let report = report.context("the library was not looked through")?;
    called_off(interrupted)?;
    Ok(report)
}

fn random(index: &Index, seed: u64, is_saved: bool) -> anyhow::Result<()> {
    let (preset, patch) = index.random_preset(seed, None)?;
    if !is_saved {
        print!("{}", preset.to_toml());
        return Ok(());
    }
    let draft = PresetDraft {
        name: index.free_name(&preset.name),
        description: preset.description,
        author: preset.author,
        licence: preset.licence,
        tags: preset.tags,
        parameters: preset.parameters,
    };
    let entry = index.save_preset(&draft, &patch, false)?;
    println!("{}", line(&entry));
    Ok(())
}

/// `factory/flute.sound  Flute  woodwind  sustained, soft  favourite`, parted by tabs.
fn line(entry: &Entry) -> String {
    let mut parts = vec![entry.id.to_string(), entry.name.clone(), entry.family.clone()];
    parts.push(entry.tags.join(", "));
    if entry.is_favourite {
        parts.push("favourite".into());
    }
    parts.join("\t")
}
