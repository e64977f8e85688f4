//! Device queues in SQLite.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::fail::Fail;
use super::notes::{Notes, QueueNews};
use super::query::{blob, execute, find, int, limit, number, text};
use super::room;
use crate::types::Hint;
use crate::{DeviceItem, Enqueue, Once, RoomPlace, StoreError};

/// Puts a reference into the device's queue, and the item that it stands for before readers; gives its cursor.
pub(super) fn refer(
    connection: &Connection,
    notes: &mut Notes,
    device: &str,
    (room_id, seq): (i64, i64),
    item: impl FnOnce(u64) -> DeviceItem,
) -> Result<u64, Fail> {
    let (name, id, issued) = match notes.memory.queues.get_key_value(device) {
        Some((name, (id, issued))) => (Arc::clone(name), *id, *issued),
        None => {
            let (id, issued) = match queue(connection, device)? {
                Some(queue) => queue,
                None => {
                    let sql = "INSERT INTO devices_queued (device) VALUES (?1)";
                    execute(connection, sql, [device])?;
                    (connection.last_insert_rowid(), 0)
                }
            };
            (Arc::from(device), id, issued)
        }
    };
    let cursor = issued.checked_add(1).ok_or(Fail::Damaged)?;
    let sql = "INSERT INTO queue (device_id, cursor, room_id, seq) VALUES (?1, ?2, ?3, ?4)";
    execute(connection, sql, [id, cursor, room_id, seq])?;
    notes.memory.changes();
    notes.memory.queues.insert(Arc::clone(&name), (id, cursor));
    let cursor = u64::try_from(cursor).map_err(|_| Fail::Damaged)?;
    notes.news.hints.push(Hint::Device(Arc::clone(&name)));
    notes.news.queues.push(QueueNews::Queued(name, item(cursor)));
    Ok(cursor)
}

pub(super) fn enqueue(
    connection: &Connection,
    notes: &mut Notes,
    command: &Enqueue,
) -> Result<Once<Vec<u64>>, Fail> {
    if let Some(response) = room::keep_answer(connection, notes, command.answer.as_ref(), command.now)? {
        return Ok(Once::AlreadyAnswered(response));
    }
    let mut cursors = Vec::with_capacity(command.notices.len());
    for notice in &command.notices {
        let sql = "INSERT INTO notices (kind, at, body) VALUES (?1, ?2, ?3)";
        execute(
            connection,
            sql,
            params![notice.kind, int(command.now), notice.body],
        )?;
        let place = (NOTICE, connection.last_insert_rowid());
        cursors.push(refer(connection, notes, &notice.device, place, |cursor| {
            DeviceItem {
                cursor,
                place: None,
                kind: notice.kind,
                at: command.now,
                body: Arc::from(notice.body.as_slice()),
            }
        })?);
    }
    Ok(Once::Done(cursors))
}

/// The items, and whether these are all there are.
pub(super) fn read(
    connection: &Connection,
    device: &str,
    after_cursor: u64,
    items: usize,
    max_bytes: usize,
) -> Result<(Vec<DeviceItem>, bool), Fail> {
    // A missing body or room makes a NULL, which reads as damage.
    let sql = "SELECT q.cursor, q.room_id, q.seq, r.room,
            coalesce(l.kind, n.kind), coalesce(l.at, n.at), coalesce(l.body, n.body)
        FROM devices_queued d JOIN queue q ON q.device_id = d.id
            LEFT JOIN rooms r ON r.id = q.room_id
            LEFT JOIN log l ON l.room_id = q.room_id AND l.seq = q.seq
            LEFT JOIN notices n ON q.room_id = 0 AND n.id = q.seq
        WHERE d.device = ?1 AND q.cursor > ?2 ORDER BY q.cursor LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![device, int(after_cursor), limit(items)])?;
    let mut found: Vec<DeviceItem> = Vec::new();
    let mut bytes = 0_usize;
    let mut all = true;
    while let Some(row) = rows.next()? {
        let place = match row.get::<_, i64>(1)? {
            NOTICE => None,
            _ => Some(RoomPlace {
                room: text(row, 3)?,
                seq: number(row, 2)?,
            }),
        };
        let item = DeviceItem {
            cursor: number(row, 0)?,
            place,
            kind: row.get(4)?,
            at: number(row, 5)?,
            body: blob(row, 6)?,
        };
        bytes = bytes.saturating_add(item.body.len());
        if bytes > max_bytes && !found.is_empty() {
            all = false;
            break;
        }
        found.push(item);
    }
    all &= found.len() < items;
    Ok((found, all))
}

pub(super) fn ack(connection: &Connection, notes: &mut Notes, device: &str, until: u64) -> Result<u64, Fail> {
    let queue = match notes.memory.queues.get(device) {
        Some(known) => Some(*known),
        None => queue(connection, device)?,
    };
    let cursor = int(until);
    if cursor > queue.map_or(0, |(_, issued)| issued) {
        return Err(Fail::Refused(StoreError::Misuse("cursor was never issued")));
    }
    let Some((id, _)) = queue else { return Ok(0) };
    notes.news.queues.push(QueueNews::Acked(Arc::from(device), until));
    let sql = "DELETE FROM notices
        WHERE id IN (SELECT seq FROM queue WHERE device_id = ?1 AND cursor <= ?2 AND room_id = 0)";
    execute(connection, sql, [id, cursor])?;
    let gone = execute(
        connection,
        "DELETE FROM queue WHERE device_id = ?1 AND cursor <= ?2",
        [id, cursor],
    )?;
    if gone > 0 {
        execute(
            connection,
            "UPDATE devices_queued SET acked = max(acked, ?2) WHERE id = ?1",
            [id, cursor],
        )?;
    }
    Ok(gone as u64)
}

/// The queue's number and the last cursor that was issued.
fn queue(connection: &Connection, device: &str) -> Result<Option<(i64, i64)>, Fail> {
    let sql =
        "SELECT d.id, max(d.acked, coalesce((SELECT max(q.cursor) FROM queue q WHERE q.device_id = d.id), 0))
        FROM devices_queued d WHERE d.device = ?1";
    Ok(find(connection, sql, [device], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?)
}

/// In place of a room's number: the row refers to a notice.
const NOTICE: i64 = 0;
