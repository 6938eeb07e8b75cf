//! One instance of the plugin, driven as a host does: parameters by their names, state as bytes,
//! activation, blocks. The thread that made it is its main thread and, between blocks, its audio thread.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use clack_extensions::params::{
    HostParams, HostParamsImplMainThread, HostParamsImplShared, ParamClearFlags, ParamInfoBuffer,
    ParamInfoFlags, ParamRescanFlags, PluginParams,
};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::{HostState, HostStateImpl, PluginState};
use clack_host::events::Match;
use clack_host::events::event_types::{NoteEndEvent, ParamValueEvent};
use clack_host::events::io::EventBuffer;
use clack_host::prelude::*;
use clack_host::process::{ProcessStatus, StartedPluginAudioProcessor};
use clack_host::utils::ClapId;

/// What the plugin may call on any thread.
#[derive(Debug, Default)]
pub struct HostShared {
    callback_requested: AtomicBool,
}

impl<'a> SharedHandler<'a> for HostShared {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {
        self.callback_requested.store(true, Ordering::Release);
    }
}

impl HostParamsImplShared for HostShared {
    fn request_flush(&self) {}
}

/// What the plugin may call on the main thread.
#[derive(Debug, Default)]
pub struct HostMainThread {
    rescans: Cell<u32>,
}

impl<'a> MainThreadHandler<'a> for HostMainThread {}

impl HostParamsImplMainThread for HostMainThread {
    fn rescan(&self, _flags: ParamRescanFlags) {
        self.rescans.set(self.rescans.get() + 1);
    }
    fn clear(&self, _param_id: ClapId, _flags: ParamClearFlags) {}
}

impl HostStateImpl for HostMainThread {
    fn mark_dirty(&self) {}
}

/// The host's side, for clack.
#[derive(Debug)]
struct Host;

impl HostHandlers for Host {
    type Shared<'a> = HostShared;
    type MainThread<'a> = HostMainThread;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<Self>, _: &Self::Shared<'_>) {
        builder.register::<HostParams>().register::<HostState>();
    }
}

/// A parameter as the plugin describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Number events carry.
    pub id: ClapId,
    /// Name a host shows.
    pub name: String,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// Value of a new instance.
    pub default: f64,
    /// What a host may do with it.
    pub flags: ParamInfoFlags,
}

/// A note the plugin said is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteEnd {
    /// When, in samples from the start of the block.
    pub offset_samples: u32,
    /// The host's number for the note, if the plugin gave it back.
    pub note_id: Option<u32>,
    /// MIDI channel, 0..16.
    pub channel: Option<u16>,
    /// MIDI key, 0..128.
    pub key: Option<u16>,
}

/// An instance of the plugin.
pub struct Instance {
    // Before `plugin`: an active processor must go first.
    audio: Option<Audio>,
    plugin: PluginInstance<Host>,
    params: PluginParams,
    state: PluginState,
    render: Option<PluginRender>,
    parameters: Vec<Parameter>,
}

/// What exists while the instance is active.
struct Audio {
    processor: StartedPluginAudioProcessor<Host>,
    ports: AudioPorts,
    sample_rate_hz: f64,
    max_block_samples: usize,
    steady_time: u64,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

impl Instance {
    pub(crate) fn new(entry: &PluginEntry, id: &CStr) -> Result<Self> {
        let host = HostInfo::new("betwixt-tests", "Betwixt", "", env!("CARGO_PKG_VERSION"))?;
        let mut plugin = PluginInstance::<Host>::new(
            |()| HostShared::default(),
            |_| HostMainThread::default(),
            entry,
            id,
            &host,
        )
        .context("the plugin refused to make an instance")?;
        let handle = plugin.plugin_handle();
        let params: PluginParams = handle
            .get_extension()
            .context("the plugin has no parameters extension")?;
        let state: PluginState = handle
            .get_extension()
            .context("the plugin has no state extension")?;
        let render = handle.get_extension();
        let mut buffer = ParamInfoBuffer::new();
        let parameters = (0..params.count(&handle))
            .map(|index| {
                let info = params.get_info(&handle, index, &mut buffer);
                let info = info.with_context(|| format!("the plugin does not describe parameter {index}"))?;
                Ok(Parameter {
                    id: info.id,
                    name: String::from_utf8_lossy(info.name).into_owned(),
                    min: info.min_value,
                    max: info.max_value,
                    default: info.default_value,
                    flags: info.flags,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            audio: None,
            plugin,
            params,
            state,
            render,
            parameters,
        })
    }

    /// All parameters, in the plugin's order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The parameter with this name; case does not matter.
    ///
    /// # Errors
    ///
    /// If there is none; the message lists those there are.
    pub fn parameter(&self, name: &str) -> Result<&Parameter> {
        let found = self
            .parameters
            .iter()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(name));
        found.with_context(|| {
            let names: Vec<_> = self
                .parameters
                .iter()
                .map(|parameter| parameter.name.as_str())
                .collect();
            format!("no parameter is called {name:?}; there are {names:?}")
        })
    }

    /// A parameter's value, in its range.
    ///
    /// # Errors
    ///
    /// If there is no such parameter, or the plugin will not say.
    pub fn value(&mut self, name: &str) -> Result<f64> {
        let id = self.parameter(name)?.id;
        let handle = self.plugin.plugin_handle();
        self.params
            .get_value(&handle, id)
            .with_context(|| format!("the plugin does not give {name}'s value"))
    }

    /// Sets parameters while no audio runs.
    ///
    /// # Errors
    ///
    /// If there is no such parameter, or the instance is active.
    pub fn set_values(&mut self, values: &[(&str, f64)]) -> Result<()> {
        let mut input = EventBuffer::new();
        for &(name, value) in values {
            input.push(&ParamValueEvent::new(
                0,
                self.parameter(name)?.id,
                Pckn::match_all(),
                value,
            ));
        }
        let mut output = EventBuffer::new();
        let mut handle = self
            .plugin
            .inactive_plugin_handle()
            .context("parameters are set by events while the instance is active")?;
        self.params
            .flush(&mut handle, &input.as_input(), &mut output.as_output());
        Ok(())
    }

    /// The whole state, as a host would put it into a project.
    ///
    /// # Errors
    ///
    /// If the plugin fails to save.
    pub fn save_state(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.state.save(&self.plugin.plugin_handle(), &mut bytes)?;
        Ok(bytes)
    }

    /// Gives the plugin a state.
    ///
    /// # Errors
    ///
    /// If the plugin refuses it.
    pub fn load_state(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.state.load(&self.plugin.plugin_handle(), &mut bytes)?;
        self.serve_main_thread();
        Ok(())
    }

    /// How often the plugin asked the host to read all parameter values anew.
    pub fn rescans(&self) -> u32 {
        self.plugin.access_handler(|handler| handler.rescans.get())
    }

    /// Says whether blocks will come at a sound card's pace or as fast as they are made. Before [`Instance::activate`].
    ///
    /// # Errors
    ///
    /// If the plugin does not know render modes, or refuses this one.
    pub fn set_render_mode(&mut self, mode: RenderMode) -> Result<()> {
        let render = self.render.context("the plugin has no render extension")?;
        render
            .set(&self.plugin.plugin_handle(), mode)
            .with_context(|| format!("setting {mode:?}"))
    }

    /// Prepares for blocks of up to `max_block_samples` at `sample_rate_hz`, and starts processing.
    ///
    /// # Errors
    ///
    /// If the instance is active, or the plugin refuses.
    pub fn activate(&mut self, sample_rate_hz: f64, max_block_samples: usize) -> Result<()> {
        if self.audio.is_some() {
            bail!("the instance is active already");
        }
        let max_frames_count = u32::try_from(max_block_samples)?;
        let configuration = PluginAudioConfiguration {
            sample_rate: sample_rate_hz,
            min_frames_count: 1,
            max_frames_count,
        };
        let stopped = self.plugin.activate(|_, _| (), configuration)?;
        let processor = stopped
            .start_processing()
            .map_err(|error| anyhow!("the plugin does not start: {error}"))?;
        let ports = AudioPorts::with_capacity(2, 1);
        self.audio = Some(Audio {
            processor,
            ports,
            sample_rate_hz,
            max_block_samples,
            steady_time: 0,
        });
        self.serve_main_thread();
        Ok(())
    }

    /// Stops processing and gives up what activation made. Nothing happens if the instance is not active.
    pub fn deactivate(&mut self) {
        if let Some(audio) = self.audio.take() {
            self.plugin.deactivate(audio.processor.stop_processing());
            self.serve_main_thread();
        }
    }

    /// Sample rate the instance is active at, if it is.
    pub fn sample_rate_hz(&self) -> Option<f64> {
        self.audio.as_ref().map(|audio| audio.sample_rate_hz)
    }

    /// Silences all voices, as a host does when it jumps.
    ///
    /// # Errors
    ///
    /// If the instance is not active.
    pub fn reset(&mut self) -> Result<()> {
        self.audio
            .as_mut()
            .context("the instance is not active")?
            .processor
            .reset();
        Ok(())
    }

    /// Plays one block: `events` (sorted by time) in, both channels and note ends out. What the plugin
    /// asked its main thread for is done after it.
    ///
    /// # Errors
    ///
    /// If the instance is not active, the channels are unlike or longer than announced, or the plugin fails.
    pub fn process(
        &mut self,
        events: &EventBuffer,
        left: &mut [f32],
        right: &mut [f32],
        note_ends: &mut Vec<NoteEnd>,
    ) -> Result<ProcessStatus> {
        let audio = self.audio.as_mut().context("the instance is not active")?;
        let samples = left.len();
        if right.len() != samples || samples > audio.max_block_samples {
            bail!(
                "blocks of {samples} and {} samples, at most {} were announced",
                right.len(),
                audio.max_block_samples
            );
        }
        let mut output = EventBuffer::new();
        let mut buffers = audio.ports.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only([left, right].into_iter()),
        }]);
        let status = audio.processor.process(
            &InputAudioBuffers::empty(),
            &mut buffers,
            &events.as_input(),
            &mut output.as_output(),
            Some(audio.steady_time),
            None,
        )?;
        audio.steady_time += samples as u64;
        for event in output.iter() {
            if let Some(end) = event.as_event::<NoteEndEvent>() {
                let specific = |part: Match<u16>| match part {
                    Match::Specific(value) => Some(value),
                    Match::All => None,
                };
                note_ends.push(NoteEnd {
                    offset_samples: end.header().time(),
                    note_id: match end.pckn().note_id {
                        Match::Specific(id) => Some(id),
                        Match::All => None,
                    },
                    channel: specific(end.pckn().channel),
                    key: specific(end.pckn().key),
                });
            }
        }
        self.serve_main_thread();
        Ok(status)
    }

    /// Asks the plugin something on its main thread.
    pub(crate) fn ask<T>(&mut self, question: impl FnOnce(&PluginMainThreadHandle<'_>) -> T) -> T {
        question(&self.plugin.plugin_handle())
    }

    /// Does what the plugin asked its main thread for.
    fn serve_main_thread(&mut self) {
        let requested = self
            .plugin
            .access_shared_handler(|host| host.callback_requested.swap(false, Ordering::AcqRel));
        if requested {
            self.plugin.call_on_main_thread_callback();
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.deactivate();
    }
}
