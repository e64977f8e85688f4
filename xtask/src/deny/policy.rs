//! deny.toml, as far as our own check reads it.

use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// What may come in.
#[derive(Debug, Default, Clone)]
pub(super) struct Policy {
    /// SPDX names that every crate may carry.
    pub(super) licenses: BTreeSet<String>,
    /// Crate → further names that it alone may carry.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    /// Crate → why it may not come in.
    pub(super) banned: BTreeMap<String, String>,
    /// Crates that may come in two versions.
    pub(super) skipped: BTreeSet<String>,
    /// Whether two versions of a crate are a fault.
    pub(super) duplicates_are_faults: bool,
}

impl Policy {
    /// Reads the file's text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let file: Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let licenses = section(&file, "licenses")?;
        let bans = section(&file, "bans")?;
        let mut policy = Self {
            licenses: strings(licenses.get("allow")),
            duplicates_are_faults: bans.get("multiple-versions").and_then(Value::as_str) == Some("deny"),
            ..Self::default()
        };
        policy.except(licenses)?;
        for entry in tables(bans.get("deny")) {
            let name = named(entry).ok_or("deny.toml: a ban names no crate")?;
            let reason = entry.get("reason").and_then(Value::as_str);
            policy
                .banned
                .insert(name, reason.ok_or("deny.toml: a ban gives no reason")?.to_owned());
        }
        policy.skipped = tables(bans.get("skip")).filter_map(named).collect();
        Ok(policy)
    }

    /// Adds the exceptions of another file, which holds nothing else.
    pub(super) fn read_exceptions(&mut self, text: &str) -> Result<(), String> {
        let file: Table = text
            .parse()
            .map_err(|error| format!("deny.exceptions.toml: {error}"))?;
        self.except(&file)
    }

    fn except(&mut self, table: &Table) -> Result<(), String> {
        for entry in tables(table.get("exceptions")) {
            let name = named(entry).ok_or("an exception from the licences names no crate")?;
            self.exceptions
                .entry(name)
                .or_default()
                .extend(strings(entry.get("allow")));
        }
        Ok(())
    }

    /// Whether a crate may carry a licence.
    pub(super) fn allows(&self, name: &str, license: &str) -> bool {
        self.licenses.contains(license)
            || self
                .exceptions
                .get(name)
                .is_some_and(|allowed| allowed.contains(license))
    }
}

fn section<'a>(file: &'a Table, name: &str) -> Result<&'a Table, String> {
    file.get(name)
        .and_then(Value::as_table)
        .ok_or_else(|| format!("deny.toml: no [{name}]"))
}

fn strings(value: Option<&Value>) -> BTreeSet<String> {
    let list = value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn tables(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_table)
}

/// The crate an entry is about: `crate = "name"`, with or without `@version`.
fn named(entry: &Table) -> Option<String> {
    let name = entry.get("crate").or_else(|| entry.get("name"))?.as_str()?;
    Some(name.split(['@', ':']).next().unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::Policy;

    #[test]
    fn reads_its_tables() -> Result<(), String> {
        let policy = Policy::read(
            "[licenses]\nallow = [\"MIT\"]\nexceptions = [{ crate = \"a@1\", allow = [\"ISC\"] }]\n\
             [bans]\nmultiple-versions = \"deny\"\nskip = [{ crate = \"b\" }]\ndeny = [{ crate = \"c\", reason = \"no\" }]\n",
        )?;
        assert!(policy.allows("x", "MIT") && policy.allows("a", "ISC") && !policy.allows("x", "ISC"));
        let mut outside = policy.clone();
        outside.read_exceptions("exceptions = [{ crate = \"d\", allow = [\"MPL-2.0\"] }]\n")?;
        assert!(
            outside.allows("d", "MPL-2.0")
                && !outside.allows("x", "MPL-2.0")
                && !policy.allows("d", "MPL-2.0")
        );
        assert!(policy.duplicates_are_faults && policy.skipped.contains("b"));
        assert_eq!(policy.banned.get("c").map(String::as_str), Some("no"));
        Ok(())
    }

    #[test]
    fn a_ban_without_a_reason_is_refused() {
        assert!(Policy::read("[licenses]\n[bans]\ndeny = [{ crate = \"c\" }]\n").is_err());
        assert!(Policy::read("[licenses]\n").is_err());
    }
}
