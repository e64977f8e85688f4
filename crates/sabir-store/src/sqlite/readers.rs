//! Read-only connections.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fail::Fail;
use super::open::STATEMENTS_KEPT;

/// Connections are opened when needed; some are kept. One that failed is closed, so trouble does not stick to it.
#[derive(Debug)]
pub(super) struct Readers {
    database: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(database: PathBuf) -> Self {
        Self {
            database,
            idle: Mutex::default(),
        }
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, Fail> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let found = look(&connection)?;
        let mut idle = self.idle();
        if idle.len() < READERS_KEPT {
            idle.push(connection);
        }
        Ok(found)
    }

    fn connect(&self) -> Result<Connection, Fail> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.database, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // The list is whole whatever panicked while it was locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const READERS_KEPT: usize = 8;

/// WAL readers wait only while another connection recovers the log.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
