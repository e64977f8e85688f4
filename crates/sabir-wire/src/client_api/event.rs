use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};
use crate::field;
use crate::protocol::{FanoutMessage, MAX_NOTIFY};
use crate::uri::RoomUri;

/// The largest cursor: what a signed 64-bit integer holds, so that every store can keep it.
pub const MAX_CURSOR: u64 = i64::MAX as u64;

/// Type of a `fanout` event.
pub(super) const FANOUT: u8 = 1;

/// Something that happened for a device.
///
/// ```text
/// enum {
///     reserved(0),
///     fanout(1),
///     keyPackagesLow(2),
///     keepalive(3),
///     (255)
/// } EventType;
///
/// struct {
///     uint64 cursor;
///     EventType event_type;
///     select (event_type) {
///         case fanout:
///             IdentifierUri room;
///             opaque fanout_message<V>;   /* one FanoutMessage */
///         case keyPackagesLow:
///             uint32 available;
///         case keepalive:
///             struct {};
///     };
/// } Event;
/// ```
///
/// Cursors of `fanout` events ascend in a device's stream and survive reconnection. The other events are told
/// once and not kept: they carry the cursor of the `fanout` event before them, so that acknowledging any event's
/// cursor is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where the device's stream is after this event; 0 before the first.
    pub cursor: u64,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// 1: an event of a room.
    Fanout {
        /// The room.
        room: RoomUri,
        /// One [`FanoutMessage`] in the hub's bytes; [`EventBody::fanout_message`] reads it. It stays unread here
        /// so that a device can store and skip what it does not understand.
        fanout_message: Vec<u8>,
    },
    /// 2: the provider will soon run out of the device's KeyPackages.
    KeyPackagesLow {
        /// How many are left.
        available: u32,
    },
    /// 3: nothing; the connection is alive.
    Keepalive,
}

impl EventBody {
    /// Reads the message of a `fanout` event; `None` for other events.
    ///
    /// # Errors
    /// Those of [`FanoutMessage`], with offsets from the start of the message.
    pub fn fanout_message(&self) -> Option<Result<FanoutMessage, DecodeError>> {
        match self {
            Self::Fanout { fanout_message, .. } => Some(FanoutMessage::from_bytes(fanout_message)),
            Self::KeyPackagesLow { .. } | Self::Keepalive => None,
        }
    }
}

impl Encode for Event {
    fn encode(&self, out: &mut Vec<u8>) {
        self.cursor.encode(out);
        match &self.body {
            EventBody::Fanout { room, fanout_message } => {
                out.push(FANOUT);
                room.encode(out);
                put_opaque(out, fanout_message);
            }
            EventBody::KeyPackagesLow { available } => {
                out.push(2);
                available.encode(out);
            }
            EventBody::Keepalive => out.push(3),
        }
    }
}

impl Decode for Event {
    const NAME: &'static str = "Event";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let cursor = r.u64("cursor")?;
        if cursor > MAX_CURSOR {
            return Err(r.error_at(at, "cursor", DecodeErrorKind::Invalid("above the largest cursor")));
        }
        let at = r.offset();
        let body = match r.u8("event_type")? {
            FANOUT => EventBody::Fanout {
                room: r.read_as("room")?,
                fanout_message: field::bytes(r, "fanout_message", MAX_NOTIFY)?,
            },
            2 => EventBody::KeyPackagesLow {
                available: r.u32("available")?,
            },
            3 => EventBody::Keepalive,
            other => return Err(r.error_at(at, "event_type", DecodeErrorKind::UnknownValue(other.into()))),
        };
        Ok(Self { cursor, body })
    }
}

/// A device has stored everything up to a cursor; its provider may forget it.
///
/// ```text
/// struct {
///     uint64 cursor;
/// } AckRequest;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckRequest {
    /// Of the last event stored.
    pub cursor: u64,
}

impl Encode for AckRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.cursor.encode(out);
    }
}

impl Decode for AckRequest {
    const NAME: &'static str = "AckRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            cursor: r.u64("cursor")?,
        })
    }
}
