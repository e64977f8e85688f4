//! `cargo xtask deny`: what may come in from outside, by deny.toml and the lock file.
//!
//! The file has the shape that cargo-deny reads; where cargo-deny is installed it judges too. Our own reading
//! covers what must hold on a machine without it: licences, banned crates, sources, duplicates, size, and that each
//! direct dependency is explained in docs/decisions/0002-dependencies.md. The crate outside the workspace is held to
//! the same, size apart, and to the workspace's versions.

mod aligned;
mod explained;
mod license;
mod policy;

use crate::metadata::{self, Package};
use crate::repo::{CROSSCHECK, Repo};
use crate::report::Report;
use policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = "deny.toml";
/// Licences for single crates outside the workspace: beside deny.toml, as cargo-deny reads it.
const EXCEPTIONS: &str = "deny.exceptions.toml";
const LOCK: &str = "Cargo.lock";

/// The lock file holds fewer packages than this.
const MOST_PACKAGES: usize = 400;

/// Runs our checks, then cargo-deny where it is installed.
pub(crate) fn check(repo: &Repo) -> Result<Report, String> {
    let mut report = Report::default();
    let policy = Policy::read(&repo.read(FILE)?)?;
    let packages = metadata::everything(repo, "")?;
    let wanted = judge(&policy, LOCK, &packages, &mut report);
    unused(&policy, &wanted, &mut report);
    let lock = format!("{CROSSCHECK}/{LOCK}");
    let outside = metadata::everything(repo, CROSSCHECK)?;
    let mut widened = policy.clone();
    widened.read_exceptions(&repo.read(&format!("{CROSSCHECK}/{EXCEPTIONS}"))?)?;
    judge(&widened, &lock, &outside, &mut report);
    aligned::check(&lock, &packages, &outside, &mut report);
    if let Some(triple) = host(repo) {
        duplicates(&policy, &metadata::on_this_platform(repo, &triple)?, &mut report);
    }
    report.note(format!(
        "deny: {} packages in the lock file, fewer than {MOST_PACKAGES} wanted",
        packages.len()
    ));
    if packages.len() >= MOST_PACKAGES {
        let what = format!("{} packages, not fewer than {MOST_PACKAGES}", packages.len());
        report.find(LOCK, 0, what, "drop a dependency or one of its features");
    }
    let members = [metadata::members(repo)?, metadata::crosscheck(repo)?].concat();
    explained::check(&repo.read(explained::FILE)?, &members, &mut report);
    cargo_deny(repo, &mut report);
    Ok(report)
}

/// Judges the packages of one lock file; answers which allowed licences they need.
fn judge(policy: &Policy, lock: &str, packages: &[Package], report: &mut Report) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for package in packages {
        let Package { name, version, .. } = package;
        if let Some(reason) = policy.banned.get(name) {
            report.find(lock, 0, format!("{name} {version} is banned"), reason);
        }
        let Some(source) = &package.source else { continue };
        if !source.starts_with("registry+") && !source.starts_with("sparse+") {
            let what = format!("{name} {version} does not come from the registry");
            report.find(lock, 0, what, "use a published version");
        }
        match &package.license {
            None => {
                report.find(
                    lock,
                    0,
                    format!("{name} {version} names no licence"),
                    "use another crate",
                );
            }
            Some(expression) => {
                let accept = |license: &str| {
                    let fine = policy.allows(name, license);
                    if fine {
                        wanted.insert(license.to_owned());
                    }
                    fine
                };
                if !license::satisfied(expression, accept) {
                    let what = format!("{name} {version} is under {expression}");
                    report.find(lock, 0, what, "permissive licences only: use another crate");
                }
            }
        }
    }
    wanted
}

fn unused(policy: &Policy, wanted: &BTreeSet<String>, report: &mut Report) {
    for unused in policy
        .licenses
        .iter()
        .filter(|license| !wanted.contains(*license))
    {
        report.find(
            FILE,
            0,
            format!("the licence {unused} is allowed and nobody uses it"),
            "take it out",
        );
    }
}

/// Two versions of one crate on one platform are named; whether that is a fault is the policy's to say.
fn duplicates(policy: &Policy, packages: &[Package], report: &mut Report) {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions
            .entry(&package.name)
            .or_default()
            .insert(&package.version);
    }
    let doubled: Vec<String> = versions
        .iter()
        .filter(|(name, versions)| versions.len() > 1 && !policy.skipped.contains(**name))
        .map(|(name, versions)| {
            format!(
                "{name} {}",
                versions.iter().copied().collect::<Vec<_>>().join(" and ")
            )
        })
        .collect();
    if doubled.is_empty() {
        return;
    }
    if policy.duplicates_are_faults {
        for double in doubled {
            report.find(
                LOCK,
                0,
                format!("two versions: {double}"),
                "align them, or skip with a reason",
            );
        }
    } else {
        report.note(format!("deny: in two versions: {}", doubled.join(", ")));
    }
}

fn host(repo: &Repo) -> Option<String> {
    let mut rustc = std::process::Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let output = rustc.current_dir(repo.root()).arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
}

fn cargo_deny(repo: &Repo, report: &mut Report) {
    let installed = repo
        .cargo()
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !installed {
        report.note("deny: cargo-deny is not installed; our own reading of deny.toml stands alone");
        return;
    }
    for folder in ["", CROSSCHECK] {
        let run = repo
            .cargo_in(folder)
            .args(["deny", "check", "--config"])
            .arg(repo.root().join(FILE))
            .args(["licenses", "bans", "sources"])
            .output();
        match run {
            Ok(output) if output.status.success() => {
                report.note(format!("deny: cargo-deny agrees in ./{folder}"))
            }
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let what = format!("cargo-deny refuses in ./{folder}:\n{}", said.trim());
                report.find(FILE, 0, what, "read what it says");
            }
            Err(error) => report.find(FILE, 0, format!("cargo-deny: {error}"), "repair or remove it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, license: Option<&str>, source: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
            dependencies: Vec::new(),
        }
    }

    fn faults(packages: &[Package]) -> usize {
        let text = "[licenses]\nallow = [\"MIT\"]\n[bans]\nmultiple-versions = \"warn\"\ndeny = [{ crate = \"evil\", reason = \"x\" }]\n";
        let mut report = Report::default();
        let policy = Policy::read(text).unwrap_or_default();
        let wanted = judge(&policy, LOCK, packages, &mut report);
        unused(&policy, &wanted, &mut report);
        report.findings().len()
    }

    #[test]
    fn licences_sources_and_bans() {
        let registry = Some("registry+index");
        let good = package("good", Some("MIT OR GPL-3.0"), registry);
        assert_eq!(faults(std::slice::from_ref(&good)), 0);
        assert_eq!(
            faults(&[good.clone(), package("viral", Some("AGPL-3.0-only"), registry)]),
            1
        );
        assert_eq!(faults(&[good.clone(), package("mute", None, registry)]), 1);
        assert_eq!(
            faults(&[good.clone(), package("fork", Some("MIT"), Some("git+somewhere"))]),
            1
        );
        assert_eq!(faults(&[good.clone(), package("evil", Some("MIT"), registry)]), 1);
        assert_eq!(faults(&[good, package("ours", Some("anything"), None)]), 0);
        assert_eq!(faults(&[]), 1, "an allowed licence that nobody uses");
    }
}
