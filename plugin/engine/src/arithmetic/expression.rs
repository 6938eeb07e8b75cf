//! An expression over sounds: `A - 0.5*B + C`, read and checked as far as that goes without the sounds.
//!
//! Pure text, any thread. What is read is already a tree of weighted sounds: numbers are reckoned, weights sum to 1.

use super::parser::Parser;

/// Longest expression, in characters.
pub const MAX_EXPRESSION_CHARS: usize = 2000;

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
        let (tree, names) = Parser::new(text)?.whole_text()?;
        Ok(Self {
            text: text.trim().into(),
            names,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::parser::{LEAST_SUM, parts};
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
