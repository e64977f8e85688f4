//! Says that a test had to skip, on the terminal and in the file that `SABIR_SKIP_LOG` names.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::Write as _;

pub(crate) fn skipped(why: &str) {
    // Not `eprintln!`, which the test runner hides while tests pass.
    writeln!(std::io::stderr(), "SKIPPED: {why}").unwrap();
    if let Some(log) = std::env::var_os("SABIR_SKIP_LOG") {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        file.write_all(format!("{why}\n").as_bytes()).unwrap();
    }
}
