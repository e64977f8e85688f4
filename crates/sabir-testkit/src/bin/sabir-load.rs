//! Loads two real providers and prints figures: `cargo run --release -p sabir-testkit --bin sabir-load`.

use std::process::ExitCode;

use sabir_testkit::load::{self, Plan};

fn main() -> ExitCode {
    let mut plan = Plan::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--pairs", Some(value)) => plan.pairs = value,
            ("--messages", Some(value)) => plan.messages = value,
            ("--pings", Some(value)) => plan.pings = value,
            _ => {
                eprint("usage: sabir-load [--pairs N] [--messages N] [--pings N]");
                return ExitCode::from(2);
            }
        }
    }
    match load::run(plan) {
        Ok(figures) => {
            load::print(&figures, &mut std::io::stdout().lock());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprint(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn eprint(text: &str) {
    use std::io::Write as _;
    // Nothing is left to do when stderr is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}
