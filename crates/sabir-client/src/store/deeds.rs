//! What was done to messages: reactions, edits, and what was asked from here and is not decided.
//!
//! A timeline entry says what a message is now. A deed remembers how it came to that: under which id a later version
//! or a reaction is known in the room, and which version it replaced. Deletions leave nothing behind but the answer to
//! who asked for them here.

use serde::{Deserialize, Serialize};

use super::values::{from_json, number, to_json};
use super::{RoomRecord, StoreError, Tx};
use crate::types::MessageState;

const TABLE: &str = "deeds";
const COLUMNS: &str = "id, room, target, local, value";

/// Something done to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// What.
    pub kind: DeedKind,
    /// Who did it, by URI.
    pub sender: String,
    /// The id of the message that did it, in hexadecimal, once it is known.
    pub message_id: Option<String>,
    /// When the hub accepted it, or while that is not known, when it was written; milliseconds since the epoch.
    pub timestamp: u64,
    /// Where it stands: queued until the room's order has it.
    pub state: MessageState,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeedKind {
    /// A reaction, which can be changed and taken back by its id.
    Reaction {
        /// The decrypted application data, exactly, in base64.
        content: String,
        /// The frank that came with it, in base64.
        frank: Option<String>,
        /// Whether it was taken back.
        deleted: bool,
    },
    /// The message got a new version.
    Edit {
        /// The version that was replaced; absent where it never was here, or the message was deleted since.
        before: Option<Version>,
    },
    /// Something or somebody's reaction was taken back.
    Deletion,
    /// A change of the room, which is done to no message.
    Room,
}

/// What a message said once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its message id, in hexadecimal.
    pub message_id: Option<String>,
    /// Its text.
    pub text: String,
    /// When the hub accepted it.
    pub timestamp: u64,
    /// The decrypted application data, exactly, in base64.
    pub content: String,
    /// The frank that came with it, in base64.
    pub frank: Option<String>,
}

/// A deed and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeedRow {
    /// Its number in the profile.
    pub id: u64,
    /// The number of the message it was done to.
    pub target: u64,
    /// What its sender was told, when it was written here.
    pub local_id: Option<u64>,
    /// The deed.
    pub deed: Deed,
}

impl Tx<'_> {
    /// Writes a deed down; says its number.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn append_deed(
        &mut self,
        room: &str,
        target: u64,
        local_id: Option<u64>,
        deed: &Deed,
    ) -> Result<u64, StoreError> {
        let room = self.room_hash(room);
        let message = self.deed_hash(&room, deed);
        self.insert_deed(&room, target, local_id, message, deed)
    }

    /// Writes down under which id somebody's message is known whose first instance never was here.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn append_orphan(
        &mut self,
        room: &str,
        target: u64,
        first: &str,
        deed: &Deed,
    ) -> Result<(), StoreError> {
        let room = self.room_hash(room);
        let message = self.orphan_hash(&room, first, &deed.sender);
        self.insert_deed(&room, target, None, message, deed)?;
        Ok(())
    }

    /// Replaces what is kept of a deed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where there is no such deed.
    pub fn update_deed(&mut self, room: &str, id: u64, deed: &Deed) -> Result<(), StoreError> {
        let room = self.room_hash(room);
        let message = self.deed_hash(&room, deed);
        let waiting = deed.state == MessageState::Queued;
        let sealed = self
            .sealer
            .seal(TABLE, &row_id(&room, id), &to_json(TABLE, deed)?)?;
        let changed = self
            .sql
            .prepare_cached(
                "UPDATE deeds SET message = ?3, waiting = ?4, value = ?5 WHERE id = ?1 AND room = ?2",
            )?
            .execute((number(id)?, room.as_slice(), message, waiting, sealed))?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Conflict("no such deed"))
        }
    }

    /// A deed by its number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn deed(&self, id: u64) -> Result<Option<DeedRow>, StoreError> {
        let rows = self.deeds("WHERE id = ?1", (number(id)?,))?;
        Ok(rows.into_iter().next().map(|(_, row)| row))
    }

    /// A deed by the id of the message that did it, in hexadecimal.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn deed_by_id(&self, room: &str, message_id: &str) -> Result<Option<DeedRow>, StoreError> {
        let room = self.room_hash(room);
        let message = self.sealer.hash("message", &[&room, message_id.as_bytes()]);
        self.deed_by_hash(&room, &message)
    }

    /// The number of the message that `sender` edited although its first instance, `first`, never was here.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn orphan(&self, room: &str, first: &str, sender: &str) -> Result<Option<u64>, StoreError> {
        let room = self.room_hash(room);
        let message = self.orphan_hash(&room, first, sender);
        Ok(self.deed_by_hash(&room, &message)?.map(|row| row.target))
    }

    /// A deed by what its sender here was told, and its room.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn deed_by_local_id(&self, local_id: u64) -> Result<Option<(RoomRecord, DeedRow)>, StoreError> {
        let rows = self.deeds("WHERE local = ?1 AND local <> 0", (number(local_id)?,))?;
        let Some((room, row)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let room = self.room_by_hash(&room)?.ok_or(StoreError::Damaged(TABLE))?;
        Ok(Some((room, row)))
    }

    /// What was done to a message, in order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn deeds_of(&self, target: u64) -> Result<Vec<DeedRow>, StoreError> {
        let rows = self.deeds("WHERE target = ?1 ORDER BY id", (number(target)?,))?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// What was asked from here in a room, or in all of them, and is not decided.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn waiting_deeds(&self, room: Option<&str>) -> Result<Vec<DeedRow>, StoreError> {
        let rows = match room {
            Some(room) => {
                let room = self.room_hash(room);
                self.deeds("WHERE waiting = 1 AND room = ?1 ORDER BY id", (room.as_slice(),))
            }
            None => self.deeds("WHERE waiting = 1 ORDER BY id", ()),
        }?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Forgets what a message said and how people reacted to it, for good.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn erase_deeds(&mut self, room: &str, target: u64) -> Result<(), StoreError> {
        let hash = self.room_hash(room);
        for row in self.deeds_of(target)? {
            let kind = match row.deed.kind {
                // Somebody else's reaction is found by nobody any more.
                DeedKind::Reaction { .. } if row.local_id.is_none() => {
                    self.sql
                        .prepare_cached("DELETE FROM deeds WHERE id = ?1")?
                        .execute([number(row.id)?])?;
                    continue;
                }
                // Who asked for it here may still ask what became of it.
                DeedKind::Reaction { .. } => DeedKind::Reaction {
                    content: String::new(),
                    frank: None,
                    deleted: true,
                },
                // What names a later version means the deleted message.
                DeedKind::Edit { before: Some(_) } => DeedKind::Edit { before: None },
                DeedKind::Edit { before: None } | DeedKind::Deletion | DeedKind::Room => continue,
            };
            let deed = Deed { kind, ..row.deed };
            let sealed = self
                .sealer
                .seal(TABLE, &row_id(&hash, row.id), &to_json(TABLE, &deed)?)?;
            self.sql
                .prepare_cached("UPDATE deeds SET value = ?2 WHERE id = ?1")?
                .execute((number(row.id)?, sealed))?;
        }
        Ok(())
    }

    fn insert_deed(
        &mut self,
        room: &[u8],
        target: u64,
        local_id: Option<u64>,
        message: Vec<u8>,
        deed: &Deed,
    ) -> Result<u64, StoreError> {
        let waiting = deed.state == MessageState::Queued;
        let local = number(local_id.unwrap_or_default())?;
        // The row's number is part of what the value is bound to, so the row has to be there first.
        self.sql
            .prepare_cached(
                "INSERT INTO deeds (room, target, message, local, waiting, value)
                 VALUES (?1, ?2, ?3, ?4, ?5, x'')",
            )?
            .execute((room, number(target)?, message, local, waiting))?;
        let rowid = self.sql.last_insert_rowid();
        let id = u64::try_from(rowid).map_err(|_| StoreError::Damaged(TABLE))?;
        let sealed = self
            .sealer
            .seal(TABLE, &row_id(room, id), &to_json(TABLE, deed)?)?;
        self.sql
            .prepare_cached("UPDATE deeds SET value = ?2 WHERE id = ?1")?
            .execute((rowid, sealed))?;
        Ok(id)
    }

    fn deed_by_hash(&self, room: &[u8], message: &[u8]) -> Result<Option<DeedRow>, StoreError> {
        let rows = self.deeds("WHERE room = ?1 AND message = ?2", (room, message))?;
        Ok(rows.into_iter().next().map(|(_, row)| row))
    }

    fn deeds(
        &self,
        which: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<(Vec<u8>, DeedRow)>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM deeds {which}");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let mut found = statement.query(params)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let (id, room): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let (target, local): (i64, i64) = (row.get(2)?, row.get(3)?);
            let sealed: Vec<u8> = row.get(4)?;
            let damaged = || StoreError::Damaged(TABLE);
            let id = u64::try_from(id).map_err(|_| damaged())?;
            let bytes = self.sealer.open(TABLE, &row_id(&room, id), &sealed)?;
            let row = DeedRow {
                id,
                target: u64::try_from(target).map_err(|_| damaged())?,
                local_id: u64::try_from(local).ok().filter(|local| *local != 0),
                deed: from_json(TABLE, &bytes)?,
            };
            rows.push((room, row));
        }
        Ok(rows)
    }

    fn deed_hash(&self, room: &[u8], deed: &Deed) -> Vec<u8> {
        match &deed.message_id {
            Some(id) => self.sealer.hash("message", &[room, id.as_bytes()]).to_vec(),
            None => Vec::new(),
        }
    }

    fn orphan_hash(&self, room: &[u8], first: &str, sender: &str) -> Vec<u8> {
        let parts = [room, first.as_bytes(), sender.as_bytes()];
        self.sealer.hash("orphan", &parts).to_vec()
    }
}

fn row_id(room: &[u8], id: u64) -> Vec<u8> {
    [room, &id.to_be_bytes()].concat()
}

impl Deed {
    /// A deed that was asked for here and that the room does not have yet.
    #[must_use]
    pub fn queued(kind: DeedKind, sender: &str, now: u64) -> Self {
        Self {
            kind,
            sender: sender.to_owned(),
            message_id: None,
            timestamp: now,
            state: MessageState::Queued,
            problem: None,
        }
    }
}
