//! Which answers and which seen messages there are, by their hash.
//!
//! An index by hash costs every row a page of the log, wherever the hash falls: more than all the rest of a message. So
//! the newest rows are found in memory, and are taken into the index many at a time, in its own order, between the
//! transactions. After a crash memory is filled again with what the index has yet to take.
//!
//! ```text
//!   row --> young (memory) --> leaving (memory) --sorted, some at a time--> index (database)
//! ```
//!
//! What is found is a **candidate**: it has the same fingerprint, of the hash and of whose it is (the request's origin,
//! the message's room): who sends one message into a thousand rooms gets a thousand fingerprints. Whoever asks compares
//! the row itself; so a row that is not committed, or gone, is found by nobody.
//!
//! Invariant: each committed row is in memory, or in the index, or in both, and none in the index is gone. Ids only grow
//! while the store is open, whatever is deleted, and begin above all that the index was filled with.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Row};

use super::query::{execute, find, list};
use crate::types::Hash;

/// The rows of both tables; shared by the writer, who changes it, and the readers.
#[derive(Debug)]
pub(super) struct Hashes {
    answers: Mutex<Recent>,
    seen: Mutex<Recent>,
    /// How many young rows begin to leave together.
    most: usize,
}

/// A table whose rows are found by their hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Answers,
    Seen,
}

/// A row of one of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HashRow {
    pub(super) table: Table,
    pub(super) fingerprint: i64,
    pub(super) id: i64,
}

/// Ids by fingerprint.
#[derive(Debug, Default)]
struct Young {
    first: HashMap<i64, i64>,
    /// Where several have one fingerprint, which does not happen by chance.
    others: BTreeSet<(i64, i64)>,
}

#[derive(Debug, Default)]
struct Recent {
    young: Young,
    /// In the order of the index.
    leaving: BTreeSet<(i64, i64)>,
    /// The highest id that is leaving.
    last_leaving: i64,
    /// The id of the next row.
    next: i64,
    /// Whether the index holds anything.
    indexed: bool,
}

impl Hashes {
    /// Reads what is not in the indexes; takes into them what is more than memory should hold.
    pub(super) fn open(connection: &mut Connection, most: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            answers: Mutex::new(load(connection, Table::Answers, most)?),
            seen: Mutex::new(load(connection, Table::Seen, most)?),
            most,
        })
    }

    /// The ids of rows with this fingerprint. A reader whose snapshot begins after this call finds all that had been
    /// committed before it.
    pub(super) fn candidates(
        &self,
        connection: &Connection,
        table: Table,
        fingerprint: i64,
    ) -> rusqlite::Result<Vec<i64>> {
        let (mut ids, indexed) = {
            let recent = self.recent(table);
            let mut ids = recent.young.find(fingerprint);
            ids.extend(range(&recent.leaving, fingerprint));
            (ids, recent.indexed)
        };
        if indexed {
            let older: Vec<i64> = list(connection, table.sql().find, [fingerprint], |row| row.get(0))?;
            ids.extend(older);
        }
        Ok(ids)
    }

    /// A new row is to be written under the id that this gives.
    pub(super) fn add(&self, table: Table, fingerprint: i64) -> HashRow {
        let mut recent = self.recent(table);
        let row = HashRow {
            table,
            fingerprint,
            id: recent.next,
        };
        recent.next = recent.next.saturating_add(1);
        recent.young.insert(row.fingerprint, row.id);
        row
    }

    /// Rows that are deleted, or never came to be.
    pub(super) fn forget(&self, rows: &[HashRow]) {
        for row in rows {
            let mut recent = self.recent(row.table);
            recent.young.remove(row.fingerprint, row.id);
            recent.leaving.remove(&(row.fingerprint, row.id));
        }
    }

    /// Takes some rows into the indexes, where many wait: of each table so many that memory never holds more than twice
    /// its measure, and what one group brought. Only between transactions.
    pub(super) fn tidy(&self, connection: &Connection) -> rusqlite::Result<()> {
        loop {
            let steps = [Table::Answers, Table::Seen].map(|table| self.step(table));
            if steps.iter().all(|step| step.rows.is_empty()) {
                return Ok(());
            }
            let taking = connection.unchecked_transaction()?;
            for step in &steps {
                step.take_in(&taking)?;
            }
            taking.commit()?;
            let mut more = false;
            for step in &steps {
                let mut recent = self.recent(step.table);
                recent.indexed |= !step.rows.is_empty();
                for row in &step.rows {
                    recent.leaving.remove(row);
                }
                more |= recent.young.len() >= self.most || recent.leaving.len() > self.most;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// The next rows of a table that leave, if any do.
    fn step(&self, table: Table) -> Step {
        let mut recent = self.recent(table);
        if recent.leaving.is_empty() && recent.young.len() >= self.most {
            recent.last_leaving = recent.next.saturating_sub(1);
            recent.leaving = recent.young.take(self.most);
        }
        let rows: Vec<_> = recent.leaving.iter().take(AT_ONCE).copied().collect();
        let all = !rows.is_empty() && rows.len() == recent.leaving.len();
        Step {
            table,
            rows,
            until: all.then_some(recent.last_leaving),
        }
    }

    /// How many rows memory holds.
    #[cfg(test)]
    pub(super) fn in_memory(&self) -> usize {
        [Table::Answers, Table::Seen]
            .map(|table| {
                let recent = self.recent(table);
                recent.young.len() + recent.leaving.len()
            })
            .iter()
            .sum()
    }

    fn recent(&self, table: Table) -> MutexGuard<'_, Recent> {
        let recent = match table {
            Table::Answers => &self.answers,
            Table::Seen => &self.seen,
        };
        // Nothing panics while it is locked.
        recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Young {
    fn len(&self) -> usize {
        self.first.len().saturating_add(self.others.len())
    }

    fn find(&self, fingerprint: i64) -> Vec<i64> {
        let mut ids: Vec<i64> = self.first.get(&fingerprint).copied().into_iter().collect();
        if !self.others.is_empty() {
            ids.extend(range(&self.others, fingerprint));
        }
        ids
    }

    fn insert(&mut self, fingerprint: i64, id: i64) {
        match self.first.entry(fingerprint) {
            Entry::Vacant(place) => {
                place.insert(id);
            }
            Entry::Occupied(_) => {
                self.others.insert((fingerprint, id));
            }
        }
    }

    fn remove(&mut self, fingerprint: i64, id: i64) {
        if self.first.get(&fingerprint) == Some(&id) {
            self.first.remove(&fingerprint);
        } else {
            self.others.remove(&(fingerprint, id));
        }
    }

    /// All of them; keeps the place for `usual`.
    fn take(&mut self, usual: usize) -> BTreeSet<(i64, i64)> {
        let others = std::mem::take(&mut self.others);
        let all = self.first.drain().chain(others).collect();
        self.first.shrink_to(usual);
        all
    }
}

fn range(rows: &BTreeSet<(i64, i64)>, fingerprint: i64) -> impl Iterator<Item = i64> {
    let all = (fingerprint, i64::MIN)..=(fingerprint, i64::MAX);
    rows.range(all).map(|(_, id)| *id)
}

/// Deletes a row's place in the index, where it has one.
pub(super) fn drop_indexed(connection: &Connection, row: &HashRow) -> rusqlite::Result<()> {
    execute(connection, row.table.sql().drop, [row.fingerprint, row.id])?;
    Ok(())
}

/// The fingerprint of a request's answer.
pub(super) fn of_answer(origin: &str, request_hash: [u8; 8]) -> i64 {
    // FNV-1a: kept in the database, so it is one that never changes.
    let whose = origin.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    mixed(request_hash, whose)
}

/// The fingerprint of a message in a room.
pub(super) fn of_message(room_id: i64, hash: [u8; 8]) -> i64 {
    mixed(hash, room_id.cast_unsigned())
}

/// The first eight bytes of a hash.
pub(super) fn first(hash: &Hash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    [a, b, c, d, e, f, g, h]
}

fn mixed(hash: [u8; 8], whose: u64) -> i64 {
    // The odd factor of Fibonacci hashing: different owners stay different.
    let whose = whose.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (u64::from_be_bytes(hash) ^ whose).cast_signed()
}

fn load(connection: &mut Connection, table: Table, most: usize) -> rusqlite::Result<Recent> {
    let sql = table.sql();
    // The first time after a migration this is all there is.
    let limit = i64::try_from(most.saturating_mul(LOADED)).unwrap_or(i64::MAX);
    loop {
        let until: i64 = find(connection, sql.until, (), |row| row.get(0))?.unwrap_or_default();
        let mut rows: Vec<(i64, i64)> = list(connection, sql.load, [until, limit], |row| {
            table.read_fingerprint(row)
        })?;
        let last = rows.last().map_or(until, |(_, id)| *id);
        if rows.len() < most {
            let mut recent = Recent {
                next: last.saturating_add(1),
                indexed: find(connection, sql.any, (), |_| Ok(()))?.is_some(),
                ..Recent::default()
            };
            for (fingerprint, id) in rows {
                recent.young.insert(fingerprint, id);
            }
            return Ok(recent);
        }
        rows.sort_unstable();
        let step = Step {
            table,
            rows,
            until: Some(last),
        };
        let taking = connection.transaction()?;
        step.take_in(&taking)?;
        taking.commit()?;
    }
}

/// Rows that go into an index together.
struct Step {
    table: Table,
    /// In the order of the index.
    rows: Vec<(i64, i64)>,
    /// With them all up to this id are there.
    until: Option<i64>,
}

impl Step {
    fn take_in(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = self.table.sql();
        for (fingerprint, id) in &self.rows {
            execute(connection, sql.put, [fingerprint, id])?;
        }
        if let Some(until) = self.until {
            execute(connection, sql.set_until, [until])?;
        }
        Ok(())
    }
}

struct Sql {
    find: &'static str,
    put: &'static str,
    drop: &'static str,
    any: &'static str,
    load: &'static str,
    until: &'static str,
    set_until: &'static str,
}

impl Table {
    fn sql(self) -> &'static Sql {
        match self {
            Self::Answers => &ANSWERS,
            Self::Seen => &SEEN,
        }
    }

    /// Of the first three columns: the first eight bytes of the hash, the id, and whose it is.
    pub(super) fn read_fingerprint(self, row: &Row<'_>) -> rusqlite::Result<(i64, i64)> {
        let (hash, id) = (row.get(0)?, row.get(1)?);
        let fingerprint = match self {
            Self::Answers => of_answer(row.get_ref(2)?.as_str()?, hash),
            Self::Seen => of_message(row.get(2)?, hash),
        };
        Ok((fingerprint, id))
    }
}

const ANSWERS: Sql = Sql {
    find: "SELECT id FROM answers_by_hash WHERE fingerprint = ?1",
    put: "INSERT OR IGNORE INTO answers_by_hash (fingerprint, id) VALUES (?1, ?2)",
    drop: "DELETE FROM answers_by_hash WHERE fingerprint = ?1 AND id = ?2",
    any: "SELECT 1 FROM answers_by_hash LIMIT 1",
    load: "SELECT substr(request_hash, 1, 8), id, origin FROM answers WHERE id > ?1 ORDER BY id LIMIT ?2",
    until: "SELECT until FROM indexed WHERE name = 'answers'",
    set_until: "UPDATE indexed SET until = ?1 WHERE name = 'answers'",
};

const SEEN: Sql = Sql {
    find: "SELECT id FROM seen_by_hash WHERE fingerprint = ?1",
    put: "INSERT OR IGNORE INTO seen_by_hash (fingerprint, id) VALUES (?1, ?2)",
    drop: "DELETE FROM seen_by_hash WHERE fingerprint = ?1 AND id = ?2",
    any: "SELECT 1 FROM seen_by_hash LIMIT 1",
    load: "SELECT substr(hash, 1, 8), id, room_id FROM seen WHERE id > ?1 ORDER BY id LIMIT ?2",
    until: "SELECT until FROM indexed WHERE name = 'seen'",
    set_until: "UPDATE indexed SET until = ?1 WHERE name = 'seen'",
};

/// Rows that memory holds of each table before they begin to leave: some two megabytes. The more leave together, the
/// more of them share a page of the index.
pub(super) const MOST_YOUNG: usize = 65_536;

/// Rows taken in at once: a few milliseconds of the writer.
const AT_ONCE: usize = 1024;
/// Times `MOST_YOUNG` rows are taken in at once while the store opens, where so many are not in the index.
const LOADED: usize = 16;
