//! The window on made-up data, to work on its looks without a host, a model or sound:
//! `cargo run -p betwixt-editor --example preview [empty|trouble]`. Knobs turn, the puck moves, nothing sounds.

use std::sync::Arc;

use betwixt_audio::blend::{Blend, CornerMask};
use betwixt_editor::command::Command;
use betwixt_editor::embedding_view::{EmbeddingCurves, Sustain};
use betwixt_editor::snapshot::{CornerView, DeviceCondition, DeviceView, ListRow, ParameterView, Snapshot};
use betwixt_editor::{theme, view};
use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::parameter::{Parameter, ParameterKind};
use nice_plug_egui::baseview::dpi::LogicalSize;
use nice_plug_egui::{App, EguiWindow, EguiWindowSettings, Frame};

const SOUNDS: [(&str, &str, f32); 8] = [
    ("Upright bass", "acoustic", 36.0),
    ("Flute", "wind", 72.0),
    ("Glockenspiel", "mallet", 84.0),
    ("Flugelhorn", "brass", 60.0),
    ("Church organ", "organ", 48.0),
    ("Harp", "strings", 60.0),
    ("Marimba", "mallet", 55.0),
    ("Cello section", "strings", 43.0),
];

struct Preview {
    snapshot: Snapshot,
    has_theme: bool,
}

impl App for Preview {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        if !self.has_theme {
            theme::install(ui.ctx());
            ui.ctx().request_repaint();
            self.has_theme = true;
            return;
        }
        let mut commands = Vec::new();
        view::show(ui, &self.snapshot, &mut commands);
        for command in commands {
            println!("{command:?}");
            self.carry_out(ui.ctx(), command);
        }
    }
}

impl Preview {
    fn new(name: &str) -> Self {
        let mut snapshot = Snapshot {
            zoom: 1.0,
            ..Default::default()
        };
        let row = |(name, family, _): (&str, &str, f32)| ListRow {
            name: name.into(),
            detail: family.into(),
            search: format!("{name} {family}").to_lowercase(),
        };
        snapshot.sounds = SOUNDS.map(row).into();
        snapshot.presets = ["Bass flute at dusk", "Glass choir", "Slow brass"]
            .map(|name| row((name, "pad", 0.0)))
            .into();
        for parameter in Parameter::ALL {
            set(&mut snapshot, parameter, 0.35);
        }
        set(&mut snapshot, Parameter::BlendX, 0.42);
        set(&mut snapshot, Parameter::BlendY, 0.78);
        set(&mut snapshot, Parameter::Sustain, 0.62);
        for parameter in [
            Parameter::TuningCents,
            Parameter::Stretch,
            Parameter::Push,
            Parameter::Brightness,
        ] {
            set(&mut snapshot, parameter, 0.5);
        }
        set(&mut snapshot, Parameter::Freeze, 1.0);
        snapshot.is_degraded = name == "trouble";
        if name == "trouble" {
            let text = "models/spectral/decoder.onnx: output `amplitude_db` has 96 columns, expected 112";
            snapshot.problems = vec![
                text.into(),
                "The state of the project was refused: unknown version 9".into(),
            ];
            snapshot.device.condition = DeviceCondition::Failed;
            snapshot.device.label = "no model".into();
        } else {
            snapshot.device = DeviceView {
                condition: DeviceCondition::Ready,
                label: "CPU · 74× real time".into(),
                refusals: vec![("CUDA".into(), "this build of ONNX Runtime has no CUDA".into())],
                facts: vec!["model spectral 1".into(), "214 notes, 96 of 512 MB".into()],
                ..Default::default()
            };
        }
        if name != "empty" {
            for (corner, (name, family, pitch)) in snapshot.corners.iter_mut().zip(SOUNDS) {
                *corner = Some(CornerView {
                    name: name.into(),
                    family: family.into(),
                    pitch,
                });
            }
            snapshot.preset = "Bass flute at dusk".into();
            snapshot.embedding = Some(Arc::new(curves()));
            snapshot.ready_keys = (1 << 93) - (1 << 48);
            snapshot.held_keys = 1 << 52 | 1 << 59 | 1 << 66;
            snapshot.voices = 6;
            snapshot.load = 0.34;
            snapshot.peaks = [0.3, 0.22];
        }
        let mut preview = Self {
            snapshot,
            has_theme: false,
        };
        preview.weigh();
        preview
    }

    fn weigh(&mut self) {
        let value = |parameter| self.snapshot.parameter(parameter).normalized;
        let blend = Blend {
            x: value(Parameter::BlendX),
            y: value(Parameter::BlendY),
        };
        let is_set = |(bit, corner): (usize, &Option<CornerView>)| u8::from(corner.is_some()) << bit;
        let mask = self.snapshot.corners.iter().enumerate().map(is_set).sum();
        self.snapshot.weights = blend.weights(CornerMask(mask));
    }

    fn carry_out(&mut self, context: &egui::Context, command: Command) {
        match command {
            Command::Set(parameter, value) => set(&mut self.snapshot, parameter, value),
            Command::Reset(parameter) => set(&mut self.snapshot, parameter, 0.5),
            Command::PickSound(corner, sound) => {
                self.snapshot.corners[corner] = sound.map(|index| {
                    let (name, family, pitch) = SOUNDS[index];
                    CornerView {
                        name: name.into(),
                        family: family.into(),
                        pitch,
                    }
                });
            }
            Command::LoadPreset(index) => {
                self.snapshot.preset = self.snapshot.presets[index].name.as_str().into()
            }
            Command::SetDevice(choice) => self.snapshot.device.choice = choice,
            Command::SetZoom(zoom) => {
                self.snapshot.zoom = zoom;
                context.set_zoom_factor(zoom);
            }
            _ => {}
        }
        self.weigh();
    }
}

fn set(snapshot: &mut Snapshot, parameter: Parameter, value: f32) {
    let (low, high) = parameter.range();
    let text = format!("{:.1}", low + (high - low) * value);
    let choices: Arc<[String]> = match parameter.kind() {
        ParameterKind::Choice(labels) => labels.iter().map(|label| (*label).to_owned()).collect(),
        _ => Arc::default(),
    };
    let text = match choices.len() {
        0 => text,
        count => choices[(value * (count - 1) as f32).round() as usize].clone(),
    };
    snapshot.parameters[parameter as usize] = ParameterView {
        normalized: value,
        modulated: value,
        text,
        choices,
    };
}

fn curves() -> EmbeddingCurves {
    let curve = |dimension: usize| {
        let (phase, size) = (
            dimension as f32 * 2.4,
            0.3 + 0.7 * (dimension as f32 * 1.7).sin().abs(),
        );
        let at = |point: usize| {
            let time = point as f32 / 125.0;
            size * (phase + time * 3.0).sin() * (1.0 - (-time * 12.0).exp())
        };
        (0..126).map(at).collect()
    };
    EmbeddingCurves {
        curves: (0..16).map(curve).collect(),
        frames: 126,
        sustain: Sustain {
            corner: 0,
            frames: 126,
            region: Some(LoopRegion {
                start_frame: 60,
                end_frame: 94,
            }),
        },
    }
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let settings = EguiWindowSettings::new()
        .with_title("betwixt preview")
        .with_size(LogicalSize::new(1120.0, 740.0))
        .with_resizable(true);
    let window = EguiWindow::create(settings, Preview::new(&name)).expect("a window");
    window.run_until_closed().expect("a window that runs");
}
