//! Relative links of Markdown files resolve.

use crate::repo::Repo;
use crate::report::Report;
use std::path::{Component, Path, PathBuf};

/// Checks the links of one file.
pub(super) fn check(repo: &Repo, file: &str, text: &str, report: &mut Report) {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    for (line, target) in links(text) {
        let path = target.split('#').next().unwrap_or_default();
        if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let resolved = match path.strip_prefix('/') {
            Some(from_root) => Some(PathBuf::from(from_root)),
            None => normal(&folder.join(path)),
        };
        let found = resolved.is_some_and(|resolved| repo.root().join(resolved).exists());
        if !found {
            report.find(
                file,
                line,
                format!("the link to `{target}` leads nowhere"),
                "name a file of this repository",
            );
        }
    }
}

/// Targets of `[text](target)` outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let mut rest = prose.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, next)) = after.split_once(')') else {
                break;
            };
            found.push((
                number + 1,
                target.split_whitespace().next().unwrap_or_default().to_owned(),
            ));
            rest = next;
        }
    }
    found
}

/// The path without `.` and `..`; `None` if it leaves the repository.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            other => clean.push(other),
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_outside_code() {
        let text = "see [a](b.md#c) and `[x](y)`\n```\n[no](no)\n```\n[z](../q \"title\")\n";
        assert_eq!(links(text), [(1, "b.md#c".to_owned()), (5, "../q".to_owned())]);
    }

    #[test]
    fn a_path_may_not_leave_the_repository() {
        assert_eq!(
            normal(Path::new("docs/../README.md")),
            Some(PathBuf::from("README.md"))
        );
        assert_eq!(normal(Path::new("docs/../../x")), None);
    }
}
