#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::{TestModules, lex, used_paths, without_tests};

fn paths(source: &str) -> Vec<String> {
    used_paths(&without_tests(&lex(source).0).0)
        .into_iter()
        .map(|used| used.path)
        .collect()
}

#[test]
fn comments_and_strings_are_no_code() {
    let source =
        "// std::fs\n/* a /* tokio */ b */ fn f() { g(\"std::env\", r#\"a\"std::net\"#, b\"x\\\"y\"); }";
    assert_eq!(paths(source), ["fn", "f", "g"]);
    let (_, comments) = lex("let a = 1; // one\n/* two\nthree */\n");
    let lines: Vec<_> = comments
        .iter()
        .map(|comment| (comment.line, comment.text.as_str()))
        .collect();
    assert_eq!(lines, [(1, "// one"), (2, "/* two"), (3, "three */")]);
}

#[test]
fn characters_and_lifetimes_are_told_apart() {
    assert_eq!(
        paths("fn f<'a>(x: &'a str) { let q = '\"'; let n = '\\n'; let u = '\\u{41}'; z }")
            .last()
            .unwrap(),
        "z"
    );
}

#[test]
fn use_trees_are_taken_apart() {
    let source = "use std::{fs, io::{self, Read}, time::{Duration, Instant}};\nlet a = std::env::var(x);";
    let got = paths(source);
    assert!(got.contains(&"std::fs".to_owned()));
    assert!(got.contains(&"std::io::Read".to_owned()));
    assert!(got.contains(&"std::time::Instant".to_owned()));
    assert!(got.contains(&"std::env::var".to_owned()));
}

#[test]
fn lines_are_counted_through_comments_and_strings() {
    let (tokens, _) = lex("/*\n\n*/ \"a\nb\" here");
    assert_eq!(tokens[0].line, 4);
}

#[test]
fn test_items_are_left_out() {
    let source = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { use std::fs; }\nfn b() {}\n#[cfg(test)]\nmod far;\n#[cfg(not(test))] fn c() {}";
    let (kept, modules) = without_tests(&lex(source).0);
    let words: Vec<_> = kept
        .iter()
        .filter(|token| token.is_word())
        .map(|token| token.text.as_str())
        .collect();
    assert_eq!(words, ["fn", "a", "fn", "b", "cfg", "not", "test", "fn", "c"]);
    assert_eq!(modules, ["far"]);

    let mut files = TestModules::default();
    files.learn("crates/x/src/room.rs", &modules);
    assert!(files.contains("crates/x/src/room/far.rs"));
    assert!(files.contains("crates/x/src/room/far/deep.rs"));
    assert!(!files.contains("crates/x/src/room/farther.rs"));
    assert!(files.contains("crates/x/tests/all.rs"));
    assert!(files.contains("crates/x/src/codec/tests.rs"));
}
