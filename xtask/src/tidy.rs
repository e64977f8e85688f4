//! `cargo xtask tidy`: what rustfmt and clippy do not look at.
//!
//! * [`files`]: sizes, leftovers, the newline at the end.
//! * [`specs`]: docs/specs.md read as data, and checked against the tree.
//! * [`citations`]: every citation of a draft in code and papers carries the pinned revision and a known section.
//! * [`links`]: relative links in Markdown resolve.

mod citations;
mod files;
mod links;
mod specs;

use crate::repo::Repo;
use crate::report::Report;

/// Folders that hold our Rust code.
const RUST: &[&str] = &["crates", "xtask", "crosscheck", "fuzz"];

/// Runs every part.
pub(crate) fn check(repo: &Repo) -> Result<Report, String> {
    let mut report = Report::default();
    let specs = specs::Specs::read(&repo.read(specs::FILE)?, &mut report);
    specs.check_modules(repo, &mut report);
    let mut sources = Vec::new();
    for folder in RUST {
        for file in repo.files(folder, "rs") {
            let source = repo.read(&file)?;
            sources.push((file, source));
        }
    }
    files::check_rust(&sources, &mut report);
    for extension in ["md", "toml", "sql", "ts", "css", "html"] {
        for file in repo.files("", extension) {
            let text = repo.read(&file)?;
            files::check_ending(&file, &text, &mut report);
            if extension == "md" {
                links::check(repo, &file, &text, &mut report);
                // The pins themselves, and history, name other revisions on purpose.
                if file != specs::FILE && file != "CHANGELOG.md" {
                    sources.push((file, text));
                }
            }
        }
    }
    citations::check(&sources, &specs, &mut report);
    report.note(specs.summary());
    Ok(report)
}
