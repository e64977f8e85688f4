//! A small Rust scanner: tokens with line numbers, comments and strings set apart, test code marked.
//!
//! It knows as much Rust as the checks need: comments (nested ones too), strings (raw ones too), characters
//! against lifetimes, identifiers and single punctuation marks. It never fails: what it does not know, it
//! steps over.

mod lexer;
mod paths;
mod tests_out;

pub(crate) use lexer::{Token, lex};
pub(crate) use paths::used_paths;
pub(crate) use tests_out::{TestModules, without_tests};

#[cfg(test)]
mod tests;
