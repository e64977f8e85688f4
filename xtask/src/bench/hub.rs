//! What a hub's engine does for a commit in a large room.
//!
//! The measurement is an ignored test of `sabir-core`, because it needs members that commit: `hub_speed`. It prints a
//! line of JSON for each kind of commit.

use serde_json::Value;

use crate::repo::Repo;

use super::USAGE;

/// What the caller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) members: u32,
    pub(super) json: bool,
}

impl Options {
    /// Reads the arguments after `hub`.
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            members: 1000,
            json: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => options.json = true,
                "--members" => {
                    let members = arguments.next().and_then(|members| members.parse().ok());
                    options.members = members.filter(|members| *members > 1).ok_or(USAGE)?;
                }
                other => return Err(format!("unknown argument `{other}`\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

/// Runs the measurement. `Ok(false)`: it failed, after cargo said why.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<bool, String> {
    eprintln!("building the hub as it is shipped (the first time takes some minutes)");
    let mut test = repo.cargo();
    test.args(["test", "--release", "--quiet", "--locked"]);
    test.args(["--package", "sabir-core", "--test", "hub_speed"]);
    test.args(["--", "--ignored", "--nocapture"]);
    test.env("SABIR_BENCH_MEMBERS", options.members.to_string());
    let ran = test
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let printed = String::from_utf8_lossy(&ran.stdout);
    let mut any = false;
    for line in printed.lines().filter(|line| line.starts_with('{')) {
        any = true;
        if options.json {
            println!("{line}");
        } else {
            println!(
                "{}",
                readable(line).ok_or("the measurement printed something else")?
            );
        }
    }
    Ok(ran.status.success() && any)
}

/// A line of figures for people.
fn readable(line: &str) -> Option<String> {
    let figures: Value = serde_json::from_str(line).ok()?;
    let number = |key: &str| figures.get(key)?.as_f64();
    Some(format!(
        "{:>17} in a room of {}: {:.1} ms CPU; least {:.1} ms, median {:.1} ms, p99 {:.1} ms; {:.0} KB of rows written",
        figures.get("commit")?.as_str()?,
        number("members")?,
        number("cpu_ms")?,
        number("least_ms")?,
        number("p50_ms")?,
        number("p99_ms")?,
        number("row_bytes")? / 1000.0,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn reads_its_arguments() {
        let both = Options {
            members: 50,
            json: true,
        };
        assert_eq!(parse(&["--members", "50", "--json"]), Ok(both));
        assert!(parse(&[]).is_ok_and(|options| options.members == 1000 && !options.json));
        for wrong in [&["--members"][..], &["--members", "1"], &["--x"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn tells_figures() {
        let line = "{\"commit\":\"update\",\"members\":1000,\"least_ms\":7.5,\"p50_ms\":8.04,\"p99_ms\":9.9,\"cpu_ms\":8,\
            \"row_bytes\":67084}";
        assert_eq!(
            readable(line).as_deref(),
            Some(
                "           update in a room of 1000: 8.0 ms CPU; least 7.5 ms, median 8.0 ms, p99 9.9 ms; \
                67 KB of rows written"
            )
        );
        assert_eq!(readable("{}"), None);
    }
}
