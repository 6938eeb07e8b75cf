//! An expression over sounds: `A - 0.5*B + C`, read and checked as far as that goes without the sounds.
//!
//! Pure text, any thread. What is read is already a tree of weighted sounds: numbers are reckoned, weights sum to 1.

use super::token::{Token, tokens};
use crate::blended_note::{ATTACK_JOIN_SECONDS, ATTACK_SECONDS};
use crate::credits::MAX_INGREDIENTS;

/// Longest expression, in characters.
pub const MAX_EXPRESSION_CHARS: usize = 2000;
/// Parentheses and functions within each other at most.
const MAX_DEPTH: usize = 64;
/// Numbers beyond this are slips of the pen.
const MAX_NUMBER: f64 = 1e6;
/// Weights that sum to less make no sound: what is left is a difference.
const LEAST_SUM: f64 = 1e-3;
/// Times of an attack.
const MAX_ATTACK_MS: f64 = 10_000.0;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct ExpressionError {
    /// The character that it begins at, counted from 1.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl ExpressionError {
    pub(super) fn at(column: usize, problem: impl Into<String>) -> Self {
        Self {
            column,
            problem: problem.into(),
        }
    }
}

/// An expression that makes sense as far as can be told without its sounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    names: Vec<NameUse>,
    tree: Tree,
}

/// A name of a sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameUse {
    pub text: String,
    /// Where it first stands.
    pub column: usize,
    /// Whether it may be a path.
    pub is_quoted: bool,
}

/// What an expression says is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// Index of a name.
    Sound(usize),
    /// At least two, no two of them the same; the weights sum to 1.
    Blend(Vec<(f32, Tree)>),
    /// The beginning of one with the rest of another.
    Attack {
        from: Box<Tree>,
        body: Box<Tree>,
        at_seconds: f64,
        join_seconds: f64,
    },
    /// Backwards.
    Reverse(Box<Tree>),
    /// One with some dimensions of another.
    Swap {
        into: Box<Tree>,
        from: Box<Tree>,
        dims: Vec<DimsUse>,
    },
}

/// Dimensions, as an expression names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DimsUse {
    pub dims: Dims,
    pub column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dims {
    /// From one to another, both counted.
    Range(usize, usize),
    /// The measured level.
    Level,
    /// The measured deviation from the pitch.
    Pitch,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// On the first thing that makes no sense, with its column.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if let Some((column, _)) = text.chars().enumerate().nth(MAX_EXPRESSION_CHARS) {
            let problem =
                format!("the expression goes on; expected at most {MAX_EXPRESSION_CHARS} characters");
            return Err(ExpressionError::at(column + 1, problem));
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            next: 0,
            depth: 0,
            names: Vec::new(),
        };
        let tree = parser.sound()?;
        let (column, token) = parser.peek();
        if *token != Token::End {
            let problem = format!("expected an operator or the end, found {}", token.told());
            return Err(ExpressionError::at(column, problem));
        }
        Ok(Self {
            text: text.trim().into(),
            names: parser.names,
            tree,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of its sounds, each once, in the order in which they first stand in it.
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(|name| name.text.as_str()).collect()
    }

    pub(super) fn uses(&self) -> &[NameUse] {
        &self.names
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// What a part of an expression comes to.
enum Value {
    Number(f64),
    /// A sum of sounds, no two of them the same; weights need not sum to anything.
    Sounds(Vec<(f64, Tree)>),
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    names: Vec<NameUse>,
}

impl Parser {
    fn peek(&self) -> (usize, &Token) {
        let last = self.tokens.len() - 1;
        let (column, token) = &self.tokens[self.next.min(last)];
        (*column, token)
    }

    fn take(&mut self) -> (usize, Token) {
        let (column, token) = self.peek();
        let taken = (column, token.clone());
        self.next += 1;
        taken
    }

    /// Takes one of some signs, if it is next.
    fn sign(&mut self, signs: &[char]) -> Option<char> {
        match self.peek().1 {
            Token::Sign(sign) if signs.contains(sign) => {
                let sign = *sign;
                self.next += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn expect(&mut self, sign: char, why: &str) -> Result<(), ExpressionError> {
        if self.sign(&[sign]).is_some() {
            return Ok(());
        }
        let (column, token) = self.peek();
        let problem = format!("expected `{sign}` {why}, found {}", token.told());
        Err(ExpressionError::at(column, problem))
    }

    /// A sum that is a sound.
    fn sound(&mut self) -> Result<Tree, ExpressionError> {
        let column = self.peek().0;
        match self.sum()? {
            Value::Number(number) => Err(ExpressionError::at(
                column,
                format!("expected a sound, found the number {number}"),
            )),
            Value::Sounds(sounds) => whole(sounds, column),
        }
    }

    fn sum(&mut self) -> Result<Value, ExpressionError> {
        let mut sum = self.product()?;
        loop {
            let column = self.peek().0;
            let Some(sign) = self.sign(&['+', '-']) else {
                return Ok(sum);
            };
            let factor = if sign == '-' { -1.0 } else { 1.0 };
            sum = match (sum, self.product()?) {
                (Value::Number(a), Value::Number(b)) => Value::Number(bounded(a + factor * b, column)?),
                (Value::Sounds(mut sounds), Value::Sounds(more)) => {
                    for (weight, tree) in more {
                        add(&mut sounds, factor * weight, tree);
                    }
                    Value::Sounds(sounds)
                }
                _ => {
                    let problem =
                        format!("a number and a sound stand on the sides of `{sign}`; expected two sounds");
                    return Err(ExpressionError::at(column, problem));
                }
            };
        }
    }

    fn product(&mut self) -> Result<Value, ExpressionError> {
        let mut product = self.signed()?;
        loop {
            let column = self.peek().0;
            let Some(sign) = self.sign(&['*', '/']) else {
                return Ok(product);
            };
            let by = self.signed()?;
            let refused = |problem: &str| Err(ExpressionError::at(column, problem));
            product = match (product, sign, by) {
                (_, '/', Value::Sounds(_)) => {
                    return refused("something is divided by a sound; expected a number");
                }
                (_, '/', Value::Number(0.0)) => return refused("something is divided by 0"),
                (Value::Number(a), '/', Value::Number(b)) => Value::Number(bounded(a / b, column)?),
                (Value::Number(a), _, Value::Number(b)) => Value::Number(bounded(a * b, column)?),
                (Value::Sounds(sounds), '/', Value::Number(b)) => scaled(sounds, 1.0 / b, column)?,
                (Value::Sounds(sounds), _, Value::Number(b))
                | (Value::Number(b), _, Value::Sounds(sounds)) => scaled(sounds, b, column)?,
                (Value::Sounds(_), _, Value::Sounds(_)) => {
                    return refused("two sounds are multiplied; expected a number on one side");
                }
            };
        }
    }

    fn signed(&mut self) -> Result<Value, ExpressionError> {
        let column = self.peek().0;
        let mut factor = 1.0;
        while let Some(sign) = self.sign(&['+', '-']) {
            if sign == '-' {
                factor = -factor;
            }
        }
        match self.primary()? {
            Value::Number(number) => Ok(Value::Number(factor * number)),
            Value::Sounds(sounds) => scaled(sounds, factor, column),
        }
    }

    fn primary(&mut self) -> Result<Value, ExpressionError> {
        let (column, token) = self.take();
        match token {
            Token::Number(number) => Ok(Value::Number(bounded(number, column)?)),
            Token::Name(name) if *self.peek().1 == Token::Sign('(') => {
                self.deeper(column)?;
                self.next += 1;
                let value = self.function(&name, column)?;
                self.depth -= 1;
                Ok(value)
            }
            Token::Name(name) => self.named(name, column, false),
            Token::Quoted(name) => self.named(name, column, true),
            Token::Sign('(') => {
                self.deeper(column)?;
                let value = self.sum()?;
                self.expect(')', &format!("to the `(` in column {column}"))?;
                self.depth -= 1;
                Ok(value)
            }
            other => {
                let problem = format!("expected a sound or a number, found {}", other.told());
                Err(ExpressionError::at(column, problem))
            }
        }
    }

    fn deeper(&mut self, column: usize) -> Result<(), ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let problem = format!("more than {MAX_DEPTH} parentheses within each other");
            return Err(ExpressionError::at(column, problem));
        }
        Ok(())
    }

    fn named(&mut self, text: String, column: usize, is_quoted: bool) -> Result<Value, ExpressionError> {
        if text.trim().is_empty() {
            return Err(ExpressionError::at(
                column,
                "expected the name of a sound, found an empty one",
            ));
        }
        let known = self.names.iter().position(|name| name.text == text);
        let index = known.unwrap_or(self.names.len());
        if known.is_none() {
            if index == MAX_INGREDIENTS {
                let problem = format!("one sound more; expected at most {MAX_INGREDIENTS} different ones");
                return Err(ExpressionError::at(column, problem));
            }
            self.names.push(NameUse {
                text,
                column,
                is_quoted,
            });
        }
        Ok(Value::Sounds(vec![(1.0, Tree::Sound(index))]))
    }

    /// A function's arguments, after its `(`.
    fn function(&mut self, name: &str, column: usize) -> Result<Value, ExpressionError> {
        let sounds = match name {
            "mean" => {
                let mut operands = vec![self.sound()?];
                while self.sign(&[',']).is_some() {
                    operands.push(self.sound()?);
                }
                let share = 1.0 / operands.len() as f64;
                let mut sounds = Vec::new();
                for operand in operands {
                    for (weight, tree) in parts(operand) {
                        add(&mut sounds, share * weight, tree);
                    }
                }
                sounds
            }
            "reverse" => vec![(1.0, Tree::Reverse(Box::new(self.sound()?)))],
            "attack" => vec![(1.0, self.attack()?)],
            "swap" => vec![(1.0, self.swap()?)],
            _ => {
                let problem = format!("`{name}` is no function; expected mean, attack, reverse or swap");
                return Err(ExpressionError::at(column, problem));
            }
        };
        self.expect(')', &format!("to the `(` of `{name}` in column {column}"))?;
        Ok(Value::Sounds(sounds))
    }

    /// `A, body=B, at_ms=60, crossfade_ms=60`: the times may be left out.
    fn attack(&mut self) -> Result<Tree, ExpressionError> {
        let from = Box::new(self.sound()?);
        let mut body = None;
        let mut at_seconds = None;
        let mut join_seconds = None;
        while self.sign(&[',']).is_some() {
            let (column, option) = self.option()?;
            let is_again = match option.as_str() {
                "body" => body.replace(Box::new(self.sound()?)).is_some(),
                "at_ms" => at_seconds.replace(self.milliseconds()?).is_some(),
                "crossfade_ms" => join_seconds.replace(self.milliseconds()?).is_some(),
                _ => {
                    let problem = format!("`{option}` is unknown; expected body, at_ms or crossfade_ms");
                    return Err(ExpressionError::at(column, problem));
                }
            };
            if is_again {
                return Err(ExpressionError::at(column, format!("`{option}` is given twice")));
            }
        }
        let (column, token) = self.peek();
        let body = body.ok_or_else(|| {
            ExpressionError::at(
                column,
                format!("expected `, body=` and a sound, found {}", token.told()),
            )
        })?;
        Ok(Tree::Attack {
            from,
            body,
            at_seconds: at_seconds.unwrap_or(ATTACK_SECONDS),
            join_seconds: join_seconds.unwrap_or(ATTACK_JOIN_SECONDS),
        })
    }

    /// `NAME=`
    fn option(&mut self) -> Result<(usize, String), ExpressionError> {
        let (column, token) = self.take();
        let Token::Name(option) = token else {
            let problem = format!("expected body=, at_ms= or crossfade_ms=, found {}", token.told());
            return Err(ExpressionError::at(column, problem));
        };
        self.expect('=', &format!("after `{option}`"))?;
        Ok((column, option))
    }

    fn milliseconds(&mut self) -> Result<f64, ExpressionError> {
        let (column, token) = self.take();
        match token {
            Token::Number(number) if number <= MAX_ATTACK_MS => Ok(number / 1000.0),
            other => {
                let problem = format!("expected 0 to {MAX_ATTACK_MS} ms, found {}", other.told());
                Err(ExpressionError::at(column, problem))
            }
        }
    }

    /// `A, B, 2, 5..7, level`
    fn swap(&mut self) -> Result<Tree, ExpressionError> {
        let into = Box::new(self.sound()?);
        self.expect(',', "and the sound that dimensions come from")?;
        let from = Box::new(self.sound()?);
        self.expect(',', "and dimensions, such as 2, 5..7, level or pitch")?;
        let mut dims = vec![self.dims()?];
        while self.sign(&[',']).is_some() {
            dims.push(self.dims()?);
        }
        Ok(Tree::Swap { into, from, dims })
    }

    fn dims(&mut self) -> Result<DimsUse, ExpressionError> {
        let (column, token) = self.take();
        let dims = match &token {
            Token::Name(name) if name == "level" => Dims::Level,
            Token::Name(name) if name == "pitch" => Dims::Pitch,
            Token::Number(_) => {
                let first = dim(&token, column)?;
                let mut last = first;
                if *self.peek().1 == Token::Range {
                    self.next += 1;
                    let (column, token) = self.take();
                    last = dim(&token, column)?;
                    if last < first {
                        let problem = format!("the range ends at {last}; expected {first} or more");
                        return Err(ExpressionError::at(column, problem));
                    }
                }
                Dims::Range(first, last)
            }
            other => {
                let problem = format!(
                    "expected a dimension, such as 2, 5..7, level or pitch, found {}",
                    other.told()
                );
                return Err(ExpressionError::at(column, problem));
            }
        };
        Ok(DimsUse { dims, column })
    }
}

/// The number of a dimension.
fn dim(token: &Token, column: usize) -> Result<usize, ExpressionError> {
    match token {
        Token::Number(number) if number.fract() == 0.0 && *number < 1024.0 => Ok(*number as usize),
        other => {
            let problem = format!("expected the number of a dimension, found {}", other.told());
            Err(ExpressionError::at(column, problem))
        }
    }
}

fn bounded(number: f64, column: usize) -> Result<f64, ExpressionError> {
    if number.abs() <= MAX_NUMBER {
        Ok(number)
    } else {
        let problem = format!("a number comes to {number:e}; expected at most {MAX_NUMBER}");
        Err(ExpressionError::at(column, problem))
    }
}

fn scaled(sounds: Vec<(f64, Tree)>, by: f64, column: usize) -> Result<Value, ExpressionError> {
    let scaled = sounds
        .into_iter()
        .map(|(weight, tree)| Ok((bounded(weight * by, column)?, tree)));
    Ok(Value::Sounds(scaled.collect::<Result<_, _>>()?))
}

/// Adds to a sum of sounds; what is there already is not there twice.
fn add(sounds: &mut Vec<(f64, Tree)>, weight: f64, tree: Tree) {
    match sounds.iter_mut().find(|(_, known)| *known == tree) {
        Some((sum, _)) => *sum += weight,
        None => sounds.push((weight, tree)),
    }
}

/// The sounds of a tree that is a sum, or the tree itself.
fn parts(tree: Tree) -> Vec<(f64, Tree)> {
    match tree {
        Tree::Blend(parts) => parts
            .into_iter()
            .map(|(weight, tree)| (f64::from(weight), tree))
            .collect(),
        other => vec![(1.0, other)],
    }
}

/// A sum as one sound: its weights scaled to sum to 1.
fn whole(mut sounds: Vec<(f64, Tree)>, column: usize) -> Result<Tree, ExpressionError> {
    let sum: f64 = sounds.iter().map(|(weight, _)| weight).sum();
    if sum < LEAST_SUM {
        let problem = format!(
            "the weights of its sounds sum to {sum:.3}; expected more than 0: a difference is no sound until \
             one is added, as in A - B + C"
        );
        return Err(ExpressionError::at(column, problem));
    }
    sounds.retain(|(weight, _)| weight.abs() > 1e-9 * sum);
    if sounds.len() == 1
        && let Some((_, tree)) = sounds.pop()
    {
        return Ok(tree);
    }
    let shares = sounds
        .into_iter()
        .map(|(weight, tree)| ((weight / sum) as f32, tree));
    Ok(Tree::Blend(shares.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blend(text: &str) -> Vec<(f32, usize)> {
        match Expression::parse(text).unwrap().tree {
            Tree::Blend(parts) => {
                let sound = |tree| match tree {
                    Tree::Sound(index) => index,
                    other => panic!("{other:?}"),
                };
                parts
                    .into_iter()
                    .map(|(weight, tree)| (weight, sound(tree)))
                    .collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn weights_are_reckoned_and_scaled_to_sum_to_1() {
        assert_eq!(
            blend("A - 0.5*B + C"),
            [(2.0 / 3.0, 0), (-1.0 / 3.0, 1), (2.0 / 3.0, 2)]
        );
        assert_eq!(blend("a - b + c"), [(1.0, 0), (-1.0, 1), (1.0, 2)]);
        assert_eq!(
            blend("mean(a, b, c, d)"),
            [(0.25, 0), (0.25, 1), (0.25, 2), (0.25, 3)]
        );
        assert_eq!(blend("2*(a + b)/4 - -(b)*.5"), [(1.0 / 3.0, 0), (2.0 / 3.0, 1)]);
        assert_eq!(blend("(1 + 2)*a + b*(2 - 1)"), [(0.75, 0), (0.25, 1)]);
        assert_eq!(blend("0.5*(a - b) + c"), [(0.5, 0), (-0.5, 1), (1.0, 2)]);
        assert_eq!(blend("mean(a, b) + mean(b, c)"), [(0.25, 0), (0.5, 1), (0.25, 2)]);
    }

    #[test]
    fn a_sound_that_cancels_out_is_gone_and_one_sound_is_itself() {
        for text in [
            "flute",
            "2*flute",
            "flute - b + b",
            "mean(flute)",
            " ( flute ) ",
            "'flute'",
        ] {
            assert_eq!(Expression::parse(text).unwrap().tree, Tree::Sound(0), "{text}");
        }
    }

    #[test]
    fn functions_take_sums() {
        let expression =
            Expression::parse("swap(reverse(a), attack(b - c + a, body=c), 2, 5..7, level)").unwrap();
        assert_eq!(expression.names(), ["a", "b", "c"]);
        let Tree::Swap { into, from, dims } = expression.tree else {
            panic!("no swap")
        };
        assert_eq!(*into, Tree::Reverse(Box::new(Tree::Sound(0))));
        assert!(matches!(
            *from,
            Tree::Attack { at_seconds: 0.06, join_seconds: 0.06, ref body, .. } if **body == Tree::Sound(2)
        ));
        let dims: Vec<_> = dims.into_iter().map(|named| named.dims).collect();
        assert_eq!(dims, [Dims::Range(2, 2), Dims::Range(5, 7), Dims::Level]);
    }

    #[test]
    fn times_of_an_attack_may_be_given() {
        let expression = Expression::parse("attack(a, crossfade_ms=0, body=b, at_ms=12.5)").unwrap();
        assert!(matches!(
            expression.tree,
            Tree::Attack {
                at_seconds: 0.0125,
                join_seconds: 0.0,
                ..
            }
        ));
    }

    #[test]
    fn errors_say_the_column_what_was_found_and_what_was_expected() {
        let cases = [
            ("", "column 1: expected a sound or a number, found the end"),
            ("a - )", "column 5: expected a sound or a number, found `)`"),
            ("a b", "column 3: expected an operator or the end, found `b`"),
            ("2*3", "column 1: expected a sound, found the number 6"),
            (
                "a + 2",
                "column 3: a number and a sound stand on the sides of `+`; expected two sounds",
            ),
            (
                "a*b",
                "column 2: two sounds are multiplied; expected a number on one side",
            ),
            (
                "2/a",
                "column 2: something is divided by a sound; expected a number",
            ),
            ("a/0", "column 2: something is divided by 0"),
            (
                "a - b",
                "column 1: the weights of its sounds sum to 0.000; expected more than 0: a difference is no sound \
                 until one is added, as in A - B + C",
            ),
            (
                "(a + b",
                "column 7: expected `)` to the `(` in column 1, found the end",
            ),
            (
                "blur(a)",
                "column 1: `blur` is no function; expected mean, attack, reverse or swap",
            ),
            ("attack(a)", "column 9: expected `, body=` and a sound, found `)`"),
            ("attack(a, b)", "column 12: expected `=` after `b`, found `)`"),
            (
                "attack(a, body=b, at_ms=20000)",
                "column 25: expected 0 to 10000 ms, found `20000`",
            ),
            ("attack(a, body=b, body=c)", "column 19: `body` is given twice"),
            (
                "attack(a, time=b)",
                "column 11: `time` is unknown; expected body, at_ms or crossfade_ms",
            ),
            (
                "swap(a, b)",
                "column 10: expected `,` and dimensions, such as 2, 5..7, level or pitch, found `)`",
            ),
            (
                "swap(a, b, c)",
                "column 12: expected a dimension, such as 2, 5..7, level or pitch, found `c`",
            ),
            (
                "swap(a, b, 1.5)",
                "column 12: expected the number of a dimension, found `1.5`",
            ),
            (
                "swap(a, b, 7..5)",
                "column 15: the range ends at 5; expected 7 or more",
            ),
            (
                "a + ' '",
                "column 5: expected the name of a sound, found an empty one",
            ),
            (
                "99999999*a",
                "column 1: a number comes to 9.9999999e7; expected at most 1000000",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Expression::parse(text).unwrap_err().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn depth_length_and_number_of_sounds_are_bounded() {
        let deep = format!("{}a{}", "(".repeat(65), ")".repeat(65));
        let error = Expression::parse(&deep).unwrap_err();
        assert_eq!(
            (error.column, error.problem.contains("64 parentheses")),
            (65, true)
        );
        assert!(Expression::parse(&deep[1..deep.len() - 1]).is_ok());
        let long = format!("a{}", " ".repeat(MAX_EXPRESSION_CHARS));
        let error = Expression::parse(&long).unwrap_err();
        assert_eq!(
            (error.column, error.problem.contains("at most 2000")),
            (2001, true)
        );
        let many: Vec<_> = (0..300).map(|index| format!("s{index}")).collect();
        let error = Expression::parse(&many.join("+")).unwrap_err();
        assert!(error.problem.contains("at most 256"), "{error}");
    }

    proptest! {
        #[test]
        fn garbage_is_read_or_refused_within_its_columns(text in "[-+*/(),=.'\" a-c0-9\u{e4}]{0,60}") {
            if let Err(error) = Expression::parse(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error);
                prop_assert!(!error.to_string().contains('\n'));
            }
        }

        #[test]
        fn near_expressions_never_panic(parts in prop::collection::vec(prop::sample::select(vec![
            "a", "b", "mean(", "attack(", "reverse(", "swap(", "body=", "at_ms=", ",", ")", "(", "+", "-", "*", "/", "2", "..", "level",
        ]), 0..40)) {
            let _ = Expression::parse(&parts.join(" "));
        }

        #[test]
        fn the_weights_of_a_sum_are_in_proportion_and_sum_to_1(weights in prop::collection::vec(-2.0_f64..4.0, 2..8)) {
            let terms: Vec<_> = weights.iter().enumerate().map(|(index, weight)| format!("({weight:.6})*s{index}")).collect();
            let text = terms.join(" + ");
            let sum: f64 = weights.iter().sum();
            match Expression::parse(&text) {
                Ok(expression) => {
                    let parts = parts(expression.tree);
                    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
                    prop_assert!((total - 1.0).abs() < 1e-3 * parts.iter().map(|(weight, _)| weight.abs()).sum::<f64>());
                }
                Err(error) => prop_assert!(sum < 2.0 * LEAST_SUM, "{}: {}", text, error),
            }
        }
    }
}
