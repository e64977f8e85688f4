//! Edges between crates, and the homes of outside libraries, from the manifests.
//!
//! A new edge is a decision record in docs/decisions/ and a line here.

use super::PURE;
use crate::metadata::{Dependency, Kind, Package};
use crate::repo::CROSSCHECK;
use crate::report::Report;

/// Which of our crates each crate may name in shipped code.
const EDGES: &[(&str, &[&str])] = &[
    ("sabir-wire", &[]),
    ("sabir-mls", &["sabir-wire"]),
    ("sabir-core", &["sabir-mls", "sabir-wire"]),
    ("sabir-store", &[]),
    (
        "sabir-server",
        &["sabir-core", "sabir-mls", "sabir-store", "sabir-wire"],
    ),
    ("sabir-client", &["sabir-core", "sabir-mls", "sabir-wire"]),
    ("sabir", &["sabir-client", "sabir-wire"]),
    ("sabir-conform", &["sabir-mls", "sabir-wire"]),
    (
        "sabir-testkit",
        &[
            "sabir",
            "sabir-client",
            "sabir-core",
            "sabir-mls",
            "sabir-server",
            "sabir-store",
            "sabir-wire",
        ],
    ),
    ("xtask", &[]),
    ("sabir-crosscheck", &["sabir-mls"]),
];

/// Crates whose tests may use the test kit.
const TESTKIT_USERS: &[&str] = &["sabir", "sabir-client", "sabir-server", "sabir-store"];

/// Outside libraries with a fixed home: the start of the name, the crates that may ship it.
const LIBRARIES: &[(&str, &[&str])] = &[
    // The test kit has members that cheat (docs/decisions/0005-simulation.md).
    ("openmls", &["sabir-mls", "sabir-testkit"]),
    ("rusqlite", &["sabir-store", "sabir-client"]),
    ("libsqlite3", &["sabir-store", "sabir-client"]),
    ("axum", HTTP),
    ("hyper", HTTP),
    ("http-body", HTTP),
    ("h2", HTTP),
    ("reqwest", HTTP),
    ("mls-rs", &[]),
    ("openmls_rust_crypto", &[]),
    ("proptest", &["sabir-testkit"]),
];

const HTTP: &[&str] = &["sabir-server", "sabir-client", "sabir-testkit"];

/// Libraries that only tests may use, with the crates whose tests may.
const TEST_ONLY: &[(&str, &[&str])] = &[
    ("mls-rs", &["sabir-mls"]),
    ("openmls_rust_crypto", &["sabir-crosscheck"]),
];

/// What a pure crate may not ship: each brings a clock, threads, input and output, or hidden randomness.
const IMPURE: &[&str] = &[
    "async-",
    "chrono",
    "clap",
    "crossbeam",
    "dirs",
    "futures",
    "getrandom",
    "mio",
    "native-tls",
    "rayon",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tracing-subscriber",
    "walkdir",
];

/// The client's transport, and the provider of its tests.
const CLIENT_HTTP: &[&str] = &["transport", "testing"];

/// For a crate: library and the modules of it that may name the library.
pub(super) fn module_homes(crate_name: &str) -> Vec<(&'static str, &'static [&'static str])> {
    match crate_name {
        "sabir-client" => vec![
            ("rusqlite", ["store"].as_slice()),
            ("hyper", CLIENT_HTTP),
            ("hyper_util", CLIENT_HTTP),
            ("http_body_util", CLIENT_HTTP),
        ],
        _ => Vec::new(),
    }
}

/// Checks every manifest: of the workspace, and of the crate outside it.
pub(super) fn check(members: &[Package], report: &mut Report) {
    let ours: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    for member in members {
        let file = manifest(&member.name);
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == member.name) else {
            report.find(
                file,
                0,
                format!("`{}` is a crate that the picture does not know", member.name),
                "write a decision record, add it to ARCHITECTURE.md and to EDGES in xtask",
            );
            continue;
        };
        for dependency in &member.dependencies {
            if ours.contains(&dependency.name.as_str()) {
                edge(member, dependency, allowed, report);
            } else {
                library(member, dependency, report);
            }
        }
    }
}

fn edge(member: &Package, dependency: &Dependency, allowed: &[&str], report: &mut Report) {
    let testkit = dependency.name == "sabir-testkit"
        && dependency.kind == Kind::Dev
        && TESTKIT_USERS.contains(&member.name.as_str());
    let own = dependency.name == member.name && dependency.kind == Kind::Dev;
    if allowed.contains(&dependency.name.as_str()) || testkit || own {
        return;
    }
    report.find(
        manifest(&member.name),
        0,
        format!("`{}` may not depend on `{}`", member.name, dependency.name),
        "move the shared type down, or write a decision record and add the edge to EDGES in xtask",
    );
}

fn library(member: &Package, dependency: &Dependency, report: &mut Report) {
    let name = dependency.name.as_str();
    let file = manifest(&member.name);
    if dependency.kind == Kind::Dev {
        let home = TEST_ONLY.iter().find(|(start, _)| name.starts_with(start));
        if let Some((_, homes)) = home
            && !homes.contains(&member.name.as_str())
        {
            let what = format!("the tests of `{}` may not use `{name}`", member.name);
            report.find(file, 0, what, format!("test it in {}", homes.join(" or ")));
        }
        return;
    }
    for (start, homes) in LIBRARIES {
        if starts(name, start) && !homes.contains(&member.name.as_str()) {
            let cure = match homes {
                [] => "it is for tests alone: move it to dev-dependencies".to_owned(),
                homes => format!("its home is {}: call it from there", homes.join(", ")),
            };
            report.find(
                &file,
                0,
                format!("`{}` may not depend on `{name}`", member.name),
                cure,
            );
        }
    }
    if PURE.contains(&member.name.as_str()) && IMPURE.iter().any(|start| starts(name, start)) {
        report.find(
            &file,
            0,
            format!("`{}` is pure and may not depend on `{name}`", member.name),
            "take time, randomness and bytes as arguments; leave the rest to the shell around the engine",
        );
    }
}

/// Whether `name` is `start` or one of its family (`start-x`, `start_x`).
fn starts(name: &str, start: &str) -> bool {
    name.strip_prefix(start).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(['-', '_']) || start.ends_with('-') || start == "libsqlite3"
    })
}

fn manifest(name: &str) -> String {
    match name {
        "xtask" => "xtask/Cargo.toml".to_owned(),
        "sabir-crosscheck" => format!("{CROSSCHECK}/Cargo.toml"),
        name => format!("crates/{name}/Cargo.toml"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            license: None,
            source: None,
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).to_owned(),
                    kind: *kind,
                })
                .collect(),
        }
    }

    fn faults(members: &[Package]) -> Vec<String> {
        let mut report = Report::default();
        check(members, &mut report);
        report
            .findings()
            .iter()
            .map(|finding| finding.what.clone())
            .collect()
    }

    #[test]
    fn edges_go_down_only() {
        let wire = package("sabir-wire", &[("sabir-core", Kind::Normal)]);
        let core = package("sabir-core", &[("sabir-wire", Kind::Normal)]);
        assert_eq!(
            faults(&[wire, core]),
            ["`sabir-wire` may not depend on `sabir-core`"]
        );
    }

    #[test]
    fn libraries_stay_at_home() {
        let server = package(
            "sabir-server",
            &[("openmls_traits", Kind::Normal), ("rusqlite", Kind::Normal)],
        );
        assert_eq!(faults(&[server]).len(), 2);
        let mls = package("sabir-mls", &[("openmls", Kind::Normal), ("mls-rs", Kind::Dev)]);
        assert_eq!(faults(&[mls]), Vec::<String>::new());
        let mls = package("sabir-mls", &[("mls-rs-core", Kind::Normal)]);
        assert_eq!(faults(&[mls]).len(), 1);
        for kind in [Kind::Normal, Kind::Dev] {
            let mls = package("sabir-mls", &[("openmls_rust_crypto", kind)]);
            assert_eq!(faults(&[mls]).len(), 1);
        }
        let outside = package("sabir-crosscheck", &[("openmls_rust_crypto", Kind::Dev)]);
        assert_eq!(faults(&[outside]), Vec::<String>::new());
    }

    #[test]
    fn pure_crates_ship_nothing_impure_but_may_test_with_it() {
        let core = package(
            "sabir-core",
            &[
                ("tokio", Kind::Normal),
                ("tokio", Kind::Dev),
                ("timely", Kind::Normal),
            ],
        );
        assert_eq!(
            faults(&[core]),
            ["`sabir-core` is pure and may not depend on `tokio`"]
        );
    }

    #[test]
    fn an_unknown_crate_is_a_decision() {
        assert_eq!(faults(&[package("sabir-common", &[])]).len(), 1);
    }
}
