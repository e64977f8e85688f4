//! The crate outside the workspace tests what the workspace ships: what both lock files hold, they hold in one version.

use crate::metadata::Package;
use crate::report::Report;
use std::collections::BTreeMap;

/// Compares the packages of the two lock files; `lock` is the outer one.
pub(super) fn check(lock: &str, workspace: &[Package], outside: &[Package], report: &mut Report) {
    let shipped: BTreeMap<_, _> = workspace
        .iter()
        .map(|package| ((package.name.as_str(), line(&package.version)), &package.version))
        .collect();
    for Package { name, version, .. } in outside {
        if let Some(other) = shipped.get(&(name.as_str(), line(version)))
            && *other != version
        {
            report.find(
                lock,
                0,
                format!("{name} {version} where the workspace has {other}"),
                format!("in that folder: cargo update {name}@{version} --precise {other}"),
            );
        }
    }
}

/// Versions of one line replace each other: `1`, `0.9`, `0.0.7`.
fn line(version: &str) -> &str {
    let mut seen = false;
    let end = version.find(|c: char| {
        seen |= c.is_ascii_digit() && c != '0';
        seen && !c.is_ascii_digit()
    });
    version.get(..end.unwrap_or(version.len())).unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: None,
            source: None,
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn versions_of_one_line_are_equal() {
        let workspace = [
            package("a", "1.2.0"),
            package("b", "0.9.2"),
            package("b", "0.10.0"),
        ];
        let faults = |outside: &[Package]| {
            let mut report = Report::default();
            check("x/Cargo.lock", &workspace, outside, &mut report);
            report.findings().len()
        };
        assert_eq!(faults(&workspace), 0);
        assert_eq!(
            faults(&[
                package("a", "2.0.0"),
                package("b", "0.8.1"),
                package("c", "1.0.0")
            ]),
            0
        );
        assert_eq!(
            faults(&[
                package("a", "1.3.0"),
                package("b", "0.9.3"),
                package("b", "0.10.0")
            ]),
            2
        );
    }

    #[test]
    fn lines() {
        assert_eq!(
            ["1.2.3", "12.0.1", "0.9.2", "0.10.0", "0.0.7"].map(line),
            ["1", "12", "0.9", "0.10", "0.0.7"]
        );
    }
}
