//! What the demo's host process measured, as it wrote it down.

use anyhow::{Context, Result};
use serde_json::Value;

/// A place of the blend in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlendPoint {
    /// Seconds from the start of the recording.
    pub seconds: f64,
    /// 0 left to 1 right.
    pub x: f64,
    /// 0 bottom to 1 top.
    pub y: f64,
}

/// The host's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoReport {
    notes_rendered: u64,
    realtime_factor: f64,
    underruns: u64,
    peak_memory_bytes: u64,
    /// More figures, as the host words them.
    others: Vec<Vec<String>>,
    /// How the blend moved.
    pub blend_path: Vec<BlendPoint>,
}

impl DemoReport {
    /// Reads the host's JSON; a missing field is named.
    pub fn parse(text: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(text).context("it is no JSON")?;
        let count = |name: &str| {
            report
                .get(name)
                .and_then(Value::as_u64)
                .with_context(|| format!("`{name}` is missing or no count"))
        };
        let path = report
            .get("blend_path")
            .and_then(Value::as_array)
            .context("`blend_path` is missing or no list")?;
        let others = report
            .get("rows")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        Ok(Self {
            notes_rendered: count("notes_rendered")?,
            realtime_factor: report
                .get("realtime_factor")
                .and_then(Value::as_f64)
                .context("`realtime_factor` is missing or no number")?,
            underruns: count("underruns")?,
            peak_memory_bytes: count("peak_memory_bytes")?,
            others: others
                .iter()
                .map(words)
                .collect::<Option<_>>()
                .context("`rows` holds other than texts")?,
            blend_path: path
                .iter()
                .map(point)
                .collect::<Option<_>>()
                .context("`blend_path` holds other than [seconds, x, y]")?,
        })
    }

    /// Names and figures for a table.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let mut rows = vec![
            vec!["notes rendered".to_owned(), self.notes_rendered.to_string()],
            vec!["x real time".to_owned(), format!("{:.1}", self.realtime_factor)],
            vec!["underruns".to_owned(), self.underruns.to_string()],
            vec![
                "peak memory".to_owned(),
                format!("{:.0} MB", self.peak_memory_bytes as f64 / 1e6),
            ],
        ];
        rows.extend(self.others.iter().cloned());
        rows
    }
}

fn words(row: &Value) -> Option<Vec<String>> {
    row.as_array()?
        .iter()
        .map(|word| word.as_str().map(str::to_owned))
        .collect()
}

fn point(triple: &Value) -> Option<BlendPoint> {
    let [seconds, x, y] = triple.as_array()?.as_slice() else {
        return None;
    };
    Some(BlendPoint {
        seconds: seconds.as_f64()?,
        x: x.as_f64()?,
        y: y.as_f64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"notes_rendered": 41, "realtime_factor": 35.25, "underruns": 0,
        "peak_memory_bytes": 312000000, "blend_path": [[0, 0.5, 1.0]], "rows": [["model", "spectral"]]}"#;

    #[test]
    fn a_report_becomes_the_table() {
        let report = DemoReport::parse(WHOLE).unwrap();
        assert_eq!(
            report.blend_path,
            [BlendPoint {
                seconds: 0.0,
                x: 0.5,
                y: 1.0
            }]
        );
        let rows = report.rows();
        assert_eq!(rows[0], ["notes rendered", "41"]);
        assert_eq!(rows[3], ["peak memory", "312 MB"]);
        assert_eq!(rows[4], ["model", "spectral"]);
    }

    #[test]
    fn a_missing_figure_is_named() {
        let error = DemoReport::parse(&WHOLE.replace("underruns", "overruns")).unwrap_err();
        assert!(error.to_string().contains("`underruns`"), "{error}");
    }

    #[test]
    fn a_truncated_report_is_refused() {
        for end in 0..WHOLE.len() {
            assert!(DemoReport::parse(&WHOLE[..end]).is_err());
        }
    }
}
