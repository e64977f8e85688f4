//! Entries of a room's log that cannot be applied yet: somebody's provider has to be asked for its identity first.
//!
//! They wait here, in order, so that the event stream and every other room go on.

use sabir_wire::codec::{Reader, put_opaque};
use sabir_wire::uri::MAX_URI;
use zeroize::Zeroizing;

use super::values::number;
use super::{StoreError, Tx};

const TABLE: &str = "parked";

impl Tx<'_> {
    /// Appends an entry of a room's log.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn park(&mut self, room: &str, entry: &[u8]) -> Result<(), StoreError> {
        let mut content = Zeroizing::new(Vec::new());
        put_opaque(&mut content, room.as_bytes());
        content.extend_from_slice(entry);
        let room = self.room_hash(room);
        self.sql
            .prepare_cached("INSERT INTO parked (room, value) VALUES (?1, x'')")?
            .execute([room.as_slice()])?;
        let rowid = self.sql.last_insert_rowid();
        let sealed = self.sealer.seal(TABLE, &rowid.to_be_bytes(), &content)?;
        self.sql
            .prepare_cached("UPDATE parked SET value = ?2 WHERE id = ?1")?
            .execute((rowid, sealed))?;
        Ok(())
    }

    /// The oldest entry that waits for a room, and its number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn parked(&self, room: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let room = self.room_hash(room);
        let mut statement = self
            .sql
            .prepare_cached("SELECT id, value FROM parked WHERE room = ?1 ORDER BY id LIMIT 1")?;
        let mut found = statement.query([room.as_slice()])?;
        let Some(row) = found.next()? else { return Ok(None) };
        let rowid: i64 = row.get(0)?;
        let sealed: Vec<u8> = row.get(1)?;
        let (_, entry) = self.open_parked(rowid, &sealed)?;
        let id = u64::try_from(rowid).map_err(|_| StoreError::Damaged(TABLE))?;
        Ok(Some((id, entry)))
    }

    /// The rooms for which entries wait.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn parked_rooms(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self
            .sql
            .prepare_cached("SELECT min(id), value FROM parked GROUP BY room ORDER BY 1")?;
        let mut found = statement.query(())?;
        let mut rooms = Vec::new();
        while let Some(row) = found.next()? {
            let sealed: Vec<u8> = row.get(1)?;
            rooms.push(self.open_parked(row.get(0)?, &sealed)?.0);
        }
        Ok(rooms)
    }

    fn open_parked(&self, rowid: i64, sealed: &[u8]) -> Result<(String, Vec<u8>), StoreError> {
        let content = self.sealer.open(TABLE, &rowid.to_be_bytes(), sealed)?;
        let mut reader = Reader::new(&content);
        let damaged = |_| StoreError::Damaged(TABLE);
        let room = reader.text("room", MAX_URI).map_err(damaged)?.to_owned();
        let entry = reader.take("entry", reader.remaining()).map_err(damaged)?;
        Ok((room, entry.to_vec()))
    }

    /// Takes out an entry that was applied.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn unpark(&mut self, id: u64) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM parked WHERE id = ?1")?
            .execute([number(id)?])?;
        Ok(())
    }
}
