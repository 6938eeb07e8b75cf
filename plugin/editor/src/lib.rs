//! The window. Reads a snapshot a frame, sends commands; never blocks on another thread.
//!
//! All of it runs on the window thread, except the receiving end of [`keyboard_queue`] (audio thread), [`librarian`]
//! and [`watch`] (a background thread) and [`window_state`] (any thread).
//!
//! | room | what it is |
//! |---|---|
//! | [`editor`] | opens a window for the host |
//! | `window` | the open window: snapshot, view, commands, frame by frame |
//! | [`controls`], [`host_parameter`] | what the host crate gives to the window |
//! | [`keyboard_queue`] | keys played by mouse, on their way to the audio thread |
//! | [`window_state`] | the size that the host keeps in its state |
//! | [`snapshot`], [`snapshot_reader`] | what a frame shows, and where it comes from |
//! | [`librarian`], [`watch`] | read sounds and presets, and wake the window, off its thread |
//! | [`command`] | what the user asked for in a frame |
//! | [`view`] | the whole window, from a snapshot to commands |
//! | [`layout`], [`theme`] | where things stand and what they look like |
//! | [`top_bar`], [`preset_bar`], [`device_menu`], [`error_strip`] | along the top |
//! | [`pad`], [`puck`], [`corner`], [`sound_picker`] | the blend |
//! | [`embedding_view`], [`motion_panels`], [`envelope_view`], [`level_panel`] | the panels on the right |
//! | [`keyboard`] | the keys |
//! | [`knob`], [`value_field`], [`choice_field`], [`parameter_drag`], [`pick_list`] | what the rooms share |

pub mod choice_field;
pub mod command;
pub mod controls;
pub mod corner;
pub mod device_menu;
pub mod editor;
pub mod embedding_view;
pub mod envelope_view;
pub mod error_strip;
pub mod host_parameter;
pub mod keyboard;
pub mod keyboard_queue;
pub mod knob;
pub mod layout;
pub mod level_panel;
pub mod librarian;
pub mod motion_panels;
pub mod pad;
pub mod parameter_drag;
pub mod pick_list;
pub mod preset_bar;
pub mod puck;
pub mod snapshot;
pub mod snapshot_reader;
pub mod sound_picker;
pub mod theme;
pub mod top_bar;
pub mod value_field;
pub mod view;
pub mod watch;
mod window;
pub mod window_state;

pub use editor::{EditorParts, InstrumentEditor, create_editor};
