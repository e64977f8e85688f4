//! Rooms in SQLite.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::fail::Fail;
use super::hashes::{self, Hashes, Table};
use super::notes::Notes;
use super::outbox::Address;
use super::query::{blob, execute, find, int, limit, list, number};
use super::{device, outbox};
use crate::types::Hash;
use crate::{
    AcceptFanout, Answer, Applied, Apply, CreateRoom, DeviceItem, FIRST_FENCE, FIRST_SEQ, LogEntry, Once,
    Placed, RoomEvent, RoomHead, RoomKind, RoomPlace, RoomState, RoomVersion, RoomWrite, StoreError,
};

pub(super) fn create(
    connection: &Connection,
    notes: &mut Notes,
    command: &CreateRoom,
) -> Result<Once<Applied>, Fail> {
    match current(connection, notes, &command.write.room)? {
        Some((_, head)) => answered_or_conflict(connection, notes, &command.write, Some(head)),
        None => insert(
            connection,
            notes,
            command.kind,
            &command.hub_domain,
            &command.write,
        ),
    }
}

pub(super) fn apply(
    connection: &Connection,
    notes: &mut Notes,
    command: &Apply,
) -> Result<Once<Applied>, Fail> {
    match current(connection, notes, &command.write.room)? {
        Some((id, head)) if head.version == command.expect => {
            once(connection, notes, (id, head.version), &command.write)
        }
        other => answered_or_conflict(connection, notes, &command.write, other.map(|(_, head)| head)),
    }
}

pub(super) fn accept_fanout(
    connection: &Connection,
    notes: &mut Notes,
    command: &AcceptFanout,
) -> Result<Once<Applied>, Fail> {
    let AcceptFanout {
        hub_domain,
        expect,
        write: change,
    } = command;
    match (current(connection, notes, &change.room)?, expect) {
        (None, None) => insert(connection, notes, RoomKind::Follower, hub_domain, change),
        (Some((id, head)), Some(version))
            if head.version == *version
                && head.kind == RoomKind::Follower
                && head.hub_domain == *hub_domain =>
        {
            once(connection, notes, (id, head.version), change)
        }
        (other, _) => answered_or_conflict(connection, notes, change, other.map(|(_, head)| head)),
    }
}

pub(super) fn load(connection: &Connection, room: &str) -> Result<Option<RoomState>, Fail> {
    // One snapshot for the head and the rows.
    let load_room = connection.unchecked_transaction()?;
    let Some((id, head)) = head(&load_room, room)? else {
        return Ok(None);
    };
    let sql = "SELECT key, value FROM room_rows WHERE room_id = ?1
        UNION ALL SELECT key, value FROM room_marks WHERE room_id = ?1";
    let rows = list(&load_room, sql, [id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let RoomHead {
        kind,
        hub_domain,
        version,
    } = head;
    Ok(Some(RoomState {
        kind,
        hub_domain,
        version,
        rows,
    }))
}

pub(super) fn list_all(connection: &Connection) -> Result<BTreeMap<String, RoomHead>, Fail> {
    let sql = "SELECT r.id, r.kind, r.hub_domain, h.epoch, h.next_seq, h.fence, r.room
        FROM rooms r LEFT JOIN heads h ON h.room_id = r.id";
    Ok(list(connection, sql, (), |row| {
        Ok((row.get(6)?, read_head(row)?))
    })?)
}

pub(super) fn log(
    connection: &Connection,
    room: &str,
    after_seq: u64,
    entries: usize,
) -> Result<Vec<LogEntry>, Fail> {
    let sql = "SELECT l.seq, l.kind, l.at, l.body FROM rooms r JOIN log l ON l.room_id = r.id
        WHERE r.room = ?1 AND l.seq > ?2 ORDER BY l.seq LIMIT ?3";
    Ok(list(
        connection,
        sql,
        params![room, int(after_seq), limit(entries)],
        read_entry,
    )?)
}

pub(super) fn seen(
    connection: &Connection,
    known: &Hashes,
    room: &str,
    message_hash: &Hash,
) -> Result<Option<u64>, Fail> {
    let id = find(
        connection,
        "SELECT id FROM rooms WHERE room = ?1",
        [room],
        |row| row.get(0),
    )?;
    match id {
        Some(id) => seen_in(connection, known, id, message_hash),
        None => Ok(None),
    }
}

fn seen_in(connection: &Connection, known: &Hashes, room_id: i64, hash: &Hash) -> Result<Option<u64>, Fail> {
    let sql = "SELECT seq FROM seen WHERE id = ?1 AND room_id = ?2 AND hash = ?3";
    let fingerprint = hashes::of_message(room_id, hashes::first(hash));
    for id in known.candidates(connection, Table::Seen, fingerprint)? {
        let seq = find(connection, sql, params![id, room_id, hash], |row| number(row, 0))?;
        if seq.is_some() {
            return Ok(seq);
        }
    }
    Ok(None)
}

pub(super) fn answered(
    connection: &Connection,
    known: &Hashes,
    origin: &str,
    request_hash: &Hash,
) -> Result<Option<Vec<u8>>, Fail> {
    let sql = "SELECT response FROM answers WHERE id = ?1 AND origin = ?2 AND request_hash = ?3";
    let fingerprint = hashes::of_answer(origin, hashes::first(request_hash));
    for id in known.candidates(connection, Table::Answers, fingerprint)? {
        let response = find(connection, sql, params![id, origin, request_hash], |row| {
            row.get(0)
        })?;
        if response.is_some() {
            return Ok(response);
        }
    }
    Ok(None)
}

/// A request that was answered may come when the room is not any more what it was then.
fn answered_or_conflict(
    connection: &Connection,
    notes: &Notes,
    change: &RoomWrite,
    current: Option<RoomHead>,
) -> Result<Once<Applied>, Fail> {
    let earlier = match &change.answer {
        Some(answer) => answered(connection, &notes.hashes, &answer.origin, &answer.request_hash)?,
        None => None,
    };
    match earlier {
        Some(response) => Ok(Once::AlreadyAnswered(response)),
        None => Err(Fail::Refused(StoreError::Conflict {
            current: current.map(Box::new),
        })),
    }
}

/// Keeps the answer, before anything else is written; gives the earlier one where there is one, and then wrote nothing.
pub(super) fn keep_answer(
    connection: &Connection,
    notes: &mut Notes,
    answer: Option<&Answer>,
    now: u64,
) -> Result<Option<Vec<u8>>, Fail> {
    let Some(Answer {
        origin,
        request_hash,
        response,
    }) = answer
    else {
        return Ok(None);
    };
    let earlier = answered(connection, &notes.hashes, origin, request_hash)?;
    if earlier.is_none() {
        let fingerprint = hashes::of_answer(origin, hashes::first(request_hash));
        let id = notes.add(Table::Answers, fingerprint);
        let sql = "INSERT INTO answers (id, origin, request_hash, response, at) VALUES (?1, ?2, ?3, ?4, ?5)";
        execute(
            connection,
            sql,
            params![id, origin, request_hash, response, int(now)],
        )?;
    }
    Ok(earlier)
}

/// The number of a room.
pub(super) fn id(connection: &Connection, notes: &mut Notes, room: &str) -> Result<Option<i64>, Fail> {
    Ok(current(connection, notes, room)?.map(|(id, _)| id))
}

/// The head of a room as the writer knows it, or reads it.
fn current(connection: &Connection, notes: &mut Notes, room: &str) -> Result<Option<(i64, RoomHead)>, Fail> {
    if let Some(known) = notes.memory.rooms.get(room) {
        return Ok(Some(known.clone()));
    }
    let found = head(connection, room)?;
    if let Some(found) = &found {
        notes.memory.rooms.insert(room.to_owned(), found.clone());
    }
    Ok(found)
}

/// Columns seq, kind, at, body.
pub(super) fn read_entry(row: &Row<'_>) -> rusqlite::Result<LogEntry> {
    Ok(LogEntry {
        seq: number(row, 0)?,
        kind: row.get(1)?,
        at: number(row, 2)?,
        body: blob(row, 3)?,
    })
}

fn head(connection: &Connection, room: &str) -> Result<Option<(i64, RoomHead)>, Fail> {
    // Without its numbers a room is damaged, not absent.
    let sql = "SELECT r.id, r.kind, r.hub_domain, h.epoch, h.next_seq, h.fence
        FROM rooms r LEFT JOIN heads h ON h.room_id = r.id WHERE r.room = ?1";
    Ok(find(connection, sql, [room], |row| {
        Ok((row.get(0)?, read_head(row)?))
    })?)
}

/// Columns id, kind, hub_domain, epoch, next_seq, fence.
fn read_head(row: &Row<'_>) -> rusqlite::Result<RoomHead> {
    let kind = match row.get(1)? {
        HUB => RoomKind::Hub,
        FOLLOWER => RoomKind::Follower,
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(1, other)),
    };
    let version = RoomVersion {
        epoch: number(row, 3)?,
        next_seq: number(row, 4)?,
        fence: number(row, 5)?,
    };
    Ok(RoomHead {
        kind,
        hub_domain: row.get(2)?,
        version,
    })
}

fn insert(
    connection: &Connection,
    notes: &mut Notes,
    kind: RoomKind,
    hub_domain: &str,
    change: &RoomWrite,
) -> Result<Once<Applied>, Fail> {
    if let Some(response) = keep_answer(connection, notes, change.answer.as_ref(), change.now)? {
        return Ok(Once::AlreadyAnswered(response));
    }
    let kind = match kind {
        RoomKind::Hub => HUB,
        RoomKind::Follower => FOLLOWER,
    };
    let version = RoomVersion {
        epoch: change.new_epoch,
        next_seq: FIRST_SEQ,
        fence: FIRST_FENCE,
    };
    let sql = "INSERT INTO rooms (room, kind, hub_domain) VALUES (?1, ?2, ?3)";
    execute(connection, sql, params![change.room, kind, hub_domain])?;
    let id = connection.last_insert_rowid();
    let sql = "INSERT INTO heads (room_id, epoch, next_seq, fence) VALUES (?1, ?2, ?3, ?4)";
    let numbers = [version.epoch, version.next_seq, version.fence].map(int);
    execute(connection, sql, [id, numbers[0], numbers[1], numbers[2]])?;
    write(connection, notes, id, version, change).map(Once::Done)
}

/// Writes, unless the request was answered before.
fn once(
    connection: &Connection,
    notes: &mut Notes,
    (id, before): (i64, RoomVersion),
    change: &RoomWrite,
) -> Result<Once<Applied>, Fail> {
    if let Some(response) = keep_answer(connection, notes, change.answer.as_ref(), change.now)? {
        return Ok(Once::AlreadyAnswered(response));
    }
    write(connection, notes, id, before, change).map(Once::Done)
}

fn write(
    connection: &Connection,
    notes: &mut Notes,
    id: i64,
    before: RoomVersion,
    change: &RoomWrite,
) -> Result<Applied, Fail> {
    for key in &change.row_deletes {
        if execute(connection, MARK.delete, params![id, key])? == 0 {
            execute(connection, ROW.delete, params![id, key])?;
        }
    }
    for (key, value) in &change.row_puts {
        let (here, elsewhere) = if value.len() <= SHORT {
            (&MARK, &ROW)
        } else {
            (&ROW, &MARK)
        };
        // Two statements cost less than one that does either: that one keeps copies of all pages that it touches.
        if execute(connection, here.update, params![id, key, value])? == 0 {
            execute(connection, elsewhere.delete, params![id, key])?;
            execute(connection, here.insert, params![id, key, value])?;
        }
    }
    let mut version = RoomVersion {
        epoch: change.new_epoch,
        ..before
    };
    let mut outgoing: BTreeMap<&str, Vec<LogEntry>> = BTreeMap::new();
    let room = Arc::from(change.room.as_str());
    let mut events = Vec::with_capacity(change.events.len());
    for event in &change.events {
        let place = (&room, id, version.next_seq);
        let placed = append(connection, notes, place, change.now, event, &mut outgoing)?;
        if let Placed::Stored(seq) = placed {
            version.next_seq = seq.checked_add(1).ok_or(Fail::Damaged)?;
        }
        events.push(placed);
    }
    for (follower, entries) in outgoing {
        let to = Address {
            room: &change.room,
            room_id: id,
            follower,
            follower_id: outbox::follower_id(connection, notes, follower)?,
        };
        outbox::append(connection, notes, &to, entries, change.now)?;
    }
    for reference in &change.spent_routes {
        execute(connection, "DELETE FROM routes WHERE reference = ?1", [reference])?;
    }
    let sql = "UPDATE heads SET epoch = ?2, next_seq = ?3 WHERE room_id = ?1";
    execute(
        connection,
        sql,
        params![id, int(version.epoch), int(version.next_seq)],
    )?;
    notes.memory.changes();
    if let Some((_, head)) = notes.memory.rooms.get_mut(&change.room) {
        head.version = version;
    }
    Ok(Applied { version, events })
}

/// Appends one event and refers to it from the queues; notes for which followers it is.
fn append<'a>(
    connection: &Connection,
    notes: &mut Notes,
    (room, room_id, seq): (&Arc<str>, i64, u64),
    now: u64,
    event: &'a RoomEvent,
    outgoing: &mut BTreeMap<&'a str, Vec<LogEntry>>,
) -> Result<Placed, Fail> {
    if let Some(hash) = &event.message_hash {
        if let Some(earlier) = seen_in(connection, &notes.hashes, room_id, hash)? {
            return Ok(Placed::Duplicate(earlier));
        }
        let id = notes.add(Table::Seen, hashes::of_message(room_id, hashes::first(hash)));
        let sql = "INSERT INTO seen (id, room_id, hash, seq, at) VALUES (?1, ?2, ?3, ?4, ?5)";
        execute(connection, sql, params![id, room_id, hash, int(seq), int(now)])?;
    }
    let sql = "INSERT INTO log (room_id, seq, kind, at, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    execute(
        connection,
        sql,
        params![room_id, int(seq), event.kind, int(now), event.body],
    )?;
    // One copy for all who get it.
    let entry = LogEntry {
        seq,
        kind: event.kind,
        at: now,
        body: Arc::from(event.body.as_slice()),
    };
    for device in event.devices.iter().map(String::as_str).collect::<BTreeSet<_>>() {
        device::refer(connection, notes, device, (room_id, int(seq)), |cursor| {
            DeviceItem {
                cursor,
                place: Some(RoomPlace {
                    room: Arc::clone(room),
                    seq,
                }),
                kind: entry.kind,
                at: entry.at,
                body: Arc::clone(&entry.body),
            }
        })?;
    }
    for domain in event
        .followers
        .iter()
        .map(String::as_str)
        .collect::<BTreeSet<_>>()
    {
        outgoing.entry(domain).or_default().push(entry.clone());
    }
    Ok(Placed::Stored(seq))
}

/// Where a room's rows are, by their length.
struct RowTable {
    update: &'static str,
    insert: &'static str,
    delete: &'static str,
}

/// Short rows, which may change with each message, close together.
const MARK: RowTable = RowTable {
    update: "UPDATE room_marks SET value = ?3 WHERE room_id = ?1 AND key = ?2",
    insert: "INSERT INTO room_marks (room_id, key, value) VALUES (?1, ?2, ?3)",
    delete: "DELETE FROM room_marks WHERE room_id = ?1 AND key = ?2",
};

/// The others.
const ROW: RowTable = RowTable {
    update: "UPDATE room_rows SET value = ?3 WHERE room_id = ?1 AND key = ?2",
    insert: "INSERT INTO room_rows (room_id, key, value) VALUES (?1, ?2, ?3)",
    delete: "DELETE FROM room_rows WHERE room_id = ?1 AND key = ?2",
};

/// The most bytes of a short row. Which table a row is in follows from it: another number asks for a migration.
const SHORT: usize = 16;

const HUB: i64 = 1;
const FOLLOWER: i64 = 2;
