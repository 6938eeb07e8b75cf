//! What an instance says of itself besides its parameters: how values read, what lies under a controller's knobs,
//! which notes it takes, how many voices it has. Main thread.

use std::ffi::CString;

use anyhow::{Context, Result};
use clack_extensions::note_ports::{NoteDialects, NotePortInfoBuffer, PluginNotePorts};
use clack_extensions::params::PluginParams;
use clack_extensions::remote_controls::{PluginRemoteControls, RemoteControlsPageBuffer};
use clack_extensions::voice_info::PluginVoiceInfo;
use clack_host::utils::ClapId;

use crate::instance::Instance;

/// A page of a controller.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// What the page is called.
    pub name: String,
    /// The parameters under the knobs that have one, from left to right.
    pub parameters: Vec<ClapId>,
}

impl Instance {
    /// How a parameter's value reads.
    ///
    /// # Errors
    ///
    /// If the plugin does not say, or not in UTF-8.
    pub fn text(&mut self, id: ClapId, value: f64) -> Result<String> {
        let text = self.ask(|plugin| {
            let params: PluginParams = plugin.get_extension()?;
            let mut buffer = [0; 64];
            let text = params.value_to_text(plugin, id, value, &mut buffer).ok()?;
            Some(text.to_vec())
        });
        Ok(String::from_utf8(text.context("the plugin gives no text")?)?)
    }

    /// The value of a text that was typed.
    ///
    /// # Errors
    ///
    /// If the plugin takes it for no value.
    pub fn typed(&mut self, id: ClapId, text: &str) -> Result<f64> {
        let typed = CString::new(text)?;
        let value = self.ask(|plugin| {
            let params: PluginParams = plugin.get_extension()?;
            params.text_to_value(plugin, id, &typed)
        });
        value.with_context(|| format!("{text:?} is no value"))
    }

    /// The pages of a controller, in the plugin's order.
    ///
    /// # Errors
    ///
    /// If the plugin has none, or does not describe one.
    pub fn pages(&mut self) -> Result<Vec<Page>> {
        self.ask(|plugin| {
            let controls: PluginRemoteControls = plugin.get_extension().context("no remote controls")?;
            let mut buffer = RemoteControlsPageBuffer::new();
            (0..controls.count(plugin))
                .map(|index| {
                    let page = controls.get(plugin, index, &mut buffer);
                    let page = page.with_context(|| format!("page {index} is not described"))?;
                    Ok(Page {
                        name: String::from_utf8(page.page_name.to_vec())?,
                        parameters: page.param_ids.into_iter().flatten().collect(),
                    })
                })
                .collect()
        })
    }

    /// In what form its only note port takes notes.
    ///
    /// # Errors
    ///
    /// If it does not have exactly one.
    pub fn note_dialects(&mut self) -> Result<NoteDialects> {
        self.ask(|plugin| {
            let ports: PluginNotePorts = plugin.get_extension().context("no note ports")?;
            anyhow::ensure!(ports.count(plugin, true) == 1, "more or less than one note port");
            let mut buffer = NotePortInfoBuffer::new();
            let port = ports.get(plugin, 0, true, &mut buffer);
            Ok(port.context("the note port is not described")?.supported_dialects)
        })
    }

    /// How many notes it can play at once.
    ///
    /// # Errors
    ///
    /// If it does not say.
    pub fn voice_capacity(&mut self) -> Result<u32> {
        self.ask(|plugin| {
            let voices: PluginVoiceInfo = plugin.get_extension().context("no voice info")?;
            Ok(voices.get(plugin).context("no voice info")?.voice_capacity)
        })
    }
}
