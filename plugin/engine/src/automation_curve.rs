//! A curve of one parameter over time, read from a CSV file for offline bounces.
//!
//! A line is `seconds,value`; a first line that is no pair of numbers is the header. Empty lines and lines that
//! begin with `#` are skipped. Times rise from line to line (two equal times make a step). Between points the
//! curve is a straight line; before the first and after the last it holds.

use std::fs;
use std::path::Path;

/// A parameter's value over time.
#[derive(Debug, Clone, PartialEq)]
pub struct AutomationCurve {
    /// `(seconds, value)`, at least one, sorted by time, all finite.
    points: Vec<(f64, f32)>,
}

/// Why a curve could not be read. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum CurveError {
    /// The file could not be opened.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no text.
    #[error("not a CSV file: it is no UTF-8 text")]
    NotText,
    /// A line is not two numbers.
    #[error("line {line}: expected `seconds,value`, found `{found}`")]
    Line {
        /// Where.
        line: usize,
        /// The line, shortened.
        found: String,
    },
    /// A time is under zero.
    #[error("line {line}: expected a time of 0 s or more, found {found}")]
    NegativeTime {
        /// Where.
        line: usize,
        /// The time.
        found: f64,
    },
    /// A time is smaller than the one before.
    #[error("line {line}: times must rise, found {found} s after {before} s")]
    Unsorted {
        /// Where.
        line: usize,
        /// The time.
        found: f64,
        /// The time of the point before.
        before: f64,
    },
    /// There is no point at all.
    #[error("no `seconds,value` line found")]
    Empty,
}

impl AutomationCurve {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// Names the file's line and what was found there.
    pub fn read(path: &Path) -> Result<Self, CurveError> {
        let bytes = fs::read(path).map_err(|source| CurveError::Io {
            path: path.display().to_string(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Parses the bytes of a CSV file.
    ///
    /// # Errors
    /// Names the line and what was found there.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CurveError> {
        let text = std::str::from_utf8(bytes).map_err(|_| CurveError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut points: Vec<(f64, f32)> = Vec::new();
        let mut header_allowed = true;
        for (index, raw) in text.lines().enumerate() {
            let line = index + 1;
            let content = raw.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let Some((seconds, value)) = parse_pair(content) else {
                if header_allowed && is_header(content) {
                    header_allowed = false;
                    continue;
                }
                return Err(CurveError::Line {
                    line,
                    found: content.chars().take(40).collect(),
                });
            };
            header_allowed = false;
            if seconds < 0.0 {
                return Err(CurveError::NegativeTime { line, found: seconds });
            }
            if let Some(&(before, _)) = points.last()
                && seconds < before
            {
                return Err(CurveError::Unsorted {
                    line,
                    found: seconds,
                    before,
                });
            }
            points.push((seconds, value));
        }
        if points.is_empty() {
            return Err(CurveError::Empty);
        }
        Ok(Self { points })
    }

    /// The value at a time in seconds.
    pub fn value_at(&self, seconds: f64) -> f32 {
        let after = self.points.partition_point(|&(at, _)| at <= seconds);
        let Some(&(from, before)) = after.checked_sub(1).and_then(|index| self.points.get(index)) else {
            return self.points[0].1;
        };
        let Some(&(to, next)) = self.points.get(after) else {
            return before;
        };
        let way = (seconds - from) / (to - from);
        (f64::from(before) + (f64::from(next) - f64::from(before)) * way) as f32
    }

    /// Smallest and largest value of the curve.
    pub fn range(&self) -> (f32, f32) {
        self.points
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &(_, value)| {
                (low.min(value), high.max(value))
            })
    }
}

/// Two finite numbers with a comma (or semicolon) between.
fn parse_pair(line: &str) -> Option<(f64, f32)> {
    let (seconds, value) = line.split_once([',', ';'])?;
    let seconds: f64 = seconds.trim().parse().ok()?;
    let value: f32 = value.trim().parse().ok()?;
    (seconds.is_finite() && value.is_finite()).then_some((seconds, value))
}

/// Two words that are no numbers.
fn is_header(line: &str) -> bool {
    let is_word = |field: &str| {
        field
            .trim()
            .chars()
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '"')
    };
    line.split_once([',', ';'])
        .is_some_and(|(left, right)| is_word(left) && is_word(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_curve_is_straight_between_points_and_holds_outside() {
        let curve = AutomationCurve::from_bytes(b"seconds,value\n1,0\n3,1\n").unwrap();
        assert_eq!(curve.value_at(0.0), 0.0);
        assert_eq!(curve.value_at(1.5), 0.25);
        assert_eq!(curve.value_at(3.0), 1.0);
        assert_eq!(curve.value_at(99.0), 1.0);
        assert_eq!(curve.range(), (0.0, 1.0));
    }

    #[test]
    fn two_points_at_one_time_make_a_step() {
        let curve = AutomationCurve::from_bytes(b"0,0\n1,0\n1,1\n2,1").unwrap();
        assert_eq!(curve.value_at(0.999), 0.0);
        assert_eq!(curve.value_at(1.0), 1.0);
    }

    #[test]
    fn errors_name_the_line() {
        let message = |text: &[u8]| AutomationCurve::from_bytes(text).unwrap_err().to_string();
        assert_eq!(
            message(b"0,0\nx,1\n"),
            "line 2: expected `seconds,value`, found `x,1`"
        );
        assert_eq!(
            message(b"0,0\n1,nan\n"),
            "line 2: expected `seconds,value`, found `1,nan`"
        );
        assert_eq!(
            message(b"2,0\n\n1,1\n"),
            "line 3: times must rise, found 1 s after 2 s"
        );
        assert_eq!(
            message(b"-1,0\n"),
            "line 1: expected a time of 0 s or more, found -1"
        );
        assert_eq!(message(b"time,blend\n"), "no `seconds,value` line found");
        assert_eq!(message(b"\xff\xfe"), "not a CSV file: it is no UTF-8 text");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), at in -1.0..10.0_f64) {
            if let Ok(curve) = AutomationCurve::from_bytes(&bytes) {
                prop_assert!(curve.value_at(at).is_finite());
            }
        }

        #[test]
        fn every_truncation_of_a_curve_is_a_curve_or_an_error(
            points in prop::collection::vec((0.0..100.0_f64, -1e6..1e6_f32), 1..20), cut in 0.0..1.0_f64, at in 0.0..120.0_f64,
        ) {
            let mut points = points;
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let text: String = points.iter().map(|(s, v)| format!("{s},{v}\n")).collect();
            let whole = AutomationCurve::from_bytes(text.as_bytes()).unwrap();
            let (low, high) = whole.range();
            let value = whole.value_at(at);
            prop_assert!(value >= low - 1.0 && value <= high + 1.0);
            let cut = (text.len() as f64 * cut) as usize;
            let _ = AutomationCurve::from_bytes(&text.as_bytes()[..cut]);
        }
    }
}
