//! The text of an SFZ file: comments, definitions, included files, headers and opcodes, each with the line that it stands on.
//!
//! Pure text. Definitions are replaced once and never in one another, and included files are counted, so that no text grows
//! beyond its bounds.

use std::collections::BTreeMap;

use crate::multisample::zone::MappingError;

const MOST_INCLUDES: usize = 256;
const DEEPEST_INCLUDE: usize = 8;
const MOST_TEXT_BYTES: usize = 16 << 20;
const MOST_DEFINITIONS: usize = 4096;
const LONGEST_VALUE: usize = 4096;

/// What a text says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// `<region>`, without its brackets.
    Header(&'a str),
    /// A name in small letters, and its value.
    Opcode(&'a str, &'a str),
    /// A word that is neither.
    Stray(&'a str),
}

/// Is told each item of a text, and where it stands.
type Tell<'a> = dyn FnMut(&str, Item<'_>) -> Result<(), MappingError> + 'a;

/// A text and all that it includes.
pub(crate) struct SfzText<'a> {
    include: &'a mut dyn FnMut(&str) -> Result<String, String>,
    definitions: BTreeMap<String, String>,
    includes: usize,
    bytes: usize,
    in_comment: bool,
}

impl<'a> SfzText<'a> {
    /// `include` gives the text of a file that is named in the text.
    pub(crate) fn new(include: &'a mut dyn FnMut(&str) -> Result<String, String>) -> Self {
        Self {
            include,
            definitions: BTreeMap::new(),
            includes: 0,
            bytes: 0,
            in_comment: false,
        }
    }

    /// Reads a text; `file` is what places are called by.
    ///
    /// # Errors
    /// What `tell` gives, and what is included and cannot be, or is too much.
    pub(crate) fn read(&mut self, text: &str, file: &str, tell: &mut Tell<'_>) -> Result<(), MappingError> {
        self.read_file(text, file, 0, tell)
    }

    fn read_file(
        &mut self,
        text: &str,
        file: &str,
        depth: usize,
        tell: &mut Tell<'_>,
    ) -> Result<(), MappingError> {
        self.bytes += text.len();
        if self.bytes > MOST_TEXT_BYTES {
            return Err(MappingError {
                place: file.into(),
                reason: format!("it and what it includes have more than {MOST_TEXT_BYTES} bytes"),
            });
        }
        for (index, line) in text.lines().enumerate() {
            let place = format!("{file} line {}", index + 1);
            let line = self.without_comments(line);
            self.read_line(&line, &place, depth, tell)?;
        }
        Ok(())
    }

    /// A line without what is not to be read; a comment may go on in the next.
    fn without_comments(&mut self, line: &str) -> String {
        let (mut kept, mut rest) = (String::new(), line);
        loop {
            if self.in_comment {
                let Some((_, after)) = rest.split_once("*/") else {
                    return kept;
                };
                (self.in_comment, rest) = (false, after);
                kept.push(' ');
            }
            let (line_end, block) = (rest.find("//"), rest.find("/*"));
            match block.filter(|block| line_end.is_none_or(|line_end| *block < line_end)) {
                Some(block) => {
                    kept.push_str(&rest[..block]);
                    (self.in_comment, rest) = (true, &rest[block + 2..]);
                }
                None => {
                    kept.push_str(&rest[..line_end.unwrap_or(rest.len())]);
                    return kept;
                }
            }
        }
    }

    fn read_line(
        &mut self,
        line: &str,
        place: &str,
        depth: usize,
        tell: &mut Tell<'_>,
    ) -> Result<(), MappingError> {
        let failed = |reason: String| MappingError {
            place: place.to_owned(),
            reason,
        };
        let mut rest = line.trim();
        while !rest.is_empty() {
            let word = rest.split(char::is_whitespace).next().unwrap_or(rest);
            if word == "#define" {
                let mut words = rest[word.len()..].trim_start().splitn(2, char::is_whitespace);
                let name = words.next().unwrap_or_default();
                let after = words.next().unwrap_or_default().trim_start();
                let value = after.split(char::is_whitespace).next().unwrap_or_default();
                rest = after[value.len()..].trim_start();
                let is_name = name.len() > 1 && name.starts_with('$');
                if !is_name || self.definitions.len() >= MOST_DEFINITIONS {
                    let found = name.escape_debug();
                    let most = MOST_DEFINITIONS;
                    let reason = format!(
                        "`#define` of \"{found}\"; expected a name that begins with $, and at most {most}"
                    );
                    return Err(failed(reason));
                }
                let value = value.chars().take(LONGEST_VALUE).collect();
                self.definitions.insert(name.to_owned(), value);
            } else if word == "#include" {
                let quoted = rest[word.len()..].trim_start().strip_prefix('"');
                let Some((name, after)) = quoted.and_then(|quoted| quoted.split_once('"')) else {
                    return Err(failed("`#include` names no file; expected one in quotes".into()));
                };
                rest = after.trim_start();
                self.include_file(name, place, depth, tell)?;
            } else if let Some((name, after)) = header(rest) {
                rest = after.trim_start();
                tell(place, Item::Header(&name.to_ascii_lowercase()))?;
            } else if let Some((name, after)) = opcode_name(rest) {
                let value = &after[..value_end(after)];
                rest = after[value.len()..].trim_start();
                let name = self.replaced(name).map_err(failed)?.to_ascii_lowercase();
                let value = self.replaced(value.trim()).map_err(failed)?;
                tell(place, Item::Opcode(&name, &value))?;
            } else {
                rest = rest[word.len()..].trim_start();
                // A definition may be opcodes by itself.
                let replaced = self.replaced(word).map_err(failed)?;
                match opcode_name(&replaced) {
                    Some((name, value)) => tell(place, Item::Opcode(&name.to_ascii_lowercase(), value))?,
                    None => tell(place, Item::Stray(word))?,
                }
            }
        }
        Ok(())
    }

    fn include_file(
        &mut self,
        name: &str,
        place: &str,
        depth: usize,
        tell: &mut Tell<'_>,
    ) -> Result<(), MappingError> {
        let failed = |reason: String| MappingError {
            place: place.to_owned(),
            reason: format!("`#include` of \"{}\": {reason}", name.escape_debug()),
        };
        self.includes += 1;
        if self.includes > MOST_INCLUDES || depth >= DEEPEST_INCLUDE {
            let reason =
                format!("more than {MOST_INCLUDES} files, or {DEEPEST_INCLUDE} in one another, are included");
            return Err(failed(reason));
        }
        let name = self.replaced(name).map_err(failed)?;
        let text = (self.include)(&name).map_err(failed)?;
        self.read_file(&text, &name, depth + 1, tell)
    }

    /// A text with what is defined in place of its names, the longest that fits each.
    fn replaced(&self, text: &str) -> Result<String, String> {
        let (mut replaced, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            replaced.push_str(before);
            let named = &rest[before.len()..];
            let fits = self
                .definitions
                .iter()
                .filter(|(name, _)| named.starts_with(name.as_str()));
            match fits.max_by_key(|(name, _)| name.len()) {
                Some((name, value)) => {
                    replaced.push_str(value);
                    rest = &named[name.len()..];
                }
                None => {
                    replaced.push('$');
                    rest = after;
                }
            }
            if replaced.len() > LONGEST_VALUE {
                return Err(format!("a value has more than {LONGEST_VALUE} letters"));
            }
        }
        replaced.push_str(rest);
        Ok(replaced)
    }
}

/// A header at the beginning of a text, and what follows it.
fn header(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    is_name.then_some((name, after))
}

/// The name of an opcode at the beginning of a text, and what follows its sign.
fn opcode_name(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.split_once('=')?;
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$');
    (!name.is_empty() && name.chars().all(is_letter)).then_some((name, after))
}

/// Where the value at the beginning of a text ends: before the next opcode, header or directive. Names of files hold spaces.
fn value_end(text: &str) -> usize {
    let mut was_space = false;
    for (at, letter) in text.char_indices() {
        let next = &text[at..];
        let begins = was_space
            && (opcode_name(next).is_some() || next.starts_with("#define") || next.starts_with("#include"));
        if begins || letter == '<' && header(next).is_some() {
            return at;
        }
        was_space = letter.is_whitespace();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every item of a text, each on a line.
    fn items(text: &str, files: &[(&str, &str)]) -> Result<Vec<String>, MappingError> {
        let mut include = |name: &str| {
            let found = files.iter().find(|(known, _)| *known == name);
            found.map_or(Err("is not there".into()), |(_, text)| Ok((*text).to_owned()))
        };
        let mut items = Vec::new();
        SfzText::new(&mut include).read(text, "a.sfz", &mut |place, item| {
            let place = place.replace(" line ", ":");
            items.push(match item {
                Item::Header(name) => format!("{place} <{name}>"),
                Item::Opcode(name, value) => format!("{place} {name}={value}"),
                Item::Stray(word) => format!("{place} ?{word}"),
            });
            Ok(())
        })?;
        Ok(items)
    }

    #[test]
    fn values_hold_spaces_and_end_where_the_next_thing_begins() {
        let text = "<Region>sample=a b<c> d.wav  LOKEY=3<region>sample=b.wav\nkey=c#4 word // no=1\n/* x=1 */ y=2 /* z=3\nw=4 */v=5";
        assert_eq!(
            items(text, &[]).unwrap(),
            [
                "a.sfz:1 <region>",
                "a.sfz:1 sample=a b",
                "a.sfz:1 <c>",
                "a.sfz:1 ?d.wav",
                "a.sfz:1 lokey=3",
                "a.sfz:1 <region>",
                "a.sfz:1 sample=b.wav",
                "a.sfz:2 key=c#4 word",
                "a.sfz:3 y=2",
                "a.sfz:4 v=5",
            ]
        );
    }

    #[test]
    fn definitions_are_replaced_by_the_longest_name_and_included_files_are_read_in_place() {
        let text = "#define $K 60\n#define $KEY 61 #define $ALL key=$K\nkey=$K lokey=$KEY hi$K=1 $ALL $X\n#include \"more.sfz\" end=3";
        assert_eq!(
            items(text, &[("more.sfz", "x=$KEY\ny=1")]).unwrap(),
            [
                "a.sfz:3 key=60",
                "a.sfz:3 lokey=61",
                "a.sfz:3 hi60=1 key=$K $X",
                "more.sfz:1 x=61",
                "more.sfz:2 y=1",
                "a.sfz:4 end=3",
            ]
        );
        assert_eq!(
            items("#define $ALL key=6\n$ALL $X", &[]).unwrap(),
            ["a.sfz:2 key=6", "a.sfz:2 ?$X"]
        );
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let message = items("#include \"a\"", &[("a", "#include \"a\"")])
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("a line 1: `#include` of \"a\": more than 256 files, or 8"),
            "{message}"
        );
        let wide = "#include \"b\"\n".repeat(300);
        assert!(items(&wide, &[("b", "")]).is_err());
        let message = items("x=1\n#include \"c\"", &[]).unwrap_err().to_string();
        assert_eq!(message, "a.sfz line 2: `#include` of \"c\": is not there");
        assert!(items("#include c", &[]).is_err() && items("#define K 3", &[]).is_err());
    }

    #[test]
    fn definitions_do_not_explode() {
        let long = "a".repeat(3000);
        let text = format!("#define $A {long}\nx=$A$A");
        assert!(
            items(&text, &[])
                .unwrap_err()
                .to_string()
                .contains("4096 letters")
        );
    }
}
