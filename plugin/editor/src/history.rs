//! What an instance was like before each change of its sounds or its preset, to go back to. Any thread but the audio's.
//!
//! A change of a single parameter is no moment of its own, as the host undoes those; but every moment has all of them, so
//! that nothing is lost when a preset is loaded over unsaved work.

use std::sync::Arc;

use betwixt_audio::note::PatchId;
use betwixt_engine::instance::Instance;
use betwixt_engine::library::entry::EntryId;
use betwixt_engine::parameter::Parameter;
use betwixt_engine::patch::Patch;
use betwixt_engine::preset::Preset;

use crate::controls::Controls;

/// How many changes can be undone.
const MOST_MOMENTS: usize = 64;
/// Normalised values that differ by less are the same: hosts and texts round.
const SAME_VALUE: f32 = 5e-4;

/// The values of all parameters, 0..1 over their ranges, in the order of [`Parameter::ALL`].
pub type Values = [f32; Parameter::ALL.len()];

/// The preset that an instance was given, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Where it is kept; none for one that is in no list, such as a random one.
    pub id: Option<EntryId>,
    /// Whether it is the user's own, which may be changed.
    pub is_user: bool,
    /// Its words; its corners and parameters are in what follows.
    pub preset: Preset,
    /// Its sounds.
    pub patch: PatchId,
    /// Its parameters.
    pub values: Values,
}

impl Kept {
    /// Whether an instance with these sounds and parameters is other than the preset.
    pub fn differs(&self, patch: PatchId, values: &Values) -> bool {
        let is_same = |(kept, now): (&f32, &f32)| (kept - now).abs() < SAME_VALUE;
        self.patch != patch || !self.values.iter().zip(values).all(is_same)
    }
}

/// All that is restored.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The sounds.
    pub patch: Arc<Patch>,
    /// The parameters.
    pub values: Values,
    /// The preset's name.
    pub name: Arc<str>,
    /// The preset as it is kept.
    pub kept: Option<Arc<Kept>>,
}

impl Moment {
    /// What an instance is like now.
    pub fn now(controls: &dyn Controls, instance: &Instance, kept: Option<Arc<Kept>>) -> Self {
        Self {
            patch: instance.patch(),
            values: Parameter::ALL.map(|parameter| controls.param(parameter).normalized()),
            name: controls.preset_name(),
            kept,
        }
    }
}

/// The moments before and after now.
#[derive(Debug, Default)]
pub struct History {
    past: Vec<(Arc<str>, Moment)>,
    future: Vec<(Arc<str>, Moment)>,
}

impl History {
    /// Keeps what was before a change; `what` says what is done, as in "Undo: load Glass Choir".
    pub fn note(&mut self, what: &str, before: Moment) {
        if self.past.len() == MOST_MOMENTS {
            self.past.remove(0);
        }
        self.past.push((what.into(), before));
        self.future.clear();
    }

    /// What was before the last change; `now` is what it was changed to.
    pub fn undo(&mut self, now: Moment) -> Option<Moment> {
        let (what, before) = self.past.pop()?;
        self.future.push((what, now));
        Some(before)
    }

    /// What was undone last.
    pub fn redo(&mut self, now: Moment) -> Option<Moment> {
        let (what, after) = self.future.pop()?;
        self.past.push((what, now));
        Some(after)
    }

    /// What would be undone.
    pub fn undoable(&self) -> Option<Arc<str>> {
        self.past.last().map(|(what, _)| Arc::clone(what))
    }

    /// What would be done again.
    pub fn redoable(&self) -> Option<Arc<str>> {
        self.future.last().map(|(what, _)| Arc::clone(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(value: f32) -> Moment {
        Moment {
            patch: Arc::default(),
            values: [value; Parameter::ALL.len()],
            name: "".into(),
            kept: None,
        }
    }

    #[test]
    fn what_was_undone_can_be_done_again_until_something_else_is() {
        let mut history = History::default();
        assert!(history.undo(moment(0.0)).is_none());
        history.note("load A", moment(0.0));
        history.note("load B", moment(0.1));
        assert_eq!(history.undoable().as_deref(), Some("load B"));
        assert_eq!(history.undo(moment(0.2)).unwrap().values[0], 0.1);
        assert_eq!(history.redoable().as_deref(), Some("load B"));
        assert_eq!(history.redo(moment(0.1)).unwrap().values[0], 0.2);
        assert_eq!(history.undo(moment(0.2)).unwrap().values[0], 0.1);
        history.note("load C", moment(0.1));
        assert_eq!(history.redoable(), None);
        assert_eq!(history.undo(moment(0.3)).unwrap().values[0], 0.1);
        assert_eq!(history.undo(moment(0.1)).unwrap().values[0], 0.0);
        assert_eq!(history.undoable(), None);
    }

    #[test]
    fn the_oldest_moment_goes_when_there_are_too_many() {
        let mut history = History::default();
        for index in 0..=MOST_MOMENTS {
            history.note("pick", moment(index as f32));
        }
        let mut oldest = moment(0.0);
        while let Some(before) = history.undo(moment(0.0)) {
            oldest = before;
        }
        assert_eq!(oldest.values[0], 1.0);
    }

    #[test]
    fn a_knob_or_another_sound_makes_a_preset_a_changed_one() {
        let values = moment(0.5).values;
        let kept = Kept {
            id: None,
            is_user: true,
            preset: Preset::from_bytes(b"format = 1\nname = \"A\"\n[corners]\n").unwrap(),
            patch: PatchId(1),
            values,
        };
        assert!(!kept.differs(PatchId(1), &values));
        assert!(kept.differs(PatchId(2), &values));
        let mut turned = values;
        turned[3] += 0.01;
        assert!(kept.differs(PatchId(1), &turned));
        turned[3] = values[3] + 1e-5;
        assert!(!kept.differs(PatchId(1), &turned));
    }
}
