//! MIMI message content (draft-ietf-mimi-content): what a message says, inside MLS, in CBOR.
//!
//! ```text
//! mimiContent = [ salt, replaces, topicId, expires, inReplyTo, mimiExtensions, nestedPart ]
//! NestedPart  = [ disposition, language, ( null // single // external // multi ) ]
//! ```
//!
//! A reply, a reaction, an edit and a deletion are all the same container with other fields set; the
//! constructors of [`MimiContent`] say which. Parts nest, and each has an index: zero-based, depth first
//! ([`MimiContent::parts`]). What a reader shows of alternatives is decided by [`select()`].
//!
//! The invariant: **a value has exactly one encoding.** [`MimiContent::from_bytes`] accepts only deterministic
//! CBOR (draft-ietf-mimi-content §6.1), so what was decoded encodes to the same bytes, unknown extensions and
//! code points included; [`MimiContent::to_bytes`] refuses what `from_bytes` would not read. A message id is
//! therefore a function of the value ([`MimiContent::message_id`]).
//!
//! Nothing here knows the time, the room or the sender: whether a sender may edit a message, whether the
//! claimed URIs are true and whether a date makes sense is decided above.

mod compose;
mod decode;
mod derived;
mod encode;
mod extensions;
mod id;
mod media;
mod part;
mod select;
#[cfg(test)]
pub(crate) mod tests;

pub use compose::Origin;
pub(crate) use decode::message_id as read_message_id;
pub use derived::{MessageDerivedValues, Timestamp};
pub use encode::EncodeError;
pub use extensions::{ExtensionKey, Extensions, RawValue};
pub use id::{HashAlgorithm, MessageId, Salt, UriTooLong};
pub use media::{media_type, parameter};
pub use part::{
    AeadAlgorithm, ContentKey, Disposition, ExternalPart, MultiPart, NestedPart, PartBody, PartSemantics,
    SinglePart,
};
pub use select::{IndexedPart, Parts, Reading, Support, choose, content_id_index, select};

/// The largest message content, in bytes. The draft leaves it to local policy (draft-ietf-mimi-content §9.1).
/// A message lives in memory several times over while it is encrypted, franked, stored and shown; 1 MiB holds
/// any text and a preview image, and everything larger belongs behind an [`ExternalPart`].
pub const MAX_CONTENT: usize = 1 << 20;

/// The longest `topicId`, in bytes (draft-ietf-mimi-content §9.1).
pub const MAX_TOPIC_ID: usize = 4096;

/// The longest text or byte string of a part other than its inline content, in bytes: URLs, media types,
/// descriptions, file names, keys. No draft bounds them; a presigned URL is the longest that occurs.
pub const MAX_FIELD: usize = 8192;

/// How many parts a message may have, containers included (draft-ietf-mimi-content §9.1).
pub const MAX_PARTS: u32 = 1024;

/// How deeply parts may nest, the outermost being level 1 (draft-ietf-mimi-content §6.3).
pub const MAX_PART_DEPTH: u32 = 4;

/// How many extensions a message may carry. No draft bounds it; each costs a map entry of our memory for as
/// little as three bytes of input.
pub const MAX_EXTENSIONS: usize = 256;

/// The media type of [`MimiContent`] (draft-ietf-mimi-content §8.1).
pub const MIMI_CONTENT: &str = "application/mimi-content";
/// Plain text, which every client reads (draft-ietf-mimi-content §7.1).
pub const TEXT_PLAIN: &str = "text/plain;charset=utf-8";
/// Markdown as MIMI profiles it, which every client reads (draft-ietf-mimi-content §7.1.1).
pub const TEXT_MARKDOWN: &str = "text/markdown;variant=GFM-MIMI";

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MimiContent {
    /// Fresh random bytes: they make the message id unpredictable and key the franking tag.
    pub salt: Salt,
    /// The first instance of the message this one edits or deletes.
    pub replaces: Option<MessageId>,
    /// Messages with the same topic belong together; empty for none. At most [`MAX_TOPIC_ID`] bytes.
    pub topic_id: Vec<u8>,
    /// When receivers are asked to delete the message.
    pub expires: Option<Expiration>,
    /// The version of a message this one answers or reacts to.
    pub in_reply_to: Option<MessageId>,
    /// Claimed sender and room, and whatever else was added.
    pub extensions: Extensions,
    /// What the message says.
    pub part: NestedPart,
}

/// When a message asks to be deleted: a hint nobody can enforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiration {
    /// This many seconds after it was read.
    Relative(u32),
    /// At this second since the UNIX epoch.
    Absolute(u32),
}

impl Expiration {
    /// A year and a day of leap, in seconds.
    const YEAR: u64 = 366 * 24 * 60 * 60;

    /// Whether the time lies within a year of `now` (seconds since the UNIX epoch). Receivers log and discard
    /// messages where it does not (draft-ietf-mimi-content §9.1).
    #[must_use]
    pub fn is_plausible_at(self, now: u64) -> bool {
        match self {
            Self::Relative(seconds) => u64::from(seconds) <= Self::YEAR,
            Self::Absolute(at) => u64::from(at).abs_diff(now) <= Self::YEAR,
        }
    }
}
