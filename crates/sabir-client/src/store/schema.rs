//! Tables, their versions and the connection's settings.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// "Sabc": the profile of a Sabir client.
const APPLICATION_ID: i32 = 0x5361_6263;

const SYNCHRONOUS_FULL: i64 = 2;

/// `secure_delete`: what is deleted is overwritten, so that keys of past epochs do not linger in free pages.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA journal_size_limit = 16777216;
";

/// One step per version, in order. A step that was released never changes; a new version is a new step.
const STEPS: &[&str] = &[V1, V2, V3];

/// Every `value` is sealed; `room`, `person`, `scope`, `key`, `message`, `domain` and `reference` are keyed hashes.
const V1: &str = "
    CREATE TABLE vals (
        name TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE rows (
        scope BLOB NOT NULL,
        key BLOB NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (scope, key)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE key_packages (
        reference BLOB NOT NULL PRIMARY KEY,
        created INTEGER NOT NULL,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX key_packages_by_age ON key_packages (created);

    CREATE TABLE anchors (
        domain BLOB NOT NULL,
        certificate BLOB NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (domain, certificate)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        room BLOB NOT NULL UNIQUE,
        person BLOB NOT NULL DEFAULT x'',
        last_position INTEGER NOT NULL DEFAULT 0,
        value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX rooms_by_person ON rooms (person) WHERE person <> x'';

    CREATE TABLE timeline (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        room BLOB NOT NULL,
        position INTEGER NOT NULL,
        message BLOB NOT NULL DEFAULT x'',
        local INTEGER NOT NULL DEFAULT 0,
        value BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX timeline_by_position ON timeline (room, position);
    CREATE UNIQUE INDEX timeline_by_message ON timeline (room, message) WHERE message <> x'';
    CREATE UNIQUE INDEX timeline_by_local ON timeline (local) WHERE local <> 0;

    CREATE TABLE parked (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        room BLOB NOT NULL,
        value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX parked_by_room ON parked (room, id);

    CREATE TABLE changes (
        cursor INTEGER PRIMARY KEY AUTOINCREMENT,
        value BLOB NOT NULL
    ) STRICT;

    CREATE TABLE counters (
        name TEXT NOT NULL PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// What is done to messages, and how far rooms were read. What came before counts as read and reported.
const V2: &str = "
    ALTER TABLE rooms ADD COLUMN read_position INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rooms ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rooms ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rooms ADD COLUMN arrived INTEGER NOT NULL DEFAULT 0;
    UPDATE rooms SET read_position = last_position, reported = last_position, arrived = last_position;

    CREATE TABLE deeds (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        room BLOB NOT NULL,
        target INTEGER NOT NULL,
        message BLOB NOT NULL DEFAULT x'',
        local INTEGER NOT NULL DEFAULT 0,
        waiting INTEGER NOT NULL DEFAULT 0,
        value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX deeds_by_target ON deeds (target);
    CREATE INDEX deeds_waiting ON deeds (room, id) WHERE waiting = 1;
    CREATE UNIQUE INDEX deeds_by_message ON deeds (room, message) WHERE message <> x'';
    CREATE UNIQUE INDEX deeds_by_local ON deeds (local) WHERE local <> 0;
";

/// Messages that expire: so many milliseconds after they were read, or at a time, in milliseconds since the epoch.
const V3: &str = "
    CREATE TABLE expiring (
        id INTEGER PRIMARY KEY,
        after INTEGER NOT NULL,
        due INTEGER
    ) STRICT;
    CREATE INDEX expiring_by_time ON expiring (due) WHERE due IS NOT NULL;
";

pub(super) fn open(database: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(database, flags)?;
    connection.set_prepared_statement_cache_capacity(64);
    let journal: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if journal != "wal" {
        return Err(StoreError::Setting("journal_mode"));
    }
    connection.execute_batch(SETTINGS)?;
    for (setting, expected) in [
        ("synchronous", SYNCHRONOUS_FULL),
        ("secure_delete", 1),
        ("temp_store", 2),
    ] {
        let value: i64 = connection.query_row(&format!("PRAGMA {setting}"), (), |row| row.get(0))?;
        if value != expected {
            return Err(StoreError::Setting(setting));
        }
    }
    check_identity(&mut connection)?;
    Ok(connection)
}

/// Refuses a database of something else before anything is written to it.
fn check_identity(connection: &mut Connection) -> Result<(), StoreError> {
    let id: i32 = connection.query_row("PRAGMA application_id", (), |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    match (id, tables) {
        (APPLICATION_ID, _) | (0, 0) => Ok(()),
        _ => Err(StoreError::NotOurs),
    }
}

/// Brings the schema to the newest version, each step in its own transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    let found: u32 = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (step, version) in STEPS.iter().zip(1_u32..).filter(|(_, version)| *version > found) {
        let tx = connection.transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(())
}
