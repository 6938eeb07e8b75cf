//! The elements of an XML text, in their order and with their depth.
//!
//! Pure text. A text that defines entities is refused, so that none grows; elements, attributes and depth have bounds.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::multisample::zone::MappingError;

const MOST_ELEMENTS: usize = 200_000;
const MOST_ATTRIBUTES: usize = 128;
const DEEPEST: usize = 32;
const LONGEST_TEXT: usize = 4096;

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name.
    pub name: String,
    /// Elements about it.
    pub depth: usize,
    /// Names and values.
    pub attributes: Vec<(String, String)>,
    /// The text right in it.
    pub text: String,
    /// Where it stands, for messages.
    pub place: String,
}

impl Element {
    /// An attribute's value, without the spaces about it.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim())
    }

    /// What is wrong with an attribute.
    pub(crate) fn refuse(&self, name: &str, value: &str, expected: &str) -> MappingError {
        let found: String = value.chars().take(40).collect();
        MappingError {
            place: self.place.clone(),
            reason: format!("`{name}` is \"{}\"; expected {expected}", found.escape_debug()),
        }
    }

    /// An attribute that is a number; none if it is not there.
    ///
    /// # Errors
    /// If it is no number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, MappingError> {
        self.value(name).map_or(Ok(None), |value| {
            let number = value.parse::<f64>().ok().filter(|number| number.abs() < 1e12);
            number
                .map(Some)
                .ok_or_else(|| self.refuse(name, value, "a number"))
        })
    }
}

/// Reads a text; `file` is what messages call it.
///
/// # Errors
/// If it is no XML, defines what is to be expanded, or is too much of something.
pub(crate) fn elements(text: &str, file: &str) -> Result<Vec<Element>, MappingError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(text);
    let mut elements: Vec<Element> = Vec::new();
    // The elements that are open, by their place in the list.
    let mut open: Vec<usize> = Vec::new();
    let (mut line, mut counted) = (1, 0);
    loop {
        let here = (reader.buffer_position() as usize).min(text.len());
        line += text.as_bytes()[counted..here.max(counted)]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        counted = here.max(counted);
        let failed = |reason: String| MappingError {
            place: format!("{file} line {line}"),
            reason: reason.replace('\n', " "),
        };
        let event = reader
            .read_event()
            .map_err(|error| failed(format!("is no XML: {error}")))?;
        match event {
            Event::Start(start) => {
                if open.len() >= DEEPEST {
                    return Err(failed(format!("more than {DEEPEST} elements lie in one another")));
                }
                let element = element(&start, open.len(), line, file)?;
                open.push(elements.len());
                elements.push(element);
            }
            Event::Empty(start) => elements.push(element(&start, open.len(), line, file)?),
            Event::End(_) => {
                open.pop();
            }
            Event::Text(text) => add_text(&mut elements, &open, &text.into_inner()),
            Event::CData(text) => add_text(&mut elements, &open, &text.into_inner()),
            Event::GeneralRef(reference) => {
                let letter = resolved(&reference).ok_or_else(|| {
                    failed(format!(
                        "`&{};` means nothing",
                        reference.into_inner().escape_debug()
                    ))
                })?;
                add_text(&mut elements, &open, letter.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(failed("defines a document type, which is not read".into())),
            Event::Eof if open.is_empty() => return Ok(elements),
            Event::Eof => return Err(failed("ends before its elements do".into())),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if elements.len() > MOST_ELEMENTS {
            return Err(failed(format!("there are more than {MOST_ELEMENTS} elements")));
        }
    }
}

fn element(start: &BytesStart<'_>, depth: usize, line: usize, file: &str) -> Result<Element, MappingError> {
    let name = start.name().as_ref().to_owned();
    let place = format!(
        "{file} line {line}, <{}>",
        name.chars().take(40).collect::<String>()
    );
    let failed = |reason: String| MappingError {
        place: place.clone(),
        reason: reason.replace('\n', " "),
    };
    let mut attributes = Vec::new();
    for attribute in start.attributes().take(MOST_ATTRIBUTES) {
        let attribute = attribute.map_err(|error| failed(error.to_string()))?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|error| failed(error.to_string()))?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element {
        name,
        depth,
        attributes,
        text: String::new(),
        place,
    })
}

fn add_text(elements: &mut [Element], open: &[usize], text: &str) {
    if let Some(element) = open.last().and_then(|index| elements.get_mut(*index))
        && element.text.len() + text.len() <= LONGEST_TEXT
    {
        element.text.push_str(text);
    }
}

/// The letter that a reference means: by its number, or one of XML's own five.
fn resolved(reference: &BytesRef<'_>) -> Option<char> {
    if let Ok(Some(letter)) = reference.resolve_char_ref() {
        return Some(letter);
    }
    let name: Cow<'_, str> = reference.xml10_content();
    match &*name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_come_in_order_with_their_depth_attributes_and_text() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<a x='1 &amp; 2'>\n  <b y=\"\">R &amp; B &#x41;</b><!-- c -->\n  <c/>\n</a>";
        let elements = elements(text, "m.xml").unwrap();
        let short: Vec<(&str, usize)> = elements
            .iter()
            .map(|one| (one.name.as_str(), one.depth))
            .collect();
        assert_eq!(short, [("a", 0), ("b", 1), ("c", 1)]);
        assert_eq!(elements[0].value("x"), Some("1 & 2"));
        assert_eq!(
            (elements[1].value("y"), elements[1].text.as_str()),
            (Some(""), "R & B A")
        );
        assert!(elements[2].place.starts_with("m.xml line ") && elements[2].place.ends_with(", <c>"));
        assert_eq!(
            elements[0]
                .number("x")
                .unwrap_err()
                .to_string()
                .split_once(": ")
                .unwrap()
                .1,
            "`x` is \"1 & 2\"; expected a number"
        );
        assert_eq!(elements[0].number("z"), Ok(None));
    }

    #[test]
    fn what_expands_or_does_not_end_is_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"xxxx\">]><a>&x;</a>";
        for text in [
            bomb,
            "<a>&x;</a>",
            "<a b='&x;'/>",
            "<a><b></a>",
            "<a>",
            "<a b='1' b='2'/>",
        ] {
            let message = elements(text, "m.xml").unwrap_err().to_string();
            assert!(
                message.starts_with("m.xml line 1") && !message.contains('\n'),
                "{message}"
            );
        }
        let deep = "<a>".repeat(40);
        assert!(
            elements(&deep, "m.xml")
                .unwrap_err()
                .to_string()
                .contains("in one another")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(<a b='c'>|</a>|<b/>|&amp;|&#65;|&x;|<!--|-->|<!\\[CDATA\\[|\\]\\]>|x|'|<|>|\n|\u{e9}){0,30}") {
            let _ = elements(&text, "m.xml");
        }
    }
}
