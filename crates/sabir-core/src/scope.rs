//! One room's rows hold the MLS library's rows and the engine's own, told apart by the first byte of the key.

use std::collections::BTreeMap;

use sabir_mls::rows::{RowChanges, Rows};

const MLS: u8 = b'm';
const ENGINE: u8 = b'e';
/// A group that is to take the place of the one under [`MLS`].
const BESIDE: u8 = b'x';

/// The library's rows among a room's rows.
#[must_use]
pub fn mls_rows(rows: &Rows) -> Rows {
    rows.iter()
        .filter_map(|(key, value)| match key.split_first() {
            Some((&MLS, rest)) => Some((rest.to_vec(), value.clone())),
            _ => None,
        })
        .collect()
}

/// The library's changes as changes of the room's rows.
#[must_use]
pub fn scoped(mls: RowChanges) -> RowChanges {
    let mut changes = RowChanges::default();
    for (key, value) in &mls.puts {
        changes.put(prefixed(MLS, key), value.clone());
    }
    for key in &mls.deletes {
        changes.delete(prefixed(MLS, key));
    }
    changes
}

/// The library's rows of the group beside.
pub(crate) fn rows_beside(rows: &Rows) -> Rows {
    let range = rows.range(vec![BESIDE]..);
    range
        .map_while(|(key, value)| match key.split_first() {
            Some((&BESIDE, rest)) => Some((rest.to_vec(), value.clone())),
            _ => None,
        })
        .collect()
}

/// Puts a whole group beside the one that is there.
pub(crate) fn put_beside(rows: &Rows, changes: &mut RowChanges) {
    for (key, value) in rows {
        changes.put(prefixed(BESIDE, key), value.clone());
    }
}

/// Takes the group beside away.
pub(crate) fn drop_beside(rows: &Rows, changes: &mut RowChanges) {
    for key in rows.keys() {
        changes.delete(prefixed(BESIDE, key));
    }
}

/// Writes a whole group in the place of another.
pub(crate) fn replace(old: &Rows, new: &Rows, changes: &mut RowChanges) {
    for key in old.keys() {
        changes.delete(prefixed(MLS, key));
    }
    for (key, value) in new {
        changes.put(prefixed(MLS, key), value.clone());
    }
}

/// The key of an engine's own row.
pub(crate) fn engine_key(name: &str) -> Vec<u8> {
    prefixed(ENGINE, name.as_bytes())
}

/// An engine's own row.
pub(crate) fn engine_row<'a>(rows: &'a BTreeMap<Vec<u8>, Vec<u8>>, name: &str) -> Option<&'a [u8]> {
    rows.get(&engine_key(name)).map(Vec::as_slice)
}

fn prefixed(tag: u8, key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(key.len().saturating_add(1));
    whole.push(tag);
    whole.extend_from_slice(key);
    whole
}
