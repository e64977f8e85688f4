//! The outbox: frozen batches for follower providers.
//!
//! For each room and follower at most one batch is in flight. What is appended meanwhile waits. When nothing is in
//! flight, the appended events become the batch in the transaction that appends them; otherwise the acknowledgement of
//! the batch in flight freezes the next one. So freezing costs no extra fsync, and a batch that is sent again has the
//! same bytes after any crash, which the follower's byte-exact deduplication needs.

use crate::StoreError;
use crate::types::bounded;
use crate::types::room::LogEntry;

/// The most entries that one batch holds.
pub const MAX_BATCH_ENTRIES: usize = 256;

/// The most bytes of bodies that one batch holds; a single larger body is a batch by itself.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// A frozen batch in flight: the same content until it is acknowledged or expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The room's URI.
    pub room: String,
    /// The follower's domain.
    pub follower: String,
    /// Sequence number of the first entry.
    pub first_seq: u64,
    /// Sequence number of the last entry; names the batch.
    pub last_seq: u64,
    /// The entries in order. Not every sequence number between first and last must be there.
    pub entries: Vec<LogEntry>,
    /// Failed attempts so far, as last set by [`OutboxDefer`].
    pub attempts: u32,
    /// When it may be sent (again), milliseconds since 1970.
    pub next_attempt_at: u64,
}

/// A batch in flight whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The room's URI.
    pub room: String,
    /// The follower's domain.
    pub follower: String,
    /// Since when, milliseconds since 1970.
    pub next_attempt_at: u64,
}

/// The follower accepted a batch: it goes, and the next one is frozen, due at `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxAck {
    /// The room's URI.
    pub room: String,
    /// The follower's domain.
    pub follower: String,
    /// [`Batch::last_seq`] of the accepted batch.
    pub last_seq: u64,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// The attempt failed: try again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxDefer {
    /// The room's URI.
    pub room: String,
    /// The follower's domain.
    pub follower: String,
    /// [`Batch::last_seq`] of the batch.
    pub last_seq: u64,
    /// Failed attempts so far.
    pub attempts: u32,
    /// When to try again, milliseconds since 1970.
    pub next_attempt_at: u64,
}

/// Gives up batches whose newest entry is older than `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxExpire {
    /// Milliseconds since 1970, exclusive.
    pub before: u64,
    /// Milliseconds since 1970; the batches frozen in their place are due then.
    pub now: u64,
}

/// What an acknowledgement or a deferral met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckOutcome {
    /// That batch was in flight.
    Done,
    /// No such batch is in flight: acknowledged or expired before. Nothing changed.
    NotInFlight,
}

/// A batch that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The room's URI.
    pub room: String,
    /// The follower's domain.
    pub follower: String,
    /// Sequence number of the first entry.
    pub first_seq: u64,
    /// Sequence number of the last entry.
    pub last_seq: u64,
    /// How many entries it held.
    pub entries: u64,
}

impl OutboxAck {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.last_seq, self.now])
    }
}

impl OutboxDefer {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.last_seq, self.next_attempt_at])
    }
}

impl OutboxExpire {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.before, self.now])
    }
}
