//! The list of rooms.

use rusqlite::OptionalExtension as _;
use serde::{Deserialize, Serialize};

use super::values::{from_json, to_json};
use super::{StoreError, Tx};
use crate::types::RoomKind;

const TABLE: &str = "rooms";

/// A room as the list keeps it; the engine's own state is in the room's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// The room's URI.
    pub room: String,
    /// What it is for.
    pub kind: RoomKind,
    /// In a direct room, the other person's URI.
    pub with: Option<String>,
    /// What a group is called; may be empty.
    #[serde(default)]
    pub name: String,
    /// Everybody on the participant list, by URI.
    pub members: Vec<String>,
    /// This person's role, by name; empty where they are not on the list.
    #[serde(default)]
    pub role: String,
    /// People on the list whose devices this device is to add, by URI.
    #[serde(default)]
    pub awaited: Vec<String>,
    /// Providers without whose identity people of theirs cannot be proved here, by domain.
    #[serde(default)]
    pub missed: Vec<String>,
    /// Of a direct room: the room that took its place.
    #[serde(default)]
    pub goes_on_in: Option<String>,
    /// What who asked for this room was told, until the hub has it.
    #[serde(default)]
    pub making: Option<u64>,
    /// Why nothing can be sent, if so.
    pub blocked: Option<String>,
    /// Whether this device is out of it for good.
    pub closed: bool,
    /// Whether somebody else was ever reached in it.
    pub ready: bool,
    /// When this device joined, in milliseconds since the epoch.
    pub joined: u64,
}

impl RoomRecord {
    /// Whether messages are written into it: this device is in it, and it is not another room's turn.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        !self.closed && self.goes_on_in.is_none()
    }
}

impl Tx<'_> {
    /// Writes a room's record, replacing an earlier one.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn put_room(&mut self, record: &RoomRecord) -> Result<(), StoreError> {
        let room = self.room_hash(&record.room);
        let person = match &record.with {
            Some(person) => self.sealer.hash("person", &[person.as_bytes()]).to_vec(),
            None => Vec::new(),
        };
        let sealed = self.sealer.seal(TABLE, &room, &to_json(TABLE, record)?)?;
        self.sql
            .prepare_cached(
                "INSERT INTO rooms (room, person, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT (room) DO UPDATE SET person = ?2, value = ?3",
            )?
            .execute((room.as_slice(), person, sealed))?;
        Ok(())
    }

    /// A room's record.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn room(&self, room: &str) -> Result<Option<RoomRecord>, StoreError> {
        self.room_by_hash(&self.room_hash(room))
    }

    /// Every room, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError> {
        let mut statement = self
            .sql
            .prepare_cached("SELECT room, value FROM rooms ORDER BY id")?;
        let mut found = statement.query(())?;
        let mut rooms = Vec::new();
        while let Some(row) = found.next()? {
            let hash: Vec<u8> = row.get(0)?;
            let sealed: Vec<u8> = row.get(1)?;
            rooms.push(self.open_room(&hash, &sealed)?);
        }
        Ok(rooms)
    }

    /// The direct rooms with a person, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn direct_rooms(&self, person: &str) -> Result<Vec<RoomRecord>, StoreError> {
        let hash = self.sealer.hash("person", &[person.as_bytes()]);
        let mut statement = self
            .sql
            .prepare_cached("SELECT room, value FROM rooms WHERE person = ?1 ORDER BY id")?;
        let mut found = statement.query([hash.as_slice()])?;
        let mut rooms = Vec::new();
        while let Some(row) = found.next()? {
            let hash: Vec<u8> = row.get(0)?;
            let sealed: Vec<u8> = row.get(1)?;
            rooms.push(self.open_room(&hash, &sealed)?);
        }
        Ok(rooms)
    }

    /// The room whose keyed hash is `hash`.
    pub(super) fn room_by_hash(&self, hash: &[u8]) -> Result<Option<RoomRecord>, StoreError> {
        let sealed: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM rooms WHERE room = ?1")?
            .query_row([hash], |row| row.get(0))
            .optional()?;
        sealed.map(|sealed| self.open_room(hash, &sealed)).transpose()
    }

    pub(super) fn room_hash(&self, room: &str) -> super::seal::Hash {
        self.sealer.hash("room", &[room.as_bytes()])
    }

    fn open_room(&self, hash: &[u8], sealed: &[u8]) -> Result<RoomRecord, StoreError> {
        let bytes = self.sealer.open(TABLE, hash, sealed)?;
        from_json(TABLE, &bytes)
    }
}
