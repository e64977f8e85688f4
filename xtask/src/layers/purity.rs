//! Purity by scan: the sources of a pure crate name no clock, file, network, thread, ambient randomness or
//! hash order. Tests may.
//!
//! An exception is written where it is made, with its reason: `// layers-allow: why`, on the same line or
//! the one above.

use crate::report::Report;
use crate::scan::{TestModules, lex, used_paths, without_tests};

/// What is refused: a path (with all below it) or a bare word, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("std::fs", "take bytes as an argument"),
    (
        "std::net",
        "take bytes as an argument; addresses belong to the shell",
    ),
    ("std::os", "nothing here may depend on the platform"),
    ("std::env", "take settings as arguments"),
    ("std::process", "return an effect and let the shell act"),
    (
        "std::thread",
        "engines are synchronous; threads belong to the shell",
    ),
    (
        "std::sync::mpsc",
        "engines are synchronous; channels belong to the shell",
    ),
    ("std::io::stdin", "take bytes as an argument"),
    ("std::io::stdout", "return an event and let the shell print it"),
    ("std::io::stderr", "return an error and let the shell print it"),
];

/// Words refused wherever they stand in a path.
const WORDS: &[(&str, &str)] = &[
    ("HashMap", "use BTreeMap: its order is the same in every run"),
    ("HashSet", "use BTreeSet: its order is the same in every run"),
    ("SystemTime", "take `now` as an argument"),
    ("Instant", "take `now` as an argument"),
    ("async", "engines are synchronous"),
    ("await", "engines are synchronous"),
    ("tokio", "engines are synchronous"),
    ("rayon", "engines are single-threaded"),
    ("OsRng", "take `rng` as an argument"),
    ("ThreadRng", "take `rng` as an argument"),
    ("thread_rng", "take `rng` as an argument"),
    ("getrandom", "take `rng` as an argument"),
    ("SystemRandom", "take `rng` as an argument"),
];

/// Checks the sources of one crate, given as path and text.
pub(super) fn check(sources: &[(String, String)], report: &mut Report) {
    let mut tests = TestModules::default();
    let mut scanned = Vec::new();
    for (file, source) in sources {
        let (tokens, comments) = lex(source);
        let (kept, modules) = without_tests(&tokens);
        tests.learn(file, &modules);
        let excused: Vec<usize> = comments
            .iter()
            .filter(|comment| excuse(&comment.text))
            .map(|comment| comment.line)
            .collect();
        scanned.push((file, used_paths(&kept), excused));
    }
    for (file, paths, excused) in scanned {
        if tests.contains(file) {
            continue;
        }
        for used in paths {
            if excused
                .iter()
                .any(|line| used.line == *line || used.line == line + 1)
            {
                continue;
            }
            if let Some((what, cure)) = refused(&used.path) {
                report.find(file, used.line, format!("`{what}` in a pure crate"), cure);
            }
        }
    }
}

fn refused(path: &str) -> Option<(&'static str, &'static str)> {
    let by_path = REFUSED.iter().find(|(start, _)| {
        path.strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    });
    by_path
        .or_else(|| {
            WORDS
                .iter()
                .find(|(word, _)| path.split("::").any(|part| part == *word))
        })
        .map(|(what, cure)| (*what, *cure))
}

/// Whether a comment is an exception with a reason.
fn excuse(comment: &str) -> bool {
    comment
        .split_once("layers-allow:")
        .is_some_and(|(_, reason)| !reason.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(source: &str) -> Vec<(usize, String)> {
        let mut report = Report::default();
        check(
            &[("crates/sabir-core/src/lib.rs".to_owned(), source.to_owned())],
            &mut report,
        );
        report
            .findings()
            .iter()
            .map(|finding| (finding.line, finding.what.clone()))
            .collect()
    }

    #[test]
    fn names_the_line() {
        let source = "use std::collections::HashMap;\nfn f() { std::fs::read(\"x\"); }\n";
        assert_eq!(
            faults(source),
            [
                (1, "`HashMap` in a pure crate".to_owned()),
                (2, "`std::fs` in a pure crate".to_owned())
            ]
        );
    }

    #[test]
    fn time_that_does_not_flow_is_welcome() {
        assert!(faults("use std::time::Duration; use std::{fmt, collections::BTreeMap};").is_empty());
        assert_eq!(faults("use std::{fmt, time::Instant};").len(), 1);
        assert_eq!(faults("pub async fn f() {}").len(), 1);
    }

    #[test]
    fn an_excuse_needs_a_reason() {
        assert!(
            faults("// layers-allow: ML-KEM keys cannot be seeded\nlet r = SystemRandom::new();").is_empty()
        );
        assert_eq!(faults("// layers-allow:\nlet r = SystemRandom::new();").len(), 1);
    }

    #[test]
    fn tests_may() {
        assert!(faults("#[cfg(test)]\nmod tests { use std::fs; }").is_empty());
    }
}
