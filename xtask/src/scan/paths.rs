//! Paths as they are written, with `use` trees taken apart.

use super::Token;

/// A path such as `std::time::Instant`, and the line of its last segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsedPath {
    pub(crate) path: String,
    pub(crate) line: usize,
}

/// Every path in the code, single words included. `use a::{b, c::d}` gives `a::b` and `a::c::d`.
pub(crate) fn used_paths(tokens: &[Token]) -> Vec<UsedPath> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is_word() {
            at = path(tokens, at, "", &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path (or tree) from `at`; returns where it ends.
fn path(tokens: &[Token], mut at: usize, prefix: &str, found: &mut Vec<UsedPath>) -> usize {
    let mut so_far = prefix.to_owned();
    let mut line = 0;
    loop {
        match tokens.get(at) {
            Some(word) if word.is_word() => {
                if !so_far.is_empty() {
                    so_far.push_str("::");
                }
                so_far.push_str(&word.text);
                line = word.line;
                at += 1;
            }
            Some(open) if open.is("{") && !so_far.is_empty() => return tree(tokens, at + 1, &so_far, found),
            _ => break,
        }
        let colons = tokens
            .get(at..at + 2)
            .is_some_and(|two| two.iter().all(|token| token.is(":")));
        if !colons {
            break;
        }
        at += 2;
    }
    if line > 0 {
        found.push(UsedPath { path: so_far, line });
    }
    at
}

/// Reads the inside of a `{ ... }` of a `use` tree; returns where it ends.
fn tree(tokens: &[Token], mut at: usize, prefix: &str, found: &mut Vec<UsedPath>) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.is("}") {
            return at + 1;
        }
        at = if token.is_word() {
            path(tokens, at, prefix, found)
        } else {
            at + 1
        };
    }
    at
}
