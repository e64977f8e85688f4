//! One room's rows hold the MLS library's rows and the engine's own, told apart by the first byte of the key.

use std::collections::BTreeMap;

use sabir_mls::rows::{RowChanges, Rows};

const MLS: u8 = b'm';
const ENGINE: u8 = b'e';

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
