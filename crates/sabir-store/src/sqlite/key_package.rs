//! Key packages and routes in SQLite.

use rusqlite::{Connection, Row, params};

use super::fail::Fail;
use super::query::{execute, find, int, limit, list, number};
use crate::{
    Freshness, KeyPackagePick, KeyPackageRow, MAX_KEY_PACKAGES_PER_DEVICE, PublishKeyPackages, Published,
    RecordRoutes, Route, TakeKeyPackages, TakenKeyPackage,
};

pub(super) fn publish(connection: &Connection, command: &PublishKeyPackages) -> Result<Published, Fail> {
    let PublishKeyPackages {
        device,
        user,
        packages,
    } = command;
    let mut published = Published::default();
    for package in packages {
        let counter = if package.not_after < package.published_at {
            &mut published.stale
        } else if insert(connection, device, user, package)? {
            let sql = "INSERT INTO routes (reference, kind, target, expires_at) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (reference) DO UPDATE
                SET kind = excluded.kind, target = excluded.target, expires_at = excluded.expires_at";
            execute(
                connection,
                sql,
                params![package.reference, DEVICE, device, int(package.not_after)],
            )?;
            &mut published.stored
        } else {
            &mut published.known
        };
        *counter = counter.saturating_add(1);
    }
    published.evicted = evict(connection, device)?;
    Ok(published)
}

pub(super) fn count(connection: &Connection, device: &str, fresh: Freshness) -> Result<u64, Fail> {
    let sql = "SELECT count(*) FROM key_packages
        WHERE device = ?1 AND gone = 0 AND not_after >= ?2 AND published_at >= ?3";
    let params = params![device, int(fresh.min_not_after), int(fresh.published_since)];
    Ok(find(connection, sql, params, |row| number(row, 0))?.unwrap_or(0))
}

pub(super) fn count_in(
    connection: &Connection,
    device: &str,
    suite: u16,
    fresh: Freshness,
) -> Result<u64, Fail> {
    let sql = "SELECT count(*) FROM key_packages
        WHERE device = ?1 AND gone = 0 AND suite = ?2 AND not_after >= ?3 AND published_at >= ?4";
    let (min_not_after, since) = (int(fresh.min_not_after), int(fresh.published_since));
    let params = params![device, suite, min_not_after, since];
    Ok(find(connection, sql, params, |row| number(row, 0))?.unwrap_or(0))
}

pub(super) fn peek(
    connection: &Connection,
    device: &str,
    suite: u16,
    fresh: Freshness,
) -> Result<Option<KeyPackageRow>, Fail> {
    let sql = "SELECT reference, bytes, suite, not_after, published_at FROM key_packages
        WHERE device = ?1 AND gone = 0 AND suite = ?2 AND not_after >= ?3 AND published_at >= ?4
        ORDER BY published_at, reference LIMIT 1";
    let params = params![
        device,
        suite,
        int(fresh.min_not_after),
        int(fresh.published_since)
    ];
    Ok(find(connection, sql, params, |row| read_package(row, 0))?)
}

pub(super) fn take(connection: &Connection, command: &TakeKeyPackages) -> Result<Vec<TakenKeyPackage>, Fail> {
    let TakeKeyPackages {
        request_key,
        picks,
        fresh,
        now,
    } = command;
    let sql = "SELECT id FROM takes WHERE request_key = ?1";
    if let Some(earlier) = find(connection, sql, [request_key], |row| row.get::<_, i64>(0))? {
        let sql = "SELECT device, found, reference, bytes, suite, not_after, published_at FROM taken
            WHERE take_id = ?1 ORDER BY position";
        return Ok(list(connection, sql, [earlier], read_taken)?);
    }
    execute(
        connection,
        "INSERT INTO takes (request_key, at) VALUES (?1, ?2)",
        params![request_key, int(*now)],
    )?;
    let take_id = connection.last_insert_rowid();
    let mut answers = Vec::with_capacity(picks.len());
    for (pick, position) in picks.iter().zip(0_i64..) {
        let package = take_one(connection, pick, *fresh)?;
        remember_taken(connection, take_id, position, &pick.device, package.as_ref())?;
        answers.push(TakenKeyPackage {
            device: pick.device.clone(),
            package,
        });
    }
    Ok(answers)
}

pub(super) fn record_routes(connection: &Connection, command: &RecordRoutes) -> Result<(), Fail> {
    for route in &command.routes {
        let sql = "INSERT INTO routes (reference, kind, target, expires_at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (reference) DO UPDATE SET target = excluded.target, expires_at = excluded.expires_at
            WHERE kind = excluded.kind";
        let params = params![route.reference, PROVIDER, route.provider, int(route.expires_at)];
        execute(connection, sql, params)?;
    }
    Ok(())
}

pub(super) fn route(connection: &Connection, reference: &[u8]) -> Result<Option<Route>, Fail> {
    let sql = "SELECT kind, target FROM routes WHERE reference = ?1";
    Ok(find(connection, sql, [reference], |row| match row.get(0)? {
        DEVICE => Ok(Route::Device(row.get(1)?)),
        PROVIDER => Ok(Route::Provider(row.get(1)?)),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(0, other)),
    })?)
}

/// Says whether the package is new.
fn insert(connection: &Connection, device: &str, user: &str, package: &KeyPackageRow) -> Result<bool, Fail> {
    let KeyPackageRow {
        reference,
        bytes,
        suite,
        not_after,
        published_at,
    } = package;
    let sql = "INSERT INTO key_packages (reference, device, user, suite, not_after, published_at, bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (reference) DO NOTHING";
    let params = params![
        reference,
        device,
        user,
        suite,
        int(*not_after),
        int(*published_at),
        bytes
    ];
    Ok(execute(connection, sql, params)? > 0)
}

/// Keeps the newest packages of the device; says how many went.
fn evict(connection: &Connection, device: &str) -> Result<usize, Fail> {
    let waiting = count(connection, device, Freshness::default())?;
    let surplus = usize::try_from(waiting)
        .unwrap_or(usize::MAX)
        .saturating_sub(MAX_KEY_PACKAGES_PER_DEVICE);
    if surplus == 0 {
        return Ok(0);
    }
    let sql = "UPDATE key_packages SET gone = 1, bytes = x'' WHERE id IN
        (SELECT id FROM key_packages WHERE device = ?1 AND gone = 0 ORDER BY published_at, reference LIMIT ?2)";
    Ok(execute(connection, sql, params![device, limit(surplus)])?)
}

fn take_one(
    connection: &Connection,
    pick: &KeyPackagePick,
    fresh: Freshness,
) -> Result<Option<KeyPackageRow>, Fail> {
    for suite in &pick.suites {
        if let Some(package) = peek(connection, &pick.device, *suite, fresh)? {
            let sql = "UPDATE key_packages SET gone = 1, bytes = x'' WHERE reference = ?1";
            execute(connection, sql, [&package.reference])?;
            return Ok(Some(package));
        }
    }
    Ok(None)
}

fn remember_taken(
    connection: &Connection,
    take_id: i64,
    position: i64,
    device: &str,
    package: Option<&KeyPackageRow>,
) -> Result<(), Fail> {
    let Some(KeyPackageRow {
        reference,
        bytes,
        suite,
        not_after,
        published_at,
    }) = package
    else {
        let sql = "INSERT INTO taken (take_id, position, device, found) VALUES (?1, ?2, ?3, 0)";
        execute(connection, sql, params![take_id, position, device])?;
        return Ok(());
    };
    let sql = "INSERT INTO taken (take_id, position, device, found, reference, suite, not_after, published_at, bytes)
        VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8)";
    let times = (int(*not_after), int(*published_at));
    execute(
        connection,
        sql,
        params![
            take_id, position, device, reference, suite, times.0, times.1, bytes
        ],
    )?;
    Ok(())
}

/// Columns device, found, then those of a package.
fn read_taken(row: &Row<'_>) -> rusqlite::Result<TakenKeyPackage> {
    let package = if row.get(1)? {
        Some(read_package(row, 2)?)
    } else {
        None
    };
    Ok(TakenKeyPackage {
        device: row.get(0)?,
        package,
    })
}

/// Columns reference, bytes, suite, not_after, published_at from `first` on.
fn read_package(row: &Row<'_>, first: usize) -> rusqlite::Result<KeyPackageRow> {
    let column = |offset: usize| first.saturating_add(offset);
    Ok(KeyPackageRow {
        reference: row.get(column(0))?,
        bytes: row.get(column(1))?,
        suite: row.get(column(2))?,
        not_after: number(row, column(3))?,
        published_at: number(row, column(4))?,
    })
}

const DEVICE: i64 = 1;
const PROVIDER: i64 = 2;
