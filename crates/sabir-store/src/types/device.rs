//! Device queues: what each local device has yet to read, by a dense cursor of its own.

use std::sync::Arc;

use crate::StoreError;
use crate::types::bounded;
use crate::types::room::Answer;

/// One item of a device's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceItem {
    /// Place in the device's queue, from 1, dense, never used again.
    pub cursor: u64,
    /// Where the event stands in its room; `None` for a notice.
    pub place: Option<RoomPlace>,
    /// What the body is; the caller's numbering.
    pub kind: u16,
    /// When it was accepted here, milliseconds since 1970.
    pub at: u64,
    /// The body, shared with whoever else gets it.
    pub body: Arc<[u8]>,
}

/// The place of an event in its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomPlace {
    /// The room's URI.
    pub room: Arc<str>,
    /// Sequence number in the room's log.
    pub seq: u64,
}

/// Puts notices that belong to no room into device queues. Answers with their cursors, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enqueue {
    /// The notices, in order.
    pub notices: Vec<Notice>,
    /// The answer of the request that caused them; what makes a repetition harmless.
    pub answer: Option<Answer>,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// One notice for one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// The device's client URI.
    pub device: String,
    /// What the body is; the caller's numbering.
    pub kind: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Enqueue {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.now])
    }
}
