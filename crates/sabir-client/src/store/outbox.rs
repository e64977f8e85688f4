//! What a person wrote to somebody with whom there is no room yet: it waits here until there is one.
//!
//! Messages to rooms wait in the room's timeline and in its engine.

use serde::{Deserialize, Serialize};

use super::values::{from_json, to_json};
use super::{StoreError, Tx};

const TABLE: &str = "outbox";

/// A text for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The person's URI.
    pub to: String,
    /// The text.
    pub text: String,
    /// When it was written, in milliseconds since the epoch.
    pub written: u64,
    /// Why it will not be sent, once that is certain.
    pub failed: Option<String>,
}

impl Tx<'_> {
    /// The next local id: what a sender is told, unique within the profile.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn next_local_id(&mut self) -> Result<u64, StoreError> {
        self.next_number("local id")
    }

    /// Keeps an intent under its local id, replacing an earlier version.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn put_intent(&mut self, local_id: u64, intent: &Intent) -> Result<(), StoreError> {
        let id = number(local_id)?;
        let person = self.sealer.hash("person", &[intent.to.as_bytes()]);
        let sealed = self
            .sealer
            .seal(TABLE, &local_id.to_be_bytes(), &to_json(TABLE, intent)?)?;
        self.sql
            .prepare_cached(
                "INSERT INTO outbox (local, person, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET person = ?2, value = ?3",
            )?
            .execute((id, person.as_slice(), sealed))?;
        Ok(())
    }

    /// Forgets an intent: it is in its room's timeline now.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn remove_intent(&mut self, local_id: u64) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM outbox WHERE local = ?1")?
            .execute([number(local_id)?])?;
        Ok(())
    }

    /// Every intent, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn intents(&self) -> Result<Vec<(u64, Intent)>, StoreError> {
        let mut statement = self
            .sql
            .prepare_cached("SELECT local, value FROM outbox ORDER BY local")?;
        let mut found = statement.query(())?;
        let mut intents = Vec::new();
        while let Some(row) = found.next()? {
            let local: i64 = row.get(0)?;
            let sealed: Vec<u8> = row.get(1)?;
            let local = u64::try_from(local).map_err(|_| StoreError::Damaged(TABLE))?;
            let bytes = self.sealer.open(TABLE, &local.to_be_bytes(), &sealed)?;
            intents.push((local, from_json(TABLE, &bytes)?));
        }
        Ok(intents)
    }
}

/// A number as SQLite keeps it.
pub(super) fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Conflict("a number is too large"))
}
