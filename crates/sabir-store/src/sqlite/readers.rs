//! Read-only connections.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fail::Fail;
use super::open::settle_plans;

/// A few connections, opened when needed and kept. Who finds all of them in use waits: a read takes microseconds, and
/// opening a connection means parsing the whole schema. One that failed is closed, so trouble does not stick to it.
#[derive(Debug)]
pub(super) struct Readers {
    database: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    in_use: usize,
}

impl Readers {
    pub(super) fn new(database: PathBuf) -> Self {
        Self {
            database,
            pool: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Runs `look` on a connection. It must not ask for another one.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, Fail> {
        // Gives the place back on every way out, a panic included.
        let mut place = Place {
            readers: self,
            connection: self.take(),
        };
        let connection = match place.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let found = look(&connection)?;
        place.connection = Some(connection);
        Ok(found)
    }

    fn take(&self) -> Option<Connection> {
        let mut pool = self.pool();
        while pool.in_use >= READERS {
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        pool.in_use = pool.in_use.saturating_add(1);
        pool.idle.pop()
    }

    fn connect(&self) -> Result<Connection, Fail> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.database, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        settle_plans(&connection)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
        Ok(connection)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // The pool is whole whatever panicked while it was locked.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one connection, with the connection where it is to be kept.
struct Place<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        pool.in_use = pool.in_use.saturating_sub(1);
        pool.idle.extend(self.connection.take());
        drop(pool);
        self.readers.returned.notify_one();
    }
}

/// How many read at once.
const READERS: usize = 8;

/// WAL readers wait only while another connection recovers the log.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
