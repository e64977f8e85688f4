//! Housekeeping in SQLite: in small commands, so that others get their turn between them.

use rusqlite::Connection;

use super::SqliteStore;
use super::fail::Fail;
use super::hashes::{self, HashRow, Table};
use super::notes::Notes;
use super::query::{execute, find, int, list};
use crate::types::bounded;
use crate::{Expired, Retention, StoreError};

impl SqliteStore {
    pub(super) fn expire_all(&self, now: u64, retention: Retention) -> Result<Expired, StoreError> {
        bounded(&[now])?;
        let answers_before = int(now.saturating_sub(retention.answers_ms));
        let hashes_before = int(now.saturating_sub(retention.hashes_ms));
        let log_before = int(now.saturating_sub(retention.log_ms));
        let now = int(now);
        Ok(Expired {
            bodies: self.expire_bodies(log_before, now)?,
            hashes: self.expire_oldest(&SEEN, hashes_before, now)?,
            answers: self.expire_oldest(&ANSWERS, answers_before, now)?,
            takes: self.expire_takes(answers_before)?,
            key_packages: self.expire_rows(
                "DELETE FROM key_packages WHERE id IN
                    (SELECT id FROM key_packages WHERE not_after < ?1 ORDER BY not_after, id LIMIT ?2)",
                now,
            )?,
            routes: self.expire_rows(
                "DELETE FROM routes WHERE reference IN
                    (SELECT reference FROM routes WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
                now,
            )?,
            tokens: self.expire_rows(
                "DELETE FROM tokens WHERE token_hash IN
                    (SELECT token_hash FROM tokens WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
                now,
            )?,
            invites: self.expire_rows(
                "DELETE FROM invites WHERE token_hash IN
                    (SELECT token_hash FROM invites WHERE expires_at <= ?1 LIMIT ?2)",
                answers_before,
            )?,
        })
    }

    /// Finds the bodies on a reader, so that the writer is not held up by a scan of all queues. That is safe because a
    /// body gets its references in the transaction that appends it and never later: one without any stays so.
    fn expire_bodies(&self, before: i64, now: i64) -> Result<u64, StoreError> {
        let kept = self.first_kept(
            "SELECT id FROM log WHERE at BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1",
            before,
            now,
        )?;
        let sql = "SELECT room_id, seq FROM log WHERE id < ?1 AND at < ?2
            EXCEPT SELECT room_id, seq FROM queue
            EXCEPT SELECT room_id, seq FROM outbox
            EXCEPT SELECT l.room_id, l.seq FROM batches b JOIN log l
                ON l.room_id = b.room_id AND l.seq BETWEEN b.first_seq AND b.last_seq WHERE b.listed = 0";
        let bodies: Vec<(i64, i64)> = self.read("expire", |connection| {
            Ok(list(connection, sql, [kept, before], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?)
        })?;
        let mut gone = 0_u64;
        for some in bodies.chunks(ROWS_AT_ONCE) {
            let some = some.to_vec();
            let deleted = self
                .write("expire", Ok(()), move |connection, _| {
                    delete_bodies(connection, &some)
                })
                .wait()?;
            gone = gone.saturating_add(deleted);
        }
        Ok(gone)
    }

    fn expire_takes(&self, before: i64) -> Result<u64, StoreError> {
        self.repeat(move |connection, _| {
            let sql = "DELETE FROM taken WHERE take_id IN (SELECT id FROM takes WHERE at < ?1 ORDER BY at, id LIMIT ?2)";
            execute(connection, sql, [before, CHUNK])?;
            let sql = "DELETE FROM takes WHERE id IN (SELECT id FROM takes WHERE at < ?1 ORDER BY at, id LIMIT ?2)";
            Ok(execute(connection, sql, [before, CHUNK])?)
        })
    }

    /// For a table that grows at its end, in the order of time: its rows need no index by time, which each of them would
    /// pay for.
    fn expire_oldest(&self, rows: &'static Oldest, before: i64, now: i64) -> Result<u64, StoreError> {
        let kept = self.first_kept(rows.kept, before, now)?;
        self.repeat(move |connection, notes| {
            let old: Vec<(i64, i64)> = list(connection, rows.old, [kept, before, CHUNK], |row| {
                rows.table.read_fingerprint(row)
            })?;
            for (fingerprint, id) in old.iter().copied() {
                execute(connection, rows.delete, [id])?;
                let row = HashRow {
                    table: rows.table,
                    fingerprint,
                    id,
                };
                hashes::drop_indexed(connection, &row)?;
                notes.news.forgotten.push(row);
            }
            Ok(old.len())
        })
    }

    /// The id of the first row that is not old. Rows of the future are no end, for a clock that was put back leaves such
    /// among older ones; after a row that was written while the clock was behind, an old one waits until its turn.
    fn first_kept(&self, sql: &'static str, before: i64, now: i64) -> Result<i64, StoreError> {
        self.read("expire", |connection| {
            let id = find(connection, sql, [before, now], |row| row.get(0))?;
            Ok(id.unwrap_or(i64::MAX))
        })
    }

    fn expire_rows(&self, sql: &'static str, before: i64) -> Result<u64, StoreError> {
        self.repeat(move |connection, _| Ok(execute(connection, sql, [before, CHUNK])?))
    }

    /// Until it says 0.
    fn repeat(
        &self,
        delete: impl Fn(&Connection, &mut Notes) -> Result<usize, Fail> + Copy + Send + 'static,
    ) -> Result<u64, StoreError> {
        let mut gone = 0_u64;
        loop {
            match self
                .write("expire", Ok(()), move |connection, notes| {
                    delete(connection, notes)
                })
                .wait()?
            {
                0 => return Ok(gone),
                rows => gone = gone.saturating_add(rows as u64),
            }
        }
    }
}

fn delete_bodies(connection: &Connection, bodies: &[(i64, i64)]) -> Result<u64, Fail> {
    let mut gone = 0_u64;
    for (room_id, seq) in bodies {
        let rows = execute(
            connection,
            "DELETE FROM log WHERE room_id = ?1 AND seq = ?2",
            [room_id, seq],
        )?;
        gone = gone.saturating_add(rows as u64);
    }
    Ok(gone)
}

/// What grows at its end and is found by a hash.
struct Oldest {
    table: Table,
    kept: &'static str,
    old: &'static str,
    delete: &'static str,
}

const ANSWERS: Oldest = Oldest {
    table: Table::Answers,
    kept: "SELECT id FROM answers WHERE at BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1",
    old: "SELECT substr(request_hash, 1, 8), id, origin FROM answers WHERE id < ?1 AND at < ?2 ORDER BY id LIMIT ?3",
    delete: "DELETE FROM answers WHERE id = ?1",
};

const SEEN: Oldest = Oldest {
    table: Table::Seen,
    kept: "SELECT id FROM seen WHERE at BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1",
    old: "SELECT substr(hash, 1, 8), id, room_id FROM seen WHERE id < ?1 AND at < ?2 ORDER BY id LIMIT ?3",
    delete: "DELETE FROM seen WHERE id = ?1",
};

/// Rows of one command: a few milliseconds of the writer.
const ROWS_AT_ONCE: usize = 1000;
const CHUNK: i64 = ROWS_AT_ONCE as i64;
