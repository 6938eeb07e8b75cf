//! What the window shows in a frame: plain data, gathered once (`window.rs`) and read by every view. Window thread.

use std::sync::Arc;

use betwixt_engine::parameter::Parameter;
use betwixt_engine::runtime::provider::DeviceChoice;

use crate::embedding_view::EmbeddingCurves;

/// A parameter as it stands now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParameterView {
    /// What the user or the host set, 0..1 over the parameter's range.
    pub normalized: f32,
    /// The same with the host's modulation: what sounds.
    pub modulated: f32,
    /// The value as text with its unit.
    pub text: String,
    /// The texts of all that a choice can be; empty for what is no choice.
    pub choices: Arc<[String]>,
}

/// The sound in a corner.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CornerView {
    /// The sound's name.
    pub name: String,
    /// The family it belongs to, such as `brass`.
    pub family: String,
    /// The pitch it was recorded at, as a MIDI note number.
    pub pitch: f32,
}

/// One row of a list to pick from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListRow {
    /// What the row is called.
    pub name: String,
    /// A word or two beside the name.
    pub detail: String,
    /// Lower-case words that the search looks through.
    pub search: String,
}

/// How far the device is that models run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceCondition {
    /// The model is not loaded, or loading.
    #[default]
    Waiting,
    /// Notes can be rendered.
    Ready,
    /// No note can be rendered; the error strip says why.
    Failed,
}

/// The device that models run on.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceView {
    /// Whether notes can be rendered.
    pub condition: DeviceCondition,
    /// The device's name and speed.
    pub label: String,
    /// What the user chose.
    pub choice: DeviceChoice,
    /// The devices that were refused, and why.
    pub refusals: Vec<(String, String)>,
    /// More about the model and the rendered notes, a line each.
    pub facts: Vec<String>,
}

impl Default for DeviceView {
    fn default() -> Self {
        Self {
            condition: DeviceCondition::Waiting,
            label: String::new(),
            choice: DeviceChoice::Auto,
            refusals: Vec::new(),
            facts: Vec::new(),
        }
    }
}

/// What there is of a model whose notes are rendered ahead.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GridView {
    /// Places of the pad that notes are rendered at, along a side.
    pub side: u8,
    /// A bit for each place that is rendered for the key struck last: `row * side + column`, from the bottom left.
    pub ready_cells: u128,
    /// Pitches that are not rendered yet for this blend.
    pub pitches_missing: usize,
    /// Seconds until they are, about.
    pub seconds_to_go: Option<f32>,
}

/// Everything that a frame shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// In the order of [`Parameter::ALL`].
    pub parameters: [ParameterView; Parameter::ALL.len()],
    /// Each corner's part of the blend; they sum to 1, or to 0 when all corners are empty.
    pub weights: [f32; 4],
    /// What sits in the corners A, B, C, D.
    pub corners: [Option<CornerView>; 4],
    /// The embedding of the blend, if a corner holds a sound.
    pub embedding: Option<Arc<EmbeddingCurves>>,
    /// A bit for each MIDI note that is rendered for this blend.
    pub ready_keys: u128,
    /// What there is of a slow model; none while another plays.
    pub grid: Option<GridView>,
    /// The grid that slow models have for this instance, along a side.
    pub chosen_grid_side: u8,
    /// A bit for each MIDI note that is held.
    pub held_keys: u128,
    /// Voices that sound.
    pub voices: usize,
    /// Voices that wait for their first chunk.
    pub waiting_voices: usize,
    /// Voices whose timbre moves by itself.
    pub streams: usize,
    /// Whether the machine could not keep up with a moving timbre of late.
    pub is_degraded: bool,
    /// Notes that are being rendered now.
    pub rendering: usize,
    /// The part of the audio thread's time that playing takes, 0..1.
    pub load: f32,
    /// Highest sample of late, left and right, linear.
    pub peaks: [f32; 2],
    /// What models run on.
    pub device: DeviceView,
    /// The preset's name.
    pub preset: Arc<str>,
    /// The sounds to pick from.
    pub sounds: Arc<[ListRow]>,
    /// The presets to pick from.
    pub presets: Arc<[ListRow]>,
    /// Sentences on what is wrong, the gravest first.
    pub problems: Vec<String>,
    /// What the window is magnified by.
    pub zoom: f32,
}

impl Snapshot {
    /// One parameter.
    pub fn parameter(&self, parameter: Parameter) -> &ParameterView {
        &self.parameters[parameter as usize]
    }

    /// Whether something moves that should be drawn often.
    pub fn is_lively(&self) -> bool {
        let is_loud = self.peaks.iter().any(|&peak| peak > 1e-4);
        self.held_keys != 0 || self.voices > 0 || self.waiting_voices > 0 || self.rendering > 0 || is_loud
    }
}

/// A pitch's name, with the nearest key and C4 as middle C.
pub fn pitch_name(midi: f32) -> String {
    const NAMES: [&str; 12] = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
    let key = midi.round() as i32;
    format!("{}{}", NAMES[key.rem_euclid(12) as usize], key.div_euclid(12) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_in_the_order_of_their_list() {
        for (index, parameter) in Parameter::ALL.into_iter().enumerate() {
            assert_eq!(parameter as usize, index);
        }
    }

    #[test]
    fn middle_c_is_c4() {
        assert_eq!(pitch_name(60.0), "C4");
        assert_eq!(pitch_name(69.2), "A4");
        assert_eq!(pitch_name(21.0), "A0");
        assert_eq!(pitch_name(-1.0), "B-2");
    }

    #[test]
    fn a_silent_window_is_not_lively() {
        assert!(!Snapshot::default().is_lively());
        assert!(
            Snapshot {
                held_keys: 1,
                ..Default::default()
            }
            .is_lively()
        );
    }
}
