//! What the user asked for in a frame. The views only push; `window.rs` carries out after the views are done, so that
//! no view touches a parameter, a lock or the host while egui draws.

use std::path::PathBuf;

use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::library::entry::EntryId;
use betwixt_engine::pack::options::PackOptions;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::runtime::provider::DeviceChoice;

use crate::file_dialog::Purpose;
use crate::list_query::ListQuery;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// The user takes hold of a parameter: the host begins to record its automation.
    Begin(Parameter),
    /// The user moves a parameter to a normalised value, 0..1.
    Set(Parameter, f32),
    /// The user lets a parameter go.
    End(Parameter),
    /// The user typed a value; a text that is no value changes nothing.
    Type(Parameter, String),
    /// The user wants a parameter's default back.
    Reset(Parameter),
    /// A key of the keyboard goes down, with a velocity of 0..1.
    Press(u8, f32),
    /// A key of the keyboard goes up.
    Release(u8),
    /// A list is to show something else.
    Search(ListQuery),
    /// Marks a row as a favourite, or takes the mark away.
    SetFavourite(EntryId, bool),
    /// A sound of the list into the corner 0..4; `None` empties the corner.
    PickSound(usize, Option<EntryId>),
    /// Files and folders were dropped on the window, or chosen: sounds for the corner 0..4 and the empty ones after it.
    Open(usize, Vec<PathBuf>),
    /// The import for the corner 0..4 is to stop.
    CancelImport(usize),
    /// The sound in the corner 0..4 was recorded at this MIDI note number; `None` if it has no pitch.
    CorrectPitch(usize, Option<f32>),
    /// Where the sound of the corner 0..4 swings while a key is held; `None` lets it end by itself.
    SetLoop(usize, Option<LoopRegion>),
    /// A file or folder is to be chosen.
    Choose(Purpose),
    /// A folder is no longer to stand in the lists; its files stay.
    RemoveFolder(PathBuf),
    /// The folders are to be looked through for what is new.
    Rescan,
    /// A preset of the list.
    LoadPreset(EntryId),
    /// The preset after the present one, or before it.
    StepPreset {
        /// Whether it is the one before.
        is_back: bool,
    },
    /// The present state under a name, in place of the user's preset of that name if `replace`.
    SavePreset {
        /// What it is to be called.
        name: String,
        /// Whether a preset of the name may be overwritten.
        replace: bool,
    },
    /// The present preset, which is the user's, gets another name.
    RenamePreset(String),
    /// The present preset, which is the user's, goes.
    DeletePreset,
    /// The preset that was deleted last comes back.
    RestorePreset,
    /// The preset that new instances have.
    InitPreset,
    /// A preset that nobody made.
    RandomPreset,
    /// As it was before the last change of sounds or preset.
    Undo,
    /// What was undone last.
    Redo,
    /// The present state as a pack, into this folder.
    StartPack(PackOptions, PathBuf),
    /// The pack that was stopped goes on.
    ResumePack,
    /// The pack in the making is to stop.
    CancelPack,
    /// A finished file or folder in the file manager.
    Reveal(PathBuf),
    /// The sentence on what went wrong has been read.
    DismissTrouble,
    /// The device that models shall run on.
    SetDevice(DeviceChoice),
    /// The places of the pad that slow models' notes are rendered at, along a side.
    SetGrid(u8),
    /// What the window is magnified by.
    SetZoom(f32),
}

/// The commands of a frame, in the order in which they were given.
pub type Commands = Vec<Command>;
