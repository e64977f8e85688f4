//! The outbox in SQLite: a batch is a range of reference rows, frozen by its last sequence number.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::fail::Fail;
use super::notes::{BatchNews, Line, Notes};
use super::query::{execute, find, int, limit, list, number};
use super::room;
use crate::types::Hint;
use crate::{
    AckOutcome, Batch, Dropped, Due, LogEntry, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, OutboxAck, OutboxDefer,
    OutboxExpire,
};

/// The number of a follower, new or known.
pub(super) fn follower_id(connection: &Connection, notes: &mut Notes, domain: &str) -> Result<i64, Fail> {
    if let Some(id) = known_follower(connection, notes, domain)? {
        return Ok(id);
    }
    execute(connection, "INSERT INTO followers (domain) VALUES (?1)", [domain])?;
    let id = connection.last_insert_rowid();
    notes.memory.changes();
    notes.memory.followers.insert(domain.to_owned(), id);
    Ok(id)
}

/// Appends an entry of a room to what waits for a follower.
pub(super) fn append(
    connection: &Connection,
    notes: &mut Notes,
    (room_id, follower): (i64, i64),
    entry: &LogEntry,
) -> Result<(), Fail> {
    let sql = "INSERT INTO outbox (room_id, follower_id, seq) VALUES (?1, ?2, ?3)";
    execute(connection, sql, params![room_id, follower, int(entry.seq)])?;
    notes.memory.changes();
    let memory = &mut notes.memory;
    if let Some(line) = memory.lines.get_mut(&(room_id, follower)) {
        memory.waiting = memory.waiting.saturating_add(entry.body.len());
        line.waiting.push_back(entry.clone());
        if line.is_long()
            && let Some(line) = memory.lines.remove(&(room_id, follower))
        {
            memory.waiting = memory.waiting.saturating_sub(bytes(&line.waiting));
        }
    }
    Ok(())
}

/// Freezes what waits, when nothing is in flight.
pub(super) fn freeze_if_idle(
    connection: &Connection,
    notes: &mut Notes,
    to: &Address<'_>,
    now: u64,
) -> Result<(), Fail> {
    let idle = match notes.memory.lines.get(&to.ids()) {
        Some(line) => line.in_flight.is_none(),
        None => {
            let sql = "SELECT 1 FROM batches WHERE room_id = ?1 AND follower_id = ?2";
            find(connection, sql, [to.room_id, to.follower_id], |_| Ok(()))?.is_none()
        }
    };
    if idle {
        freeze(connection, notes, to, now)?;
    }
    Ok(())
}

/// A room and a follower, and their numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) room: &'a str,
    pub(super) room_id: i64,
    pub(super) follower: &'a str,
    pub(super) follower_id: i64,
}

impl Address<'_> {
    fn ids(&self) -> (i64, i64) {
        (self.room_id, self.follower_id)
    }

    fn changed(&self) -> BatchNews {
        BatchNews::Changed(self.room.to_owned(), self.follower.to_owned())
    }
}

pub(super) fn due(connection: &Connection, now: u64, each: usize) -> Result<Vec<Due>, Fail> {
    // One snapshot for the followers and their batches.
    let outbox_due = connection.unchecked_transaction()?;
    let sql = "SELECT f.domain FROM followers f WHERE EXISTS
            (SELECT 1 FROM batches b WHERE b.follower_id = f.id AND b.next_attempt_at <= ?1)
        ORDER BY f.domain";
    let followers: Vec<String> = list(&outbox_due, sql, [int(now)], |row| row.get(0))?;
    let mut due = Vec::new();
    for follower in followers {
        due.extend(due_to(&outbox_due, &follower, now, each)?);
    }
    Ok(due)
}

pub(super) fn due_to(
    connection: &Connection,
    follower: &str,
    now: u64,
    batches: usize,
) -> Result<Vec<Due>, Fail> {
    let sql = "SELECT r.room, b.next_attempt_at
        FROM followers f JOIN batches b ON b.follower_id = f.id JOIN rooms r ON r.id = b.room_id
        WHERE f.domain = ?1 AND b.next_attempt_at <= ?2 ORDER BY b.next_attempt_at, r.room LIMIT ?3";
    let params = params![follower, int(now), limit(batches)];
    Ok(list(connection, sql, params, |row| {
        Ok(Due {
            room: row.get(0)?,
            follower: follower.to_owned(),
            next_attempt_at: number(row, 1)?,
        })
    })?)
}

pub(super) fn due_after(connection: &Connection, now: u64) -> Result<Option<u64>, Fail> {
    // One look into the index for each follower.
    let sql = "SELECT next FROM (SELECT (SELECT b.next_attempt_at FROM batches b
                WHERE b.follower_id = f.id AND b.next_attempt_at > ?1 ORDER BY b.next_attempt_at LIMIT 1) AS next
            FROM followers f)
        WHERE next IS NOT NULL ORDER BY next LIMIT 1";
    Ok(find(connection, sql, [int(now)], |row| number(row, 0))?)
}

pub(super) fn in_flight(connection: &Connection, room: &str, follower: &str) -> Result<Option<Batch>, Fail> {
    // One snapshot for the batch and its entries.
    let outbox_batch = connection.unchecked_transaction()?;
    let sql = "SELECT b.room_id, b.follower_id, b.first_seq, b.last_seq, b.attempts, b.next_attempt_at
        FROM rooms r JOIN followers f JOIN batches b ON b.room_id = r.id AND b.follower_id = f.id
        WHERE r.room = ?1 AND f.domain = ?2";
    let found = find(&outbox_batch, sql, [room, follower], |row| {
        let batch = Batch {
            room: room.to_owned(),
            follower: follower.to_owned(),
            first_seq: number(row, 2)?,
            last_seq: number(row, 3)?,
            entries: Vec::new(),
            attempts: row.get(4)?,
            next_attempt_at: number(row, 5)?,
        };
        Ok(((row.get(0)?, row.get(1)?), batch))
    })?;
    let Some((ids, mut batch)) = found else {
        return Ok(None);
    };
    fill(&outbox_batch, ids, &mut batch)?;
    Ok(Some(batch))
}

/// Reads the entries of a batch.
fn fill(connection: &Connection, (room_id, follower): (i64, i64), batch: &mut Batch) -> Result<(), Fail> {
    // A missing body makes a NULL, which reads as damage.
    let sql = "SELECT o.seq, l.kind, l.at, l.body FROM outbox o
        LEFT JOIN log l ON l.room_id = o.room_id AND l.seq = o.seq
        WHERE o.room_id = ?1 AND o.follower_id = ?2 AND o.seq <= ?3 ORDER BY o.seq";
    let last = int(batch.last_seq);
    batch.entries = list(connection, sql, [room_id, follower, last], room::read_entry)?;
    Ok(())
}

pub(super) fn ack(
    connection: &Connection,
    notes: &mut Notes,
    command: &OutboxAck,
) -> Result<AckOutcome, Fail> {
    let OutboxAck {
        room,
        follower,
        last_seq,
        now,
    } = command;
    let Some(to) = address(connection, notes, room, follower)? else {
        return Ok(AckOutcome::NotInFlight);
    };
    let in_flight = match notes.memory.lines.get(&to.ids()) {
        Some(line) => line.in_flight == Some(*last_seq),
        None => {
            let sql = "SELECT 1 FROM batches WHERE room_id = ?1 AND follower_id = ?2 AND last_seq = ?3";
            let ids = [to.room_id, to.follower_id, int(*last_seq)];
            find(connection, sql, ids, |_| Ok(()))?.is_some()
        }
    };
    if !in_flight {
        return Ok(AckOutcome::NotInFlight);
    }
    remove(connection, notes, &to, int(*last_seq))?;
    freeze(connection, notes, &to, *now)?;
    Ok(AckOutcome::Done)
}

pub(super) fn defer(
    connection: &Connection,
    notes: &mut Notes,
    command: &OutboxDefer,
) -> Result<AckOutcome, Fail> {
    let OutboxDefer {
        room,
        follower,
        last_seq,
        attempts,
        next_attempt_at,
    } = command;
    let Some(to) = address(connection, notes, room, follower)? else {
        return Ok(AckOutcome::NotInFlight);
    };
    notes.news.batches.push(to.changed());
    let sql = "UPDATE batches SET attempts = ?4, next_attempt_at = ?5
        WHERE room_id = ?1 AND follower_id = ?2 AND last_seq = ?3";
    let params = params![
        to.room_id,
        to.follower_id,
        int(*last_seq),
        attempts,
        int(*next_attempt_at)
    ];
    match execute(connection, sql, params)? {
        0 => Ok(AckOutcome::NotInFlight),
        _ => Ok(AckOutcome::Done),
    }
}

pub(super) fn expire(
    connection: &Connection,
    notes: &mut Notes,
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
        let to = Address {
            room: &room,
            room_id,
            follower: &domain,
            follower_id: follower,
        };
        while let Some((first_seq, last_seq)) = old_batch(connection, room_id, follower, command.before)? {
            dropped.push(Dropped {
                room: room.clone(),
                follower: domain.clone(),
                first_seq,
                last_seq,
                entries: remove(connection, notes, &to, int(last_seq))?,
            });
            freeze(connection, notes, &to, command.now)?;
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

/// Makes what waits (as much as one batch holds) the batch in flight, where there is none, and tells of it.
fn freeze(connection: &Connection, notes: &mut Notes, to: &Address<'_>, now: u64) -> Result<(), Fail> {
    notes.memory.changes();
    let known = notes.memory.lines.get_mut(&to.ids());
    let ends = match known {
        Some(line) => {
            let entries = line.take_batch();
            notes.memory.waiting = notes.memory.waiting.saturating_sub(bytes(&entries));
            let ends = entries.first().zip(entries.last());
            let ends = ends.map(|(first, last)| (first.seq, last.seq));
            line.in_flight = ends.map(|(_, last)| last);
            if let Some((first_seq, last_seq)) = ends {
                notes.news.batches.push(BatchNews::Frozen(Batch {
                    room: to.room.to_owned(),
                    follower: to.follower.to_owned(),
                    first_seq,
                    last_seq,
                    entries,
                    attempts: 0,
                    next_attempt_at: now,
                }));
            }
            ends
        }
        None => {
            let (ends, all) = next_stored(connection, to)?;
            if all {
                // From here on nothing is in it that did not pass through here.
                let line = Line {
                    in_flight: ends.map(|(_, last)| last),
                    ..Line::default()
                };
                notes.memory.lines.insert(to.ids(), line);
            }
            ends
        }
    };
    let Some((first, last)) = ends else {
        return Ok(());
    };
    let sql = "INSERT INTO batches (room_id, follower_id, first_seq, last_seq, attempts, next_attempt_at)
        VALUES (?1, ?2, ?3, ?4, 0, ?5)";
    let ids = to.ids();
    execute(connection, sql, [ids.0, ids.1, int(first), int(last), int(now)])?;
    notes.news.hints.push(Hint::Outbox {
        room: Arc::from(to.room),
        follower: Arc::from(to.follower),
    });
    Ok(())
}

fn bytes<'a>(entries: impl IntoIterator<Item = &'a LogEntry>) -> usize {
    entries.into_iter().map(|entry| entry.body.len()).sum()
}

impl Line {
    /// Takes out as much as one batch holds.
    fn take_batch(&mut self) -> Vec<LogEntry> {
        let mut batch = Vec::new();
        let mut bytes = 0_usize;
        while let Some(entry) = self.waiting.front() {
            bytes = bytes.saturating_add(entry.body.len());
            let full = batch.len() >= MAX_BATCH_ENTRIES || bytes > MAX_BATCH_BYTES;
            if full && !batch.is_empty() {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        batch
    }
}

/// First and last number of the next batch, and whether it is all that waits.
fn next_stored(connection: &Connection, to: &Address<'_>) -> Result<(Option<(u64, u64)>, bool), Fail> {
    let sql = "SELECT o.seq, length(l.body) FROM outbox o LEFT JOIN log l ON l.room_id = o.room_id AND l.seq = o.seq
        WHERE o.room_id = ?1 AND o.follower_id = ?2 ORDER BY o.seq LIMIT ?3";
    let waiting: Vec<(u64, u64)> = list(
        connection,
        sql,
        [to.room_id, to.follower_id, limit(MAX_BATCH_ENTRIES)],
        |row| Ok((number(row, 0)?, number(row, 1)?)),
    )?;
    let mut all = waiting.len() < MAX_BATCH_ENTRIES;
    let mut ends = None;
    let mut bytes = 0_u64;
    for (seq, size) in waiting {
        bytes = bytes.saturating_add(size);
        ends = match ends {
            None => Some((seq, seq)),
            Some(_) if bytes > MAX_BATCH_BYTES as u64 => {
                all = false;
                break;
            }
            Some((first, _)) => Some((first, seq)),
        };
    }
    Ok((ends, all))
}

/// Removes the batch in flight and its entries; says how many.
fn remove(connection: &Connection, notes: &mut Notes, to: &Address<'_>, last_seq: i64) -> Result<u64, Fail> {
    notes.news.batches.push(to.changed());
    notes.memory.changes();
    if let Some(line) = notes.memory.lines.get_mut(&to.ids()) {
        line.in_flight = None;
    }
    let (room_id, follower) = to.ids();
    execute(
        connection,
        "DELETE FROM batches WHERE room_id = ?1 AND follower_id = ?2",
        [room_id, follower],
    )?;
    let sql = "DELETE FROM outbox WHERE room_id = ?1 AND follower_id = ?2 AND seq <= ?3";
    Ok(execute(connection, sql, [room_id, follower, last_seq])? as u64)
}

fn address<'a>(
    connection: &Connection,
    notes: &mut Notes,
    room: &'a str,
    follower: &'a str,
) -> Result<Option<Address<'a>>, Fail> {
    let Some(room_id) = room::id(connection, notes, room)? else {
        return Ok(None);
    };
    let follower_id = known_follower(connection, notes, follower)?;
    Ok(follower_id.map(|follower_id| Address {
        room,
        room_id,
        follower,
        follower_id,
    }))
}

fn known_follower(connection: &Connection, notes: &mut Notes, domain: &str) -> Result<Option<i64>, Fail> {
    if let Some(id) = notes.memory.followers.get(domain) {
        return Ok(Some(*id));
    }
    let sql = "SELECT id FROM followers WHERE domain = ?1";
    let id = find(connection, sql, [domain], |row| row.get(0))?;
    if let Some(id) = id {
        notes.memory.followers.insert(domain.to_owned(), id);
    }
    Ok(id)
}
