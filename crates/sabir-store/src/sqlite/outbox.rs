//! The outbox in SQLite. A batch is frozen by its last sequence number: a run of the log, or the reference rows up to it.
//! Reference rows are written for what has to wait, and for what is no run.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::fail::Fail;
use super::notes::{BatchNews, InFlight, Line, Notes};
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

/// Takes new entries of a room for a follower: as the batch in flight, when nothing is in flight; otherwise they wait.
pub(super) fn append(
    connection: &Connection,
    notes: &mut Notes,
    to: &Address<'_>,
    entries: Vec<LogEntry>,
    now: u64,
) -> Result<(), Fail> {
    notes.memory.changes();
    let idle = match notes.memory.lines.get(&to.ids()) {
        Some(line) => line.in_flight.is_none(),
        None => {
            let sql = "SELECT 1 FROM batches WHERE room_id = ?1 AND follower_id = ?2";
            let idle = find(connection, sql, [to.room_id, to.follower_id], |_| Ok(()))?.is_none();
            if idle {
                // Where nothing is in flight, nothing waits: memory has it whole.
                notes.memory.lines.insert(to.ids(), Line::default());
            }
            idle
        }
    };
    if idle && is_run(&entries) {
        return put_in_flight(connection, notes, to, entries, Kind::Run, now);
    }
    let (room_id, follower) = to.ids();
    for entry in &entries {
        let sql = "INSERT INTO outbox (room_id, follower_id, seq) VALUES (?1, ?2, ?3)";
        execute(connection, sql, [room_id, follower, int(entry.seq)])?;
    }
    let memory = &mut notes.memory;
    if let Some(line) = memory.lines.get_mut(&to.ids()) {
        memory.waiting = memory.waiting.saturating_add(bytes(&entries));
        line.waiting.extend(entries);
        if line.is_long()
            && let Some(line) = memory.lines.remove(&to.ids())
        {
            memory.waiting = memory.waiting.saturating_sub(bytes(&line.waiting));
        }
    }
    if idle {
        freeze(connection, notes, to, now)?;
    }
    Ok(())
}

/// How a batch tells what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All of the log from its first entry to its last.
    Run,
    /// Rows of the outbox.
    Listed,
}

/// Whether these are neighbours in the log, and one batch holds them all.
fn is_run(entries: &[LogEntry]) -> bool {
    let neighbours = |pair: &[LogEntry]| match pair {
        [one, next] => one.seq.checked_add(1) == Some(next.seq),
        _ => false,
    };
    (1..=MAX_BATCH_ENTRIES).contains(&entries.len())
        && (entries.len() == 1 || bytes(entries) <= MAX_BATCH_BYTES)
        && entries.windows(2).all(neighbours)
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
    let sql =
        "SELECT b.room_id, b.follower_id, b.first_seq, b.last_seq, b.attempts, b.next_attempt_at, b.listed
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
        let kind = if row.get(6)? { Kind::Listed } else { Kind::Run };
        Ok(((row.get(0)?, row.get(1)?), kind, batch))
    })?;
    let Some((ids, kind, mut batch)) = found else {
        return Ok(None);
    };
    fill(&outbox_batch, ids, kind, &mut batch)?;
    Ok(Some(batch))
}

/// Reads the entries of a batch.
fn fill(
    connection: &Connection,
    (room_id, follower): (i64, i64),
    kind: Kind,
    batch: &mut Batch,
) -> Result<(), Fail> {
    let (first, last) = (int(batch.first_seq), int(batch.last_seq));
    batch.entries = match kind {
        Kind::Listed => {
            // A missing body makes a NULL, which reads as damage.
            let sql = "SELECT o.seq, l.kind, l.at, l.body FROM outbox o
                LEFT JOIN log l ON l.room_id = o.room_id AND l.seq = o.seq
                WHERE o.room_id = ?1 AND o.follower_id = ?2 AND o.seq <= ?3 ORDER BY o.seq";
            list(connection, sql, [room_id, follower, last], room::read_entry)?
        }
        Kind::Run => {
            let sql = "SELECT seq, kind, at, body FROM log
                WHERE room_id = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq";
            let entries: Vec<_> = list(connection, sql, [room_id, first, last], room::read_entry)?;
            if entries.len() as u64 != run_length(batch.first_seq, batch.last_seq) {
                return Err(Fail::Damaged);
            }
            entries
        }
    };
    Ok(())
}

fn run_length(first_seq: u64, last_seq: u64) -> u64 {
    last_seq.saturating_sub(first_seq).saturating_add(1)
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
        Some(line) => line.in_flight.is_some_and(|batch| batch.last_seq == *last_seq),
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
            let entries = match remove(connection, notes, &to, int(last_seq))? {
                0 => run_length(first_seq, last_seq),
                listed => listed,
            };
            dropped.push(Dropped {
                room: room.clone(),
                follower: domain.clone(),
                first_seq,
                last_seq,
                entries,
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
    if let Some(line) = notes.memory.lines.get_mut(&to.ids()) {
        let entries = line.take_batch();
        notes.memory.waiting = notes.memory.waiting.saturating_sub(bytes(&entries));
        return put_in_flight(connection, notes, to, entries, Kind::Listed, now);
    }
    let (ends, all) = next_stored(connection, to)?;
    if all {
        // From here on nothing is in it that did not pass through here.
        let in_flight = ends.map(|(_, last)| InFlight {
            last_seq: last,
            kind: Kind::Listed,
        });
        let line = Line {
            in_flight,
            ..Line::default()
        };
        notes.memory.lines.insert(to.ids(), line);
    }
    match ends {
        Some(ends) => insert(connection, notes, to, ends, Kind::Listed, now),
        None => Ok(()),
    }
}

/// Makes entries the batch in flight, and hands it over; none: then none is.
fn put_in_flight(
    connection: &Connection,
    notes: &mut Notes,
    to: &Address<'_>,
    entries: Vec<LogEntry>,
    kind: Kind,
    now: u64,
) -> Result<(), Fail> {
    let ends = entries.first().zip(entries.last());
    let ends = ends.map(|(first, last)| (first.seq, last.seq));
    if let Some(line) = notes.memory.lines.get_mut(&to.ids()) {
        line.in_flight = ends.map(|(_, last_seq)| InFlight { last_seq, kind });
    }
    let Some((first_seq, last_seq)) = ends else {
        return Ok(());
    };
    notes.news.batches.push(BatchNews::Frozen(Batch {
        room: to.room.to_owned(),
        follower: to.follower.to_owned(),
        first_seq,
        last_seq,
        entries,
        attempts: 0,
        next_attempt_at: now,
    }));
    insert(connection, notes, to, (first_seq, last_seq), kind, now)
}

/// Writes the row of a batch, and tells that it is there.
fn insert(
    connection: &Connection,
    notes: &mut Notes,
    to: &Address<'_>,
    (first, last): (u64, u64),
    kind: Kind,
    now: u64,
) -> Result<(), Fail> {
    let sql =
        "INSERT INTO batches (room_id, follower_id, first_seq, last_seq, attempts, next_attempt_at, listed)
        VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)";
    let ids = to.ids();
    let listed = i64::from(kind == Kind::Listed);
    execute(
        connection,
        sql,
        [ids.0, ids.1, int(first), int(last), int(now), listed],
    )?;
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

/// Removes the batch in flight and its rows of the outbox; says how many of those.
fn remove(connection: &Connection, notes: &mut Notes, to: &Address<'_>, last_seq: i64) -> Result<u64, Fail> {
    notes.news.batches.push(to.changed());
    notes.memory.changes();
    let line = notes.memory.lines.get_mut(&to.ids());
    let in_flight = line.and_then(|line| line.in_flight.take());
    let (room_id, follower) = to.ids();
    execute(
        connection,
        "DELETE FROM batches WHERE room_id = ?1 AND follower_id = ?2",
        [room_id, follower],
    )?;
    if in_flight.is_some_and(|batch| batch.kind == Kind::Run) {
        return Ok(0);
    }
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
