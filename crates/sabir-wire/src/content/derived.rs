use super::{EncodeError, MAX_CONTENT, MAX_FIELD, MessageId, RawValue};
use crate::cbor::{Reader, Writer, fault};
use crate::codec::{DecodeError, DecodeErrorKind};

/// The tag of extended time (RFC 9581 §3).
const EXTENDED_TIME: u64 = 1001;

/// What a receiver knows about a message besides its content (draft-ietf-mimi-content §4.6). It is never sent
/// within a message; this is the draft's form for handing it over or keeping it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageDerivedValues {
    /// The message's id.
    pub message_id: MessageId,
    /// When the hub accepted the message.
    pub hub_accepted_timestamp: Timestamp,
    /// The MLS group it was sent in.
    pub mls_group_id: Vec<u8>,
    /// The leaf of its sender.
    pub sender_leaf_index: u32,
    /// The sending client.
    pub sender_client_url: String,
    /// The sending user.
    pub sender_user_url: String,
    /// The room.
    pub room_url: String,
}

/// When the hub accepted a message (draft-ietf-mimi-content §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timestamp {
    /// Milliseconds since the UNIX epoch.
    Millis(u64),
    /// The map within an extended time (RFC 9581 §3), which nobody sends yet.
    Extended(RawValue),
}

impl MessageDerivedValues {
    /// Reads values that must fill `bytes` exactly.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are not the one deterministic encoding of such values.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("MessageDerivedValues", bytes);
        if bytes.len() > MAX_CONTENT {
            return Err(r.error_at(0, "value", DecodeErrorKind::TooLong { max: MAX_CONTENT }));
        }
        r.array_of("value", 7)?;
        let values = Self {
            message_id: super::decode::message_id(&mut r, "messageId")?,
            hub_accepted_timestamp: timestamp(&mut r)?,
            mls_group_id: r.bytes("mlsGroupId", MAX_FIELD)?.to_vec(),
            sender_leaf_index: r.u32("senderLeafIndex")?,
            sender_client_url: r.text("senderClientUrl", MAX_FIELD)?.to_owned(),
            sender_user_url: r.text("senderUserUrl", MAX_FIELD)?.to_owned(),
            room_url: r.text("roomUrl", MAX_FIELD)?.to_owned(),
        };
        r.finish()?;
        Ok(values)
    }

    /// The one encoding of the values.
    ///
    /// # Errors
    /// [`EncodeError::Unreadable`] where [`MessageDerivedValues::from_bytes`] would refuse the result.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut w = Writer::new();
        w.array(7);
        w.bytes(self.message_id.as_bytes());
        match &self.hub_accepted_timestamp {
            Timestamp::Millis(millis) => w.uint(*millis),
            Timestamp::Extended(map) => {
                w.tag(EXTENDED_TIME);
                w.encoded(map.encoded());
            }
        }
        w.bytes(&self.mls_group_id);
        w.uint(self.sender_leaf_index);
        w.text(&self.sender_client_url);
        w.text(&self.sender_user_url);
        w.text(&self.room_url);
        let bytes = w.finish();
        Self::from_bytes(&bytes).map_err(EncodeError::Unreadable)?;
        Ok(bytes)
    }
}

fn timestamp(r: &mut Reader<'_>) -> Result<Timestamp, DecodeError> {
    const FIELD: &str = "hubAcceptedTimestamp";
    let at = r.offset();
    if !r.at_tag(FIELD)? {
        return r.u64(FIELD).map(Timestamp::Millis);
    }
    let tag = r.tag(FIELD)?;
    if tag != EXTENDED_TIME {
        return Err(r.error_at(at, FIELD, DecodeErrorKind::UnknownValue(tag)));
    }
    let at = r.offset();
    if !r.at_map(FIELD)? {
        return Err(r.fault_at(at, FIELD, fault::WRONG_TYPE));
    }
    r.value(FIELD, RawValue::LEVEL)
        .map(|map| Timestamp::Extended(RawValue::read(map)))
}
