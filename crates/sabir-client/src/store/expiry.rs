//! Which messages expire, and when. Times stand in clear, as the order of messages does.

use rusqlite::OptionalExtension as _;

use super::values::number;
use super::{StoreError, Tx};

impl Tx<'_> {
    /// A message expires so many milliseconds after it was read, or at `due`, in milliseconds since the epoch.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn set_expiry(&mut self, id: u64, after: u64, due: Option<u64>) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO expiring (id, after, due) VALUES (?1, ?2, ?3)")?
            .execute((number(id)?, number(after)?, due.map(number).transpose()?))?;
        self.timed = true;
        Ok(())
    }

    /// Whether this transaction has set times at which messages expire.
    #[must_use]
    pub const fn has_timed(&self) -> bool {
        self.timed
    }

    /// Messages of a room up to `position` were read now: the time of those runs that expire after it.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn start_expiries(&mut self, room: &str, position: u64, now: u64) -> Result<(), StoreError> {
        let room = self.room_hash(room);
        self.sql
            .prepare_cached(
                "UPDATE expiring SET due = ?3 + after WHERE due IS NULL AND EXISTS (
                    SELECT 1 FROM timeline
                    WHERE timeline.id = expiring.id AND timeline.room = ?1 AND timeline.position <= ?2)",
            )?
            .execute((room.as_slice(), number(position)?, number(now)?))?;
        self.timed = true;
        Ok(())
    }

    /// When a message expires, where that is known.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn expiry(&self, id: u64) -> Result<Option<u64>, StoreError> {
        let due: Option<Option<i64>> = self
            .sql
            .prepare_cached("SELECT due FROM expiring WHERE id = ?1")?
            .query_row([number(id)?], |row| row.get(0))
            .optional()?;
        Ok(due.flatten().and_then(|due| u64::try_from(due).ok()))
    }

    /// When the next message expires.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn next_expiry(&self) -> Result<Option<u64>, StoreError> {
        let due: Option<i64> = self
            .sql
            .prepare_cached("SELECT min(due) FROM expiring WHERE due IS NOT NULL")?
            .query_row((), |row| row.get(0))?;
        Ok(due.and_then(|due| u64::try_from(due).ok()))
    }

    /// Messages whose time is over, the first ones first.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn expired(&self, now: u64, limit: u32) -> Result<Vec<u64>, StoreError> {
        let mut query = self
            .sql
            .prepare_cached("SELECT id FROM expiring WHERE due <= ?1 ORDER BY due LIMIT ?2")?;
        let ids = query.query_map((number(now)?, limit), |row| row.get::<_, i64>(0))?;
        let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
        Ok(ids.into_iter().filter_map(|id| u64::try_from(id).ok()).collect())
    }

    /// Nothing of that message is left that could expire.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn forget_expiry(&mut self, id: u64) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM expiring WHERE id = ?1")?
            .execute([number(id)?])?;
        Ok(())
    }
}
