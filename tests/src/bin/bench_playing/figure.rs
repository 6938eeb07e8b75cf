//! A measured figure, as a row of a table and as JSON.

use serde_json::{Value, json};

/// What was measured.
#[derive(Debug, Clone)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// How it was measured, or what else was seen.
    pub detail: String,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            detail: detail.into(),
        }
    }

    /// Its line.
    pub fn row(&self) -> String {
        let places = match self.value.abs() {
            _ if self.value.fract() == 0.0 => 0,
            0.0..10.0 => 2,
            _ => 1,
        };
        format!(
            "  {:<58} {:>10.places$} {:<6} {}",
            self.name, self.value, self.unit, self.detail
        )
    }

    pub fn json(&self) -> Value {
        json!({ "name": self.name, "value": self.value, "unit": self.unit, "detail": self.detail })
    }
}

/// Median and greatest of some values.
pub fn median_and_worst(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    (median, sorted.last().copied().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_row_of_its_own_precision() {
        let figure = Figure::new("a voice", 5.4321, "ns", "");
        assert!(figure.row().trim_end().ends_with("5.43 ns"));
        assert_eq!(figure.json()["value"], 5.4321);
        assert_eq!(median_and_worst(&[3.0, 1.0, 2.0]), (2.0, 3.0));
    }
}
