//! The reading of an expression, by recursive descent: one method for each rule.
//!
//! Pure text, any thread. Numbers and weights are reckoned on the way; what comes out are sounds and what is done to them.

use super::expression::{Dims, DimsUse, ExpressionError, NameUse, Tree};
use super::token::{Token, tokens};
use crate::blended_note::{ATTACK_JOIN_SECONDS, ATTACK_SECONDS};
use crate::credits::MAX_INGREDIENTS;

/// Parentheses and functions within each other at most.
const MAX_DEPTH: usize = 64;
/// Numbers beyond this are slips of the pen.
const MAX_NUMBER: f64 = 1e6;
/// Weights that sum to less make no sound: what is left is a difference.
pub(super) const LEAST_SUM: f64 = 1e-3;
/// Times of an attack.
const MAX_ATTACK_MS: f64 = 10_000.0;

/// What a part of an expression comes to.
enum Value {
    Number(f64),
    /// A sum of sounds, no two of them the same; weights need not sum to anything.
    Sounds(Vec<(f64, Tree)>),
}

/// Where the reading is.
pub(super) struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    names: Vec<NameUse>,
}

impl Parser {
    pub(super) fn new(text: &str) -> Result<Self, ExpressionError> {
        Ok(Self {
            tokens: tokens(text)?,
            next: 0,
            depth: 0,
            names: Vec::new(),
        })
    }

    /// All of it, as one sound, and the names in it.
    pub(super) fn whole_text(mut self) -> Result<(Tree, Vec<NameUse>), ExpressionError> {
        let tree = self.sound()?;
        let (column, token) = self.peek();
        if *token != Token::End {
            let problem = format!("expected an operator or the end, found {}", token.told());
            return Err(ExpressionError::at(column, problem));
        }
        Ok((tree, self.names))
    }

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
pub(super) fn parts(tree: Tree) -> Vec<(f64, Tree)> {
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
