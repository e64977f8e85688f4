//! OpenMLS's storage in memory: the rows a call started from, and over them what it changed.
//!
//! OpenMLS writes some fourteen rows for one commit, each on its own. Here they gather in [`RowChanges`] and the shell
//! writes them in one transaction, or [`Overlay::discard`] drops them, so that a failed call leaves no trace and a
//! crash finds either the old epoch or the new one. Implementing `StorageProvider` gives `PublicStorageProvider`,
//! which the observer needs, as well.

mod cbor;
mod codec;
mod openmls;
mod packed;
mod pieces;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;

use self::codec::{Table, decode, encode};
pub(crate) use self::pieces::Touched;
use crate::rows::{RowChanges, Rows, wipe};

/// Why a row could not be written or read. The number is the row's table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// A key or value did not serialise: a bug.
    #[error("row of table {0} does not encode")]
    Encode(u8),
    /// A stored value is not what this version writes.
    #[error("row of table {0} does not decode")]
    Decode(u8),
    /// A stored value has no or another version byte.
    #[error("row of table {0} is in an unknown envelope")]
    Envelope(u8),
}

/// In-memory storage over base rows that remembers what changed. Everything in it is wiped on drop.
pub struct Overlay(RefCell<State>);

#[derive(Default)]
struct State {
    base: Rows,
    changes: RowChanges,
    /// What the tree that is written next differs in from the one that is there.
    touched: Option<Touched>,
}

impl Overlay {
    /// Storage that starts from `rows`.
    #[must_use]
    pub fn new(rows: Rows) -> Self {
        Self(RefCell::new(State {
            base: rows,
            changes: RowChanges::default(),
            touched: None,
        }))
    }

    /// A copy of what changed since the start or the last [`Overlay::take_changes`].
    #[must_use]
    pub fn changes(&self) -> RowChanges {
        self.0.borrow().changes.clone()
    }

    /// Makes the changes part of the base and returns them, to be persisted.
    pub fn take_changes(&self) -> RowChanges {
        let mut state = self.0.borrow_mut();
        let changes = std::mem::take(&mut state.changes);
        changes.apply_to(&mut state.base);
        changes
    }

    /// Forgets the changes: reads see the base again. A group loaded in memory is not rolled back with it.
    pub fn discard(&self) {
        self.0.borrow_mut().changes = RowChanges::default();
    }

    /// A copy of every row, with the changes applied.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let state = self.0.borrow();
        let mut rows = state.base.clone();
        state.changes.apply_to(&mut rows);
        rows
    }

    /// Every row with the changes applied.
    #[must_use]
    pub fn into_rows(self) -> Rows {
        let _ = self.take_changes();
        std::mem::take(&mut self.0.borrow_mut().base)
    }

    fn put<V: serde::Serialize>(&self, table: Table, key: Vec<u8>, value: &V) -> Result<(), StorageError> {
        let value = encode(table, value, 0, None)?;
        self.0.borrow_mut().changes.put(key, value.bytes);
        Ok(())
    }

    /// Says what the tree that is written next differs in from the one that is there; `None`: in anything.
    pub(crate) fn expect(&self, touched: Option<Touched>) {
        self.0.borrow_mut().touched = touched;
    }

    /// Writes those rows of a value in pieces that are not there already.
    fn put_pieces<V: serde::Serialize>(
        &self,
        table: Table,
        prefix: &[u8],
        value: &V,
    ) -> Result<(), StorageError> {
        let (mut gone, touched, expected) = {
            let state = self.0.borrow();
            let keys: BTreeSet<Vec<u8>> = state.keys_under(prefix).into_iter().collect();
            let touched = state.touched.clone();
            let pieces = keys.iter().filter(|_| touched.is_none());
            let len: usize = pieces.filter_map(|key| state.get(key)).map(<[u8]>::len).sum();
            (keys, touched, len.saturating_add(len / 8))
        };
        let encoded = encode(table, value, expected, touched.as_ref())?;
        let rows = pieces::split(&encoded).ok_or(StorageError::Encode(table as u8))?;
        debug_assert!(touched.is_none() || self.spared_rows_stay(table, prefix, value, &rows));
        for (suffix, piece) in rows {
            let key = [prefix, &suffix].concat();
            let known = gone.remove(&key);
            if touched.is_some() && piece.is_empty() {
                if known {
                    continue;
                }
                return Err(StorageError::Encode(table as u8));
            }
            let mut state = self.0.borrow_mut();
            if state.get(&key) != Some(piece) {
                state.changes.put(key, piece.to_vec());
            }
        }
        for key in gone {
            self.remove(key);
        }
        Ok(())
    }

    /// Whether the rows that were spared are those of the whole value.
    fn spared_rows_stay<V: serde::Serialize>(
        &self,
        table: Table,
        prefix: &[u8],
        value: &V,
        rows: &[(pieces::Suffix, &[u8])],
    ) -> bool {
        let Ok(whole) = encode(table, value, 0, None) else {
            return false;
        };
        let state = self.0.borrow();
        pieces::split(&whole).is_some_and(|whole| {
            whole.len() == rows.len()
                && whole.iter().zip(rows).all(|((suffix, whole), (_, piece))| {
                    whole == piece || state.get(&[prefix, suffix].concat()) == Some(*whole)
                })
        })
    }

    /// A value in pieces.
    fn get_pieces<V: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        prefix: &[u8],
    ) -> Result<Option<V>, StorageError> {
        let state = self.0.borrow();
        let keys = state.keys_under(prefix);
        if keys.is_empty() {
            return Ok(None);
        }
        let pieces: Vec<&[u8]> = keys.iter().filter_map(|key| state.get(key)).collect();
        decode(table, &pieces.concat()).map(Some)
    }

    /// Removes every row whose key begins with `prefix`.
    fn remove_under(&self, prefix: &[u8]) {
        let keys = self.0.borrow().keys_under(prefix);
        for key in keys {
            self.remove(key);
        }
    }

    fn get<V: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<V>, StorageError> {
        self.0
            .borrow()
            .get(key)
            .map(|value| decode(table, value))
            .transpose()
    }

    fn remove(&self, key: Vec<u8>) {
        let mut state = self.0.borrow_mut();
        // Recorded even when the row was written within the call: a shell may have persisted a copy of it since.
        if state.get(&key).is_some() {
            state.changes.delete(key);
        }
    }

    /// The values of one list, in the order they were added.
    fn list<T>(
        &self,
        prefix: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let state = self.0.borrow();
        let keys = state.keys_under(prefix);
        keys.iter().filter_map(|key| state.get(key)).map(decode).collect()
    }

    /// Adds a row at the end of a list; `name` tells the list's rows apart and may be empty.
    fn append<V: serde::Serialize>(
        &self,
        table: Table,
        prefix: &[u8],
        name: &[u8],
        value: &V,
    ) -> Result<(), StorageError> {
        let last = self.0.borrow().keys_under(prefix).pop();
        let next = last
            .and_then(|key| key.get(prefix.len()..)?.first_chunk().copied())
            .map_or(0, |ordinal| u32::from_be_bytes(ordinal).saturating_add(1));
        self.put(table, [prefix, &next.to_be_bytes(), name].concat(), value)
    }

    /// Removes the rows of a list whose name passes `doomed`.
    fn remove_named(&self, prefix: &[u8], doomed: impl Fn(&[u8]) -> bool) {
        let keys = self.0.borrow().keys_under(prefix);
        for key in keys {
            if key
                .get(prefix.len()..)
                .and_then(|suffix| suffix.get(ORDINAL_LEN..))
                .is_some_and(&doomed)
            {
                self.remove(key);
            }
        }
    }
}

/// Length of the number that orders the rows of a list, between the list's prefix and the row's name.
const ORDINAL_LEN: usize = 4;

impl State {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        if self.changes.deletes.contains(key) {
            return None;
        }
        self.changes
            .puts
            .get(key)
            .or_else(|| self.base.get(key))
            .map(Vec::as_slice)
    }

    /// Keys of present rows that begin with `prefix`, in order.
    fn keys_under(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let under = |rows: &Rows| -> Vec<Vec<u8>> {
            rows.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
                .map(|(key, _)| key)
                .take_while(|key| key.starts_with(prefix))
                .cloned()
                .collect()
        };
        let mut keys = under(&self.base);
        keys.retain(|key| !self.changes.deletes.contains(key));
        keys.extend(under(&self.changes.puts));
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Drop for State {
    fn drop(&mut self) {
        wipe(&mut self.base);
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.borrow();
        f.debug_struct("Overlay")
            .field("base", &state.base.len())
            .field("changes", &state.changes)
            .finish()
    }
}
