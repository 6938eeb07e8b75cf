//! Which model plays: loaded on a thread of its own when sounds of another are played, and what was asked for asked again of it.

use std::sync::Arc;
use std::time::Duration;

use betwixt_audio::link::ToAudio;
use betwixt_audio::note::NoteKey;

use super::Scheduler;
use crate::command_queue::Command;
use crate::instance::InstanceId;
use crate::loaded_model::{LoadedModel, ModelSlot};
use crate::note_store::NoteStore;
use crate::status::ModelStatus;

impl Scheduler {
    /// Loads the model that the sounds of an active instance were encoded by, if no active instance plays with the loaded one.
    pub(super) fn choose_model(&mut self) {
        let loaded = match &self.model {
            ModelSlot::Loading(_) => return,
            ModelSlot::Ready(model) => Some(model.tag.clone()),
            ModelSlot::NotLoaded | ModelSlot::Failed => None,
        };
        let active = self.clients.values().filter(|client| client.active);
        let wanted: Vec<&str> = active.filter_map(|client| client.playing()?.model()).collect();
        if wanted.iter().any(|wanted| loaded.as_deref() == Some(wanted)) {
            return;
        }
        let wanted = wanted
            .into_iter()
            .find(|wanted| !self.absent_models.contains(*wanted));
        if let Some(wanted) = wanted {
            self.wanted_model = Some(wanted.to_owned());
            self.load();
        }
    }

    pub(super) fn load(&mut self) {
        let (loader, commands) = (Arc::clone(&self.loader), self.own_commands.clone());
        let (wanted, cancel) = (self.wanted_model.clone(), Arc::clone(&self.no_loading));
        let load = move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                loader(wanted.as_deref(), &cancel)
            }))
            .unwrap_or_else(|_| Err("loading the model panicked".into()));
            // The scheduler may be gone by now.
            commands.send(Command::Loaded(result));
        };
        match std::thread::Builder::new()
            .name("betwixt-model".into())
            .spawn(load)
        {
            Ok(thread) => {
                self.status.model = ModelStatus::Loading;
                self.model = ModelSlot::Loading(thread);
            }
            Err(error) => self.fail_model(format!("no thread to load the model on: {error}")),
        }
        self.tell_status();
    }

    pub(super) fn loaded(&mut self, result: Result<LoadedModel, String>) {
        if let ModelSlot::Loading(thread) = std::mem::replace(&mut self.model, ModelSlot::NotLoaded) {
            let _ = thread.join();
        }
        if std::mem::take(&mut self.reload) {
            return self.load();
        }
        let tag = result.as_ref().ok().map(|model| model.tag.clone());
        if let Some(absent) = self.wanted_model.take_if(|wanted| tag.as_ref() != Some(wanted)) {
            self.absent_models.insert(absent);
        }
        match result {
            Ok(model) => {
                self.workers.prepare(&model.source);
                // Samples of another device differ in their last bits.
                for (holder, key) in self.cache.outdate_all() {
                    if let Some(client) = self.clients.get_mut(&holder) {
                        client.send(ToAudio::Retire(key));
                    }
                }
                (self.rendered_samples, self.busy) = (0, Duration::ZERO);
                self.status.realtime_factor = None;
                self.status.model = model.report.clone();
                self.model = ModelSlot::Ready(model);
                self.looked_for.clear();
                if self.store.is_none() && self.model.slow().is_some() {
                    let shelf = self.shelf.clone();
                    self.store = shelf.and_then(|shelf| NoteStore::start(shelf, self.own_commands.clone()));
                }
                let ids: Vec<InstanceId> = self.clients.keys().copied().collect();
                ids.into_iter().for_each(|id| self.tell_grid(id, None));
            }
            Err(reason) => self.fail_model(reason),
        }
        // The sounds may have changed meanwhile.
        self.choose_model();
        if matches!(self.model, ModelSlot::Loading(_)) {
            return;
        }
        let waiting: Vec<(InstanceId, NoteKey)> = self
            .clients
            .iter_mut()
            .flat_map(|(id, client)| {
                // What was asked of another model is asked of this one.
                let asked = client.waiting.drain(..).chain(client.asked.drain(..));
                asked.map(|key| (*id, key))
            })
            .collect();
        for (id, key) in waiting {
            self.request(id, key);
        }
        self.tell_status();
        self.news.announce();
    }

    fn fail_model(&mut self, reason: String) {
        self.status.model = ModelStatus::Failed(reason);
        self.model = ModelSlot::Failed;
    }
}
