//! Every direct dependency has a row in the decision record, and no row outlives its dependency.

use crate::metadata::Package;
use crate::report::Report;
use std::collections::BTreeMap;

/// The decision record.
pub(super) const FILE: &str = "docs/decisions/0002-dependencies.md";

/// Compares the record with the manifests.
pub(super) fn check(record: &str, members: &[Package], report: &mut Report) {
    let explained = rows(record);
    let mut direct = BTreeMap::new();
    for member in members {
        for dependency in &member.dependencies {
            if !members.iter().any(|other| other.name == dependency.name) {
                direct
                    .entry(dependency.name.as_str())
                    .or_insert(member.name.as_str());
            }
        }
    }
    for (name, user) in &direct {
        if !explained.contains_key(*name) {
            let what = format!("no row for `{name}`, which {user} depends on");
            report.find(
                FILE,
                0,
                what,
                "say what for, why this one, its licence and its size",
            );
        }
    }
    for (name, line) in explained {
        if !direct.contains_key(name.as_str()) {
            report.find(
                FILE,
                line,
                format!("a row for `{name}`, which nobody depends on"),
                "take it out",
            );
        }
    }
}

/// Names in backticks in the first cell of each table row, with their lines.
fn rows(record: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for (number, line) in record.lines().enumerate() {
        let first = line.strip_prefix('|').and_then(|row| row.split('|').next());
        for name in first
            .into_iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        {
            found.insert(name.to_owned(), number + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Dependency, Kind};

    #[test]
    fn rows_and_manifests_agree() {
        let member = Package {
            name: "sabir-x".to_owned(),
            version: "0.1.0".to_owned(),
            license: None,
            source: None,
            dependencies: ["a", "b"]
                .map(|name| Dependency {
                    name: name.to_owned(),
                    kind: Kind::Dev,
                })
                .to_vec(),
        };
        let mut report = Report::default();
        check(
            "| crate | why |\n| `a`, `c` | uses `d` |\n",
            &[member],
            &mut report,
        );
        let found: Vec<&str> = report
            .findings()
            .iter()
            .map(|finding| finding.what.as_str())
            .collect();
        assert_eq!(
            found,
            [
                "no row for `b`, which sabir-x depends on",
                "a row for `c`, which nobody depends on"
            ]
        );
    }
}
