//! Rooms: state rows, the log, and the writes that change both.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::StoreError;
use crate::types::{Hash, bounded};

/// The sequence number of the first event of a room.
pub const FIRST_SEQ: u64 = 1;

/// The fence of a new room. Nothing raises it on one machine; a database shared by several nodes would raise it when a
/// room moves to another node, so that the former owner's writes conflict.
pub const FIRST_FENCE: u64 = 1;

/// What this provider is for a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomKind {
    /// The only sequencer of the room.
    Hub,
    /// Holds the events that the hub fanned out, in the order they came.
    Follower,
}

/// What a change of a room is compared with and swapped against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomVersion {
    /// MLS epoch.
    pub epoch: u64,
    /// Sequence number of the next event, from [`FIRST_SEQ`].
    pub next_seq: u64,
    /// Ownership token, see [`FIRST_FENCE`].
    pub fence: u64,
}

/// A room without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomHead {
    /// Hub or follower.
    pub kind: RoomKind,
    /// Domain of the room's hub.
    pub hub_domain: String,
    /// Epoch, next sequence number and fence.
    pub version: RoomVersion,
}

/// A room with all its state rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomState {
    /// Hub or follower.
    pub kind: RoomKind,
    /// Domain of the room's hub.
    pub hub_domain: String,
    /// Epoch, next sequence number and fence: what the next [`Apply`] expects.
    pub version: RoomVersion,
    /// State rows of the room's engine, by key.
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// One event of a room, to be appended to its log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomEvent {
    /// What the body is; the caller's numbering.
    pub kind: u16,
    /// Stored once for the room.
    pub body: Vec<u8>,
    /// Hash of the MLS message. An event whose hash the room has seen already is skipped.
    pub message_hash: Option<Hash>,
    /// Local devices (client URIs) that get the event in their queue; named twice counts once.
    pub devices: Vec<String>,
    /// Follower providers (domains) that get the event through the outbox; named twice counts once.
    pub followers: Vec<String>,
}

/// The answer to a peer's or a client's request, kept so that a byte-identical repetition gets it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who asked: an authority or a client URI.
    pub origin: String,
    /// Hash of the request's bytes.
    pub request_hash: Hash,
    /// What was answered.
    pub response: Vec<u8>,
}

/// What a write does to a room, all at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomWrite {
    /// The room's URI.
    pub room: String,
    /// The epoch after the write.
    pub new_epoch: u64,
    /// State rows to remove; done before `row_puts`. Absent ones do not matter.
    pub row_deletes: Vec<Vec<u8>>,
    /// State rows to write, key and value; of two with one key the last wins.
    pub row_puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Events to append, in order.
    pub events: Vec<RoomEvent>,
    /// Key package references whose route is not needed any more.
    pub spent_routes: Vec<Vec<u8>>,
    /// The answer of the request that caused this.
    pub answer: Option<Answer>,
    /// Milliseconds since 1970; becomes the time of the events.
    pub now: u64,
}

/// Creates a room. Conflicts when it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRoom {
    /// Hub or follower.
    pub kind: RoomKind,
    /// Domain of the room's hub.
    pub hub_domain: String,
    /// State rows, first events, answer; `new_epoch` is the first epoch.
    pub write: RoomWrite,
}

/// Changes a room by compare-and-set. Conflicts when the room is missing or has another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apply {
    /// The version that the change was computed from.
    pub expect: RoomVersion,
    /// The change.
    pub write: RoomWrite,
}

/// Takes a hub's fan-out into a follower room. Conflicts on another version, another kind or another hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptFanout {
    /// The hub that sent it; for ever the hub of the room.
    pub hub_domain: String,
    /// The version that the change was computed from; `None`: the room does not exist and is created.
    pub expect: Option<RoomVersion>,
    /// The change. The answer's origin is the hub's domain.
    pub write: RoomWrite,
}

/// Result of a write that a request may cause only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<T> {
    /// It happened now.
    Done(T),
    /// The same origin sent the same request before: nothing happened, this was the answer then.
    AlreadyAnswered(Vec<u8>),
}

/// What became of a room write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The room's version now.
    pub version: RoomVersion,
    /// One for each event of the write, in its order.
    pub events: Vec<Placed>,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// Appended under this sequence number.
    Stored(u64),
    /// Skipped: the room has seen its hash, under this sequence number.
    Duplicate(u64),
}

/// One entry of a room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Sequence number in the room.
    pub seq: u64,
    /// What the body is; the caller's numbering.
    pub kind: u16,
    /// When it was accepted here, milliseconds since 1970.
    pub at: u64,
    /// The body, shared with whoever else gets it.
    pub body: Arc<[u8]>,
}

impl RoomVersion {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.epoch, self.next_seq, self.fence])
    }
}

impl RoomWrite {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.new_epoch, self.now])
    }
}

impl Apply {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.expect.check()?;
        self.write.check()
    }
}

impl AcceptFanout {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.expect.as_ref().map_or(Ok(()), RoomVersion::check)?;
        self.write.check()
    }
}
