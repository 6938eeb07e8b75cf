//! Search as you type: from what is typed to the full-text index's language, and from its matches to a ranked list.
//!
//! Background threads. Every word that is typed has to begin a word of an entry's name, family, tags or author. At most
//! [`CANDIDATES`] matches of each kind are ranked: names that begin with what is typed, names that hold it, then the others; so a
//! single letter among 50,000 entries costs no more than a rare word.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::entry::{Entry, EntryKind, Filter};
use super::record::{ENTRY_COLUMNS, entry, facet, family_key, tags_of};

/// So many matches of each kind are ranked.
const CANDIDATES: usize = 256;
/// So few are sorted rather than looked for in the list's order.
const FEW: usize = 1000;
/// More words than these nobody types.
const MOST_WORDS: usize = 8;
const MOST_LETTERS: usize = 64;
/// The columns that are searched.
const SEARCHED: &str = "{name family tags author}";

/// Which of the index's folders count: those of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Their rows.
    pub roots: Vec<i64>,
    /// Whether there are others.
    pub is_all: bool,
}

/// The words of a query, in lower case: what is neither letter nor digit parts them.
pub(crate) fn words(query: &str) -> Vec<String> {
    let words = query
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words
        .take(MOST_WORDS)
        .map(|word| {
            word.chars()
                .take(MOST_LETTERS)
                .flat_map(char::to_lowercase)
                .collect()
        })
        .collect()
}

/// A word as the beginning of one. There is no quote in a word.
fn begins(word: &str) -> String {
    format!("\"{word}\" *")
}

/// What has all of the words anywhere.
fn anywhere(words: &[String]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("({SEARCHED} : {})", begins(word)))
        .collect();
    words.join(" AND ")
}

/// What the filter asks for, in the full-text index's language; none if it lets everything through.
fn facets(filter: &Filter, scope: &Scope) -> Option<String> {
    let mut all = Vec::new();
    if !scope.is_all {
        let roots: Vec<String> = scope
            .roots
            .iter()
            .map(|root| format!("\"{}\"", facet::root(*root)))
            .collect();
        all.push(format!("({})", roots.join(" OR ")));
    }
    let one = |word: String| format!("\"{word}\"");
    all.extend(filter.kind.map(|kind| one(facet::kind(kind as i64))));
    all.extend(filter.origin.map(|origin| one(facet::origin(origin as i64))));
    let family = filter.family.as_deref().map(family_key);
    all.extend(family.map(|key| one(facet::family(&key))));
    all.extend(filter.source.map(|source| one(facet::source(source as i64))));
    let qualities = filter.qualities.iter();
    all.extend(qualities.map(|quality| one(facet::quality(quality as u16))));
    if filter.is_favourite {
        all.push(one(facet::FAVOURITE.into()));
    }
    if filter.is_used {
        all.push(one(facet::USED.into()));
    }
    (!all.is_empty()).then(|| format!("(facets : ({}))", all.join(" AND ")))
}

/// The best `limit` entries for a query, best first; all in the list's order for one without words.
pub(crate) fn search(
    connection: &Connection,
    scope: &Scope,
    query: &str,
    filter: &Filter,
    limit: usize,
) -> rusqlite::Result<Vec<Entry>> {
    if scope.roots.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let words = words(query);
    if words.is_empty() {
        return list(connection, scope, filter, limit);
    }
    let most = CANDIDATES.max(limit);
    let facets = facets(filter, scope);
    let found = |expression: String| match &facets {
        Some(facets) => matching(connection, &format!("{facets} AND {expression}"), most),
        None => matching(connection, &expression, most),
    };
    let mut rows = found(anywhere(&words))?;
    if rows.len() == most {
        // Too many to rank: the best are among those whose names match.
        let named: Vec<String> = words
            .iter()
            .map(|word| format!("(name : {})", begins(word)))
            .collect();
        let mut first = format!("(name : ^ {})", begins(&words[0]));
        if words.len() > 1 {
            first = format!("{first} AND {}", anywhere(&words[1..]));
        }
        rows.extend(found(named.join(" AND "))?);
        rows.extend(found(first)?);
        rows.sort_unstable();
        rows.dedup();
    }
    let mut ranked = rows
        .into_iter()
        .map(|row| candidate(connection, row, &words))
        .filter_map(Result::transpose)
        .collect::<rusqlite::Result<Vec<_>>>()?;
    ranked.sort();
    ranked.truncate(limit);
    ranked
        .into_iter()
        .map(|candidate| entry_of(connection, candidate.row))
        .filter_map(Result::transpose)
        .collect()
}

/// At most `most` rows that match an expression.
fn matching(connection: &Connection, expression: &str, most: usize) -> rusqlite::Result<Vec<i64>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1 LIMIT ?2")?;
    let rows = statement.query_map((expression, most), |row| row.get(0))?;
    rows.collect()
}

/// All rows that the filter lets through; none if that is all there are.
pub(crate) fn admitted(
    connection: &Connection,
    scope: &Scope,
    filter: &Filter,
) -> rusqlite::Result<Option<Vec<i64>>> {
    match facets(filter, scope) {
        Some(facets) => matching(connection, &facets, usize::MAX).map(Some),
        None => Ok(None),
    }
}

/// A match, ordered as the list is to show it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: u32,
    order_key: String,
    row: i64,
}

fn candidate(connection: &Connection, row: i64, words: &[String]) -> rusqlite::Result<Option<Candidate>> {
    connection
        .prepare_cached("SELECT name, family, tags, favourite, kind || order_key FROM entry WHERE id = ?1")?
        .query_row([row], |found| {
            let (name, family, tags): (String, String, String) =
                (found.get(0)?, found.get(1)?, found.get(2)?);
            Ok(Candidate {
                rank: rank(words, &name, &family, &tags, found.get(3)?),
                order_key: found.get(4)?,
                row,
            })
        })
        .optional()
}

/// How far an entry is from what is typed: 0 is nearest. A name that is it or begins with it goes before one that holds it; a word
/// that is whole before one that is begun; the name before family and tags, and those before the author; favourites
/// before others that match as well.
fn rank(query: &[String], name: &str, family: &str, tags: &str, is_favourite: bool) -> u32 {
    /// Of a word that matches nothing that is read here: the author's, or one that is written with other accents.
    const ELSEWHERE: u32 = 6;
    let name = words(name);
    let more: Vec<String> = std::iter::once(family.to_owned())
        .chain(tags_of(tags))
        .flat_map(|text| words(&text))
        .collect();
    let word_rank = |word: &String| {
        let in_name = name
            .iter()
            .filter(|own| own.starts_with(word.as_str()))
            .map(|own| u32::from(own != word));
        let elsewhere = more
            .iter()
            .filter(|own| own.starts_with(word.as_str()))
            .map(|own| 3 + u32::from(own != word));
        in_name.chain(elsewhere).min().unwrap_or(ELSEWHERE)
    };
    let words_rank: u32 = query.iter().map(word_rank).sum();
    let begins = name.len() >= query.len()
        && name
            .iter()
            .zip(query)
            .all(|(own, word)| own.starts_with(word.as_str()));
    let whole = if name == query {
        0
    } else if begins {
        2
    } else {
        4
    };
    2 * (words_rank + whole) + u32::from(!is_favourite)
}

/// Everything that the filter lets through, in the list's order; last used first, if only what was used is asked for.
fn list(
    connection: &Connection,
    scope: &Scope,
    filter: &Filter,
    limit: usize,
) -> rusqlite::Result<Vec<Entry>> {
    let is_rare = filter.family.is_some()
        || filter.source.is_some()
        || filter.is_favourite
        || !filter.qualities.is_empty();
    if is_rare
        && !filter.is_used
        && let Some(facets) = facets(filter, scope)
    {
        let rows = matching(connection, &facets, FEW)?;
        if rows.len() < FEW {
            let mut entries = rows
                .into_iter()
                .map(|row| candidate(connection, row, &[]))
                .filter_map(Result::transpose)
                .collect::<rusqlite::Result<Vec<_>>>()?;
            entries.sort_by(|a, b| a.order_key.cmp(&b.order_key));
            entries.truncate(limit);
            return entries
                .into_iter()
                .map(|candidate| entry_of(connection, candidate.row))
                .filter_map(Result::transpose)
                .collect();
        }
    }
    let (condition, mut values) = condition(scope, filter);
    let order = if filter.is_used {
        "used_s DESC, order_key"
    } else {
        "kind, order_key"
    };
    let sql = format!("SELECT {ENTRY_COLUMNS} FROM entry WHERE {condition} ORDER BY {order} LIMIT ?");
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    let mut statement = connection.prepare_cached(&sql)?;
    let entries = statement.query_map(params_from_iter(values), entry)?;
    entries.collect()
}

/// The filter as SQL has it.
fn condition(scope: &Scope, filter: &Filter) -> (String, Vec<Value>) {
    let mut all = Vec::new();
    let mut values = Vec::new();
    let mut number = |text: &str, value: Option<i64>| {
        if let Some(value) = value {
            all.push(text.to_owned());
            values.push(Value::Integer(value));
        }
    };
    number("kind = ?", filter.kind.map(|kind| kind as i64));
    number("origin = ?", filter.origin.map(|origin| origin as i64));
    number("source = ?", filter.source.map(|source| source as i64));
    let qualities = i64::from(filter.qualities.bits());
    if qualities != 0 {
        all.push(format!("qualities & {qualities} = {qualities}"));
    }
    if filter.kind.is_none() {
        all.push(format!(
            "kind IN ({}, {})",
            EntryKind::Sound as i64,
            EntryKind::Preset as i64
        ));
    }
    if let Some(family) = &filter.family {
        all.push("family_key = ?".into());
        values.push(Value::Text(family_key(family)));
    }
    if filter.is_favourite {
        all.push("favourite = 1".into());
    }
    if filter.is_used {
        all.push("used_s IS NOT NULL".into());
    }
    all.push(in_roots(scope));
    (all.join(" AND "), values)
}

/// That a row is of one of the folders that count.
pub(crate) fn in_roots(scope: &Scope) -> String {
    let roots: Vec<String> = scope.roots.iter().map(ToString::to_string).collect();
    format!("root IN ({})", roots.join(", "))
}

/// The entry of a row.
pub(crate) fn entry_of(connection: &Connection, row: i64) -> rusqlite::Result<Option<Entry>> {
    connection
        .prepare_cached(&format!("SELECT {ENTRY_COLUMNS} FROM entry WHERE id = ?1"))?
        .query_row([row], entry)
        .optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::database;
    use crate::quality::{Qualities, Quality, SourceKind};
    use proptest::prelude::*;

    #[test]
    fn names_go_before_families_and_tags_and_whole_words_before_beginnings() {
        let rank = |query: &str, name: &str, family: &str, tags: &str| {
            rank(&words(query), name, family, tags, false)
        };
        let mut by_rank = [
            ("Flute", "woodwind", ""),
            ("Flute Solo", "woodwind", ""),
            ("Fluted Glass", "mallet", ""),
            ("Pan Flute", "woodwind", ""),
            ("Shakuhachi", "flute", ""),
            ("Breath", "pad", "flute-like"),
            ("Air", "pad", "flutes"),
        ];
        let expected = by_rank.map(|(name, ..)| name);
        by_rank.reverse();
        by_rank.sort_by_key(|(name, family, tags)| rank("flute", name, family, tags));
        let names = by_rank.map(|(name, ..)| name);
        assert_eq!(names[..4], expected[..4]);
        assert_eq!(names[6], expected[6]);
        assert!(rank("pan fl", "Pan Flute", "", "") < rank("pan fl", "Flute", "pan", ""));
    }

    #[test]
    fn a_favourite_goes_before_its_equals_only() {
        let rank = |name: &str, is_favourite| rank(&words("flute"), name, "", "", is_favourite);
        assert!(rank("Flute 2", true) < rank("Flute 1", false));
        assert!(rank("Flute", false) < rank("Flute 1", true));
    }

    #[test]
    fn words_are_letters_and_digits() {
        assert_eq!(
            words("  C#4 \"Fl\u{fb}te\"* OR-x "),
            ["c", "4", "fl\u{fb}te", "or", "x"]
        );
        assert!(words("\0 \" ^ * ( ) -").is_empty());
        assert_eq!(words(&"a ".repeat(100)).len(), MOST_WORDS);
        assert_eq!(words(&"a".repeat(1000))[0].len(), MOST_LETTERS);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn nothing_that_is_typed_is_an_error(
            query in prop_oneof![".{0,40}", "[-+*^:\"'(){}a-c NEARORNT,\\\\]{0,30}"], family in prop::option::of(".{0,10}"),
            flags in any::<[bool; 3]>(), is_all in any::<bool>(), limit in 0..5_usize,
        ) {
            let connection = database::in_memory(String::new()).connection;
            let scope = Scope { roots: vec![1, 2], is_all };
            let filter = Filter {
                family,
                qualities: if flags[0] { Quality::ALL.into_iter().collect() } else { Qualities::default() },
                source: flags[1].then_some(SourceKind::Acoustic),
                is_favourite: flags[2],
                ..Filter::sounds()
            };
            prop_assert_eq!(search(&connection, &scope, &query, &filter, limit).unwrap(), []);
            // The filter alone, and the words alone.
            prop_assert_eq!(search(&connection, &scope, "", &filter, limit).unwrap(), []);
            prop_assert_eq!(search(&connection, &scope, &query, &Filter::default(), limit).unwrap(), []);
        }
    }
}
