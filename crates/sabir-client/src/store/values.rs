//! Single values: the account, the cursor, settings. Their names are ours and stand in clear.

use rusqlite::OptionalExtension as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{Store, StoreError, Tx};

/// The name of a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(&'static str);

impl Name {
    /// The account once it is made (see the module `account`).
    pub const ACCOUNT: Self = Self("account");
    /// An account that is being made.
    pub const CREATION: Self = Self("creation");
    /// Where the device's event stream was applied to.
    pub const CURSOR: Self = Self("event cursor");
    /// The provider as a hub, as it last said.
    pub const HUB: Self = Self("hub");
    /// A batch of key packages that was made and not yet seen to be published.
    pub const PUBLISHING: Self = Self("publishing");
    /// The recovery code, until the person has written it down.
    pub const RECOVERY: Self = Self("recovery");
    /// Rooms that this device comes into by itself.
    pub const REJOINS: Self = Self("rejoins");
    /// Rooms that a device which was linked has yet to come into.
    pub const TO_JOIN: Self = Self("rooms to join");
    /// Rooms that the person comes into by a link or since they are open, and what became of the last ones.
    pub const JOINS: Self = Self("joins");
    /// The secrets of join links that were made here.
    pub const LINKS: Self = Self("join links");
    /// What the person calls their other devices, as far as it is known here.
    pub const DEVICE_NAMES: Self = Self("device names");
    /// Devices that were put on the list here and have not registered yet, as far as was seen.
    pub const DEVICES_AWAITED: Self = Self("devices awaited");
    /// SHA-256 of the list of devices of which the person was last warned.
    pub const LIST_ALARMED: Self = Self("list of devices warned of");
    /// Digest of the rooms that lie with the provider for the recovery code.
    pub const BACKED_UP: Self = Self("rooms backed up");
    /// What the person set.
    pub const SETTINGS: Self = Self("settings");

    const KEY_CHECK: Self = Self("key check");
}

const TABLE: &str = "vals";
const CHECK: &[u8] = b"this profile opens with this key";

impl Tx<'_> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it does not open or is not what it should be.
    pub fn get<T: DeserializeOwned>(&self, name: Name) -> Result<Option<T>, StoreError> {
        let bytes = self.get_bytes(name)?;
        bytes.map(|bytes| from_json(TABLE, &bytes)).transpose()
    }

    /// Writes a value, replacing an earlier one.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn put<T: Serialize>(&mut self, name: Name, value: &T) -> Result<(), StoreError> {
        let bytes = to_json(TABLE, value)?;
        self.put_bytes(name, &bytes)
    }

    /// Reads a value as bytes.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn get_bytes(&self, name: Name) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let sealed: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM vals WHERE name = ?1")?
            .query_row([name.0], |row| row.get(0))
            .optional()?;
        sealed
            .map(|sealed| self.sealer.open(TABLE, name.0.as_bytes(), &sealed))
            .transpose()
    }

    /// Writes a value of bytes.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn put_bytes(&mut self, name: Name, value: &[u8]) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(TABLE, name.0.as_bytes(), value)?;
        self.sql
            .prepare_cached(
                "INSERT INTO vals (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            )?
            .execute((name.0, sealed))?;
        Ok(())
    }

    /// Removes a value, if it is there.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn remove(&mut self, name: Name) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM vals WHERE name = ?1")?
            .execute([name.0])?;
        Ok(())
    }

    /// The next local id: what a sender is told, unique within the profile.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn next_local_id(&mut self) -> Result<u64, StoreError> {
        self.next_number("local id")
    }

    /// The next number of a sequence: 1, 2, 3…
    pub(crate) fn next_number(&mut self, counter: &'static str) -> Result<u64, StoreError> {
        let number: i64 = self
            .sql
            .prepare_cached(
                "INSERT INTO counters (name, value) VALUES (?1, 1)
                 ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value",
            )?
            .query_row([counter], |row| row.get(0))?;
        u64::try_from(number).map_err(|_| StoreError::Damaged("counters"))
    }

    /// Writes the proof of the profile key into a new profile; in an old one, checks it.
    pub(super) fn check_key(&mut self) -> Result<(), StoreError> {
        match self.get_bytes(Name::KEY_CHECK) {
            Ok(Some(check)) if check.as_slice() == CHECK => Ok(()),
            Ok(None) => self.put_bytes(Name::KEY_CHECK, CHECK),
            Ok(Some(_)) | Err(StoreError::Damaged(_)) => Err(StoreError::NotOurs),
            Err(error) => Err(error),
        }
    }
}

impl Store {
    /// Reads one value on its own.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn get<T: DeserializeOwned>(&mut self, name: Name) -> Result<Option<T>, StoreError> {
        self.read(|tx| tx.get(name))
    }
}

pub(super) fn to_json<T: Serialize>(
    table: &'static str,
    value: &T,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    serde_json::to_vec(value)
        .map(Zeroizing::new)
        .map_err(|_| StoreError::Damaged(table))
}

pub(super) fn from_json<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged(table))
}

/// A number as SQLite keeps it.
pub(super) fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Conflict("a number is too large"))
}
