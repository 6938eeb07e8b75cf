//! "More like this": the sounds nearest to one, by their descriptors.
//!
//! The descriptors of all sounds are read once and kept until somebody has written to the database.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::Index;
use crate::library::descriptor::{Descriptors, describe};
use crate::library::entry::{Entry, EntryId, EntryKind, Filter};
use crate::library::record::content_of;
use crate::library::search::{self, Scope, in_roots};
use crate::sound::Sound;

/// What is compared.
#[derive(Debug)]
pub(super) struct Compared {
    /// Of the database, by which another process's writing is seen, and of this process.
    version: (i64, u64),
    by_model: HashMap<String, Descriptors>,
}

impl Index {
    /// The nearest sounds ("more like this"), nearest first, with their distance: 0 is the same, two of the library's sounds are about 1
    /// apart. Only sounds of the same model are compared; those with the same contents are left out.
    pub fn nearest(&self, sound: &Sound, filter: &Filter, limit: usize) -> Vec<(Entry, f32)> {
        let vector = describe(sound);
        let content = content_of(sound);
        let near = self.ask(|connection, scope| {
            let mut compared = self.compared.lock();
            let compared = self.up_to_date(connection, scope, &mut compared)?;
            let Some(descriptors) = compared.by_model.get(&sound.model) else {
                return Ok(Vec::new());
            };
            let everything = Filter {
                kind: None,
                ..filter.clone()
            } == Filter::default();
            let admitted = if everything {
                None
            } else {
                search::admitted(connection, scope, filter)?
            };
            let admitted: Option<HashSet<i64>> = admitted.map(|rows| rows.into_iter().collect());
            let is_admitted = |row: i64| admitted.as_ref().is_none_or(|rows| rows.contains(&row));
            let near = descriptors.nearest(&vector, content, limit, is_admitted);
            near.into_iter()
                .map(|near| {
                    let entry = search::entry_of(connection, near.row)?;
                    Ok(entry.map(|entry| (entry, near.distance)))
                })
                .filter_map(Result::transpose)
                .collect()
        });
        match filter.kind {
            Some(EntryKind::Preset) => Vec::new(),
            _ => near,
        }
    }

    /// The nearest sounds to one of the library's; none if it cannot be read.
    pub fn nearest_to(&self, id: &EntryId, filter: &Filter, limit: usize) -> Vec<(Entry, f32)> {
        self.sound(id)
            .map(|sound| self.nearest(&sound, filter, limit))
            .unwrap_or_default()
    }

    /// The descriptors as they are now.
    fn up_to_date<'a>(
        &self,
        connection: &Connection,
        scope: &Scope,
        compared: &'a mut Option<Compared>,
    ) -> rusqlite::Result<&'a Compared> {
        let others = connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        let version = (others, self.writes.load(Ordering::Relaxed));
        let is_current = compared
            .as_ref()
            .is_some_and(|compared| compared.version == version);
        if !is_current {
            *compared = None;
        }
        let load = || -> rusqlite::Result<Compared> {
            let sql = format!(
                "SELECT entry.id, content, model, vector FROM descriptor JOIN entry ON entry.id = descriptor.id
                 WHERE {} ORDER BY entry.id",
                in_roots(scope)
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut by_model: HashMap<String, Vec<(i64, i64, Vec<u8>)>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let sound = (row.get(0)?, row.get(1)?, row.get(3)?);
                let model = row.get_ref(2)?.as_str().unwrap_or_default();
                match by_model.get_mut(model) {
                    Some(sounds) => sounds.push(sound),
                    None => {
                        by_model.insert(model.to_owned(), vec![sound]);
                    }
                }
            }
            let by_model = by_model.into_iter();
            let by_model = by_model.map(|(model, sounds)| (model, Descriptors::new(sounds.into_iter())));
            Ok(Compared {
                version,
                by_model: by_model.collect(),
            })
        };
        match compared {
            Some(compared) => Ok(compared),
            none => Ok(none.insert(load()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::embedding::Embedding;
    use crate::library::index::tests::{id, rescanned};
    use crate::library::tests::{folders, sound_of};

    #[test]
    fn the_nearest_sounds_come_first_and_of_the_same_model_only() {
        let folders = folders();
        for (n, value) in [0.1, 0.9, 0.3, 0.5].into_iter().enumerate() {
            let mut sound = sound_of(&format!("S{n}"), if n == 3 { "odd" } else { "even" });
            sound.embedding = Embedding::new(2, vec![value; 8]).unwrap();
            sound
                .write(&folders.user.join(format!("sounds/s{n}.sound")))
                .unwrap();
        }
        let mut other = sound_of("Other", "");
        other.model = "another 1".into();
        other.write(&folders.user.join("sounds/other.sound")).unwrap();
        let index = rescanned(&folders);
        let near = |filter: &Filter| {
            let near = index.nearest_to(&id("user/s0.sound"), filter, 9);
            assert!(near.windows(2).all(|pair| pair[0].1 <= pair[1].1));
            near.into_iter().map(|(entry, _)| entry.name).collect::<Vec<_>>()
        };
        let all = near(&Filter::default());
        assert_eq!(all.len(), 6, "{all:?}");
        assert_eq!((all[5].as_str(), all[4].as_str()), ("S1", "S3"));
        let odd = Filter {
            family: Some("odd".into()),
            ..Filter::sounds()
        };
        assert_eq!(near(&odd), ["S3"]);
        // What is new is compared too.
        let mut same = sound_of("Same", "even");
        same.embedding = Embedding::new(2, vec![0.1; 8]).unwrap();
        same.write(&folders.user.join("sounds/same.sound")).unwrap();
        index.rescan(&mut |_| {}, &AtomicBool::new(false)).unwrap();
        assert_eq!(near(&Filter::default())[0], "Same");
    }
}
