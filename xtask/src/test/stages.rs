//! The stages of a test run.

use super::counts::Counts;
use super::machine::Machine;
use crate::repo::{CROSSCHECK, Repo};
use crate::report::Report;
use crate::{demo, deny, layers, tidy};
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Format,
    Layers,
    Tidy,
    Deny,
    Clippy { outside: bool },
    Tests { integration: bool },
    DocTests,
    Crosscheck,
    Demo,
}

/// How a stage went.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) counts: Counts,
    /// Nothing that needs a build should follow.
    pub(super) build_broke: bool,
    /// Said in one line when it did not simply pass.
    pub(super) why: Option<String>,
}

impl Outcome {
    pub(super) fn skipped(why: &str) -> Self {
        Self {
            counts: Counts::SKIPPED,
            build_broke: false,
            why: Some(format!("skipped, {why}")),
        }
    }

    fn one(passed: bool) -> Self {
        let counts = if passed { Counts::PASSED } else { Counts::FAILED };
        Self {
            counts,
            build_broke: false,
            why: (!passed).then(|| "failed".to_owned()),
        }
    }

    fn failed(why: String) -> Self {
        Self {
            counts: Counts::FAILED,
            build_broke: false,
            why: Some(why),
        }
    }
}

impl Stage {
    /// Every stage, in order.
    pub(super) fn all(fast: bool) -> Vec<Self> {
        let mut stages = vec![Self::Format, Self::Layers, Self::Tidy, Self::Deny];
        stages.push(Self::Clippy { outside: !fast });
        stages.push(Self::Tests { integration: !fast });
        if !fast {
            stages.extend([Self::DocTests, Self::Crosscheck, Self::Demo]);
        }
        stages
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Format => "fmt",
            Self::Layers => "layers",
            Self::Tidy => "tidy",
            Self::Deny => "deny",
            Self::Clippy { .. } => "clippy",
            Self::Tests { .. } => "tests",
            Self::DocTests => "doc tests",
            Self::Crosscheck => CROSSCHECK,
            Self::Demo => "demo",
        }
    }

    /// Whether it is pointless after a build that failed.
    pub(super) fn needs_build(self) -> bool {
        matches!(self, Self::DocTests | Self::Crosscheck | Self::Demo)
    }

    pub(super) fn run(self, repo: &Repo, machine: &Machine) -> Outcome {
        match self {
            Self::Format => {
                let inside = shown(repo.cargo().args(["fmt", "--all", "--check"]));
                let outside = shown(repo.cargo_in(CROSSCHECK).args(["fmt", "--check"]));
                Outcome::one(inside && outside)
            }
            Self::Layers => check(layers::check(repo)),
            Self::Tidy => check(tidy::check(repo)),
            Self::Deny => check(deny::check(repo)),
            Self::Clippy { outside } => {
                let folders = if outside { &["", CROSSCHECK][..] } else { &[""] };
                // Every folder is asked, also after a failure.
                let clean = folders.iter().filter(|folder| clippy(repo, folder)).count();
                Outcome::one(clean == folders.len())
            }
            Self::Tests { integration } => tests(repo, machine, integration),
            Self::DocTests => doc_tests(repo),
            Self::Crosscheck => crosscheck(repo),
            // The tests have built the programs; building them once more for the demo alone would take minutes,
            // because features unify differently without the tests.
            Self::Demo => match demo::play(true) {
                Ok(held) => Outcome::one(held),
                Err(message) => Outcome::failed(message),
            },
        }
    }
}

fn check(done: Result<Report, String>) -> Outcome {
    match done {
        Ok(report) => {
            report.print();
            Outcome::one(report.is_clean())
        }
        Err(message) => Outcome::failed(message),
    }
}

fn clippy(repo: &Repo, folder: &str) -> bool {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet"];
    shown(
        repo.cargo_in(folder)
            .args(arguments)
            .args(["--", "-D", "warnings"]),
    )
}

/// The crate outside the workspace: one binary, so cargo's own runner does.
fn crosscheck(repo: &Repo) -> Outcome {
    let (succeeded, output) =
        captured(
            repo.cargo_in(CROSSCHECK)
                .args(["test", "--locked", "--no-fail-fast"]),
        );
    counted_outcome(succeeded, Counts::of_cargo_test(&output))
}

/// Unit and integration tests, with the runner at hand.
fn tests(repo: &Repo, machine: &Machine, integration: bool) -> Outcome {
    if let Some(missing) = machine.missing.iter().find(|line| line.contains("C compiler")) {
        return Outcome {
            build_broke: true,
            ..Outcome::failed(missing.clone())
        };
    }
    let scope: &[&str] = if integration {
        &["--tests"]
    } else {
        &["--lib", "--bins"]
    };
    let build = shown(
        repo.cargo()
            .args(["test", "--workspace", "--locked", "--no-run", "--quiet"])
            .args(scope),
    );
    if !build {
        return Outcome {
            build_broke: true,
            ..Outcome::failed("the build failed".to_owned())
        };
    }
    let log = repo.root().join("target").join("skipped-tests.log");
    let _ = fs::remove_file(&log);
    let runner: &[&str] = if machine.nextest {
        &[
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--no-fail-fast",
            "--no-tests",
            "pass",
        ]
    } else {
        &["test", "--workspace", "--locked", "--no-fail-fast"]
    };
    let (succeeded, output) = captured(repo.cargo().args(runner).args(scope).env("SABIR_SKIP_LOG", &log));
    let counted = if machine.nextest {
        Counts::of_nextest(&output)
    } else {
        Counts::of_cargo_test(&output)
    };
    let skips = fs::read_to_string(&log).unwrap_or_default();
    let mut outcome = counted_outcome(succeeded, counted);
    outcome
        .counts
        .said_skipped(skips.lines().filter(|line| !line.trim().is_empty()).count());
    for line in skips.lines() {
        println!("skipped: {line}");
    }
    outcome
}

fn doc_tests(repo: &Repo) -> Outcome {
    let (succeeded, output) =
        captured(
            repo.cargo()
                .args(["test", "--workspace", "--locked", "--no-fail-fast", "--doc"]),
        );
    counted_outcome(succeeded, Counts::of_cargo_test(&output))
}

/// A run that failed without a failed test has failed all the same.
fn counted_outcome(succeeded: bool, counted: Option<Counts>) -> Outcome {
    let mut counts = counted.unwrap_or_default();
    if !succeeded && counts.failed == 0 {
        counts.failed = 1;
    }
    let why = match (succeeded, counted) {
        (true, Some(_)) => None,
        (true, None) => Some("the runner printed no summary".to_owned()),
        (false, _) => Some("failed".to_owned()),
    };
    if succeeded && counted.is_none() {
        counts.failed = 1;
    }
    Outcome {
        counts,
        build_broke: false,
        why,
    }
}

/// Runs a command with its output on ours.
fn shown(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command with its output on ours and in a string, both streams together.
fn captured(command: &mut Command) -> (bool, String) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return (false, error.to_string()),
    };
    let out = child
        .stdout
        .take()
        .map(|stream| thread::spawn(move || tee(stream)));
    let err = child
        .stderr
        .take()
        .map(|stream| thread::spawn(move || tee(stream)));
    let mut text = String::new();
    for stream in [out, err].into_iter().flatten() {
        text.push_str(&stream.join().unwrap_or_default());
    }
    (child.wait().is_ok_and(|status| status.success()), text)
}

fn tee(stream: impl Read) -> String {
    let mut text = String::new();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let shown = String::from_utf8_lossy(&line);
        print!("{shown}");
        text.push_str(&shown);
        line.clear();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_dies_is_a_failure() {
        assert_eq!(counted_outcome(false, None).counts, Counts::FAILED);
        assert_eq!(counted_outcome(true, None).counts, Counts::FAILED);
        let fine = Counts {
            passed: 3,
            failed: 0,
            skipped: 0,
        };
        assert_eq!(counted_outcome(true, Some(fine)).counts, fine);
        assert_eq!(counted_outcome(false, Some(fine)).counts.failed, 1);
    }

    #[test]
    fn fast_leaves_the_slow_ones_out() {
        for slow in [Stage::DocTests, Stage::Crosscheck, Stage::Demo] {
            assert!(!Stage::all(true).contains(&slow));
            assert!(Stage::all(false).contains(&slow));
        }
    }
}
