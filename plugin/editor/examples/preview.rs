//! The window on made-up data, to work on its looks without a host, a model or sound:
//! `cargo run -p betwixt-editor --example preview [empty|trouble|import|sounds|pack]`. Knobs turn, the puck moves, lists are
//! searched, files can be dropped; nothing sounds.

use std::sync::Arc;

use baseview::dpi::LogicalSize;
use baseview::{WindowSettings, WindowSize};
use betwixt_audio::blend::{Blend, CornerMask};
use betwixt_editor::command::Command;
use betwixt_editor::egui_window::{self, Content, Repaint};
use betwixt_editor::embedding_view::{EmbeddingCurves, Sustain};
use betwixt_editor::import_bench::ImportView;
use betwixt_editor::list_query::{Found, ListQuery, ListRow};
use betwixt_editor::pack_bench::PackView;
use betwixt_editor::snapshot::{CornerView, DeviceCondition, DeviceView, ParameterView, Snapshot};
use betwixt_editor::tabs::{self, Tab};
use betwixt_editor::{theme, view};
use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::library::entry::{EntryId, EntryKind};
use betwixt_engine::parameter::{Parameter, ParameterKind};

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

const PRESETS: [&str; 3] = ["Bass flute at dusk", "Glass choir", "Slow brass"];

struct Preview {
    snapshot: Snapshot,
    tab: Tab,
    has_theme: bool,
}

impl Content for Preview {
    fn resized(&mut self, _size: WindowSize) {}

    fn zoomed(&mut self, _zoom: f32) {}

    fn show(&mut self, ui: &mut egui::Ui) {
        if !self.has_theme {
            theme::install(ui.ctx());
            tabs::select(ui.ctx(), self.tab);
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
        snapshot.sounds = find(ListQuery::sounds());
        snapshot.presets = find(ListQuery::presets());
        snapshot.library.packs = "/home/user/.local/share/betwixt/packs".into();
        snapshot.library.families = [
            ("brass".into(), 12),
            ("mallet".into(), 31),
            ("strings".into(), 20),
        ]
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
                    layers: 1,
                    ..Default::default()
                });
            }
            snapshot.preset.name = "Bass flute at dusk".into();
            snapshot.preset.id = Some(id_of("Bass flute at dusk"));
            snapshot.preset.is_favourite = true;
            snapshot.preset.undo = Some("load Glass choir".into());
            snapshot.embedding = Some(Arc::new(curves()));
            snapshot.ready_keys = (1 << 93) - (1 << 48);
            snapshot.held_keys = 1 << 52 | 1 << 59 | 1 << 66;
            snapshot.voices = 6;
            snapshot.load = 0.34;
            snapshot.peaks = [0.3, 0.22];
        }
        if name == "import" {
            snapshot.imports[1] = Some(ImportView {
                text: "encoding bowl.wav · 3 of 12".into(),
                part: Some(0.25),
            });
            snapshot.preset.is_changed = true;
        }
        if name == "pack" {
            snapshot.pack = PackView::Running {
                text: "8 of 21 samples · 0:42 to go".into(),
                part: 0.38,
                is_stopping: false,
            };
        }
        let tab = match name {
            "sounds" => Tab::Sounds,
            "pack" => Tab::Pack,
            _ => Tab::Play,
        };
        let mut preview = Self {
            snapshot,
            tab,
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
            Command::Search(query) => {
                let found = find(query);
                if found.query.filter.kind == Some(EntryKind::Preset) {
                    self.snapshot.presets = found;
                } else {
                    self.snapshot.sounds = found;
                }
            }
            Command::PickSound(corner, id) => {
                let picked = SOUNDS.iter().find(|(name, ..)| Some(id_of(name)) == id);
                self.snapshot.corners[corner] = picked.map(|(name, family, pitch)| CornerView {
                    name: (*name).into(),
                    family: (*family).into(),
                    pitch: *pitch,
                    ..Default::default()
                });
            }
            Command::LoadPreset(id) => {
                let name = PRESETS.iter().find(|name| id_of(name) == id);
                self.snapshot.preset.name = name.copied().unwrap_or_default().into();
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

fn id_of(name: &str) -> EntryId {
    let file = name.to_lowercase().replace(' ', "_");
    EntryId::from(format!("factory/{file}.sound"))
}

fn find(query: ListQuery) -> Found {
    let row = |(name, detail): (&str, &str)| ListRow {
        id: id_of(name),
        name: name.into(),
        detail: detail.into(),
        about: String::new(),
        is_favourite: name.len() % 3 == 0,
        is_user: false,
        file: format!("{name}.sound").into(),
    };
    let text = query.text.to_lowercase();
    let rows: Vec<ListRow> = if query.filter.kind == Some(EntryKind::Preset) {
        PRESETS.iter().map(|name| row((name, "pad"))).collect()
    } else {
        SOUNDS
            .iter()
            .map(|(name, family, _)| row((name, family)))
            .collect()
    };
    let rows = rows
        .into_iter()
        .filter(|row| row.name.to_lowercase().contains(&text));
    Found {
        rows: rows.collect(),
        query,
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
    let settings = WindowSettings::new()
        .with_title("betwixt preview")
        .with_size(LogicalSize::new(1120.0, 740.0))
        .with_resizable(true);
    let window = egui_window::open(settings, 1.0, Preview::new(&name), Repaint::default(), None);
    window
        .expect("a window")
        .run_until_closed()
        .expect("a window that runs");
}
