//! Puts a load on today's servers. `cargo xtask bench peers` runs this and compares.
//!
//! `sabir-peers SERVER WORKLOAD SECONDS` prints one JSON object: the members of `sabir-load --json`, and `server` and
//! `promise`.

use std::process::ExitCode;
use std::time::Duration;

use sabir_testkit::load::{Plan, Workload};
use sabir_testkit::peers::{Kind, run};
use serde_json::Value;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [server, workload, secs] => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == server);
            let secs = secs
                .parse()
                .ok()
                .filter(|secs| *secs > 0)
                .map(Duration::from_secs);
            let plan = Workload::parse(workload).zip(secs);
            kind.zip(plan.map(|(workload, time)| Plan::new(workload, time)))
        }
        _ => None,
    };
    let Some((kind, plan)) = parsed else {
        return failed("hint: sabir-peers ejabberd|ejabberd-postgresql|prosody 1to1|low|group SECONDS");
    };
    let measured = tempfile::TempDir::with_prefix("sabir-peers-")
        .map_err(|error| error.to_string())
        .and_then(|folder| run(folder.path(), kind, plan).map_err(|error| error.to_string()));
    match measured {
        Ok(figures) => {
            let mut line = figures.to_json();
            line.insert("server".to_owned(), kind.name().into());
            line.insert("promise".to_owned(), kind.promise().into());
            #[expect(clippy::print_stdout, reason = "what it is for")]
            {
                println!("{}", Value::Object(line));
            }
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

fn failed(why: &str) -> ExitCode {
    #[expect(clippy::print_stderr, reason = "a program's way to say why")]
    {
        eprintln!("error: {why}");
    }
    ExitCode::FAILURE
}
