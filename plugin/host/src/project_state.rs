//! What a project keeps of an instance beside its parameters: the sounds themselves, the device, the
//! window's size. Main thread; nothing here is touched by the audio thread.
//!
//! nice-plug saves parameters and this as one JSON text. Loading checks the whole of it first
//! ([`check_saved_state`]): a state that is damaged, cut short or of a later version is refused, and
//! parameters, sounds and window stay as they were. The text is deterministic: the same instance saved
//! twice gives the same bytes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use betwixt_audio::grid::Grid;
use betwixt_editor::window_state::WindowSize;
use betwixt_engine::parameter::{Parameter, ParameterKind};
use betwixt_engine::patch::{CORNER_NAMES, Patch};
use betwixt_engine::runtime::provider::DeviceChoice;
use betwixt_engine::sound::Sound;
use nice_plug::plugin::{ParamValue, PluginState};

use serde::{Deserialize, Serialize};

use crate::params::{
    BEND_RANGE_ID, DEFAULT_MPE_BEND_RANGE_SEMITONES, MAX_BEND_RANGE_SEMITONES, MPE_BEND_RANGE_ID,
};

/// Format of states that this version writes, and the newest that it reads.
const STATE_FORMAT: u32 = 1;

/// The name of [`ProjectState`] among nice-plug's persistent fields.
const PROJECT_FIELD: &str = "project";

/// Why a saved state was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StateRefused {
    /// The host's stream gave an error.
    #[error("the host could not read it")]
    Unreadable,
    /// It ends too early.
    #[error("it ends after {found} of {expected} bytes")]
    Truncated {
        /// Bytes that were there.
        found: u64,
        /// Bytes that it says it has.
        expected: u64,
    },
    /// It says that it is larger than any state.
    #[error("it has {found} bytes; expected at most {largest}")]
    TooLarge {
        /// Bytes that it says it has.
        found: u64,
        /// Most bytes that a state may have.
        largest: u64,
    },
    /// It is not this plugin's.
    #[error("it is no state of Betwixt: {0}")]
    Foreign(String),
    /// It was written by a later version.
    #[error("its `format` is {found}; this version reads 1 to {STATE_FORMAT}")]
    Future {
        /// What it says.
        found: u32,
    },
    /// A parameter is missing, or not a value that it can have.
    #[error("its parameter `{name}` is {found}; expected {low} to {high}")]
    Parameter {
        /// The parameter's id.
        name: &'static str,
        /// What was found.
        found: String,
        /// Smallest value.
        low: f32,
        /// Largest value.
        high: f32,
    },
    /// A sound cannot be read.
    #[error("its sound of corner {corner} {why}")]
    Sound {
        /// A, B, C or D.
        corner: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Checks the JSON that nice-plug is about to load, without loading anything of it.
///
/// # Errors
/// The state is not one that this version can take over whole: the message names the field.
pub fn check_saved_state(json: &[u8]) -> Result<(), StateRefused> {
    let state: PluginState =
        serde_json::from_slice(json).map_err(|error| StateRefused::Foreign(error.to_string()))?;
    let field = state
        .fields
        .get(PROJECT_FIELD)
        .ok_or_else(|| StateRefused::Foreign(format!("`fields.{PROJECT_FIELD}` is missing")))?;
    // The format first, so that a later version is told as such and not by what it has changed.
    let Format { format } = from_json(field)?;
    if !(1..=STATE_FORMAT).contains(&format) {
        return Err(StateRefused::Future { found: format });
    }
    check_parameters(&state)?;
    let project: ProjectState = from_json(field)?;
    project.patch()?;
    Ok(())
}

/// The engine's parameters that states had from the beginning, the first of [`Parameter::ALL`]. A later one may be
/// missing: the state is older than it.
const FIRST_PARAMETERS: usize = 9;

/// Gives a state that is older than some parameters their defaults. nice-plug would leave them as the instance has them,
/// and a project must not sound by what was open before it.
pub fn add_missing_parameters(state: &mut PluginState) {
    let mut add = |name: &str, value: ParamValue| {
        state.params.entry(name.to_owned()).or_insert(value);
    };
    for parameter in &Parameter::ALL[FIRST_PARAMETERS..] {
        add(parameter.name(), default_value(*parameter));
    }
    add(
        MPE_BEND_RANGE_ID,
        ParamValue::I32(DEFAULT_MPE_BEND_RANGE_SEMITONES),
    );
}

fn default_value(parameter: Parameter) -> ParamValue {
    let default = parameter.default();
    match parameter.kind() {
        ParameterKind::Continuous => ParamValue::F32(default),
        ParameterKind::Switch => ParamValue::Bool(default > 0.5),
        ParameterKind::Choice(_) => ParamValue::I32(default as i32),
    }
}

fn check_parameters(state: &PluginState) -> Result<(), StateRefused> {
    let integer = |value: &ParamValue| match value {
        ParamValue::I32(value) => Some(*value as f32),
        _ => None,
    };
    for (index, parameter) in Parameter::ALL.into_iter().enumerate() {
        if index >= FIRST_PARAMETERS && !state.params.contains_key(parameter.name()) {
            continue;
        }
        let (low, high) = parameter.range();
        check_parameter(state, parameter.name(), low, high, |value| {
            match (parameter.kind(), value) {
                (ParameterKind::Continuous, ParamValue::F32(value)) => Some(*value),
                (ParameterKind::Switch, ParamValue::Bool(value)) => Some(f32::from(*value)),
                (ParameterKind::Choice(_), value) => integer(value),
                _ => None,
            }
        })?;
    }
    let farthest = MAX_BEND_RANGE_SEMITONES as f32;
    check_parameter(state, BEND_RANGE_ID, 0.0, farthest, integer)?;
    if state.params.contains_key(MPE_BEND_RANGE_ID) {
        check_parameter(state, MPE_BEND_RANGE_ID, 0.0, farthest, integer)?;
    }
    Ok(())
}

/// nice-plug takes a saved value over as it is, beyond its range too, and skips one of another type.
fn check_parameter(
    state: &PluginState,
    name: &'static str,
    low: f32,
    high: f32,
    read: impl Fn(&ParamValue) -> Option<f32>,
) -> Result<(), StateRefused> {
    let found = state.params.get(name);
    match found.and_then(read) {
        Some(value) if (low..=high).contains(&value) => Ok(()),
        _ => {
            let found = found.map_or("missing".to_owned(), |value| format!("{value:?}"));
            Err(StateRefused::Parameter {
                name,
                found,
                low,
                high,
            })
        }
    }
}

fn from_json<'a, T: Deserialize<'a>>(field: &'a str) -> Result<T, StateRefused> {
    serde_json::from_str(field)
        .map_err(|error| StateRefused::Foreign(format!("`fields.{PROJECT_FIELD}`: {error}")))
}

/// Read first of all.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// The saved form of a [`Project`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectState {
    /// [`STATE_FORMAT`] of the version that wrote it.
    format: u32,
    /// The name of the preset that the sounds came with, empty if there is none.
    preset: String,
    /// The sounds of the corners A, B, C, D: the bytes of a `.sound` file, whole, in base64.
    corners: [Option<String>; 4],
    /// The device to render on.
    device: String,
    /// How large the window is.
    window: WindowSize,
    /// Places of the pad that a slow model's notes are rendered at, along a side. States from before there were slow models
    /// have none.
    #[serde(default = "default_grid_side")]
    grid_side: u8,
}

fn default_grid_side() -> u8 {
    Grid::default().side()
}

impl ProjectState {
    /// The saved form of what an instance has.
    pub fn new(patch: &Patch, preset: &str, device: DeviceChoice, window: WindowSize, grid: Grid) -> Self {
        Self {
            format: STATE_FORMAT,
            preset: preset.to_owned(),
            corners: patch
                .corners()
                .each_ref()
                .map(|corner| corner.as_ref().map(|sound| BASE64.encode(sound.to_bytes()))),
            device: device_name(device).to_owned(),
            window,
            grid_side: grid.side(),
        }
    }

    /// Where a slow model's notes are rendered; a grid that there is not becomes the nearest.
    pub fn grid(&self) -> Grid {
        Grid::new(self.grid_side)
    }

    /// The sounds.
    ///
    /// # Errors
    /// A sound cannot be read.
    pub fn patch(&self) -> Result<Patch, StateRefused> {
        let mut corners = [const { None }; 4];
        for ((saved, corner), name) in self.corners.iter().zip(&mut corners).zip(CORNER_NAMES) {
            if let Some(saved) = saved {
                let refused = |why: String| StateRefused::Sound { corner: name, why };
                let bytes = BASE64
                    .decode(saved)
                    .map_err(|error| refused(format!("is not base64: {error}")))?;
                let sound = Sound::from_bytes(&bytes).map_err(|error| refused(error.to_string()))?;
                *corner = Some(Arc::new(sound));
            }
        }
        Ok(Patch::new(corners))
    }

    /// The device to render on. One that this version does not know becomes `auto`.
    pub fn device(&self) -> DeviceChoice {
        let known = DEVICES.iter().find(|(_, name)| *name == self.device);
        known.map_or(DeviceChoice::Auto, |(device, _)| *device)
    }

    /// How large the window is; a size that no window can have is brought into bounds.
    pub fn window(&self) -> WindowSize {
        self.window.clamped()
    }

    /// The preset that the sounds came with, empty if there is none.
    pub fn preset(&self) -> &str {
        &self.preset
    }
}

const DEVICES: [(DeviceChoice, &str); 5] = [
    (DeviceChoice::Auto, "auto"),
    (DeviceChoice::Cpu, "cpu"),
    (DeviceChoice::Cuda, "cuda"),
    (DeviceChoice::CoreMl, "coreml"),
    (DeviceChoice::DirectMl, "directml"),
];

fn device_name(device: DeviceChoice) -> &'static str {
    DEVICES
        .iter()
        .find(|(known, _)| *known == device)
        .map_or("auto", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use betwixt_engine::credits::Credits;
    use betwixt_engine::embedding::Embedding;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::OnceLock;

    fn sound(name: &str) -> Option<Arc<Sound>> {
        Some(Arc::new(Sound {
            name: name.into(),
            family: "test".into(),
            tags: vec!["soft".into()],
            licence: "MIT".into(),
            source: String::new(),
            model: "spectral 1".into(),
            pitch: 60.0,
            gain_db: -2.0,
            velocity: betwixt_engine::sound::DEFAULT_VELOCITY,
            further: Vec::new(),
            loop_region: None,
            embedding: Embedding::new(4, (0..40).map(|i| (i as f32).sin()).collect()).unwrap(),
            credits: Credits::default(),
        }))
    }

    fn project() -> ProjectState {
        let patch = Patch::new([sound("flute"), None, sound("bell \u{266f}"), None]);
        ProjectState::new(
            &patch,
            "Breath",
            DeviceChoice::Cpu,
            WindowSize::default(),
            Grid::new(7),
        )
    }

    /// What nice-plug would save.
    fn saved() -> PluginState {
        let mut params: std::collections::BTreeMap<_, _> = Parameter::ALL
            .into_iter()
            .map(|parameter| (parameter.name().to_owned(), default_value(parameter)))
            .collect();
        params.insert(BEND_RANGE_ID.to_owned(), ParamValue::I32(2));
        params.insert(MPE_BEND_RANGE_ID.to_owned(), ParamValue::I32(48));
        let project = serde_json::to_string(&project()).unwrap();
        PluginState {
            version: "0.1.0".into(),
            params,
            fields: [(PROJECT_FIELD.to_owned(), project)].into(),
        }
    }

    fn check(state: &PluginState) -> Result<(), StateRefused> {
        check_saved_state(&serde_json::to_vec(state).unwrap())
    }

    /// The saved state with its project changed.
    fn with_project(change: impl Fn(&mut Value)) -> PluginState {
        let mut state = saved();
        let mut project = serde_json::from_str(&state.fields[PROJECT_FIELD]).unwrap();
        change(&mut project);
        state.fields.insert(PROJECT_FIELD.to_owned(), project.to_string());
        state
    }

    #[test]
    fn a_project_comes_back_as_it_was_and_always_as_the_same_text() {
        assert_eq!(check(&saved()), Ok(()));
        let text = serde_json::to_string(&project()).unwrap();
        let again: ProjectState = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        let patch = again.patch().unwrap();
        assert_eq!(patch, project().patch().unwrap());
        assert_eq!(patch.corners()[2].as_ref().unwrap().name, "bell \u{266f}");
        assert_eq!((again.device(), again.preset()), (DeviceChoice::Cpu, "Breath"));
    }

    #[test]
    fn a_state_of_a_later_version_is_refused_as_such_whatever_else_it_changed() {
        let later = with_project(|project| {
            project["format"] = json!(2);
            project["corners"] = json!("elsewhere");
        });
        assert_eq!(check(&later), Err(StateRefused::Future { found: 2 }));
        let none = with_project(|project| project["format"] = json!(0));
        assert_eq!(check(&none), Err(StateRefused::Future { found: 0 }));
    }

    #[test]
    fn every_parameter_must_be_in_its_range_and_the_first_ones_there() {
        for (index, parameter) in Parameter::ALL.into_iter().enumerate() {
            let (low, high) = parameter.range();
            let name = parameter.name();
            let mut wrong = match parameter.kind() {
                ParameterKind::Continuous => vec![
                    ParamValue::F32(low - 1.0),
                    ParamValue::F32(high + 1.0),
                    ParamValue::I32(0),
                ],
                ParameterKind::Switch => vec![ParamValue::F32(1.0), ParamValue::I32(1)],
                ParameterKind::Choice(labels) => vec![
                    ParamValue::I32(-1),
                    ParamValue::I32(labels.len() as i32),
                    ParamValue::F32(0.0),
                ],
            };
            wrong.push(ParamValue::String("much".into()));
            for wrong in wrong {
                let mut state = saved();
                state.params.insert(name.to_owned(), wrong);
                let refused = check(&state).unwrap_err();
                assert!(matches!(refused, StateRefused::Parameter { name: told, .. } if told == name));
            }
            let mut state = saved();
            state.params.remove(name);
            assert_eq!(check(&state).is_err(), index < FIRST_PARAMETERS, "{name}");
        }
        for name in [BEND_RANGE_ID, MPE_BEND_RANGE_ID] {
            let mut state = saved();
            state.params.insert(name.to_owned(), ParamValue::I32(49));
            let message = check(&state).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("its parameter `{name}` is I32(49); expected 0 to 48")
            );
        }
    }

    #[test]
    fn a_state_of_before_a_parameter_gets_its_default_and_others_stay() {
        let mut old = saved();
        let first: Vec<&str> = Parameter::ALL[..FIRST_PARAMETERS]
            .iter()
            .map(|parameter| parameter.name())
            .collect();
        old.params
            .retain(|name, _| first.contains(&name.as_str()) || name == BEND_RANGE_ID);
        old.params.insert("blend_x".into(), ParamValue::F32(0.25));
        assert_eq!(check(&old), Ok(()));
        add_missing_parameters(&mut old);
        let mut expected = saved();
        expected.params.insert("blend_x".into(), ParamValue::F32(0.25));
        assert_eq!(
            serde_json::to_value(&old).unwrap(),
            serde_json::to_value(&expected).unwrap()
        );
        let mut whole = saved();
        whole.params.insert("heat".into(), ParamValue::F32(0.5));
        let before = serde_json::to_value(&whole).unwrap();
        add_missing_parameters(&mut whole);
        assert_eq!(serde_json::to_value(&whole).unwrap(), before);
    }

    #[test]
    fn a_damaged_sound_is_named_by_its_corner() {
        let damaged = with_project(|project| {
            let mut bytes = BASE64.decode(project["corners"][2].as_str().unwrap()).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            project["corners"][2] = BASE64.encode(bytes).into();
        });
        let message = check(&damaged).unwrap_err().to_string();
        assert!(
            message.starts_with("its sound of corner C is damaged"),
            "{message}"
        );
    }

    #[test]
    fn a_device_of_another_machine_becomes_auto_and_a_window_fits_a_screen() {
        let odd = with_project(|project| {
            project["device"] = "abacus".into();
            project["window"]["width"] = json!(1e9);
        });
        let project: ProjectState = serde_json::from_str(&odd.fields[PROJECT_FIELD]).unwrap();
        assert_eq!(project.device(), DeviceChoice::Auto);
        assert_eq!(project.window(), project.window().clamped());
        assert_eq!(check(&odd), Ok(()));
    }

    fn saved_bytes() -> &'static [u8] {
        static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
        BYTES.get_or_init(|| serde_json::to_vec(&saved()).unwrap())
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(check_saved_state(&bytes).is_err());
        }

        #[test]
        fn a_state_cut_short_is_refused(length in 0..10_000_usize) {
            let length = length % saved_bytes().len();
            prop_assert!(check_saved_state(&saved_bytes()[..length]).is_err());
        }

        #[test]
        fn a_changed_byte_is_refused_or_harmless(at in 0..10_000_usize, value: u8) {
            let mut bytes = saved_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = value;
            if check_saved_state(&bytes).is_ok() {
                let state: PluginState = serde_json::from_slice(&bytes).unwrap();
                let project: ProjectState = serde_json::from_str(&state.fields[PROJECT_FIELD]).unwrap();
                // Sounds are checksummed: what is taken over is what was saved.
                prop_assert_eq!(project.patch().unwrap(), super::tests::project().patch().unwrap());
            }
        }
    }
}
