//! What a check found: findings name a place and a cure, notes are for reading.

use std::fmt;

/// One thing that is wrong, where it is, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path relative to the root of the repository.
    pub(crate) file: String,
    /// Line number from 1, or 0 when the finding is about the whole file.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) cure: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}\n  hint: {}", self.file, self.what, self.cure),
            line => write!(f, "{}:{line}: {}\n  hint: {}", self.file, self.what, self.cure),
        }
    }
}

/// The outcome of one check.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a finding; `line` is 0 for a whole file.
    pub(crate) fn find(
        &mut self,
        file: impl Into<String>,
        line: usize,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.findings.push(Finding {
            file: file.into(),
            line,
            what: what.into(),
            cure: cure.into(),
        });
    }

    /// Adds a line worth reading that is no fault.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The findings, in the order found.
    #[cfg(test)]
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Findings to stderr, sorted by place; notes to stdout.
    pub(crate) fn print(&self) {
        for note in &self.notes {
            println!("{note}");
        }
        let mut findings = self.findings.clone();
        findings.sort();
        for finding in &findings {
            eprintln!("{finding}");
        }
        if !findings.is_empty() {
            eprintln!("{} to mend", findings.len());
        }
    }
}
