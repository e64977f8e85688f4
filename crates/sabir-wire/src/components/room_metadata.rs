use super::Uri;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_opaque, put_vec};
use crate::field;
use crate::uri::{RoomUri, put_or_empty, read_or_empty};

/// Bytes of a name, a subject, a mood, a media type or a language tag: a few lines on a screen.
pub const MAX_LABEL: usize = 1024;

/// Bytes of one description's content: some pages of text.
pub const MAX_DESCRIPTION: usize = 32 << 10;

const MAX_DESCRIPTIONS: usize = 8 * MAX_DESCRIPTION;

/// A description of a room in one language and format (draft-ietf-mimi-protocol-06 §7.6).
///
/// ```text
/// struct {
///   /* an empty media_type is equivalent to text/plain;charset=utf-8 */
///   opaque media_type<V>;
///   opaque language_tag<V>;
///   opaque description_content<V>;
/// } RichDescription;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RichDescription {
    /// A media type, or empty for `text/plain;charset=utf-8`; at most [`MAX_LABEL`] bytes.
    pub media_type: String,
    /// A language tag (RFC 5646), or empty; at most [`MAX_LABEL`] bytes.
    pub language_tag: String,
    /// In the format named; at most [`MAX_DESCRIPTION`] bytes.
    pub description_content: Vec<u8>,
}

impl Encode for RichDescription {
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_text(out, &self.media_type);
        field::put_text(out, &self.language_tag);
        put_opaque(out, &self.description_content);
    }
}

impl Decode for RichDescription {
    const NAME: &'static str = "RichDescription";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            media_type: field::text(r, "media_type", MAX_LABEL)?,
            language_tag: field::text(r, "language_tag", MAX_LABEL)?,
            description_content: field::bytes(r, "description_content", MAX_DESCRIPTION)?,
        })
    }
}

/// What a room is called and looks like (draft-ietf-mimi-protocol-06 §7.6), the data of component
/// [`ROOM_METADATA`](crate::mls::ComponentId::ROOM_METADATA), and in whole also its update.
///
/// ```text
/// struct {
///   Uri room_uri;
///   UTF8String room_name;
///   RichDescription room_descriptions<V>;
///   /* an https URI resolving to an avatar image */
///   Uri room_avatar;
///   UTF8String room_subject;
///   UTF8String room_mood;
/// } RoomMetaData;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMetaData {
    /// The room.
    pub room_uri: RoomUri,
    /// At most [`MAX_LABEL`] bytes; may be empty.
    pub room_name: String,
    /// At most eight times [`MAX_DESCRIPTION`] bytes together.
    pub room_descriptions: Vec<RichDescription>,
    /// Where a picture is, if there is one: an empty field, on which the draft is silent.
    pub room_avatar: Option<Uri>,
    /// At most [`MAX_LABEL`] bytes; may be empty.
    pub room_subject: String,
    /// At most [`MAX_LABEL`] bytes; may be empty.
    pub room_mood: String,
}

impl Encode for RoomMetaData {
    fn encode(&self, out: &mut Vec<u8>) {
        self.room_uri.encode(out);
        field::put_text(out, &self.room_name);
        put_vec(out, &self.room_descriptions);
        put_or_empty(out, self.room_avatar.as_ref());
        field::put_text(out, &self.room_subject);
        field::put_text(out, &self.room_mood);
    }
}

impl Decode for RoomMetaData {
    const NAME: &'static str = "RoomMetaData";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            room_uri: r.read_as("room_uri")?,
            room_name: field::text(r, "room_name", MAX_LABEL)?,
            room_descriptions: r.list("room_descriptions", MAX_DESCRIPTIONS)?,
            room_avatar: read_or_empty(r, "room_avatar")?,
            room_subject: field::text(r, "room_subject", MAX_LABEL)?,
            room_mood: field::text(r, "room_mood", MAX_LABEL)?,
        })
    }
}
