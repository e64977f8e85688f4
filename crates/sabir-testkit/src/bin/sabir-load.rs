//! Loads two real providers and prints figures: `cargo xtask bench load` builds it as shipped and runs it. Each workload has
//! providers of its own, so that none finds what another left behind.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool talks to the terminal"
)]

use std::process::ExitCode;
use std::time::Duration;

use sabir_testkit::load::{self, Plan, Workload};
use serde_json::Value;

const USAGE: &str = "usage: sabir-load [--workload 1to1|low|group] [--secs N] [--json]";
/// How long the clock runs, unless told otherwise.
const SECS: u64 = 6;

struct Wish {
    workloads: Vec<Workload>,
    secs: u64,
    json: bool,
}

fn main() -> ExitCode {
    let Some(wish) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut code = ExitCode::SUCCESS;
    for workload in wish.workloads {
        match load::run(Plan::new(workload, Duration::from_secs(wish.secs))) {
            Ok(figures) if wish.json => println!("{}", Value::Object(figures.to_json())),
            Ok(figures) => println!("{figures}"),
            Err(error) => {
                eprintln!("error: {}: {error}", workload.name());
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Wish> {
    let mut wish = Wish {
        workloads: Workload::ALL.to_vec(),
        secs: SECS,
        json: false,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => wish.json = true,
            "--workload" => wish.workloads = vec![Workload::parse(&arguments.next()?)?],
            "--secs" => wish.secs = arguments.next()?.parse().ok().filter(|secs| *secs > 0)?,
            _ => return None,
        }
    }
    Some(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<(usize, u64, bool)> {
        let wish = parse(line.split_whitespace().map(str::to_owned))?;
        Some((wish.workloads.len(), wish.secs, wish.json))
    }

    #[test]
    fn reads_its_arguments() {
        assert_eq!(of(""), Some((3, SECS, false)));
        assert_eq!(of("--workload group --secs 3 --json"), Some((1, 3, true)));
        for wrong in [
            "--workload",
            "--workload x",
            "--secs",
            "--secs 0",
            "--secs x",
            "--x",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
