//! Citations of the drafts in code and papers: the pinned revision, and a section that docs/specs.md knows.

use super::specs::Specs;
use crate::report::Report;

/// Checks every line of the sources: a citation is a citation wherever it stands.
pub(super) fn check(sources: &[(String, String)], specs: &Specs, report: &mut Report) {
    let mut count = 0_usize;
    for (file, source) in sources.iter().filter(|(file, _)| !file.starts_with("xtask/")) {
        for (number, line) in source.lines().enumerate() {
            for citation in citations(line) {
                count += 1;
                if let Some((what, cure)) = fault(&citation, specs) {
                    report.find(file, number + 1, what, cure);
                }
            }
        }
    }
    report.note(format!("tidy: {count} citations of drafts"));
}

/// A draft's name as written, and the sections named after it.
#[derive(Debug, PartialEq, Eq)]
struct Citation {
    document: String,
    sections: Vec<String>,
}

fn fault(citation: &Citation, specs: &Specs) -> Option<(String, String)> {
    let cited = citation.document.as_str();
    let Some(pinned) = specs.pinned(cited) else {
        return Some((
            format!("`{cited}` is not pinned"),
            "pin it in docs/specs.md, or cite what is".to_owned(),
        ));
    };
    if pinned != cited {
        return Some((
            format!("cites `{cited}`"),
            format!("the pinned document is `{pinned}`: read it, then cite it"),
        ));
    }
    let unknown = citation
        .sections
        .iter()
        .find(|section| !specs.has(pinned, section))?;
    Some((
        format!("cites {pinned} §{unknown}, which has no row in docs/specs.md"),
        "add a row for the rule, or cite the section that has one".to_owned(),
    ))
}

/// The citations on one line: `draft-name-NN §4.1`, `draft-name §4.1, §4.2 and §5`.
fn citations(line: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("draft-") {
        let Some(from) = rest.get(at..) else { break };
        let end = from
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(from.len());
        let (name, after) = from.split_at_checked(end).unwrap_or((from, ""));
        let document = name.trim_end_matches('-');
        let (sections, left) = sections(after);
        // A feature or folder of that name is no citation: `"extensions-draft-x"` and `draft-` alone.
        let word = rest.get(..at).and_then(|before| before.chars().next_back());
        let inside = word.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '/');
        if !inside && document.matches('-').count() >= 2 {
            found.push(Citation {
                document: document.to_owned(),
                sections,
            });
        }
        rest = left;
    }
    found
}

/// The `§` numbers at the front of `text`, joined by commas, `and` or `to`; and what follows them.
fn sections(text: &str) -> (Vec<String>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let mut ahead = rest.trim_start_matches([' ', ',', '`']);
        for joint in ["and ", "to ", "or "] {
            ahead = ahead.strip_prefix(joint).unwrap_or(ahead);
        }
        let Some(number) = ahead.strip_prefix('§') else {
            return (found, rest);
        };
        let end = number
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
            .unwrap_or(number.len());
        let (section, left) = number.split_at_checked(end).unwrap_or((number, ""));
        found.push(section.trim_end_matches('.').to_owned());
        rest = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(line: &str) -> Vec<(String, Vec<String>)> {
        citations(line)
            .into_iter()
            .map(|citation| (citation.document, citation.sections))
            .collect()
    }

    #[test]
    fn reads_names_and_sections() {
        assert_eq!(
            cited(
                "//! see draft-ietf-mimi-protocol-06 §5.2. Then (draft-ietf-mls-extensions §4.6, §4.7 and §5)."
            ),
            [
                ("draft-ietf-mimi-protocol-06".to_owned(), vec!["5.2".to_owned()]),
                (
                    "draft-ietf-mls-extensions".to_owned(),
                    vec!["4.6".to_owned(), "4.7".to_owned(), "5".to_owned()]
                ),
            ]
        );
        assert_eq!(cited("feature = \"extensions-draft-x-y\" and draft- alone"), []);
        assert_eq!(
            cited("`draft-ietf-mimi-content` §A.1")
                .first()
                .map(|c| c.1.clone()),
            Some(vec!["A.1".to_owned()])
        );
    }

    #[test]
    fn judges_revision_and_section() {
        let text = "## Pinned\n| a | draft-ietf-mimi-protocol-06 | r | v | d |\n## protocol: draft-ietf-mimi-protocol-06\n| 5.3 | x | - | n/a | - |\n";
        let specs = Specs::read(text, &mut Report::default());
        let judge = |line: &str| {
            citations(line)
                .iter()
                .filter_map(|citation| fault(citation, &specs))
                .count()
        };
        assert_eq!(judge("draft-ietf-mimi-protocol-06 §5.3"), 0);
        assert_eq!(judge("draft-ietf-mimi-protocol-05 §5.3"), 1);
        assert_eq!(judge("draft-ietf-mimi-protocol-06 §5.9"), 1);
        assert_eq!(judge("draft-ietf-mimi-arch-02 §1"), 1);
    }
}
