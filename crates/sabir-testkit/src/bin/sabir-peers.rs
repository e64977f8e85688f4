//! Puts a load on today's servers. `cargo xtask bench peers` installs them, runs this, and compares.
//!
//! `sabir-peers SERVER WORKLOAD SECONDS` prints one JSON object: the members of `sabir-load --json`, and `server` and
//! `promise`.

use std::process::ExitCode;

use sabir_testkit::peers::{Kind, Workload, run};
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [server, workload, secs] => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == server);
            let workload = Workload::ALL.into_iter().find(|one| one.name() == workload);
            kind.zip(workload).zip(secs.parse().ok())
        }
        _ => None,
    };
    let Some(((kind, workload), secs)) = parsed else {
        return failed("hint: sabir-peers ejabberd|ejabberd-postgresql|prosody 1to1|low|group SECONDS");
    };
    let measured = tempfile::TempDir::with_prefix("sabir-peers-")
        .map_err(|error| error.to_string())
        .and_then(|folder| run(folder.path(), kind, workload, secs).map_err(|error| error.to_string()));
    match measured {
        Ok(figures) => {
            let line = json!({
                "server": kind.name(),
                "promise": kind.promise(),
                "workload": workload.name(),
                "delivered_per_s": figures.delivered_per_s,
                "p50_ms": figures.p50_ms,
                "p99_ms": figures.p99_ms,
                "cpu_s_per_10k": figures.cpu_s_per_10k,
                "rss_mb": figures.rss_mb,
                "generator_cpu": figures.generator_cpu,
            });
            #[expect(clippy::print_stdout, reason = "what it is for")]
            {
                println!("{line}");
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
