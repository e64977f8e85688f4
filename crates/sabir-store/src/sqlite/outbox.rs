//! The outbox in SQLite: a batch is a range of reference rows, frozen by its last sequence number.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::fail::Fail;
use super::query::{execute, find, int, limit, list, number};
use super::room;
use crate::types::Hint;
use crate::{
    AckOutcome, Batch, Dropped, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, OutboxAck, OutboxDefer, OutboxExpire,
};

/// The number of a follower, new or known.
pub(super) fn follower_id(connection: &Connection, domain: &str) -> Result<i64, Fail> {
    if let Some(id) = known_follower(connection, domain)? {
        return Ok(id);
    }
    execute(connection, "INSERT INTO followers (domain) VALUES (?1)", [domain])?;
    Ok(connection.last_insert_rowid())
}

/// Freezes what waits, when nothing is in flight; says whether there is a new batch.
pub(super) fn freeze_if_idle(
    connection: &Connection,
    room_id: i64,
    follower: i64,
    now: u64,
) -> Result<bool, Fail> {
    let sql = "SELECT 1 FROM batches WHERE room_id = ?1 AND follower_id = ?2";
    match find(connection, sql, [room_id, follower], |_| Ok(()))? {
        Some(()) => Ok(false),
        None => Ok(freeze(connection, room_id, follower, now)?.is_some()),
    }
}

pub(super) fn due(connection: &Connection, now: u64, batches: usize) -> Result<Vec<Batch>, Fail> {
    // One snapshot for the batches and their entries.
    let outbox_due = connection.unchecked_transaction()?;
    let sql = "SELECT b.room_id, b.follower_id, r.room, f.domain, b.first_seq, b.last_seq, b.attempts, b.next_attempt_at
        FROM batches b JOIN rooms r ON r.id = b.room_id JOIN followers f ON f.id = b.follower_id
        WHERE b.next_attempt_at <= ?1 ORDER BY b.next_attempt_at, r.room, f.domain LIMIT ?2";
    let found: Vec<(i64, i64, Batch)> = list(&outbox_due, sql, [int(now), limit(batches)], |row| {
        let batch = Batch {
            room: row.get(2)?,
            follower: row.get(3)?,
            first_seq: number(row, 4)?,
            last_seq: number(row, 5)?,
            entries: Vec::new(),
            attempts: row.get(6)?,
            next_attempt_at: number(row, 7)?,
        };
        Ok((row.get(0)?, row.get(1)?, batch))
    })?;
    let mut filled = Vec::with_capacity(found.len());
    for (room_id, follower, mut batch) in found {
        // A missing body makes a NULL, which reads as damage.
        let sql = "SELECT o.seq, l.kind, l.at, l.body FROM outbox o
            LEFT JOIN log l ON l.room_id = o.room_id AND l.seq = o.seq
            WHERE o.room_id = ?1 AND o.follower_id = ?2 AND o.seq <= ?3 ORDER BY o.seq";
        let last = int(batch.last_seq);
        batch.entries = list(&outbox_due, sql, [room_id, follower, last], room::read_entry)?;
        filled.push(batch);
    }
    Ok(filled)
}

pub(super) fn next_due(connection: &Connection) -> Result<Option<u64>, Fail> {
    let sql = "SELECT next_attempt_at FROM batches ORDER BY next_attempt_at LIMIT 1";
    Ok(find(connection, sql, (), |row| number(row, 0))?)
}

pub(super) fn ack(
    connection: &Connection,
    hints: &mut Vec<Hint>,
    command: &OutboxAck,
) -> Result<AckOutcome, Fail> {
    let OutboxAck {
        room,
        follower: domain,
        last_seq,
        now,
    } = command;
    let Some((room_id, follower)) = ids(connection, room, domain)? else {
        return Ok(AckOutcome::NotInFlight);
    };
    let sql = "SELECT 1 FROM batches WHERE room_id = ?1 AND follower_id = ?2 AND last_seq = ?3";
    if find(connection, sql, [room_id, follower, int(*last_seq)], |_| Ok(()))?.is_none() {
        return Ok(AckOutcome::NotInFlight);
    }
    remove(connection, room_id, follower, int(*last_seq))?;
    if freeze(connection, room_id, follower, *now)?.is_some() {
        hints.push(Hint::Outbox(Arc::from(domain.as_str())));
    }
    Ok(AckOutcome::Done)
}

pub(super) fn defer(connection: &Connection, command: &OutboxDefer) -> Result<AckOutcome, Fail> {
    let OutboxDefer {
        room,
        follower,
        last_seq,
        attempts,
        next_attempt_at,
    } = command;
    let Some((room_id, follower)) = ids(connection, room, follower)? else {
        return Ok(AckOutcome::NotInFlight);
    };
    let sql = "UPDATE batches SET attempts = ?4, next_attempt_at = ?5
        WHERE room_id = ?1 AND follower_id = ?2 AND last_seq = ?3";
    let params = params![room_id, follower, int(*last_seq), attempts, int(*next_attempt_at)];
    match execute(connection, sql, params)? {
        0 => Ok(AckOutcome::NotInFlight),
        _ => Ok(AckOutcome::Done),
    }
}

pub(super) fn expire(
    connection: &Connection,
    hints: &mut Vec<Hint>,
    command: &OutboxExpire,
) -> Result<Vec<Dropped>, Fail> {
    let sql = "SELECT b.room_id, b.follower_id, r.room, f.domain
        FROM batches b JOIN rooms r ON r.id = b.room_id JOIN followers f ON f.id = b.follower_id
        ORDER BY r.room, f.domain";
    let in_flight: Vec<(i64, i64, String, String)> = list(connection, sql, (), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let mut dropped = Vec::new();
    for (room_id, follower, room, domain) in in_flight {
        let mut refrozen = None;
        while let Some((first_seq, last_seq)) = old_batch(connection, room_id, follower, command.before)? {
            dropped.push(Dropped {
                room: room.clone(),
                follower: domain.clone(),
                first_seq,
                last_seq,
                entries: remove(connection, room_id, follower, int(last_seq))?,
            });
            refrozen = freeze(connection, room_id, follower, command.now)?;
        }
        if refrozen.is_some() {
            hints.push(Hint::Outbox(Arc::from(domain)));
        }
    }
    Ok(dropped)
}

/// First and last sequence number of the batch in flight, when its last entry is older than `before`.
fn old_batch(
    connection: &Connection,
    room_id: i64,
    follower: i64,
    before: u64,
) -> Result<Option<(u64, u64)>, Fail> {
    let sql = "SELECT b.first_seq, b.last_seq FROM batches b JOIN log l ON l.room_id = b.room_id AND l.seq = b.last_seq
        WHERE b.room_id = ?1 AND b.follower_id = ?2 AND l.at < ?3";
    Ok(find(connection, sql, [room_id, follower, int(before)], |row| {
        Ok((number(row, 0)?, number(row, 1)?))
    })?)
}

/// Makes what waits (as much as one batch holds) the batch in flight, where there is none; gives its last number.
fn freeze(connection: &Connection, room_id: i64, follower: i64, now: u64) -> Result<Option<u64>, Fail> {
    let sql = "SELECT o.seq, length(l.body) FROM outbox o LEFT JOIN log l ON l.room_id = o.room_id AND l.seq = o.seq
        WHERE o.room_id = ?1 AND o.follower_id = ?2 ORDER BY o.seq LIMIT ?3";
    let waiting: Vec<(u64, u64)> = list(
        connection,
        sql,
        [room_id, follower, limit(MAX_BATCH_ENTRIES)],
        |row| Ok((number(row, 0)?, number(row, 1)?)),
    )?;
    let mut ends = None;
    let mut bytes = 0_u64;
    for (seq, size) in waiting {
        bytes = bytes.saturating_add(size);
        ends = match ends {
            None => Some((seq, seq)),
            Some(_) if bytes > MAX_BATCH_BYTES as u64 => break,
            Some((first, _)) => Some((first, seq)),
        };
    }
    let Some((first, last)) = ends else {
        return Ok(None);
    };
    let sql = "INSERT INTO batches (room_id, follower_id, first_seq, last_seq, attempts, next_attempt_at)
        VALUES (?1, ?2, ?3, ?4, 0, ?5)";
    execute(
        connection,
        sql,
        [room_id, follower, int(first), int(last), int(now)],
    )?;
    Ok(Some(last))
}

/// Removes the batch in flight and its entries; says how many.
fn remove(connection: &Connection, room_id: i64, follower: i64, last_seq: i64) -> Result<u64, Fail> {
    execute(
        connection,
        "DELETE FROM batches WHERE room_id = ?1 AND follower_id = ?2",
        [room_id, follower],
    )?;
    let sql = "DELETE FROM outbox WHERE room_id = ?1 AND follower_id = ?2 AND seq <= ?3";
    Ok(execute(connection, sql, [room_id, follower, last_seq])? as u64)
}

fn ids(connection: &Connection, room: &str, domain: &str) -> Result<Option<(i64, i64)>, Fail> {
    Ok(room::id(connection, room)?.zip(known_follower(connection, domain)?))
}

fn known_follower(connection: &Connection, domain: &str) -> Result<Option<i64>, Fail> {
    Ok(find(
        connection,
        "SELECT id FROM followers WHERE domain = ?1",
        [domain],
        |row| row.get(0),
    )?)
}
