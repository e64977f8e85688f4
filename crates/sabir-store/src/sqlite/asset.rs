//! Uploaded files in SQLite.

use rusqlite::{Connection, Row, params};

use super::fail::Fail;
use super::query::{execute, find, int, limit, list, number};
use crate::{Asset, BeginAsset, BeginAssetOutcome, DropAssets, FinishAsset, GiveUpAsset};

const COLUMNS: &str = "id, owner, size, hash, begun_at, finished, expires_at";

pub(super) fn begin(connection: &Connection, command: &BeginAsset) -> Result<BeginAssetOutcome, Fail> {
    let BeginAsset {
        id,
        owner,
        size,
        hash,
        quota,
        most,
        expires_at,
        now,
    } = command;
    let sql = format!(
        "SELECT {COLUMNS} FROM assets
        WHERE owner = ?1 AND hash = ?2 AND size = ?3 AND expires_at > ?4 ORDER BY id LIMIT 1"
    );
    let same = find(
        connection,
        &sql,
        params![owner, hash, int(*size), int(*now)],
        read,
    )?;
    if let Some(asset) = same {
        return Ok(BeginAssetOutcome::Same(asset));
    }
    if asset(connection, id)?.is_some() {
        return Ok(BeginAssetOutcome::IdTaken);
    }
    let (files, used) = totals(connection, owner)?;
    if files >= *most {
        return Ok(BeginAssetOutcome::TooMany);
    }
    if used.saturating_add(*size) > *quota {
        return Ok(BeginAssetOutcome::QuotaExceeded { used });
    }
    let sql =
        "INSERT INTO assets (id, owner, size, hash, begun_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    execute(
        connection,
        sql,
        params![id, owner, int(*size), hash, int(*now), int(*expires_at)],
    )?;
    let sql = "INSERT INTO asset_owners (owner, files, bytes) VALUES (?1, 1, ?2)
        ON CONFLICT (owner) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes";
    execute(connection, sql, params![owner, int(*size)])?;
    Ok(BeginAssetOutcome::Begun(Asset {
        id: id.clone(),
        owner: owner.clone(),
        size: *size,
        hash: *hash,
        begun_at: *now,
        finished: false,
        expires_at: *expires_at,
    }))
}

pub(super) fn finish(connection: &Connection, command: &FinishAsset) -> Result<Option<Asset>, Fail> {
    let FinishAsset { id, expires_at, now } = command;
    let Some(mut asset) = asset(connection, id)?.filter(|asset| asset.expires_at > *now) else {
        return Ok(None);
    };
    if !asset.finished {
        let sql = "UPDATE assets SET finished = 1, expires_at = ?2 WHERE id = ?1";
        execute(connection, sql, params![id, int(*expires_at)])?;
        asset.finished = true;
        asset.expires_at = *expires_at;
    }
    Ok(Some(asset))
}

pub(super) fn give_up(connection: &Connection, command: &GiveUpAsset) -> Result<bool, Fail> {
    let GiveUpAsset { id, owner, now } = command;
    let sql = "UPDATE assets SET expires_at = min(expires_at, ?3) WHERE id = ?1 AND owner = ?2";
    Ok(execute(connection, sql, params![id, owner, int(*now)])? > 0)
}

pub(super) fn forget(connection: &Connection, command: &DropAssets) -> Result<u64, Fail> {
    let mut gone = 0_u64;
    for id in &command.ids {
        let sql = "DELETE FROM assets WHERE id = ?1 AND expires_at <= ?2 RETURNING owner, size";
        let dropped: Option<(String, i64)> = find(connection, sql, params![id, int(command.now)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let Some((owner, size)) = dropped else { continue };
        let sql = "UPDATE asset_owners SET files = files - 1, bytes = bytes - ?2 WHERE owner = ?1";
        execute(connection, sql, params![owner, size])?;
        let sql = "DELETE FROM asset_owners WHERE owner = ?1 AND files = 0";
        execute(connection, sql, [owner])?;
        gone = gone.saturating_add(1);
    }
    Ok(gone)
}

pub(super) fn asset(connection: &Connection, id: &str) -> Result<Option<Asset>, Fail> {
    let sql = format!("SELECT {COLUMNS} FROM assets WHERE id = ?1");
    Ok(find(connection, &sql, [id], read)?)
}

pub(super) fn bytes(connection: &Connection, owner: &str) -> Result<u64, Fail> {
    Ok(totals(connection, owner)?.1)
}

/// Files of an owner, and their bytes.
fn totals(connection: &Connection, owner: &str) -> Result<(u64, u64), Fail> {
    let sql = "SELECT files, bytes FROM asset_owners WHERE owner = ?1";
    let totals = find(connection, sql, [owner], |row| {
        Ok((number(row, 0)?, number(row, 1)?))
    })?;
    Ok(totals.unwrap_or_default())
}

pub(super) fn expired(connection: &Connection, now: u64, most: usize) -> Result<Vec<String>, Fail> {
    let sql = "SELECT id FROM assets WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2";
    Ok(list(connection, sql, params![int(now), limit(most)], |row| {
        row.get(0)
    })?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Asset> {
    Ok(Asset {
        id: row.get(0)?,
        owner: row.get(1)?,
        size: number(row, 2)?,
        hash: row.get(3)?,
        begun_at: number(row, 4)?,
        finished: row.get(5)?,
        expires_at: number(row, 6)?,
    })
}
