//! Message status reports (draft-mahy-mimi-message-status-01): delivered, read and so on, for many messages of
//! one room at once, in CBOR.
//!
//! ```text
//! MessageStatusReport = [ * PerMessageStatus ]
//! PerMessageStatus = [ messageId: MessageId, status: 0..255 ]
//! ```
//!
//! Which changes of status make sense, and whether reports are wanted at all, is for clients and the room's
//! policy to say. As with [`crate::content`], a report has exactly one encoding.

#[cfg(test)]
mod tests;

use crate::cbor::{Reader, Writer};
use crate::codec::{DecodeError, DecodeErrorKind};
use crate::content::{EncodeError, MessageId};

/// The media type of a report (draft-mahy-mimi-message-status-01 §7.1).
pub const MIMI_MESSAGE_STATUS: &str = "application/mimi-message-status";

/// How many messages one report may cover. No draft bounds it; a client that catches up marks some thousand
/// messages at once, and 4,096 entries are 152 KiB.
pub const MAX_STATUSES: usize = 4096;

/// What happened to messages at one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageStatusReport {
    /// One entry per message, at most [`MAX_STATUSES`].
    pub statuses: Vec<PerMessageStatus>,
}

/// What happened to one message. Where a report names a message twice, the later entry is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerMessageStatus {
    /// The message.
    pub message_id: MessageId,
    /// Its status.
    pub status: MessageStatus,
}

/// A status (draft-mahy-mimi-message-status-01 §3). Unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageStatus(pub u8);

impl MessageStatus {
    /// Not read yet, or marked so again.
    pub const UNREAD: Self = Self(0);
    /// A client of the reporter received the message.
    pub const DELIVERED: Self = Self(1);
    /// The reporter read the message.
    pub const READ: Self = Self(2);
    /// The message expired; whether it was read before is not said.
    pub const EXPIRED: Self = Self(3);
    /// The message was deleted, by the reporter's client or by someone with that power.
    pub const DELETED: Self = Self(4);
    /// The reporter's client hides the message, for example in an archive.
    pub const HIDDEN: Self = Self(5);
    /// The message was received with an error.
    pub const ERROR: Self = Self(6);

    /// Whether the draft defines the value.
    #[must_use]
    pub fn is_known(self) -> bool {
        self <= Self::ERROR
    }
}

impl MessageStatusReport {
    /// A report of one status for many messages.
    #[must_use]
    pub fn of(status: MessageStatus, messages: &[MessageId]) -> Self {
        let entry = |message_id: &MessageId| PerMessageStatus {
            message_id: *message_id,
            status,
        };
        Self {
            statuses: messages.iter().map(entry).collect(),
        }
    }

    /// Reads a report that must fill `bytes` exactly.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are not the one deterministic encoding of a report within its bounds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("MessageStatusReport", bytes);
        let count = r.array_head("value")?;
        if usize::try_from(count).unwrap_or(usize::MAX) > MAX_STATUSES {
            return Err(r.error_at(0, "value", DecodeErrorKind::TooLong { max: MAX_STATUSES }));
        }
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(r.within("PerMessageStatus", |r| {
                r.array_of("value", 2)?;
                Ok(PerMessageStatus {
                    message_id: crate::content::read_message_id(r, "messageId")?,
                    status: MessageStatus(r.u8("status")?),
                })
            })?);
        }
        r.finish()?;
        Ok(Self { statuses })
    }

    /// The one encoding of the report.
    ///
    /// # Errors
    /// [`EncodeError::Unreadable`] where the report covers more than [`MAX_STATUSES`] messages.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut w = Writer::new();
        w.array(self.statuses.len());
        for entry in &self.statuses {
            w.array(2);
            w.bytes(entry.message_id.as_bytes());
            w.uint(entry.status.0);
        }
        let bytes = w.finish();
        Self::from_bytes(&bytes).map_err(EncodeError::Unreadable)?;
        Ok(bytes)
    }
}
