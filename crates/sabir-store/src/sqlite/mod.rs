//! SQLite: one writer thread, read-only connections for questions.
//!
//! ```text
//!   commands --> channel --> writer thread:  BEGIN  command*  COMMIT(fsync)  --> answers, hints
//!   questions --> pool of read-only connections (WAL: they never wait for the writer)
//! ```
//!
//! **Group commit**: the writer takes every waiting command into one transaction, so 64 waiting commands cost one
//! fsync; where many come, a group gathers for a moment. What one of them undoes, the others do not notice: where one
//! fails after it had written, all are rolled back and run again, each in a savepoint of its own. WAL with
//! `synchronous=FULL`, and an answer is given only after COMMIT returned.
//!
//! What was just written is handed to its readers in memory (`handover`), and the writer remembers what it would
//! otherwise ask the database again for each command (`notes`): a device that listens, and a follower that answers,
//! cost no question at all. Of the answers and the messages seen, the newest are found in memory (`hashes`).
//!
//! A store is a directory (mode 0700) with `provider.db` (mode 0600) and `lock`, whose file lock keeps a second
//! process away.

mod account;
mod asset;
mod backup;
mod device;
mod expire;
mod fail;
mod handle;
mod handover;
#[cfg(test)]
mod hash_tests;
mod hashes;
mod key_package;
mod notes;
mod open;
mod outbox;
mod query;
mod readers;
mod room;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::broadcast;

pub use self::open::OpenError;

use self::fail::Fail;
use self::handover::Handover;
use self::hashes::{Hashes, MOST_YOUNG};
use self::notes::Notes;
use self::readers::Readers;
use self::writer::Writer;
use crate::types::Hint;
use crate::{Pending, StoreError};

/// Provider storage in a directory of its own.
#[derive(Debug)]
pub struct SqliteStore {
    // In this order they are dropped: the writer closes last and tidies the log up, then the lock goes.
    readers: Readers,
    writer: Writer,
    hints: broadcast::Sender<Hint>,
    handover: Arc<Handover>,
    hashes: Arc<Hashes>,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in `directory`, which belongs to the store alone: it is created with mode 0700 when it is
    /// missing, and refused when other users may enter it. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]: another process has it, it is from a newer version, it is not private, or it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_with(directory, MOST_YOUNG)
    }

    /// Opens it; of each table found by hash as many rows are found in memory.
    fn open_with(directory: &Path, most_young: usize) -> Result<Self, OpenError> {
        let lock = open::lock_directory(directory)?;
        let database = open::database_file(directory)?;
        let mut connection = open::open_writer(&database)?;
        let hashes = Arc::new(Hashes::open(&mut connection, most_young)?);
        let hints = broadcast::channel(HINTS_KEPT).0;
        let handover = Arc::new(Handover::default());
        let shared = (Arc::clone(&handover), Arc::clone(&hashes));
        let writer = Writer::start(connection, hints.clone(), shared)?;
        Ok(Self {
            readers: Readers::new(database),
            writer,
            hints,
            handover,
            hashes,
            _lock: lock,
        })
    }

    fn write<T, F>(&self, command: &'static str, checked: Result<(), StoreError>, act: F) -> Pending<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Notes) -> Result<T, Fail> + Send + 'static,
    {
        match checked {
            Ok(()) => self.writer.submit(command, act),
            Err(error) => Pending::ready(Err(error)),
        }
    }

    fn read<T>(
        &self,
        question: &'static str,
        look: impl FnOnce(&Connection) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        self.readers.with(look).map_err(|fail| fail.into_error(question))
    }
}

const HINTS_KEPT: usize = 4096;
