//! From bytes to values. The names in errors are those of the draft's CDDL.

use super::{
    AeadAlgorithm, ContentKey, Disposition, Expiration, ExtensionKey, Extensions, ExternalPart,
    HashAlgorithm, MAX_CONTENT, MAX_EXTENSIONS, MAX_FIELD, MAX_PART_DEPTH, MAX_PARTS, MAX_TOPIC_ID,
    MessageId, MimiContent, MultiPart, NestedPart, PartBody, PartSemantics, RawValue, Salt, SinglePart,
};
use crate::cbor::{MAX_INT_KEY, Reader, fault};
use crate::codec::{DecodeError, DecodeErrorKind};

/// The longest textual extension key, in bytes (draft-ietf-mimi-content §4.3).
const MAX_TEXT_KEY: usize = 255;

impl MimiContent {
    /// Reads one message that must fill `bytes` exactly.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are not the one deterministic encoding of a message within its bounds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("mimiContent", bytes);
        if bytes.len() > MAX_CONTENT {
            return Err(r.error_at(0, "value", DecodeErrorKind::TooLong { max: MAX_CONTENT }));
        }
        r.array_of("value", 7)?;
        let content = Self {
            salt: Salt(r.array("salt")?),
            replaces: optional_id(&mut r, "replaces")?,
            topic_id: r.bytes("topicId", MAX_TOPIC_ID)?.to_vec(),
            expires: expiration(&mut r)?,
            in_reply_to: optional_id(&mut r, "inReplyTo")?,
            extensions: extensions(&mut r)?,
            part: PartReader { parts: 0 }.read(&mut r, "nestedPart", 1)?,
        };
        r.finish()?;
        Ok(content)
    }
}

/// `MessageId`. Ids of unknown hash functions are nonsense (draft-ietf-mimi-content §9.1).
pub(crate) fn message_id(r: &mut Reader<'_>, field: &'static str) -> Result<MessageId, DecodeError> {
    let at = r.offset();
    let bytes: [u8; 32] = r.array(field)?;
    let algorithm = bytes.first().copied().unwrap_or_default();
    MessageId::new(bytes)
        .ok_or_else(|| r.error_at(at, field, DecodeErrorKind::UnknownValue(algorithm.into())))
}

fn optional_id(r: &mut Reader<'_>, field: &'static str) -> Result<Option<MessageId>, DecodeError> {
    if r.null(field)? {
        Ok(None)
    } else {
        message_id(r, field).map(Some)
    }
}

/// `null / [relative: bool, time: uint .size 4]`
fn expiration(r: &mut Reader<'_>) -> Result<Option<Expiration>, DecodeError> {
    if r.null("expires")? {
        return Ok(None);
    }
    r.within("Expiration", |r| {
        r.array_of("value", 2)?;
        let relative = r.boolean("relative")?;
        let time = r.u32("time")?;
        Ok(Some(if relative {
            Expiration::Relative(time)
        } else {
            Expiration::Absolute(time)
        }))
    })
}

fn extensions(r: &mut Reader<'_>) -> Result<Extensions, DecodeError> {
    r.within("extensions", |r| {
        let at = r.offset();
        let count = r.map_head("value")?;
        if usize::try_from(count).unwrap_or(usize::MAX) > MAX_EXTENSIONS {
            return Err(r.error_at(at, "value", DecodeErrorKind::TooLong { max: MAX_EXTENSIONS }));
        }
        let mut extensions = Extensions::default();
        let mut previous: Option<&[u8]> = None;
        for _ in 0..count {
            let at = r.offset();
            let key = extension_key(r)?;
            let encoded = r.since(at);
            r.check_order(at, "key", previous, encoded)?;
            previous = Some(encoded);
            let at = r.offset();
            let value = RawValue::read(r.value("value", RawValue::LEVEL)?);
            // draft-ietf-mimi-content §4.3: both are `tstr`, and the CDDL cuts (`^ =>`) other types off.
            let field = match key {
                ExtensionKey::SENDER_URI => Some("senderUri"),
                ExtensionKey::ROOM_URI => Some("roomUri"),
                _ => None,
            };
            if let Some(field) = field
                && value.as_text().is_none()
            {
                return Err(r.fault_at(at, field, fault::WRONG_TYPE));
            }
            extensions.insert(key, value);
        }
        Ok(extensions)
    })
}

fn extension_key(r: &mut Reader<'_>) -> Result<ExtensionKey, DecodeError> {
    let at = r.offset();
    if r.at_text("key")? {
        let key = r.text("key", MAX_TEXT_KEY)?;
        if key.is_empty() {
            return Err(r.error_at(at, "key", DecodeErrorKind::TooShort { min: 1 }));
        }
        return Ok(ExtensionKey::Text(key.to_owned()));
    }
    if !r.at_int("key")? {
        return Err(r.fault_at(at, "key", fault::KEY_TYPE));
    }
    let key = r.int("key")?;
    // draft-ietf-mimi-content §6.2
    if key.abs() > MAX_INT_KEY {
        return Err(r.fault_at(at, "key", fault::KEY_RANGE));
    }
    // draft-ietf-mimi-content §4.3: positive or negative; §8.2.1 reserves 0.
    match i64::try_from(key) {
        Ok(key) if key != 0 => Ok(ExtensionKey::Int(key)),
        _ => Err(r.error_at(at, "key", DecodeErrorKind::UnknownValue(0))),
    }
}

/// Reads parts and counts them over the whole message.
struct PartReader {
    parts: u32,
}

impl PartReader {
    fn read(
        &mut self,
        r: &mut Reader<'_>,
        field: &'static str,
        level: u32,
    ) -> Result<NestedPart, DecodeError> {
        let at = r.offset();
        if level > MAX_PART_DEPTH {
            // draft-ietf-mimi-content §6.3
            return Err(r.error_at(at, field, DecodeErrorKind::TooDeep));
        }
        self.parts = self.parts.saturating_add(1);
        if self.parts > MAX_PARTS {
            // draft-ietf-mimi-content §9.1
            let max = usize::try_from(MAX_PARTS).unwrap_or(usize::MAX);
            return Err(r.error_at(at, field, DecodeErrorKind::TooLong { max }));
        }
        r.within("NestedPart", |r| {
            let count = r.array_head("value")?;
            if count < 3 {
                return Err(r.error_at(at, "value", DecodeErrorKind::TooShort { min: 3 }));
            }
            let disposition = Disposition(r.u8("disposition")?);
            let language = r.text("language", MAX_FIELD)?.to_owned();
            let cardinality_at = r.offset();
            let body = match r.u64("cardinality")? {
                0 => {
                    r.check_count(at, "value", count, 3)?;
                    PartBody::Null
                }
                1 => {
                    r.check_count(at, "value", count, 5)?;
                    PartBody::Single(r.within("SinglePart", single)?)
                }
                2 => {
                    r.check_count(at, "value", count, 15)?;
                    PartBody::External(r.within("ExternalPart", external)?)
                }
                3 => {
                    r.check_count(at, "value", count, 5)?;
                    PartBody::Multi(r.within("MultiPart", |r| self.multi(r, level))?)
                }
                other => {
                    return Err(r.error_at(
                        cardinality_at,
                        "cardinality",
                        DecodeErrorKind::UnknownValue(other),
                    ));
                }
            };
            Ok(NestedPart {
                disposition,
                language,
                body,
            })
        })
    }

    fn multi(&mut self, r: &mut Reader<'_>, level: u32) -> Result<MultiPart, DecodeError> {
        let at = r.offset();
        let code = r.u64("partSemantics")?;
        // draft-ietf-mimi-content §9.1
        let semantics = PartSemantics::from_code(code)
            .ok_or_else(|| r.error_at(at, "partSemantics", DecodeErrorKind::UnknownValue(code)))?;
        let at = r.offset();
        let count = r.array_head("parts")?;
        if count < 2 {
            return Err(r.error_at(at, "parts", DecodeErrorKind::TooShort { min: 2 }));
        }
        let mut parts = Vec::new();
        for _ in 0..count {
            parts.push(self.read(r, "parts", level.saturating_add(1))?);
        }
        Ok(MultiPart { semantics, parts })
    }
}

fn single(r: &mut Reader<'_>) -> Result<SinglePart, DecodeError> {
    Ok(SinglePart {
        content_type: r.text("contentType", MAX_FIELD)?.to_owned(),
        content: r.bytes("content", MAX_CONTENT)?.to_vec(),
    })
}

fn external(r: &mut Reader<'_>) -> Result<ExternalPart, DecodeError> {
    let content_type = r.text("contentType", MAX_FIELD)?.to_owned();
    let url = r.text("url", MAX_FIELD)?.to_owned();
    let expires = r.u32("expires")?;
    let size = r.u64("size")?;
    let enc_alg = AeadAlgorithm(r.u16("encAlg")?);
    // draft-ietf-mimi-content §4.5: without encryption the three are empty. A key without an algorithm would
    // let a receiver take ciphertext for plaintext.
    let max = if enc_alg == AeadAlgorithm::NONE {
        0
    } else {
        MAX_FIELD
    };
    Ok(ExternalPart {
        content_type,
        url,
        expires,
        size,
        enc_alg,
        key: ContentKey::new(r.bytes("key", max)?.to_vec()),
        nonce: r.bytes("nonce", max)?.to_vec(),
        aad: r.bytes("aad", max)?.to_vec(),
        hash_alg: HashAlgorithm(r.u8("hashAlg")?),
        content_hash: r.bytes("contentHash", MAX_FIELD)?.to_vec(),
        description: r.text("description", MAX_FIELD)?.to_owned(),
        filename: r.text("filename", MAX_FIELD)?.to_owned(),
    })
}
