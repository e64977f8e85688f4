//! The profile on disk.
//!
//! ```text
//! PROFILE/            0700
//!   lock              held by the one process that owns the profile
//!   profile.key       0600, the profile key, alone or sealed under a passphrase
//!   client.db (-wal)  0600, SQLite: structure in clear, every value sealed
//! ```
//!
//! What a thief of the database sees: how many rooms and messages there are, how long they are and in which order
//! they came. Not: a body, a name, an address, a room, a key. Values are sealed with AES-256-GCM and bound to
//! their table and row ([`seal`]); where a lookup needs a column, it holds a keyed hash.
//!
//! Invariants: one process, one connection, one writer; every change is in a transaction with a name; a
//! transaction is durable (fsync of the log) before [`Store::transaction`] returns.

mod anchors;
mod changes;
mod deeds;
mod expiry;
mod files;
mod key;
mod key_packages;
mod parked;
mod reading;
mod rooms;
mod rows;
mod schema;
mod seal;
#[cfg(test)]
mod tests;
mod timeline;
mod values;

use std::fmt;
use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

pub use changes::{CHANGES_KEPT, Change};
pub use deeds::{Deed, DeedKind, DeedRow, Version};
pub use key::{KeyFileError, Passphrase};
pub use key_packages::KeyPackageRows;
pub use reading::Reading;
pub use rooms::RoomRecord;
pub use timeline::{Deletion, Entry, Marks, Reacted, TimelineRow, UNORDERED};
pub use values::Name;

use key::ProfileKey;
use seal::Sealer;

use crate::random::NoRandomness;

/// Why the store cannot be opened or used. A transaction that failed changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no profile in the directory.
    #[error("there is no profile here")]
    Missing,
    /// There is a profile in the directory already.
    #[error("there is a profile here already")]
    Exists,
    /// Another process has the profile open.
    #[error("the profile is open in another process")]
    Locked,
    /// The directory may be entered by other users.
    #[error("the profile's directory is not private (expected mode 0700)")]
    NotPrivate,
    /// The profile key cannot be had.
    #[error("the profile key cannot be used")]
    Key(#[from] KeyFileError),
    /// The database belongs to something else, or to another profile key.
    #[error("the database does not belong to this profile")]
    NotOurs,
    /// A newer version of this program wrote it.
    #[error("the profile has schema version {found}, this program knows {known}")]
    NewerSchema {
        /// Version of the database.
        found: u32,
        /// Newest version known here.
        known: u32,
    },
    /// A sealed value does not open where it stands: it was damaged, moved or replaced.
    #[error("a value of table {0} is damaged")]
    Damaged(&'static str),
    /// SQLite did not accept a setting that durability or secrecy rests on.
    #[error("the database refused the setting {0}")]
    Setting(&'static str),
    /// Something that must be unique is there already, or something that must be there is not.
    #[error("the transaction contradicts the profile: {0}")]
    Conflict(&'static str),
    /// The file system failed.
    #[error("the profile's directory cannot be used")]
    Io(#[from] std::io::Error),
    /// SQLite failed.
    #[error("the database failed")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No randomness for a seal.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(Box::new(error))
    }
}

/// An open profile.
pub struct Store {
    connection: Connection,
    sealer: Sealer,
    // Released when the store is dropped, after the connection.
    _lock: File,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A transaction under way. What is read through it is consistent, what is written through it is one change.
pub struct Tx<'a> {
    sql: rusqlite::Transaction<'a>,
    sealer: &'a Sealer,
    timed: bool,
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Store {
    /// Whether there is a profile in `directory`.
    #[must_use]
    pub fn exists(directory: &Path) -> bool {
        directory.join(files::KEY).exists()
    }

    /// Makes a profile in `directory`, which is created when missing. With a passphrase, the profile key is sealed
    /// under it; without one, whoever can read the directory can read the profile.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Locked`], [`StoreError::NotPrivate`], or failures of the system.
    pub fn create(directory: &Path, passphrase: Option<&Passphrase>) -> Result<Self, StoreError> {
        let lock = files::lock_directory(directory)?;
        if Self::exists(directory) {
            return Err(StoreError::Exists);
        }
        let key = ProfileKey::generate()?;
        key.write(directory, passphrase)?;
        Self::finish_opening(directory, &key, lock)
    }

    /// Opens the profile in `directory`.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Locked`], [`StoreError::Key`] for a wrong or missing passphrase, and
    /// the others.
    pub fn open(directory: &Path, passphrase: Option<&Passphrase>) -> Result<Self, StoreError> {
        if !Self::exists(directory) {
            return Err(StoreError::Missing);
        }
        let lock = files::lock_directory(directory)?;
        let key = ProfileKey::read(directory, passphrase)?;
        Self::finish_opening(directory, &key, lock)
    }

    /// Replaces the passphrase of the profile in `directory`. The profile key stays, so nothing is sealed anew: a
    /// copy of the old key file opens with the old passphrase for ever.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn change_passphrase(
        directory: &Path,
        old: Option<&Passphrase>,
        new: Option<&Passphrase>,
    ) -> Result<(), StoreError> {
        if !Self::exists(directory) {
            return Err(StoreError::Missing);
        }
        let _lock = files::lock_directory(directory)?;
        Ok(ProfileKey::read(directory, old)?.write(directory, new)?)
    }

    fn finish_opening(directory: &Path, key: &ProfileKey, lock: File) -> Result<Self, StoreError> {
        let database = files::database(directory)?;
        let sealer = Sealer::new(key);
        let mut connection = schema::open(&database)?;
        schema::migrate(&mut connection)?;
        let mut store = Self {
            connection,
            sealer,
            _lock: lock,
        };
        store.transaction("check profile key", |tx| tx.check_key())?;
        Ok(store)
    }

    /// Runs `body` in one transaction. `Ok` means that all of it is durable; after an error nothing of it is.
    ///
    /// # Errors
    /// Those of `body`, and failures of the database.
    pub fn transaction<T, E: From<StoreError>>(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let sql = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let mut tx = Tx {
            sql,
            sealer: &self.sealer,
            timed: false,
        };
        let value = match body(&mut tx) {
            Ok(value) => value,
            Err(error) => {
                tracing::debug!(transaction = name, "rolled back");
                return Err(error);
            }
        };
        tx.sql.commit().map_err(StoreError::from)?;
        Ok(value)
    }

    /// Reads in one consistent view. What `body` writes is dropped.
    ///
    /// # Errors
    /// As [`Self::transaction`].
    pub fn read<T, E: From<StoreError>>(
        &mut self,
        body: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let sql = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(StoreError::from)?;
        body(&Tx {
            sql,
            sealer: &self.sealer,
            timed: false,
        })
    }
}
