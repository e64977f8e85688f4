//! Sizes, leftovers, and the newline at the end of a file.

use crate::report::Report;
use crate::scan::{TestModules, lex, without_tests};

/// No file is longer, tests apart.
const LONGEST: usize = 1_500;
/// A file longer than this is named, not refused.
const LONG: usize = 700;
/// At least half of the files are at most this long.
const MEDIAN: usize = 250;

/// Macros that say "not done" or "left behind": word, then `!`.
const LEFTOVER_MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

/// Checks Rust sources, given as path and text.
pub(super) fn check_rust(sources: &[(String, String)], report: &mut Report) {
    let mut tests = TestModules::default();
    for (file, source) in sources {
        tests.learn(file, &without_tests(&lex(source).0).1);
    }
    let mut lengths = Vec::new();
    for (file, source) in sources {
        check_ending(file, source, report);
        leftovers(file, source, report);
        if tests.contains(file) {
            continue;
        }
        let lines = source.lines().count();
        lengths.push(lines);
        if lines > LONGEST {
            report.find(
                file,
                0,
                format!("{lines} lines, more than {LONGEST}"),
                "split it by what it is about",
            );
        } else if lines > LONG {
            report.note(format!("tidy: {file} has {lines} lines; the aim is {LONG}"));
        }
    }
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    report.note(format!(
        "tidy: {} files of Rust, median {median} lines",
        lengths.len()
    ));
    if median > MEDIAN {
        report.find(
            "crates",
            0,
            format!("the median file has {median} lines, more than {MEDIAN}"),
            "split the longest",
        );
    }
}

/// Every text file ends in one newline.
pub(super) fn check_ending(file: &str, text: &str, report: &mut Report) {
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        report.find(
            file,
            0,
            "does not end in exactly one newline",
            "end the last line, drop empty ones after it",
        );
    }
}

fn leftovers(file: &str, source: &str, report: &mut Report) {
    let (tokens, comments) = lex(source);
    for pair in tokens.windows(2) {
        if let [word, bang] = pair
            && bang.is("!")
            && LEFTOVER_MACROS.iter().any(|leftover| word.is(leftover))
        {
            report.find(
                file,
                word.line,
                format!("`{}!` is left behind", word.text),
                "finish it, or leave it out",
            );
        }
    }
    for comment in comments {
        // Spelled in two halves, so that this file does not accuse itself.
        if comment.text.contains(concat!("FIX", "ME")) {
            report.find(
                file,
                comment.line,
                "a note to mend something",
                "mend it, or open an issue and say so",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(source: &str) -> usize {
        let mut report = Report::default();
        check_rust(
            &[("crates/x/src/a.rs".to_owned(), source.to_owned())],
            &mut report,
        );
        report.findings().len()
    }

    #[test]
    fn leftovers_are_found_in_code_and_not_in_strings() {
        assert_eq!(faults("fn f() { todo!() }\n"), 1);
        assert_eq!(faults("fn f() { g(\"todo!\"); }\n"), 0);
        assert_eq!(faults(concat!("// FIX", "ME later\n")), 1);
        assert_eq!(faults("// see the TODO of the draft\n"), 0);
    }

    #[test]
    fn one_newline_at_the_end() {
        assert_eq!(faults("fn f() {}"), 1);
        assert_eq!(faults("fn f() {}\n\n"), 1);
    }

    #[test]
    fn size_has_a_limit() {
        assert_eq!(faults(&"// x\n".repeat(1_500)), 1, "the median alone is broken");
        assert_eq!(faults(&"// x\n".repeat(1_501)), 2);
    }
}
