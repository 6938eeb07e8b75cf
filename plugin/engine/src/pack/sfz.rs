//! SFZ: a text of regions beside the samples (sfzformat.com; opcodes of SFZ v1, `seq_*` and loops as all players have them).
//!
//! A pure function of recipe, plan and files. Velocity sounds as in the plugin: players raise a region's level with the square of
//! the velocity, which is the plugin's curve too, so each region is turned up by what its file is softer for its velocity.

use std::fmt::Write as _;

use crate::pack::folder::samples_name;
use crate::pack::plan::{Instrument, Plan};
use crate::pack::recipe::Recipe;
use crate::pack::sample_file::SampleInfo;

/// A release that leaves the sound its own ending: the file is over long before.
const OWN_ENDING_SECONDS: f32 = 100.0;

/// The text of an instrument's file; `files` are those of the plan's samples.
pub(crate) fn text(recipe: &Recipe, plan: &Plan, instrument: &Instrument, files: &[SampleInfo]) -> String {
    let settings = recipe.settings();
    let seconds = |ms: f32| ms / 1000.0;
    let release = if settings.own_ending {
        OWN_ENDING_SECONDS
    } else {
        seconds(settings.release_ms)
    };
    // A line of a text ends a comment.
    let title = instrument.title.replace(char::is_control, " ");
    let mut text = format!(
        "// {title}: rendered with Betwixt; see recipe.toml and LICENCE.txt.\n\n\
         <control>\ndefault_path={}/\n\n\
         <global>\nampeg_attack={}\nampeg_decay={}\nampeg_sustain={}\nampeg_release={release}\namp_veltrack={}\n",
        samples_name(recipe.options.format),
        seconds(settings.attack_ms),
        seconds(settings.decay_ms),
        100.0 * settings.sustain,
        100.0 * settings.velocity_sensitivity,
    );
    let (semitones, cents) = split_cents(settings.tuning_cents);
    if semitones != 0 {
        let _ = writeln!(text, "transpose={semitones}");
    }
    if cents != 0 {
        let _ = writeln!(text, "tune={cents}");
    }
    if plan.robins > 1 {
        let _ = writeln!(text, "seq_length={}", plan.robins);
    }
    for index in instrument.samples.clone() {
        let (sample, file) = (&plan.samples[index], &files[index]);
        let softer = settings.velocity_gain(f32::from(sample.velocity) / 127.0);
        let _ = write!(
            text,
            "\n<region>\nsample={}.wav\nlokey={} hikey={} pitch_keycenter={}\nlovel={} hivel={}\n",
            sample.name, sample.keys.0, sample.keys.1, sample.key, sample.velocities.0, sample.velocities.1,
        );
        if softer < 1.0 {
            let _ = writeln!(text, "volume={:.3}", -20.0 * softer.max(1e-3).log10());
        }
        if plan.robins > 1 {
            let _ = writeln!(text, "seq_position={}", sample.robin + 1);
        }
        let _ = match file.held {
            Some(held) => {
                let mode = if settings.own_ending {
                    "loop_sustain"
                } else {
                    "loop_continuous"
                };
                let last = held.end - 1;
                writeln!(text, "loop_mode={mode} loop_start={} loop_end={last}", held.start)
            }
            None => writeln!(text, "loop_mode=no_loop"),
        };
    }
    text
}

/// Whole semitones and the cents that are left.
pub(crate) fn split_cents(cents: f32) -> (i32, i32) {
    let cents = cents.round() as i32;
    let semitones = (f64::from(cents) / 100.0).round() as i32;
    (semitones, cents - 100 * semitones)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::options::{PackFormat, PackOptions};
    use crate::pack::recipe::tests::recipe;
    use crate::pack::sustain::Loop;

    #[test]
    fn each_sample_is_a_region_with_its_keys_loop_and_turn() {
        let recipe = recipe(PackOptions {
            keys: "60:63:3".parse().unwrap(),
            velocities: vec![64, 127],
            round_robins: 2,
            ..PackOptions::of(PackFormat::Sfz)
        });
        let plan = Plan::new(&recipe).unwrap();
        let mut files = vec![
            SampleInfo {
                frames: 1000,
                held: None,
            };
            plan.samples.len()
        ];
        files[1].held = Some(Loop { start: 300, end: 900 });
        let text = text(&recipe, &plan, &plan.instruments[0], &files);
        assert_eq!(text.matches("<region>").count(), 8);
        assert!(
            text.contains("ampeg_release=0.5\n") && text.contains("amp_veltrack=70\n"),
            "{text}"
        );
        let region = "<region>\nsample=breath_glass_2_060-C4_v064_r2.wav\nlokey=0 hikey=61 pitch_keycenter=60\n\
                      lovel=1 hivel=95\nvolume=6.416\nseq_position=2\n\
                      loop_mode=loop_continuous loop_start=300 loop_end=899\n";
        assert!(text.contains(region), "{text}");
    }

    #[test]
    fn tuning_is_whole_semitones_and_at_most_half_of_one_in_cents() {
        assert_eq!(split_cents(-270.0), (-3, 30));
        assert_eq!(split_cents(12.4), (0, 12));
    }
}
