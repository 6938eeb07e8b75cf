//! The tables of a `model.toml`, read field by field: what is there, and whether it is what was expected.
//!
//! Pure parsing, any thread but the audio thread.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::{GraphEntry, MAX_SLOTS, ManifestError};

/// One table of the manifest, with the name that its fields are called by.
pub(super) struct Section<'a> {
    pub(super) name: String,
    pub(super) table: &'a Table,
}

impl<'a> Section<'a> {
    fn field(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_string()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    pub(super) fn wrong(&self, key: &str, expected: &str) -> ManifestError {
        ManifestError::Field {
            field: self.field(key),
            found: self.table.get(key).map_or_else(|| "missing".into(), show),
            expected: expected.into(),
        }
    }

    pub(super) fn only(&self, known: &[&str]) -> Result<(), ManifestError> {
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(ManifestError::Unknown {
                field: shorten(&self.field(key)),
                expected: known.join(", "),
            }),
        }
    }

    pub(super) fn value(&self, key: &str, expected: &str) -> Result<&'a Value, ManifestError> {
        self.table.get(key).ok_or_else(|| ManifestError::Missing {
            field: self.field(key),
            expected: expected.into(),
        })
    }

    pub(super) fn section(&self, key: &str) -> Result<Section<'a>, ManifestError> {
        let expected = "a section of that name";
        let table = self
            .value(key, expected)?
            .as_table()
            .ok_or_else(|| self.wrong(key, expected))?;
        Ok(Section {
            name: self.field(key),
            table,
        })
    }

    pub(super) fn integer(&self, key: &str, (low, high): (i64, i64)) -> Result<i64, ManifestError> {
        let expected = format!("a whole number from {low} to {high}");
        self.value(key, &expected)?
            .as_integer()
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| self.wrong(key, &expected))
    }

    pub(super) fn text(&self, key: &str, max_chars: usize) -> Result<String, ManifestError> {
        let expected = format!("text of 1 to {max_chars} characters");
        self.value(key, &expected)?
            .as_str()
            .filter(|text| !text.is_empty() && text.chars().count() <= max_chars)
            .map(str::to_string)
            .ok_or_else(|| self.wrong(key, &expected))
    }

    pub(super) fn choice(&self, key: &str, choices: &[&str]) -> Result<usize, ManifestError> {
        let expected = format!("\"{}\"", choices.join("\" or \""));
        self.value(key, &expected)?
            .as_str()
            .and_then(|text| choices.iter().position(|choice| *choice == text))
            .ok_or_else(|| self.wrong(key, &expected))
    }

    pub(super) fn numbers(
        &self,
        key: &str,
        (low, high): (f64, f64),
        at_least: usize,
    ) -> Result<Vec<f64>, ManifestError> {
        let expected = format!("a list of {at_least} to {MAX_SLOTS} numbers from {low} to {high}");
        let number = |value: &Value| match value {
            Value::Integer(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        };
        self.value(key, &expected)?
            .as_array()
            .filter(|list| (at_least..=MAX_SLOTS).contains(&list.len()))
            .and_then(|list| {
                list.iter()
                    .map(|v| number(v).filter(|x| (low..=high).contains(x)))
                    .collect()
            })
            .ok_or_else(|| self.wrong(key, &expected))
    }

    pub(super) fn graph(&self) -> Result<GraphEntry, ManifestError> {
        let graph = self.text("graph", 128)?;
        // A bare name: a model must not reach for files outside its folder.
        if graph.starts_with('.') || graph.contains(['/', '\\', ':', '\0']) {
            return Err(self.wrong("graph", "the name of a file in the model's folder"));
        }
        let sha256 = self.text("sha256", 64)?;
        if sha256.len() != 64
            || !sha256
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return Err(self.wrong("sha256", "64 hexadecimal digits in lower case"));
        }
        Ok(GraphEntry { graph, sha256 })
    }
}

/// A value in a few words, on one line.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", shorten(text)),
        Value::Array(list) => {
            let mut shown = format!("a list of {}", list.len());
            if let Some(first) = list.first() {
                let _ = write!(shown, " (from {} on)", shorten(&first.to_string()));
            }
            shown
        }
        Value::Table(_) => "a section".into(),
        other => shorten(&other.to_string()),
    }
}

fn shorten(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(60)
        .collect();
    if text.chars().count() > 60 {
        format!("{line}…")
    } else {
        line
    }
}
