use super::submit::is_application;
use super::update::{proposals, public_content};
use super::{Frank, RatchetTreeOption};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_optional, put_vec};
use crate::field;
use crate::mls::{ContentType, MlsMessage};

/// Bytes of the body of one `notify` request. Whatever one update of at most 12 MiB gives rise to fits, and so does a batch
/// of smaller messages; a hub starts another batch before one grows past this.
pub const MAX_NOTIFY: usize = 16 << 20;

/// One event of a room on its way to clients (draft-ietf-mimi-protocol-06 §5.5).
///
/// ```text
/// struct {
///   /* the hub acceptance time (in milliseconds from the UNIX epoch) */
///   uint64 timestamp;
///   select (protocol) {
///     case mls10:
///       /* A PrivateMessage containing an application message, */
///       /* a SemiPrivateMessage or PublicMessage containing a  */
///       /* proposal or commit, or a Welcome message.           */
///       MLSMessage message;
///       select (message.wire_format) {
///         case application:
///            optional<Frank> frank;
///         case welcome:
///            RatchetTreeOption ratchetTreeOption;
///         case proposal:
///            /* a list of additional proposals, each represented */
///            /* as either PublicMessage or SemiPrivateMessage    */
///            MLSMessage moreProposals<V>;
///         case commit:
///            /* If this was an external commit, and any pending      */
///            /* proposals were invalidated, staple the new epoch's   */
///            /* replacement proposals (from the hub) to the commit   */
///            MLSMessage externalProposals<V>;
///       };
///   };
/// } FanoutMessage;
/// ```
///
/// `protocol` is that of the room: nothing of it is on the wire. The selection by `wire_format` names content
/// types; it is read as a selection by what the message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanoutMessage {
    /// When the hub accepted it, in milliseconds since 1970-01-01T00:00:00Z.
    pub timestamp: u64,
    /// The message and what belongs to its kind.
    pub body: FanoutBody,
}

/// The part of [`FanoutMessage`] that depends on what its message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FanoutBody {
    /// A PrivateMessage with application data.
    Application {
        /// The message.
        message: Box<MlsMessage>,
        /// The hub's stamp.
        frank: Option<Frank>,
    },
    /// A Welcome.
    Welcome {
        /// The message.
        message: Box<MlsMessage>,
        /// The tree of the epoch it leads into.
        ratchet_tree_option: RatchetTreeOption,
    },
    /// A PublicMessage with a proposal.
    Proposal {
        /// The message.
        message: Box<MlsMessage>,
        /// The other proposals of the same request, in its order.
        more_proposals: Vec<MlsMessage>,
    },
    /// A PublicMessage with a commit.
    Commit {
        /// The message.
        message: Box<MlsMessage>,
        /// Proposals of the hub that replace those an external commit made invalid.
        external_proposals: Vec<MlsMessage>,
    },
}

impl FanoutMessage {
    /// The MLS message.
    #[must_use]
    pub fn message(&self) -> &MlsMessage {
        match &self.body {
            FanoutBody::Application { message, .. }
            | FanoutBody::Welcome { message, .. }
            | FanoutBody::Proposal { message, .. }
            | FanoutBody::Commit { message, .. } => message,
        }
    }

    /// Reads the body of a `notify` request: one or more messages after each other, each with the exact bytes it
    /// was read from.
    ///
    /// # Errors
    /// Those of a message, [`DecodeErrorKind::TooLong`] over [`MAX_NOTIFY`], [`DecodeErrorKind::TooShort`] for an
    /// empty body. Nothing of a body with a fault in it is given.
    pub fn read_batch(body: &[u8]) -> Result<Vec<(Self, &[u8])>, DecodeError> {
        field::check_size(body, Self::NAME, MAX_NOTIFY)?;
        let mut r = Reader::new(body);
        let mut batch = Vec::new();
        while !r.is_empty() {
            let mark = r.mark();
            let message = r.read_as("message")?;
            batch.push((message, r.since(mark)));
        }
        if batch.is_empty() {
            return Err(DecodeError {
                structure: Self::NAME,
                field: "whole",
                offset: 0,
                kind: DecodeErrorKind::TooShort { min: 1 },
            });
        }
        Ok(batch)
    }
}

impl FanoutMessage {
    /// The encoding of a Welcome and the tree of the epoch it leads into, which is encoded already.
    #[must_use]
    pub fn encode_welcome(timestamp: u64, message: &MlsMessage, ratchet_tree: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(ratchet_tree.len().saturating_add(WELCOME_ROOM));
        timestamp.encode(&mut out);
        message.encode(&mut out);
        RatchetTreeOption::put_full(&mut out, ratchet_tree);
        out
    }

    /// The encoding of a commit and the proposals stapled to it. In a large room the commit itself is large.
    #[must_use]
    pub fn encode_commit(timestamp: u64, message: &MlsMessage, external_proposals: &[MlsMessage]) -> Vec<u8> {
        let mut out = Vec::new();
        timestamp.encode(&mut out);
        message.encode(&mut out);
        put_vec(&mut out, external_proposals);
        out
    }
}

/// What a Welcome for one or two people takes, roughly.
const WELCOME_ROOM: usize = 4096;

impl Encode for FanoutMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        self.timestamp.encode(out);
        self.message().encode(out);
        match &self.body {
            FanoutBody::Application { frank, .. } => put_optional(out, frank.as_ref()),
            FanoutBody::Welcome {
                ratchet_tree_option, ..
            } => ratchet_tree_option.encode(out),
            FanoutBody::Proposal { more_proposals, .. } => put_vec(out, more_proposals),
            FanoutBody::Commit {
                external_proposals, ..
            } => put_vec(out, external_proposals),
        }
    }
}

impl Decode for FanoutMessage {
    const NAME: &'static str = "FanoutMessage";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let timestamp = r.u64("timestamp")?;
        let at = r.offset();
        let message: Box<MlsMessage> = Box::new(r.read_as("message")?);
        let body = if is_application(&message) {
            FanoutBody::Application {
                message,
                frank: r.optional("frank")?,
            }
        } else if matches!(*message, MlsMessage::Welcome(_)) {
            FanoutBody::Welcome {
                message,
                ratchet_tree_option: r.read_as("ratchetTreeOption")?,
            }
        } else {
            match public_content(&message) {
                Some(ContentType::Proposal) => FanoutBody::Proposal {
                    message,
                    more_proposals: proposals(r, "moreProposals")?,
                },
                Some(ContentType::Commit) => FanoutBody::Commit {
                    message,
                    external_proposals: proposals(r, "externalProposals")?,
                },
                _ => {
                    let kind = DecodeErrorKind::Invalid("not an application message, handshake or Welcome");
                    return Err(r.error_at(at, "message", kind));
                }
            }
        };
        Ok(Self { timestamp, body })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        field::from_bounded_bytes(bytes, MAX_NOTIFY)
    }
}
