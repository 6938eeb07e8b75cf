//! The factory's sounds and presets, and sounds made of them, heard by proxies of an ear: what is shipped is in tune, in level, and ends.

mod arithmetic;
mod hearing;
mod presets;
mod render;
mod sounds;
