//! Messages, in the order of their rooms.
//!
//! The position of a message is the room's order as its hub made it. A message that was written here and has not
//! come back from the hub has no place in that order yet: it stands at [`UNORDERED`] plus its local id, behind
//! everything, and moves once.

use rusqlite::OptionalExtension as _;
use serde::{Deserialize, Serialize};

use super::values::{from_json, number, to_json};
use super::{Change, RoomRecord, StoreError, Tx};
use crate::files::FileInfo;
use crate::types::{MessageState, RoomChange};

/// Positions from here on are those of messages that the hub has not put into the room's order.
pub const UNORDERED: u64 = 1 << 62;

const TABLE: &str = "timeline";
const COLUMNS: &str = "id, room, position, local, value";

/// A message as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The sender's URI.
    pub sender: String,
    /// The text of the message.
    pub text: String,
    /// The decrypted application data, exactly, in base64: what its franking tag covers. Empty until it is known.
    pub content: String,
    /// The encoded frank that came with it, in base64: with it and the content the message can be reported.
    #[serde(default)]
    pub frank: Option<String>,
    /// The message id of draft-ietf-mimi-content §3.3, in hexadecimal.
    pub message_id: Option<String>,
    /// When the hub accepted it, or while that is not known, when it was written; milliseconds since the epoch.
    pub timestamp: u64,
    /// Where it stands.
    pub state: MessageState,
    /// Whether the person of this profile wrote it.
    pub own: bool,
    /// Whether credential and frank held.
    pub verified: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// What was done to it.
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    pub marks: Marks,
}

/// What a message answers, and what was done to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Files that came with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileInfo>,
    /// The version of a message that it answers, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The id of its first instance, in hexadecimal, where that never was here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The id of its newest version, in hexadecimal, where it was edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the hub accepted the newest version, where it was edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<u64>,
    /// That it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Deletion>,
    /// Reactions, in the order they came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reacted>,
    /// Of an own message, the people who have it, by URI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delivered_to: Vec<String>,
    /// Of an own message, the people who have read it, by URI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_by: Vec<String>,
    /// After how many seconds it expires once it was read, where it does so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<u32>,
    /// That its time was over, and its text went with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// What of it is against the rules of its room, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<String>,
    /// Where the line is no message: what happened in the room, people by URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Box<RoomChange>>,
}

/// That a message was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// By whom, a URI.
    pub by: String,
    /// When the hub accepted it.
    pub at: u64,
}

/// One reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reacted {
    /// Whose, a URI.
    pub from: String,
    /// Which.
    pub reaction: String,
    /// The number of the deed that it came with.
    pub deed: u64,
}

impl Marks {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Entry {
    /// Whether it is a message of somebody else that can be read: such are counted as unread and reported.
    #[must_use]
    pub fn asks_for_receipt(&self) -> bool {
        !self.own && self.message_id.is_some() && self.problem.is_none() && self.marks.deleted.is_none()
    }
}

/// A message and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRow {
    /// Its number in the profile, never used again.
    pub id: u64,
    /// Its place in the room.
    pub position: u64,
    /// What its sender was told, when it was written here.
    pub local_id: Option<u64>,
    /// The message.
    pub entry: Entry,
}

impl Tx<'_> {
    /// Appends a message at the end of its room's order. `None` where the room has a message of that id already:
    /// it came twice.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn append_message(&mut self, room: &str, entry: &Entry) -> Result<Option<u64>, StoreError> {
        if let Some(id) = &entry.message_id
            && self.message_by_id(room, id)?.is_some()
        {
            return Ok(None);
        }
        let position = self.next_position(room)?;
        self.insert(room, position, 0, entry).map(Some)
    }

    /// Appends a message that was written here, outside of the room's order. Says its number.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn append_queued(&mut self, room: &str, local_id: u64, entry: &Entry) -> Result<u64, StoreError> {
        self.insert(
            room,
            number(UNORDERED.saturating_add(local_id))?,
            number(local_id)?,
            entry,
        )
    }

    /// Replaces what is kept of a message, where it stands.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where there is no such message.
    pub fn update_message(&mut self, room: &str, id: u64, entry: &Entry) -> Result<(), StoreError> {
        let room = self.room_hash(room);
        let message = self.message_hash(&room, entry);
        let sealed = self
            .sealer
            .seal(TABLE, &row_id(&room, id), &to_json(TABLE, entry)?)?;
        let changed = self
            .sql
            .prepare_cached("UPDATE timeline SET message = ?3, value = ?4 WHERE id = ?1 AND room = ?2")?
            .execute((number(id)?, room.as_slice(), message, sealed))?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Conflict("no such message"))
        }
    }

    /// Lets go of what a message said and of everything done to it; its place stays, so that what comes late for it brings
    /// nothing back.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where there is no such message.
    pub fn erase_message(
        &mut self,
        room: &str,
        row: TimelineRow,
        deleted: Deletion,
        expired: bool,
    ) -> Result<(), StoreError> {
        if row.entry.asks_for_receipt() {
            self.discount_unread(room, row.position)?;
        }
        self.forget_expiry(row.id)?;
        self.erase_deeds(room, row.id)?;
        let entry = Entry {
            text: String::new(),
            content: String::new(),
            frank: None,
            marks: Marks {
                first: row.entry.marks.first,
                deleted: Some(deleted),
                expired,
                ..Marks::default()
            },
            ..row.entry
        };
        self.update_message(room, row.id, &entry)?;
        self.append_change(&Change::MessageChanged {
            room: room.to_owned(),
            id: row.id,
        })?;
        Ok(())
    }

    /// Moves a message that was outside of the room's order to its end. One that is in the order stays.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn put_in_order(&mut self, room: &str, id: u64) -> Result<(), StoreError> {
        let row = self
            .message(room, id)?
            .ok_or(StoreError::Conflict("no such message"))?;
        if row.position < UNORDERED {
            return Ok(());
        }
        let position = self.next_position(room)?;
        self.sql
            .prepare_cached("UPDATE timeline SET position = ?2 WHERE id = ?1")?
            .execute((number(id)?, position))?;
        Ok(())
    }

    /// Moves a message that is in no room's order to another room, outside of that one's order.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where there is no such message, or it is in the order.
    pub fn move_message(&mut self, id: u64, from: &str, to: &str, entry: &Entry) -> Result<(), StoreError> {
        let (from, to) = (self.room_hash(from), self.room_hash(to));
        let message = self.message_hash(&to, entry);
        let sealed = self
            .sealer
            .seal(TABLE, &row_id(&to, id), &to_json(TABLE, entry)?)?;
        let changed = self
            .sql
            .prepare_cached(
                "UPDATE timeline SET room = ?3, message = ?4, value = ?5
                 WHERE id = ?1 AND room = ?2 AND position >= ?6",
            )?
            .execute((
                number(id)?,
                from.as_slice(),
                to.as_slice(),
                message,
                sealed,
                number(UNORDERED)?,
            ))?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Conflict("no such message"))
        }
    }

    /// One message by its number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn message(&self, room: &str, id: u64) -> Result<Option<TimelineRow>, StoreError> {
        let room = self.room_hash(room);
        let sql = format!("SELECT {COLUMNS} FROM timeline WHERE id = ?1 AND room = ?2");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let found = statement
            .query_row((number(id)?, room.as_slice()), raw)
            .optional()?;
        found.map(|row| self.open_message(row)).transpose()
    }

    /// One message by its number, and its room.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn message_by_number(&self, id: u64) -> Result<Option<(RoomRecord, TimelineRow)>, StoreError> {
        let Ok(id) = number(id) else { return Ok(None) };
        let sql = format!("SELECT {COLUMNS} FROM timeline WHERE id = ?1");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let Some(row) = statement.query_row([id], raw).optional()? else {
            return Ok(None);
        };
        let room = self.room_by_hash(&row.room)?.ok_or(StoreError::Damaged(TABLE))?;
        Ok(Some((room, self.open_message(row)?)))
    }

    /// One message by its message id, in hexadecimal.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn message_by_id(&self, room: &str, message_id: &str) -> Result<Option<TimelineRow>, StoreError> {
        let room = self.room_hash(room);
        let message = self.sealer.hash("message", &[&room, message_id.as_bytes()]);
        let sql = format!("SELECT {COLUMNS} FROM timeline WHERE room = ?1 AND message = ?2");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let found = statement
            .query_row((room.as_slice(), message.as_slice()), raw)
            .optional()?;
        found.map(|row| self.open_message(row)).transpose()
    }

    /// One message by what its sender here was told, and its room.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn message_by_local_id(
        &self,
        local_id: u64,
    ) -> Result<Option<(RoomRecord, TimelineRow)>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM timeline WHERE local = ?1 AND local <> 0");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let Some(row) = statement.query_row([number(local_id)?], raw).optional()? else {
            return Ok(None);
        };
        let room = self.room_by_hash(&row.room)?.ok_or(StoreError::Damaged(TABLE))?;
        Ok(Some((room, self.open_message(row)?)))
    }

    /// The messages that were written here and are not in the room's order, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn unordered(&self, room: &str) -> Result<Vec<TimelineRow>, StoreError> {
        let room = self.room_hash(room);
        let sql =
            format!("SELECT {COLUMNS} FROM timeline WHERE room = ?1 AND position >= ?2 ORDER BY position");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let mut found = statement.query((room.as_slice(), number(UNORDERED)?))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(self.open_message(raw(row)?)?);
        }
        Ok(rows)
    }

    /// The last `limit` messages before position `before`, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn timeline(
        &self,
        room: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<TimelineRow>, StoreError> {
        let room = self.room_hash(room);
        let before = before.map_or(Ok(i64::MAX), number)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM timeline WHERE room = ?1 AND position < ?2 ORDER BY position DESC LIMIT ?3"
        );
        let mut statement = self.sql.prepare_cached(&sql)?;
        let mut found = statement.query((room.as_slice(), before, limit))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(self.open_message(raw(row)?)?);
        }
        rows.reverse();
        Ok(rows)
    }

    /// The newest `limit` messages behind position `after` up to position `until`, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn between(
        &self,
        room: &str,
        after: u64,
        until: u64,
        limit: u32,
    ) -> Result<Vec<TimelineRow>, StoreError> {
        let room = self.room_hash(room);
        let sql = format!(
            "SELECT {COLUMNS} FROM timeline WHERE room = ?1 AND position > ?2 AND position <= ?3
             ORDER BY position DESC LIMIT ?4"
        );
        let mut statement = self.sql.prepare_cached(&sql)?;
        let mut found = statement.query((room.as_slice(), number(after)?, number(until)?, limit))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(self.open_message(raw(row)?)?);
        }
        rows.reverse();
        Ok(rows)
    }

    fn insert(&mut self, room: &str, position: i64, local: i64, entry: &Entry) -> Result<u64, StoreError> {
        let room = self.room_hash(room);
        let message = self.message_hash(&room, entry);
        // The row's number is part of what the value is bound to, so the row has to be there first.
        self.sql
            .prepare_cached(
                "INSERT INTO timeline (room, position, message, local, value) VALUES (?1, ?2, ?3, ?4, x'')",
            )?
            .execute((room.as_slice(), position, message, local))?;
        let rowid = self.sql.last_insert_rowid();
        let id = u64::try_from(rowid).map_err(|_| StoreError::Damaged(TABLE))?;
        let sealed = self
            .sealer
            .seal(TABLE, &row_id(&room, id), &to_json(TABLE, entry)?)?;
        self.sql
            .prepare_cached("UPDATE timeline SET value = ?2 WHERE id = ?1")?
            .execute((rowid, sealed))?;
        Ok(id)
    }

    fn next_position(&mut self, room: &str) -> Result<i64, StoreError> {
        let room = self.room_hash(room);
        self.sql
            .prepare_cached(
                "UPDATE rooms SET last_position = last_position + 1 WHERE room = ?1 RETURNING last_position",
            )?
            .query_row([room.as_slice()], |row| row.get(0))
            .optional()?
            .ok_or(StoreError::Conflict("no such room"))
    }

    fn message_hash(&self, room: &[u8], entry: &Entry) -> Vec<u8> {
        match &entry.message_id {
            Some(id) => self.sealer.hash("message", &[room, id.as_bytes()]).to_vec(),
            None => Vec::new(),
        }
    }

    fn open_message(&self, row: Raw) -> Result<TimelineRow, StoreError> {
        let damaged = || StoreError::Damaged(TABLE);
        let id = u64::try_from(row.id).map_err(|_| damaged())?;
        let bytes = self.sealer.open(TABLE, &row_id(&row.room, id), &row.sealed)?;
        Ok(TimelineRow {
            id,
            position: u64::try_from(row.position).map_err(|_| damaged())?,
            local_id: u64::try_from(row.local).ok().filter(|local| *local != 0),
            entry: from_json(TABLE, &bytes)?,
        })
    }
}

struct Raw {
    id: i64,
    room: Vec<u8>,
    position: i64,
    local: i64,
    sealed: Vec<u8>,
}

fn raw(row: &rusqlite::Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: row.get(0)?,
        room: row.get(1)?,
        position: row.get(2)?,
        local: row.get(3)?,
        sealed: row.get(4)?,
    })
}

fn row_id(room: &[u8], id: u64) -> Vec<u8> {
    [room, &id.to_be_bytes()].concat()
}
