//! The tokens of an expression, each with its column.
//!
//! Pure text, any thread.

use super::expression::ExpressionError;

/// What an expression is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Not negative: signs are tokens of their own.
    Number(f64),
    /// Of letters, digits and `_`.
    Name(String),
    /// What stood between quotes.
    Quoted(String),
    /// One of `+ - * / ( ) , =`.
    Sign(char),
    /// `..`
    Range,
    /// After the last character.
    End,
}

impl Token {
    /// As a message speaks of it.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Number(number) => format!("`{number}`"),
            Self::Name(name) => format!("`{name}`"),
            Self::Quoted(text) => format!("\"{text}\""),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::Range => "`..`".into(),
            Self::End => "the end".into(),
        }
    }
}

/// The tokens with their columns, counted from 1; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ExpressionError> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let begin = at;
        let while_in = |from: usize, belongs: &dyn Fn(char) -> bool| {
            let rest = chars[from..].iter();
            from + rest.take_while(|letter| belongs(**letter)).count()
        };
        let token = match first {
            _ if first.is_whitespace() => {
                at += 1;
                continue;
            }
            '.' if chars.get(at + 1) == Some(&'.') => {
                at += 2;
                Token::Range
            }
            '0'..='9' | '.' => {
                at = while_in(at, &|letter| letter.is_ascii_digit());
                // The dots of a range are not the number's.
                if chars.get(at) == Some(&'.') && chars.get(at + 1) != Some(&'.') {
                    at = while_in(at + 1, &|letter| letter.is_ascii_digit());
                }
                let digits: String = chars[begin..at].iter().collect();
                let number = digits.parse().ok().filter(|number: &f64| number.is_finite());
                Token::Number(
                    number
                        .ok_or_else(|| ExpressionError::at(begin + 1, format!("`{digits}` is no number")))?,
                )
            }
            _ if is_of_name(first) => {
                at = while_in(at, &is_of_name);
                Token::Name(chars[begin..at].iter().collect())
            }
            '"' | '\'' => {
                let end = while_in(at + 1, &|letter| letter != first);
                if end == chars.len() {
                    let problem = format!("the text in quotes does not end; expected another {first}");
                    return Err(ExpressionError::at(begin + 1, problem));
                }
                at = end + 1;
                Token::Quoted(chars[begin + 1..end].iter().collect())
            }
            '+' | '-' | '*' | '/' | '(' | ')' | ',' | '=' => {
                at += 1;
                Token::Sign(first)
            }
            _ => {
                let problem = format!(
                    "`{first}` has no place in an expression; a name with other signs stands in quotes"
                );
                return Err(ExpressionError::at(begin + 1, problem));
            }
        };
        found.push((begin + 1, token));
    }
    found.push((chars.len() + 1, Token::End));
    Ok(found)
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_no_number_and_a_minus_is_in_no_name() {
        let found: Vec<_> = tokens("5..7-.5*a_1-'x y'").unwrap();
        let expected = [
            (1, Token::Number(5.0)),
            (2, Token::Range),
            (4, Token::Number(7.0)),
            (5, Token::Sign('-')),
            (6, Token::Number(0.5)),
            (8, Token::Sign('*')),
            (9, Token::Name("a_1".into())),
            (12, Token::Sign('-')),
            (13, Token::Quoted("x y".into())),
            (18, Token::End),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_token_is_told_with_its_column() {
        let told = |text| tokens(text).unwrap_err().to_string();
        assert_eq!(told("flute - ."), "column 9: `.` is no number");
        assert_eq!(
            told("flöte ? a"),
            "column 7: `?` has no place in an expression; a name with other signs stands in quotes"
        );
        assert_eq!(
            told("a - \"b"),
            "column 5: the text in quotes does not end; expected another \""
        );
    }
}
