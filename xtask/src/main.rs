//! The project's own tool: its checks, its test run and its demo.
//!
//! ```text
//! cargo xtask test      fmt, layers, tidy, deny, clippy, tests, doc tests, crosscheck, demo; one closing line of counts
//! cargo xtask demo      three providers and four people on this machine, playing a story
//! cargo xtask sim       simulated worlds, each from a seed: real engines and handlers under faults
//! cargo xtask bench     figures of real providers under load, beside other servers, and of a hub in a large room
//! cargo xtask layers    which crate may see which, and what pure crates may not touch
//! cargo xtask tidy      sizes, spec citations, links, leftovers
//! cargo xtask deny      licences, banned crates, sources, size of the lock file
//! ```
//!
//! It depends on none of our crates, so that it still runs when one of them does not compile.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool talks to the terminal"
)]

mod bench;
mod demo;
mod deny;
mod layers;
mod metadata;
mod repo;
mod report;
mod scan;
mod sim;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask <command>

  test [--fast]   every check of the project; the last line is `N passed, N failed, N skipped`
                  --fast leaves out integration tests, doc tests, crosscheck and the demo
  demo [--exit]   three providers and four people on this machine, playing a story; then the providers
                  stay up, unless --exit is given
  sim [--seeds N] [--from S] [--all] [--jobs N] | --replay S [BUG] | --bugs [BUG]
                  simulated worlds, 200 unless told otherwise, N at a time, on after one that is wrong (--all);
                  a seed told as a story, with a planted bug or none; which seed finds each planted bug
  bench load [--workload 1to1|low|group] [--secs N] [--json]
                  two providers, built as they are shipped, under load; one line for each workload
  bench peers [--secs N] [--rounds N] [--json]
                  ejabberd and Prosody under the same loads, with ratios; says what to install where they are missing
  bench hub [--members N] [--json]
                  a hub's engine alone: commits in a room of a thousand, unless told otherwise
  layers          edges between crates, homes of libraries, purity of the pure crates
  tidy            file sizes, spec citations against docs/specs.md, links, leftovers
  deny            licences, banned crates, sources, size of the lock file
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let done = match command {
        "test" => test::Options::parse(rest).and_then(|options| test::run(&options)),
        "layers" => none(rest).and_then(|()| check(layers::check)),
        "tidy" => none(rest).and_then(|()| check(tidy::check)),
        "deny" => none(rest).and_then(|()| check(deny::check)),
        "sim" => sim::run(rest),
        "bench" => bench::run(rest),
        "demo" => demo::Options::parse(rest).and_then(|options| demo::run(&options)),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(true)
        }
        other => Err(format!(
            "unknown command `{other}`\nhint: `cargo xtask help` lists them"
        )),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs one check, prints what it found, and says whether it was clean.
fn check(run: fn(&repo::Repo) -> Result<report::Report, String>) -> Result<bool, String> {
    let report = run(&repo::Repo::find()?)?;
    report.print();
    Ok(report.is_clean())
}

fn none(rest: &[String]) -> Result<(), String> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => Err(format!("unexpected argument `{extra}`")),
    }
}
