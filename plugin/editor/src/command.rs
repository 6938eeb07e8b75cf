//! What the user asked for in a frame. The views only push; `window.rs` carries out after the views are done, so that
//! no view touches a parameter, a lock or the host while egui draws.

use betwixt_engine::embedding::LoopRegion;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::runtime::provider::DeviceChoice;

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
    /// A sound of the list, by its place, into the corner 0..4; `None` empties the corner.
    PickSound(usize, Option<usize>),
    /// Where the sound of the corner 0..4 swings while a key is held; `None` lets it end by itself.
    SetLoop(usize, Option<LoopRegion>),
    /// A preset of the list, by its place.
    LoadPreset(usize),
    /// The device that models shall run on.
    SetDevice(DeviceChoice),
    /// The places of the pad that slow models' notes are rendered at, along a side.
    SetGrid(u8),
    /// What the window is magnified by.
    SetZoom(f32),
}

/// The commands of a frame, in the order in which they were given.
pub type Commands = Vec<Command>;
