//! The bytes of an MLS group at rest, and what a call changed in them.
//!
//! A shell reads the [`Rows`] of one group from its own store, an engine works on them in memory, and what it
//! changed comes back as [`RowChanges`], which the shell writes in the same transaction as everything else that
//! the call brought about. Keys and values are opaque to the shell; values hold secret keys and have to be sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zeroize::Zeroize;

/// Every row of one group: key bytes to value bytes. Values hold secrets.
pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a call changed: rows to write and rows to delete. No key is in both.
///
/// Values are wiped when this is dropped, and `Debug` shows their number only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RowChanges {
    /// Rows to write, replacing earlier ones of the same key.
    pub puts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys whose rows are to be deleted; a key without a row is no error.
    pub deletes: BTreeSet<Vec<u8>>,
}

impl RowChanges {
    /// Whether there is nothing to write or delete.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }

    /// Records that `key` now holds `value`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.deletes.remove(&key);
        if let Some(mut old) = self.puts.insert(key, value) {
            old.zeroize();
        }
    }

    /// Records that `key` holds nothing.
    pub fn delete(&mut self, key: Vec<u8>) {
        if let Some(mut old) = self.puts.remove(&key) {
            old.zeroize();
        }
        self.deletes.insert(key);
    }

    /// Puts `later` changes on top of these, so that applying the result equals applying both in order.
    pub fn merge(&mut self, mut later: Self) {
        for key in std::mem::take(&mut later.deletes) {
            self.delete(key);
        }
        for (key, value) in std::mem::take(&mut later.puts) {
            self.put(key, value);
        }
    }

    /// Brings `rows` up to date.
    pub fn apply_to(&self, rows: &mut Rows) {
        for key in &self.deletes {
            if let Some(mut old) = rows.remove(key) {
                old.zeroize();
            }
        }
        for (key, value) in &self.puts {
            if let Some(mut old) = rows.insert(key.clone(), value.clone()) {
                old.zeroize();
            }
        }
    }
}

impl fmt::Debug for RowChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowChanges")
            .field("puts", &self.puts.len())
            .field("deletes", &self.deletes.len())
            .finish()
    }
}

impl Drop for RowChanges {
    fn drop(&mut self) {
        wipe(&mut self.puts);
    }
}

/// Overwrites every value with zeros and empties the map.
pub fn wipe(rows: &mut Rows) {
    for value in rows.values_mut() {
        value.zeroize();
    }
    rows.clear();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn changes(puts: &[(&str, &str)], deletes: &[&str]) -> RowChanges {
        RowChanges {
            puts: puts
                .iter()
                .map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec()))
                .collect(),
            deletes: deletes.iter().map(|k| k.as_bytes().to_vec()).collect(),
        }
    }

    #[test]
    fn merging_equals_applying_in_order() {
        let start: Rows = changes(&[("a", "1"), ("b", "1"), ("c", "1")], &[]).puts.clone();
        let first = changes(&[("a", "2"), ("d", "2")], &["b"]);
        let second = changes(&[("b", "3")], &["d", "c"]);

        let mut in_order = start.clone();
        first.apply_to(&mut in_order);
        second.apply_to(&mut in_order);

        let mut merged = first.clone();
        merged.merge(second);
        let mut at_once = start;
        merged.apply_to(&mut at_once);

        assert_eq!(in_order, at_once);
        assert!(merged.puts.keys().all(|k| !merged.deletes.contains(k)));
    }

    #[test]
    fn debug_shows_no_values() {
        let shown = format!("{:?}", changes(&[("key", "secret")], &["gone"]));
        assert_eq!(shown, "RowChanges { puts: 1, deletes: 1 }");
    }
}
