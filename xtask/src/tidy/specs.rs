//! docs/specs.md as data: the pinned documents, and a row for each structure and rule.
//!
//! ```text
//! ## Pinned
//! | short name | document | repository, file | revision | date |
//! ## protocol: draft-ietf-mimi-protocol-06                          a chapter; rows below it are its own
//! | § | structure or rule | module | status | note |
//! ```
//!
//! A row that is `done` or a `deviation` names a module that exists. A row for `later` names the crate, and
//! may name a module that does not exist yet.

use crate::repo::Repo;
use crate::report::Report;
use std::collections::{BTreeMap, BTreeSet};

/// Where it lives.
pub(super) const FILE: &str = "docs/specs.md";

/// The heading of the table of documents.
const PINNED: &str = "Pinned";

/// Crates that later work adds; rows for `later` may name them.
const FUTURE_CRATES: &[&str] = &["sabir-conform", "sabir-discovery", "sabir-keytrans", "bridges"];

const STATUSES: &[&str] = &["done", "later", "deviation", "n/a"];

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Specs {
    /// Document name (with its revision number where it has one) → sections that have a row.
    sections: BTreeMap<String, BTreeSet<String>>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    line: usize,
    modules: Vec<String>,
    status: String,
}

impl Specs {
    /// Reads the text; malformed rows become findings.
    pub(super) fn read(text: &str, report: &mut Report) -> Self {
        let mut specs = Self::default();
        let mut chapter: Option<String> = None;
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            if let Some(heading) = line.strip_prefix("## ") {
                let document = heading.split_once(": ").map_or(heading, |(_, document)| document);
                chapter = Some(document.trim().to_owned());
                continue;
            }
            let Some(cells) = cells(line) else { continue };
            match (&chapter, cells.as_slice()) {
                (Some(table), [_, document, ..]) if table == PINNED && document.starts_with("draft-") => {
                    specs.sections.entry(plain(document)).or_default();
                }
                (Some(document), [section, what, module, status, _]) if is_section(section) => {
                    if !specs.sections.contains_key(document) && document.starts_with("draft-") {
                        report.find(
                            FILE,
                            number,
                            format!("`{document}` is not in the pinned table"),
                            "pin it",
                        );
                    }
                    if !STATUSES.contains(&status.as_str()) || what.is_empty() {
                        let cure = format!("the status is one of {}", STATUSES.join(", "));
                        report.find(FILE, number, format!("a row with status `{status}`"), cure);
                    }
                    let known = specs.sections.entry(document.clone()).or_default();
                    known.insert(section.clone());
                    let modules = module
                        .split(',')
                        .map(plain)
                        .filter(|module| module != "-" && !module.is_empty());
                    let modules = modules.collect();
                    specs.rows.push(Row {
                        line: number,
                        modules,
                        status: status.clone(),
                    });
                }
                (Some(_), [first, ..]) if is_section(first) => {
                    report.find(
                        FILE,
                        number,
                        format!("a row of {} cells", cells.len()),
                        "a row has five",
                    );
                }
                _ => {}
            }
        }
        specs
    }

    /// The pinned name of the document that `cited` names with or without some revision number.
    pub(super) fn pinned(&self, cited: &str) -> Option<&str> {
        let wanted = stem(cited);
        self.sections
            .keys()
            .map(String::as_str)
            .find(|name| stem(name) == wanted)
    }

    /// Whether a document has a row for a section, or for a part of it.
    pub(super) fn has(&self, document: &str, section: &str) -> bool {
        let inside = |known: &String| {
            known
                .strip_prefix(section)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.sections
            .get(document)
            .is_some_and(|sections| sections.iter().any(inside))
    }

    /// Rows that claim something name modules that exist.
    pub(super) fn check_modules(&self, repo: &Repo, report: &mut Report) {
        for row in &self.rows {
            let claims = matches!(row.status.as_str(), "done" | "deviation");
            if claims && row.modules.is_empty() {
                report.find(
                    FILE,
                    row.line,
                    format!("`{}` without a module", row.status),
                    "say where it is",
                );
            }
            for module in &row.modules {
                let (crate_name, _) = module.split_once("::").unwrap_or((module, ""));
                let future = row.status == "later" && FUTURE_CRATES.contains(&crate_name);
                let crate_exists =
                    module.contains('/') || crate_folder(crate_name).is_some_and(|at| repo.exists(&at));
                if !crate_exists && !future {
                    report.find(
                        FILE,
                        row.line,
                        format!("`{module}` names no crate of ours"),
                        "name `crate::module`",
                    );
                } else if claims && !candidates(module).iter().any(|path| repo.exists(path)) {
                    let cure = "name the module that holds it, or set the row to `later`";
                    report.find(FILE, row.line, format!("`{module}` does not exist"), cure);
                }
            }
        }
    }

    /// Counts by status, for reading.
    pub(super) fn summary(&self) -> String {
        let counts: Vec<String> = STATUSES
            .iter()
            .map(|status| {
                format!(
                    "{} {status}",
                    self.rows.iter().filter(|row| row.status == *status).count()
                )
            })
            .collect();
        format!(
            "tidy: docs/specs.md has {} rows: {}",
            self.rows.len(),
            counts.join(", ")
        )
    }
}

/// The cells of a table row, trimmed; `None` for other lines and for the rule under a header.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<String> = inner
        .replace("\\|", "\u{1}")
        .split('|')
        .map(|cell| cell.trim().replace('\u{1}', "|"))
        .collect();
    let rule = cells
        .iter()
        .all(|cell| cell.chars().all(|c| matches!(c, '-' | ':')));
    (!rule).then_some(cells)
}

/// `5.4.1`, `A.2` and so on; not the header cell.
fn is_section(cell: &str) -> bool {
    let mut parts = cell.split('.');
    let first = parts.next().is_some_and(|part| {
        (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
            || (part.len() == 1 && part.bytes().all(|b| b.is_ascii_uppercase()))
    });
    first && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn plain(cell: &str) -> String {
    cell.trim().trim_matches('`').to_owned()
}

/// A draft's name without its two-digit revision.
fn stem(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, number)) if number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit()) => stem,
        _ => name,
    }
}

fn crate_folder(name: &str) -> Option<String> {
    match name {
        "xtask" => Some("xtask".to_owned()),
        name if name.starts_with("sabir") => Some(format!("crates/{name}")),
        _ => None,
    }
}

/// Files that could be the module: `crate::a::b` is `a/b.rs`, `a/b/mod.rs`, or an item in `a.rs`. A segment
/// that starts with a capital is an item.
fn candidates(module: &str) -> Vec<String> {
    if module.contains('/') {
        return vec![module.to_owned()];
    }
    let mut parts = module.split("::");
    let Some(folder) = parts.next().and_then(crate_folder) else {
        return Vec::new();
    };
    let modules: Vec<&str> = parts
        .take_while(|part| !part.starts_with(char::is_uppercase))
        .collect();
    if modules.is_empty() {
        return vec![format!("{folder}/src/lib.rs"), format!("{folder}/src/main.rs")];
    }
    let path = modules.join("/");
    vec![
        format!("{folder}/src/{path}.rs"),
        format!("{folder}/src/{path}/mod.rs"),
        format!("{folder}/src/bin/{path}.rs"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
## Pinned
| short name | document | repository | revision | date |
|---|---|---|---|---|
| protocol | draft-ietf-mimi-protocol-06 | x | y | z |
| content | draft-ietf-mimi-content | x | y | z |
## protocol: draft-ietf-mimi-protocol-06
| § | structure or rule | module | status | note |
|---|---|---|---|---|
| 5.3 | `UpdateRequest` | `sabir-wire::update` | later | - |
| 5.4.1 | a \\| b | - | n/a | - |
| 5.5 | short |
";

    #[test]
    fn reads_documents_and_rows() {
        let mut report = Report::default();
        let specs = Specs::read(TEXT, &mut report);
        assert_eq!(
            specs.pinned("draft-ietf-mimi-protocol-05"),
            Some("draft-ietf-mimi-protocol-06")
        );
        assert_eq!(
            specs.pinned("draft-ietf-mimi-content"),
            Some("draft-ietf-mimi-content")
        );
        assert_eq!(specs.pinned("draft-ietf-mimi-arch-02"), None);
        assert!(specs.has("draft-ietf-mimi-protocol-06", "5.4.1"));
        assert!(specs.has("draft-ietf-mimi-protocol-06", "5.4"));
        assert!(!specs.has("draft-ietf-mimi-protocol-06", "5.4.2"));
        assert!(!specs.has("draft-ietf-mimi-protocol-06", "5.6"));
        assert_eq!(report.findings().len(), 1, "the row of two cells");
    }

    #[test]
    fn modules_are_files() {
        assert!(candidates("sabir-core::hub::Hub").contains(&"crates/sabir-core/src/hub.rs".to_owned()));
        assert!(candidates("sabir-wire::a::b").contains(&"crates/sabir-wire/src/a/b.rs".to_owned()));
        assert!(candidates("sabir-wire").contains(&"crates/sabir-wire/src/lib.rs".to_owned()));
        assert_eq!(candidates("vectors/x.json"), ["vectors/x.json"]);
    }

    #[test]
    fn sections_look_like_sections() {
        assert!(is_section("5") && is_section("5.4.1.2") && is_section("A.1"));
        assert!(!is_section("§") && !is_section("") && !is_section("5.") && !is_section("all"));
    }
}
