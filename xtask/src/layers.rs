//! `cargo xtask layers`: the directions of ARCHITECTURE.md, checked.
//!
//! * [`edges`]: which of our crates may name which, and where each outside library lives.
//! * [`purity`]: what the pure crates may not touch, by a scan of their sources.

mod edges;
mod purity;

use crate::repo::Repo;
use crate::report::Report;
use crate::{metadata, scan};

/// Crates without clock, files, network, threads, ambient randomness or hash order.
pub(crate) const PURE: &[&str] = &["sabir-wire", "sabir-mls", "sabir-core"];

/// Runs both halves.
pub(crate) fn check(repo: &Repo) -> Result<Report, String> {
    let mut report = Report::default();
    let members = metadata::members(repo)?;
    let outside = metadata::crosscheck(repo)?;
    edges::check(&[members.as_slice(), &outside].concat(), &mut report);
    for name in PURE {
        let folder = format!("crates/{name}");
        if !repo.exists(&format!("{folder}/clippy.toml")) {
            report.find(
                format!("{folder}/clippy.toml"),
                0,
                "a pure crate without its list of disallowed methods",
                "restore the file: clippy enforces purity where a scan cannot see types",
            );
        }
        let files = repo.files(&format!("{folder}/src"), "rs");
        let mut sources = Vec::new();
        for file in files {
            let source = repo.read(&file)?;
            sources.push((file, source));
        }
        purity::check(&sources, &mut report);
        homes(&sources, name, &mut report);
    }
    for member in members
        .iter()
        .filter(|member| !PURE.contains(&member.name.as_str()))
    {
        let mut sources = Vec::new();
        for file in repo.files(&format!("crates/{}/src", member.name), "rs") {
            let source = repo.read(&file)?;
            sources.push((file, source));
        }
        homes(&sources, &member.name, &mut report);
    }
    report.note(format!(
        "layers: {} crates, {} of them pure, {} outside the workspace",
        members.len() + outside.len(),
        PURE.len(),
        outside.len()
    ));
    Ok(report)
}

/// Inside a crate that may use a library, only some modules may.
fn homes(sources: &[(String, String)], crate_name: &str, report: &mut Report) {
    for (library, home) in edges::module_homes(crate_name) {
        for (file, source) in sources {
            let module = file.split_once("/src/").map_or("", |(_, module)| module);
            let stem = module.strip_suffix(".rs").unwrap_or(module);
            if home
                .iter()
                .any(|at| stem == *at || stem.starts_with(&format!("{at}/")))
            {
                continue;
            }
            for used in scan::used_paths(&scan::lex(source).0) {
                if used.path.split("::").next() == Some(library) {
                    report.find(
                        file,
                        used.line,
                        format!("names `{library}` outside {}", home.join(", ")),
                        format!(
                            "call through `{crate_name}::{}`",
                            home.first().copied().unwrap_or_default()
                        ),
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_stay_in_their_modules() {
        let source = "use std::io;\nuse hyper::{Request, body};\nfn f() { rusqlite::open() }\n";
        let found = |module: &str, crate_name: &str| {
            let mut report = Report::default();
            let file = format!("crates/{crate_name}/src/{module}.rs");
            homes(&[(file, source.to_owned())], crate_name, &mut report);
            report.findings().len()
        };
        assert_eq!(found("sync/room_worker", "sabir-client"), 3);
        assert_eq!(found("transport/call", "sabir-client"), 1, "rusqlite alone");
        assert_eq!(found("store", "sabir-client"), 2, "hyper alone");
        assert_eq!(found("http", "sabir-server"), 0);
    }
}
