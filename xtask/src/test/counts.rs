//! Counting tests from what the runners print.

use std::fmt;

/// How many checks went which way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Counts {
    pub(super) const PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    pub(super) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
    pub(super) const SKIPPED: Self = Self {
        passed: 0,
        failed: 0,
        skipped: 1,
    };

    /// Adds another's.
    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Moves tests that passed by saying "skipped" to where they belong.
    pub(super) fn said_skipped(&mut self, tests: usize) {
        let moved = tests.min(self.passed);
        self.passed -= moved;
        self.skipped += moved;
    }

    /// Sums the `test result:` lines of `cargo test`; `None` if there is none.
    pub(super) fn of_cargo_test(output: &str) -> Option<Self> {
        let mut sum: Option<Self> = None;
        for line in output.lines() {
            let Some((_, result)) = line.split_once("test result: ") else {
                continue;
            };
            let sum = sum.get_or_insert_default();
            sum.passed += number_before(result, "passed");
            sum.failed += number_before(result, "failed");
            sum.skipped += number_before(result, "ignored");
        }
        sum
    }

    /// Reads the `Summary` line of cargo-nextest; `None` if there is none.
    pub(super) fn of_nextest(output: &str) -> Option<Self> {
        let line = output
            .lines()
            .rev()
            .find(|line| line.trim_start().starts_with("Summary ["))?;
        let (_, result) = line.split_once(']')?;
        let failed = ["failed", "timed", "exec"]
            .iter()
            .map(|word| number_before(result, word))
            .sum();
        Some(Self {
            passed: number_before(result, "passed"),
            failed,
            skipped: number_before(result, "skipped"),
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// The number right before the first occurrence of `word`, parentheses apart; 0 without one.
fn number_before(text: &str, word: &str) -> usize {
    let mut outside = String::new();
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    let words: Vec<&str> = outside
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find_map(|pair| match pair {
            [number, unit] if *unit == word => number.parse().ok(),
            _ => None,
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn cargo_test_is_summed() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                      noise\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(
            Counts::of_cargo_test(output),
            Some(Counts {
                passed: 4,
                failed: 2,
                skipped: 1
            })
        );
        assert_eq!(Counts::of_cargo_test("error: could not compile"), None);
    }

    #[test]
    fn nextest_summary_is_read() {
        let one = "     Summary [   0.012s] 10 tests run: 7 passed (1 slow, 2 leaky), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(
            Counts::of_nextest(one),
            Some(Counts {
                passed: 7,
                failed: 3,
                skipped: 4
            })
        );
        let two = "     Summary [   1.5s] 3/5 tests run: 3 passed, 0 skipped";
        assert_eq!(
            Counts::of_nextest(two),
            Some(Counts {
                passed: 3,
                failed: 0,
                skipped: 0
            })
        );
        assert_eq!(Counts::of_nextest("error: no tests"), None);
    }

    #[test]
    fn the_last_line_is_fixed() {
        let mut counts = Counts {
            passed: 2,
            failed: 0,
            skipped: 1,
        };
        counts.said_skipped(5);
        assert_eq!(counts.to_string(), "0 passed, 0 failed, 3 skipped");
    }
}
