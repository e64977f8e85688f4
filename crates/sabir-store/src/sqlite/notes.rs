//! What commands leave behind beside their rows: news for readers, told after the commit, and what the writer remembers
//! so as not to ask the database again.
//!
//! Invariant: what is remembered is what the open transaction would answer. Whatever undoes a command that changed
//! something, or the whole transaction, has everything forgotten; the database is then asked again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::hashes::{HashRow, Hashes, Table};
use super::outbox::Kind;
use crate::types::Hint;
use crate::{Batch, DeviceItem, LogEntry, RoomHead};

/// News and memory.
#[derive(Debug)]
pub(super) struct Notes {
    pub(super) news: News,
    pub(super) memory: Memory,
    /// Rows of the open transaction that are found by their hash.
    pub(super) added: Vec<HashRow>,
    pub(super) hashes: Arc<Hashes>,
}

/// What readers are told after the commit, each list in its order.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) hints: Vec<Hint>,
    pub(super) queues: Vec<QueueNews>,
    pub(super) batches: Vec<BatchNews>,
    /// Rows that are not any more to be found by their hash.
    pub(super) forgotten: Vec<HashRow>,
}

/// Something happened to a device's queue.
#[derive(Debug)]
pub(super) enum QueueNews {
    /// It grew.
    Queued(Arc<str>, DeviceItem),
    /// It is gone up to this cursor.
    Acked(Arc<str>, u64),
}

/// Something happened to a batch.
#[derive(Debug)]
pub(super) enum BatchNews {
    /// It was frozen, and here it is whole.
    Frozen(Batch),
    /// The batch of this room and follower is not any more what it was.
    Changed(String, String),
}

/// How much news there was at some moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    hints: usize,
    queues: usize,
    batches: usize,
    forgotten: usize,
    added: usize,
}

impl News {
    fn truncate(&mut self, mark: Mark) {
        self.hints.truncate(mark.hints);
        self.queues.truncate(mark.queues);
        self.batches.truncate(mark.batches);
        self.forgotten.truncate(mark.forgotten);
    }
}

/// What the writer remembers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Numbers and heads of rooms.
    pub(super) rooms: HashMap<String, (i64, RoomHead)>,
    /// Numbers of followers.
    pub(super) followers: HashMap<String, i64>,
    /// Numbers of devices' queues, and the last cursor that was issued.
    pub(super) queues: HashMap<Arc<str>, (i64, i64)>,
    /// The outbox of a room and follower, by their numbers.
    pub(super) lines: HashMap<(i64, i64), Line>,
    /// Bytes of bodies that wait in them.
    pub(super) waiting: usize,
    /// Whether the command at work changed any of it.
    changed: bool,
}

/// The whole outbox of a room and follower.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) in_flight: Option<InFlight>,
    /// What is not frozen yet.
    pub(super) waiting: VecDeque<LogEntry>,
}

/// The batch in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    pub(super) last_seq: u64,
    pub(super) kind: Kind,
}

impl Notes {
    pub(super) fn new(hashes: Arc<Hashes>) -> Self {
        Self {
            news: News::default(),
            memory: Memory::default(),
            added: Vec::new(),
            hashes,
        }
    }

    /// Gives a new row, to be found by its fingerprint, its id.
    pub(super) fn add(&mut self, table: Table, fingerprint: i64) -> i64 {
        let row = self.hashes.add(table, fingerprint);
        self.added.push(row);
        row.id
    }

    /// A command begins.
    pub(super) fn begin(&mut self) -> Mark {
        self.memory.changed = false;
        self.memory.stay_small();
        Mark {
            hints: self.news.hints.len(),
            queues: self.news.queues.len(),
            batches: self.news.batches.len(),
            forgotten: self.news.forgotten.len(),
            added: self.added.len(),
        }
    }

    /// The command that began at the mark is undone.
    pub(super) fn undo(&mut self, mark: Mark) {
        self.news.truncate(mark);
        self.hashes
            .forget(self.added.get(mark.added..).unwrap_or_default());
        self.added.truncate(mark.added);
        if self.memory.changed {
            self.memory = Memory::default();
        }
    }

    /// The transaction is undone.
    pub(super) fn undo_all(&mut self) {
        self.news = News::default();
        self.memory = Memory::default();
        self.hashes.forget(&self.added);
        self.added.clear();
    }

    /// The transaction is committed.
    pub(super) fn committed(&mut self) {
        self.added.clear();
        self.hashes.forget(&self.news.forgotten);
        self.news.forgotten.clear();
    }
}

impl Memory {
    /// Whoever changes what is remembered says so.
    pub(super) fn changes(&mut self) {
        self.changed = true;
    }

    fn stay_small(&mut self) {
        let entries = [self.rooms.len(), self.followers.len(), self.queues.len()];
        if entries.into_iter().any(|entries| entries > MOST) {
            *self = Self::default();
        }
        if self.lines.len() > MOST_LINES || self.waiting > MOST_WAITING {
            self.lines.clear();
            self.waiting = 0;
        }
    }
}

impl Line {
    /// Whether it waits for more than memory should hold.
    pub(super) fn is_long(&self) -> bool {
        self.waiting.len() > LONG_LINE
    }
}

/// Remembered rooms, followers and queues, some hundred bytes each; beyond it memory starts anew.
const MOST: usize = 65_536;
/// Remembered outboxes.
const MOST_LINES: usize = 4096;
/// Bytes of bodies that wait in all of them.
const MOST_WAITING: usize = 64 * 1024 * 1024;
/// Entries of one outbox beyond which it is left to the database.
const LONG_LINE: usize = 1024;
