//! How far a room was read, and how far it was told to the others that messages arrived.
//!
//! Positions and counts stand in clear, as the order of messages does.

use rusqlite::OptionalExtension as _;

use super::values::number;
use super::{StoreError, Tx, UNORDERED};

/// Messages looked at when what is unread is counted anew; more than that is "very many" to anybody.
const MOST_COUNTED: u32 = 10_000;

/// How far a room was read and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// The person has read up to this position.
    pub read: u64,
    /// Messages of others behind it.
    pub unread: u64,
    /// The others were told of the arrival of messages up to this position, or will not be.
    pub reported: u64,
    /// The last message whose arrival its sender may be told of.
    pub arrived: u64,
    /// The last position in the room's order.
    pub last: u64,
}

impl Tx<'_> {
    /// How far a room was read and reported.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where there is no such room.
    pub fn reading(&self, room: &str) -> Result<Reading, StoreError> {
        let room = self.room_hash(room);
        let found: Option<[i64; 5]> = self
            .sql
            .prepare_cached(
                "SELECT read_position, unread, reported, arrived, last_position FROM rooms WHERE room = ?1",
            )?
            .query_row([room.as_slice()], |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
            })
            .optional()?;
        let numbers = found.ok_or(StoreError::Conflict("no such room"))?;
        let [read, unread, reported, arrived, last] =
            numbers.map(|number| u64::try_from(number).unwrap_or_default());
        Ok(Reading {
            read,
            unread,
            reported,
            arrived,
            last,
        })
    }

    /// Counts the message that was appended last as unread.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn count_unread(&mut self, room: &str) -> Result<(), StoreError> {
        let room = self.room_hash(room);
        self.sql
            .prepare_cached("UPDATE rooms SET unread = unread + 1, arrived = last_position WHERE room = ?1")?
            .execute([room.as_slice()])?;
        Ok(())
    }

    /// One unread message less: it was taken back.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn discount_unread(&mut self, room: &str, position: u64) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "UPDATE rooms SET unread = max(unread - 1, 0) WHERE room = ?1 AND read_position < ?2",
            )?
            .execute((self.room_hash(room).as_slice(), number(position)?))?;
        Ok(())
    }

    /// The person has read up to `position`. Never goes back. Says whether anything changed.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn set_read(&mut self, room: &str, position: u64) -> Result<bool, StoreError> {
        if position <= self.reading(room)?.read {
            return Ok(false);
        }
        self.sql
            .prepare_cached("UPDATE rooms SET read_position = ?2 WHERE room = ?1")?
            .execute((self.room_hash(room).as_slice(), number(position)?))?;
        self.recount_unread(room)?;
        Ok(true)
    }

    fn recount_unread(&mut self, room: &str) -> Result<(), StoreError> {
        let read = self.reading(room)?.read;
        let mut unread: i64 = 0;
        for row in self.between(room, read, UNORDERED.saturating_sub(1), MOST_COUNTED)? {
            if row.entry.asks_for_receipt() {
                unread = unread.saturating_add(1);
            }
        }
        self.sql
            .prepare_cached("UPDATE rooms SET unread = ?2 WHERE room = ?1")?
            .execute((self.room_hash(room).as_slice(), unread))?;
        Ok(())
    }

    /// The others were told of arrivals up to `position`, or will not be. Never goes back.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn set_reported(&mut self, room: &str, position: u64) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("UPDATE rooms SET reported = max(reported, ?2) WHERE room = ?1")?
            .execute((self.room_hash(room).as_slice(), number(position)?))?;
        Ok(())
    }
}
