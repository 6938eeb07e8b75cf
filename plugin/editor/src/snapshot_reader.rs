//! Gathers the snapshot of a frame from the host's parameters, the engine and the meters. Window thread; waits for nobody.

use std::path::PathBuf;
use std::sync::Arc;

use betwixt_audio::meters::Meters;
use betwixt_audio::note::PatchId;
use betwixt_audio::settings::Settings;
use betwixt_engine::engine::Engine;
use betwixt_engine::instance::Instance;
use betwixt_engine::parameter::{Parameter, ParameterKind};
use betwixt_engine::patch::Patch;
use betwixt_engine::status::{EngineStatus, ModelStatus};

use crate::controls::Controls;
use crate::embedding_view::EmbeddingCurves;
use crate::history::Values;
use crate::host_parameter::HostParameter;
use crate::list_query::Found;
use crate::snapshot::{
    CornerView, DeviceCondition, DeviceView, GridView, LibraryView, ParameterView, PresetView, Snapshot,
};
use crate::workshop::Workshop;

/// How fast the meter falls, in dB a second.
const METER_FALL_DB: f32 = 24.0;
/// How long the strip says why a note of this instance was refused.
const REFUSAL_SHOWN_SECONDS: f32 = 8.0;
/// How long the footer says that a moving timbre was followed coarsely.
const DEGRADED_SHOWN_SECONDS: f32 = 3.0;
/// The tag of sounds without a pitch, as encoding gives it.
const UNPITCHED_TAG: &str = "unpitched";
const BYTES_IN_MEGABYTE: usize = 1 << 20;

/// Where snapshots come from.
pub struct SnapshotReader {
    controls: Arc<dyn Controls>,
    instance: Arc<Instance>,
    meters: Arc<Meters>,
    workshop: Arc<Workshop>,
    peaks: [f32; 2],
    /// Notes of this instance that had been refused by the last snapshot.
    refused: u64,
    seconds_since_refusal: f32,
    /// How often a timbre had been followed coarsely by the last snapshot.
    degraded: u64,
    seconds_since_degraded: f32,
    /// The texts of each choice.
    choices: [Arc<[String]>; Parameter::ALL.len()],
    /// The curves that were drawn last, and what they were made of.
    curves: Option<(PatchId, [f32; 4], Arc<EmbeddingCurves>)>,
}

impl std::fmt::Debug for SnapshotReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotReader").finish_non_exhaustive()
    }
}

/// What the librarian told, which a snapshot carries too.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The sounds to pick from.
    pub sounds: Found,
    /// The presets to pick from.
    pub presets: Found,
    /// The library as a whole.
    pub library: LibraryView,
    /// The folder that packs go into, if the user chose one.
    pub packs: Option<PathBuf>,
    /// The name under which the preset could not be saved, as another has it.
    pub taken_name: Option<String>,
    /// The preset that was deleted last.
    pub deleted: Option<String>,
    /// What the last request came to, if it failed.
    pub trouble: Option<String>,
}

impl SnapshotReader {
    /// A reader for one window.
    pub fn new(
        controls: Arc<dyn Controls>,
        instance: Arc<Instance>,
        meters: Arc<Meters>,
        workshop: Arc<Workshop>,
    ) -> Self {
        let choices = Parameter::ALL.map(|parameter| match parameter.kind() {
            ParameterKind::Choice(labels) => {
                let param = controls.param(parameter);
                let text = |index| param.to_text(param.to_normalized(index as f32));
                (0..labels.len()).map(text).collect()
            }
            _ => Arc::default(),
        });
        Self {
            controls,
            instance,
            degraded: meters.degraded(),
            meters,
            workshop,
            peaks: [0.0; 2],
            refused: 0,
            seconds_since_refusal: f32::INFINITY,
            seconds_since_degraded: f32::INFINITY,
            choices,
            curves: None,
        }
    }

    /// What there is to show, `seconds` after the last snapshot.
    pub fn read(&mut self, seconds: f32, zoom: f32, listed: &Listed) -> Snapshot {
        let patch = self.instance.patch();
        let status = self.instance.engine().status();
        let parameters = Parameter::ALL.map(|parameter| {
            let choices = Arc::clone(&self.choices[parameter as usize]);
            parameter_view(self.controls.param(parameter), choices)
        });
        // What sounds is the modulated value: weights, curves and ready keys are of it.
        let mut settings = Settings::default();
        for parameter in Parameter::ALL {
            parameter.apply(&mut settings, self.controls.param(parameter).value());
        }
        let weights = settings.blend.weights(patch.occupied());
        let imports = self.workshop.imports.lock();
        let corner = |index: usize| {
            patch.corners()[index].as_ref().map(|sound| {
                let recording = imports.recording(&sound.name);
                CornerView {
                    name: sound.name.clone(),
                    family: sound.family.clone(),
                    pitch: sound.pitch,
                    confidence: recording.and_then(|recording| recording.confidence),
                    is_unpitched: sound.tags.iter().any(|tag| tag == UNPITCHED_TAG),
                    is_correctable: recording.is_some(),
                    layers: 1 + sound.further.len(),
                }
            })
        };
        let corners = std::array::from_fn(corner);
        let running = imports.views();
        drop(imports);
        let readiness = self.instance.readiness(settings.strike(settings.timbre()));
        let mut problems = Vec::new();
        if let ModelStatus::Failed(why) = &status.model {
            problems.push(why.clone());
        }
        problems.extend(self.controls.notice().map(|notice| notice.to_string()));
        let trouble = listed.trouble.as_deref().unwrap_or_default();
        problems.extend(trouble.lines().map(str::to_owned));
        if self.was_refused(seconds) {
            let reason = status.last_failure.clone();
            problems.extend(reason.filter(|reason| !problems.contains(reason)));
        }
        Snapshot {
            parameters,
            weights,
            corners,
            embedding: self.curves(&patch, weights),
            ready_keys: readiness.keys,
            grid: readiness.grid.map(|grid| GridView {
                side: grid.side(),
                ready_cells: readiness.cells,
                pitches_missing: readiness.pitches_missing,
                seconds_to_go: readiness.seconds_to_go,
            }),
            chosen_grid_side: self.instance.grid().side(),
            held_keys: self.meters.held_keys(),
            voices: self.meters.voices() as usize,
            waiting_voices: self.meters.waiting_voices() as usize,
            streams: self.meters.streams() as usize,
            is_degraded: self.was_degraded(seconds),
            rendering: status.rendering,
            load: self.meters.load(),
            peaks: self.fall(seconds),
            device: device_view(&status, self.instance.engine(), &self.meters),
            preset: self.preset(&patch, listed),
            sounds: listed.sounds.clone(),
            presets: listed.presets.clone(),
            library: LibraryView {
                packs: listed
                    .packs
                    .clone()
                    .unwrap_or_else(|| listed.library.packs.clone()),
                ..listed.library.clone()
            },
            imports: running,
            pack: self.workshop.packs.lock().view(),
            problems,
            zoom,
        }
    }

    fn preset(&self, patch: &Patch, listed: &Listed) -> PresetView {
        let name = self.controls.preset_name();
        let values: Values = Parameter::ALL.map(|parameter| self.controls.param(parameter).normalized());
        let kept = self.workshop.kept.lock().clone();
        let history = self.workshop.history.lock();
        let id = kept.as_ref().and_then(|kept| kept.id.clone());
        // What is in no list is nowhere kept.
        let is_changed = kept
            .as_ref()
            .is_none_or(|kept| kept.id.is_none() || kept.differs(patch.id(), &values));
        let row = listed
            .presets
            .rows
            .iter()
            .find(|row| Some(&row.id) == id.as_ref());
        PresetView {
            is_changed: !name.is_empty() && is_changed,
            name,
            is_favourite: row.is_some_and(|row| row.is_favourite),
            is_user: kept.is_some_and(|kept| kept.is_user),
            id,
            undo: history.undoable(),
            redo: history.redoable(),
            taken_name: listed.taken_name.clone(),
            deleted: listed.deleted.clone(),
        }
    }

    /// Whether a note of this instance was refused a short while ago.
    fn was_refused(&mut self, seconds: f32) -> bool {
        let refused = self.meters.refused();
        self.seconds_since_refusal += seconds;
        if refused != self.refused {
            self.refused = refused;
            self.seconds_since_refusal = 0.0;
        }
        self.seconds_since_refusal < REFUSAL_SHOWN_SECONDS
    }

    /// Whether the machine could not keep up with a moving timbre a short while ago.
    fn was_degraded(&mut self, seconds: f32) -> bool {
        let degraded = self.meters.degraded();
        self.seconds_since_degraded += seconds;
        if degraded != self.degraded {
            self.degraded = degraded;
            self.seconds_since_degraded = 0.0;
        }
        self.seconds_since_degraded < DEGRADED_SHOWN_SECONDS
    }

    /// The meter's peaks: up at once, down slowly.
    fn fall(&mut self, seconds: f32) -> [f32; 2] {
        let kept = 10.0_f32.powf(-METER_FALL_DB * seconds / 20.0);
        let (left, right) = self.meters.take_peaks();
        for (peak, new) in self.peaks.iter_mut().zip([left, right]) {
            *peak = (*peak * kept).max(new);
            if *peak < 1e-5 {
                *peak = 0.0;
            }
        }
        self.peaks
    }

    fn curves(&mut self, patch: &Patch, weights: [f32; 4]) -> Option<Arc<EmbeddingCurves>> {
        if let Some((id, of, curves)) = &self.curves
            && *id == patch.id()
            && *of == weights
        {
            return Some(Arc::clone(curves));
        }
        let curves = Arc::new(EmbeddingCurves::of_blend(patch, weights)?);
        self.curves = Some((patch.id(), weights, Arc::clone(&curves)));
        Some(curves)
    }
}

fn parameter_view(param: HostParameter<'_>, choices: Arc<[String]>) -> ParameterView {
    let normalized = param.normalized();
    ParameterView {
        normalized,
        modulated: param.modulated_normalized(),
        text: param.to_text(normalized),
        choices,
    }
}

fn device_view(status: &EngineStatus, engine: &Engine, meters: &Meters) -> DeviceView {
    let mut view = DeviceView {
        choice: engine.device(),
        ..Default::default()
    };
    match &status.model {
        ModelStatus::NotLoaded => view.label = "waiting for the host".into(),
        ModelStatus::Loading => view.label = "loading the model".into(),
        ModelStatus::Failed(_) => {
            view.condition = DeviceCondition::Failed;
            view.label = "no model".into();
        }
        ModelStatus::Ready {
            tag,
            device,
            refusals,
            slowness,
        } => {
            view.condition = DeviceCondition::Ready;
            view.label = match (slowness, status.realtime_factor) {
                (Some(slowness), _) => {
                    format!("{} · {:.2}× real time", device.name(), 1.0 / slowness.max(0.01))
                }
                (None, Some(factor)) => format!("{} · {factor:.0}× real time", device.name()),
                (None, None) => device.name().into(),
            };
            let refused = |refusal: &betwixt_engine::runtime::provider::Refusal| {
                (refusal.provider.name().to_owned(), refusal.reason.clone())
            };
            view.refusals = refusals.iter().map(refused).collect();
            view.facts.push(format!("Model {tag}"));
            if slowness.is_some() {
                view.facts
                    .push("Its notes are rendered ahead, whole: it is slower than it is heard".into());
            }
        }
    }
    if status.notes_from_disk > 0 {
        view.facts
            .push(format!("{} notes came from the disk", status.notes_from_disk));
    }
    if status.notes_cached > 0 || status.rendering > 0 {
        view.facts.push(format!(
            "{} notes rendered, {} of {} MB",
            status.notes_cached,
            status.cache_bytes / BYTES_IN_MEGABYTE,
            status.cache_budget_bytes / BYTES_IN_MEGABYTE,
        ));
    }
    if meters.underruns() > 0 {
        view.facts.push(format!(
            "{} times a voice caught up with its worker",
            meters.underruns()
        ));
    }
    if meters.degraded() > 0 {
        view.facts.push(format!(
            "{} times the machine could not keep up, and a note was followed coarsely",
            meters.degraded()
        ));
    }
    view
}
