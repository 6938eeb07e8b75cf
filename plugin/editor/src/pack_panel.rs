//! Packs: what is to be rendered of the blend, and how far that is. Window thread.
//!
//! The fields hold what the command line's options hold, in the same words; what makes no sense is said before anything begins.

use egui::{Grid, Id, ProgressBar, Rect, RichText, ScrollArea, TextEdit, Ui, UiBuilder, vec2};

use betwixt_audio::blend::{Blend, CornerMask};
use betwixt_engine::pack::options::{BlendsAs, Depth, PackFormat, PackOptions};

use crate::command::{Command, Commands};
use crate::file_dialog::Purpose;
use crate::pack_bench::PackView;
use crate::snapshot::Snapshot;
use crate::theme;

const FORMATS: [(PackFormat, &str, &str); 5] = [
    (
        PackFormat::Sfz,
        "SFZ",
        "For sfizz, LinuxSampler, Ardour and many others",
    ),
    (
        PackFormat::DecentSampler,
        "DecentSampler",
        "A .dspreset beside the samples",
    ),
    (
        PackFormat::Multisample,
        "multisample",
        "One file for Bitwig and Studio One",
    ),
    (
        PackFormat::Nsynth,
        "NSynth",
        "The dataset's form: 16 kHz, 16 bits, 4 s",
    ),
    (
        PackFormat::Wav,
        "WAV",
        "The samples alone, with their loops and keys",
    ),
];
const BLENDS_AS: [(BlendsAs, &str); 3] = [
    (BlendsAs::Presets, "an instrument each"),
    (BlendsAs::RoundRobins, "round robins"),
    (BlendsAs::Velocities, "velocities"),
];
const DEPTHS: [(Depth, &str); 3] = [
    (Depth::Int16, "16 bit"),
    (Depth::Int24, "24 bit"),
    (Depth::Float32, "32 bit float"),
];

/// Size of a field, in points.
const FIELD_SIZE: [f32; 2] = [150.0, 22.0];

/// What stands in the fields.
#[derive(Debug, Clone, PartialEq)]
struct Form {
    format: PackFormat,
    keys: String,
    velocities: String,
    blends: String,
    blends_as: BlendsAs,
    seconds: String,
    rate: String,
    depth: Depth,
    round_robins: String,
    /// Empty for the preset's.
    name: String,
}

impl Form {
    /// A format's usual values.
    fn of(format: PackFormat) -> Self {
        let usual = PackOptions::of(format);
        let velocities: Vec<String> = usual.velocities.iter().map(u8::to_string).collect();
        Self {
            format,
            keys: usual.keys.to_string(),
            velocities: velocities.join(","),
            blends: usual.blends.to_string(),
            blends_as: usual.blends_as,
            seconds: usual.seconds.to_string(),
            rate: usual.rate_hz.to_string(),
            depth: usual.depth,
            round_robins: usual.round_robins.to_string(),
            name: String::new(),
        }
    }

    /// What it asks for.
    ///
    /// # Errors
    /// A sentence that names the field.
    fn options(&self) -> Result<PackOptions, String> {
        let number = |name: &str, text: &str| {
            let parsed = text.trim().parse::<f64>().ok();
            parsed.ok_or_else(|| format!("{name} is `{text}`; expected a number"))
        };
        let whole = |name: &str, text: &str| {
            let parsed = text.trim().parse::<u32>().ok();
            parsed.ok_or_else(|| format!("{name} is `{text}`; expected a whole number"))
        };
        let velocities = self
            .velocities
            .split(',')
            .map(|text| {
                let parsed = text.trim().parse::<u8>();
                parsed.map_err(|_| {
                    format!(
                        "Velocities are `{}`; expected numbers as 40,80,120",
                        self.velocities
                    )
                })
            })
            .collect::<Result<Vec<u8>, String>>()?;
        let options = PackOptions {
            format: self.format,
            keys: self.keys.trim().parse().map_err(in_words)?,
            velocities,
            blends: self.blends.trim().parse().map_err(in_words)?,
            blends_as: self.blends_as,
            seconds: number("Seconds", &self.seconds)?,
            rate_hz: whole("Rate", &self.rate)?,
            depth: self.depth,
            round_robins: whole("Round robins", &self.round_robins)? as usize,
        };
        options.check().map_err(in_words)?;
        Ok(options)
    }
}

/// The engine's sentence, without the dashes of the command line's options.
fn in_words(error: impl ToString) -> String {
    let text = error.to_string();
    let text = text.trim_start_matches("--").replace("--", "");
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Samples that a pack will hold, if these corners hold sounds.
fn samples(options: &PackOptions, occupied: CornerMask) -> usize {
    let blends = options.blends.places(Blend::default(), occupied).len();
    options.keys.all().len() * options.velocities.len() * blends * options.round_robins
}

/// A file's name of a preset's: letters, digits and lines, in lower case.
fn file_name(name: &str) -> String {
    let plain = |letter: char| {
        let is_plain = letter.is_alphanumeric() || matches!(letter, '-' | '_');
        if is_plain { letter } else { '_' }
    };
    let name: String = name.trim().to_lowercase().chars().map(plain).collect();
    if name.is_empty() { "blend".into() } else { name }
}

/// Shows the panel.
pub fn show(ui: &mut Ui, panel: Rect, snapshot: &Snapshot, commands: &mut Commands) {
    ui.painter().rect_filled(panel, theme::PANEL_RADIUS, theme::PANEL);
    let id = Id::unique("pack");
    let mut form: Form = ui
        .data(|data| data.get_temp(id))
        .unwrap_or_else(|| Form::of(PackFormat::Sfz));
    let inner = panel.shrink2(vec2(14.0, 12.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        ui.set_clip_rect(panel);
        ScrollArea::vertical()
            .id_salt("pack")
            .auto_shrink([false; 2])
            .show(ui, |ui| {
                let is_free = !snapshot.pack.is_running();
                ui.add_enabled_ui(is_free, |ui| show_form(ui, &mut form));
                ui.add_space(8.0);
                show_start(ui, &mut form, is_free, snapshot, commands);
                ui.add_space(8.0);
                show_state(ui, &snapshot.pack, commands);
            });
    });
    ui.data_mut(|data| data.insert_temp(id, form));
}

fn show_form(ui: &mut Ui, form: &mut Form) {
    ui.horizontal_wrapped(|ui| {
        for (format, name, hint) in FORMATS {
            if theme::chip(ui, name, form.format == format)
                .on_hover_text(hint)
                .clicked()
            {
                let kept = form.clone();
                let usual = Form::of(format);
                *form = Form {
                    format,
                    rate: usual.rate,
                    depth: usual.depth,
                    seconds: if format == PackFormat::Nsynth {
                        usual.seconds
                    } else {
                        kept.seconds.clone()
                    },
                    ..kept
                };
            }
        }
    });
    ui.add_space(6.0);
    Grid::new("pack_form").num_columns(4).spacing(vec2(12.0, 8.0)).show(ui, |ui| {
        field(ui, "Keys", "LOWEST:HIGHEST:STEP in MIDI note numbers; keys between play the nearest", &mut form.keys);
        field(ui, "Velocities", "MIDI velocities, rising, as 40,80,120", &mut form.velocities);
        ui.end_row();
        let hint = "preset: the puck's place; 5x5: a grid over the pad; path: from corner to corner, path:9 with so many places";
        field(ui, "Blends", hint, &mut form.blends);
        label(ui, "become");
        choice(ui, "blends_as", &BLENDS_AS, &mut form.blends_as);
        ui.end_row();
        field(ui, "Seconds", "Length of a sample; its key is held for three quarters of it", &mut form.seconds);
        field(ui, "Round robins", "Takes of each note, which differ by chance alone", &mut form.round_robins);
        ui.end_row();
        field(ui, "Rate", "Samples a second, in Hz", &mut form.rate);
        label(ui, "Depth");
        choice(ui, "depth", &DEPTHS, &mut form.depth);
        ui.end_row();
    });
}

fn label(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).size(12.0).color(theme::TEXT_MUTED));
}

fn field(ui: &mut Ui, name: &str, hint: &str, text: &mut String) {
    label(ui, name);
    ui.add_sized(FIELD_SIZE, TextEdit::singleline(text).char_limit(64))
        .on_hover_text(hint);
}

fn choice<T: Copy + PartialEq>(ui: &mut Ui, id: &str, choices: &[(T, &str)], chosen: &mut T) {
    let present = choices.iter().find(|(value, _)| value == chosen);
    egui::ComboBox::from_id_salt(id)
        .width(FIELD_SIZE[0])
        .selected_text(present.map_or("", |(_, name)| name))
        .show_ui(ui, |ui| {
            for (value, name) in choices {
                ui.selectable_value(chosen, *value, *name);
            }
        });
}

fn show_start(ui: &mut Ui, form: &mut Form, is_free: bool, snapshot: &Snapshot, commands: &mut Commands) {
    let occupied: u8 = snapshot
        .corners
        .iter()
        .enumerate()
        .map(|(bit, corner)| u8::from(corner.is_some()) << bit)
        .sum();
    let usual = file_name(&snapshot.preset.name);
    let folder = &snapshot.library.packs;
    ui.horizontal(|ui| {
        label(ui, "Name");
        ui.add_enabled(
            is_free,
            TextEdit::singleline(&mut form.name)
                .hint_text(&usual)
                .desired_width(150.0)
                .char_limit(64),
        );
        label(ui, "in");
        let place = egui::Label::new(RichText::new(folder.display().to_string()).size(12.0)).truncate();
        let width = (ui.available_width() - 130.0).max(40.0);
        ui.allocate_ui(vec2(width, 20.0), |ui| ui.add(place))
            .inner
            .on_hover_text(folder.display().to_string());
        if theme::button(ui, "Another folder…", is_free).clicked() {
            commands.push(Command::Choose(Purpose::Packs));
        }
    });
    let name = if form.name.trim().is_empty() {
        usual
    } else {
        file_name(&form.name)
    };
    let output = folder.join(name);
    ui.add_space(4.0);
    match form.options() {
        Err(why) => {
            ui.label(RichText::new(why).size(12.0).color(theme::WAITING));
        }
        Ok(_) if occupied == 0 => {
            let text = "All four corners are empty: there is nothing to render.";
            ui.label(RichText::new(text).size(12.0).color(theme::WAITING));
        }
        Ok(options) => {
            let count = samples(&options, CornerMask(occupied));
            let seconds = count as f64 * options.seconds;
            ui.horizontal(|ui| {
                let is_clicked = theme::button(ui, "Render the pack", is_free)
                    .on_hover_text("The project goes on playing meanwhile")
                    .clicked();
                if is_clicked {
                    commands.push(Command::StartPack(options, output));
                }
                label(
                    ui,
                    &format!(
                        "{count} samples, {} of sound",
                        crate::pack_bench::duration(seconds)
                    ),
                );
            });
        }
    }
}

fn show_state(ui: &mut Ui, pack: &PackView, commands: &mut Commands) {
    match pack {
        PackView::Idle => {}
        PackView::Running {
            text,
            part,
            is_stopping,
        } => {
            ui.add(ProgressBar::new(*part).desired_height(8.0).fill(theme::GOOD));
            ui.horizontal(|ui| {
                label(ui, text);
                let hint = "What is rendered is kept; it can go on later";
                if theme::button(ui, "Stop", !is_stopping)
                    .on_hover_text(hint)
                    .clicked()
                {
                    commands.push(Command::CancelPack);
                }
            });
        }
        PackView::Done { folder, text } => {
            ui.horizontal(|ui| {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                ui.label(
                    RichText::new(format!("{name} is there: {text}."))
                        .size(12.0)
                        .color(theme::GOOD),
                );
                if theme::button(ui, "Show the files", true).clicked() {
                    commands.push(Command::Reveal(folder.clone()));
                }
            });
        }
        PackView::Stopped { why, can_resume } => {
            ui.label(RichText::new(why).size(12.0).color(theme::WAITING));
            let hint = "From where it stopped, with the preset as it was then";
            if *can_resume && theme::button(ui, "Go on", true).on_hover_text(hint).clicked() {
                commands.push(Command::ResumePack);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_each_format_asks_for_its_usual_options() {
        for (format, ..) in FORMATS {
            assert_eq!(Form::of(format).options(), Ok(PackOptions::of(format)));
        }
    }

    #[test]
    fn what_makes_no_sense_is_said_with_its_field() {
        let form = |change: fn(&mut Form)| {
            let mut form = Form::of(PackFormat::Sfz);
            change(&mut form);
            form.options().unwrap_err()
        };
        assert!(form(|form| form.keys = "high".into()).starts_with("Keys is high"));
        assert!(form(|form| form.velocities = "80,loud".into()).starts_with("Velocities are `80,loud`"));
        assert!(form(|form| form.velocities = "80,40".into()).starts_with("Velocities is 80,40"));
        assert!(form(|form| form.blends = "wide".into()).starts_with("Blends is wide"));
        assert!(form(|form| form.seconds = "long".into()).starts_with("Seconds is `long`"));
        assert!(form(|form| form.seconds = "90".into()).starts_with("Seconds is 90"));
        assert!(form(|form| form.round_robins = "0".into()).contains("robins is 0"));
    }

    #[test]
    fn the_samples_are_counted_by_keys_velocities_blends_and_takes() {
        let mut form = Form::of(PackFormat::Sfz);
        form.velocities = "40,80".into();
        form.blends = "3x3".into();
        form.round_robins = "2".into();
        assert_eq!(samples(&form.options().unwrap(), CornerMask::ALL), 21 * 2 * 9 * 2);
    }

    #[test]
    fn a_presets_name_becomes_a_files() {
        assert_eq!(file_name("Breath & Glass / 2"), "breath___glass___2");
        assert_eq!(file_name("  "), "blend");
    }
}
