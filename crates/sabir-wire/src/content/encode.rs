//! From values to bytes.

use super::{
    Expiration, ExtensionKey, Extensions, ExternalPart, MessageId, MimiContent, NestedPart, PartBody,
    UriTooLong,
};
use crate::cbor::Writer;
use crate::codec::DecodeError;

/// A message that may not be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Its own reader would refuse it: a bound is exceeded, or a field has a value it may not have.
    #[error("the content breaks a rule of its format")]
    Unreadable(#[source] DecodeError),
    /// Its sender's or room's URI is too long.
    #[error(transparent)]
    Uri(#[from] UriTooLong),
}

impl MimiContent {
    /// The one encoding of the message.
    ///
    /// # Errors
    /// [`EncodeError::Unreadable`] where [`MimiContent::from_bytes`] would refuse the result: fields are free
    /// to be set, and what no receiver accepts must not be sent.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut w = Writer::new();
        w.array(7);
        w.bytes(&self.salt.0);
        optional_id(&mut w, self.replaces.as_ref());
        w.bytes(&self.topic_id);
        expiration(&mut w, self.expires);
        optional_id(&mut w, self.in_reply_to.as_ref());
        extensions(&mut w, &self.extensions);
        part(&mut w, &self.part);
        let bytes = w.finish();
        Self::from_bytes(&bytes).map_err(EncodeError::Unreadable)?;
        Ok(bytes)
    }

    /// The id of this message when `sender_uri` sends it to `room_uri`. Both come from MLS and the room, not
    /// from what the message claims.
    ///
    /// # Errors
    /// Those of [`MimiContent::to_bytes`] and [`MessageId::compute`].
    pub fn message_id(&self, sender_uri: &str, room_uri: &str) -> Result<MessageId, EncodeError> {
        Ok(MessageId::compute(
            sender_uri,
            room_uri,
            &self.to_bytes()?,
            &self.salt,
        )?)
    }
}

fn optional_id(w: &mut Writer, id: Option<&MessageId>) {
    match id {
        None => w.null(),
        Some(id) => w.bytes(id.as_bytes()),
    }
}

fn expiration(w: &mut Writer, expires: Option<Expiration>) {
    let (relative, time) = match expires {
        None => return w.null(),
        Some(Expiration::Relative(time)) => (true, time),
        Some(Expiration::Absolute(time)) => (false, time),
    };
    w.array(2);
    w.boolean(relative);
    w.uint(time);
}

fn extensions(w: &mut Writer, extensions: &Extensions) {
    w.map(extensions.len());
    for (key, value) in extensions.iter() {
        match key {
            ExtensionKey::Int(key) => w.int(*key),
            ExtensionKey::Text(key) => w.text(key),
        }
        w.encoded(value.encoded());
    }
}

fn part(w: &mut Writer, p: &NestedPart) {
    let (count, cardinality) = match &p.body {
        PartBody::Null => (3, 0_u8),
        PartBody::Single(_) => (5, 1),
        PartBody::External(_) => (15, 2),
        PartBody::Multi(_) => (5, 3),
    };
    w.array(count);
    w.uint(p.disposition.0);
    w.text(&p.language);
    w.uint(cardinality);
    match &p.body {
        PartBody::Null => {}
        PartBody::Single(single) => {
            w.text(&single.content_type);
            w.bytes(&single.content);
        }
        PartBody::External(e) => external(w, e),
        PartBody::Multi(multi) => {
            w.uint(multi.semantics.code());
            w.array(multi.parts.len());
            for inner in &multi.parts {
                part(w, inner);
            }
        }
    }
}

fn external(w: &mut Writer, e: &ExternalPart) {
    w.text(&e.content_type);
    w.text(&e.url);
    w.uint(e.expires);
    w.uint(e.size);
    w.uint(e.enc_alg.0);
    w.bytes(e.key.expose());
    w.bytes(&e.nonce);
    w.bytes(&e.aad);
    w.uint(e.hash_alg.0);
    w.bytes(&e.content_hash);
    w.text(&e.description);
    w.text(&e.filename);
}
