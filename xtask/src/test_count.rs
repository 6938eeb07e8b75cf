//! How many tests passed and failed, read from what test runners print.

use std::ops::AddAssign;

/// Tests by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TestCount {
    /// Ran and passed.
    pub passed: u64,
    /// Ran and failed, or could not be run.
    pub failed: u64,
    /// Left out by the runner.
    pub skipped: u64,
}

impl TestCount {
    /// Reads a line; None unless it is one that closes a run of cargo's or pytest's tests.
    pub fn from_line(line: &str) -> Option<Self> {
        // cargo: `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`
        // pytest: `=== 1 failed, 3 passed, 2 skipped in 0.12s ===`, without the rules if quiet
        let line = line.trim().trim_matches('=').trim();
        let of_cargo = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "));
        let counts = match of_cargo {
            Some((_, counts)) => counts,
            None => line.rsplit_once(" in ").filter(|(_, time)| is_duration(time))?.0,
        };
        let mut count = Self::default();
        for part in counts
            .split([';', ','])
            .filter(|part| !part.contains("finished in"))
        {
            let (number, outcome) = part.trim().split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            match outcome.trim() {
                "passed" | "xfailed" => count.passed += number,
                "failed" | "error" | "errors" | "xpassed" => count.failed += number,
                "ignored" | "skipped" => count.skipped += number,
                _ => {}
            }
        }
        Some(count)
    }
}

/// `0.12s`, or `75.01s (0:01:15)`
fn is_duration(text: &str) -> bool {
    let seconds = text.split(' ').next().unwrap_or_default();
    seconds
        .strip_suffix('s')
        .is_some_and(|number| number.parse::<f64>().is_ok())
}

impl AddAssign for TestCount {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(passed: u64, failed: u64, skipped: u64) -> Option<TestCount> {
        Some(TestCount {
            passed,
            failed,
            skipped,
        })
    }

    #[test]
    fn cargo_s_closing_line_is_counted() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s";
        assert_eq!(TestCount::from_line(line), count(5, 2, 1));
    }

    #[test]
    fn pytest_s_closing_line_is_counted_loud_or_quiet() {
        let loud = "=========== 1 failed, 3 passed, 2 skipped, 4 warnings in 75.01s (0:01:15) ===========";
        assert_eq!(TestCount::from_line(loud), count(3, 1, 2));
        assert_eq!(TestCount::from_line("12 passed in 0.12s"), count(12, 0, 0));
        assert_eq!(TestCount::from_line("2 errors in 1.50s"), count(0, 2, 0));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "",
            "running 5 tests",
            "test a_note ... ok",
            "   Finished `release` profile in 3.2s",
            "5 passed",
        ] {
            assert_eq!(TestCount::from_line(line), None, "{line}");
        }
    }
}
