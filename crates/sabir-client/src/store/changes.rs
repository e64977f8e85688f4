//! The log of what happened, for faces that come back: pointers into the other tables under a growing cursor.
//!
//! It names messages and does not repeat them, so a reader always sees a message as it is now, and a message that
//! was deleted is in no log.

use serde::{Deserialize, Serialize};

use super::values::{from_json, number, to_json};
use super::{StoreError, Tx};

const TABLE: &str = "changes";

/// How many changes are kept at least.
pub const CHANGES_KEPT: u64 = 10_000;
/// Pruning happens once in so many changes.
const PRUNE_EVERY: u64 = 256;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A message is new.
    MessageAdded {
        /// Its room.
        room: String,
        /// Its number.
        id: u64,
    },
    /// A message changed.
    MessageChanged {
        /// Its room.
        room: String,
        /// Its number.
        id: u64,
    },
    /// Something that was asked from here and is no message of its own was written down, or decided.
    Asked {
        /// What who asked was told.
        local_id: u64,
    },
    /// A room is new.
    RoomAdded {
        /// The room.
        room: String,
    },
    /// A room changed.
    RoomChanged {
        /// The room.
        room: String,
    },
    /// A person must know something.
    Alarm {
        /// The room it is about.
        room: String,
        /// What it is.
        text: String,
    },
}

impl Tx<'_> {
    /// Appends a change; says its cursor.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn append_change(&mut self, change: &Change) -> Result<u64, StoreError> {
        let content = to_json(TABLE, change)?;
        self.sql
            .prepare_cached("INSERT INTO changes (value) VALUES (x'')")?
            .execute(())?;
        let rowid = self.sql.last_insert_rowid();
        let cursor = u64::try_from(rowid).map_err(|_| StoreError::Damaged(TABLE))?;
        let sealed = self.sealer.seal(TABLE, &cursor.to_be_bytes(), &content)?;
        self.sql
            .prepare_cached("UPDATE changes SET value = ?2 WHERE cursor = ?1")?
            .execute((rowid, sealed))?;
        if cursor.is_multiple_of(PRUNE_EVERY) {
            let oldest = number(cursor.saturating_sub(CHANGES_KEPT))?;
            self.sql
                .prepare_cached("DELETE FROM changes WHERE cursor <= ?1")?
                .execute([oldest])?;
        }
        Ok(cursor)
    }

    /// The cursor of the last change, 0 before the first.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn last_change(&self) -> Result<u64, StoreError> {
        let last: i64 = self
            .sql
            .prepare_cached("SELECT coalesce(max(cursor), 0) FROM changes")?
            .query_row((), |row| row.get(0))?;
        u64::try_from(last).map_err(|_| StoreError::Damaged(TABLE))
    }

    /// Up to `limit` changes after `cursor`, oldest first. The flag says that some after `cursor` are gone.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn changes_after(&self, cursor: u64, limit: u32) -> Result<(Vec<(u64, Change)>, bool), StoreError> {
        let mut statement = self
            .sql
            .prepare_cached("SELECT cursor, value FROM changes WHERE cursor > ?1 ORDER BY cursor LIMIT ?2")?;
        let mut found = statement.query((number(cursor)?, limit))?;
        let mut changes: Vec<(u64, Change)> = Vec::new();
        while let Some(row) = found.next()? {
            let at: i64 = row.get(0)?;
            let sealed: Vec<u8> = row.get(1)?;
            let at = u64::try_from(at).map_err(|_| StoreError::Damaged(TABLE))?;
            let bytes = self.sealer.open(TABLE, &at.to_be_bytes(), &sealed)?;
            changes.push((at, from_json(TABLE, &bytes)?));
        }
        let missed = changes
            .first()
            .is_some_and(|(first, _)| *first > cursor.saturating_add(1));
        Ok((changes, missed))
    }
}
