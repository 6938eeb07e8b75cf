//! What the window shows in a frame: plain data, gathered once (`window.rs`) and read by every view. Window thread.

use std::path::PathBuf;
use std::sync::Arc;

use betwixt_engine::library::entry::EntryId;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::runtime::provider::DeviceChoice;

use crate::embedding_view::EmbeddingCurves;
use crate::import_bench::ImportView;
use crate::list_query::Found;
use crate::pack_bench::PackView;

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
    /// How sure that pitch is, 0..1, where it was found in a recording that was imported here.
    pub confidence: Option<f32>,
    /// It has no pitch: other keys play it faster and slower.
    pub is_unpitched: bool,
    /// Its recording is known, so that its pitch can be corrected.
    pub is_correctable: bool,
    /// Recordings or pitches that it is made of.
    pub layers: usize,
}

/// The preset, and what can be done with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PresetView {
    /// Its name; empty if there is none.
    pub name: Arc<str>,
    /// Where it is kept.
    pub id: Option<EntryId>,
    /// Whether it is marked as a favourite.
    pub is_favourite: bool,
    /// Whether it is the user's own, which may be changed.
    pub is_user: bool,
    /// Whether the instrument is other than it.
    pub is_changed: bool,
    /// What would be undone.
    pub undo: Option<Arc<str>>,
    /// What would be done again.
    pub redo: Option<Arc<str>>,
    /// The name under which it could not be saved, as one of the user's presets has it.
    pub taken_name: Option<String>,
    /// The preset that was deleted last, and can come back.
    pub deleted: Option<String>,
}

/// The user's library as a whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LibraryView {
    /// The families of sounds, with how many each has.
    pub families: Arc<[(String, usize)]>,
    /// The further folders that the user added.
    pub folders: Arc<[PathBuf]>,
    /// How far the looking through of the folders is: files done, and in all.
    pub scan: Option<(usize, usize)>,
    /// Why nothing of the lists is kept, if so.
    pub note: Option<String>,
    /// The folder that packs go into.
    pub packs: PathBuf,
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
    /// The preset.
    pub preset: PresetView,
    /// The sounds to pick from.
    pub sounds: Found,
    /// The presets to pick from.
    pub presets: Found,
    /// Where they lie.
    pub library: LibraryView,
    /// The imports for the corners A, B, C, D.
    pub imports: [Option<ImportView>; 4],
    /// How it stands with packs.
    pub pack: PackView,
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
        let is_playing = self.held_keys != 0 || self.voices > 0 || self.waiting_voices > 0 || is_loud;
        let is_working =
            self.rendering > 0 || self.imports.iter().any(Option::is_some) || self.pack.is_running();
        is_playing || is_working
    }
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
