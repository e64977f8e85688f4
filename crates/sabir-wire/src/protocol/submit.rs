use super::{Frank, MAX_SMALL_RESPONSE, Protocol};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_optional};
use crate::enumeration::enumeration;
use crate::field;
use crate::mls::{ContentType, MlsMessage};
use crate::uri::UserUri;

/// Bytes of a [`SubmitMessageRequest`]: text and references, for files travel outside messages. Every provider
/// in the room keeps each message until its policy lets it go.
pub const MAX_SUBMIT_REQUEST: usize = 256 << 10;

/// An encrypted message for a room (draft-ietf-mimi-protocol-06 §5.4).
///
/// ```text
/// struct {
///   Protocol protocol;
///   select(protocol) {
///     case mls10:
///       /* PrivateMessage containing an application message */
///       MLSMessage appMessage;
///       IdentifierUri sendingUri;
///   };
/// } SubmitMessageRequest;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitMessageRequest {
    /// A PrivateMessage whose content type is `application`.
    pub app_message: MlsMessage,
    /// The participant that sends it.
    pub sending_uri: UserUri,
}

impl Encode for SubmitMessageRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        Protocol::Mls10.encode(out);
        self.app_message.encode(out);
        self.sending_uri.encode(out);
    }
}

impl Decode for SubmitMessageRequest {
    const NAME: &'static str = "SubmitMessageRequest";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.read_as::<Protocol>("protocol")?;
        let at = r.offset();
        let app_message: MlsMessage = r.read_as("appMessage")?;
        if !is_application(&app_message) {
            // draft-ietf-mimi-protocol-06 §5.4: "a WireFormat of PrivateMessage, and a content_type of application".
            let kind = DecodeErrorKind::Invalid("not an encrypted application message");
            return Err(r.error_at(at, "appMessage", kind));
        }
        Ok(Self {
            app_message,
            sending_uri: r.read_as("sendingUri")?,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_SUBMIT_REQUEST)
    }
}

/// Whether a message is a PrivateMessage that says it carries application data.
pub(super) fn is_application(message: &MlsMessage) -> bool {
    matches!(message, MlsMessage::Private(m) if m.content_type == ContentType::Application)
}

enumeration! {
    /// What became of a [`SubmitMessageRequest`] (draft-ietf-mimi-protocol-06 §5.4).
    ///
    /// ```text
    /// enum {
    ///   accepted(0),
    ///   notAllowed(1),
    ///   epochTooOld(2),
    ///   (255)
    /// } SubmitResponseCode;
    /// ```
    SubmitResponseCode, "SubmitResponseCode" {
        /// Accepted; it will be distributed. The draft's text also says `success`.
        Accepted = 0;
        /// Policy or authorisation forbids it, or it makes no sense.
        NotAllowed = 1;
        /// The group has moved on.
        EpochTooOld = 2;
    }
}

/// The answer to a [`SubmitMessageRequest`] (draft-ietf-mimi-protocol-06 §5.4).
///
/// ```text
/// struct {
///   Protocol protocol;
///   select(protocol) {
///     case mls10:
///       SubmitResponseCode statusCode;
///       select (statusCode) {
///         case accepted:
///           /* the hub acceptance time
///              (in milliseconds from the UNIX epoch) */
///           uint64 accepted_timestamp;
///           optional<Frank> frank;
///         case epochTooOld:
///           /* current MLS epoch for the MLS group */
///           uint64 currentEpoch;
///       };
///   };
/// } SubmitMessageResponse;
/// ```
///
/// The draft prints `case success` for a code its enumeration calls `accepted`: they are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitMessageResponse {
    /// Accepted.
    Accepted {
        /// When, in milliseconds since 1970-01-01T00:00:00Z, by the hub's clock.
        accepted_timestamp: u64,
        /// The hub's stamp, where the message carried a franking tag and the room has a franking agent.
        frank: Option<Frank>,
    },
    /// Not allowed.
    NotAllowed,
    /// The group has moved on.
    EpochTooOld {
        /// To this epoch.
        current_epoch: u64,
    },
}

impl SubmitMessageResponse {
    /// The code alone.
    #[must_use]
    pub fn status_code(&self) -> SubmitResponseCode {
        match self {
            Self::Accepted { .. } => SubmitResponseCode::Accepted,
            Self::NotAllowed => SubmitResponseCode::NotAllowed,
            Self::EpochTooOld { .. } => SubmitResponseCode::EpochTooOld,
        }
    }
}

impl Encode for SubmitMessageResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        Protocol::Mls10.encode(out);
        self.status_code().encode(out);
        match self {
            Self::Accepted {
                accepted_timestamp,
                frank,
            } => {
                accepted_timestamp.encode(out);
                put_optional(out, frank.as_ref());
            }
            Self::NotAllowed => {}
            Self::EpochTooOld { current_epoch } => current_epoch.encode(out),
        }
    }
}

impl Decode for SubmitMessageResponse {
    const NAME: &'static str = "SubmitMessageResponse";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.read_as::<Protocol>("protocol")?;
        Ok(match r.read_as("statusCode")? {
            SubmitResponseCode::Accepted => Self::Accepted {
                accepted_timestamp: r.u64("accepted_timestamp")?,
                frank: r.optional("frank")?,
            },
            SubmitResponseCode::NotAllowed => Self::NotAllowed,
            SubmitResponseCode::EpochTooOld => Self::EpochTooOld {
                current_epoch: r.u64("currentEpoch")?,
            },
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_SMALL_RESPONSE)
    }
}
