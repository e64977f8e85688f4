//! Opening: the directory, its lock, the database file and the writer's connection.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::schema;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has the store open.
    #[error("the store is open in another process")]
    Locked,
    /// The directory may be entered by other users.
    #[error("the store's directory is not private (expected mode 0700)")]
    NotPrivate,
    /// The database belongs to something else.
    #[error("the database is not a store of this program")]
    NotAStore,
    /// A newer version of this program wrote it.
    #[error("the store has schema version {found}, this program knows {known}")]
    NewerSchema {
        /// Version of the database.
        found: u32,
        /// Newest version known here.
        known: u32,
    },
    /// SQLite before 3.51.3 has a race in its write-ahead log that can lose commits.
    #[error("the SQLite library is older than 3.51.3")]
    SqliteTooOld,
    /// SQLite did not accept a setting that durability rests on.
    #[error("the database refused the setting {0}")]
    Setting(&'static str),
    /// The file system failed.
    #[error("the store's directory cannot be used")]
    Io(#[from] io::Error),
    /// SQLite failed.
    #[error("the database cannot be opened")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(Box::new(error))
    }
}

/// Creates the directory when it is missing and takes its lock.
pub(super) fn lock_directory(directory: &Path) -> Result<File, OpenError> {
    create_private(directory)?;
    let lock = private_file(&directory.join(LOCK_FILE))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Creates the database file when it is missing. SQLite gives the same mode to the files beside it.
pub(super) fn database_file(directory: &Path) -> Result<PathBuf, OpenError> {
    let database = directory.join(DATABASE_FILE);
    drop(private_file(&database)?);
    sync_directory(directory)?;
    Ok(database)
}

/// The writer's connection, migrated, with the settings that durability rests on.
pub(super) fn open_writer(database: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::SqliteTooOld);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(database, flags)?;
    settle_plans(&connection)?;
    let journal: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if journal != "wal" {
        return Err(OpenError::Setting("journal_mode"));
    }
    connection.execute_batch(WRITER_SETTINGS)?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", (), |row| row.get(0))?;
    if synchronous != SYNCHRONOUS_FULL {
        return Err(OpenError::Setting("synchronous"));
    }
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// Keeps every statement compiled. Without QPSG the planner looks at the values of parameters and compiles a statement
/// anew whenever a value in a LIMIT or a range differs from the last one: a third of the provider's time under load.
pub(super) fn settle_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes names in the directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()
    } else {
        Ok(())
    }
}

/// Opens or creates a file that only its owner may read.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

fn create_private(directory: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    let missing = !directory.exists();
    builder.create(directory)?;
    if missing && let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_directory(parent)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(directory)?.permissions().mode() & 0o077 != 0 {
            return Err(OpenError::NotPrivate);
        }
    }
    Ok(())
}

pub(super) const DATABASE_FILE: &str = "provider.db";
const LOCK_FILE: &str = "lock";

/// 3.51.3 as SQLite numbers it.
const OLDEST_SQLITE: i32 = 3_051_003;

const SYNCHRONOUS_FULL: i64 = 2;

/// More than there are statements in this module.
const STATEMENTS_KEPT: usize = 160;

/// `cache_size`: 8 MiB; SQLite looks through all of it after each commit that split a page, and behind it is the
/// system's cache. `wal_autocheckpoint`: 32 MiB of log between checkpoints. `journal_size_limit`: a log that a burst made long shrinks.
const WRITER_SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8192;
    PRAGMA wal_autocheckpoint = 8192;
    PRAGMA journal_size_limit = 67108864;
";
