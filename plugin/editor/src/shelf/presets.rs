//! Presets: read, stepped through, thought up, kept, renamed, deleted and brought back.

use std::collections::BTreeMap;
use std::sync::Arc;

use betwixt_engine::library::LibraryError;
use betwixt_engine::library::entry::{Entry, EntryId, Filter, Origin};
use betwixt_engine::library::preset_files::PresetDraft;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::Preset;

use super::{Shelf, sentence};
use crate::history::{Kept, Moment};
use crate::librarian::Answer;

/// The preset that a new instance has; the user's own goes first.
const INIT_PRESETS: [&str; 2] = ["user/init.toml", "factory/init.toml"];
/// How many rows are looked through for a preset of a name.
const ROWS_OF_A_NAME: usize = 64;

impl Shelf {
    pub(super) fn tell_preset(&self, id: Option<EntryId>, is_user: bool, preset: Preset, patch: Patch) {
        let values = Parameter::ALL.map(|parameter| {
            let param = self.controls.param(parameter);
            param.to_normalized(preset.parameter(parameter))
        });
        let what = format!("load {}", preset.name);
        let kept = Kept {
            id,
            is_user,
            preset,
            patch: patch.id(),
            values,
        };
        self.tell(Answer::PresetRead {
            kept: Arc::new(kept),
            patch: Arc::new(patch),
            values: Box::new(values),
            what,
        });
    }

    pub(super) fn read_preset(&self, id: &EntryId) -> Result<(), String> {
        let (preset, patch) = self.index.preset(id).map_err(|error| format!("{id}: {error}"))?;
        let is_user = self.is_user(id);
        // A preset that is not in the list of the last used ones is still played.
        let _ = self.index.note_used(id);
        self.tell_preset(Some(id.clone()), is_user, preset, patch);
        Ok(())
    }

    fn is_user(&self, id: &EntryId) -> bool {
        self.index
            .entry(id)
            .is_some_and(|entry| entry.origin == Origin::User)
    }

    pub(super) fn step_preset(&self, is_back: bool) -> Result<(), String> {
        let kept = self.workshop.kept.lock().clone();
        let present = kept.as_ref().and_then(|kept| kept.id.as_ref());
        match self.index.preset_beside(present, is_back) {
            Some(entry) => self.read_preset(&entry.id),
            None => Ok(()),
        }
    }

    pub(super) fn init_preset(&self) -> Result<(), String> {
        let mut ids = INIT_PRESETS.iter().map(|id| EntryId::from((*id).to_owned()));
        match ids.find(|id| self.index.entry(id).is_some()) {
            Some(id) => self.read_preset(&id),
            None => {
                let library = self.index.library();
                let preset = library.preset("init").map_err(sentence)?;
                let patch = library.patch(&preset.corners).map_err(sentence)?;
                self.tell_preset(None, false, preset, patch);
                Ok(())
            }
        }
    }

    pub(super) fn random_preset(&self, seed: u64) -> Result<(), String> {
        let patch = self.instance.patch();
        let made = self.index.random_preset(seed, patch.model()).map_err(sentence)?;
        self.tell_preset(None, false, made.0, made.1);
        Ok(())
    }

    /// The plain values of all parameters, within their ranges.
    pub(super) fn parameters(&self) -> BTreeMap<String, f32> {
        let value = |parameter: Parameter| {
            let (low, high) = parameter.range();
            let plain = self.controls.param(parameter).unmodulated_value();
            (parameter.name().to_owned(), plain.clamp(low, high))
        };
        Parameter::ALL.into_iter().map(value).collect()
    }

    pub(super) fn save_preset(&mut self, name: &str, replace: bool) {
        let kept = self.workshop.kept.lock().clone();
        let words = kept.map(|kept| kept.preset.clone());
        let (description, author, licence, tags) = words.map_or_else(Default::default, |words| {
            (words.description, words.author, words.licence, words.tags)
        });
        let draft = PresetDraft {
            name: name.trim().to_owned(),
            description,
            author,
            licence,
            tags,
            parameters: self.parameters(),
        };
        let patch = self.instance.patch();
        let answer = match self.index.save_preset(&draft, &patch, replace) {
            Ok(entry) => match self.keep(&entry) {
                Ok(()) => Answer::Kept(entry.name),
                Err(error) => Answer::Trouble(error),
            },
            Err(LibraryError::NameTaken(_)) => Answer::NameTaken(draft.name),
            Err(error) => Answer::Trouble(error.to_string()),
        };
        self.tell(answer);
        self.show_lists();
    }

    /// Notes that the present state is what an entry holds.
    fn keep(&self, entry: &Entry) -> Result<(), String> {
        let (preset, _) = self.index.preset(&entry.id).map_err(sentence)?;
        let now = Moment::now(&*self.controls, &self.instance, None);
        *self.workshop.kept.lock() = Some(Arc::new(Kept {
            id: Some(entry.id.clone()),
            is_user: true,
            preset,
            patch: now.patch.id(),
            values: now.values,
        }));
        Ok(())
    }

    /// The present preset, if it is the user's own.
    fn own_preset(&self) -> Result<(Arc<Kept>, EntryId), String> {
        let kept = self.workshop.kept.lock().clone();
        kept.filter(|kept| kept.is_user)
            .and_then(|kept| kept.id.clone().map(|id| (kept, id)))
            .ok_or_else(|| "Only presets of your own can be renamed and deleted".to_owned())
    }

    pub(super) fn rename_preset(&mut self, name: &str) -> Result<(), String> {
        let (kept, id) = self.own_preset()?;
        let entry = self.index.rename_preset(&id, name.trim()).map_err(sentence)?;
        let renamed = Kept {
            id: Some(entry.id.clone()),
            preset: Preset {
                name: entry.name.clone(),
                ..kept.preset.clone()
            },
            ..(*kept).clone()
        };
        *self.workshop.kept.lock() = Some(Arc::new(renamed));
        self.tell(Answer::Kept(entry.name));
        self.show_lists();
        Ok(())
    }

    pub(super) fn delete_preset(&mut self) -> Result<(), String> {
        let (kept, id) = self.own_preset()?;
        self.deleted = Some(self.index.delete_preset(&id).map_err(sentence)?);
        *self.workshop.kept.lock() = None;
        self.tell(Answer::Deleted(Some(kept.preset.name.clone())));
        self.show_lists();
        Ok(())
    }

    pub(super) fn restore_preset(&mut self) -> Result<(), String> {
        if let Some(deleted) = self.deleted.take() {
            self.index.restore_preset(&deleted).map_err(sentence)?;
            self.tell(Answer::Deleted(None));
            self.recognise();
            self.show_lists();
        }
        Ok(())
    }

    /// Finds the preset of the name that the instance's state has, to tell whether it was changed since.
    pub(super) fn recognise(&self) {
        let name = self.controls.preset_name();
        if name.is_empty() || self.workshop.kept.lock().is_some() {
            return;
        }
        let mut found = self.index.search(&name, &Filter::presets(), ROWS_OF_A_NAME);
        found.retain(|entry| *entry.name == *name);
        found.sort_by_key(|entry| entry.origin != Origin::User);
        let Some(entry) = found.first() else { return };
        let Ok((preset, patch)) = self.index.preset(&entry.id) else {
            return;
        };
        let values = Parameter::ALL.map(|parameter| {
            let param = self.controls.param(parameter);
            param.to_normalized(preset.parameter(parameter))
        });
        *self.workshop.kept.lock() = Some(Arc::new(Kept {
            id: Some(entry.id.clone()),
            is_user: entry.origin == Origin::User,
            preset,
            patch: patch.id(),
            values,
        }));
    }
}
