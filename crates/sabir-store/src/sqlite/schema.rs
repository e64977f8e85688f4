//! The schema and its versions.

use rusqlite::Connection;

use super::OpenError;

/// Marks our files (`application_id`): "Sabr".
const APPLICATION_ID: i32 = 0x5361_6272;

/// One step from a version of the schema to the next. The first one makes version 1.
struct Migration {
    sql: &'static str,
}

/// Never changed once released; new steps go to the end.
const MIGRATIONS: &[Migration] = &[
    Migration {
        sql: include_str!("schema.sql"),
    },
    Migration {
        sql: include_str!("schema_2.sql"),
    },
    Migration {
        sql: include_str!("schema_3.sql"),
    },
    Migration {
        sql: include_str!("schema_4.sql"),
    },
    Migration {
        sql: include_str!("schema_5.sql"),
    },
    Migration {
        sql: include_str!("schema_6.sql"),
    },
];

/// Brings the database to the newest version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    migrate_until(connection, MIGRATIONS.len())
}

/// Brings the database to this version, each step in a transaction of its own.
pub(super) fn migrate_until(connection: &mut Connection, version: usize) -> Result<(), OpenError> {
    let found: u32 = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    let application: i32 = connection.query_row("PRAGMA application_id", (), |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if application != APPLICATION_ID && (found, application, tables) != (0, 0, 0) {
        return Err(OpenError::NotAStore);
    }
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    for (migration, version) in MIGRATIONS.iter().take(version).zip(1_u32..) {
        if version > found {
            let migrate = connection.transaction()?;
            migrate.execute_batch(migration.sql)?;
            migrate.pragma_update(None, "application_id", APPLICATION_ID)?;
            migrate.pragma_update(None, "user_version", version)?;
            migrate.commit()?;
        }
    }
    Ok(())
}
