//! The plugin as a host drives it. Each method's thread is the one that CLAP gives it: `process` and
//! `reset` run on the audio thread, all others on the main thread.
//!
//! The audio thread runs [`Instrument::process`] and reads parameters, nothing else. Sounds reach the
//! instrument by way of the engine: loading a state or a preset never goes through here.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use betwixt_audio::event::Event;
use betwixt_audio::instrument::{Activity, Instrument, Patience};
use betwixt_audio::limits::VOICES;
use betwixt_audio::meters::Meters;
use betwixt_editor::editor::{EditorParts, InstrumentEditor, create_editor};
use betwixt_editor::keyboard_queue::{KeyboardReceiver, KeyboardSender, keyboard_queue};
use betwixt_editor::window_state::WindowState;
use betwixt_engine::engine::Engine;
use betwixt_engine::instance::Instance;
use betwixt_engine::patience::OfflinePatience;
use nice_plug::prelude::*;

use crate::load_meter::LoadMeter;
use crate::note_events::{note_ended, translate, window_key};
use crate::params::BetwixtParams;
use crate::project::Project;
use crate::project_state::{StateRefused, add_missing_parameters};
use crate::remote_controls;
use crate::status::Counted;
use crate::vst3_block_mode;

/// Events of one block that are taken without allocating. A host that sends more costs an allocation, in
/// nice-plug as here.
const EVENTS_OF_A_BLOCK: usize = 8192;

/// An instance of the instrument.
pub struct Betwixt {
    params: Arc<BetwixtParams>,
    meters: Arc<Meters>,
    instrument: Instrument,
    window_keys: KeyboardReceiver,
    /// The other end of [`window_keys`](Self::window_keys), until the window takes it.
    window_keyboard: Option<KeyboardSender>,
    /// The events of the block, kept for their memory.
    events: Vec<Event>,
    /// Present while active.
    patience: Option<OfflinePatience>,
    /// Whether the host said on activation that blocks may take their time.
    is_offline: bool,
    _counted: Counted,
    load: LoadMeter,
    sample_rate_hz: f32,
}

/// What is done later, on the main thread.
#[derive(Debug)]
pub enum MainThreadTask {
    /// Says in the window that a state was refused.
    TellRefusedState(StateRefused),
}

impl std::fmt::Debug for Betwixt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Betwixt")
            .field("instrument", &self.instrument)
            .finish_non_exhaustive()
    }
}

impl Default for Betwixt {
    /// An instance that has not played yet. Starts no thread and reads no file: a VST3 scan creates one.
    fn default() -> Self {
        let (instance, audio_end) = Instance::new(&Engine::shared());
        let (window_keyboard, window_keys) = keyboard_queue();
        let project = Project::new(Arc::new(instance), WindowState::new());
        let meters = Arc::<Meters>::default();
        Self {
            params: Arc::new(BetwixtParams::new(Arc::new(project))),
            instrument: Instrument::new(audio_end, Arc::clone(&meters)),
            _counted: Counted::new(&meters),
            meters,
            window_keys,
            window_keyboard: Some(window_keyboard),
            events: Vec::with_capacity(2 * EVENTS_OF_A_BLOCK),
            patience: None,
            is_offline: false,
            load: LoadMeter::default(),
            sample_rate_hz: 48_000.0,
        }
    }
}

impl Plugin for Betwixt {
    const NAME: &'static str = "Betwixt";
    const VENDOR: &'static str = "Betwixt";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[AudioIOLayout {
        main_output_channels: NonZeroU32::new(2),
        ..AudioIOLayout::const_default()
    }];
    const MIDI_INPUT: MidiConfig = MidiConfig::MidiCCs;
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;
    const INPUT_EVENT_CAPACITY: usize = EVENTS_OF_A_BLOCK;

    type SysExMessage = ();
    type BackgroundTask = MainThreadTask;
    type Editor = InstrumentEditor;

    fn task_executor(&mut self) -> TaskExecutor<Self> {
        let project = self.params.project.clone();
        Box::new(move |task| match task {
            MainThreadTask::TellRefusedState(refused) => {
                project.set_notice(format!(
                    "The project's state was refused: {refused}. Nothing has changed."
                ));
            }
        })
    }

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn filter_state(state: &mut PluginState) {
        add_missing_parameters(state);
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        let project = &self.params.project;
        Some(create_editor(EditorParts {
            controls: self.params.clone(),
            instance: Arc::clone(project.instance()),
            meters: Arc::clone(&self.meters),
            keyboard: self.window_keyboard.take()?,
            window: Arc::clone(project.window()),
        }))
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        config: &BufferConfig,
        _context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.sample_rate_hz = config.sample_rate;
        self.instrument.prepare(f64::from(config.sample_rate));
        // nice-plug cuts blocks where parameters change.
        self.instrument.expect_blocks(config.max_buffer_size as usize);
        let project = &self.params.project;
        project.activate();
        self.is_offline = config.process_mode == ProcessMode::Offline;
        self.patience = Some(project.instance().offline_patience());
        true
    }

    fn deactivate(&mut self) {
        self.params.project.instance().deactivate();
    }

    fn reset(&mut self) {
        self.instrument.reset();
        self.window_keys.clear();
        self.load.reset();
    }

    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    fn process(
        &mut self,
        buffer: &mut Buffer,
        _aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        let began = Instant::now();
        let samples = buffer.samples();
        self.take_events(samples, context);
        let [left, right] = buffer.as_slice() else {
            return ProcessStatus::Error("expected two output channels");
        };
        let may_wait = self.is_offline || vst3_block_mode::is_offline();
        let patience = self.patience.as_ref().filter(|_| may_wait);
        let activity = self.instrument.process(
            left,
            right,
            &self.events,
            &self.params.settings(),
            patience.map(|patience| patience as &dyn Patience),
            &mut |end| {
                if let Some(event) = note_ended(end) {
                    // A full queue of the host's loses the message: there is no one else to tell.
                    let _ = context.try_send_event(event);
                }
            },
        );
        self.meters
            .set_load(self.load.measure(began, samples, self.sample_rate_hz));
        match activity {
            // An awaited note is silence too, which must not put the plugin to sleep.
            Activity::Sounding | Activity::Waiting => ProcessStatus::KeepAlive,
            Activity::Silent => ProcessStatus::Normal,
        }
    }
}

impl Betwixt {
    /// Collects the block's events in order of time. One that comes out of order is moved behind the one
    /// before it.
    fn take_events(&mut self, block_samples: usize, context: &mut impl ProcessContext<Self>) {
        self.events.clear();
        while let Some(key) = self.window_keys.next() {
            self.events.push(window_key(key));
        }
        let reading = self.params.reading();
        let mut earliest_samples = 0;
        while let Some(event) = context.next_event() {
            translate(event, block_samples, &reading, |mut event| {
                event.offset_samples = event.offset_samples.max(earliest_samples);
                earliest_samples = event.offset_samples;
                self.events.push(event);
            });
        }
    }
}

impl ClapPlugin for Betwixt {
    const CLAP_ID: &'static str = "audio.betwixt.betwixt";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Plays the sounds that lie between sounds");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::Instrument,
        ClapFeature::Synthesizer,
        ClapFeature::Stereo,
    ];
    const CLAP_POLY_MODULATION_CONFIG: Option<PolyModulationConfig> = Some(PolyModulationConfig {
        max_voice_capacity: VOICES as u32,
        supports_overlapping_voices: true,
    });

    fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        remote_controls::declare(&self.params, context);
    }
}
