//! The window. Reads a snapshot a frame, sends commands; never blocks on another thread.
//!
//! All of it runs on the window thread, except the receiving end of [`keyboard_queue`] (audio thread), [`librarian`],
//! [`shelf`] and [`watch`] (a background thread) and [`window_state`] (any thread).
//!
//! | room | what it is |
//! |---|---|
//! | [`editor`] | opens a window for the host |
//! | [`egui_window`], `screen`, `input_events` | egui in a window of baseview's, with the files that are dropped on it |
//! | `window` | the open window: snapshot, view, commands, frame by frame |
//! | [`controls`], [`host_parameter`] | what the host crate gives to the window |
//! | [`keyboard_queue`] | keys played by mouse, on their way to the audio thread |
//! | [`window_state`] | the size that the host keeps in its state |
//! | [`snapshot`], [`snapshot_reader`], [`list_query`] | what a frame shows, and where it comes from |
//! | [`librarian`], [`shelf`], [`folder_scan`], [`watch`] | search, read and keep sounds and presets, and wake the window, off its thread |
//! | [`workshop`], [`import_bench`], [`pack_bench`], [`history`] | what goes on while no window is open, and what can be undone |
//! | [`file_dialog`], [`reveal`] | the system's dialog and file manager |
//! | [`command`] | what the user asked for in a frame |
//! | [`view`] | the whole window, from a snapshot to commands |
//! | [`layout`], [`theme`] | where things stand and what they look like |
//! | [`top_bar`], [`preset_bar`], [`device_menu`], [`error_strip`] | along the top |
//! | [`pad`], [`puck`], [`corner`], [`sound_picker`], [`drop_target`] | the blend |
//! | [`tabs`], [`browser`], [`pack_panel`] | the right half: its tabs, the library, packs |
//! | [`embedding_view`], [`motion_panels`], [`envelope_view`], [`level_panel`] | the panels of its first tab |
//! | [`keyboard`] | the keys |
//! | [`knob`], [`value_field`], [`choice_field`], [`parameter_drag`], [`pick_list`], [`pitch_text`] | what the rooms share |

pub mod browser;
pub mod choice_field;
pub mod command;
pub mod controls;
pub mod corner;
pub mod device_menu;
pub mod drop_target;
pub mod editor;
pub mod egui_window;
pub mod embedding_view;
pub mod envelope_view;
pub mod error_strip;
pub mod file_dialog;
pub mod folder_scan;
pub mod history;
pub mod host_parameter;
pub mod import_bench;
mod input_events;
pub mod keyboard;
pub mod keyboard_queue;
pub mod knob;
pub mod layout;
pub mod level_panel;
pub mod librarian;
pub mod list_query;
pub mod motion_panels;
pub mod pack_bench;
pub mod pack_panel;
pub mod pad;
pub mod parameter_drag;
pub mod pick_list;
pub mod pitch_text;
pub mod preset_bar;
pub mod puck;
pub mod reveal;
mod screen;
pub mod shelf;
pub mod snapshot;
pub mod snapshot_reader;
pub mod sound_picker;
pub mod tabs;
pub mod theme;
pub mod top_bar;
pub mod value_field;
pub mod view;
pub mod watch;
mod window;
pub mod window_state;
pub mod workshop;

pub use editor::{EditorParts, InstrumentEditor, create_editor};
