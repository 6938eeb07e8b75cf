//! A saved state of the plugin, taken apart and put together again: tests put chosen sounds into the
//! corners, and break what a disk or a later version could break.
//!
//! The form is the plugin's own (`plugin/host/src/project_state.rs`): eight bytes of length, then JSON, in
//! which the project is a second JSON text and the sounds are `.sound` files in base64.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A state that can be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedState {
    /// nice-plug's object: `version`, `params`, `fields`.
    whole: Value,
    /// What `fields.project` holds.
    project: Value,
}

impl SavedState {
    /// Takes apart what [`crate::instance::Instance::save_state`] gave.
    ///
    /// # Errors
    ///
    /// If it is not of the plugin's form.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (length, json) = bytes
            .split_at_checked(8)
            .context("a state has eight bytes of length first")?;
        let length = u64::from_le_bytes(length.try_into()?);
        ensure!(
            length == json.len() as u64,
            "a state of {length} bytes has {}",
            json.len()
        );
        let whole: Value = serde_json::from_slice(json)?;
        let project = whole["fields"]["project"]
            .as_str()
            .context("fields.project is missing")?;
        let project = serde_json::from_str(project)?;
        Ok(Self { whole, project })
    }

    /// The bytes a host would keep.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut whole = self.whole.clone();
        whole["fields"]["project"] = self.project.to_string().into();
        let json = whole.to_string().into_bytes();
        [(json.len() as u64).to_le_bytes().as_slice(), &json].concat()
    }

    /// Puts a sound (the bytes of its file) into a corner, 0..4 for A, B, C, D, or empties it.
    pub fn set_corner(&mut self, corner: usize, sound: Option<&[u8]>) -> &mut Self {
        self.project["corners"][corner] = sound.map(|bytes| STANDARD.encode(bytes)).into();
        self
    }

    /// The sound in a corner, as the bytes of its file.
    ///
    /// # Errors
    ///
    /// If the corner is empty or not base64.
    pub fn corner(&self, corner: usize) -> Result<Vec<u8>> {
        let text = self.project["corners"][corner].as_str();
        Ok(STANDARD.decode(text.with_context(|| format!("corner {corner} is empty"))?)?)
    }

    /// Says which format the project has.
    pub fn set_format(&mut self, format: u32) -> &mut Self {
        self.project["format"] = format.into();
        self
    }

    /// Takes a parameter out by its id, as if it had not been there when the state was saved.
    pub fn remove_parameter(&mut self, id: &str) -> &mut Self {
        if let Some(params) = self.whole["params"].as_object_mut() {
            params.remove(id);
        }
        self
    }

    /// Sets a parameter by its id, to a plain value.
    pub fn set_parameter(&mut self, id: &str, value: f64) -> &mut Self {
        self.whole["params"][id] = json!({ "f32": value });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_being_taken_apart() {
        let project = json!({ "format": 1, "corners": [null, null, null, null] }).to_string();
        let whole = json!({ "version": "0", "params": {}, "fields": { "project": project } }).to_string();
        let bytes = [(whole.len() as u64).to_le_bytes().as_slice(), whole.as_bytes()].concat();
        let mut state = SavedState::parse(&bytes).unwrap();
        assert_eq!(SavedState::parse(&state.to_bytes()).unwrap(), state);
        state
            .set_corner(2, Some(b"sound"))
            .set_format(2)
            .set_parameter("gain_db", -6.0);
        let again = SavedState::parse(&state.to_bytes()).unwrap();
        assert_eq!(again.corner(2).unwrap(), b"sound");
        assert!(again.corner(0).is_err());
        assert_eq!(again.whole["params"]["gain_db"]["f32"], -6.0);
        state.remove_parameter("gain_db");
        assert!(state.whole["params"]["gain_db"].is_null());
    }

    #[test]
    fn what_is_no_state_is_told() {
        assert!(SavedState::parse(b"").is_err());
        assert!(SavedState::parse(&[9, 0, 0, 0, 0, 0, 0, 0, b'{']).is_err());
    }
}
