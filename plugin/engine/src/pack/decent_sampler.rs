//! DecentSampler: a `.dspreset` beside the samples (the developer's guide, `groups`, `group` and `sample`).
//!
//! A pure function of recipe, plan and files. The player's level follows velocity in a straight line where the plugin's goes by
//! its square: at each rendered velocity it is the plugin's, between two it is close to it. A loop is held through the release:
//! the player knows no other.

use quick_xml::Writer;

use crate::pack::folder::samples_name;
use crate::pack::plan::{Instrument, Plan};
use crate::pack::recipe::Recipe;
use crate::pack::sample_file::SampleInfo;

/// The text of an instrument's file; `files` are those of the plan's samples.
pub(crate) fn text(recipe: &Recipe, plan: &Plan, instrument: &Instrument, files: &[SampleInfo]) -> String {
    let settings = recipe.settings();
    let seconds = |ms: f32| (ms / 1000.0).to_string();
    let samples = samples_name(recipe.options.format);
    let mut groups = vec![
        ("attack", seconds(settings.attack_ms)),
        ("decay", seconds(settings.decay_ms)),
        ("sustain", settings.sustain.to_string()),
        ("release", seconds(settings.release_ms)),
        ("globalTuning", (settings.tuning_cents / 100.0).to_string()),
    ];
    if plan.robins > 1 {
        groups.push(("seqMode", "round_robin".into()));
        groups.push(("seqLength", plan.robins.to_string()));
    }
    let group = [
        ("name", instrument.title.clone()),
        ("ampVelTrack", settings.velocity_sensitivity.to_string()),
    ];
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let written = writer
        .create_element("DecentSampler")
        .with_attribute(("minVersion", "1.0.0"))
        .write_inner_content(|writer| {
            writer
                .create_element("groups")
                .with_attributes(borrowed(&groups))
                .write_inner_content(|writer| {
                    writer
                        .create_element("group")
                        .with_attributes(borrowed(&group))
                        .write_inner_content(|writer| {
                            for index in instrument.samples.clone() {
                                let zone = zone(recipe, plan, index, &files[index], samples);
                                writer
                                    .create_element("sample")
                                    .with_attributes(borrowed(&zone))
                                    .write_empty()?;
                            }
                            Ok(())
                        })?;
                    Ok(())
                })?;
            Ok(())
        });
    written.expect("memory takes what is written");
    let text = String::from_utf8(writer.into_inner()).expect("all of it was text");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n")
}

/// The attributes of a sample.
fn zone(
    recipe: &Recipe,
    plan: &Plan,
    index: usize,
    file: &SampleInfo,
    samples: &str,
) -> Vec<(&'static str, String)> {
    let settings = recipe.settings();
    let sample = &plan.samples[index];
    let velocity = f32::from(sample.velocity) / 127.0;
    let sensitivity = settings.velocity_sensitivity;
    let played = 1.0 - sensitivity + sensitivity * velocity;
    let mut zone = vec![
        ("path", format!("{samples}/{}.wav", sample.name)),
        ("rootNote", sample.key.to_string()),
        ("loNote", sample.keys.0.to_string()),
        ("hiNote", sample.keys.1.to_string()),
        ("loVel", sample.velocities.0.to_string()),
        ("hiVel", sample.velocities.1.to_string()),
    ];
    if played < 1.0 {
        zone.push(("volume", format!("{:.3}dB", -20.0 * played.max(1e-3).log10())));
    }
    match file.held {
        Some(held) => {
            zone.push(("loopEnabled", "true".into()));
            zone.push(("loopStart", held.start.to_string()));
            zone.push(("loopEnd", (held.end - 1).to_string()));
        }
        None => zone.push(("loopEnabled", "false".into())),
    }
    if plan.robins > 1 {
        zone.push(("seqPosition", (sample.robin + 1).to_string()));
    }
    zone
}

fn borrowed<'a>(attributes: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    attributes.iter().map(|(name, value)| (*name, value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{PackFormat, PackOptions};
    use crate::pack::recipe::tests::recipe;
    use crate::pack::sustain::Loop;

    #[test]
    fn each_sample_is_a_zone_and_names_are_escaped() {
        let recipe = recipe(PackOptions {
            keys: "60:63:3".parse().unwrap(),
            round_robins: 2,
            ..PackOptions::of(PackFormat::DecentSampler)
        });
        let plan = Plan::new(&recipe).unwrap();
        let held = Some(Loop { start: 300, end: 900 });
        let files = vec![SampleInfo { frames: 1000, held }; plan.samples.len()];
        let text = text(&recipe, &plan, &plan.instruments[0], &files);
        assert_eq!(text.matches("<sample ").count(), 4);
        assert!(text.contains("name=\"Breath &amp; Glass: 2\""), "{text}");
        let zone = "<sample path=\"samples/breath_glass_2_063-D#4_v127_r1.wav\" rootNote=\"63\" loNote=\"62\" hiNote=\"127\" \
                    loVel=\"1\" hiVel=\"127\" loopEnabled=\"true\" loopStart=\"300\" loopEnd=\"899\" seqPosition=\"1\"/>";
        assert!(text.contains(zone), "{text}");
    }
}
