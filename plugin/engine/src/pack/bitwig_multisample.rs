//! Bitwig's and PreSonus's `.multisample`: a ZIP of the samples, as they are, and `multisample.xml` (github.com/bitwig/multisample).
//!
//! A pure function of recipe, plan and files. The format leaves playing to the sampler: it has no envelope and no curve of
//! velocity, so the files are as loud as their velocities in the plugin. Nothing in the archive tells when it was made.

use std::io::{self, Seek, Write};
use std::path::Path;

use quick_xml::Writer;
use quick_xml::events::BytesText;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::multisample::bitwig::MAPPING_NAME;
use crate::pack::plan::{Instrument, Plan};
use crate::pack::recipe::Recipe;
use crate::pack::sample_file::SampleInfo;

/// Bytes from which an archive's entry needs long sizes.
const LARGE_BYTES: u64 = u32::MAX as u64;

/// Writes an instrument's archive; `sample` says where a sample of the plan lies.
///
/// # Errors
/// What the system says of a file that is read or of `out`.
pub(crate) fn write<W: Write + Seek>(
    out: W,
    recipe: &Recipe,
    plan: &Plan,
    instrument: &Instrument,
    files: &[SampleInfo],
    sample: impl Fn(&str) -> std::path::PathBuf,
) -> io::Result<W> {
    let mut archive = ZipWriter::new(out);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    archive.start_file(MAPPING_NAME, options)?;
    archive.write_all(mapping(recipe, plan, instrument, files).as_bytes())?;
    for index in instrument.samples.clone() {
        let name = &plan.samples[index].name;
        let mut file = open(&sample(name))?;
        let is_large = file.metadata()?.len() >= LARGE_BYTES;
        archive.start_file(format!("{name}.wav"), options.large_file(is_large))?;
        io::copy(&mut file, &mut archive)?;
    }
    Ok(archive.finish()?)
}

fn open(path: &Path) -> io::Result<std::fs::File> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    std::fs::File::open(path).map_err(named)
}

/// The text of `multisample.xml`.
fn mapping(recipe: &Recipe, plan: &Plan, instrument: &Instrument, files: &[SampleInfo]) -> String {
    let blend = plan.samples[instrument.samples.start].blend;
    let category = recipe.loudest_at(blend).map_or("", |sound| sound.family.as_str());
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 3);
    let written = writer
        .create_element("multisample")
        .with_attribute(("name", instrument.title.as_str()))
        .write_inner_content(|writer| {
            let texts = [
                ("generator", "Betwixt"),
                ("category", category),
                ("creator", recipe.preset.author.as_str()),
                ("description", recipe.preset.description.as_str()),
            ];
            for (name, text) in texts {
                writer
                    .create_element(name)
                    .write_text_content(BytesText::new(text))?;
            }
            writer.create_element("keywords").write_inner_content(|writer| {
                for tag in &recipe.preset.tags {
                    writer
                        .create_element("keyword")
                        .write_text_content(BytesText::new(tag))?;
                }
                Ok(())
            })?;
            for index in instrument.samples.clone() {
                write_sample(writer, recipe, plan, index, &files[index])?;
            }
            Ok(())
        });
    written.expect("memory takes what is written");
    let text = String::from_utf8(writer.into_inner()).expect("all of it was text");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n")
}

fn write_sample(
    writer: &mut Writer<Vec<u8>>,
    recipe: &Recipe,
    plan: &Plan,
    index: usize,
    file: &SampleInfo,
) -> io::Result<()> {
    let sample = &plan.samples[index];
    let number = |value: usize| format!("{value}.0");
    let zone_logic = if plan.robins > 1 {
        "round-robin"
    } else {
        "always-play"
    };
    let tune = recipe.settings().tuning_cents / 100.0;
    writer
        .create_element("sample")
        .with_attribute(("file", format!("{}.wav", sample.name).as_str()))
        .with_attribute(("gain", "0.0"))
        .with_attribute(("sample-start", "0.0"))
        .with_attribute(("sample-stop", number(file.frames).as_str()))
        .with_attribute(("zone-logic", zone_logic))
        .write_inner_content(|writer| {
            writer
                .create_element("key")
                .with_attribute(("root", sample.key.to_string().as_str()))
                .with_attribute(("low", sample.keys.0.to_string().as_str()))
                .with_attribute(("high", sample.keys.1.to_string().as_str()))
                .with_attribute(("track", "1.0"))
                .with_attribute(("tune", format!("{tune:.2}").as_str()))
                .write_empty()?;
            writer
                .create_element("velocity")
                .with_attribute(("low", sample.velocities.0.to_string().as_str()))
                .with_attribute(("high", sample.velocities.1.to_string().as_str()))
                .write_empty()?;
            writer.create_element("select").write_empty()?;
            let whole = (0, file.frames);
            let (mode, (start, stop)) = match file.held {
                Some(held) => ("loop", (held.start, held.end)),
                None => ("off", whole),
            };
            writer
                .create_element("loop")
                .with_attribute(("mode", mode))
                .with_attribute(("start", number(start).as_str()))
                .with_attribute(("stop", number(stop).as_str()))
                .with_attribute(("fade", "0.0"))
                .write_empty()?;
            Ok(())
        })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{PackFormat, PackOptions};
    use crate::pack::recipe::tests::recipe;
    use crate::pack::sustain::Loop;
    use std::io::{Cursor, Read};

    #[test]
    fn the_archive_holds_the_samples_as_they_are_and_is_the_same_at_any_hour() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recipe(PackOptions {
            keys: "60:63:3".parse().unwrap(),
            ..PackOptions::of(PackFormat::Multisample)
        });
        let plan = Plan::new(&recipe).unwrap();
        let held = Some(Loop { start: 30, end: 90 });
        let files = vec![SampleInfo { frames: 100, held }; plan.samples.len()];
        let place = |name: &str| folder.path().join(name);
        for sample in &plan.samples {
            std::fs::write(place(&sample.name), &sample.name).unwrap();
        }
        let archive = || {
            let out = Cursor::new(Vec::new());
            write(out, &recipe, &plan, &plan.instruments[0], &files, place)
                .unwrap()
                .into_inner()
        };
        let bytes = archive();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(bytes == archive());

        let mut read = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(read.len(), 3);
        let mut text = String::new();
        read.by_index(0).unwrap().read_to_string(&mut text).unwrap();
        assert!(
            text.contains("<category>bass</category>") || text.contains("<category>woodwind</category>"),
            "{text}"
        );
        assert!(
            text.contains("<loop mode=\"loop\" start=\"30.0\" stop=\"90.0\" fade=\"0.0\"/>"),
            "{text}"
        );
        assert!(text.contains("name=\"Breath &amp; Glass: 2\""), "{text}");
        let mut sample = read.by_name(&format!("{}.wav", plan.samples[1].name)).unwrap();
        assert_eq!(sample.compression(), CompressionMethod::Stored);
        let mut content = String::new();
        sample.read_to_string(&mut content).unwrap();
        assert_eq!(content, plan.samples[1].name);
    }

    #[test]
    fn a_sample_that_is_gone_is_named() {
        let recipe = recipe(PackOptions::of(PackFormat::Multisample));
        let plan = Plan::new(&recipe).unwrap();
        let files = vec![
            SampleInfo {
                frames: 1,
                held: None
            };
            plan.samples.len()
        ];
        let nowhere = |name: &str| Path::new("/nowhere").join(name);
        let out = Cursor::new(Vec::new());
        let error = write(out, &recipe, &plan, &plan.instruments[0], &files, nowhere).unwrap_err();
        assert!(
            error.to_string().starts_with("/nowhere/breath_glass_2_036"),
            "{error}"
        );
    }
}
