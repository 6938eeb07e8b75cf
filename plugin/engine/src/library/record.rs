//! A file of the library as the index has it: read, put into a row, taken from a row.
//!
//! Background threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::descriptor;
use super::entry::{Entry, EntryId, EntryKind, Origin};
use crate::preset::{PRESET_EXTENSION, Preset};
use crate::quality::{Qualities, SourceKind};
use crate::sound::{SOUND_EXTENSION, Sound};

/// The `kind` of a row whose file could not be read.
const UNREADABLE: i64 = 2;
/// What stands between two tags, which no tag holds when it is stored.
const TAG_END: &str = "\n";

/// A file that may be a sound or a preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Row of the folder that it was found in.
    pub root: i64,
    pub id: EntryId,
    pub kind: EntryKind,
    pub origin: Origin,
    pub file: PathBuf,
    pub stamp: Stamp,
}

/// By what a file is seen to have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// In bytes.
    pub size: i64,
    /// In nanoseconds since 1970: when the file was last written; on Unix when anything of it last changed, which nobody sets back.
    pub changed_ns: i64,
}

impl Stamp {
    /// The stamp of a file.
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let changed_ns = {
            use std::os::unix::fs::MetadataExt;
            metadata
                .ctime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed_ns = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
        Self {
            size: i64::try_from(metadata.len()).unwrap_or(i64::MAX),
            changed_ns,
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// What a file may be by its name.
pub(crate) fn kind_of(file: &Path) -> Option<EntryKind> {
    match file.extension()?.to_str()? {
        SOUND_EXTENSION => Some(EntryKind::Sound),
        PRESET_EXTENSION => Some(EntryKind::Preset),
        _ => None,
    }
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    found: Found,
    /// What it holds, or why it could not be read.
    content: Result<Content, String>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Content {
    name: String,
    family: String,
    tags: Vec<String>,
    author: String,
    licence: String,
    description: String,
    pitch: Option<f32>,
    is_sustained: bool,
    model: String,
    /// Names the contents: equal for equal files.
    hash: i64,
    /// Of a sound.
    descriptor: Vec<f32>,
}

impl Record {
    /// Reads a file; none if it is not even meant to be one of ours.
    pub(crate) fn read(found: Found) -> Option<Self> {
        let content = match found.kind {
            EntryKind::Sound => Sound::read(&found.file)
                .map(|sound| Content::of_sound(&sound))
                .map_err(|error| error.to_string()),
            EntryKind::Preset => match Preset::read(&found.file) {
                Ok(preset) => Ok(Content::of_preset(preset)),
                // Where the user keeps other things, not every TOML file is meant to be a preset.
                Err(_) if found.origin == Origin::Folder => return None,
                Err(error) => Err(format!("{}: {error}", found.file.display())),
            },
        };
        Some(Self { found, content })
    }

    /// The name of the entry that it is of.
    pub(crate) fn place(&self) -> &str {
        self.found.id.as_str()
    }

    /// Whether the file holds neither a sound nor a preset.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.content.is_err()
    }

    /// Puts it into the index in place of what was there of this file; whether anything but its stamp is new.
    pub(crate) fn write(&self, connection: &Connection, mark: Mark) -> rusqlite::Result<bool> {
        let none = Content::default();
        let (content, kind, reason) = match &self.content {
            Ok(content) => (content, self.found.kind as i64, ""),
            Err(reason) => (&none, UNREADABLE, reason.as_str()),
        };
        let found = &self.found;
        let before: Option<(i64, i64, i64)> = connection
            .prepare_cached("SELECT id, kind, content FROM entry WHERE place = ?1 AND root = ?2")?
            .query_row(params![found.id.as_str(), found.root], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        if let Some((id, old_kind, hash)) = before
            && (old_kind, hash) == (kind, content.hash)
            && kind != UNREADABLE
        {
            connection
                .prepare_cached("UPDATE entry SET size = ?2, changed_ns = ?3 WHERE id = ?1")?
                .execute(params![id, found.stamp.size, found.stamp.changed_ns])?;
            return Ok(false);
        }
        if let Some((id, ..)) = before {
            remove(connection, id)?;
        }
        let tags: Vec<String> = content.tags.iter().map(|tag| tag.replace('\n', " ")).collect();
        connection
            .prepare_cached(
                "INSERT INTO entry(place, root, file, size, changed_ns, kind, origin, name, family, family_key, source, qualities,
                   tags, author, licence, description, pitch, is_sustained, model, content, order_key, favourite, used_s, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
                   ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
            )?
            .execute(params![
                found.id.as_str(),
                found.root,
                found.file.to_str(),
                found.stamp.size,
                found.stamp.changed_ns,
                kind,
                found.origin as i64,
                content.name,
                content.family,
                family_key(&content.family),
                SourceKind::of_tags(&content.tags).map(|source| source as i64),
                Qualities::of_tags(&content.tags).bits(),
                tags.join(TAG_END),
                content.author,
                content.licence,
                content.description,
                content.pitch,
                content.is_sustained,
                content.model,
                content.hash,
                order_key(found, content),
                mark.is_favourite,
                mark.used_s,
                reason,
            ])?;
        let id = connection.last_insert_rowid();
        if kind != UNREADABLE {
            write_words(connection, id)?;
        }
        if !content.descriptor.is_empty() {
            connection
                .prepare_cached("INSERT INTO descriptor(id, vector) VALUES (?1, ?2)")?
                .execute(params![id, descriptor::to_bytes(&content.descriptor)])?;
        }
        Ok(true)
    }
}

/// What the user said of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub is_favourite: bool,
    pub used_s: Option<i64>,
}

impl Content {
    fn of_sound(sound: &Sound) -> Self {
        Self {
            name: sound.name.clone(),
            family: sound.family.clone(),
            tags: sound.tags.clone(),
            author: author(sound).to_owned(),
            licence: sound.licence.clone(),
            description: String::new(),
            pitch: Some(sound.pitch),
            is_sustained: sound.loop_region.is_some(),
            model: sound.model.clone(),
            hash: content_of(sound),
            descriptor: descriptor::describe(sound),
        }
    }

    fn of_preset(preset: Preset) -> Self {
        let hash = Sha256::digest(preset.to_toml());
        Self {
            hash: i64::from_le_bytes(std::array::from_fn(|i| hash[i])),
            name: preset.name,
            tags: preset.tags,
            author: preset.author,
            licence: preset.licence,
            description: preset.description,
            ..Self::default()
        }
    }
}

/// Who made a sound; where its recording came from, if that is all that is known.
fn author(sound: &Sound) -> &str {
    let author = &sound.credits.author;
    if author.is_empty() { &sound.source } else { author }
}

/// Names a sound's contents in the index.
pub(crate) fn content_of(sound: &Sound) -> i64 {
    sound.id().0.cast_signed()
}

/// A family without what people write differently: case, spaces, `_`.
pub(crate) fn family_key(family: &str) -> String {
    family
        .chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// By what lists are sorted: sounds by family and name, presets by whose they are and name.
fn order_key(found: &Found, content: &Content) -> String {
    let first = match found.kind {
        EntryKind::Sound => content.family.to_lowercase(),
        EntryKind::Preset => (found.origin as u8).to_string(),
    };
    format!("{first}\u{1}{}\u{1}{}", content.name.to_lowercase(), found.id)
}

/// Takes a row and all that belongs to it out of the index.
pub(crate) fn remove(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    for table in [
        "DELETE FROM words WHERE rowid = ?1",
        "DELETE FROM descriptor WHERE id = ?1",
        "DELETE FROM entry WHERE id = ?1",
    ] {
        connection.prepare_cached(table)?.execute([id])?;
    }
    Ok(())
}

/// Sets what the user said of a row.
pub(crate) fn write_mark(connection: &Connection, id: i64, mark: Mark) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE entry SET favourite = ?2, used_s = ?3 WHERE id = ?1")?
        .execute(params![id, mark.is_favourite, mark.used_s])?;
    write_words(connection, id)
}

/// Writes what a row is searched and filtered by.
fn write_words(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    let row = connection
        .prepare_cached(
            "SELECT name, family, tags, author, root, kind, origin, family_key, source, qualities, favourite, used_s
             FROM entry WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let facets = Facets {
                root: row.get(4)?,
                kind: row.get(5)?,
                origin: row.get(6)?,
                family_key: row.get(7)?,
                source: row.get(8)?,
                qualities: Qualities::from_bits(row.get(9)?),
                is_favourite: row.get(10)?,
                is_used: row.get::<_, Option<i64>>(11)?.is_some(),
            };
            let texts: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
            Ok((texts, facets.words()))
        })
        .optional()?;
    let Some(([name, family, tags, author], facets)) = row else {
        return Ok(());
    };
    connection
        .prepare_cached("DELETE FROM words WHERE rowid = ?1")?
        .execute([id])?;
    connection
        .prepare_cached(
            "INSERT INTO words(rowid, name, family, tags, author, facets) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![id, name, family, tags, author, facets])?;
    Ok(())
}

/// What a row is filtered by, as words of the last column of `words`: so one look into the full-text index both searches and filters.
struct Facets {
    root: i64,
    kind: i64,
    origin: i64,
    family_key: String,
    source: Option<i64>,
    qualities: Qualities,
    is_favourite: bool,
    is_used: bool,
}

impl Facets {
    fn words(&self) -> String {
        let mut words = vec![
            facet::root(self.root),
            facet::kind(self.kind),
            facet::origin(self.origin),
        ];
        if !self.family_key.is_empty() {
            words.push(facet::family(&self.family_key));
        }
        words.extend(self.source.map(facet::source));
        words.extend(
            self.qualities
                .iter()
                .map(|quality| facet::quality(quality as u16)),
        );
        if self.is_favourite {
            words.push(facet::FAVOURITE.into());
        }
        if self.is_used {
            words.push(facet::USED.into());
        }
        words.join(" ")
    }
}

/// The words of [`Facets`]: letters and digits only, none a family's.
pub(crate) mod facet {
    pub(crate) const FAVOURITE: &str = "favourite";
    pub(crate) const USED: &str = "used";

    pub(crate) fn root(row: i64) -> String {
        format!("root{row}")
    }

    pub(crate) fn kind(kind: i64) -> String {
        format!("kind{kind}")
    }

    pub(crate) fn origin(origin: i64) -> String {
        format!("origin{origin}")
    }

    pub(crate) fn family(key: &str) -> String {
        format!("family{key}")
    }

    pub(crate) fn source(source: i64) -> String {
        format!("source{source}")
    }

    pub(crate) fn quality(quality: u16) -> String {
        format!("quality{quality}")
    }
}

/// The columns that [`entry`] reads, of `entry`.
pub(crate) const ENTRY_COLUMNS: &str = "place, kind, origin, file, name, family, source, qualities, tags, author, licence, \
    description, pitch, is_sustained, model, favourite, used_s";

/// The entry of a row of [`ENTRY_COLUMNS`].
pub(crate) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let kind = match row.get::<_, i64>(1)? {
        0 => EntryKind::Sound,
        _ => EntryKind::Preset,
    };
    let origin = match row.get::<_, i64>(2)? {
        0 => Origin::Factory,
        1 => Origin::User,
        _ => Origin::Folder,
    };
    let source: Option<i64> = row.get(6)?;
    let tags: String = row.get(8)?;
    let used: Option<i64> = row.get(16)?;
    Ok(Entry {
        id: row.get::<_, String>(0)?.into(),
        kind,
        origin,
        file: row.get::<_, String>(3)?.into(),
        name: row.get(4)?,
        family: row.get(5)?,
        source: source.and_then(|source| {
            let mut all = SourceKind::ALL.into_iter();
            all.find(|one| *one as i64 == source)
        }),
        qualities: Qualities::from_bits(row.get(7)?),
        tags: tags_of(&tags),
        author: row.get(9)?,
        licence: row.get(10)?,
        description: row.get(11)?,
        pitch: row.get(12)?,
        is_sustained: row.get(13)?,
        model: row.get(14)?,
        is_favourite: row.get(15)?,
        used_s: used.map(i64::cast_unsigned),
    })
}

/// The tags of a stored text.
pub(crate) fn tags_of(text: &str) -> Vec<String> {
    let tags = text.split(TAG_END).filter(|tag| !tag.is_empty());
    tags.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::database;
    use crate::library::tests::sound_of;

    #[test]
    fn a_sound_comes_back_as_it_was_put_in_and_is_replaced_by_what_it_becomes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flute.sound");
        let mut sound = sound_of("Fl\u{fb}te", "Wood wind");
        sound.tags = vec!["bright".into(), "two\nlines".into(), "acoustic".into()];
        sound.write(&file).unwrap();
        let opened = database::in_memory(String::new());
        let found = || Found {
            root: 1,
            id: EntryId::of_file(Origin::User, &file).unwrap(),
            kind: EntryKind::Sound,
            origin: Origin::User,
            file: file.clone(),
            stamp: Stamp::of(&fs::metadata(&file).unwrap()),
        };
        let mark = Mark {
            is_favourite: true,
            used_s: Some(12),
        };
        let write = || {
            Record::read(found())
                .unwrap()
                .write(&opened.connection, mark)
                .unwrap()
        };
        let read = || {
            let sql = format!("SELECT {ENTRY_COLUMNS} FROM entry");
            opened.connection.query_row(&sql, [], entry).unwrap()
        };
        assert!(write());
        assert!(!write(), "nothing is new");
        let read_back = read();
        assert_eq!(read_back.id.as_str(), "user/flute.sound");
        assert_eq!(
            (read_back.name.as_str(), read_back.tags[1].as_str()),
            ("Fl\u{fb}te", "two lines")
        );
        assert_eq!(read_back.source, Some(SourceKind::Acoustic));
        assert_eq!((read_back.is_favourite, read_back.used_s), (true, Some(12)));
        sound.name = "Oboe".into();
        sound.write(&file).unwrap();
        assert!(write());
        assert_eq!(read().name, "Oboe");
        let words = |query: &str| {
            let sql = "SELECT count(*) FROM words WHERE words MATCH ?1";
            let count = opened
                .connection
                .query_row(sql, [query], |row| row.get::<_, i64>(0));
            count.unwrap()
        };
        assert_eq!(
            (words("oboe"), words("flute"), words("familywoodwind")),
            (1, 0, 1)
        );
    }
}
