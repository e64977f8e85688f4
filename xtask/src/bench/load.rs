//! Two real providers under load.
//!
//! `sabir-load` of `sabir-testkit` starts the providers, loads them and prints the figures; this module builds it and
//! starts it. One workload at a time, each with providers of its own, so that none finds what another left behind.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::repo::Repo;

use super::{USAGE, build};

/// Every workload, in the order they are run in.
pub(super) const WORKLOADS: &[&str] = &["1to1", "low", "group"];

/// What the caller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) workloads: Vec<String>,
    pub(super) secs: Option<u64>,
    pub(super) json: bool,
}

impl Options {
    /// Reads the arguments after `load`.
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            workloads: WORKLOADS.iter().map(|name| (*name).to_owned()).collect(),
            secs: None,
            json: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => options.json = true,
                "--workload" => {
                    let name = arguments.next().filter(|name| WORKLOADS.contains(&name.as_str()));
                    options.workloads = vec![name.ok_or(USAGE)?.clone()];
                }
                "--secs" => {
                    let secs = arguments.next().and_then(|secs| secs.parse().ok());
                    options.secs = Some(secs.filter(|secs| *secs > 0).ok_or(USAGE)?);
                }
                other => return Err(format!("unknown argument `{other}`\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

/// Runs the workloads. `Ok(false)`: something was lost, came twice or did not verify, after it was named.
pub(super) fn run(repo: &Repo, options: &Options) -> Result<bool, String> {
    let folder = build(repo)?;
    let mut clean = true;
    for workload in &options.workloads {
        let status = command(&folder, workload, options)
            .status()
            .map_err(|error| format!("sabir-load: {error}"))?;
        clean &= status.success();
    }
    Ok(clean)
}

/// The load tool for one workload, standard input closed.
pub(super) fn command(folder: &Path, workload: &str, options: &Options) -> Command {
    let mut load = Command::new(folder.join("sabir-load"));
    load.args(["--workload", workload]).stdin(Stdio::null());
    if let Some(secs) = options.secs {
        load.args(["--secs", &secs.to_string()]);
    }
    if options.json {
        load.arg("--json");
    }
    load
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
        let all = parse(&[]);
        assert!(all.is_ok_and(|all| all.workloads.len() == 3 && all.secs.is_none() && !all.json));
        let one = Options {
            workloads: vec!["group".to_owned()],
            secs: Some(3),
            json: true,
        };
        assert_eq!(parse(&["--workload", "group", "--secs", "3", "--json"]), Ok(one));
        for wrong in [
            &["--workload"][..],
            &["--workload", "x"],
            &["--secs", "0"],
            &["--x"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
