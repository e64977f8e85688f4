//! Leaving test code out: `#[cfg(test)]` items, and the files of `#[cfg(test)] mod` declarations.

use super::Token;
use std::collections::BTreeSet;

/// Files that are compiled for tests only.
#[derive(Debug, Default)]
pub(crate) struct TestModules {
    stems: BTreeSet<String>,
}

impl TestModules {
    /// Notes the test-only modules that `file` declares.
    pub(crate) fn learn(&mut self, file: &str, declared: &[String]) {
        let stem = file.strip_suffix(".rs").unwrap_or(file);
        let folder = match stem.rsplit_once('/') {
            Some((parent, "lib" | "main" | "mod")) => parent,
            _ => stem,
        };
        for module in declared {
            self.stems.insert(format!("{folder}/{module}"));
        }
    }

    /// Whether a file is test code: declared so, or named so.
    pub(crate) fn contains(&self, file: &str) -> bool {
        let named = file
            .split('/')
            .any(|part| matches!(part, "tests" | "benches" | "examples" | "tests.rs"));
        let stem = file.strip_suffix(".rs").unwrap_or(file);
        named
            || self.stems.iter().any(|test| {
                stem.strip_prefix(test.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }
}

/// The tokens outside `#[cfg(test)]` items, and the names of modules declared test-only.
pub(crate) fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let mut kept = Vec::new();
    let mut modules = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match test_attribute(tokens, at) {
            Some(end) => at = item(tokens, end, &mut modules),
            None => {
                kept.push(token.clone());
                at += 1;
            }
        }
    }
    (kept, modules)
}

/// The end of a `#[cfg(test)]` or `#[cfg(all(test, ...))]` that starts at `at`.
fn test_attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let texts = |range: std::ops::Range<usize>| -> Option<Vec<&str>> {
        Some(
            tokens
                .get(range)?
                .iter()
                .map(|token| token.text.as_str())
                .collect(),
        )
    };
    let plain = texts(at..at + 5)? == ["#", "[", "cfg", "(", "test"];
    let all = texts(at..at + 7).is_some_and(|seven| seven == ["#", "[", "cfg", "(", "all", "(", "test"]);
    if plain || all {
        Some(close(tokens, at + 1, "[", "]"))
    } else {
        None
    }
}

/// The end of the item at `at`; notes it if it is `mod name;`.
fn item(tokens: &[Token], mut at: usize, modules: &mut Vec<String>) -> usize {
    while tokens.get(at).is_some_and(|token| token.is("#")) {
        at = close(tokens, at + 1, "[", "]");
    }
    let start = at;
    while let Some(token) = tokens.get(at) {
        if token.is(";") {
            let mut words = tokens.get(start..at).into_iter().flatten();
            if words.any(|word| word.is("mod")) {
                modules.extend(words.next().map(|name| name.text.clone()));
            }
            return at + 1;
        }
        if token.is("{") {
            return close(tokens, at, "{", "}");
        }
        if token.is("(") || token.is("[") {
            let (open, shut) = if token.is("(") { ("(", ")") } else { ("[", "]") };
            at = close(tokens, at, open, shut);
        } else {
            at += 1;
        }
    }
    at
}

/// The position after the bracket that closes the one at `at`.
fn close(tokens: &[Token], mut at: usize, open: &str, shut: &str) -> usize {
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        at += 1;
        if token.is(open) {
            depth += 1;
        } else if token.is(shut) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                break;
            }
        }
    }
    at
}
